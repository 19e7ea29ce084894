"""Do trajectories approach the concept on Fashion-MNIST too?  Supplementary Information D."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from repinf_core import data, geometry
from repinf_core.dynamics import approach
from repinf_core.profiles import PROFILES, Experiment
from repinf_core.studies import cluster_centers
from repinf_core.studies.other_dataset import on_dataset
from repinf_core.studies.study import Study, default_device, trained

DIGITS, FASHION = "digits", "fashion_mnist"


@dataclass(frozen=True)
class FashionMNIST(Study):
    """A comparison of data sets: digits, the experiment's own, Fashion-MNIST.

    Attributes:
        datasets: a row for each data set: its ``dataset`` and ``title``, the network's ``n_z``, the
            ``epochs`` trained, the test ``objective`` (nats per image), the number of ``active``
            latent variables, the number of principal ``components`` that hold 70% of the variance
            of the memories, and ``trials_approaching``, the share of single trials below their
            whole chord.
        counts: a row for each data set, ``metric`` (Euclidean, Mahalanobis), ``target`` (own or
            wrong concept; the wrong one Euclidean only) and ``reading`` (whole chord, same time):
            the number of ``labels`` whose mean curve approaches the target.
        curves: a row for each data set, label and t: ``mean`` and ``sem`` of the distance to the
            concept over the trials, and the mean of the ``chord`` (Euclidean, in latent space).
        closest: a row for each data set, landmark and p, for images of one label: ``mean`` of the
            smallest distance over t (Euclidean, in latent space), and ``two_sem``, two standard
            errors of it.
        stages: a row for each data set and stage: the ``label`` of the images, the ``nearest``
            landmark, and the range of p from ``start`` to ``stop``.
        concept_images: images decoded from the concepts, ``[10, 784]``, by the data set's title.
    """

    datasets: pd.DataFrame
    counts: pd.DataFrame
    curves: pd.DataFrame
    closest: pd.DataFrame
    stages: pd.DataFrame
    concept_images: dict[str, np.ndarray]


def run(experiment: Experiment, device: str | None = None) -> FashionMNIST:
    """Measure the approach and the stages on each data set with the same programs.

    Without a sound copy of Fashion-MNIST, this data set is left out, and the finding says so.

    Args:
        experiment: uses ``trials`` (per label), ``p``, ``noise``, ``trial_seed``, ``steps``,
            ``label``, ``p_grid``, ``trials_per_p`` and the parameters of the network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    measured = [_measure(of_dataset, device) for of_dataset in _experiments(experiment)]
    judged = (experiment.dataset, FASHION)  # the paper does not use scikit-learn's digits
    numbers = {
        "datasets": {one.dataset: one.numbers for one in measured},
        "epochs_trained": min(
            one.numbers["epochs_trained"] for one in measured if one.dataset in judged
        ),
        "lacks_data": FASHION not in [one.dataset for one in measured],
    }

    def together(tables: list[pd.DataFrame]) -> pd.DataFrame:
        titled = zip(measured, tables, strict=True)
        return pd.concat([table.assign(dataset=one.title) for one, table in titled]).reset_index(
            drop=True
        )

    return FashionMNIST(
        experiment=experiment,
        device=device or default_device(),
        numbers=numbers,
        finding=_finding(experiment, measured, numbers["lacks_data"]),
        datasets=_datasets(measured),
        counts=together([one.counts for one in measured]),
        curves=together([one.curves for one in measured]),
        closest=together([one.closest for one in measured]),
        stages=together([one.stages for one in measured]),
        concept_images={one.title: one.concept_images for one in measured},
    )


def _experiments(experiment: Experiment) -> list[Experiment]:
    """The experiments on digits, on the experiment's own data set, and on Fashion-MNIST.

    Data sets that are not available are left out.  An experiment on Fashion-MNIST itself is not
    compared with others.
    """
    if experiment.dataset == FASHION:
        return [experiment]
    digits = [] if experiment.dataset == DIGITS else [_on_digits(experiment)]
    clothes = on_dataset(experiment, FASHION)
    return [*digits, experiment, *([clothes] if clothes else [])]


def _on_digits(experiment: Experiment) -> Experiment:
    """The network of profile quick, which trains fast anywhere, with the experiment's trials."""
    names = ("p", "noise", "trial_seed", "trials", "steps", "label", "p_grid", "trials_per_p")
    trials = {name: getattr(experiment, name) for name in names}
    return dataclasses.replace(PROFILES["quick"], dataset=DIGITS, **trials)


@dataclass(frozen=True)
class _Measured:
    """The results on one data set; its tables are parts of the tables of :class:`FashionMNIST`."""

    dataset: str
    title: str
    n_z: int
    numbers: dict[str, Any]
    counts: pd.DataFrame
    curves: pd.DataFrame
    closest: pd.DataFrame
    stages: pd.DataFrame
    concept_images: np.ndarray


def _measure(experiment: Experiment, device: str | None) -> _Measured:
    network = trained(experiment, device)
    clusters = cluster_centers.of_network(network, experiment)
    concepts = network.concepts.to(network.device)
    closest = approach.closest_approach_by_noise(
        network.model, network.train, network.memories.to(network.device), experiment
    )
    means, two_sem = approach.mean_and_two_sem(closest.distance)
    p_grid = torch.tensor(experiment.p_grid, dtype=torch.float64)
    stages = [
        {"nearest": approach.LANDMARKS[stage.nearest], "start": stage.start, "stop": stage.stop}
        for stage in geometry.stages(p_grid, means)
    ]
    numbers = {
        "epochs_trained": network.run.epoch,
        "test_negative_elbo": network.run.history[-1].test["negative_elbo"],
        "active_latents": int(geometry.active_latents(network.memories).sum()),
        "components_for_70_percent": geometry.components(network.memories, 0.7),
        **_approaching(clusters.targets, "concept"),
        "share_of_trials_approaching": clusters.numbers["share_of_trials_approaching"],
        "wrong_concept": _approaching(clusters.targets, "wrong concept"),
        "Mahalanobis": _approaching(clusters.targets, "Mahalanobis"),
        "stages": stages,
    }
    of_concept = clusters.curves[clusters.curves.target == "concept"]
    return _Measured(
        dataset=experiment.dataset,
        title=data.DATASETS[experiment.dataset].title,
        n_z=experiment.n_z,
        numbers=numbers,
        counts=_counts(clusters.targets),
        curves=of_concept.drop(columns="target"),
        closest=_closest(experiment, means, two_sem),
        stages=pd.DataFrame(stages).assign(label=network.class_names[experiment.label]),
        concept_images=network.model.decode_mean(concepts).detach().cpu().numpy(),
    )


def _approaching(targets: pd.DataFrame, target: str) -> dict[str, int]:
    row = targets.set_index("target").loc[target]
    readings = ("whole_chord", "same_time")
    return {f"labels_approaching_{reading}": int(row[reading]) for reading in readings}


def _counts(targets: pd.DataFrame) -> pd.DataFrame:
    """The ``targets`` of :class:`~cluster_centers.ClusterCenters` with a row for each reading."""
    asked = {
        "concept": ("Euclidean", "own concept"),
        "Mahalanobis": ("Mahalanobis", "own concept"),
        "wrong concept": ("Euclidean", "wrong concept"),
    }
    rows = [
        (*named, reading.replace("_", " "), labels)
        for name, named in asked.items()
        for reading, labels in targets.set_index("target").loc[name].items()
    ]
    return pd.DataFrame(rows, columns=["metric", "target", "reading", "labels"])


def _closest(experiment: Experiment, means: torch.Tensor, two_sem: torch.Tensor) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "landmark": np.repeat(approach.LANDMARKS, len(experiment.p_grid)),
            "p": [*experiment.p_grid] * len(approach.LANDMARKS),
            "mean": means.flatten(),
            "two_sem": two_sem.flatten(),
        }
    )


def _datasets(measured: list[_Measured]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dataset": one.dataset,
            "title": one.title,
            "n_z": one.n_z,
            "epochs": one.numbers["epochs_trained"],
            "objective": one.numbers["test_negative_elbo"],
            "active": one.numbers["active_latents"],
            "components": one.numbers["components_for_70_percent"],
            "trials_approaching": one.numbers["share_of_trials_approaching"],
        }
        for one in measured
    )


def _finding(experiment: Experiment, measured: list[_Measured], lacks_data: bool) -> str:
    counts = ", ".join(
        f"{one.numbers['labels_approaching_whole_chord']} and "
        f"{one.numbers['labels_approaching_same_time']} of 10 labels on {one.title} (a wrong "
        f"concept: {one.numbers['wrong_concept']['labels_approaching_whole_chord']} and "
        f"{one.numbers['wrong_concept']['labels_approaching_same_time']})"
        for one in measured
    )
    found = (
        f"At $p = {experiment.p:g}$ the mean curve approaches its concept, below the whole "
        f"chord and below the chord at the same time, for {counts}."
    )
    if not lacks_data:
        return found
    return (
        f"{found} Fashion-MNIST was not available where this page was run. Set `REPINF_DATA` to a "
        f"folder that has an intact copy of it in torchvision's layout."
    )
