"""How many steps of repeated inference to take: a rule that looks at the trajectory alone.

A step is long while the network removes noise, and short while it moves an image that it takes for
clean: such an image drifts too, and each step then costs likeness.  So the rule stops where a step
is first no longer than a share of the state's own length, as iterations to a fixed point are often
stopped.  A share of the *first step* would not do: a trajectory from a noisy image begins with a
long step, one from a clean image with a short one, and both then shorten alike.
"""

from collections.abc import Sequence

import torch

from repinf_core.dynamics.rollout import latents, rollout
from repinf_core.models import Autoencoder

SHARES = {"denoise": 0.42, "label": 0.5}
"""Of each goal: the share of ||z(t)|| at which to stop.

For the paper's network on MNIST, chosen by :func:`choose_share` on its noisy training images.
"""

_CHUNK = 1000  # images followed at once: all their z(t) are kept


def recommend_steps(
    model: Autoencoder,
    x: torch.Tensor,
    goal: str = "denoise",
    share: float | None = None,
    at_most: int = 100,
) -> torch.Tensor:
    """The number of steps t after which to stop; the result is then decoded from z(t).

    It needs neither labels nor clean images.  t = 0 is a single pass: encode and decode once.  For
    one number for a batch take the median.

    Args:
        model: encoder and decoder means.
        x: noisy images x(0), ``[n, 784]``.
        goal: of :data:`SHARES`: to come close to the clean image, or to tell its label.
        share: of another network or data set, from :func:`choose_share`.
        at_most: steps T that are followed; the answer where no step is short enough.

    Returns:
        integers from 0 to T, ``[n]``.

    Raises:
        ValueError: an unknown goal, or as :func:`repinf_core.dynamics.rollout.rollout`.
    """
    if goal not in SHARES:
        raise ValueError(f"Goal is {goal!r}; allowed is one of {', '.join(SHARES)}.")
    share = SHARES[goal] if share is None else share
    stops = [
        stopping_steps(rollout(model, part, at_most, {"z": latents}).observed["z"], share)
        for part in x.split(_CHUNK)
    ]
    return torch.cat(stops)


def stopping_steps(z: torch.Tensor, share: float) -> torch.Tensor:
    """The first t with ||z(t+1) - z(t)|| <= share * ||z(t)||, or T if there is none.

    Args:
        z: trajectories, ``[T+1, n, N_z]``.
        share: not negative.

    Returns:
        integers from 0 to T, ``[n]``.
    """
    short = z.diff(dim=0).norm(dim=2) <= share * z[:-1].norm(dim=2)
    last = torch.ones_like(short[:1])  # argmax finds the first True, and here there is one
    return torch.cat([short, last]).int().argmax(0)


def choose_share(shares: Sequence[float], qualities: Sequence[float]) -> float:
    """The share of the best quality on noisy training images; of equals the largest.

    Training images only: those that judge the rule must not choose it.

    Args:
        shares: those tried.
        qualities: of each the mean of what is wanted (PSNR, accuracy), the larger the better.
    """
    best = max(qualities)
    return max(s for s, quality in zip(shares, qualities, strict=True) if quality == best)
