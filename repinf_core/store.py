"""The model store: the model of a spec; trained here before, shipped, or trained now, once.

A spec's digest names its folder, so a new N_z (or any other number that shapes the weights)
can never load another model's weights.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import platformdirs
import torch
from tqdm import tqdm

from repinf_core.atomic import replacing
from repinf_core.data import load
from repinf_core.training import EpochRecord, Spec, TrainingRun, fit, seconds_per_step
from repinf_core.weights import shipped

_CHECKPOINT_SECONDS = 60.0
_CHECKPOINTS_KEPT = 2


class StoreError(RuntimeError):
    """The model store cannot be used."""


def models_folder() -> Path:
    """The folder of trained models: ``REPINF_MODELS``, or the user's cache folder."""
    return Path(
        os.environ.get("REPINF_MODELS") or platformdirs.user_cache_path("repinf") / "models"
    )


def model_file(spec: Any, models: Path | None = None) -> Path:
    """Where the finished model of ``spec`` is, or will be, in the folder ``models``."""
    return (models or models_folder()) / spec.name / "model.safetensors"


def is_trained(spec: Any) -> bool:
    """Whether the model of ``spec`` was trained here before, or ships with the package."""
    return model_file(spec).exists() or shipped(spec) is not None


def trained(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
    models: Path | None = None,
) -> TrainingRun:
    """The run of ``spec``: trained here before, shipped, or trained now from where it stopped.

    A shipped model may have been trained for fewer epochs than the spec's: its ``epoch`` tells.
    Of several processes that ask for one model the first trains it and the others wait.

    Args:
        spec: what is wanted.
        device: where it is trained, and where the model ends up.
        report: called with the record of each epoch trained here.
        checkpoint_seconds: time between checkpoints; the last two are kept.
        models: folder of models; :func:`models_folder` by default.

    Raises:
        TrainingDiverged: the objective became NaN; the last good checkpoint stays.
        CheckpointError: a file of this model is damaged, altered or of another spec.
        DataError: the dataset cannot be had.
        StoreError: the store's folder cannot be made.
    """
    if not model_file(spec, models).exists():
        run = shipped(spec, device)
        if run is not None:
            return run
    return kept(spec, TrainingRun, fit, device, report, checkpoint_seconds, models)


def kept(
    spec: Any,
    kind: type,
    fit: Callable[..., Iterator[Any]],
    device: torch.device | str,
    report: Callable[[Any], None],
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
    models: Path | None = None,
) -> Any:
    """The run of ``spec`` that the store keeps, trained first if it is not there.

    Args:
        spec: its ``name`` is the folder's, its ``dataset`` and ``epochs`` are what is trained on.
        kind: of run, ``TrainingRun`` or another with its ``epoch``, ``save`` and ``load``.
        fit: trains a run on the training and test split, yielding a record after each epoch.
        device: as for :func:`trained`, which tells what else is needed and raised.
        report: as there.
        checkpoint_seconds: as there.
        models: as there.
    """
    final = model_file(spec, models)
    if not final.exists():
        with _lock(final.parent):
            if not final.exists():
                _train_into(final, spec, kind, fit, device, report, checkpoint_seconds)
    return kind.load(final, spec, device)


def deposit(spec: Spec, content: bytes) -> None:
    """Put a finished model's file, trained elsewhere, into the store unless it is there.

    Raises:
        CheckpointError: it is damaged or of another spec; the store is as it was.
        StoreError: the store's folder cannot be made.
    """
    final = model_file(spec)
    with _lock(final.parent):
        if not final.exists():
            with replacing(final) as temporary:
                temporary.write_bytes(content)
                TrainingRun.load(temporary, spec)


def made(folder: Path) -> Path:
    """The folder, made if it is not there.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"Models cannot be kept in {folder} ({error.strerror}); set REPINF_MODELS to a "
            f"folder that can be written."
        ) from error
    return folder


def _lock(folder: Path) -> filelock.BaseFileLock:
    """Make the folder of a model; the lock holds it against other processes."""
    return filelock.FileLock(made(folder) / "lock")


def _train_into(
    final: Path,
    spec: Any,
    kind: type,
    fit: Callable[..., Iterator[Any]],
    device: torch.device | str,
    report: Callable[[Any], None],
    checkpoint_seconds: float,
) -> None:
    folder = final.parent
    for leftover in folder.glob(".*.safetensors"):  # of a process killed while it wrote
        leftover.unlink()
    checkpoints = _checkpoints(folder)
    run = kind.load(checkpoints[-1], spec, device) if checkpoints else kind(spec, device)
    last_saved = time.monotonic()
    for record in fit(run, load(spec.dataset, "train"), load(spec.dataset, "test")):
        if run.epoch < spec.epochs and time.monotonic() - last_saved >= checkpoint_seconds:
            run.save(folder / f"checkpoint-{run.epoch}.safetensors")
            for old in _checkpoints(folder)[:-_CHECKPOINTS_KEPT]:
                old.unlink()
            last_saved = time.monotonic()
        report(record)
    run.save(final)
    for checkpoint in _checkpoints(folder):
        checkpoint.unlink()


def _checkpoints(folder: Path) -> list[Path]:
    """The folder's checkpoints, oldest first."""
    paths = folder.glob("checkpoint-*.safetensors")
    return sorted(paths, key=lambda path: int(re.search(r"(\d+)", path.name)[1]))


def outlook(spec: Spec, device: torch.device | str, n_images: int) -> str:
    """A few lines before the work starts: device, dataset, model, and the time it will take."""
    threads = f", threads: {torch.get_num_threads()}" if str(device) == "cpu" else ""
    if is_trained(spec):
        time_needed = "trained before: no training now"
    else:
        steps = -(-n_images // spec.minibatch) * spec.epochs
        minutes = steps * seconds_per_step(spec, n_images, device) / 60
        time_needed = f"up to {spec.epochs:,} epochs to train, about {minutes:.1f} minutes"
    return (
        f"device   {device}{threads}\n"
        f"dataset  {spec.dataset}, {n_images:,} training images\n"
        f"model    {spec.name}\n"
        f"         {time_needed}"
    )


@contextlib.contextmanager
def progress_bar(spec: Any) -> Iterator[Callable[[Any], None]]:
    """Yield a ``report`` for :func:`trained`: epochs, remaining time and the record as text."""
    with contextlib.ExitStack() as stack:
        bar = None  # made at the first record: a model from the store has none

        def report(record: Any) -> None:
            nonlocal bar
            if bar is None:
                done = record.epoch - 1  # more than 0 if the run was resumed
                bar = tqdm(total=spec.epochs, initial=done, desc=spec.name, unit="epoch")
                stack.enter_context(bar)
            bar.set_postfix_str(str(record), refresh=False)
            bar.update()

        yield report
