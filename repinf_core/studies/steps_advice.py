"""What the paper's advice on the number of steps is judged by.

Steps are chosen on one half of the test images and judged on the other, so that the best of many
numbers of steps has no advantage of having been picked.
"""

from collections.abc import Sequence
from typing import Any

import torch

from repinf_core import bootstrap
from repinf_core.agreement import rank_correlation

WINDOW = (20, 30)
"""Steps, first and last, that the paper advises for labels."""
BELOW = 0.7
"""Noise fractions from here on are not judged: the paper finds no step there that keeps the label
(text on Fig. 5)."""
TIE = 1e-4
"""By how much a PSNR (dB) or an accuracy must be larger for more steps to be better."""
_FEWEST = 3  # noise fractions: with two, every order is a perfect correlation


def judged(p_grid: Sequence[float]) -> list[int]:
    """Places of the noise fractions below :data:`BELOW`; of all if there are none."""
    return [i for i, p in enumerate(p_grid) if p < BELOW] or list(range(len(p_grid)))


def in_window(at: Sequence[int]) -> list[int]:
    """Places in ``at`` of the steps in :data:`WINDOW`."""
    return [place for place, t in enumerate(at) if WINDOW[0] <= t <= WINDOW[1]]


def best(values: torch.Tensor) -> torch.Tensor:
    """The first place whose value is the largest but for a tie, of ``[..., steps]``."""
    return (values >= values.max(-1, keepdim=True).values - TIE).int().argmax(-1)


def too_little(p_grid: Sequence[float], at: Sequence[int]) -> bool:
    """Whether there are too few noise fractions or steps to judge the advice."""
    return sum(p < BELOW for p in p_grid) < _FEWEST or at[-1] < WINDOW[1]


def denoising(
    psnr: torch.Tensor, p_grid: Sequence[float], at: Sequence[int], seed: int
) -> dict[str, Any] | None:
    """Does the best step rise with p, and does it pay to choose it for each p?

    Args:
        psnr: dB, float64 ``[P, steps, images]``.
        p_grid: the P noise fractions.
        at: the steps t.
        seed: of the bootstrap.

    Returns:
        ``rank_correlation`` of p and the best step; what a step for each p adds to the best single
        one (``adapting``, dB, mean over p), each as ``value``, ``low`` and ``high``; the ``first``
        and the ``last`` p with their best steps.  None if there is too little to judge.
    """
    if too_little(p_grid, at):
        return None
    places = judged(p_grid)
    psnr, p = psnr[places], [p_grid[place] for place in places]
    weights = bootstrap.resamples(psnr.shape[2], seed)
    steps = torch.tensor(at)[best(psnr.mean(2))].tolist()
    resampled = torch.tensor(at)[best((psnr @ weights.T).movedim(2, 0))].tolist()
    correlations = [rank_correlation(p, of_one) for of_one in resampled]
    low, high = bootstrap.interval(torch.tensor(correlations, dtype=torch.float64))
    chosen, rest = psnr[..., ::2].mean(2), psnr[..., 1::2]
    single = best(chosen.mean(0))
    adapted = rest[torch.arange(len(p)), best(chosen)]
    adding = (adapted - rest[:, single]).mean(0)
    return {
        "rank_correlation": {
            "value": rank_correlation(p, steps), "low": float(low), "high": float(high)
        },
        "adapting": _mean(adding, seed),
        "first_p": p[0],
        "first_best": steps[0],
        "last_p": p[-1],
        "last_best": steps[-1],
    }  # fmt: skip


def labels(
    right: torch.Tensor, p_grid: Sequence[float], at: Sequence[int], seed: int
) -> dict[str, Any] | None:
    """Are 20 to 30 steps better than one pass, and is no other step better than they?

    Args:
        right: 1 where the label is right, else 0, float64 ``[P, steps, images]``.
        p_grid: the P noise fractions.
        at: the steps t.
        seed: of the bootstrap.

    Returns:
        what the mean accuracy over the window adds to one pass's (``over_one_pass``, mean over p),
        and by p, as text, what the best step outside it adds to it (``others``, with its ``step``);
        each as ``value``, ``low`` and ``high``, these of the others for all p at once.  None if
        there is too little to judge.
    """
    if too_little(p_grid, at):
        return None
    places, window = judged(p_grid), in_window(at)
    right, p = right[places], [p_grid[place] for place in places]
    within = right[:, window].mean(1)
    outside = [place for place in range(len(at)) if place not in window]
    chosen = best(right[:, outside, ::2].mean(2))
    others = {}
    for one, place, of_p, of_window in zip(p, chosen.tolist(), right, within, strict=True):
        adding = of_p[outside[place], 1::2] - of_window[1::2]
        estimate = _mean(adding, seed, level=1 - 0.05 / len(p))
        others[f"{one:g}"] = estimate | {"step": at[outside[place]]}
    return {"over_one_pass": _mean((within - right[:, 0]).mean(0), seed), "others": others}


def _mean(values: torch.Tensor, seed: int, level: float = 0.95) -> dict[str, float]:
    weights = bootstrap.resamples(len(values), seed)
    return bootstrap.mean(values, weights, level)._asdict()
