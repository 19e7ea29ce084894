"""The pages: which there are, what each is made of, and their execution with papermill."""

import contextlib
import functools
import hashlib
import itertools
import json
import platform
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import nbformat
import papermill
import sources
import yaml
from papermill.exceptions import PapermillExecutionError

from repinf_core import parallel, profiles
from repinf_core.atomic import replacing

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
_LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "torch")  # another version, other numbers
_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


class BuildError(Exception):
    """What stops a build, in words for the person who started it."""


@dataclass(frozen=True)
class Page:
    """A page to be made: its name, its notebook, and what papermill is to inject."""

    name: str
    notebook: Path
    parameters: dict[str, Any]
    reads: tuple["Page", ...] = ()  # whose results it reads
    files: str = ""  # pattern of other files that it reads
    long: bool = False  # takes longer than most

    def sources(self) -> dict[str, str]:
        """Digests of its notebook and of the modules of the core that this imports."""
        return sources.digests(self.notebook, ROOT)

    def fingerprint(self, out: Path) -> str:
        """SHA-256 of all that shapes the page.

        Its parameters, its sources, the libraries that compute, the weights, what it reads.
        """
        libraries = {name: version(name) for name in _LIBRARIES}
        shaped = json.dumps([self.parameters, self.sources(), libraries], sort_keys=True)
        sha256 = hashlib.sha256(shaped.encode())
        for name in self.ran(out):
            sha256.update(name.encode() + (out / "results" / f"{name}.json").read_bytes())
        files = [ROOT / "repinf_core" / "weights" / "manifest.json"]
        files += sorted(ROOT.glob(self.files)) if self.files else []
        for path in files:
            sha256.update(path.name.encode() + path.read_bytes())
        return sha256.hexdigest()

    def lacked_data(self, out: Path) -> bool:
        """Whether it says that it could not have its data, which may be there now."""
        path = out / "results" / f"{self.name}.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return bool(found.get("results", {}).get("lacks_data"))

    def ran(self, out: Path) -> list[str]:
        """Of the pages that it reads, those whose results in ``out`` are of this very edition."""
        return [page.name for page in self.reads if page.is_executed(out)]

    def is_executed(self, out: Path) -> bool:
        """Whether ``out`` holds this very page and its results."""
        try:
            text = (out / "pages" / f"{self.name}.ipynb").read_text(encoding="utf-8")
            metadata = json.loads(text)["metadata"]
        except (OSError, ValueError, KeyError, TypeError):  # absent or damaged: not executed
            return False
        results = _sha256(out / "results" / f"{self.name}.json")
        movies = _movies(text, out)
        return bool(
            all(movies.values())
            # As of the results below; a page of an earlier version does not tell.
            and metadata.get("movies", movies) == movies
            # A run that failed at its end left other results beside the page of one before it.
            and results
            and metadata.get("results") == results
            and metadata.get("fingerprint") == self.fingerprint(out)
        )


def _sha256(path: Path) -> str:
    """Of a file; empty if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _movies(text: str, out: Path) -> dict[str, str]:
    """Movies and their posters in ``out`` that a page's text names, and the SHA-256 of each."""
    paths = re.findall(r"_static/movies/[\w.-]+\.(?:mp4|png)", text)
    return {path: _sha256(out / path) for path in paths}


def plan(
    profile: str, given: dict[str, Any], names: list[str] | None, others: bool = False
) -> list[Page]:
    """The pages asked for by name, or those of the profile's edition, in the order of pages.yml.

    Args:
        profile: of all pages.
        given: parameters; each page gets those that it takes.
        names: of pages; those of another profile's edition too.
        others: the pages of the profile's edition besides those asked for by name.

    Raises:
        BuildError: a page that does not exist, or whose own parameter is to be another.
        profiles.ParameterError: a parameter that is unknown, wrong, or that no page takes.
    """
    if {"profile", "page"} & set(given):
        raise BuildError("Give the profile as --profile; a page's name is that of pages.yml.")
    of_experiment = {name: given[name] for name in given if name != "recompute"}
    profiles.experiment(profile, of_experiment)
    if not isinstance(given.get("recompute", False), bool):
        raise profiles.ParameterError(
            f"Parameter recompute is {given['recompute']!r}; allowed is true or false."
        )
    contents = yaml.safe_load((BOOK / "pages.yml").read_text(encoding="utf-8"))
    for name in names or []:
        if name not in contents:
            raise BuildError(f"Page {name} is unknown; allowed are {', '.join(contents)}.")
        for parameter, own in contents[name]["parameters"].items():
            if given.get(parameter, own) != own:
                raise BuildError(
                    f"Parameter {parameter} is {given[parameter]!r}; of page {name} it is always "
                    f"{own!r}."
                )
    wanted = set(names or [])
    if others or not names:
        edition = (n for n, page in contents.items() if profile in page.get("profiles", [profile]))
        wanted.update(edition)

    def page(name: str) -> Page:
        entry = contents[name]
        notebook = ROOT / "notebooks" / entry["notebook"]
        takes = papermill.inspect_notebook(notebook)
        less = entry.get("published", {}) if profile == "paper" else {}
        parameters = less | {key: value for key, value in given.items() if key in takes}
        own = {"profile": profile, "page": name, **entry["parameters"]}
        reads = tuple(map(page, entry.get("reads", ())))
        files, long = entry.get("files", ""), entry.get("long", False)
        return Page(name, notebook, parameters | own, reads, files, long)

    pages = [page(name) for name in contents if name in wanted]
    for name in given:
        if not any(name in page.parameters for page in pages):
            raise profiles.ParameterError(f"Parameter {name} is taken by none of these pages.")
    return pages


def execute(page: Page, out: Path) -> float:
    """Execute one page into ``out``; returns its seconds.

    Raises:
        BuildError: a cell or the kernel failed, or the disk is full; the page as far as it came is
            in ``out/failed``.
    """
    started = time.perf_counter()
    working = out / "failed" / f"{page.name}.ipynb"
    if not (page.notebook.exists() and out.is_dir()):
        raise BuildError(
            f"Page {page.name} failed: {platform.node()} does not see {page.notebook} and {out}; "
            f"a cluster's machines must share these folders."
        )
    working.parent.mkdir(parents=True, exist_ok=True)
    # Of the code as it is now, whatever is edited meanwhile.
    made_of = {"fingerprint": page.fingerprint(out), "sources": page.sources()}
    try:
        papermill.execute_notebook(
            page.notebook,
            working,
            page.parameters | ({"ran": page.ran(out)} if page.reads else {}),
            cwd=out,
            progress_bar=False,
            extra_arguments=["--log-level=CRITICAL"],  # at ERROR a kernel reports its own end
        )
        _keep(working, made_of, out)
    except PapermillExecutionError as error:
        raise BuildError(
            f"Page {page.name} failed in cell {error.cell_index} "
            f"({error.ename}: {error.evalue}); as far as it came: {working}"
        ) from None
    except (RuntimeError, OSError) as error:  # a kernel killed or slow to start, a full disk
        raise BuildError(
            f"Page {page.name} failed ({type(error).__name__}: {error}); "
            f"as far as it came: {working}"
        ) from None
    return time.perf_counter() - started


def _keep(working: Path, made_of: dict[str, Any], out: Path) -> None:
    """Move an executed page to ``out/pages``, with what tells later whether it is still valid."""
    notebook = nbformat.read(working, 4)
    # The papermill metadata hold absolute paths and times: a page says the same everywhere.
    notebook.metadata.pop("papermill", None)
    notebook.metadata.update(made_of)
    notebook.metadata["results"] = _sha256(out / "results" / f"{working.stem}.json")
    notebook.metadata["movies"] = _movies(nbformat.writes(notebook), out)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell.source = cell.source.replace(_BADGE, "_static/colab-badge.svg")
    with replacing(out / "pages" / working.name) as temporary:
        nbformat.write(notebook, temporary)
    working.unlink()
    with contextlib.suppress(OSError):  # another page's failure may lie there
        working.parent.rmdir()


def execute_all(pages: list[Page], out: Path, jobs: int, force: bool) -> None:
    """Execute what is not executed yet, a page after those that it reads.

    Raises:
        BuildError: a page failed; those that do not read it are finished first, and stay.
    """
    failures: dict[str, str] = {}
    pending = list(pages)
    numbers = (f"[{n}/{len(pages)}]" for n in itertools.count(1))
    while pending:
        names = {page.name for page in pending}
        ready = [page for page in pending if not names & {read.name for read in page.reads}]
        if len(pending) == len(pages):
            ready = ready[:1]  # it trains the edition's model, for which others would only wait
        pending = [page for page in pending if page not in ready]
        for page in ready:
            lacking = [read.name for read in page.reads if read.name in failures]
            if lacking:
                failures[page.name] = f"Page {page.name} reads what failed: {', '.join(lacking)}."
        ready = [page for page in ready if page.name not in failures]
        # The longest, of which later chapters train grids, first: none is left to run alone.
        ready = sorted(reversed(ready), key=lambda page: not page.long)
        failures |= _execute_round(ready, out, jobs, force, numbers)
    if failures:
        raise BuildError("\n".join(failures.values()))


def _execute_round(
    pages: list[Page], out: Path, jobs: int, force: bool, numbers: Iterator[str]
) -> dict[str, str]:
    """Execute pages in any order, a line of progress for each; returns what failed, and why."""
    todo = [p for p in pages if force or not p.is_executed(out) or p.lacked_data(out)]
    for page in pages:
        if page not in todo:
            print(f"{next(numbers)} {page.name}: executed before")
    failures = {}
    jobs = max(1, min(jobs, len(todo)))  # fewer pages, more threads for each
    runs = parallel.outcomes(functools.partial(_attempt, out=out), todo, jobs)
    for page, outcome in runs:
        if not isinstance(outcome, float):
            failures[page.name] = outcome or f"Page {page.name} failed: its process was killed."
        told = "failed" if page.name in failures else f"{outcome:.1f} s"
        print(f"{next(numbers)} {page.name}: {told}", flush=True)
    return failures


def _attempt(page: Page, out: Path) -> float | str:
    """A failure is returned, not raised, so that it does not take the other pages with it."""
    try:
        return execute(page, out)
    except BuildError as error:
        return str(error)


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Execute pages on the cluster of the dask scheduler at ``address``; None: on this machine.

    Raises:
        BuildError: dask is not installed, or no scheduler answers.
    """
    if address is None:
        yield
        return
    try:
        import cloudpickle
        from distributed import Client
    except ImportError:
        raise BuildError("--cluster needs dask: pip install --editable '.[book,cluster]'") from None
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise BuildError(f"No dask scheduler answers at {address} ({error}).") from None
    # The workers cannot import these files: this one travels with the work, and ROOT in it.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    client.upload_file(sources.__file__)
    with client, joblib.parallel_config(backend="dask"):
        yield
