"""The store of models: trained here before, shipped, or trained now, once.

A spec's digest names its folder, so a new N_z (or any other number that shapes the weights)
can never load another model's weights.
"""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs
import torch

from repinf_core import locks
from repinf_core.atomic import replacing
from repinf_core.data import load
from repinf_core.errors import ReaderError
from repinf_core.models import Spec
from repinf_core.training import checkpoint, shipped, signals
from repinf_core.training.checkpoint import CheckpointError, State
from repinf_core.training.convert import old_name
from repinf_core.training.fit import EpochRecord, Outcome, fit_together
from repinf_core.training.run import TrainingRun

CHECKPOINT_SECONDS = 60.0


class StoreError(ReaderError, RuntimeError):
    """The model store cannot be used."""


def models_folder() -> Path:
    """The folder of trained models: ``REPINF_MODELS``, or the user's cache folder.

    Raises:
        StoreError: it begins with the home folder of a user who does not exist.
    """
    folder = os.environ.get("REPINF_MODELS") or platformdirs.user_cache_path("repinf") / "models"
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise StoreError(
            f"REPINF_MODELS is {folder}, and there is no such home folder; set it to a folder "
            f"that can be written."
        ) from error


def model_file(spec: Spec, models: Path | None = None) -> Path:
    """Where the finished model of ``spec`` is, or will be, in the folder ``models``."""
    return (models or models_folder()) / spec.name / "model.safetensors"


def is_finished(spec: Spec) -> bool:
    """Whether the model of ``spec`` is trained to its last epoch, here or as it ships."""
    entry = shipped.manifest().get(spec.name)
    return model_file(spec).exists() or bool(entry and entry["epochs_trained"] >= spec.epochs)


def is_available(spec: Spec) -> bool:
    """Whether :func:`load_or_train` gives a model at once: finished, or shipped half-trained."""
    return model_file(spec).exists() or spec.name in shipped.manifest()


def load_or_train(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    models: Path | None = None,
) -> TrainingRun:
    """The run of ``spec``: trained here before, shipped, or trained now from where it stopped.

    A shipped model may have been trained for fewer epochs than the spec's, and a checkpoint of
    a longer training here goes before it: ``run.epoch`` and ``run.origin`` tell.

    Args and errors: as :func:`train`.
    """
    if not model_file(spec, models).exists() and spec.name in shipped.manifest():
        here = latest_run(spec, device, models)
        if here is None or here.epoch <= shipped.manifest()[spec.name]["epochs_trained"]:
            return shipped.load(spec, device)
        here.origin = f"trained here, so far for {here.epoch:,} of {spec.epochs:,} epochs"
        return here
    return _train(spec, device, report, None, checkpoint_seconds, models)


def train(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    until: int | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    models: Path | None = None,
) -> TrainingRun:
    """Train the model of ``spec`` here from where it stopped, whether or not one ships.

    However the training ends (an error, KeyboardInterrupt or SIGTERM too), its last complete
    epoch is in the store.  Of several processes that ask for one model the first trains it and
    the others wait.

    Args:
        spec: its ``name`` is the folder's, its ``dataset`` and ``epochs`` are what is trained on.
        device: where it is trained, and where the model ends up.
        report: called with the record of each epoch trained here.
        until: the epoch (from 1) to stop after; the spec's last by default.
        checkpoint_seconds: time between checkpoints; the last two are kept.
        models: folder of models; :func:`models_folder` by default.

    Raises:
        TrainingDiverged, BelowFloor: the objective became NaN, or impossibly low.
        CheckpointError: a file of this model is damaged, altered or of another spec.
        DataError: the dataset cannot be had.
        StoreError: the store's folder cannot be made.
    """
    with signals.sigterm_interrupts():
        return _train(spec, device, report, until, checkpoint_seconds, models)


def train_together(
    specs: Sequence[Spec],
    device: torch.device | str,
    report: Callable[[int], None] = lambda epoch: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> dict[Spec, str]:
    """Train models at once, and keep each as :func:`train` keeps one.

    Args:
        specs: each once; of one dataset and as many epochs.
        device: where.
        report: called with each epoch that some of them complete: in order, but again for models
            that come to it later, as those do that were interrupted earlier.
        checkpoint_seconds: as :func:`train`.

    Returns:
        those that diverged or have no sound checkpoint, and why; the others are trained.

    Raises:
        DataError, StoreError: as :func:`train`.
    """
    failures, runs = {}, []

    def told(outcomes: Sequence[tuple[TrainingRun, Outcome]]) -> None:
        report(max(run.epoch for run, _ in outcomes))

    with contextlib.ExitStack() as locks:
        for name in sorted(spec.name for spec in specs):  # one order: no two wait for each other
            locks.enter_context(_lock(models_folder() / name))
        for spec in specs:
            try:
                runs.append(latest_run(spec, device) or TrainingRun(spec, device))
            except CheckpointError as error:
                failures[spec] = _as_text(error)
        # Equal epochs train together; what was interrupted may have come to several.
        for epoch in sorted({run.epoch for run in runs if run.epoch < run.spec.epochs}):
            equally_far = [r for r in runs if r.epoch == epoch and r.spec not in failures]
            errors = _train_into(equally_far, models_folder(), None, checkpoint_seconds, told)
            failures |= {spec: _as_text(error) for spec, error in errors.items()}
    return failures


def latest_run(
    spec: Spec, device: torch.device | str = "cpu", models: Path | None = None
) -> TrainingRun | None:
    """The run of ``spec`` as far as it was trained and saved here, or None.

    Raises:
        CheckpointError: as :func:`train`; also where only version 0.1's file is there.
    """
    final = model_file(spec, models)
    old = old_name(spec)
    while True:
        files = [final] if final.exists() else checkpoint.saved(final.parent)
        if not files and old and (final.parents[1] / old).exists():
            raise CheckpointError(
                f"{final.parents[1] / old} is a model of version 0.1; `repinf convert` carries it "
                f"over, or delete it to train again."
            )
        try:
            return TrainingRun.load(files[-1], spec, device) if files else None
        except FileNotFoundError:  # removed for a newer one since it was listed: look again
            continue


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


def ensure_folder(folder: Path) -> Path:
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


def _lock(folder: Path) -> contextlib.AbstractContextManager:
    """Make the folder of a model; the lock holds it against other processes."""
    path = ensure_folder(folder) / "lock"
    return locks.lock(path, f"the training of {folder.name}", "set REPINF_MODELS to")


def _train(
    spec: Spec,
    device: torch.device | str,
    report: Callable[[EpochRecord], None],
    until: int | None,
    checkpoint_seconds: float,
    models: Path | None,
) -> TrainingRun:
    """The run as the store keeps it, trained first as far as it is not there."""
    final = model_file(spec, models)
    run = latest_run(spec, device, models) if final.exists() else None
    if run is not None:
        return run

    def told(outcomes: Sequence[tuple[TrainingRun, Outcome]]) -> None:
        for _, outcome in outcomes:
            if isinstance(outcome, EpochRecord):
                report(outcome)

    with _lock(final.parent):
        run = latest_run(spec, device, models) or TrainingRun(spec, device)
        if run.epoch < (until or spec.epochs):
            failures = _train_into([run], final.parents[1], until, checkpoint_seconds, told)
            if failures:
                raise failures[spec]
            # As whoever loads it finds it: without optimiser, and not laid out for a fast path.
            run = TrainingRun.load(_newest(final), spec, device)
    return run


def _newest(final: Path) -> Path:
    return final if final.exists() else checkpoint.saved(final.parent)[-1]


def _train_into(
    runs: Sequence[TrainingRun],
    models: Path,
    until: int | None,
    checkpoint_seconds: float,
    report: Callable[[Sequence[tuple[TrainingRun, Outcome]]], None],
) -> dict[Spec, ArithmeticError]:
    """Train runs at once, whose folders are locked; returns the errors of those that failed."""
    for run in runs:
        checkpoint.clear(model_file(run.spec, models).parent)
    # Copies: whatever stops an epoch midway, the one before it can still be saved.
    complete: dict[Path, State] = {}
    failures, last_saved, dataset = {}, time.monotonic(), runs[0].spec.dataset
    until = until or runs[0].spec.epochs

    def save() -> None:
        for final, state in complete.items():
            checkpoint.keep(state, final)

    try:
        for outcomes in fit_together(runs, load(dataset, "train"), load(dataset, "test")):
            for run, outcome in outcomes:
                if isinstance(outcome, EpochRecord):
                    complete[model_file(run.spec, models)] = run.state()
                else:
                    failures[run.spec] = outcome
            ended = all(run.epoch >= until for run in runs if run.spec not in failures)
            if not ended and time.monotonic() - last_saved >= checkpoint_seconds:
                save()
                last_saved = time.monotonic()
            report(outcomes)
            if ended:
                break
    finally:
        save()
    return failures


def _as_text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
