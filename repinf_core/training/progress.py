"""Progress of a training for the person who waits: an estimate before it, and a bar during it."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import torch
from tqdm import tqdm

from repinf_core.data import load
from repinf_core.models import Spec
from repinf_core.training import shipped, store, sweep
from repinf_core.training.fit import EpochRecord, seconds_per_step

_FEW = 3  # models that are listed one by one


def estimate_runtime(specs: Sequence[Spec], device: torch.device | str, n_images: int) -> str:
    """A few lines before the work: device, data set, models, and the time of training in minutes.

    Args:
        specs: specs of the models that a page needs.
        device: device of the training.
        n_images: size of the training set.
    """
    cells = list(dict.fromkeys(specs))
    missing = [spec for spec in cells if not store.is_available(spec)]
    threads = f", threads: {torch.get_num_threads()}" if str(device) == "cpu" else ""
    datasets = ", ".join(dict.fromkeys(spec.dataset for spec in cells))
    lines = [f"device   {device}{threads}", f"dataset  {datasets}, {n_images:,} training images"]
    if len(cells) <= _FEW:
        for spec in cells:
            lines += [f"model    {spec.name}", f"         {_origin(spec)}"]
    else:
        lines += [f"models   {len(cells)}, trained before: {len(cells) - len(missing)}"]
    if missing:
        minutes = _seconds_of_all(missing, device, n_images) / 60
        lines += [f"         about {minutes:.1f} minutes to train; kept in {store.models_folder()}"]
    return "\n".join(lines)


def _origin(spec: Spec) -> str:
    """Where a model comes from, or that it must be trained."""
    entry = shipped.manifest().get(spec.name)
    if store.model_file(spec).exists():
        return "trained before: no training now"
    if entry is None:
        return f"up to {spec.epochs:,} epochs to train"
    here = store.latest_run(spec)
    epochs = entry["epochs_trained"]
    if here is not None and here.epoch > epochs:
        return f"trained here, so far for {here.epoch:,} of {spec.epochs:,} epochs: no training now"
    return f"ships, trained for {epochs:,} of {spec.epochs:,} epochs: no training now"


def _seconds_of_all(missing: Sequence[Spec], device: torch.device | str, n_images: int) -> float:
    """Seconds to train the models, with as many at once as in a sweep."""
    if sweep.at_once_on_a_gpu(device):
        return sum(_seconds(group, device, n_images) for group in sweep.alike(missing))
    # Learning rates and seeds do not change the time of a training.
    kinds = {spec: dataclasses.replace(spec, learning_rates=(0.0,), seed=0) for spec in missing}
    of_kind = {kind: _seconds([kind], device, n_images) for kind in set(kinds.values())}
    return sum(of_kind[kinds[spec]] for spec in missing) / sweep.cells_at_once(missing)


def _seconds(group: list[Spec], device: torch.device | str, n_images: int) -> float:
    """Seconds to train the group without evaluations, at once if it fits into memory."""
    spec = group[0]
    steps = spec.epochs * -(-n_images // spec.minibatch)
    try:
        return steps * seconds_per_step(group, n_images, device)
    except torch.cuda.OutOfMemoryError:
        if len(group) == 1:
            raise
    return sum(_seconds(half, device, n_images) for half in sweep.halves(group))


@contextlib.contextmanager
def bar(spec: Spec, until: int | None = None) -> Iterator[Callable[[EpochRecord], None]]:
    """Yield a function ``report`` that shows epochs, remaining time, the record and its floor.

    Args:
        spec: spec of the model.
        until: epoch after which the training pauses; None for the last epoch of the spec.
    """
    with contextlib.ExitStack() as stack:
        shown, floor = None, ""  # set at the first record; stored models have none

        def report(record: EpochRecord) -> None:
            nonlocal shown, floor
            if shown is None:
                floor = _floor(spec)
                total = until or spec.epochs
                # Its clock starts now, so earlier epochs do not enter its rate.
                shown = tqdm(total=total, initial=record.epoch, desc=spec.name, unit="epoch")
                stack.enter_context(shown)
            shown.set_postfix_str(f"{record}{floor}", refresh=shown.n == shown.initial)
            shown.update(record.epoch - shown.n)

        yield report


def _floor(spec: Spec) -> str:
    bounds = spec.build(torch.Generator()).floor(load(spec.dataset, "test").images)
    return "".join(f", floor of {name} {value:.1f}" for name, value in bounds.items() if value)
