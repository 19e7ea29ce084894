"""A grid of trainings, each cell its own model in the store, run through joblib.

The backend is the caller's: loky's processes on this machine unless
``joblib.parallel_config(backend=...)`` says otherwise; "dask" sends the same cells to a
cluster.  A worker sends the finished model home, so it need not share the caller's disk.
"""

import dataclasses
import functools
import itertools
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from repinf_core import parallel
from repinf_core.errors import ReaderError
from repinf_core.models import Spec
from repinf_core.training import signals, store
from repinf_core.training.fit import EpochRecord
from repinf_core.training.run import TrainingRun

_MAY_VARY = {"n_z", "learning_rates", "seed"}
"""Fields in which models that train at once may differ."""
_INTERRUPTED = "Its training was interrupted."
_KILLED = "The process that trained it was killed, perhaps because memory ran out."


class SweepError(ReaderError, RuntimeError):
    """Some cells could not be trained; all others are in the store.

    Attributes:
        failures: each failed spec with the reason in words.
    """

    def __init__(self, failures: dict[Spec, str], n_cells: int) -> None:
        self.failures = failures
        reasons = [f"{spec.name}: {reason}" for spec, reason in failures.items()]
        super().__init__(
            f"{len(failures)} of {n_cells} cells failed; the others are kept.\n"
            + "\n".join(reasons)
        )


def product(spec: Spec, **choices: Iterable) -> list[Spec]:
    """Variations of ``spec``: every combination of the choices, the last varying fastest.

    Args:
        spec: what is not varied.
        **choices: name of a field of the spec to the values it takes.

    Returns:
        each combination once.

    Raises:
        ValueError: a name that is no field of a spec.
    """
    fields = [field.name for field in dataclasses.fields(spec)]
    for name in choices:
        if name not in fields:
            raise ValueError(f"A sweep over {name} is unknown; allowed are {', '.join(fields)}.")
    cells = itertools.product(*choices.values())
    varied = (dataclasses.replace(spec, **dict(zip(choices, c, strict=True))) for c in cells)
    return list(dict.fromkeys(varied))


def train(
    specs: Sequence[Spec], device: torch.device | str = "cpu", jobs: int | None = None
) -> None:
    """Train every model of ``specs`` that is not trained to its last epoch, here or as it ships.

    What was finished before is skipped, what was interrupted goes on from its checkpoint, and
    a failing cell does not stop the others.  SIGINT and SIGTERM let each process end its epoch and
    keep it; a second one stops at once.

    Args:
        specs: the cells.
        device: where each is trained.
        jobs: cells at once on this machine's CPU; by default one per thread that torch may use
            here, which is faster than many threads for one small model.  A cluster decides by
            its workers; a GPU trains all that are alike at once.

    Raises:
        ValueError: ``jobs`` is less than 1.
        SweepError: a cell failed; raised when all others are done.
        StoreError: the store's folder cannot be made.
    """
    _train([spec for spec in specs if not store.is_finished(spec)], specs, device, jobs)


def load_or_train(
    specs: Sequence[Spec], device: torch.device | str = "cpu", jobs: int | None = None
) -> list[TrainingRun]:
    """The runs of ``specs``, in their order: as :func:`store.load_or_train` gives each.

    Args: as :func:`train`, but a model that ships half-trained is taken as it is.

    Raises:
        SweepError: a cell failed.
    """
    _train([spec for spec in specs if not store.is_available(spec)], specs, device, jobs)
    return [store.load_or_train(spec, device) for spec in specs]


def _train(
    missing: Sequence[Spec],
    specs: Sequence[Spec],
    device: torch.device | str,
    jobs: int | None,
) -> None:
    if jobs is not None and jobs < 1:
        raise ValueError(f"The number of jobs is {jobs}; allowed is an integer from 1.")
    cells, missing = list(dict.fromkeys(specs)), list(dict.fromkeys(missing))
    if not missing:
        return
    with tqdm(total=len(cells), initial=len(cells) - len(missing), unit="model") as bar:
        if at_once_on_a_gpu(device):
            failures = _together(missing, device, bar)
        else:
            # By all cells, not the missing: after an interruption the sums are in the same order.
            failures = _one_by_one(missing, device, jobs or cells_at_once(cells), bar)
    if failures:
        raise SweepError(failures, len(cells))


def _one_by_one(
    specs: Sequence[Spec], device: torch.device | str, jobs: int, bar: tqdm
) -> dict[Spec, str]:
    """Train each cell in a process of its own (one job: in this); returns what failed, and why."""
    if parallel.on_cluster():
        return _in_processes(specs, device, jobs, bar, None)
    with tempfile.TemporaryDirectory() as folder:
        stop = Path(folder) / "stop"

        def end() -> None:
            bar.write("Each model ends its epoch; once more to stop at once.", file=sys.stderr)
            stop.touch()

        with signals.first_signal_calls(end):
            return _in_processes(specs, device, jobs, bar, stop)


def _in_processes(
    specs: Sequence[Spec], device: torch.device | str, jobs: int, bar: tqdm, stop: Path | None
) -> dict[Spec, str]:
    """As :func:`_one_by_one`; once the file ``stop`` is there, no cell goes on."""
    failures: dict[Spec, str] = {}
    cell = functools.partial(
        _cell, device=device, folder=store.ensure_folder(store.models_folder()), stop=stop
    )
    share = max(1, torch.get_num_threads() // jobs)
    for spec, outcome in parallel.outcomes(cell, specs, jobs, share):
        if isinstance(outcome, bytes):
            store.deposit(spec, outcome)
        elif not (stop and stop.exists()):
            failures[spec] = outcome or _KILLED
            bar.write(f"{spec.name} failed: {failures[spec]}", file=sys.stderr)
        bar.update()
    return failures


def _together(specs: Sequence[Spec], device: torch.device | str, bar: tqdm) -> dict[Spec, str]:
    """Train on one GPU, as many cells at once as are alike; returns those that failed, and why."""
    failures: dict[Spec, str] = {}
    groups = alike(specs)
    while groups:
        group = groups.pop(0)

        def report(epoch: int, group: list[Spec] = group) -> None:
            bar.set_postfix_str(f"{len(group)} at once, epoch {epoch:,} of {group[0].epochs:,}")

        try:
            failed = store.train_together(group, device, report)
        except Exception as error:  # whatever it is, it must not stop the other groups
            if isinstance(error, torch.cuda.OutOfMemoryError) and len(group) > 1:
                groups[:0] = halves(group)
                continue
            failed = dict.fromkeys(group, f"{type(error).__name__}: {error}")
        for spec, reason in failed.items():
            bar.write(f"{spec.name} failed: {reason}", file=sys.stderr)
        failures |= failed
        bar.update(len(group))
    return failures


def at_once_on_a_gpu(device: torch.device | str) -> bool:
    """Whether models that are alike train at once: on a GPU of this machine."""
    return torch.device(device).type == "cuda" and not parallel.on_cluster()


def alike(specs: Sequence[Spec]) -> list[list[Spec]]:
    """Groups of those that can train at once: of one family, and alike but for a few fields."""
    groups = defaultdict(list)
    for spec in specs:
        own = dataclasses.asdict(spec).items()
        groups[type(spec), *((name, v) for name, v in own if name not in _MAY_VARY)].append(spec)
    return list(groups.values())


def halves(group: list[Spec]) -> list[list[Spec]]:
    """Of a group that does not fit on the GPU."""
    half = len(group) // 2
    return [group[:half], group[half:]]


def cells_at_once(cells: Sequence[Spec]) -> int:
    """How many cells train at once on this machine's CPU: one for each thread."""
    return min(torch.get_num_threads(), len(cells))


def _cell(
    spec: Spec, device: torch.device | str, folder: Path, stop: Path | None = None
) -> bytes | str:
    """In a worker: the finished model's file, or in words why there is none.

    It is asked to end by a file, since a signal may reach the first process alone.
    """

    def go_on(record: EpochRecord | None = None) -> None:
        if stop and stop.exists():
            raise KeyboardInterrupt

    # The caller's store where it can be seen (this machine, a shared disk), else the worker's own.
    models = folder if folder.is_dir() else store.models_folder()
    try:
        go_on()
        store.train(spec, device, go_on, models=models)
        return store.model_file(spec, models).read_bytes()
    except KeyboardInterrupt:  # the last complete epoch is kept
        return _INTERRUPTED
    except Exception as error:  # whatever it is, it must not stop the other cells
        return f"{type(error).__name__}: {error}"
