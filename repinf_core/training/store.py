"""The store of models, which loads a model if it has been trained before, and else trains it.

The name of a model's folder contains a digest of its spec.  A spec with another N_z, or any other
number that affects the weights, can therefore never load the wrong weights.
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
        StoreError: the path begins with the home folder of a user who does not exist.
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
    """File of the finished model of ``spec`` in the folder ``models``; it may not exist yet."""
    return (models or models_folder()) / spec.name / "model.safetensors"


def is_finished(spec: Spec) -> bool:
    """Whether the model of ``spec`` was trained to its last epoch, here or before it shipped."""
    entry = shipped.manifest().get(spec.name)
    return model_file(spec).exists() or bool(entry and entry["epochs_trained"] >= spec.epochs)


def is_available(spec: Spec) -> bool:
    """Whether :func:`load_or_train` returns a model without training: finished here, or shipped."""
    return model_file(spec).exists() or spec.name in shipped.manifest()


def load_or_train(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> TrainingRun:
    """The run of ``spec``: trained here before, shipped, or trained now from its last checkpoint.

    A shipped model may have been trained for fewer epochs than the spec's.  If a training here has
    reached more epochs, its checkpoint is loaded instead.  ``run.epoch`` and ``run.origin`` say
    which it is.

    The arguments and errors are the same as for :func:`train`.
    """
    if not model_file(spec).exists() and spec.name in shipped.manifest():
        here = latest_run(spec, device)
        if here is None or here.epoch <= shipped.manifest()[spec.name]["epochs_trained"]:
            return shipped.load(spec, device)
        here.origin = f"trained here, so far for {here.epoch:,} of {spec.epochs:,} epochs"
        return here
    return _train(spec, device, report, None, checkpoint_seconds, None)


def train(
    spec: Spec,
    device: torch.device | str = "cpu",
    report: Callable[[EpochRecord], None] = lambda record: None,
    until: int | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    models: Path | None = None,
) -> TrainingRun:
    """Train the model of ``spec`` here from its last checkpoint, even if a trained one ships.

    Whenever the training ends, also by an error, KeyboardInterrupt or SIGTERM, the store contains
    its last complete epoch.  If several processes train the same model, the first trains it and
    the others wait.

    Args:
        spec: specification of the model; its ``name`` is the name of the folder.
        device: device that trains the model and holds it afterwards.
        report: called with the record of each epoch trained here.
        until: last epoch (from 1) to train; by default the spec's last.
        checkpoint_seconds: time between checkpoints, in seconds; the last two are kept.
        models: folder of models; :func:`models_folder` by default.

    Raises:
        TrainingDiverged: the objective became NaN or infinite.
        BelowFloor: a term is lower than the images allow.
        CheckpointError: a file of this model is damaged, altered or of another spec, or the
            training was begun on another kind of device.
        DataError: the dataset is not available.
        StoreError: the store's folder cannot be created.
    """
    with signals.sigterm_interrupts():
        return _train(spec, device, report, until, checkpoint_seconds, models)


def train_together(
    specs: Sequence[Spec],
    device: torch.device | str,
    report: Callable[[int], None] = lambda epoch: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> dict[Spec, str]:
    """Train several models at once, and save each as :func:`train` does.

    Args:
        specs: different specs with the same dataset and number of epochs.
        device: device that trains them.
        report: called with the number of each epoch that some of them complete.  Models that were
            interrupted after different epochs train in groups, one after the other, so a number
            may repeat.
        checkpoint_seconds: as :func:`train`.

    Returns:
        the reason, by spec, for models that diverged, fell below a floor, or have no intact
        checkpoint; all others are trained.

    Raises:
        DataError, StoreError: as :func:`train`.
    """
    failures, runs = {}, []

    def told(outcomes: Sequence[tuple[TrainingRun, Outcome]]) -> None:
        report(max(run.epoch for run, _ in outcomes))

    with contextlib.ExitStack() as locks:
        for name in sorted(spec.name for spec in specs):  # one order avoids a deadlock
            locks.enter_context(_lock(models_folder() / name))
        for spec in specs:
            try:
                runs.append(_to_train(spec, device, models_folder()))
            except CheckpointError as error:
                failures[spec] = _as_text(error)
        # Runs with equally many epochs train together; interrupted runs may differ in them.
        for epoch in sorted({run.epoch for run in runs if run.epoch < run.spec.epochs}):
            equally_far = [r for r in runs if r.epoch == epoch and r.spec not in failures]
            errors = _train_into(equally_far, models_folder(), None, checkpoint_seconds, told)
            failures |= {spec: _as_text(error) for spec, error in errors.items()}
    return failures


def latest_run(
    spec: Spec, device: torch.device | str = "cpu", models: Path | None = None
) -> TrainingRun | None:
    """The last saved state of the run of ``spec`` in the store, or None.

    Raises:
        CheckpointError: as :func:`train`; also if there is only a file of version 0.1.
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
        except FileNotFoundError:  # a newer one has replaced it: look again
            continue


def deposit(spec: Spec, content: bytes) -> None:
    """Add the file of a model that was trained elsewhere to the store, unless it is there.

    Raises:
        CheckpointError: the file is damaged or of another spec; the store is unchanged.
        StoreError: the store's folder cannot be created.
    """
    final = model_file(spec)
    with _lock(final.parent):
        if not final.exists():
            with replacing(final) as temporary:
                temporary.write_bytes(content)
                TrainingRun.load(temporary, spec)


def ensure_folder(folder: Path) -> Path:
    """The folder, created if it does not exist.

    Raises:
        StoreError: it cannot be created.
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
    """Create the folder of a model; returns a lock that keeps other processes out of it."""
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
        run = _to_train(spec, device, final.parents[1])
        if run.epoch < (until or spec.epochs):
            failures = _train_into([run], final.parents[1], until, checkpoint_seconds, told)
            if failures:
                raise failures[spec]
            # Loaded as any later reader loads it: without the optimiser and the vectors of a path.
            run = TrainingRun.load(_newest(final), spec, device)
    return run


def _to_train(spec: Spec, device: torch.device | str, models: Path) -> TrainingRun:
    """The saved run, to go on with, or a new one.

    Raises:
        CheckpointError: as :func:`train`; also if it was begun on another kind of device.
    """
    run = latest_run(spec, device, models) or TrainingRun(spec, device)
    if run.epoch < spec.epochs and run.begun_on != run.device.type:
        raise CheckpointError(
            f"{models / spec.name} is a training on {run.begun_on}, whose random numbers "
            f"{run.device.type} cannot continue; go on on {run.begun_on}, or delete it to begin "
            f"again."
        )
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
    """Train runs whose folders are locked, all at once; returns the errors, by spec."""
    for run in runs:
        checkpoint.clear(model_file(run.spec, models).parent)
    # Copies: if an epoch is interrupted, the one before it can still be saved.
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
