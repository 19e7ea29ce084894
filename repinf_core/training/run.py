"""Training (Methods, "Network architecture and optimization procedure").

:func:`fit` is a generator of epoch records, so logging and plots stay with the caller.  A
:class:`TrainingRun` holds all that the next epoch depends on; saved and loaded, it goes on
bit for bit on a CPU.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from repinf_core.data import LabelledImages
from repinf_core.errors import ReaderError
from repinf_core.geometry import active_latents
from repinf_core.models.mlp import VAE, reconstruction_floor
from repinf_core.training.checkpoint import State
from repinf_core.training.fast.adam import Adam
from repinf_core.training.fast.backprop import FlatParameters, backpropagate, forward
from repinf_core.training.fast.ensemble import Ensemble


class TrainingDiverged(ReaderError, ArithmeticError):
    """The objective is no longer a finite number; the last good checkpoint is kept."""


class BelowFloor(ReaderError, ArithmeticError):
    """The objective is better than any decoder's can be: a bug, not a good model."""


@dataclass(frozen=True)
class Spec:
    """Every number that shapes the weights; its digest names the model's folder in the store."""

    dataset: str
    n_z: int
    n_hidden: int
    beta: float
    n_samples: int
    epochs: int
    learning_rates: tuple[float, ...]
    minibatch: int
    precision: str
    seed: int

    @classmethod
    def of(cls, experiment: Any) -> "Spec":
        """The part of an experiment (any object with these attributes) that shapes weights."""
        return cls(**{field.name: getattr(experiment, field.name) for field in fields(cls)})

    @property
    def name(self) -> str:
        """Readable and unique: dataset, N_z, and twelve digits of the whole spec's SHA-256."""
        digest = hashlib.sha256(self.as_json().encode()).hexdigest()[:12]
        return f"{self.dataset}-nz{self.n_z}-{digest}"

    def as_json(self) -> str:
        """The whole spec as JSON, keys sorted; its digest is part of the name."""
        rates = [float(rate) for rate in self.learning_rates]
        values = asdict(self) | {"beta": float(self.beta), "learning_rates": rates}
        return json.dumps(values, sort_keys=True)

    def learning_rate(self, epoch: int) -> float:
        """Adam's step size in ``epoch`` (from 0): each rate holds for an equal share of epochs."""
        return self.learning_rates[epoch * len(self.learning_rates) // self.epochs]


@dataclass(frozen=True)
class EpochRecord:
    """One epoch; objectives in nats per image.

    Training values are means over the epoch's minibatches, while the weights moved; test
    values and the number of active latents are of the weights after the epoch, on the test
    split.
    """

    epoch: int
    learning_rate: float
    train_negative_elbo: float
    train_kl: float
    train_reconstruction: float
    test_negative_elbo: float
    test_kl: float
    test_reconstruction: float
    active_latents: int
    seconds: float  # of runs that train together, each one's share
    images_per_second: float

    def __str__(self) -> str:
        return f"test -ELBO {self.test_negative_elbo:.1f}"


class TrainingRun:
    """All that the next epoch depends on: weights, Adam's moments, generator, history.

    Args:
        spec: what to train.
        device: where; the spec's seed gives the same initial weights on every device.
    """

    def __init__(self, spec: Spec, device: torch.device | str = "cpu") -> None:
        self.spec = spec
        self.device = torch.device(device)
        weights_generator = torch.Generator().manual_seed(spec.seed)
        self.model = VAE(spec.n_z, spec.n_hidden, weights_generator).to(self.device)
        self.flat = FlatParameters.of(self.model, getattr(torch, spec.precision))
        self.adam = Adam(self.flat)
        self.generator = torch.Generator(self.device).manual_seed(spec.seed)
        self.history: list[EpochRecord] = []

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return len(self.history)

    def state(self) -> State:
        """A copy, which the next epoch leaves as it is; of a finished run only its weights."""
        tensors = {"weights": self.flat.vector.detach().clone()}
        if self.epoch < self.spec.epochs:
            tensors |= {f"adam.{name}": value.clone() for name, value in self.adam.state.items()}
            tensors["generator"] = self.generator.get_state()
        history = [asdict(record) for record in self.history]
        return State(self.spec.as_json(), history, self.device.type, tensors)

    @classmethod
    def load(cls, path: Path, spec: Spec, device: torch.device | str = "cpu") -> "TrainingRun":
        """The run whose state was saved in ``path``; raises as :meth:`State.load`."""
        run = cls(spec, device)
        state = State.load(path, spec.as_json(), run.device.type)
        tensors = state.tensors
        run.flat.vector.data.copy_(tensors["weights"])
        run.history = [EpochRecord(**record) for record in state.history]
        if not state.finished:
            run.generator.set_state(tensors["generator"])
            run.adam.load({name: tensors[f"adam.{name}"] for name in run.adam.state})
        return run


def fit(run: TrainingRun, train: LabelledImages, test: LabelledImages) -> Iterator[EpochRecord]:
    """Train ``run`` to its spec's last epoch, yielding each epoch's record after it.

    Raises:
        TrainingDiverged: the objective became NaN or infinite; ``run`` is then of no use.
        BelowFloor: the reconstruction term is lower than the images allow; likewise.
    """
    for ((_, outcome),) in fit_together([run], train, test):
        if isinstance(outcome, ArithmeticError):
            raise outcome
        yield outcome


def fit_together(
    runs: Sequence[TrainingRun], train: LabelledImages, test: LabelledImages
) -> Iterator[list[tuple[TrainingRun, EpochRecord | ArithmeticError]]]:
    """Train ``runs``, equally far trained and for equally many epochs, at once.

    Several, or any on a GPU, as an :class:`~.fast.ensemble.Ensemble`.  Yields after each epoch
    every run that still trains with its record, or with the error that ended it, as those that
    :func:`fit` raises; the others go on.

    Raises:
        ValueError: as ``Ensemble``.
    """
    device = runs[0].device
    images, test_images = train.images.to(device), test.images.to(device)
    floor = float(reconstruction_floor(test_images))
    epoch_of_all = _epoch_of_all(runs, images)
    going = list(runs)
    while going := [run for run in going if run.epoch < run.spec.epochs]:
        started = time.perf_counter()
        rates = [run.spec.learning_rate(run.epoch) for run in runs]
        objectives = epoch_of_all(rates)
        seconds = (time.perf_counter() - started) / len(runs)
        outcomes = []
        for run, rate, objective in zip(runs, rates, objectives, strict=True):
            if run in going:
                # The test values are of the weights after the epoch: its last step may diverge too.
                test_objective, active = evaluate(run, test_images)
                error = _failure(run, objective[0], test_objective, floor)
                record = EpochRecord(
                    run.epoch + 1, rate, *objective, *test_objective, active,
                    seconds, len(images) / seconds,
                )  # fmt: skip
                if error is None:
                    run.history.append(record)
                outcomes.append((run, error or record))
        going = [run for run, outcome in outcomes if isinstance(outcome, EpochRecord)]
        yield outcomes


def _epoch_of_all(
    runs: Sequence[TrainingRun], images: torch.Tensor
) -> Callable[[Sequence[float]], list[list[float]]]:
    """What trains the runs for an epoch at their learning rates and returns their objectives."""
    if len(runs) > 1 or images.is_cuda:
        return Ensemble(runs, images).epoch
    return lambda rates: [train_epoch(runs[0], images, rates[0])]


def _failure(
    run: TrainingRun, objective: float, test: list[float], floor: float
) -> ArithmeticError | None:
    """What is wrong with an epoch, given its -ELBO in training and the test values after it."""
    if not all(map(math.isfinite, [objective, *test])):
        return TrainingDiverged(
            f"The objective is {objective} nats in training and {test[0]} on test "
            f"images in epoch {run.epoch + 1} of {run.spec.name}; the last checkpoint before "
            f"it is kept."
        )
    if test[2] < floor * (1 - 1e-5):  # float32 sums
        return BelowFloor(
            f"The reconstruction of the test images is {test[2]:.3f} nats in epoch "
            f"{run.epoch + 1} of {run.spec.name}, below their floor of {floor:.3f}, which no "
            f"decoder can reach: this is a bug; the last checkpoint before it is kept."
        )
    return None


def train_epoch(run: TrainingRun, images: torch.Tensor, learning_rate: float) -> list[float]:
    """One pass over ``images`` ``[N, 784]`` in random order.

    Returns:
        -ELBO, KL and reconstruction, means over the epoch in nats per image.
    """
    spec, total = run.spec, torch.zeros(3, device=run.device)
    run.flat.round_weights()
    order = torch.randperm(len(images), generator=run.generator, device=run.device)
    for rows in order.split(spec.minibatch):
        x = images.index_select(0, rows)
        epsilon = torch.randn(
            spec.n_samples, len(x), spec.n_z, generator=run.generator, device=run.device
        )
        run.adam.begin(learning_rate)
        objective = backpropagate(run.flat, x, epsilon, spec.beta, run.adam.update)
        total.add_(torch.stack(objective), alpha=len(x) / len(images))
    return total.tolist()


@torch.no_grad()
def evaluate(run: TrainingRun, images: torch.Tensor) -> tuple[list[float], int]:
    """The objective of ``images`` ``[N, 784]`` with the weights as they are.

    Returns:
        objective, KL and reconstruction, means in nats per image; the number of active latents.
    """
    # The same latent noise in every epoch: what differs between records is then the weights.
    generator = torch.Generator(run.device).manual_seed(run.spec.seed)
    total, means = torch.zeros(3, device=run.device), []
    for x in images.split(1000):
        shape = (run.spec.n_samples, len(x), run.spec.n_z)
        epsilon = torch.randn(shape, generator=generator, device=run.device)
        found = forward(run.flat.parameters, x, epsilon, run.spec.beta)
        total += torch.stack(found.objective) * (len(x) / len(images))
        means.append(found.mu)
    return total.tolist(), int(active_latents(torch.cat(means)).sum())


def seconds_per_step(
    specs: Sequence[Spec], n_images: int, device: torch.device | str = "cpu"
) -> float:
    """Seconds of one optimisation step here and now, the median of five of a throw-away run.

    Args:
        specs: what would be trained at once.
        n_images: size of the training set, which limits the minibatch.
        device: where; on a GPU a step is the mean of fifty, because only many keep it busy.
    """
    runs = [TrainingRun(spec, device) for spec in specs]
    steps = 50 if runs[0].device.type == "cuda" else 1
    n_images = min(steps * specs[0].minibatch, n_images)
    epoch_of_all = _epoch_of_all(runs, torch.rand(n_images, 784, device=runs[0].device))
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        epoch_of_all([spec.learning_rate(0) for spec in specs])  # ends with a copy to the host
        seconds.append(time.perf_counter() - started)
    return sorted(seconds[1:])[2] / -(-n_images // specs[0].minibatch)
