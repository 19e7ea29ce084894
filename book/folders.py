"""The folders of a build: which may be replaced, and locks that admit one build at a time."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from edition import BOOK, BuildError

from repinf_core import locks

MARKER = ".repinf-book"
_LOCK = ".lock"
_OF_OUTPUT = ("pages", "results", "failed", "_static")


def check_html(html: Path, out: Path) -> None:
    """Refuse to replace anything but an earlier rendered book, which a marker file identifies.

    Raises:
        BuildError: ``html`` is or contains ``out`` or the book's sources, lies in a folder that
            pages are executed into, or is neither empty nor marked.
    """
    if (
        out.is_relative_to(html)
        or BOOK.is_relative_to(html)
        or any(html.is_relative_to(out / name) for name in _OF_OUTPUT)
        or not _is_replaceable(html)
    ):
        if html.is_relative_to(BOOK / "_build") and (html / "index.html").exists():
            raise BuildError(
                f"{html} has no file {MARKER}, as a book rendered by an earlier version has none; "
                f"delete the folder by hand."
            )
        raise BuildError(
            f"The rendered book would replace {html}; allowed is a folder that is new, empty or "
            f"an earlier book's, with the file {MARKER}."
        )


def _is_replaceable(folder: Path) -> bool:
    if not folder.exists():
        return True
    return folder.is_dir() and ((folder / MARKER).exists() or not any(folder.iterdir()))


def replace(html: Path, rendered: Path, out: Path) -> None:
    """Replace ``html`` by the folder ``rendered``, and put the marker into it.

    Args:
        html: folder that :func:`check_html` allows; the book in it is deleted.
        rendered: folder on the same disk.
        out: folder that holds ``pages``.

    Raises:
        BuildError: as :func:`check_html`; another program may have written there meanwhile.
    """
    check_html(html, out)
    (rendered / MARKER).write_text(
        "The next build of the book replaces this whole folder.\n", encoding="utf-8"
    )
    # Renamed whole: a reader never sees half a book, a build never one without its marker.
    with tempfile.TemporaryDirectory(prefix=f".{html.name}-", dir=html.parent) as earlier:
        if html.exists():
            html.rename(Path(earlier) / "html")
        rendered.rename(html)


def copy_writable(source: Path, target: Path) -> None:
    """Copy a folder's files into ``target`` with the permissions of new files.

    In a checkout without write permissions ``shutil.copytree`` makes folders whose files cannot be
    created or deleted.
    """
    for path in sorted(source.rglob("*")):
        if path.is_file():
            copied = target / path.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)


def make_writable(folder: Path, option: str) -> None:
    """Make a folder, and check before any work that it can be written to.

    Raises:
        BuildError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise BuildError(
            f"Folder {folder} cannot be written ({error.strerror}); give another as {option}."
        ) from error


def output_lock(out: Path) -> contextlib.AbstractContextManager[None]:
    """Lock the folder that pages are executed into, as :func:`_locked`."""
    return _locked(out / _LOCK, out, "--out")


def html_lock(html: Path) -> contextlib.AbstractContextManager[None]:
    """Lock the rendered book, as :func:`_locked`.

    The lock file lies beside the folder, because the folder is replaced.
    """
    return _locked(html.with_name(f".{html.name}{_LOCK}"), html, "--html")


def _locked(path: Path, folder: Path, option: str) -> contextlib.AbstractContextManager[None]:
    """Keep other builds out of a folder.

    A second build waits and does not fail, like a second training of a model.  It then finds the
    pages that the first build has executed, so two commands started at once both succeed.

    Args:
        path: lock file, in a folder that can be written to.
        folder: the locked folder, for messages.
        option: command-line option that sets the folder, for messages.
    """
    return locks.lock(path, f"a build of {folder}", f"give as {option}")
