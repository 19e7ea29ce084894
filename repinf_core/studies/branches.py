"""Do the trials of one label branch, that is, fall into two groups?  Fig. 2."""

from typing import NamedTuple

import torch
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from repinf_core import geometry


class Group(NamedTuple):
    """Trials that k-means puts together.

    Attributes:
        members: indices of the trials, ``[n]``.
        centre: mean of their states, ``[N_z]``.
        nearest_own: share of these trials whose nearest concept is their own.
    """

    members: torch.Tensor
    centre: torch.Tensor
    nearest_own: float


class Branches(NamedTuple):
    """The trials of one label in two groups, or in one if all trials coincide.

    Attributes:
        groups: the groups; the one with the larger share ``nearest_own`` is first.
        silhouette: silhouette of the groups, -1 to 1; NaN if there is only one.
    """

    groups: list[Group]
    silhouette: float


def branches(states: torch.Tensor, own: torch.Tensor, seed: int) -> Branches:
    """Group trials by k-means in the full latent space.

    Args:
        states: latent states of the trials at one time, ``[trials, N_z]``, on the CPU.
        own: whether the concept nearest to each trial is its own, ``[trials]``.
        seed: seed of the initial centres of k-means.
    """
    # In a collapsed network all states are one point, up to rounding.
    apart = float(geometry.distance(states, states.mean(0)).max()) > geometry.ROUNDING
    fitted = KMeans(2 if apart else 1, n_init=10, random_state=seed).fit(states)
    groups = []
    for group, centre in enumerate(torch.from_numpy(fitted.cluster_centers_)):
        members = torch.from_numpy(fitted.labels_ == group).nonzero()[:, 0]
        groups.append(Group(members, centre, float(own[members].float().mean())))
    groups.sort(key=lambda group: -group.nearest_own)
    return Branches(
        groups, float(silhouette_score(states, fitted.labels_)) if apart else float("nan")
    )
