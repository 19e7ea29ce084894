"""How well a score tells two groups apart: the area under the ROC curve, and its uncertainty.

The area is the probability that a score is larger in the second group than in the first, an equal
score counting one half (Mann and Whitney's U, divided by the number of pairs): 1/2 tells nothing, 0
is the order turned round.
"""

import torch

from repinf_core import bootstrap

_AT_ONCE = 500  # resamples: bounds the memory


def areas(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Area under the ROC curve of each score.

    Args:
        first: the scores in the first group, ``[scores, m]``.
        second: in the second group, ``[scores, n]``.

    Returns:
        ``[scores]`` float64, from 0 to 1.
    """
    pairs = [_larger(*both).mean() for both in zip(first, second, strict=True)]
    return torch.stack(pairs)


def resampled_areas(
    first: torch.Tensor, second: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """The areas in bootstrap samples: either group is drawn anew, with replacement.

    A sample has the same members for all scores, so that differences of areas are paired.  A group
    of one has no spread: then only the other group varies.

    Args:
        first: ``[scores, m]``, on the CPU.
        second: ``[scores, n]``, likewise.
        generator: draws the members, as in :func:`repinf_core.bootstrap.counts`.

    Returns:
        ``[RESAMPLES, scores]`` float64.
    """
    size = first.shape[1] * second.shape[1]
    counts = [bootstrap.counts(group.shape[1], generator) for group in (first, second)]
    found = torch.empty(bootstrap.RESAMPLES, len(first), dtype=torch.float64)
    for score, both in enumerate(zip(first, second, strict=True)):
        larger = _larger(*both)
        for start in range(0, bootstrap.RESAMPLES, _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            # Whole numbers and halves: sums are exact, and an area of 1 is 1.
            found[rows, score] = ((counts[0][rows] @ larger) * counts[1][rows]).sum(1) / size
    return found


def _larger(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Of each pair whether the second is larger, one half if equal, float64 ``[m, n]``."""
    return (second > first[:, None]).double() + 0.5 * (second == first[:, None]).double()
