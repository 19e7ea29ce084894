"""The model store: the model of a spec; trained here before, shipped, or trained now, once.

A spec's digest names its folder, so a new N_z (or any other number that shapes the weights)
can never load another model's weights.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock
import platformdirs
import torch

from repinf_core.atomic import replacing
from repinf_core.data import load
from repinf_core.errors import ReaderError
from repinf_core.training import EpochRecord, Spec, TrainingRun, checkpoint, fit, fit_together
from repinf_core.training.checkpoint import CheckpointError, State
from repinf_core.weights import manifest, shipped

_CHECKPOINT_SECONDS = 60.0


class StoreError(ReaderError, RuntimeError):
    """The model store cannot be used."""


def models_folder() -> Path:
    """The folder of trained models: ``REPINF_MODELS``, or the user's cache folder."""
    folder = os.environ.get("REPINF_MODELS") or platformdirs.user_cache_path("repinf") / "models"
    return Path(folder).expanduser()


def model_file(spec: Any, models: Path | None = None) -> Path:
    """Where the finished model of ``spec`` is, or will be, in the folder ``models``."""
    return (models or models_folder()) / spec.name / "model.safetensors"


def is_trained(spec: Any) -> bool:
    """Whether the model of ``spec`` was trained here before, or ships with the package."""
    return model_file(spec).exists() or spec.name in manifest()


def trained(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
    models: Path | None = None,
) -> TrainingRun:
    """The run of ``spec``: trained here before, shipped, or trained now from where it stopped.

    A shipped model may have been trained for fewer epochs than the spec's: its ``epoch`` tells.

    Args and errors: as :func:`kept`.
    """
    if not model_file(spec, models).exists():
        run = shipped(spec, device)
        if run is not None:
            return run
    return kept(spec, TrainingRun, fit, device, report, checkpoint_seconds, models)


def train(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    until: int | None = None,
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
) -> TrainingRun:
    """Train the model of ``spec`` here from where it stopped, whether or not one ships.

    Here SIGTERM interrupts as SIGINT does: the last complete epoch is in the store.

    Args and errors: as :func:`kept`.
    """
    with _sigterm_interrupts():
        return kept(spec, TrainingRun, fit, device, report, checkpoint_seconds, until=until)


def train_together(
    specs: Sequence[Spec],
    device: torch.device | str,
    report: Callable[[int], None] = lambda epoch: None,
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
) -> dict[Spec, str]:
    """Train models at once, as an ensemble, and keep each as :func:`kept` keeps one.

    Args:
        specs: each once; alike in what ``ensemble.SHARED`` names, and in their epochs.
        device: where.
        report: called with each epoch that some of them complete: in order, but again for models
            that come to it later, as those do that were interrupted earlier.
        checkpoint_seconds: as :func:`kept`.

    Returns:
        those that diverged or have no sound checkpoint, and why; the others are trained.

    Raises:
        DataError, StoreError: as :func:`kept`.
    """
    failures, runs = {}, []
    with contextlib.ExitStack() as locks:
        for name in sorted(spec.name for spec in specs):  # one order: no two wait for each other
            locks.enter_context(_lock(models_folder() / name))
        for spec in specs:
            try:
                runs.append(reached(spec, device) or TrainingRun(spec, device))
            except CheckpointError as error:
                failures[spec] = _told(error)
        # Equal epochs train together; what was interrupted may have come to several.
        for epoch in sorted({run.epoch for run in runs if run.epoch < run.spec.epochs}):
            equally_far = [r for r in runs if r.epoch == epoch and r.spec not in failures]
            failures |= _train_into_all(equally_far, report, checkpoint_seconds)
    return failures


def reached(spec: Spec, device: torch.device | str = "cpu") -> TrainingRun | None:
    """The run of ``spec`` as far as it was trained and saved here, or None.

    Raises:
        CheckpointError: as :func:`kept`.
    """
    return _newest(model_file(spec), spec, TrainingRun, device)


def kept(
    spec: Any,
    kind: type,
    fit: Callable[..., Iterator[Any]],
    device: torch.device | str,
    report: Callable[[Any], None],
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
    models: Path | None = None,
    until: int | None = None,
) -> Any:
    """The run of ``spec`` that the store keeps, trained first if it is not there.

    However the training ends (an error or KeyboardInterrupt too), its last complete epoch is in
    the store.  Of several processes that ask for one model the first trains it and the others
    wait.

    Args:
        spec: its ``name`` is the folder's, its ``dataset`` and ``epochs`` are what is trained on.
        kind: of run, ``TrainingRun`` or another with its ``epoch``, ``state`` and ``load``.
        fit: trains a run on the training and test split, yielding a record after each epoch.
        device: where it is trained, and where the model ends up.
        report: called with the record of each epoch trained here.
        checkpoint_seconds: time between checkpoints; the last two are kept.
        models: folder of models; :func:`models_folder` by default.
        until: the epoch (from 1) to stop after; the spec's last by default.

    Raises:
        TrainingDiverged, BelowFloor: the objective became NaN, or impossibly low.
        CheckpointError: a file of this model is damaged, altered or of another spec.
        DataError: the dataset cannot be had.
        StoreError: the store's folder cannot be made.
    """
    final = model_file(spec, models)
    if not final.exists():
        with _lock(final.parent):
            run = _newest(final, spec, kind, device) or kind(spec, device)
            if run.epoch < (until or spec.epochs):
                _train_into(final, run, fit, until or spec.epochs, report, checkpoint_seconds)
    return _newest(final, spec, kind, device)


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


def _newest(final: Path, spec: Any, kind: type, device: torch.device | str) -> Any:
    """The run as its newest file has it, or None."""
    while True:
        files = [final] if final.exists() else checkpoint.saved(final.parent)
        try:
            return kind.load(files[-1], spec, device) if files else None
        except FileNotFoundError:  # removed for a newer one since it was listed: look again
            continue


def _train_into(
    final: Path,
    run: Any,
    fit: Callable[..., Iterator[Any]],
    until: int,
    report: Callable[[Any], None],
    checkpoint_seconds: float,
) -> None:
    checkpoint.clear(final.parent)
    # A copy: whatever stops an epoch midway, the one before it can still be saved.
    complete, last_saved = None, time.monotonic()
    try:
        for record in fit(run, load(run.spec.dataset, "train"), load(run.spec.dataset, "test")):
            complete = run.state()
            if run.epoch < until and time.monotonic() - last_saved >= checkpoint_seconds:
                checkpoint.keep(complete, final)
                last_saved = time.monotonic()
            report(record)
            if run.epoch == until:
                break
    finally:
        if complete is not None:
            checkpoint.keep(complete, final)


def _train_into_all(
    runs: Sequence[TrainingRun], report: Callable[[int], None], checkpoint_seconds: float
) -> dict[Spec, str]:
    """As :func:`_train_into`, of runs that train together; returns those that diverged."""
    complete: dict[Path, State] = {}
    failures, last_saved, dataset = {}, time.monotonic(), runs[0].spec.dataset
    for run in runs:
        checkpoint.clear(model_file(run.spec).parent)

    def save() -> None:
        for final, state in complete.items():
            checkpoint.keep(state, final)

    try:
        for outcomes in fit_together(runs, load(dataset, "train"), load(dataset, "test")):
            for run, outcome in outcomes:
                if isinstance(outcome, EpochRecord):
                    complete[model_file(run.spec)] = run.state()
                else:
                    failures[run.spec] = _told(outcome)
            if time.monotonic() - last_saved >= checkpoint_seconds:
                save()
                last_saved = time.monotonic()
            report(max(run.epoch for run in runs))
    finally:
        save()
    return failures


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
