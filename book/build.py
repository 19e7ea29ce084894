"""Execute the book's pages with papermill and render them: notebooks to results to HTML.

    python book/build.py --profile quick -p n_z 7 --pages 04_cluster_centers --jobs 2

writes DIR/pages/*.ipynb, DIR/results/*.json, DIR/_static/movies/ and DIR/html/.  A page that
was executed before from the same notebook, parameters and core code is not executed again.
The published edition is that of profile paper with ``--out book``: its pages are committed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import joblib
import nbformat
import yaml
from check import problems
from execution import BOOK, BuildError, Page, cluster, execute_all, plan

from repinf_core import profiles

_INTERRUPTED = 130  # a shell's status for a command that SIGINT ended


def shown(edition: list[Page], out: Path, read: bool) -> list[Page]:
    """Of an edition, the pages to be rendered: those executed as they are now, or any there are.

    Args:
        edition: all its pages.
        out: holds ``pages``.
        read: a page may be older than the code: a published edition is read as it was executed.

    Raises:
        BuildError: there are none.
    """
    pages = [
        page
        for page in edition
        if ((out / "pages" / f"{page.name}.ipynb").exists() if read else page.is_executed(out))
    ]
    if not pages:
        raise BuildError(f"{out} holds no page of this edition; execute it first.")
    return pages


def render(out: Path, pages: list[Page], html: Path, strict: bool) -> None:
    """Pages in ``out`` to HTML with jupyter-book, which executes nothing.

    Args:
        out: holds ``pages`` and ``results``.
        pages: those to be shown; what else ``out`` holds, of other parameters say, stays out.
        html: folder of the rendered book.
        strict: a warning is an error.  For tests: a reader's book is not to fail because a
            later release of some Sphinx extension deprecates something.

    Raises:
        BuildError: jupyter-book failed or, if ``strict``, warned.
    """
    source = _source(html)
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(BOOK / "_static", source / "_static")
    if (out / "_static").exists() and out != BOOK:
        shutil.copytree(out / "_static", source / "_static", dirs_exist_ok=True)
    for name in ("_config.yml", "intro.md", "references.md", "references.bib"):
        shutil.copy(BOOK / name, source)
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    titles = {
        chapter["file"]: chapter["title"] for chapter in toc["chapters"] if "title" in chapter
    }
    names = [page.name for page in pages]
    for page in pages:
        text = (out / "pages" / f"{page.name}.ipynb").read_text(encoding="utf-8")
        text = with_links(text, page.name.removesuffix(page.notebook.stem), names)
        if page.name != page.notebook.stem:  # a notebook's second page in the same book
            text = with_own_labels(with_title(text, titles[page.name]), page.name)
        (source / f"{page.name}.ipynb").write_text(text, encoding="utf-8")
    toc["chapters"] = [c for c in toc["chapters"] if (source / f"{c['file']}.ipynb").exists()]
    toc["chapters"].append({"file": "references"})
    (source / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    (source / "found.md").write_text(_findings(out, names), encoding="utf-8")
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", jupyter_book, "build", "-q", str(source)]
    command += ["-W", "--keep-going"] * strict
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise BuildError(f"jupyter-book failed:\n{done.stdout}")
    shutil.rmtree(html, ignore_errors=True)
    (source / "_build" / "html").rename(html)


def _source(html: Path) -> Path:
    """The folder beside ``html`` from which jupyter-book makes it."""
    return html.with_name(f"{html.name}-source")


def check_html(html: Path, out: Path) -> None:
    """Refuse to replace anything but an earlier rendered book.

    Raises:
        BuildError: it, or the one for the sources beside it, is or holds the output or the book's
            sources, or has something else in it.
    """
    for folder, own in ((html, "index.html"), (_source(html), "_static")):
        holds = out.is_relative_to(folder) or BOOK.is_relative_to(folder)
        used = folder.exists() and any(folder.iterdir())
        if holds or (used and not (folder / own).exists()):
            raise BuildError(
                f"The rendered book would replace {folder}; allowed is a folder that is new, "
                f"empty or an earlier book's."
            )


def with_links(text: str, prefix: str, names: list[str]) -> str:
    """A page's source with links to pages of this book, of those with its own prefix first.

    A page on Fashion-MNIST then leads to others on it; a link to a page that is not in this book
    becomes plain text.
    """

    def link(found: re.Match) -> str:
        target = found[2] if prefix + found[2] not in names else prefix + found[2]
        return f"[{found[1]}]({target}.ipynb)" if target in names else found[1]

    # The link's text may go over a line's end, which the file of a notebook writes as two strings.
    return re.sub(r'\[((?:[^][\n"]|\\n",\n *")+)\]\((\w+)\.ipynb\)', link, text)


def with_title(text: str, title: str) -> str:
    """A page's source with another heading of the first level."""
    notebook = nbformat.reads(text, 4)
    first = notebook.cells[0]
    first.source = re.sub(r"^# .*", f"# {title}", first.source, count=1)
    return nbformat.writes(notebook)


def with_own_labels(text: str, name: str) -> str:
    """A page's source with the page's name in all labels of figures and equations."""
    return re.sub(r"\b(fig|eq)-(?=[a-z])", rf"\1-{name.replace('_', '-')}-", text)


def _findings(out: Path, names: list[str]) -> str:
    lines = []
    for name in names:
        result = json.loads((out / "results" / f"{name}.json").read_text(encoding="utf-8"))
        lines.append(f"- [](./{name}.ipynb): {result['finding']}")
    return "\n".join(lines) + "\n"


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
        check_html(html, out)
        given = {name: profiles.value(text) for name, text in options.parameters}
        pages = plan(options.profile, given, options.pages)
        make_writable(html.parent, "--html")
        if not options.read:
            make_writable(out, "--out")
            with cluster(options.cluster):
                execute_all(pages, out, options.jobs, options.force)
        edition = plan(options.profile, given, options.pages, others=True)
        whole = options.profile == "smoke" and options.pages is None
        render(out, shown(edition, out, options.read), html, strict=whole)
        found = problems(html)
        if found:
            raise BuildError("The rendered book has problems:\n" + "\n".join(found))
    except (BuildError, profiles.ParameterError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("Stopped; executed pages are kept, and the same command goes on.", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    print(f"The book: {html / 'index.html'}")


if __name__ == "__main__":
    # Its default would end this process alone, and leave those that execute pages at work.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
