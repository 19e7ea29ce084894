"""What all studies share: the trained network they look at, and the record they return."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import pandas as pd
import torch

from repinf_core import data, geometry, models
from repinf_core.data import LabelledImages
from repinf_core.models.mlp import VAE, VAESpec
from repinf_core.profiles import Experiment
from repinf_core.training import progress, store
from repinf_core.training.run import TrainingRun

IN_RESULTS = {
    "whole_chord": "approaches_whole_chord",
    "same_time": "approaches_same_time",
    "sem": "minimum_sem",
    "chord_minimum": "line_minimum",
    "chord_at_step": "line_at_step",
}
"""What a study's numbers call the columns of its tables of approaches; others keep their names."""


@dataclass(frozen=True)
class Study:
    """What a chapter measured; a subclass adds its tables and the arrays that figures need.

    Attributes:
        experiment: what was asked for.
        device: where it was computed.
        numbers: plain numbers, texts, lists and dictionaries, by which the claims are judged.
        finding: the chapter's result in one sentence.
    """

    experiment: Experiment
    device: str
    numbers: dict[str, Any]
    finding: str

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The study's tables by their names."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: table for name, table in values.items() if isinstance(table, pd.DataFrame)}


class Trained(NamedTuple):
    """A trained network and how it encodes its training set.

    Attributes:
        run: the training, with its history and the number of epochs reached.
        model: the network, on ``device``.
        device: where it is.
        train: the training set, on the CPU.
        memories: mu of every clean training image, ``[N, N_z]``, on the CPU (preprint Eq. 9).
        concepts: their mean for each label, ``[K, N_z]``, on the CPU (preprint Eq. 8).
        class_names: of the labels.
    """

    run: TrainingRun
    model: VAE
    device: str
    train: LabelledImages
    memories: torch.Tensor
    concepts: torch.Tensor
    class_names: tuple[str, ...]


def trained(experiment: Experiment, device: str | None = None) -> Trained:
    """The network that an experiment asks for: from the store, shipped, or trained now.

    It prints which one it is and how long a training takes, and shows a training's progress.

    Args:
        experiment: the one at hand.
        device: where; by default a GPU if there is one, else the CPU.

    Raises:
        DataError, StoreError, CheckpointError, TrainingDiverged, BelowFloor: as
            :func:`repinf_core.training.store.load_or_train`.
    """
    device = device or default_device()
    spec = VAESpec.of(experiment)
    train = data.load(experiment.dataset, "train")
    print(progress.estimate_runtime([spec], device, len(train.images)))
    with progress.bar(spec) as report:
        run = store.load_or_train(spec, device, report)
    model = cast(VAE, run.model)
    memories = models.memories(model, train.images.to(device)).cpu()
    return Trained(
        run,
        model,
        device,
        train,
        memories,
        geometry.concepts(memories, train.labels),
        data.DATASETS[experiment.dataset].class_names,
    )


def default_device() -> str:
    """A GPU if there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def mean_curve(distances: torch.Tensor, chords: torch.Tensor) -> pd.DataFrame:
    """A mean distance over time, beside that of the chords: a row for each ``t`` (steps).

    Args:
        distances: of z(t) to a target, ``[T+1, trials]``.
        chords: of the chords to it, likewise.

    Returns:
        ``t``, ``mean`` and its standard error ``sem`` (missing for a single trial), and the mean of
        the ``chord``.
    """
    mean, trials = distances.mean(1), distances.shape[1]
    sem = distances.std(1) / trials**0.5 if trials > 1 else torch.full_like(mean, torch.nan)
    return pd.DataFrame({"t": range(len(mean)), "mean": mean, "sem": sem, "chord": chords.mean(1)})


def mean_curves(
    distances: torch.Tensor, chords: torch.Tensor, names: Sequence[str]
) -> pd.DataFrame:
    """As :func:`mean_curve`, of the labels ``names``: ``[labels, T+1, trials]`` each."""
    of_label = zip(names, distances, chords, strict=True)
    tables = {name: mean_curve(*both) for name, *both in of_label}
    return pd.concat(tables, names=["label"]).reset_index("label").reset_index(drop=True)
