"""Execute the book's pages with papermill and render them: notebooks to results to HTML.

    python book/build.py --profile quick -p n_z 7 --pages 04_cluster_centers --jobs 2

writes DIR/pages/*.ipynb, DIR/results/*.json, DIR/_static/movies/ and DIR/html/.  A page that
was executed before from the same notebook, parameters and core code is not executed again.
"""

import argparse
import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import nbformat
import papermill
import yaml
from check import problems
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from repinf_core import profiles
from repinf_core.atomic import replacing

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


@dataclass(frozen=True)
class Page:
    """A page to be made: its name, its notebook, and what papermill is to inject."""

    name: str
    notebook: Path
    parameters: dict[str, Any]

    def fingerprint(self) -> str:
        """SHA-256 of all that shapes the page: source, parameters, core code."""
        sha256 = hashlib.sha256(json.dumps(self.parameters, sort_keys=True).encode())
        for path in [self.notebook, *sorted((ROOT / "repinf_core").rglob("*.py"))]:
            sha256.update(path.name.encode() + path.read_bytes())
        return sha256.hexdigest()

    def is_executed(self, out: Path) -> bool:
        """Whether ``out`` holds this very page and its results."""
        try:
            text = (out / "pages" / f"{self.name}.ipynb").read_text()
            metadata = json.loads(text)["metadata"]
        except (OSError, json.JSONDecodeError, KeyError):  # absent or damaged: not executed
            return False
        made = [f"results/{self.name}.json", *re.findall(r"_static/movies/[\w.-]+\.mp4", text)]
        complete = all((out / path).exists() for path in made)
        return complete and metadata.get("fingerprint") == self.fingerprint()


class BuildError(Exception):
    """What stops a build, in words for the person who started it."""


def plan(profile: str, given: dict[str, Any], names: list[str] | None) -> list[Page]:
    """The pages asked for, each with the parameters it takes.

    Raises:
        BuildError: a page that does not exist.
        profiles.ParameterError: a parameter that is unknown, wrong, or that no page takes.
    """
    if {"profile", "page"} & set(given):
        raise BuildError("Give the profile as --profile; a page's name is that of pages.yml.")
    profiles.experiment(profile, given)
    contents = yaml.safe_load((BOOK / "pages.yml").read_text())
    for name in names or []:
        if name not in contents:
            raise BuildError(f"Page {name} is unknown; allowed are {', '.join(contents)}.")
    pages, taken = [], set()
    for name in dict.fromkeys(names or contents):  # each once
        notebook = ROOT / "notebooks" / contents[name]["notebook"]
        takes = papermill.inspect_notebook(notebook)
        parameters = {key: value for key, value in given.items() if key in takes}
        taken |= set(parameters)
        own = {"profile": profile, "page": name, **contents[name]["parameters"]}
        pages.append(Page(name, notebook, parameters | own))
    for name in given:
        if name not in taken:
            raise profiles.ParameterError(f"Parameter {name} is taken by none of these pages.")
    return pages


def execute(page: Page, out: Path) -> float:
    """Execute one page into ``out``; returns its seconds.

    Raises:
        BuildError: a cell failed; the page as far as it came is in ``out/failed``.
    """
    started = time.perf_counter()
    working = out / "failed" / f"{page.name}.ipynb"
    working.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            page.notebook,
            working,
            page.parameters,
            cwd=out,
            progress_bar=False,
            extra_arguments=["--log-level=ERROR"],  # of the kernel
        )
    except PapermillExecutionError as error:
        raise BuildError(
            f"Page {page.name} failed in cell {error.cell_index} "
            f"({error.ename}: {error.evalue}); as far as it came: {working}"
        ) from None
    except (DeadKernelError, OSError) as error:  # killed for memory, say, or a full disk
        raise BuildError(
            f"Page {page.name} failed ({type(error).__name__}: {error}); "
            f"as far as it came: {working}"
        ) from None
    notebook = nbformat.read(working, 4)
    # The papermill metadata hold absolute paths and times: a page says the same everywhere.
    notebook.metadata.pop("papermill", None)
    notebook.metadata["fingerprint"] = page.fingerprint()
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell.source = cell.source.replace(_BADGE, "_static/colab-badge.svg")
    with replacing(out / "pages" / working.name) as temporary:
        nbformat.write(notebook, temporary)
    working.unlink()
    with contextlib.suppress(OSError):  # another page's failure may lie there
        working.parent.rmdir()
    return time.perf_counter() - started


def execute_all(pages: list[Page], out: Path, jobs: int, force: bool) -> None:
    """Execute what is not executed yet, a line of progress per page.

    Raises:
        BuildError: a page failed; the others are finished first, and stay.
    """
    todo = [page for page in pages if force or not page.is_executed(out)]
    for page in pages:
        if page not in todo:
            print(f"{page.name}: executed before")
    failures = []
    runs = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(
        joblib.delayed(_attempt)(page, out) for page in todo
    )
    for done, (name, seconds, failure) in enumerate(runs, start=1):
        print(
            f"[{done}/{len(todo)}] {name}: " + ("failed" if failure else f"{seconds:.1f} s"),
            flush=True,
        )
        if failure:
            failures.append(failure)
    if failures:
        raise BuildError("\n".join(failures))


def _attempt(page: Page, out: Path) -> tuple[str, float, str | None]:
    """A failure is returned, not raised, so that it does not take the other pages with it."""
    try:
        return page.name, execute(page, out), None
    except BuildError as error:
        return page.name, 0.0, str(error)


def render(out: Path, pages: list[Page], strict: bool) -> Path:
    """Pages in ``out`` to HTML with jupyter-book, which executes nothing.

    Args:
        out: holds ``pages`` and ``results``.
        pages: those of one edition: what ``out`` holds with other parameters stays out.
        strict: a warning is an error.  For tests: a reader's book is not to fail because a
            later release of some Sphinx extension deprecates something.

    Raises:
        BuildError: jupyter-book failed or, if ``strict``, warned.
    """
    source = out / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(BOOK / "_static", source / "_static")
    if (out / "_static").exists():
        shutil.copytree(out / "_static", source / "_static", dirs_exist_ok=True)
    for name in ("_config.yml", "intro.md", "references.md", "references.bib"):
        shutil.copy(BOOK / name, source)
    names = [page.name for page in pages if page.is_executed(out)]
    for name in names:
        text = (out / "pages" / f"{name}.ipynb").read_text()
        linked = re.sub(  # a link to a page that is not in this book is plain text
            r'\[([^][\n"]+)\]\((\w+)\.ipynb\)', lambda m: m[0] if m[2] in names else m[1], text
        )
        (source / f"{name}.ipynb").write_text(linked)
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text())
    toc["chapters"] = [c for c in toc["chapters"] if (source / f"{c['file']}.ipynb").exists()]
    toc["chapters"].append({"file": "references"})
    (source / "_toc.yml").write_text(yaml.safe_dump(toc))
    (source / "found.md").write_text(_findings(out, names))
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", jupyter_book, "build", "-q", str(source)]
    command += ["-W", "--keep-going"] * strict
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise BuildError(f"jupyter-book failed:\n{done.stdout}")
    html = out / "html"
    shutil.rmtree(html, ignore_errors=True)
    (source / "_build" / "html").rename(html)
    return html


def _findings(out: Path, names: list[str]) -> str:
    lines = []
    for name in names:
        result = json.loads((out / "results" / f"{name}.json").read_text())
        lines.append(f"- [](./{name}.ipynb): {result['finding']}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="quick", help="smoke, quick (default) or paper")
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters"
    )
    parser.add_argument("--pages", nargs="+", metavar="NAME", help="default: all of pages.yml")
    parser.add_argument("--jobs", type=int, default=1, help="pages executed at once")
    parser.add_argument("--out", type=Path, help="default: book/_build/PROFILE")
    parser.add_argument("--force", action="store_true", help="execute pages executed before too")
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error(f"--jobs is {options.jobs}; allowed is an integer from 1.")
    out = (options.out or BOOK / "_build" / options.profile).resolve()
    try:
        given = {name: profiles.value(text) for name, text in options.parameters}
        pages = plan(options.profile, given, options.pages)
        out.mkdir(parents=True, exist_ok=True)
        execute_all(pages, out, options.jobs, options.force)
        whole = options.profile == "smoke" and options.pages is None
        html = render(out, plan(options.profile, given, None), strict=whole)
        found = problems(html)
        if found:
            raise BuildError("The rendered book has problems:\n" + "\n".join(found))
    except (BuildError, profiles.ParameterError, OSError) as error:
        sys.exit(str(error))
    print(f"The book: {html / 'index.html'}")


if __name__ == "__main__":
    main()
