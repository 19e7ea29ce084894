"""Latent tensors in a Hilbert space: the subspace of a set of images, and how noise turns it.

An image is a point of the product of three manifolds.  The squared distance of two images is the
sum of the squared log-Euclidean distances of their S1, S2 and S3.  A Gaussian of it maps the images
to a Hilbert space, where the principal components of a set span a subspace.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pandas as pd
import torch

from repinf_core.geometry import manifolds
from repinf_core.geometry.manifolds import Covariances
from repinf_core.studies.latent_tensors import FACTORS, Inputs, Readout
from repinf_core.studies.study import stacked

SHARE = 0.95
"""Of the variance of a set of images in the Hilbert space, that its subspace holds."""
EPSILONS = (1e-3, 0.03, 1.0, 30.0, 1e3)
"""Multiples of ``log_epsilon`` at which subspaces are compared: three decades to each side."""
_COLUMNS = ["images", "level", "bandwidth", "dimension", "mean_angle", "largest_angle"]
_MISSING = {"dimension": torch.nan, "mean_angle": torch.nan, "largest_angle": torch.nan}


class Reference:
    """The subspace of clean images, with which others are compared.

    Args:
        points: logarithms of the clean images, ``[n, D]``, whose Euclidean distance is the
            distance of the images.  The median over pairs of images is the kernel's bandwidth.
    """

    def __init__(self, points: torch.Tensor) -> None:
        self._points = points
        squared = manifolds.squared_distances(points, points)
        one, other = torch.triu_indices(len(points), len(points), 1)
        self.bandwidth = float(squared[one, other].sqrt().median())
        self._subspace = self._spanned(points)

    def against(self, points: torch.Tensor) -> dict[str, float]:
        """The subspace of other images ``[m, D]``, and its principal angles with this one.

        Returns:
            its ``dimension``, and the ``mean_angle`` and ``largest_angle`` in degrees; missing if
            one of the sets has no variance, or if most of the clean images are one point.
        """
        subspace = self._spanned(points)
        if self._subspace is None or subspace is None:
            return _MISSING
        between = self._kernel(self._points, points)
        angles = manifolds.principal_angles(self._subspace, subspace, between).rad2deg()
        return {
            "dimension": subspace.shape[1],
            "mean_angle": float(angles.mean()),
            "largest_angle": float(angles.max()),
        }

    def _kernel(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        squared = manifolds.squared_distances(first, second)
        return manifolds.gaussian_kernel(squared, self.bandwidth)

    def _spanned(self, points: torch.Tensor) -> torch.Tensor | None:
        if self.bandwidth == 0:  # most of the clean images are one point
            return None
        try:
            return manifolds.principal_subspace(self._kernel(points, points), SHARE)
        except manifolds.NoVariance:
            return None


def subspaces(readout: Readout, inputs: Inputs, epsilon: float) -> pd.DataFrame:
    """Subspaces of clean and noisy images: a row for each multiple of epsilon and set of images.

    The first half of the images is compared with itself, clean and noisy, and with the other half.

    Returns:
        ``multiple``; ``images`` (``"same"`` or ``"other half"``), ``level``, ``dimension``,
        ``mean_angle`` and ``largest_angle`` (degrees); the ``bandwidth`` of the kernel.
    """
    epsilons = [multiple * epsilon for multiple in EPSILONS]

    def embeddings(covariances: Covariances) -> Iterator[torch.Tensor]:
        logs = (manifolds.logarithms(s, epsilons) for s in covariances)
        return (torch.cat(of, 1) for of in zip(*logs, strict=True))

    compared = _compared(readout, inputs, embeddings)
    return stacked(dict(zip(EPSILONS, compared, strict=True)), "multiple")


def fixed_rank_subspaces(
    readout: Readout, inputs: Inputs, ranks: dict[str, torch.Tensor]
) -> pd.DataFrame:
    """As :func:`subspaces`, by the logarithms on the fixed-rank part, without epsilon.

    Args:
        readout: network.
        inputs: images.
        ranks: by factor, ``[levels, n]``.

    Returns:
        the columns of :func:`subspaces` but ``multiple``; no rows if the ranks of images differ.
    """
    fixed = [int(ranks[factor][0, 0]) for factor in FACTORS]
    equal = all((ranks[f] == r).all() for f, r in zip(FACTORS, fixed, strict=True))
    if not equal or min(fixed) < 1:
        return pd.DataFrame(columns=_COLUMNS)

    def embedding(covariances: Covariances) -> Iterable[torch.Tensor]:
        logs = map(manifolds.fixed_rank_logarithms, covariances, fixed)
        return [torch.cat(list(logs), 1)]

    (table,) = _compared(readout, inputs, embedding)
    return table


def _compared(
    readout: Readout,
    inputs: Inputs,
    embeddings: Callable[[Covariances], Iterable[torch.Tensor]],
) -> list[pd.DataFrame]:
    """A table for each of the embeddings.

    Covariances are those of latents in float64: in float32 their rounding errors would pass for
    eigenvalues, and a logarithm makes them large.
    """
    half = len(inputs.images) // 2
    references: list[Reference] = []
    rows: list[list[dict[str, Any]]] = []
    for level, latents in zip(inputs.levels, inputs.latents(readout), strict=True):
        first = embeddings(manifolds.mode_covariances(latents[:half].double()))
        if not references:
            points = list(first)
            other = embeddings(manifolds.mode_covariances(latents[half : 2 * half].double()))
            references = [Reference(of) for of in points]
            rows = [
                [_row("other half", level, reference, of)]
                for reference, of in zip(references, other, strict=True)
            ]
            first = iter(points)
        for of_embedding, reference, of in zip(rows, references, first, strict=True):
            of_embedding.append(_row("same", level, reference, of))
    return [pd.DataFrame(of) for of in rows]


def _row(images: str, level: float, reference: Reference, points: torch.Tensor) -> dict[str, Any]:
    about = {"images": images, "level": level, "bandwidth": reference.bandwidth}
    return about | reference.against(points)


def turning(subspaces: pd.DataFrame, fixed_rank: pd.DataFrame) -> pd.DataFrame:
    """The subspaces of clean images, of those with the strongest noise, and of the other half.

    Args:
        subspaces: of :func:`subspaces`, by ``network``.
        fixed_rank: of :func:`fixed_rank_subspaces`, by ``network``.

    Returns:
        a row for each network: the kernel's ``bandwidth``; the dimensions ``clean`` and ``noisy``;
        the ``mean`` and ``largest`` angle between the two, and the same for the other half
        (``halves_mean``, ``halves_largest``); the mean angles by the fixed-rank part
        (``fixed_rank_mean``, ``fixed_rank_halves``), missing where ranks vary.
    """
    rows = []
    for network, of in subspaces[subspaces.multiple == 1].groupby("network", sort=False):
        same, halves = of[of.images == "same"], of[of.images == "other half"].iloc[0]
        last = same.iloc[-1]
        by_part = fixed_rank[fixed_rank.network == network].groupby("images").mean_angle.last()
        rows.append(
            {
                "network": network,
                "bandwidth": last.bandwidth,
                "clean": same.dimension.iloc[0],
                "noisy": last.dimension,
                "mean": last.mean_angle,
                "largest": last.largest_angle,
                "halves_mean": halves.mean_angle,
                "halves_largest": halves.largest_angle,
                "fixed_rank_mean": by_part.get("same", torch.nan),
                "fixed_rank_halves": by_part.get("other half", torch.nan),
            }
        )
    return pd.DataFrame(rows)
