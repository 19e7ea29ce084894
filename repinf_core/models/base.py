"""The interface of every family of models, and the numbers that identify a trained model."""

import abc
import hashlib
import json
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import nn


class Autoencoder(Protocol):
    """A model that repeated inference can iterate."""

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """Images ``[n, 784]`` to latents ``[n, N_z]``."""
        ...

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """Latents ``[n, N_z]`` to images ``[n, 784]``."""
        ...


class Model(nn.Module, abc.ABC):
    """A model that the general training can train."""

    @abc.abstractmethod
    def loss(
        self, x: torch.Tensor, generator: torch.Generator, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Named terms of the objective, means over images; the first one is minimised.

        Args:
            x: images ``[B, 784]``.
            generator: source of all randomness, on the device of ``x``.
            labels: labels of the images, ``[B]``, for a model that learns them.

        Returns:
            scalars in nats per image.
        """

    def floor(self, x: torch.Tensor) -> dict[str, float]:
        """Lower bounds of some terms on images ``x`` ``[N, 784]``; a lower value is a bug."""
        return {}

    def scores(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Further numbers to record after each epoch, for images ``[N, 784]`` of the test set."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Spec(abc.ABC):
    """Every number that determines the weights of a model; its digest names the model in the store.

    A family adds the fields of its own model.  The digest leaves out fields that equal their
    default.  A new field therefore renames no model, and a default must never change.

    Attributes:
        family: name of the family.
        version: increased when the family's mathematics changes.
        dataset: images to train on.
        epochs: passes over the images.
        learning_rates: Adam's learning rates, each for an equal share of the epochs.
        minibatch: images per step.
        precision: precision of the matrix products in training, if the hardware supports it;
            otherwise float32.
        seed: seed of the initial weights, of the order of the images, and of the random numbers
            of training and of evaluation.  Each has its own generator with this seed.
    """

    family: ClassVar[str]
    version: ClassVar[int] = 1

    dataset: str
    epochs: int = 1500
    learning_rates: tuple[float, ...] = (5e-4, 1e-4, 5e-5)
    minibatch: int = 100
    precision: str = "float32"
    seed: int = 0

    @classmethod
    def of(cls, experiment: Any) -> Self:
        """The part of an experiment (any object with these attributes) that sets the weights."""
        return cls(**{field.name: getattr(experiment, field.name) for field in fields(cls)})

    @classmethod
    def networks(cls, experiment: Any) -> dict[str, Self]:
        """The networks of the family that an experiment has, by name; the first is :meth:`of`."""
        return {cls.family: cls.of(experiment)}

    @abc.abstractmethod
    def build(self, generator: torch.Generator) -> Model:
        """The model with initial weights drawn from ``generator``, on the CPU."""

    @property
    def label(self) -> str:
        """The part of the name by which readers tell models of one data set apart."""
        return self.family

    @property
    def name(self) -> str:
        """Readable and unique: data set, label and twelve digits of the SHA-256 of the identity."""
        digest = hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()
        return f"{self.dataset}-{self.label}-{digest[:12]}"

    def identity(self) -> dict[str, Any]:
        """Family, version, and the fields that differ from their defaults."""
        defaults = {field.name: _plain(field.default, field.default) for field in fields(self)}
        differing = {name: v for name, v in self._values().items() if v != defaults[name]}
        return {"family": self.family, "version": self.version, **differing}

    def _values(self) -> dict[str, Any]:
        return {f.name: _plain(getattr(self, f.name), f.default) for f in fields(self)}

    def as_json(self) -> str:
        """The whole spec, keys sorted; :func:`repinf_core.models.spec_from_json` reads it."""
        whole = {"family": self.family, "version": self.version, **self._values()}
        return json.dumps(whole, sort_keys=True)

    def learning_rate(self, epoch: int) -> float:
        """Adam's step size in ``epoch`` (from 0)."""
        return self.learning_rates[epoch * len(self.learning_rates) // self.epochs]


def _plain(value: Any, default: Any) -> Any:
    """A value in the form that JSON keeps.

    A real number 1 becomes 1.0, so that equal specs have the same name.
    """
    if default is MISSING:
        return None if value is MISSING else value
    if isinstance(default, tuple):
        return [float(rate) for rate in value]
    return float(value) if isinstance(default, float) else value
