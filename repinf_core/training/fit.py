"""The loop that trains any model (Methods, "Network architecture and optimization procedure").

:func:`fit` is a generator of epoch records, so the caller does the logging and the plots.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence

import torch

from repinf_core.data import LabelledImages
from repinf_core.errors import ReaderError
from repinf_core.models import Spec
from repinf_core.training.paths import choose
from repinf_core.training.run import EpochRecord, TrainingRun


class TrainingDiverged(ReaderError, ArithmeticError):
    """The objective is NaN or infinite; the last checkpoint before is kept."""


class BelowFloor(ReaderError, ArithmeticError):
    """A term is lower than any model can reach, which shows a bug."""


Outcome = EpochRecord | ArithmeticError
"""The record of an epoch, or the error that ended the run."""


def fit(run: TrainingRun, train: LabelledImages, test: LabelledImages) -> Iterator[EpochRecord]:
    """Train ``run`` to its spec's last epoch; yields the record of each epoch.

    The test images are not used to choose weights: those after the last epoch are kept.

    Raises:
        TrainingDiverged: the objective became NaN or infinite; ``run`` must not be used any more.
        BelowFloor: a term is lower than the images allow; likewise.
    """
    for ((_, outcome),) in fit_together([run], train, test):
        if isinstance(outcome, ArithmeticError):
            raise outcome
        yield outcome


def fit_together(
    runs: Sequence[TrainingRun], train: LabelledImages, test: LabelledImages
) -> Iterator[list[tuple[TrainingRun, Outcome]]]:
    """Train ``runs`` with equal numbers of past and total epochs, each as it would be alone.

    After each epoch it yields every run that still trains, with its record or with the error that
    ended it (see :func:`fit`).  The other runs go on.
    """
    device = runs[0].device
    train, test = (LabelledImages(*(part.to(device) for part in split)) for split in (train, test))
    floor = runs[0].model.floor(test.images)
    path = choose(runs, train)
    going = list(runs)
    while going := [run for run in going if run.epoch < run.spec.epochs]:
        started = time.perf_counter()
        rates = [run.spec.learning_rate(run.epoch) for run in runs]
        terms = path.epoch(rates)
        seconds = (time.perf_counter() - started) / len(runs)
        outcomes: list[tuple[TrainingRun, Outcome]] = []
        for run, rate, trained in zip(runs, rates, terms, strict=True):
            if run in going:
                # Test values use the weights after the epoch, whose last step may diverge too.
                tested = path.evaluate(run, test)
                error = _failure(run, trained, tested, floor)
                record = EpochRecord(
                    run.epoch + 1, rate, trained, tested, seconds,
                    len(train.images) / seconds, path.name,
                )  # fmt: skip
                if error is None:
                    run.history.append(record)
                outcomes.append((run, error or record))
        going = [run for run, outcome in outcomes if isinstance(outcome, EpochRecord)]
        yield outcomes


def _failure(
    run: TrainingRun,
    train: Mapping[str, float],
    test: Mapping[str, float],
    floor: Mapping[str, float],
) -> ArithmeticError | None:
    """The error of an epoch, from its terms in training and the test values after it, or None."""
    objective = next(iter(train))
    if not all(map(math.isfinite, [train[objective], *test.values()])):
        return TrainingDiverged(
            f"The {objective} is {train[objective]} nats in training and {test[objective]} on test "
            f"images in epoch {run.epoch + 1} of {run.spec.name}; the last checkpoint before "
            f"it is kept."
        )
    for term, bound in floor.items():
        if test[term] < bound - 1e-5 * abs(bound):  # rounding of float32 sums
            return BelowFloor(
                f"The {term} of the test images is {test[term]:.3f} nats in epoch {run.epoch + 1} "
                f"of {run.spec.name}, below their floor of {bound:.3f}, which no model can "
                f"reach: this is a bug; the last checkpoint before it is kept."
            )
    return None


def seconds_per_step(
    specs: Sequence[Spec], n_images: int, device: torch.device | str = "cpu"
) -> float:
    """Seconds of one optimisation step on this machine, the median of five measurements.

    Args:
        specs: specs of the models to be trained at once.
        n_images: size of the training set, which limits the minibatch.
        device: device of the training; on a GPU, fifty steps are timed to keep it busy.
    """
    runs = [TrainingRun(spec, device) for spec in specs]
    steps = 50 if runs[0].device.type == "cuda" else 1
    n_images = min(steps * specs[0].minibatch, n_images)
    images = torch.rand(n_images, 784, device=runs[0].device)
    path = choose(runs, LabelledImages(images, torch.zeros(n_images).long().to(images.device)))
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        path.epoch([spec.learning_rate(0) for spec in specs])  # ends with a copy to the host
        seconds.append(time.perf_counter() - started)
    return sorted(seconds[1:])[2] / -(-n_images // specs[0].minibatch)
