"""How does the cloud of many trials of one label move?  Fig. 2, Suppl. A and B, movies S1-S10."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from repinf_core import data, geometry
from repinf_core.dynamics import rollout
from repinf_core.noise import noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.streams import stream_seed
from repinf_core.studies.branches import Branches, branches
from repinf_core.studies.study import Study, Trained, network_in_words, trained

LABEL = 1
"""The label of Fig. 2."""
BRANCH_TIME = 10
"""The step at which the paper sees two branches."""
_SHOWN = (0, 2, 5, BRANCH_TIME, 30)  # steps of the panels, in addition to the last one
_FOLLOWED = 4  # trials whose images a movie shows, the first in random order
_EXAMPLES = 10  # images of each group


class Cloud(NamedTuple):
    """All trials of one label in the moving plane, as the movie shows them.

    Attributes:
        label: label of the trials, 0 to 9.
        name: name of the label.
        places: places of the trials in the plane, ``[T+1, trials, 2]``, in units of z.
        concept: place of the label's concept in the same planes, ``[T+1, 2]``.
        nearest: label of the nearest concept, ``[T+1, trials]``.
        distance: mean Euclidean distance of the trials to the concept of their label, ``[T+1]``.
        images: images decoded from z(t) of the first trials, ``[T+1, followed, 784]``.
    """

    label: int
    name: str
    places: np.ndarray
    concept: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    images: np.ndarray


@dataclass(frozen=True)
class CollectiveDynamics(Study):
    """The tables of Fig. 2 and Suppl. B, and the clouds of the movies.

    Attributes:
        places: a row for each shown ``t`` (steps) and ``trial`` of label 1: ``axis_1`` and
            ``axis_2``, its place in the plane (Euclidean, in latent space), and the name of the
            ``nearest`` concept.
        concept_places: a row for each shown ``t``: the place of the concept of label 1.
        groups: a row for each group of the trials of label 1 at the branch time: its number of
            ``trials``, and ``nearest_own``, the share of these whose nearest concept is their
            own.  The group with the larger share is first.  One row if all trials coincide.
        splits: a row for each shown ``t``: the ``silhouette`` of the two groups of label 1 then
            (missing if all trials coincide), the trials in the ``smaller`` one, and the share
            nearest to their own concept in the group with ``more`` and in that with ``fewer``.
        curves: a row for each label and ``t``: ``mean`` and ``sem`` of the distance to the
            concept over the trials, and the share ``nearest_own``.
        labels: a row for each label: the ``silhouette`` of two groups at the branch time (missing
            if all trials coincide), and the share of trials nearest to their own concept at the
            ``first`` step, at the ``branch`` time and at the ``last`` step.
        clouds: the cloud of every label.
        group_images: for each group, images decoded at the branch time from the trials closest
            to the group's centre, ``[n, 784]``.
        class_names: names of the labels.
    """

    places: pd.DataFrame
    concept_places: pd.DataFrame
    groups: pd.DataFrame
    splits: pd.DataFrame
    curves: pd.DataFrame
    labels: pd.DataFrame
    clouds: tuple[Cloud, ...]
    group_images: tuple[np.ndarray, ...]
    class_names: tuple[str, ...]


def run(experiment: Experiment, device: str | None = None) -> CollectiveDynamics:
    """Follow noisy images of every label through the plane of the time-windowed PCA.

    Args:
        experiment: uses ``trials`` (per label), ``p``, ``noise``, ``trial_seed``, ``steps``,
            ``window`` and the parameters of the network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    network = trained(experiment, device)
    branch_time = min(BRANCH_TIME, experiment.steps)
    times = sorted({*(min(t, experiment.steps) for t in _SHOWN), experiment.steps})
    clouds, curves, labels = [], [], []
    for label, name in enumerate(network.class_names):
        z = _trajectories(network, experiment, label)
        cloud, curve = _cloud(network, z, label, experiment.window)
        at = {
            t: branches(z[t], torch.from_numpy(cloud.nearest[t] == label), experiment.trial_seed)
            for t in (times if label == LABEL else [branch_time])
        }
        own = curve.nearest_own
        labels.append((name, at[branch_time].silhouette, own[0], own[branch_time], own.iloc[-1]))
        clouds.append(cloud)
        curves.append(curve)
        if label == LABEL:
            groups, group_images = _groups(network, z[branch_time], at[branch_time])
            splits = _splits(at)
    places, concept_places = _places(clouds[LABEL], times, network.class_names)
    of_labels = pd.DataFrame(labels, columns=["label", "silhouette", "first", "branch", "last"])
    numbers = _numbers(network.run.epoch, branch_time, groups, of_labels)
    return CollectiveDynamics(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=_finding(experiment, numbers),
        places=places,
        concept_places=concept_places,
        groups=groups,
        splits=splits,
        curves=pd.concat(curves, ignore_index=True),
        labels=of_labels,
        clouds=tuple(clouds),
        group_images=group_images,
        class_names=network.class_names,
    )


def _trajectories(network: Trained, experiment: Experiment, label: int) -> torch.Tensor:
    """z(t) of noisy images of a label, ``[T+1, trials, N_z]``, on the CPU."""
    seed = stream_seed(experiment.trial_seed, label)
    _, x0 = noisy_trials(
        network.train, [label], experiment.trials, experiment.p, experiment.noise, seed
    )
    ran = rollout.rollout(
        network.model, x0.to(network.device), experiment.steps, {"z": rollout.latents}
    )
    return ran.observed["z"].cpu()


def _cloud(
    network: Trained, z: torch.Tensor, label: int, window: int
) -> tuple[Cloud, pd.DataFrame]:
    """The trials ``[T+1, trials, N_z]`` of a label in the moving plane, and their ``curves``."""
    name, concept = network.class_names[label], network.concepts[label]
    flat = (0, 1) if z.shape[2] == 1 else (0, 0)  # one latent: a line in a plane
    z_flat, concept_flat = torch.nn.functional.pad(z, flat), torch.nn.functional.pad(concept, flat)
    planes = geometry.windowed_pca(z_flat, window).float()
    nearest = torch.stack([torch.cdist(at_t, network.concepts).argmin(1) for at_t in z])
    distances = geometry.distance(z, concept)
    curve = pd.DataFrame(
        {
            "label": name,
            "t": range(len(z)),
            "mean": distances.mean(1),
            "sem": distances.std(1) / z.shape[1] ** 0.5,
            "nearest_own": (nearest == label).float().mean(1),
        }
    )
    cloud = Cloud(
        label,
        name,
        (z_flat @ planes).numpy(),
        (concept_flat @ planes).numpy(),
        nearest.numpy(),
        distances.mean(1).numpy(),
        _decoded(network, z[:, :_FOLLOWED]),
    )
    return cloud, curve


@torch.no_grad()
def _decoded(network: Trained, z: torch.Tensor) -> np.ndarray:
    """Images decoded from ``[..., N_z]``: ``[..., 784]``."""
    images = network.model.decode_mean(z.flatten(0, -2).to(network.device))
    return images.cpu().view(*z.shape[:-1], -1).numpy()


def _groups(
    network: Trained, states: torch.Tensor, found: Branches
) -> tuple[pd.DataFrame, tuple[np.ndarray, ...]]:
    """The ``groups`` of trials in these ``states`` and images of each."""
    table = pd.DataFrame(
        {
            "group": range(1, len(found.groups) + 1),
            "trials": [len(group.members) for group in found.groups],
            "nearest_own": [group.nearest_own for group in found.groups],
        }
    )
    shown = min(_EXAMPLES, *table.trials)
    images = []
    for group in found.groups:
        distances = geometry.distance(states[group.members], group.centre)
        images.append(_decoded(network, states[group.members[distances.argsort()[:shown]]]))
    return table, tuple(images)


def _splits(at: Mapping[int, Branches]) -> pd.DataFrame:
    """The branches at each shown time, as in ``splits``."""
    rows = []
    for t, (groups, silhouette) in at.items():
        smaller = min(len(group.members) for group in groups)
        rows.append((t, silhouette, smaller, groups[0].nearest_own, groups[-1].nearest_own))
    return pd.DataFrame(rows, columns=["t", "silhouette", "smaller", "more", "fewer"])


def _places(
    cloud: Cloud, times: Sequence[int], names: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    trials = cloud.places.shape[1]
    of_trials = pd.DataFrame(
        {
            "t": np.repeat(times, trials),
            "trial": np.tile(range(trials), len(times)),
            "axis_1": cloud.places[times, :, 0].ravel(),
            "axis_2": cloud.places[times, :, 1].ravel(),
            "nearest": np.array(names)[cloud.nearest[times].ravel()],
        }
    )
    of_concept = pd.DataFrame(cloud.concept[times], columns=["axis_1", "axis_2"])
    of_concept.insert(0, "t", times)
    return of_trials, of_concept


def _numbers(
    epochs: int, branch_time: int, groups: pd.DataFrame, labels: pd.DataFrame
) -> dict[str, Any]:
    return {
        "epochs_trained": epochs,
        "branch_time": branch_time,
        "silhouette": float(labels.silhouette.fillna(0)[LABEL]),
        "group_sizes": groups.trials.tolist(),
        "share_nearest_own_concept": groups.nearest_own.tolist(),
        "share_of_all_nearest_own_concept": float(labels.branch[LABEL]),
        "movies": len(labels),
    }


def _finding(experiment: Experiment, found: dict[str, Any]) -> str:
    dataset = data.DATASETS[experiment.dataset]
    name = dataset.class_names[LABEL]
    start = (
        f"On {dataset.title} with {network_in_words(experiment)} and $p = {experiment.p:g}$, at "
        f"$t = {found['branch_time']}$, "
    )
    if len(found["group_sizes"]) == 1:
        return f"{start}all trials are one point: this network has no branches."
    (one, other), (share, other_share) = found["group_sizes"], found["share_nearest_own_concept"]
    return (
        f"{start}k-means, which always finds two groups, puts {one} and {other} trials of '{name}' "
        f"into them, with a silhouette of {found['silhouette']:z.2f}. The concept of '{name}' is "
        f"the nearest one for {share:.0%} of the first group and {other_share:.0%} of the second."
    )
