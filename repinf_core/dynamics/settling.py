"""Long iteration of the step map: which trajectories come to rest, which cycle, and which go on.

Only latent states are kept, so thousands of trajectories run together; those that have come to
rest leave the iteration.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from repinf_core.dynamics.means import OneDNNMeans, supports_onednn
from repinf_core.dynamics.rollout import Autoencoder, inference_step

MOVING = 1e-3
"""A trajectory whose last step was longer still moves (Euclidean, in latent space)."""
AT_REST = 1e-5
"""A trajectory whose last step was shorter has come to rest; float32 rounds well below it."""
_CHUNK = 1024  # of trajectories that step together: a step's arrays stay in a CPU's cache


class Settled(NamedTuple):
    """How trajectories ended; on the CPU, in the dtype of the starts.

    Attributes:
        z: where each was last, ``[n, N_z]``.
        steps: steps taken until it came to rest or its cycle was found, else T, ``[n]``.
        period: 1 of a trajectory at rest, the length of a cycle in steps, 0 of one that does
            neither after T steps, ``[n]``.
        moving: of each step in ``at`` the share of all trajectories whose step was then longer
            than :data:`MOVING`, ``[len(at)]``.
    """

    z: torch.Tensor
    steps: torch.Tensor
    period: torch.Tensor
    moving: torch.Tensor


@torch.no_grad()
def settle(
    model: Autoencoder, z0: torch.Tensor, steps: int, at: Sequence[int] = (), rest: float = AT_REST
) -> Settled:
    """Iterate z(t+1) = f(z(t)) from every start until it comes to rest, or for T = ``steps`` steps.

    A cycle is found as by Brent (1980): each trajectory is compared with where it was at the last
    power of two.

    Args:
        model: encoder and decoder means, on the device of ``z0`` and in its dtype.
        z0: starts z(0), ``[n, N_z]``.
        steps: T.
        at: steps t at which the share still moving is counted, 1 ... T.
        rest: a step shorter than this is rest; the same distance closes a cycle.

    Raises:
        ValueError: T < 1, no starts, or an ``at`` outside 1 ... T.
    """
    if steps < 1:
        raise ValueError(f"The number of steps T is {steps}; allowed is an integer from 1.")
    if not len(z0):
        raise ValueError("z0 holds 0 starts; allowed is 1 or more.")
    if not set(at) <= set(range(1, steps + 1)):
        raise ValueError(f"at is {list(at)}; allowed are steps from 1 to {steps}.")
    step = inference_step(OneDNNMeans(model) if supports_onednn(model) else model)
    found = Settled(
        z0.clone(),
        torch.full((len(z0),), steps, device=z0.device),
        torch.zeros(len(z0), dtype=torch.long, device=z0.device),
        torch.zeros(len(at), dtype=torch.float64),
    )
    on, z, reference, marked = torch.arange(len(z0), device=z0.device), z0, z0, 0
    for t in range(1, steps + 1):
        after = torch.cat([step(part)[1] for part in z.split(_CHUNK)])
        length = (after - z).norm(dim=1)
        if t in at:
            found.moving[list(at).index(t)] = float((length > MOVING).sum()) / len(z0)
        resting = length < rest
        ended = resting | ((after - reference).norm(dim=1) < rest)
        z = after
        if ended.any():
            found.z[on[ended]] = z[ended]
            found.steps[on[ended]] = t
            found.period[on[ended]] = torch.where(resting[ended], 1, t - marked)
            on, z, reference = on[~ended], z[~ended], reference[~ended]
        if not len(on):
            break
        if t & (t - 1) == 0:
            reference, marked = z, t
    found.z[on] = z
    return Settled(found.z.cpu(), found.steps.cpu(), found.period.cpu(), found.moving)


class Orbits(NamedTuple):
    """How trajectories that do not rest go on; on the CPU.

    Attributes:
        size: the greatest distance from where they were, ``[n]``.
        back: how close they come again, once they have been half as far away, ``[n]``; infinite of
            one that has not moved.
    """

    size: torch.Tensor
    back: torch.Tensor


@torch.no_grad()
def orbits(model: Autoencoder, z: torch.Tensor, steps: int) -> Orbits:
    """Follow trajectories for further ``steps`` and see whether they come back.

    A cycle and a closed curve, on which a trajectory never hits the same point twice, come back
    closely in comparison with their size; what drifts does not.

    Args:
        model: encoder and decoder means, on the device of ``z`` and in its dtype.
        z: where they are, ``[n, N_z]``.
        steps: for how long.
    """
    step = inference_step(OneDNNMeans(model) if supports_onednn(model) else model)
    at, distances = z, []
    for _ in range(steps):
        _, at = step(at)
        distances.append((at - z).norm(dim=1))
    away = torch.stack(distances)
    size = away.max(0).values
    has_left = (away > size / 2).cumsum(0) > 0
    back = away.masked_fill(~has_left, torch.inf).min(0).values
    return Orbits(size.cpu(), back.cpu())
