"""Long iteration of the step map: trajectories that come to rest, that cycle, and that go on.

Only the latest latent states are kept, so thousands of trajectories run together.  Trajectories at
rest or on a cycle leave the iteration.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from repinf_core.dynamics.means import OneDNNMeans, supports_onednn
from repinf_core.dynamics.rollout import inference_step
from repinf_core.models import Autoencoder

MOVING = 1e-3
"""A trajectory still moves if its last step was longer (Euclidean distance in latent space)."""
AT_REST = 1e-5
"""A trajectory is at rest if its last step was shorter; float32 rounds well below it."""
RETURNS = 10
"""A cycle is found if a trajectory returns to a state so many times, after equal numbers of steps.
A single return proves nothing: slow spirals into fixed points and closed curves return, too."""
_CHUNK = 1024  # trajectories in a step: its arrays stay in a CPU's cache


class Settled(NamedTuple):
    """How trajectories ended, on the CPU.

    Attributes:
        z: last state of each trajectory, ``[n, N_z]``, in the dtype of the starts.
        steps: steps until the trajectory came to rest or its cycle was found, otherwise T, ``[n]``.
        period: 1 at rest, the number of steps of a cycle, or 0 if neither was found in T steps,
            ``[n]``.
        moving: for each step in ``at``, the share of all trajectories whose step was longer than
            :data:`MOVING`, ``[len(at)]``.  A trajectory on a cycle goes on moving by the step after
            which its cycle was found.
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

    Cycles are found as Brent (1980) does: each trajectory is compared with its state at the last
    power of two.  It must return to it :data:`RETURNS` times.

    Args:
        model: encoder and decoder means, on the device of ``z0`` and in its dtype.
        z0: starts z(0), ``[n, N_z]``.
        steps: T, the largest number of steps.
        at: steps t at which the share still moving is counted, 1 ... T.
        rest: a trajectory is at rest if its step is shorter, and returns if it comes within this
            distance.

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
    period, returns = (torch.zeros_like(found.period) for _ in range(2))
    cycling = 0  # trajectories on cycles that have left the iteration and still move
    for t in range(1, steps + 1):
        after = torch.cat([step(part)[1] for part in z.split(_CHUNK)])
        length = (after - z).norm(dim=1)
        if t in at:
            moving = int((length > MOVING).sum()) + cycling
            found.moving[list(at).index(t)] = moving / len(z0)
        resting = length < rest
        back = (after - reference).norm(dim=1) < rest
        period = period.masked_fill((returns == 0) & back, t - marked)
        due = period * (returns + 1) == t - marked
        returns = torch.where(due, (returns + 1) * back, returns)
        ended = resting | (returns == RETURNS)
        z = after
        if ended.any():
            cycling += int((length[ended & ~resting] > MOVING).sum())
            found.z[on[ended]] = z[ended]
            found.steps[on[ended]] = t
            found.period[on[ended]] = period.masked_fill(resting, 1)[ended]
            on, z, reference, period, returns = (
                of[~ended] for of in (on, z, reference, period, returns)
            )
        if not len(on):
            found.moving[torch.tensor(at) > t] = cycling / len(z0)
            break
        if t & (t - 1) == 0:
            reference, marked = z, t
            returns = torch.zeros_like(returns)
    found.z[on] = z
    return Settled(found.z.cpu(), found.steps.cpu(), found.period.cpu(), found.moving)


class Orbits(NamedTuple):
    """How trajectories that do not rest go on, on the CPU.

    Attributes:
        size: largest distance from the first state, ``[n]``.
        back: smallest distance from the first state after half of ``size`` has been reached,
            ``[n]``; infinite if the trajectory never moved.
    """

    size: torch.Tensor
    back: torch.Tensor


@torch.no_grad()
def orbits(model: Autoencoder, z: torch.Tensor, steps: int) -> Orbits:
    """Follow trajectories for further ``steps`` and measure how closely they return.

    On a cycle ``back`` is small beside ``size``.  So it is on a closed curve, on which a trajectory
    never meets the same point twice.  A trajectory that drifts away does not return.

    Args:
        model: encoder and decoder means, on the device of ``z`` and in its dtype.
        z: first states, ``[n, N_z]``.
        steps: the number of further steps.
    """
    step = inference_step(OneDNNMeans(model) if supports_onednn(model) else model)
    at, away = z, z.new_empty(steps, len(z))
    for row in away:
        _, at = step(at)
        row.copy_((at - z).norm(dim=1))
    size = away.max(0).values
    has_left = (away > size / 2).cumsum(0) > 0
    back = away.masked_fill(~has_left, torch.inf).min(0).values
    return Orbits(size.cpu(), back.cpu())
