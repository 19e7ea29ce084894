"""Is the approach to the concept alike on Fashion-MNIST?  Supplementary Information D."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from repinf_core import data, geometry
from repinf_core.dynamics import approach
from repinf_core.models.mlp import VAESpec
from repinf_core.profiles import PROFILES, Experiment
from repinf_core.studies.study import Study, default_device, mean_curves, trained
from repinf_core.training import store

FASHION = "fashion_mnist"


@dataclass(frozen=True)
class FashionMNIST(Study):
    """Two data sets side by side; one alone where Fashion-MNIST is asked for or cannot be had.

    Attributes:
        datasets: a row for each data set: its ``dataset`` and ``title``, the ``epochs`` trained,
            the test ``objective`` (nats per image), the number of ``active`` latent variables, and
            how many principal ``components`` carry 70% of the variance of the memories.
        counts: a row for each data set, target (own or wrong concept) and criterion (chord:
            whole, same time): of how many ``labels`` the mean curve approaches the target.
        curves: a row for each data set, label and t: ``mean`` and ``sem`` of the distance to the
            concept over the trials, and the mean of the ``chord`` (Euclidean, in latent space).
        closest: a row for each data set, landmark and p, for images of one label: ``mean`` of the
            smallest distance over t, and ``two_sem``, two standard errors of it.
        stages: a row for each data set and stage: the ``label`` of the images, the ``nearest``
            landmark, and the range of p from ``start`` to ``stop``.
        concept_images: decoded from the concepts, ``[10, 784]``, by the data set's title.
    """

    datasets: pd.DataFrame
    counts: pd.DataFrame
    curves: pd.DataFrame
    closest: pd.DataFrame
    stages: pd.DataFrame
    concept_images: dict[str, np.ndarray]


def run(experiment: Experiment, device: str | None = None) -> FashionMNIST:
    """Measure the experiment's data set and Fashion-MNIST by the same programs.

    Fashion-MNIST is left out, and the finding says so, where there is no sound copy of it.

    Args:
        experiment: of it ``trials`` per label, ``p``, ``noise``, ``trial_seed``, ``steps``,
            ``label``, ``p_grid`` and ``trials_per_p`` are taken, and all that names the network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    experiments = _experiments(experiment)
    measured = [_measure(of_dataset, device) for of_dataset in experiments]
    numbers = {
        "datasets": {one.dataset: one.numbers for one in measured},
        "epochs_trained": min(one.numbers["epochs_trained"] for one in measured),
        "consistent": _consistent([one.numbers for one in measured]),
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
        counts=together([_counts(one.numbers) for one in measured]),
        curves=together([one.curves for one in measured]),
        closest=together([one.closest for one in measured]),
        stages=together([one.stages for one in measured]),
        concept_images={one.title: one.concept_images for one in measured},
    )


def _experiments(experiment: Experiment) -> list[Experiment]:
    """The experiment at hand, and the same on Fashion-MNIST if that is another one to be had.

    On Fashion-MNIST it asks for the shipped network where there is one, and otherwise for as many
    steps of training as on the experiment's own data set.
    """
    n_images = len(data.load(experiment.dataset, "train").images)
    try:
        share = n_images / len(data.load(FASHION, "train").images)
    except data.DataError:
        return [experiment]
    paper = PROFILES["paper"]
    shipped = dataclasses.replace(
        experiment, dataset=FASHION, epochs=paper.epochs, precision=paper.precision
    )
    epochs = max(1, round(experiment.epochs * share))
    alike = dataclasses.replace(experiment, dataset=FASHION, epochs=epochs)
    fashion = shipped if store.is_available(VAESpec.of(shipped)) else alike
    return [fashion] if experiment.dataset == FASHION else [experiment, fashion]


@dataclass(frozen=True)
class _Measured:
    """What is measured on one data set; its tables as those of :class:`FashionMNIST`."""

    dataset: str
    title: str
    numbers: dict[str, Any]
    curves: pd.DataFrame
    closest: pd.DataFrame
    stages: pd.DataFrame
    concept_images: np.ndarray


def _measure(experiment: Experiment, device: str | None) -> _Measured:
    network = trained(experiment, device)
    concepts = network.concepts.to(network.device)
    distances, chords = approach.to_concepts(network.model, network.train, concepts, experiment)
    strict, weak = geometry.approach_of_means(distances, chords)
    of_the_next = concepts.roll(-1, 0)  # a control: the concept of the next label
    wrong_strict, wrong_weak = geometry.approach_of_means(
        *approach.to_concepts(network.model, network.train, of_the_next, experiment)
    )
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
        "labels_approaching_whole_chord": int(strict.approaches.sum()),
        "labels_approaching_same_time": int(weak.sum()),
        "labels_approaching_a_wrong_concept_whole_chord": int(wrong_strict.approaches.sum()),
        "labels_approaching_a_wrong_concept_same_time": int(wrong_weak.sum()),
        "stages": stages,
    }
    return _Measured(
        dataset=experiment.dataset,
        title=data.DATASETS[experiment.dataset].title,
        numbers=numbers,
        curves=mean_curves(distances, chords, network.class_names),
        closest=_closest(experiment, means, two_sem),
        stages=pd.DataFrame(stages).assign(label=network.class_names[experiment.label]),
        concept_images=network.model.decode_mean(concepts).detach().cpu().numpy(),
    )


def _closest(experiment: Experiment, means: torch.Tensor, two_sem: torch.Tensor) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "landmark": np.repeat(approach.LANDMARKS, len(experiment.p_grid)),
            "p": [*experiment.p_grid] * len(approach.LANDMARKS),
            "mean": means.flatten(),
            "two_sem": two_sem.flatten(),
        }
    )


def _counts(found: dict[str, Any]) -> pd.DataFrame:
    key = "labels_approaching"
    rows = (
        ("own concept", "whole chord", found[f"{key}_whole_chord"]),
        ("own concept", "same time", found[f"{key}_same_time"]),
        ("wrong concept", "whole chord", found[f"{key}_a_wrong_concept_whole_chord"]),
        ("wrong concept", "same time", found[f"{key}_a_wrong_concept_same_time"]),
    )
    return pd.DataFrame(rows, columns=["target", "chord", "labels"])


def _datasets(measured: list[_Measured]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "dataset": one.dataset,
            "title": one.title,
            "epochs": one.numbers["epochs_trained"],
            "objective": one.numbers["test_negative_elbo"],
            "active": one.numbers["active_latents"],
            "components": one.numbers["components_for_70_percent"],
        }
        for one in measured
    )


def _consistent(found: list[dict[str, Any]]) -> bool | None:
    """Whether the numbers of labels that approach differ by no more than two, by both criteria."""
    if len(found) < 2:
        return None
    one, other = found
    keys = ("labels_approaching_whole_chord", "labels_approaching_same_time")
    return all(abs(one[key] - other[key]) <= 2 for key in keys)


def _finding(experiment: Experiment, measured: list[_Measured], lacks_data: bool) -> str:
    if lacks_data:
        return (
            "Fashion-MNIST could not be had where this page was run. Set `REPINF_DATA` to a folder "
            "that has a sound copy of it in torchvision's layout."
        )
    counts = " and ".join(
        f"{one.numbers['labels_approaching_same_time']} of 10 labels (whole chord: "
        f"{one.numbers['labels_approaching_whole_chord']}) on {one.title}"
        for one in measured
    )
    return (
        f"With $N_z = {experiment.n_z}$ and $p = {experiment.p:g}$ the mean trajectory passes its "
        f"concept below its chord at the same time for {counts}."
    )
