"""The book's pages: their names, their sources, and their execution with papermill."""

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
from repinf_core.training import store

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
_LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "torch")  # versions may differ in numbers
_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


class BuildError(Exception):
    """An error that stops a build; its message addresses the person who started it."""


@dataclass(frozen=True)
class Page:
    """A page: its name, its notebook, and the parameters that papermill injects."""

    name: str
    notebook: Path
    parameters: dict[str, Any]
    reads: tuple["Page", ...] = ()  # pages whose results it reads
    files: str = ""  # pattern of other files that it reads
    long: bool = False  # takes longer than most

    def sources(self) -> dict[str, str]:
        """SHA-256 of its notebook, and of the core modules that the notebook imports."""
        return sources.digests(self.notebook, ROOT)

    def fingerprint(self, out: Path) -> str:
        """SHA-256 of everything that determines the page.

        That is its parameters, its sources, the versions of the libraries that compute, the shipped
        weights, and the results and files that it reads.
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
        """Whether its results say that its data were missing; they may be available now."""
        path = out / "results" / f"{self.name}.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return bool(found.get("results", {}).get("lacks_data"))

    def ran(self, out: Path) -> list[str]:
        """Names of the pages that it reads whose results in ``out`` belong to this edition."""
        return [page.name for page in self.reads if page.is_executed(out)]

    def is_executed(self, out: Path) -> bool:
        """Whether ``out`` holds this page and its results, both up to date."""
        try:
            text = (out / "pages" / f"{self.name}.ipynb").read_text(encoding="utf-8")
            metadata = json.loads(text)["metadata"]
        except (OSError, ValueError, KeyError, TypeError):  # absent or damaged: not executed
            return False
        results = _sha256(out / "results" / f"{self.name}.json")
        movies = _movies(text, out)
        return bool(
            all(movies.values())
            # As for the results below; a page of an earlier version does not list its movies.
            and metadata.get("movies", movies) == movies
            # A run that failed at its end leaves new results beside the page of an earlier run.
            and results
            and metadata.get("results") == results
            and metadata.get("fingerprint") == self.fingerprint(out)
        )


def _sha256(path: Path) -> str:
    """SHA-256 of a file; empty if the file does not exist."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _movies(text: str, out: Path) -> dict[str, str]:
    """SHA-256 of each movie and poster in ``out`` that a page's text names, by path."""
    paths = re.findall(r"_static/movies/[\w.-]+\.(?:mp4|png)", text)
    return {path: _sha256(out / path) for path in paths}


def plan(
    profile: str, given: dict[str, Any], names: list[str] | None, others: bool = False
) -> list[Page]:
    """The pages with the given names, or the profile's edition, in the order of pages.yml.

    Args:
        profile: profile of all pages.
        given: parameters; each page gets those that it takes.
        names: names of pages, also of another profile's edition; None for all of this edition.
        others: whether to add the other pages of the profile's edition to the named ones.

    Raises:
        BuildError: a page does not exist, or a given parameter is fixed by a page or the command.
        profiles.ParameterError: a parameter is unknown, has a wrong value, or no page takes it.
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
    """Execute one page into ``out``; returns the seconds that it took.

    Raises:
        BuildError: a cell or the kernel failed, the disk is full, or this machine does not see the
            folders; the partly executed page is in ``out/failed``.
    """
    started = time.perf_counter()
    working = out / "failed" / f"{page.name}.ipynb"
    if not (page.notebook.exists() and out.is_dir()):
        raise BuildError(
            f"Page {page.name} failed: {platform.node()} does not see {page.notebook} and {out}; "
            f"a cluster's machines must share these folders."
        )
    working.parent.mkdir(parents=True, exist_ok=True)
    # Computed before execution: the code may be edited meanwhile.
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
    """Move an executed page to ``out/pages``, with the digests that later tell if it is valid."""
    notebook = nbformat.read(working, 4)
    # papermill's metadata hold absolute paths and times, which differ between machines.
    notebook.metadata.pop("papermill", None)
    notebook.metadata.update(made_of)
    notebook.metadata["results"] = _sha256(out / "results" / f"{working.stem}.json")
    notebook.metadata["movies"] = _movies(nbformat.writes(notebook), out)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell.source = cell.source.replace(_BADGE, "_static/colab-badge.svg")
        for output in cell.get("outputs", []):  # the folder of models is this machine's
            if output.output_type == "stream":
                output.text = output.text.replace(str(store.models_folder()), "the model store")
    with replacing(out / "pages" / working.name) as temporary:
        nbformat.write(notebook, temporary)
    working.unlink()
    with contextlib.suppress(OSError):  # another failed page may be there
        working.parent.rmdir()


def execute_all(pages: list[Page], out: Path, jobs: int, force: bool) -> None:
    """Execute the pages that are not up to date, each after the pages that it reads.

    Raises:
        BuildError: a page failed.  Pages that do not read it are finished first and kept.
    """
    failures: dict[str, str] = {}
    pending = list(pages)
    numbers = (f"[{n}/{len(pages)}]" for n in itertools.count(1))
    while pending:
        names = {page.name for page in pending}
        ready = [page for page in pending if not names & {read.name for read in page.reads}]
        if len(pending) == len(pages):
            ready = ready[:1]  # it trains the edition's model; other pages would only wait
        pending = [page for page in pending if page not in ready]
        for page in ready:
            lacking = [read.name for read in page.reads if read.name in failures]
            if lacking:
                failures[page.name] = f"Page {page.name} reads what failed: {', '.join(lacking)}."
        ready = [page for page in ready if page.name not in failures]
        # Long pages first, so that none runs alone at the end; of these the last chapters first,
        # because they train grids.
        ready = sorted(reversed(ready), key=lambda page: not page.long)
        failures |= _execute_round(ready, out, jobs, force, numbers)
    if failures:
        raise BuildError("\n".join(failures.values()))


def _execute_round(
    pages: list[Page], out: Path, jobs: int, force: bool, numbers: Iterator[str]
) -> dict[str, str]:
    """Execute pages in any order and print a line for each; returns the failures by page name."""
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
    """Seconds that a page took, or the reason why it failed.

    A failure is returned, not raised, so that the other pages are still executed.
    """
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
    # The workers cannot import these files: this module is sent with the work, with its ROOT.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    client.upload_file(sources.__file__)
    with client, joblib.parallel_config(backend="dask"):
        yield
