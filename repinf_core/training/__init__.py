"""Training: what is trained, how, and where it is kept."""

from repinf_core.training.run import (
    BelowFloor,
    EpochRecord,
    Spec,
    TrainingDiverged,
    TrainingRun,
    evaluate,
    fit,
    fit_together,
    seconds_per_step,
    train_epoch,
)

__all__ = [
    "BelowFloor",
    "EpochRecord",
    "Spec",
    "TrainingDiverged",
    "TrainingRun",
    "evaluate",
    "fit",
    "fit_together",
    "seconds_per_step",
    "train_epoch",
]
