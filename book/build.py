"""Execute the book's pages with papermill and render them: notebooks to results to HTML.

    python book/build.py --profile quick -p n_z 7 --pages 04_cluster_centers --jobs 2

writes DIR/pages/*.ipynb, DIR/results/*.json, DIR/_static/movies/ and DIR/html/.  A page is not
executed again if its notebook, parameters, modules and libraries are unchanged.  If two builds
write into one DIR, the second waits.  A rendered book replaces only another rendered book.
The published edition has the profile paper and ``--out book``; its pages are committed.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import address
import folders
import joblib
import landing
import nbformat
import playground_data
import rewrite
import yaml
from check import problems, unchecked
from edition import BOOK, BuildError, Page, plan
from execution import cluster, execute_all
from finish import finish
from nbformat import NotebookNode, ValidationError

from repinf_core import profiles
from repinf_core.errors import ReaderError

_INTERRUPTED = 130  # a shell's status for a command that SIGINT ended


def shown(edition: list[Page], out: Path, read: bool) -> list[Page]:
    """The pages of an edition to render: those that are up to date or, with ``read``, that exist.

    Args:
        edition: all its pages.
        out: folder that holds ``pages``.
        read: whether pages that are older than the code count too, as in a published edition.

    Raises:
        BuildError: there is no such page.
    """
    pages = [
        page
        for page in edition
        if ((out / "pages" / f"{page.name}.ipynb").exists() if read else page.is_executed(out))
    ]
    if not pages:
        raise BuildError(f"{out} holds no page of this edition; execute it first.")
    return pages


def render(
    out: Path,
    pages: list[Page],
    html: Path,
    strict: bool,
    played: Sequence[playground_data.Played] = (),
) -> None:
    """Render executed pages to HTML with jupyter-book, which executes nothing.

    Args:
        out: folder that holds ``pages`` and ``results``.
        pages: pages to render; other pages in ``out`` are left out.
        html: folder of the rendered book, replaced as :func:`folders.replace` does.
        strict: whether a warning is an error.  For tests: a reader's book must not fail because a
            later release of a Sphinx extension deprecates something.
        played: the models of the playground; without any, the book has none.

    Raises:
        BuildError: jupyter-book failed or, if ``strict``, warned; or ``html`` may not be replaced.
    """
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", jupyter_book, "build", "-q"]
    command += ["-W", "--keep-going"] * strict
    with tempfile.TemporaryDirectory(prefix=f".{html.name}-", dir=html.parent) as folder:
        source = Path(folder)
        findings = _write_sources(out, pages, source, played)
        done = subprocess.run(
            [*command, str(source)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise BuildError(f"jupyter-book failed:\n{done.stdout}")
        _copy_tables(out, pages, source / "_build" / "html")
        if played:  # not before, when jupyter-book would load each script into every page
            playground_data.write(source / "_build" / "html" / "playground", played)
        finish(source / "_build" / "html", findings)
        folders.replace(html, source / "_build" / "html", out)


def _copy_tables(out: Path, pages: list[Page], html: Path) -> None:
    """Copy the tables of the figures' data to where the pages' links lead."""
    for page in pages:
        tables = out / "results" / page.name
        if tables.exists():
            folders.copy_writable(tables, html / "results" / page.name)


def _write_sources(
    out: Path, pages: list[Page], source: Path, played: Sequence[playground_data.Played]
) -> dict[str, str]:
    """Write jupyter-book's sources: the pages, and the files that all books share.

    Returns the findings of the pages, in Markdown, by page name.
    """
    folders.copy_writable(BOOK / "_static", source / "_static")
    if (out / "_static").exists() and out != BOOK:
        folders.copy_writable(out / "_static", source / "_static")
    shutil.copyfile(BOOK / "references.bib", source / "references.bib")
    here = address.find()
    _write_address(source, here)
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    titles = {chapter["file"]: chapter["title"] for chapter in chapters if "title" in chapter}
    names = [page.name for page in pages]
    _write_texts(source, names)
    invitation = ""
    if played:
        part = playground_data.part("playground")
        (source / "playground.html").write_text(part, encoding="utf-8")
        invitation = "Move it yourself in the [playground](playground.md)."
    else:
        (source / "playground.md").unlink()
    (source / "invitation.md").write_text(invitation, encoding="utf-8")
    found = {}
    for page in pages:
        notebook, results = _executed(out, page.name)
        notebook = rewrite.with_address(notebook, here, page.notebook.stem)
        notebook = rewrite.with_folds(rewrite.with_result_first(notebook))
        notebook = rewrite.without_empty_texts(notebook)
        notebook = rewrite.with_links(notebook, page.name.removesuffix(page.notebook.stem), names)
        if page.name != page.notebook.stem:  # a notebook's second page in the same book
            notebook = rewrite.with_own_labels(
                rewrite.with_title(notebook, titles[page.name]), page.name
            )
        found[page.name] = notebook, results
        nbformat.write(rewrite.with_one_caption(notebook), source / f"{page.name}.ipynb")
    landing.write(source, found)
    for part in toc["parts"]:
        part["chapters"] = [c for c in part["chapters"] if list(source.glob(f"{c['file']}.*"))]
    toc["parts"] = [part for part in toc["parts"] if part["chapters"]]
    (source / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    return {name: results["finding"] for name, (_, results) in found.items()}


def _write_address(source: Path, here: address.Address | None) -> None:
    """Write the configuration and the citation, with the public address if there is one."""
    config = yaml.safe_load((BOOK / "_config.yml").read_text(encoding="utf-8"))
    text = yaml.safe_dump(address.configured(config, here), sort_keys=False, allow_unicode=True)
    (source / "_config.yml").write_text(text, encoding="utf-8")
    cff = (BOOK.parent / "CITATION.cff").read_text(encoding="utf-8")
    (source / "_static" / "CITATION.cff").write_text(address.citation(cff, here), encoding="utf-8")


def _write_texts(source: Path, names: list[str]) -> None:
    """Write the pages without code.

    Their links to pages that are not in this book become plain text.
    """
    (source / "about").mkdir()
    texts = {
        path: path.relative_to(BOOK) for path in (*BOOK.glob("*.md"), *BOOK.glob("about/*.md"))
    }
    for path, place in (texts | {BOOK.parent / "CHANGELOG.md": Path("about/changelog.md")}).items():
        text = rewrite.links_in(path.read_text(encoding="utf-8"), names)
        (source / place).write_text(text, encoding="utf-8")


def _executed(out: Path, name: str) -> tuple[NotebookNode, dict]:
    """An executed page and its results, which hold a finding.

    Raises:
        BuildError: the page or its results cannot be read.
    """
    try:
        notebook = nbformat.read(out / "pages" / f"{name}.ipynb", 4)
        results = json.loads((out / "results" / f"{name}.json").read_text(encoding="utf-8"))
        results["finding"]  # shown on the front page
        return notebook, results
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise BuildError(
            f"Page {name} or its results in {out} are damaged or not there; execute it again."
        ) from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="quick", help="smoke, quick (default) or paper")
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters",
        help="a parameter of repinf_core/profiles.py, and again: -p n_z 7 -p p_grid '[0, 1]'",
    )  # fmt: skip
    parser.add_argument("--pages", nargs="+", metavar="NAME", help="default: all of pages.yml")
    parser.add_argument(
        "--jobs",
        type=int,
        default=joblib.cpu_count(),
        help="pages executed at once, the cores shared among them; default: one per core",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="dask scheduler whose workers, on machines that share this folder and the "
        "output's, execute the pages, instead of --jobs",
    )
    parser.add_argument("--out", type=Path, help="default: book/_build/PROFILE")
    parser.add_argument("--html", type=Path, help="the rendered book; default: OUT/html")
    parser.add_argument("--force", action="store_true", help="execute pages executed before too")
    parser.add_argument(
        "--read", action="store_true", help="execute nothing, render the pages that OUT holds"
    )
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error(f"--jobs is {options.jobs}; allowed is an integer from 1.")
    out = (options.out or BOOK / "_build" / options.profile).resolve()
    html = (options.html or out / "html").resolve()
    for name in ("REPINF_DATA", "REPINF_MODELS"):  # pages are executed in another folder
        if os.environ.get(name):
            os.environ[name] = os.path.abspath(os.path.expanduser(os.environ[name]))
    try:
        folders.check_html(html, out)
        given = {name: profiles.value(text) for name, text in options.parameters}
        pages = plan(options.profile, given, options.pages)
        edition = plan(options.profile, given, options.pages, others=True)
        whole = options.profile == "smoke" and options.pages is None
        folders.make_writable(html.parent, "--html")
        with contextlib.ExitStack() as locks:
            if not options.read:
                folders.make_writable(out, "--out")
                locks.enter_context(folders.output_lock(out))
                with cluster(options.cluster):
                    execute_all(pages, out, options.jobs, options.force)
            locks.enter_context(folders.html_lock(html))
            played = playground_data.of_edition(options.profile, given)
            render(out, shown(edition, out, options.read), html, whole, played)
            found = problems(html)
        if found:
            raise BuildError("The rendered book has problems:\n" + "\n".join(found))
    except (BuildError, ReaderError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("Stopped; executed pages are kept, and the same command goes on.", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    for line in unchecked(html):
        print(line)
    print(f"The book: {html / 'index.html'}")


if __name__ == "__main__":
    # The default handler would end only this process, not those that execute pages.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
