"""The classifier of Fig. 5 and Suppl. F: a small network that names the class of an image.

The layers are "Input-Convolution-Convolution-Pooling-Dropout1-FullyConnected-Dropout2-SoftMax",
with 3x3 kernels, 2x2 pooling, dropout of 0.25 and 0.5, and rectified linear units (Results, text on
Fig. 5; preprint Appendix B).  The paper does not state the numbers of channels and units.  We take
them, and the minibatch, from Keras's MNIST example, which has the same layers and reports the
preprint's test accuracy, 99.25%.  The paper states neither the optimiser (here Adam) nor the
epochs.
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
_CHUNK = 128  # images classified at once: the activations of so few fit into the cache


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
        """Logits ``[N, 10]`` of images ``[N, 784]``; a ``generator`` drops units, for training."""
        h = F.relu(self.convolution1(x.view(-1, 1, 28, 28)))
        # Pooling before the rectification gives the same result and is cheaper.
        h = F.relu(F.max_pool2d(self.convolution2(h), 2))
        h = dropout(h, 0.25, generator).flatten(1)
        h = dropout(F.relu(self.connected(h)), 0.5, generator)
        return self.out(h).to(x.dtype)

    @torch.no_grad()
    @exact_float32()
    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        """Softmax of the logits, without dropout: ``[N, 784]`` to ``[N, 10]``."""
        return torch.cat([self.logits(part).softmax(1) for part in x.split(_CHUNK)])

    def loss(
        self, x: torch.Tensor, generator: torch.Generator, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Cross entropy with the labels, which are required, in nats per image.

        Units are dropped in training mode.
        """
        assert labels is not None
        logits = self.logits(x, generator if self.training else None)
        return {"cross_entropy": F.cross_entropy(logits, labels)}

    def floor(self, x: torch.Tensor) -> dict[str, float]:
        """Zero: a cross entropy is never negative."""
        return {"cross_entropy": 0.0}

    def scores(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """The accuracy: the share of images whose label it names correctly."""
        return {"accuracy": float((self.probabilities(x).argmax(1) == labels).double().mean())}


def dropout(h: torch.Tensor, probability: float, generator: torch.Generator | None) -> torch.Tensor:
    """Zero each unit with the given probability and scale the others up to keep the mean.

    Written out because ``torch.nn.Dropout`` draws from the global generator only.

    Args:
        h: activations, ``[N, ...]``.
        probability: probability of a zero, below 1.
        generator: generator on the device of ``h``; None drops nothing.
    """
    if generator is None:
        return h
    kept = torch.rand(h.shape, generator=generator, device=h.device) >= probability
    return h * kept / (1 - probability)


@dataclass(frozen=True, kw_only=True)
class ClassifierSpec(Spec):
    """Spec of the classifier; the defaults of its own fields are from Keras's example."""

    family: ClassVar[str] = "classifier"

    epochs: int = 12
    learning_rates: tuple[float, ...] = (1e-3,)
    minibatch: int = 128

    @classmethod
    def of(cls, experiment: Any) -> Self:
        """The part of an experiment (any object with these attributes) that sets the weights."""
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
    """Observable of a rollout: the class of the image x(t), ``[n]`` integers.

    At step t the book classifies E_p(x|z(t))[x], the image that the inference generates in this
    step, not the noisy input x(0).  This image is x(t+1): to classify t = 0 ... T, roll out T + 1
    steps and observe at t = 1 ... T + 1.
    """
    return lambda x, z, trials: classifier.probabilities(x).argmax(1)
