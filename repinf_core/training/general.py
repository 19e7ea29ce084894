"""The general path of training: autograd and torch's Adam, for any model on any device."""

from collections.abc import Sequence
from typing import ClassVar

import torch

from repinf_core.data import LabelledImages
from repinf_core.kernels.precision import exact_float32
from repinf_core.training.run import TrainingRun

_CHUNK = 1000  # images evaluated at once


class GeneralPath:
    """Train runs one after the other.

    Args:
        runs: runs on one device.
        train: training set on that device.
    """

    name: ClassVar[str] = "general"

    def __init__(self, runs: Sequence[TrainingRun], train: LabelledImages) -> None:
        self._runs, self._train = runs, train

    def epoch(self, learning_rates: Sequence[float]) -> list[dict[str, float]]:
        """One pass over the images, in each run's own random order.

        Returns:
            the terms of the loss of each run, means over the epoch in nats per image.
        """
        pairs = zip(self._runs, learning_rates, strict=True)
        return [train_epoch(run, self._train, rate) for run, rate in pairs]

    def evaluate(self, run: TrainingRun, test: LabelledImages) -> dict[str, float]:
        """As :func:`evaluate`."""
        return evaluate(run, test)


@exact_float32()
def train_epoch(run: TrainingRun, train: LabelledImages, learning_rate: float) -> dict[str, float]:
    """One pass over the images in random order; mean terms over the epoch, in nats per image."""
    for group in run.optimiser.param_groups:
        group["lr"] = learning_rate
    run.model.train()
    total: dict[str, torch.Tensor] = {}
    n_images = len(train.images)
    order = torch.randperm(n_images, generator=run.generator, device=run.device)
    for rows in order.split(run.spec.minibatch):
        terms = _step(run, train.images[rows], train.labels[rows])
        for name, value in terms.items():
            total[name] = total.get(name, 0) + value.detach() * (len(rows) / n_images)
    run.model.eval()
    return {name: float(value) for name, value in total.items()}


def _step(run: TrainingRun, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    dtype = run.product_dtype
    with torch.autocast(run.device.type, dtype, enabled=dtype != torch.float32):
        terms = run.model.loss(x, run.generator, labels)
    run.optimiser.zero_grad()
    next(iter(terms.values())).backward()
    run.optimiser.step()
    return terms


@torch.no_grad()
@exact_float32()
def evaluate(run: TrainingRun, test: LabelledImages) -> dict[str, float]:
    """Terms of the loss (nats per image) and scores with the current weights, in float32.

    Args:
        run: run whose seed gives the same random numbers in every epoch, so that records differ
            only because of the weights.
        test: images and labels.
    """
    generator = torch.Generator(run.device).manual_seed(run.spec.seed)
    total: dict[str, torch.Tensor] = {}
    images, all_labels = (part.to(run.device) for part in test)
    n_images = len(images)
    run.model.eval()
    for x, labels in zip(images.split(_CHUNK), all_labels.split(_CHUNK), strict=True):
        for name, value in run.model.loss(x, generator, labels).items():
            total[name] = total.get(name, 0) + value * (len(x) / n_images)
    means = {name: float(value) for name, value in total.items()}
    return means | run.model.scores(images, all_labels)
