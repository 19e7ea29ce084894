"""Training of the paper's VAE on a CPU with a hand-written gradient, for speed."""

from collections.abc import Sequence
from typing import ClassVar, cast

import torch

from repinf_core.data import LabelledImages
from repinf_core.geometry import active_latents
from repinf_core.models.mlp import TERMS, VAESpec
from repinf_core.training.fast.adam import Adam
from repinf_core.training.fast.backprop import FlatParameters, backpropagate, forward
from repinf_core.training.run import TrainingRun


class HandWritten:
    """Train runs of the paper's VAE one after the other.

    Args:
        runs: runs whose parameters and moments become views of one vector each.
        train: training set on the device of the runs.
    """

    name: ClassVar[str] = "hand-written"

    def __init__(self, runs: Sequence[TrainingRun], train: LabelledImages) -> None:
        self._train, self._runs = train, []
        for run in runs:
            flat = FlatParameters.of(run.model, run.product_dtype)
            self._runs.append((run, flat, Adam(flat, run.optimiser)))

    def epoch(self, learning_rates: Sequence[float]) -> list[dict[str, float]]:
        """As :meth:`repinf_core.training.general.GeneralPath.epoch`."""
        return [
            _train_epoch(*of_run, self._train.images, rate)
            for of_run, rate in zip(self._runs, learning_rates, strict=True)
        ]

    def evaluate(self, run: TrainingRun, test: LabelledImages) -> dict[str, float]:
        """As :func:`evaluate`."""
        return evaluate(run, test)


def _train_epoch(
    run: TrainingRun, flat: FlatParameters, adam: Adam, images: torch.Tensor, learning_rate: float
) -> dict[str, float]:
    spec, total = cast(VAESpec, run.spec), torch.zeros(3, device=run.device)
    flat.round_weights()
    order = torch.randperm(len(images), generator=run.generator, device=run.device)
    for rows in order.split(run.spec.minibatch):
        x = images.index_select(0, rows)
        shape = (spec.n_samples, len(x), spec.n_z)
        epsilon = torch.randn(shape, generator=run.generator, device=run.device)
        adam.begin(learning_rate)
        objective = backpropagate(flat, x, epsilon, spec.beta, adam.update)
        total.add_(torch.stack(objective), alpha=len(x) / len(images))
    return dict(zip(TERMS, total.tolist(), strict=True))


@torch.no_grad()
def evaluate(run: TrainingRun, test: LabelledImages) -> dict[str, float]:
    """As in the general path, with one encoding for both the loss and the active latents."""
    generator = torch.Generator(run.device).manual_seed(run.spec.seed)
    spec, total, means = cast(VAESpec, run.spec), torch.zeros(3, device=run.device), []
    weights = [parameter.detach() for parameter in run.model.parameters()]
    for x in test.images.split(1000):
        shape = (spec.n_samples, len(x), spec.n_z)
        epsilon = torch.randn(shape, generator=generator, device=run.device)
        found = forward(weights, x, epsilon, spec.beta)
        total += torch.stack(found.objective) * (len(x) / len(test.images))
        means.append(found.mu)
    active = int(active_latents(torch.cat(means)).sum())
    return dict(zip(TERMS, total.tolist(), strict=True)) | {"active_latents": active}
