"""Apply a function to many items in parallel through joblib, even if processes die.

The work is done by processes of this machine (loky) or, inside
``joblib.parallel_config(backend="dask")``, by the workers of the cluster that the current
``distributed.Client`` is connected to.
"""

import pickle
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import LokyBackend, get_active_backend

_SECONDS_TO_END = 5  # of a thread that takes some milliseconds


def on_cluster() -> bool:
    """Whether the workers of a cluster do the work, and not processes of this machine."""
    backend, _ = get_active_backend()
    return hasattr(backend, "client")


def outcomes(
    function: Callable[[Any], Any], items: Sequence[Any], jobs: int, threads: int | None = None
) -> Iterator[tuple[Any, Any]]:
    """Yield each item with ``function(item)`` as soon as it is ready, in any order.

    If a process is killed, its item and others that died with it are repeated, one at a time.  If
    the process of an item is then killed again, its outcome is None.  With one job, all work is
    done in this process.

    Args:
        function: function that does not raise and does not return None.
        items: its arguments, one for each call.
        jobs: number of calls at once; on a cluster, the workers decide.
        threads: threads of each process on this machine; by default its share of the cores.
    """
    backend, _ = get_active_backend()
    yield from (
        _on_cluster(backend, function, items)
        if on_cluster()
        else _here(backend, function, items, jobs, threads)
    )


def _on_cluster(
    backend: Any, function: Callable[[Any], Any], items: Sequence[Any]
) -> Iterator[tuple[Any, Any]]:
    # We use futures of the backend's own client: joblib.Parallel waits forever for a task that
    # dask gave up because it killed several workers (seen with joblib 1.6, distributed 2026.8).
    import cloudpickle
    from distributed import as_completed, wait

    def submit(item: Any) -> Any:
        call = cloudpickle.dumps((function, item))  # sends code that workers cannot import
        return backend.client.submit(_call, call, pure=False, **backend.submit_kwargs)

    # The scheduler gives a dead worker's tasks to others.  It gives up tasks after four dead
    # workers: the guilty one and perhaps others that only waited there.
    given_up = []
    submitted = {submit(item): item for item in items}
    for future in as_completed(list(submitted)):
        item = submitted.pop(future)
        if future.status == "finished":
            yield item, future.result()
        else:
            given_up.append(item)
    for item in given_up:
        future = submit(item)
        wait(future)
        yield item, future.result() if future.status == "finished" else None


def _call(pickled: bytes) -> Any:
    function, item = pickle.loads(pickled)
    return function(item)


def _here(
    backend: Any,
    function: Callable[[Any], Any],
    items: Sequence[Any],
    jobs: int,
    threads: int | None,
) -> Iterator[tuple[Any, Any]]:
    if isinstance(backend, LokyBackend) and threads is not None:
        backend = LokyBackend(inner_max_num_threads=threads)
    settings = {"backend": backend, "batch_size": 1, "pre_dispatch": "all"}
    parallel = joblib.Parallel(jobs, return_as="generator_unordered", **settings)
    left = dict(enumerate(items))
    tasks = [joblib.delayed(_numbered)(function, number, item) for number, item in left.items()]
    runs = parallel(tasks)
    try:
        try:
            for number, outcome in runs:
                yield left.pop(number), outcome
        except TerminatedWorkerError:  # loky gives up all unfinished items
            for number, item in left.items():
                try:
                    # Two, because a single one would be this process.
                    ((_, outcome),) = joblib.Parallel(2, **settings)([tasks[number]])
                except TerminatedWorkerError:
                    outcome = None
                yield item, outcome
    except BaseException:  # the caller gives up, or is interrupted
        _give_up(runs)
        raise


def _give_up(runs: Generator) -> None:
    """Kill the processes of an unfinished run, and wait until their queue has ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib warns of items that are given up
        runs.close()
    # The thread that fed the queue releases a semaphore at its end.  If the interpreter exits
    # before that, loky warns of a leak.
    for thread in threading.enumerate():
        if thread.name == "QueueFeederThread":
            thread.join(_SECONDS_TO_END)


def _numbered(function: Callable[[Any], Any], number: int, item: Any) -> tuple[int, Any]:
    return number, function(item)
