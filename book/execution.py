"""The execution of pages with papermill, each after the pages that it reads."""

import contextlib
import functools
import itertools
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import nbformat
import papermill
import sources
from edition import BuildError, Page, movies_of, sha256_of
from papermill.exceptions import PapermillExecutionError

from repinf_core import parallel
from repinf_core.atomic import replacing
from repinf_core.training import store

_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


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
    notebook.metadata["results"] = sha256_of(out / "results" / f"{working.stem}.json")
    notebook.metadata["movies"] = movies_of(nbformat.writes(notebook), out)
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
    # The workers cannot import these files: these modules are sent with the work, with their ROOT.
    for module in (__name__, Page.__module__):
        cloudpickle.register_pickle_by_value(sys.modules[module])
    client.upload_file(sources.__file__)
    with client, joblib.parallel_config(backend="dask"):
        yield
