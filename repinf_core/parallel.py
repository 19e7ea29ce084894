"""One function over many items at once, through joblib's backend, whatever dies on the way.

Processes of this machine (loky) by default; inside ``joblib.parallel_config(backend="dask")``
the workers of the cluster that the present ``distributed.Client`` is connected to.
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
    """Whether the workers of a cluster do the work, not the processes of this machine."""
    backend, _ = get_active_backend()
    return hasattr(backend, "client")


def outcomes(
    function: Callable[[Any], Any], items: Sequence[Any], jobs: int, threads: int | None = None
) -> Iterator[tuple[Any, Any]]:
    """Yield each item with ``function(item)`` as soon as it is there, in no order.

    Where a process is killed, its item and those that it may have taken with it are done again,
    one at a time; the outcome of an item whose process is then killed is None.  With one job all
    is done in this process.

    Args:
        function: must return something other than None and not raise.
        items: what it is called with.
        jobs: how many at once; a cluster decides by its workers.
        threads: of each process on this machine; by default its share of the cores.
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
    # Futures of the backend's own client: joblib.Parallel waits forever for a task that dask
    # gave up because it took several workers down (seen with joblib 1.6, distributed 2026.8).
    import cloudpickle
    from distributed import as_completed, wait

    def submit(item: Any) -> Any:
        call = cloudpickle.dumps((function, item))  # code that workers cannot import goes along
        return backend.client.submit(_call, call, pure=False, **backend.submit_kwargs)

    # The scheduler gives a dead worker's tasks to others, and gives up those that were with
    # four dead workers: the guilty one and, it may be, some that only waited there.
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
        except TerminatedWorkerError:  # loky gives up all that is not done
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
    """Kill the processes of a run that is not to be finished, and wait for their queue's end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib's, of the items that are given up
        runs.close()
    # The last act of the thread that fed the queue is to give back a semaphore.  Where the
    # interpreter's exit cuts that off, loky warns of a leak.
    for thread in threading.enumerate():
        if thread.name == "QueueFeederThread":
            thread.join(_SECONDS_TO_END)


def _numbered(function: Callable[[Any], Any], number: int, item: Any) -> tuple[int, Any]:
    return number, function(item)
