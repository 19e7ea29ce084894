"""How well a score tells two groups apart: the area under the ROC curve, and its uncertainty.

The area is the probability that a score is larger in the second group than in the first, an equal
score counting one half (Mann and Whitney's U, divided by the number of pairs): 1/2 tells nothing, 0
is the order turned round.
"""

import torch

_AT_ONCE = 500  # resamples: bounds the memory


def areas(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Area under the ROC curve of each score.

    Args:
        first: the scores in the first group, ``[scores, m]``.
        second: in the second group, ``[scores, n]``.

    Returns:
        ``[scores]`` float64, from 0 to 1.
    """
    pairs = [_larger(*both).double().mean() for both in zip(first, second, strict=True)]
    return torch.stack(pairs)


def resampled_areas(
    first: torch.Tensor, second: torch.Tensor, resamples: int, generator: torch.Generator
) -> torch.Tensor:
    """The areas in bootstrap samples: either group is drawn anew, with replacement.

    A sample has the same members for all scores, so that differences of areas are paired.  A group
    of one has no spread: then what varies is the other group alone.

    Args:
        first: ``[scores, m]``, on the CPU.
        second: ``[scores, n]``, likewise.
        resamples: number of samples.
        generator: draws the members, on the CPU.

    Returns:
        ``[resamples, scores]`` float64.
    """
    size = first.shape[1] * second.shape[1]
    counts = [_counts(group.shape[1], resamples, generator) for group in (first, second)]
    found = torch.empty(resamples, len(first), dtype=torch.float64)
    for score, both in enumerate(zip(first, second, strict=True)):
        larger = _larger(*both)
        for start in range(0, resamples, _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            in_first, in_second = counts[0][rows], counts[1][rows]
            found[rows, score] = ((in_first @ larger) * in_second).double().sum(1) / size
    return found


def _larger(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Of each pair whether the second is larger, one half if equal, ``[m, n]``."""
    return (second > first[:, None]).float() + 0.5 * (second == first[:, None]).float()


def _counts(size: int, resamples: int, generator: torch.Generator) -> torch.Tensor:
    """How often each of ``size`` members is drawn, ``[resamples, size]``."""
    drawn = torch.randint(size, (resamples, size), generator=generator)
    return torch.zeros(resamples, size).scatter_add_(1, drawn, torch.ones(resamples, size))
