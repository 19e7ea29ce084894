"""The stages of the data hierarchy: which landmark is approached closest at each noise fraction."""

from typing import NamedTuple

import torch


class Stage(NamedTuple):
    """A range of noise fractions in which one landmark is approached closest.

    Attributes:
        nearest: index of the landmark, a row of ``minima``.
        start: noise fraction at which it begins.
        stop: noise fraction at which it ends.
    """

    nearest: int
    start: float
    stop: float


def stages(p: torch.Tensor, minima: torch.Tensor) -> list[Stage]:
    """The stages of Fig. 4a: which landmark has the smallest mean of min_t ||z(t) - xi|| over p.

    A boundary is where the straight lines between the grid points of the two landmarks cross.

    Args:
        p: noise fractions, ``[P]``, increasing.
        minima: mean smallest distances, ``[landmarks, P]``; in the paper the landmarks are memory
            (I), concept (II) and abstract concept (III).

    Returns:
        the stages from the smallest p to the largest, each with its range of p.
    """
    nearest = minima.argmin(0).tolist()
    found, start = [], float(p[0])
    for i in range(1, len(p)):
        before, after = nearest[i - 1], nearest[i]
        if before == after:
            continue
        gap = minima[after] - minima[before]  # changes sign between i - 1 and i
        share = float(gap[i - 1] / (gap[i - 1] - gap[i]))
        boundary = float(torch.lerp(p[i - 1], p[i], share))
        found.append(Stage(before, start, boundary))
        start = boundary
    return [*found, Stage(nearest[-1], start, float(p[-1]))]
