"""Training epochs in torch: the loops that one would otherwise write, and ours.

A contestant starts from given weights.  ``epoch()`` trains once over its images, and ``weights()``
returns its current parameters, in the order of :class:`repinf_core.models.mlp.VAE`.
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from repinf_core import data
from repinf_core.models import Spec, mlp
from repinf_core.training import paths
from repinf_core.training.run import TrainingRun


def network(spec: mlp.VAESpec, weights: list[np.ndarray]) -> mlp.VAE:
    model = mlp.VAE(spec.n_z, spec.n_hidden, torch.Generator().manual_seed(0))
    for parameter, values in zip(model.parameters(), weights, strict=True):
        parameter.data.copy_(torch.from_numpy(values))
    return model


def arrays(model: mlp.VAE) -> list[np.ndarray]:
    return [parameter.detach().numpy().copy() for parameter in model.parameters()]


class EagerLoop:
    """The obvious loop: minibatches by index, autograd, Adam, autocast for bfloat16."""

    def __init__(self, spec: mlp.VAESpec, weights: list[np.ndarray], images: torch.Tensor):
        self._spec, self._images = spec, images
        self._model = network(spec, weights)
        self._optimiser = torch.optim.Adam(self._model.parameters(), lr=spec.learning_rates[0])

    def batches(self) -> Iterator[torch.Tensor]:
        for rows in torch.randperm(len(self._images)).split(self._spec.minibatch):
            yield self._images[rows]

    def epoch(self) -> None:
        for x in self.batches():
            self._optimiser.zero_grad()
            self._loss(x).backward()
            self._optimiser.step()

    def _loss(self, x: torch.Tensor) -> torch.Tensor:
        cast = contextlib.nullcontext()
        if self._spec.precision == "bfloat16":
            cast = torch.autocast("cpu", torch.bfloat16)
        with cast:
            mu, log_variance = self._model.encode(x)
            epsilon = torch.randn(self._spec.n_samples, *mu.shape)
            z = mu + torch.exp(0.5 * log_variance) * epsilon
            logits = self._model.decode_logits(z)
        nll = F.binary_cross_entropy_with_logits(
            logits.float(), x.expand_as(logits), reduction="sum"
        )
        kl = mlp.kl_divergence(mu.float(), log_variance.float()).sum()
        return (self._spec.beta * kl + nll / self._spec.n_samples) / len(x)

    def weights(self) -> list[np.ndarray]:
        return arrays(self._model)


class DataLoaderLoop(EagerLoop):
    """The eager loop, which reads torchvision's dataset of images through a DataLoader."""

    def __init__(
        self,
        spec: mlp.VAESpec,
        weights: list[np.ndarray],
        dataset: torch.utils.data.Dataset,
    ):
        super().__init__(spec, weights, torch.empty(0))
        self._loader = torch.utils.data.DataLoader(dataset, spec.minibatch, shuffle=True)

    def batches(self) -> Iterator[torch.Tensor]:
        for batch, _ in self._loader:
            yield batch.flatten(1)


class CompiledLoop(EagerLoop):
    """The eager loop with its loss, and therefore its gradient, compiled by ``torch.compile``."""

    def __init__(self, spec: mlp.VAESpec, weights: list[np.ndarray], images: torch.Tensor):
        super().__init__(spec, weights, images)
        self._loss = torch.compile(super()._loss)


class Ours:
    """This package's training: an epoch of ``fit`` without its evaluation."""

    def __init__(self, spec: Spec, weights: list[np.ndarray], images: torch.Tensor):
        self._run = TrainingRun(spec)
        for parameter, values in zip(self._run.model.parameters(), weights, strict=True):
            parameter.data.copy_(torch.from_numpy(values))
        no_labels = torch.zeros(len(images), dtype=torch.long)
        self._path = paths.choose([self._run], data.LabelledImages(images, no_labels))

    def epoch(self) -> None:
        self._path.epoch([self._run.spec.learning_rates[0]])

    def weights(self) -> list[np.ndarray]:
        return arrays(self._run.model)
