"""Do trajectories approach the centre of their cluster?  Fig. 3 and Supplementary Information C."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from repinf_core import data, geometry
from repinf_core.dynamics import jacobian
from repinf_core.noise import noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.streams import Stream, generator
from repinf_core.studies.study import (
    IN_RESULTS,
    Study,
    Trained,
    mean_curves,
    network_in_words,
    trained,
)
from repinf_core.studies.target_distances import TARGETS, follow


@dataclass(frozen=True)
class ClusterCenters(Study):
    """The tables of Fig. 3 and of its controls.

    Attributes:
        curves: a row for each target, label and t: ``label`` (its name), ``target`` (of
            :data:`~repinf_core.studies.target_distances.TARGETS`), ``t`` (steps), ``mean`` and
            ``sem`` of the distance over the trials (Euclidean, in latent space; Mahalanobis where
            the target says so), ``chord`` (mean distance of the chords at the same t).
        labels: a row for each label: whether its mean curve approaches the concept below the
            ``whole_chord`` and below the chord at the ``same_time``; ``step`` and ``minimum`` of
            the mean curve, with its ``sem``; the chord's distance ``chord_at_step`` and
            ``chord_minimum``; the ``first`` and the ``last`` distance; ``trials_approaching``,
            the share of single trials below their whole chord; ``nearest_own``, the share of
            trials to which the own concept is the nearest of all when they are closest to it.
        targets: a row for each target: the number of labels whose mean curve approaches it below
            the ``whole_chord`` and at the ``same_time``.
        gains: a row for each label: by what a step at the concept multiplies lengths, on average
            ``along`` the noise and at most ``across`` it (missing where there is no such
            direction), and the number of ``growing`` singular directions; in the columns that
            begin with ``prior_`` the same at a random point of the prior, a control.
    """

    curves: pd.DataFrame
    labels: pd.DataFrame
    targets: pd.DataFrame
    gains: pd.DataFrame


def run(experiment: Experiment, device: str | None = None) -> ClusterCenters:
    """Follow noisy images of every label, and measure how they pass their concept.

    Args:
        experiment: of it ``trials`` per label, ``p``, ``noise``, ``trial_seed`` and ``steps``
            are taken, and all that names the network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    return of_network(trained(experiment, device), experiment)


def of_network(network: Trained, experiment: Experiment) -> ClusterCenters:
    """As :func:`run`, for a network that is trained already.

    Args:
        network: the experiment's.
        experiment: of it all is taken that does not name the network.
    """
    rows, x0 = noisy_trials(
        network.train,
        range(10),
        experiment.trials,
        experiment.p,
        experiment.noise,
        experiment.trial_seed,
    )
    distances, chords, shares, z_first = follow(network, rows, x0, experiment.steps)
    names = network.class_names
    readings = {target: _readings(distances[target], chords[target]) for target in TARGETS}
    curves = pd.concat(
        mean_curves(distances[target], chords[target], names).assign(target=target)
        for target in TARGETS
    )
    labels = readings["concept"].assign(**shares)
    labels.insert(0, "label", names)
    gains = _gains(network, z_first - network.memories[rows], names, experiment.trial_seed)
    targets = pd.DataFrame(
        {
            "target": TARGETS,
            "whole_chord": [int(readings[target].whole_chord.sum()) for target in TARGETS],
            "same_time": [int(readings[target].same_time.sum()) for target in TARGETS],
        }
    )
    numbers = _numbers(network.run.epoch, experiment.steps, labels, gains, readings)
    return ClusterCenters(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=_finding(experiment, numbers),
        curves=curves.reset_index(drop=True),
        labels=labels,
        targets=targets,
        gains=gains,
    )


def _readings(distances: torch.Tensor, chords: torch.Tensor) -> pd.DataFrame:
    """Whether the mean curve of each label approaches its target, by both criteria, and where."""
    whole_chord, same_time = geometry.approach_of_means(distances, chords)
    mean, chord = distances.mean(2), chords.mean(2)
    step = whole_chord.step[:, None]
    sem = distances.std(2) / distances.shape[2] ** 0.5
    return pd.DataFrame(
        {
            "whole_chord": whole_chord.approaches,
            "same_time": same_time,
            "step": whole_chord.step,
            "minimum": whole_chord.minimum,
            "sem": sem.gather(1, step)[:, 0],
            "chord_at_step": chord.gather(1, step)[:, 0],
            "chord_minimum": chord.min(1).values,
            "first": mean[:, 0],
            "last": mean[:, -1],
        }
    )


def _gains(
    network: Trained, displaced: torch.Tensor, names: tuple[str, ...], seed: int
) -> pd.DataFrame:
    """What a step does to lengths at each concept, and at a point of the prior in its place.

    Args:
        network: the trained one.
        displaced: z(0) - xi, ``[trials, N_z]``, label by label.
        names: of the labels.
        seed: of the points of the prior.
    """
    prior = torch.randn(network.concepts.shape, generator=generator(seed, Stream.PRIOR_POINTS))
    of_labels = displaced.view(10, -1, displaced.shape[1])
    at_concepts = _gains_at(network, network.concepts, of_labels)
    at_prior = _gains_at(network, prior, of_labels).add_prefix("prior_")
    return pd.concat([pd.DataFrame({"label": names}), at_concepts, at_prior], axis=1)


def _gains_at(network: Trained, points: torch.Tensor, displaced: torch.Tensor) -> pd.DataFrame:
    """At each of ten points, with the displacements ``[10, trials, N_z]`` of a label for each."""
    maps = jacobian.jacobian(network.model, points.to(network.device)).cpu()
    pairs = [geometry.directional_gains(*both) for both in zip(maps, displaced, strict=True)]
    return pd.DataFrame(
        {
            "along": pd.array([along for along, _ in pairs], dtype="Float64"),
            "across": pd.array([across for _, across in pairs], dtype="Float64"),
            "growing": [int((torch.linalg.svdvals(one) > 1).sum()) for one in maps],
        }
    )


def _numbers(
    epochs: int,
    steps: int,
    labels: pd.DataFrame,
    gains: pd.DataFrame,
    readings: dict[str, pd.DataFrame],
) -> dict[str, Any]:
    memory = readings["memory"]
    leaves = (labels.step > 0) & (labels["last"] > labels.minimum + 2 * labels["sem"])
    saddle = (gains.along < 1) & (gains.across > 1)
    at_prior = (gains.prior_along < 1) & (gains.prior_across > 1)
    names = IN_RESULTS | {
        "trials_approaching": "share_of_trials",
        "nearest_own": "share_nearest_own_concept",
    }
    of_label = labels.set_index("label").rename(columns=names)
    of_label["memory_step"] = memory.step.to_numpy()
    of_label["memory_minimum"] = memory.minimum.to_numpy()
    of_label["growth_along_noise"] = (
        gains.along.astype(object).where(gains.along.notna(), None).to_numpy()
    )
    of_label["growth_across_noise"] = (
        gains.across.astype(object).where(gains.across.notna(), None).to_numpy()
    )
    of_label["directions_that_grow"] = gains.growing.to_numpy()
    return {
        "epochs_trained": epochs,
        "labels": of_label.to_dict("index"),
        "Mahalanobis": _of_control(readings["Mahalanobis"], labels),
        "wrong_concept": _of_control(readings["wrong concept"], labels),
        "labels_with_a_saddle": int(saddle.fillna(False).sum()),
        "prior_points_with_a_saddle": int(at_prior.fillna(False).sum()),
        "labels_approaching_whole_chord": int(labels.whole_chord.sum()),
        "labels_approaching_same_time": int(labels.same_time.sum()),
        "share_of_trials_approaching": float(labels.trials_approaching.mean()),
        "labels_passing_the_concept": int((labels.whole_chord & leaves).sum()),
        "labels_leaving_again": int(leaves.sum()),
        "labels_whose_line_is_closest_at_its_start": int(
            (labels.chord_minimum >= labels["first"]).sum()
        ),
        "labels_with_memory_no_later_than_concept": int(
            (memory.step.to_numpy() <= labels.step.to_numpy()).sum()
        ),
        "labels_with_memory_in_the_first_quarter": int((memory.step <= steps / 4).sum()),
    }


def _of_control(control: pd.DataFrame, labels: pd.DataFrame) -> dict[str, Any]:
    return {
        "labels_approaching_whole_chord": int(control.whole_chord.sum()),
        "labels_as_to_the_concept": int((control.whole_chord == labels.whole_chord).sum()),
        "labels_approaching_same_time": int(control.same_time.sum()),
        "steps": control.step.tolist(),
        "minima": control.minimum.tolist(),
        "line_minima": control.chord_minimum.tolist(),
    }


def _finding(experiment: Experiment, found: dict[str, Any]) -> str:
    wrong = found["wrong_concept"]
    title = data.DATASETS[experiment.dataset].title
    return (
        f"On {title} with {network_in_words(experiment)} and $p = {experiment.p:g}$ the mean "
        f"curve comes closer to its concept and leaves it again for "
        f"{found['labels_leaving_again']} of 10 labels. It passes below its chord at the same "
        f"time for {found['labels_approaching_same_time']} of 10, and below the whole chord for "
        f"{found['labels_approaching_whole_chord']} of 10. For a wrong concept these are "
        f"{wrong['labels_approaching_same_time']} and {wrong['labels_approaching_whole_chord']}."
    )
