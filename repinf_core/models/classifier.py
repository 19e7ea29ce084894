"""The classifier of Fig. 5 and of Suppl. F: a small network that names the class of an image.

"Input-Convolution-Convolution-Pooling-Dropout1-FullyConnected-Dropout2-SoftMax", kernels of
3x3, pooling of 2x2, dropout of 0.25 and 0.5, rectified linear units (Results, text on Fig. 5;
preprint Appendix B).  The paper states no number of channels or units; those here, and the
minibatch, are of Keras's MNIST example, which has these very layers and reports the preprint's
test accuracy, 99.25%.  The optimiser (here Adam) and the epochs are not stated either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import torch
import torch.nn.functional as F
from torch import nn

from repinf_core.kernels.precision import exact_float32
from repinf_core.models.base import Model, Spec

CLASSES = 10
_CHUNK = 128  # images classified at once: what they become between the layers stays in the cache


class Classifier(Model):
    """Images ``[N, 784]`` to the probabilities of ten classes.

    Args:
        generator: draws the initial weights (Glorot-uniform, biases zero), on the CPU.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(1, 32, 3)
        self.convolution2 = nn.Conv2d(32, 64, 3)
        self.connected = nn.Linear(64 * 12 * 12, 128)
        self.out = nn.Linear(128, CLASSES)
        for layer in (self.convolution1, self.convolution2, self.connected, self.out):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.constant_(cast(torch.Tensor, layer.bias), 0.0)

    def logits(self, x: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits ``[N, 10]``; with a ``generator``, which drops units, as in training."""
        # Channels last is the order in which a CPU convolves fastest.
        h = x.view(-1, 1, 28, 28).to(memory_format=torch.channels_last)
        h = F.relu(self.convolution1(h))
        h = F.relu(F.max_pool2d(self.convolution2(h), 2))  # as pooling after it, and cheaper
        h = dropout(h, 0.25, generator).flatten(1)
        h = dropout(F.relu(self.connected(h)), 0.5, generator)
        return self.out(h).to(x.dtype)

    @torch.no_grad()
    @exact_float32()
    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        """Softmax of the logits, with nothing dropped: ``[N, 784]`` to ``[N, 10]``."""
        return torch.cat([self.logits(part).softmax(1) for part in x.split(_CHUNK)])

    def loss(
        self, x: torch.Tensor, generator: torch.Generator, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """The cross entropy with the labels, which are needed; units drop in training mode."""
        assert labels is not None
        logits = self.logits(x, generator if self.training else None)
        return {"cross_entropy": F.cross_entropy(logits, labels)}

    def floor(self, x: torch.Tensor) -> dict[str, float]:
        """No cross entropy is negative."""
        return {"cross_entropy": 0.0}

    def scores(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """The share of images that it names rightly."""
        return {"accuracy": float((self.probabilities(x).argmax(1) == labels).double().mean())}


def dropout(h: torch.Tensor, probability: float, generator: torch.Generator | None) -> torch.Tensor:
    """Zero each unit with the given probability and scale the others up to keep the mean.

    Written out because ``torch.nn.Dropout`` draws from the global generator only.

    Args:
        h: ``[N, ...]``.
        probability: of a zero, below 1.
        generator: on the device of ``h``; None drops nothing.
    """
    if generator is None:
        return h
    kept = torch.rand(h.shape, generator=generator, device=h.device) >= probability
    return h * kept / (1 - probability)


@dataclass(frozen=True, kw_only=True)
class ClassifierSpec(Spec):
    """Spec of the classifier; its own defaults are those of Keras's example."""

    family: ClassVar[str] = "classifier"

    epochs: int = 12
    learning_rates: tuple[float, ...] = (1e-3,)
    minibatch: int = 128

    @classmethod
    def of(cls, experiment: Any) -> Self:
        """The part of an experiment (any object with these attributes) that shapes the weights."""
        return cls(
            dataset=experiment.dataset,
            epochs=experiment.classifier_epochs,
            precision=experiment.precision,
            seed=experiment.seed,
        )

    def build(self, generator: torch.Generator) -> Classifier:
        """The network with Glorot-uniform weights."""
        return Classifier(generator)


def predictions(
    classifier: Classifier,
) -> Callable[[torch.Tensor, torch.Tensor, slice], torch.Tensor]:
    """Observable of a rollout: the class named for the image x(t), ``[n]`` integers.

    What the book judges at step t is E_p(x|z(t))[x], the image that the inference generates in
    this step, and not the noisy input x(0).  That image is x(t+1): to judge t = 0 ... T, roll out
    T + 1 steps and observe at 1 ... T + 1.
    """
    return lambda x, z, trials: classifier.probabilities(x).argmax(1)
