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
TEXTURED = "{}, textured ground"
"""The condition in which a network sees images with a texture on their blank ground."""
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
    """Which networks have one rank for all images, the ranks of S3, and whether ties leave them.

    Args:
        experiment: whose data set it is.
        numbers: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
    """
    clean = {name: numbers["ranks"][name][SCOPES[0]] for name in _NETWORKS}
    always = [_NETWORKS[name] for name in clean if all(clean[name]["fixed"])]
    which = (
        "no network has"
        if not always
        else "every network has"
        if len(always) == len(clean)
        else f"only {_listed(always)} {'has' if len(always) == 1 else 'have'}"
    )
    means = [name for name in _NETWORKS if name != "VAE sampled"]
    return (
        f"Over {numbers['images']:,} clean test images of "
        f"{data.DATASETS[experiment.dataset].title}, {which} one and the same rank for all images, "
        f"at every tolerance of a decade. In single precision the rank of $S_3$ is "
        f"{_of_s3(numbers, _NETWORKS)}. In double precision it is "
        f"{_of_s3(numbers, {double(name): _NETWORKS[name] for name in means})}, in "
        f"{_shares(numbers, map(double, means))} of the images exactly what ties between places "
        f"leave. With a texture on the blank ground, which breaks the ties, it is "
        f"{_of_s3(numbers, {double(TEXTURED.format(n)): _NETWORKS[n] for n in means})}."
    )


def active(numbers: Mapping[str, Any]) -> str:
    """How many channels of each network are active, in a sentence.

    Args:
        numbers: of :class:`repinf_core.studies.latent_manifolds.LatentManifolds`.
    """
    counts = numbers["active_channels"]
    told = _listed(f"{counts[name]} of {_NETWORKS[name]}" for name in counts)
    return (
        f"Of {numbers['channels']} channels, those with a latent variable whose variance over the "
        f"clean images is above 0.01: {told}."
    )


def _of_s3(numbers: Mapping[str, Any], conditions: Mapping[str, str]) -> str:
    """The ranges of S3 over clean images; equal ones are told once."""
    ends = {name: numbers["ranks"][name][SCOPES[0]]["S3"] for name in conditions}
    texts = {conditions[name]: ends_in_words(of, " to ") for name, of in ends.items()}
    if len({*texts.values()}) == 1:
        return f"{next(iter(texts.values()))} for {_listed(texts)}"
    return _listed(f"{text} for {name}" for name, text in texts.items())


def _shares(numbers: Mapping[str, Any], conditions: Iterable[str]) -> str:
    return _listed(f"{numbers['share_left_by_ties'][name]:.0%}" for name in conditions)


def double(network: str) -> str:
    """The condition in which a network computes in double precision."""
    return f"{network}, float64"


def _listed(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
