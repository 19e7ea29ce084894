"""A grid of trainings, run by joblib; each cell has its own model in the store.

The caller chooses the backend by ``joblib.parallel_config(backend=...)``.  The default is loky,
with processes on this machine; "dask" sends the cells to a cluster.  A worker returns the finished
model to the caller, so the two need no common disk.
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
"""Fields of the spec that may differ between models that train at once."""
_INTERRUPTED = "Its training was interrupted."
_KILLED = "The process that trained it was killed, perhaps because memory ran out."


class SweepError(ReaderError, RuntimeError):
    """Some cells could not be trained; the models of all others are in the store.

    Attributes:
        failures: reason, in words, by failed spec.
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
        spec: values of the fields that are not varied.
        **choices: the values of a field, by its name.

    Returns:
        each combination once.

    Raises:
        ValueError: a name is not a field of the spec.
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
    """Train every model of ``specs`` that has not been trained to its last epoch.

    Finished models, in the store or shipped, are skipped.  Interrupted trainings continue from
    their checkpoints.  A cell that fails does not stop the others.  After SIGINT or SIGTERM each
    process finishes its epoch and saves it; a second signal stops at once.

    Args:
        specs: the cells.
        device: device that trains each cell.
        jobs: number of cells that train at once on this machine's CPU; by default one for each of
            torch's threads, which is faster than many threads for one small model.  On a cluster
            the number of workers decides; a GPU trains all cells that are alike at once.

    Raises:
        ValueError: ``jobs`` is less than 1.
        SweepError: a cell failed; raised after all others have ended.
        StoreError: the store's folder cannot be created.
    """
    _train([spec for spec in specs if not store.is_finished(spec)], specs, device, jobs)


def load_or_train(
    specs: Sequence[Spec], device: torch.device | str = "cpu", jobs: int | None = None
) -> list[TrainingRun]:
    """The runs of ``specs``, in their order, as :func:`store.load_or_train` returns them.

    The arguments are the same as for :func:`train`.  A model that ships with fewer epochs than its
    spec's is not trained further.

    Raises:
        ValueError, SweepError, StoreError: as :func:`train`.
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
            # All cells, not only the missing ones, set the number of threads for each: so after an
            # interruption the order of summation is the same.
            failures = _one_by_one(missing, device, jobs or cells_at_once(cells), bar)
    if failures:
        raise SweepError(failures, len(cells))


def _one_by_one(
    specs: Sequence[Spec], device: torch.device | str, jobs: int, bar: tqdm
) -> dict[Spec, str]:
    """Train each cell in its own process, or in this one if ``jobs`` is 1; returns failures."""
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
    """As :func:`_one_by_one`; all cells stop once the file ``stop`` exists."""
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
    """Train on one GPU, all cells that are alike at once; returns the reasons of failures."""
    failures: dict[Spec, str] = {}
    groups = alike(specs)
    while groups:
        group = groups.pop(0)

        def report(epoch: int, group: list[Spec] = group) -> None:
            bar.set_postfix_str(f"{len(group)} at once, epoch {epoch:,} of {group[0].epochs:,}")

        try:
            failed = store.train_together(group, device, report)
        except Exception as error:  # no error may stop the other groups
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
    """Whether models that are alike train at once, as they do on a GPU of this machine."""
    return torch.device(device).type == "cuda" and not parallel.on_cluster()


def alike(specs: Sequence[Spec]) -> list[list[Spec]]:
    """Groups of specs that can train at once: of one family, equal except for a few fields."""
    groups = defaultdict(list)
    for spec in specs:
        own = dataclasses.asdict(spec).items()
        groups[type(spec), *((name, v) for name, v in own if name not in _MAY_VARY)].append(spec)
    return list(groups.values())


def halves(group: list[Spec]) -> list[list[Spec]]:
    """The two halves of a group that does not fit on the GPU."""
    half = len(group) // 2
    return [group[:half], group[half:]]


def cells_at_once(cells: Sequence[Spec]) -> int:
    """Number of cells that train at once on this machine's CPU: at most one for each thread."""
    return min(torch.get_num_threads(), len(cells))


def _cell(
    spec: Spec, device: torch.device | str, folder: Path, stop: Path | None = None
) -> bytes | str:
    """Train in a worker; returns the finished model's file, or the reason why there is none.

    The file ``stop`` tells the worker to end, because a signal may reach only the first process.
    """

    def go_on(record: EpochRecord | None = None) -> None:
        if stop and stop.exists():
            raise KeyboardInterrupt

    # The caller's store if the worker can access it (same machine or shared disk), else its own.
    models = folder if folder.is_dir() else store.models_folder()
    try:
        go_on()
        store.train(spec, device, go_on, models=models)
        return store.model_file(spec, models).read_bytes()
    except KeyboardInterrupt:  # the last complete epoch is kept
        return _INTERRUPTED
    except Exception as error:  # no error may stop the other cells
        return f"{type(error).__name__}: {error}"
