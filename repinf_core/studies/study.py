"""The parts that all studies share: the trained network, and the record that they return."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import pandas as pd
import torch

from repinf_core import data, geometry, models
from repinf_core.data import LabelledImages
from repinf_core.models.mlp import VAE, VAESpec
from repinf_core.profiles import PROFILES, Experiment
from repinf_core.training import progress, store
from repinf_core.training.run import TrainingRun

IN_RESULTS = {
    "whole_chord": "approaches_whole_chord",
    "same_time": "approaches_same_time",
    "sem": "minimum_sem",
    "chord_minimum": "line_minimum",
    "chord_at_step": "line_at_step",
}
"""Columns of tables of approaches that have another name in a study's numbers."""


@dataclass(frozen=True)
class Study:
    """The results of a chapter; a subclass adds its tables and the arrays of its figures.

    Attributes:
        experiment: the experiment that was run.
        device: device of the computation.
        numbers: plain numbers, texts, lists and dictionaries, which the claims use.
        finding: the chapter's result in one sentence.
    """

    experiment: Experiment
    device: str
    numbers: dict[str, Any]
    finding: str

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The study's tables by name."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: table for name, table in values.items() if isinstance(table, pd.DataFrame)}


class Trained(NamedTuple):
    """A trained network, and its encoding of the training set.

    Attributes:
        run: the training, with its history and the number of epochs reached.
        model: the network, on ``device``.
        device: device of the network.
        train: the training set, on the CPU.
        memories: mu of every clean training image, ``[N, N_z]``, on the CPU (preprint Eq. 9).
        concepts: mean memory of each label, ``[K, N_z]``, on the CPU (preprint Eq. 8).
        class_names: names of the labels.
    """

    run: TrainingRun
    model: VAE
    device: str
    train: LabelledImages
    memories: torch.Tensor
    concepts: torch.Tensor
    class_names: tuple[str, ...]


def trained(experiment: Experiment, device: str | None = None) -> Trained:
    """The network of an experiment: from the store, shipped, or trained now.

    It prints where the network comes from and how long a training takes, and shows its progress.

    Args:
        experiment: experiment whose network is wanted.
        device: device of the network; by default a GPU if there is one, else the CPU.

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


def network_in_words(experiment: Experiment) -> str:
    """What a finding tells of its network: N_z, and beta and seed unless they are the book's."""
    beta, seed = experiment.beta, experiment.seed
    of_beta = "" if beta == PROFILES["paper"].beta else f", $\\beta = {beta:g}$"
    of_seed = "" if seed == PROFILES["paper"].seed else f", seed {seed}"
    return f"$N_z = {experiment.n_z}${of_beta}{of_seed}"


def default_device() -> str:
    """A GPU if there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def mean_curve(distances: torch.Tensor, chords: torch.Tensor) -> pd.DataFrame:
    """Mean distance over time, of trajectories and chords: a row for each ``t`` (steps).

    Args:
        distances: distances of z(t) to a target, ``[T+1, trials]``.
        chords: distances of the chords to it, likewise.

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
    """As :func:`mean_curve`, for the labels ``names``: ``[labels, T+1, trials]`` each."""
    of_label = zip(names, distances, chords, strict=True)
    tables = {name: mean_curve(*both) for name, *both in of_label}
    return stacked(tables, "label")


def stacked(tables: Mapping[Any, pd.DataFrame], *columns: str) -> pd.DataFrame:
    """Tables one below the other, with their keys (tuples for several columns) in ``columns``."""
    names = list(columns)
    return pd.concat(tables, names=names).reset_index(names).reset_index(drop=True)
