"""Bootstrap intervals over images: how far a mean would move with other images of the same kind."""

from typing import NamedTuple

import torch

RESAMPLES = 2000


class Estimate(NamedTuple):
    """A number with the ends of its interval."""

    value: float
    low: float
    high: float


def resamples(n: int, seed: int) -> torch.Tensor:
    """How much each of ``n`` images weighs in each resample, float64 ``[RESAMPLES, n]``.

    A resample draws n of the n images with replacement; its weights are the shares of the draws
    and sum to 1, so ``resamples(...) @ values`` are its means.

    Args:
        n: images.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(n, (RESAMPLES, n), generator=generator)
    counts = torch.zeros(RESAMPLES, n, dtype=torch.float64)
    return counts.scatter_add_(1, drawn, torch.ones_like(counts)) / n


def interval(values: torch.Tensor, level: float = 0.95) -> tuple[torch.Tensor, torch.Tensor]:
    """Percentile interval of what was computed from each resample.

    Args:
        values: ``[RESAMPLES, ...]``.
        level: share of the resamples between the two ends.

    Returns:
        lower and upper ends, ``[...]`` each; NaN where a value is.
    """
    tail = (1 - level) / 2
    low, high = torch.quantile(values, torch.tensor([tail, 1 - tail], dtype=values.dtype), dim=0)
    return low, high


def mean(values: torch.Tensor, weights: torch.Tensor, level: float = 0.95) -> Estimate:
    """The mean of one number per image, ``[n]``, with its interval.

    Args:
        values: float64.
        weights: from :func:`resamples`.
        level: as :func:`interval`.
    """
    low, high = interval(weights @ values, level)
    return Estimate(float(values.mean()), float(low), float(high))
