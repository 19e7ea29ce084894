"""A grid of trainings, each cell its own model in the store, run through joblib.

The backend is the caller's: loky's processes on this machine unless
``joblib.parallel_config(backend=...)`` says otherwise; "dask" sends the same cells to a
cluster.  A worker sends the finished model home, so it need not share the caller's disk.
"""

import dataclasses
import functools
import itertools
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from repinf_core import parallel
from repinf_core.errors import ReaderError
from repinf_core.training import Spec, TrainingRun, seconds_per_step, store
from repinf_core.training.fast.ensemble import shared

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
        **choices: name of a field of :class:`Spec` to the values it takes.

    Returns:
        each combination once.

    Raises:
        ValueError: a name that is no field of a spec.
    """
    fields = [field.name for field in dataclasses.fields(Spec)]
    for name in choices:
        if name not in fields:
            raise ValueError(f"A sweep over {name} is unknown; allowed are {', '.join(fields)}.")
    cells = itertools.product(*choices.values())
    varied = (dataclasses.replace(spec, **dict(zip(choices, c, strict=True))) for c in cells)
    return list(dict.fromkeys(varied))


def train(
    specs: Sequence[Spec], device: torch.device | str = "cpu", jobs: int | None = None
) -> None:
    """Train every model of ``specs`` that neither the store holds nor the package ships.

    What was finished before is skipped, what was interrupted goes on from its checkpoint, and
    a failing cell does not stop the others.

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
    if jobs is not None and jobs < 1:
        raise ValueError(f"The number of jobs is {jobs}; allowed is an integer from 1.")
    cells = list(dict.fromkeys(specs))
    missing = [spec for spec in cells if not store.is_trained(spec)]
    if not missing:
        return
    with tqdm(total=len(cells), initial=len(cells) - len(missing), unit="model") as bar:
        if _at_once_on_a_gpu(device):
            failures = _together(missing, device, bar)
        else:
            # By all cells, not the missing: after an interruption the sums are in the same order.
            failures = _one_by_one(missing, device, jobs or _jobs(cells), bar)
    if failures:
        raise SweepError(failures, len(cells))


def _one_by_one(
    specs: Sequence[Spec], device: torch.device | str, jobs: int, bar: tqdm
) -> dict[Spec, str]:
    """Train each cell in a process of its own (one job: in this); returns what failed, and why."""
    failures = {}
    cell = functools.partial(_cell, device=device, folder=store.made(store.models_folder()))
    share = max(1, torch.get_num_threads() // jobs)
    for spec, outcome in parallel.outcomes(cell, specs, jobs, share):
        if isinstance(outcome, bytes):
            store.deposit(spec, outcome)
        else:
            failures[spec] = outcome or _KILLED
            bar.write(f"{spec.name} failed: {failures[spec]}", file=sys.stderr)
        bar.update()
    return failures


def _together(specs: Sequence[Spec], device: torch.device | str, bar: tqdm) -> dict[Spec, str]:
    """Train on one GPU, as many cells at once as are alike; returns those that failed, and why."""
    failures, groups = {}, _alike(specs)
    while groups:
        group = groups.pop(0)

        def report(epoch: int, group: list[Spec] = group) -> None:
            bar.set_postfix_str(f"{len(group)} at once, epoch {epoch:,} of {group[0].epochs:,}")

        try:
            failed = store.train_together(group, device, report)
        except Exception as error:  # whatever it is, it must not stop the other groups
            if isinstance(error, torch.cuda.OutOfMemoryError) and len(group) > 1:
                groups[:0] = _halves(group)
                continue
            failed = dict.fromkeys(group, f"{type(error).__name__}: {error}")
        for spec, reason in failed.items():
            bar.write(f"{spec.name} failed: {reason}", file=sys.stderr)
        failures |= failed
        bar.update(len(group))
    return failures


def trained(
    specs: Sequence[Spec], device: torch.device | str = "cpu", jobs: int | None = None
) -> list[TrainingRun]:
    """The runs of ``specs``, in their order; :func:`train` makes those that are missing.

    Raises:
        SweepError: a cell failed.
    """
    train(specs, device, jobs)
    return [store.trained(spec, device) for spec in specs]


def _at_once_on_a_gpu(device: torch.device | str) -> bool:
    return torch.device(device).type == "cuda" and not parallel.on_cluster()


def _alike(specs: Sequence[Spec]) -> list[list[Spec]]:
    """Groups of those that can train at once."""
    groups = defaultdict(list)
    for spec in specs:
        groups[shared(spec), spec.epochs].append(spec)
    return list(groups.values())


def _halves(group: list[Spec]) -> list[list[Spec]]:
    """Of a group that does not fit on the GPU."""
    half = len(group) // 2
    return [group[:half], group[half:]]


def _jobs(cells: Sequence[Spec]) -> int:
    return min(torch.get_num_threads(), len(cells))


def outlook(specs: Sequence[Spec], device: torch.device | str, n_images: int) -> str:
    """A few lines before the work starts: device, dataset, cells, and the time they will take."""
    cells = list(dict.fromkeys(specs))
    missing = [spec for spec in cells if not store.is_trained(spec)]
    if _at_once_on_a_gpu(device):
        at_once = "those with one minibatch"
        seconds = sum(_seconds(group, n_images, device) for group in _alike(missing))
    else:
        at_once = _jobs(cells)
        # Neither rate nor seed nor epochs change what a step takes.
        kinds = Counter(dataclasses.replace(s, learning_rates=(0.0,), seed=0) for s in missing)
        of_one = {kind: _seconds([kind], n_images, device) for kind in kinds}
        seconds = sum(count * of_one[kind] for kind, count in kinds.items()) / at_once
    datasets = ", ".join(dict.fromkeys(spec.dataset for spec in cells))
    return (
        f"device   {device}, models trained at once: {at_once}\n"
        f"dataset  {datasets}, {n_images:,} training images\n"
        f"models   {len(cells)}, trained before: {len(cells) - len(missing)}"
        + (f"\n         about {seconds / 60:.1f} minutes to train" if missing else "")
    )


def _seconds(group: list[Spec], n_images: int, device: torch.device | str) -> float:
    """What training the group, at once where it fits, takes without its evaluations."""
    spec = group[0]
    steps = spec.epochs * -(-n_images // spec.minibatch)
    try:
        return steps * seconds_per_step(group, n_images, device)
    except torch.cuda.OutOfMemoryError:
        if len(group) == 1:
            raise
    return sum(_seconds(half, n_images, device) for half in _halves(group))


def _cell(spec: Spec, device: torch.device | str, folder: Path) -> bytes | str:
    """In a worker: the finished model's file, or in words why there is none."""
    # The caller's store where it can be seen (this machine, a shared disk), else the worker's own.
    models = folder if folder.is_dir() else store.models_folder()
    try:
        store.trained(spec, device, models=models)
        return store.model_file(spec, models).read_bytes()
    except Exception as error:  # whatever it is, it must not stop the other cells
        return f"{type(error).__name__}: {error}"
