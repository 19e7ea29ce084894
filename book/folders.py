"""The folders of a build: which it may replace, and that one build at a time writes into one."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from execution import BOOK, BuildError

from repinf_core import locks

MARKER = ".repinf-book"
_LOCK = ".lock"
_OF_OUTPUT = ("pages", "results", "failed", "_static")


def check_html(html: Path, out: Path) -> None:
    """Refuse to replace anything but an earlier rendered book, which a marker file tells.

    Raises:
        BuildError: ``html`` is or holds the output ``out`` or the book's sources, lies where
            pages are executed to, or has something in it and no marker.
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
    """Put the folder ``rendered`` in the place of ``html``, with the marker in it.

    Args:
        html: as :func:`check_html` allows it; the book in it is deleted.
        rendered: in a folder on the same disk.
        out: holds ``pages``.

    Raises:
        BuildError: as :func:`check_html`; while pages were executed others may have written there.
    """
    check_html(html, out)
    (rendered / MARKER).write_text(
        "The next build of the book replaces this whole folder.\n", encoding="utf-8"
    )
    # Renamed first: who is reading never sees half a book, nor a build one without its marker.
    with tempfile.TemporaryDirectory(prefix=f".{html.name}-", dir=html.parent) as earlier:
        if html.exists():
            html.rename(Path(earlier) / "html")
        rendered.rename(html)


def copy_writable(source: Path, target: Path) -> None:
    """Copy a folder's files into ``target`` with the modes of new ones.

    In a checkout without write permissions ``shutil.copytree`` makes folders that nothing can
    be written into, nor deleted from.
    """
    for path in sorted(source.rglob("*")):
        if path.is_file():
            copied = target / path.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)


def make_writable(folder: Path, option: str) -> None:
    """Make a folder that is to be written, before the work whose results go there.

    Raises:
        BuildError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise BuildError(
            f"Folder {folder} cannot be written ({error.strerror}); give another as {option}."
        ) from error


def output_lock(out: Path) -> contextlib.AbstractContextManager[None]:
    """As :func:`_locked`, of the folder that pages are executed into."""
    return _locked(out / _LOCK, out, "--out")


def html_lock(html: Path) -> contextlib.AbstractContextManager[None]:
    """As :func:`_locked`, of the rendered book; the lock lies beside it, for it is replaced."""
    return _locked(html.with_name(f".{html.name}{_LOCK}"), html, "--html")


def _locked(path: Path, folder: Path, option: str) -> contextlib.AbstractContextManager[None]:
    """Keep other builds out of a folder.

    A second build waits rather than fails, as that of a model does: it then finds the pages that
    the first has executed, and two commands that somebody starts at once both end well.

    Args:
        path: of the lock's file, in a folder that can be written.
        folder: what it is the lock of, for messages.
        option: of the command line, by which another folder is given.
    """
    return locks.lock(path, f"a build of {folder}", f"give as {option}")
