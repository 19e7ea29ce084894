"""The judge of Fig. 5 and of Suppl. F: a small network that names the class of an image.

"Input-Convolution-Convolution-Pooling-Dropout1-FullyConnected-Dropout2-SoftMax", kernels of
3x3, pooling of 2x2, dropout of 0.25 and 0.5, rectified linear units (Results, text on Fig. 5;
preprint Appendix B).  The paper states no number of channels or units; those here, and the
minibatch, are of Keras's MNIST example, which has these very layers and reports the preprint's
test accuracy, 99.25%.  The optimiser (here Adam) and the epochs are not stated either.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from repinf_core.data import LabelledImages
from repinf_core.training import TrainingDiverged, store
from repinf_core.training.checkpoint import State

CLASSES = 10
_CHUNK = 256  # images judged at once: what they become between the layers stays in the cache


@dataclass(frozen=True)
class ClassifierSpec:
    """Every number that shapes the weights; its digest names the folder in the store."""

    dataset: str
    epochs: int
    precision: str
    seed: int
    minibatch: int = 128
    learning_rate: float = 1e-3

    @classmethod
    def of(cls, experiment: Any) -> "ClassifierSpec":
        """The part of an experiment (any object with these attributes) that shapes the weights."""
        return cls(
            experiment.dataset,
            experiment.classifier_epochs,
            experiment.precision,
            experiment.seed,
        )

    @property
    def name(self) -> str:
        """Readable and unique, as a model's."""
        digest = hashlib.sha256(self.as_json().encode()).hexdigest()[:12]
        return f"{self.dataset}-classifier-{digest}"

    def as_json(self) -> str:
        """The whole spec as JSON, keys sorted; its digest is part of the name."""
        return json.dumps(asdict(self), sort_keys=True)


# On a GPU: by default cuDNN rounds what is said to be float32, as nothing else here does.
_without_tf32 = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


class Classifier(nn.Module):
    """Images ``[N, 784]`` to the probabilities of ten classes.

    Args:
        generator: draws the initial weights (Glorot-uniform, biases zero), on the CPU.
        precision: of the matrix products, ``"float32"`` or ``"bfloat16"``.
    """

    def __init__(self, generator: torch.Generator, precision: str = "float32") -> None:
        super().__init__()
        self.precision = getattr(torch, precision)
        self.convolution1 = nn.Conv2d(1, 32, 3)
        self.convolution2 = nn.Conv2d(32, 64, 3)
        self.connected = nn.Linear(64 * 12 * 12, 128)
        self.out = nn.Linear(128, CLASSES)
        for layer in self.children():
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def logits(self, x: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Logits ``[N, 10]`` float32; with a ``generator``, which drops units, as in training."""
        narrow = self.precision != torch.float32
        with torch.autocast(x.device.type, self.precision, enabled=narrow):
            # Channels last is the order in which a CPU convolves fastest.
            h = x.view(-1, 1, 28, 28).to(memory_format=torch.channels_last)
            h = F.relu(self.convolution1(h))
            h = F.relu(F.max_pool2d(self.convolution2(h), 2))  # as pooling after it, and cheaper
            h = dropout(h, 0.25, generator).flatten(1)
            h = dropout(F.relu(self.connected(h)), 0.5, generator)
            return self.out(h).float()

    @torch.no_grad()
    @_without_tf32
    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        """Softmax of the logits, with nothing dropped: ``[N, 784]`` to ``[N, 10]``."""
        return torch.cat([self.logits(part).softmax(1) for part in x.split(_CHUNK)])


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


@dataclass(frozen=True)
class ClassifierRecord:
    """One epoch: cross entropies in nats per image, and the test accuracy after it."""

    epoch: int
    train_cross_entropy: float
    test_cross_entropy: float
    test_accuracy: float
    seconds: float

    def __str__(self) -> str:
        return f"test accuracy {self.test_accuracy:.2%}"


class ClassifierRun:
    """All that the next epoch depends on: weights, Adam's moments, generator, history."""

    def __init__(self, spec: ClassifierSpec, device: torch.device | str = "cpu") -> None:
        self.spec = spec
        self.device = torch.device(device)
        weights_generator = torch.Generator().manual_seed(spec.seed)
        self.model = Classifier(weights_generator, spec.precision).to(self.device)
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=spec.learning_rate, fused=True
        )
        self.generator = torch.Generator(self.device).manual_seed(spec.seed)
        self.history: list[ClassifierRecord] = []

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return len(self.history)

    def state(self) -> State:
        """A copy, which the next epoch leaves as it is; of a finished run only its weights."""
        tensors = {f"weights.{name}": w.clone() for name, w in self.model.state_dict().items()}
        if self.epoch < self.spec.epochs:
            for i, moments in self.optimiser.state_dict()["state"].items():
                tensors |= {f"adam.{i}.{name}": value.clone() for name, value in moments.items()}
            tensors["generator"] = self.generator.get_state()
        history = [asdict(record) for record in self.history]
        return State(self.spec.as_json(), history, self.device.type, tensors)

    @classmethod
    def load(
        cls, path: Path, spec: ClassifierSpec, device: torch.device | str = "cpu"
    ) -> "ClassifierRun":
        """The run whose state was saved in ``path``; raises as :meth:`State.load`."""
        run = cls(spec, device)
        state = State.load(path, spec.as_json(), run.device.type)
        weights, moments = {}, {}
        for name, value in state.tensors.items():
            group, _, rest = name.partition(".")
            if group == "weights":
                weights[rest] = value
            elif group == "adam":
                i, moment = rest.split(".")
                moments.setdefault(int(i), {})[moment] = value
        run.model.load_state_dict(weights)
        run.history = [ClassifierRecord(**record) for record in state.history]
        if not state.finished:
            run.generator.set_state(state.tensors["generator"])
            run.optimiser.load_state_dict(run.optimiser.state_dict() | {"state": moments})
        return run


def fit(
    run: ClassifierRun, train: LabelledImages, test: LabelledImages
) -> Iterator[ClassifierRecord]:
    """Train ``run`` to its spec's last epoch, yielding each epoch's record after it.

    Nothing is chosen by the test images: the weights after the last epoch are kept.

    Raises:
        TrainingDiverged: the cross entropy became NaN or infinite.
    """
    images, labels = train.images.to(run.device), train.labels.to(run.device)
    test_images, test_labels = test.images.to(run.device), test.labels.to(run.device)
    while run.epoch < run.spec.epochs:
        started = time.perf_counter()
        in_training = train_epoch(run, images, labels)
        seconds = time.perf_counter() - started
        on_test, accuracy = evaluate(run.model, test_images, test_labels)
        if not math.isfinite(in_training + on_test):
            raise TrainingDiverged(
                f"The cross entropy is {in_training} nats in training and {on_test} on test "
                f"images in epoch {run.epoch + 1} of {run.spec.name}; the last checkpoint before "
                f"it is kept."
            )
        record = ClassifierRecord(run.epoch + 1, in_training, on_test, accuracy, seconds)
        run.history.append(record)
        yield record


@_without_tf32
def train_epoch(run: ClassifierRun, images: torch.Tensor, labels: torch.Tensor) -> float:
    """One pass over ``images`` ``[N, 784]`` in random order; the mean cross entropy in nats."""
    total = torch.zeros((), device=run.device)
    order = torch.randperm(len(images), generator=run.generator, device=run.device)
    for rows in order.split(run.spec.minibatch):
        logits = run.model.logits(images[rows], run.generator)
        cross_entropy = F.cross_entropy(logits, labels[rows])
        run.optimiser.zero_grad()
        cross_entropy.backward()
        run.optimiser.step()
        total += cross_entropy.detach() * (len(rows) / len(images))
    return float(total)


@torch.no_grad()
@_without_tf32
def evaluate(model: Classifier, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Mean cross entropy in nats, and accuracy, on ``images`` ``[N, 784]``."""
    logits = torch.cat([model.logits(part) for part in images.split(_CHUNK)])
    right = logits.argmax(1) == labels
    return float(F.cross_entropy(logits, labels)), float(right.double().mean())


def trained(
    spec: ClassifierSpec,
    device: torch.device | str = "cpu",
    report: Callable[[ClassifierRecord], None] = lambda record: None,
    **checkpoints: float,
) -> ClassifierRun:
    """The run of ``spec``, from the store or trained now; as ``store.trained``."""
    return store.kept(spec, ClassifierRun, fit, device, report, **checkpoints)


def outlook(spec: ClassifierSpec, device: torch.device | str, n_images: int) -> str:
    """A line before the work starts: the classifier, and the time that it will take."""
    if store.is_trained(spec):
        return f"judge    {spec.name}, trained before"
    run, n = ClassifierRun(spec, device), min(n_images, 2 * spec.minibatch)
    images, labels = torch.rand(n, 784, device=run.device), torch.zeros(n).long().to(run.device)
    train_epoch(run, images, labels)  # the first steps also set things up
    started = time.perf_counter()
    train_epoch(run, images, labels)
    minutes = (time.perf_counter() - started) * n_images / n * spec.epochs / 60
    return f"judge    {spec.name}, {spec.epochs} epochs to train, about {minutes:.1f} minutes"


def predictions(
    classifier: Classifier,
) -> Callable[[torch.Tensor, torch.Tensor, slice], torch.Tensor]:
    """Observable of a rollout: the class named for the image x(t), ``[n]`` integers.

    What the book judges at step t is E_p(x|z(t))[x], the image that the inference generates in
    this step, and not the noisy input x(0).  That image is x(t+1): to judge t = 0 ... T, roll out
    T + 1 steps and observe at 1 ... T + 1.
    """
    return lambda x, z, trials: classifier.probabilities(x).argmax(1)
