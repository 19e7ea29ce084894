"""Ranks of latent tensors in words, beside those that are reported of the companion."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from repinf_core import data
from repinf_core.profiles import Experiment

REPORTED = {
    "CAE and DAE": {"S1": (5, 7), "S2": (6, 7), "S3": (29, 48)},
    "VAE": {"S1": (7, 7), "S2": (7, 7), "S3": (48, 48)},
}
"""Ranks that others report of the companion: the smallest and the largest."""
SCOPES = ("clean images", "all noise levels")
"""Images over which ranks are compared; the second are the first and their noisy versions."""
_NETWORKS = {
    "CAE": "the CAE",
    "DAE": "the DAE",
    "VAE mean": "the VAE's mean",
    "VAE sampled": "the VAE's sampled $z$",
}


def ends_in_words(ends: Sequence[int], to: str = "–") -> str:
    """The smallest and the largest rank as a range, or as one number."""
    low, high = ends
    return str(low) if low == high else f"{low}{to}{high}"


def beside_reported(ranks: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each network and factor: ``reported``, of ``clean`` images and ``with_noise``.

    Args:
        ranks: by condition, of :func:`repinf_core.studies.rank_controls.numbers`.
    """
    of = {"CAE": "CAE and DAE", "DAE": "CAE and DAE", "VAE mean": "VAE"}
    return pd.DataFrame(
        [
            {
                "network": network,
                "factor": factor,
                "reported": ends_in_words(ends),
                "clean": ends_in_words(ranks[network][SCOPES[0]][factor]),
                "with_noise": ends_in_words(ranks[network][SCOPES[1]][factor]),
            }
            for network, theirs in of.items()
            for factor, ends in REPORTED[theirs].items()
        ]
    )


def finding(experiment: Experiment, numbers: Mapping[str, Any]) -> str:
    """The ranks of S3 over clean images, and whether they are those that ties leave.

    Args:
        experiment: whose data set it is.
        numbers: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
    """
    of = {name: numbers["ranks"][name][SCOPES[0]]["S3"] for name in _NETWORKS}
    told = _listed(f"{ends_in_words(of[name], ' to ')} for {_NETWORKS[name]}" for name in of)
    shares = numbers["share_left_by_ties"]
    of_means = [name for name in _NETWORKS if name != "VAE sampled"]
    ties = _listed(f"{shares[double(name)]:.0%} ({name})" for name in of_means)
    return (
        f"Over {numbers['images']:,} clean test images of "
        f"{data.DATASETS[experiment.dataset].title}, the rank of $S_3$ is {told}. In double "
        f"precision it is just what ties leave for {ties} of the images."
    )


def double(network: str) -> str:
    """The condition in which a network computes in double precision."""
    return f"{network}, float64"


def _listed(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
