"""A training in progress: a model, its optimiser, its random numbers and its records.

On a CPU, a run that was saved and loaded continues bit for bit like one that was not interrupted.
This holds for all families of models.
"""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from repinf_core.kernels.precision import multiplies_bfloat16
from repinf_core.models import Spec
from repinf_core.training.checkpoint import CheckpointError, State

BETAS = 0.9, 0.999
"""Decay rates of Adam's moments: the values of Adam's authors, because the paper gives none."""
EPSILON = 1e-8
"""Adam's epsilon, likewise."""


@dataclass(frozen=True)
class EpochRecord:
    """The record of one epoch.

    Attributes:
        epoch: number of the epoch, from 1.
        learning_rate: Adam's learning rate.
        train: terms of the loss, in nats per image, averaged over the epoch while the weights
            change.
        test: terms of the loss on the test images with the weights after the epoch, in nats per
            image, and the model's scores.
        seconds: duration of the epoch without its evaluation; for runs that train together, each
            one's share.
        images_per_second: training images per second.
        path: path of training, ``"general"`` or the name of a fast path.
    """

    epoch: int
    learning_rate: float
    train: Mapping[str, float]
    test: Mapping[str, float]
    seconds: float
    images_per_second: float
    path: str

    def __str__(self) -> str:
        objective, value = next(iter(self.test.items()))
        return f"test {objective} {value:.4g}"


class TrainingRun:
    """Everything that the next epoch of a training depends on.

    Args:
        spec: specification of the model and its training.
        device: device that trains; the spec's seed gives the same initial weights on all devices.

    Attributes:
        model: the model with its present weights.
        generator: generator for the order of the images and the random numbers of the loss.
        begun_on: kind of device whose random numbers the training draws; another kind can use the
            weights, but cannot go on with an unfinished training.
        history: a record for each completed epoch.
        origin: where the model comes from, in words for a page.
    """

    def __init__(self, spec: Spec, device: torch.device | str = "cpu") -> None:
        self.spec = spec
        self.device = torch.device(device)
        model = spec.build(torch.Generator().manual_seed(spec.seed))
        # A CPU convolves faster with the channels last in memory; other weights stay as they are.
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        self.generator = torch.Generator(self.device).manual_seed(spec.seed)
        self.begun_on = self.device.type
        self.history: list[EpochRecord] = []
        self.origin = "trained here"

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return len(self.history)

    @property
    def product_dtype(self) -> torch.dtype:
        """Dtype of matrix products in training: the spec's, or float32 if bfloat16 is emulated."""
        wanted = getattr(torch, self.spec.precision)
        narrow = wanted == torch.bfloat16 and not multiplies_bfloat16(self.device)
        return torch.float32 if narrow else wanted

    @functools.cached_property
    def optimiser(self) -> torch.optim.Adam:
        """Adam with its initial state, created at first use, because a finished run needs none.

        Each parameter has the state ``step``, ``exp_avg`` and ``exp_avg_sq``.
        """
        parameters = list(self.model.parameters())
        adam = torch.optim.Adam(parameters, betas=BETAS, eps=EPSILON, fused=True)
        for parameter in parameters:
            adam.state[parameter] = {
                "step": torch.zeros((), device=self.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return adam

    def moments(self) -> dict[str, torch.Tensor]:
        """The tensors of Adam's state by ``<parameter>.<moment>``; changing one changes the run."""
        return {
            f"{name}.{moment}": value
            for name, parameter in self.model.named_parameters()
            for moment, value in self.optimiser.state[parameter].items()
        }

    def state(self) -> State:
        """A copy of the state, which later epochs do not change; only weights if it is finished."""
        tensors = {f"weights.{name}": p.detach() for name, p in self.model.named_parameters()}
        if self.epoch < self.spec.epochs:
            tensors |= {f"adam.{name}": value for name, value in self.moments().items()}
            tensors["generator"] = self.generator.get_state()
        copies = {name: value.clone() for name, value in tensors.items()}
        history = [asdict(record) for record in self.history]
        return State(self.spec.as_json(), history, self.device.type, copies)

    @classmethod
    def from_state(cls, state: State, spec: Spec, device: torch.device | str) -> "TrainingRun":
        """The run that had this :meth:`state`.

        Raises:
            CheckpointError: the tensors do not fit the spec's model.
        """
        run, tensors = cls(spec, device), state.tensors
        targets = {f"weights.{name}": p.data for name, p in run.model.named_parameters()}
        if not state.finished:
            targets |= {f"adam.{name}": value for name, value in run.moments().items()}
            run.begun_on = state.device
            if state.device == run.device.type:
                run.generator.set_state(tensors["generator"])
        for name, target in targets.items():
            if name not in tensors or tensors[name].shape != target.shape:
                raise CheckpointError(
                    f"The saved state of {spec.name} lacks {name} of shape {tuple(target.shape)}."
                )
            target.copy_(tensors[name])
        run.history = [EpochRecord(**record) for record in state.history]
        return run

    @classmethod
    def load(cls, path: Path, spec: Spec, device: torch.device | str = "cpu") -> "TrainingRun":
        """The run whose state was saved in ``path``.

        Raises:
            CheckpointError: as :meth:`State.load` and :meth:`from_state`.
        """
        return cls.from_state(State.load(path, spec), spec, device)
