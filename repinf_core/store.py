"""The model store: the model of a spec; trained here before, shipped, or trained now, once.

A spec's digest names its folder, so a new N_z (or any other number that shapes the weights)
can never load another model's weights.
"""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import platformdirs
import torch
from tqdm import tqdm

from repinf_core.data import load
from repinf_core.training import EpochRecord, Spec, State, TrainingRun, fit, seconds_per_step
from repinf_core.vae import reconstruction_floor
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


def is_trained(spec: Spec) -> bool:
    """Whether the model of ``spec`` was trained here before, or ships with the package."""
    return _final(_folder(spec)).exists() or shipped(spec) is not None


def trained(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
) -> TrainingRun:
    """The run of ``spec``: trained here before, shipped, or trained now from where it stopped.

    A shipped model may have been trained for fewer epochs than the spec's: its ``epoch`` tells.

    Args and errors: as :func:`train`.
    """
    if not _final(_folder(spec)).exists():
        run = shipped(spec, device)
        if run is not None:
            return run
    return train(spec, device, report, checkpoint_seconds=checkpoint_seconds)


def train(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    until: int | None = None,
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
) -> TrainingRun:
    """Train the model of ``spec`` here from where it stopped, whether or not one ships.

    However the training ends (an error, SIGINT and SIGTERM too), its last complete epoch is in
    the store.  Of several processes that ask for one model the first trains it and the others
    wait.

    Args:
        spec: what is wanted.
        device: where it is trained, and where the model ends up.
        report: called with the record of each epoch trained here.
        until: the epoch (from 1) to stop after; the spec's last if None.
        checkpoint_seconds: time between checkpoints; the last two are kept.

    Raises:
        TrainingDiverged, BelowFloor: the objective became NaN, or impossibly low.
        CheckpointError: a file of this model is damaged, altered or of another spec.
        DataError: the dataset cannot be had.
        StoreError: the store's folder cannot be made.
        KeyboardInterrupt: at SIGINT or SIGTERM.
    """
    folder = _folder(spec)
    if not _final(folder).exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"Models cannot be kept in {folder} ({error.strerror}); set REPINF_MODELS to a "
                f"folder that can be written."
            ) from error
        with _sigterm_interrupts(), filelock.FileLock(folder / "lock"):
            run = reached(spec, device) or TrainingRun(spec, device)
            if run.epoch < (until or spec.epochs):
                _train_into(folder, run, until or spec.epochs, report, checkpoint_seconds)
    return reached(spec, device)


def reached(spec: Spec, device: torch.device | str = "cpu") -> TrainingRun | None:
    """The run of ``spec`` as far as it was trained and saved here, or None.

    Raises:
        CheckpointError: as :func:`train`.
    """
    folder = _folder(spec)
    files = [_final(folder)] if _final(folder).exists() else _checkpoints(folder)
    return TrainingRun.load(files[-1], spec, device) if files else None


def _train_into(
    folder: Path,
    run: TrainingRun,
    until: int,
    report: Callable[[EpochRecord], None],
    checkpoint_seconds: float,
) -> None:
    for leftover in folder.glob(".*.safetensors"):  # of a process killed while it wrote
        leftover.unlink()
    # A copy: whatever stops an epoch midway, the one before it can still be saved.
    complete, last_saved = None, time.monotonic()
    try:
        for record in fit(run, load(run.spec.dataset, "train"), load(run.spec.dataset, "test")):
            complete = run.state()
            if run.epoch < until and time.monotonic() - last_saved >= checkpoint_seconds:
                _save(complete, folder)
                last_saved = time.monotonic()
            report(record)
            if run.epoch == until:
                break
    finally:
        if complete is not None:
            _save(complete, folder)


def _save(state: State, folder: Path) -> None:
    """Save what is not saved yet; of what came before it, one checkpoint stays until the end."""
    epoch, finished = len(state.history), len(state.history) == state.spec.epochs
    path = _final(folder) if finished else folder / f"checkpoint-{epoch}.safetensors"
    if not path.exists():
        state.save(path)
    for old in _checkpoints(folder)[: None if finished else -_CHECKPOINTS_KEPT]:
        old.unlink()


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Within it, SIGTERM raises KeyboardInterrupt as SIGINT does, instead of ending the process.

    Only the main thread may ask for that, and who handles SIGTERM already is left alone.
    """
    asks = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if asks:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if asks:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _folder(spec: Spec) -> Path:
    return models_folder() / spec.name


def _final(folder: Path) -> Path:
    return folder / "model.safetensors"


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
def progress_bar(spec: Spec, until: int | None = None) -> Iterator[Callable[[EpochRecord], None]]:
    """Yield a ``report`` for :func:`train`: epochs, remaining time, test -ELBO and its floor.

    The floor is that of the reconstruction of the test images alone; all in nats per image.
    """
    with contextlib.ExitStack() as stack:
        bar, floor = None, 0.0  # made at the first record: a model from the store has none

        def report(record: EpochRecord) -> None:
            nonlocal bar, floor
            if bar is None:
                floor = float(reconstruction_floor(load(spec.dataset, "test").images))
                total = until or spec.epochs
                # Its clock starts now: the epochs before this moment are not of its rate.
                bar = tqdm(total=total, initial=record.epoch, desc=spec.name, unit="epoch")
                stack.enter_context(bar)
            objective = f"test -ELBO {record.test_negative_elbo:.1f}, floor {floor:.1f}"
            bar.set_postfix_str(objective, refresh=bar.n == bar.initial)
            bar.update(record.epoch - bar.n)

        yield report
