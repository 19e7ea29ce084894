"""Bootstrap intervals over images: how far a mean would move with other images of the same kind."""

from typing import NamedTuple

import torch

RESAMPLES = 2000


class Estimate(NamedTuple):
    """A number with the ends of its interval."""

    value: float
    low: float
    high: float


def counts(n: int, generator: torch.Generator) -> torch.Tensor:
    """How often each of ``n`` images is drawn in each resample, float64 ``[RESAMPLES, n]``.

    A resample draws n of the n images with replacement.

    Args:
        n: images.
        generator: draws them, on the CPU.
    """
    drawn = torch.randint(n, (RESAMPLES, n), generator=generator)
    none = torch.zeros(RESAMPLES, n, dtype=torch.float64)
    return none.scatter_add_(1, drawn, torch.ones_like(none))


def resamples(n: int, seed: int) -> torch.Tensor:
    """How much each of ``n`` images weighs in each resample, float64 ``[RESAMPLES, n]``.

    The weights are the shares of :func:`counts` and sum to 1, so ``resamples(...) @ values`` are
    the means of the resamples.

    Args:
        n: images.
        seed: of the draws.
    """
    return counts(n, torch.Generator().manual_seed(seed)) / n


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
