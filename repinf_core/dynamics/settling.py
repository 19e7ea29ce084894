"""Long iteration of the step map f: which trajectories come to rest, and which go round.

Only latent states are kept, so thousands of trajectories run together; those that have come to
rest leave the iteration.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from repinf_core.dynamics.fixed_points import displacement, in_float64
from repinf_core.dynamics.means import OneDNNMeans, supports_onednn
from repinf_core.dynamics.rollout import Autoencoder, inference_step

MOVING = 1e-3
"""A trajectory whose last step was longer still moves (Euclidean, in latent space)."""
AT_REST = 1e-5
"""A trajectory whose last step was shorter has come to rest; float32 rounds below it."""
RETURN = 0.02
"""A trajectory returns if it comes back within this share of its excursion."""
_CHUNK = 1024  # of trajectories that step together: a step's arrays stay in a CPU's cache


class Settled(NamedTuple):
    """How trajectories ended; on the CPU.

    Attributes:
        z: where each was last, ``[n, N_z]``, in the dtype of the starts.
        steps: steps taken until it came to rest, else T, ``[n]``.
        at_rest: whether it did, ``[n]``.
        moving: of each step in ``at`` the share of all trajectories whose step was then longer
            than :data:`MOVING`, ``[len(at)]``.
    """

    z: torch.Tensor
    steps: torch.Tensor
    at_rest: torch.Tensor
    moving: torch.Tensor


@torch.no_grad()
def settle(model: Autoencoder, z0: torch.Tensor, steps: int, at: Sequence[int] = ()) -> Settled:
    """Iterate z(t+1) = f(z(t)) from every start until it comes to rest, or for T = ``steps`` steps.

    Args:
        model: encoder and decoder means, on the device of ``z0`` and in its dtype.
        z0: starts z(0), ``[n, N_z]``.
        steps: T.
        at: steps t at which the share still moving is counted, 1 ... T.

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
    last, taken = z0.clone(), torch.full((len(z0),), steps)
    moving = dict.fromkeys(at, 0.0)
    on, z = torch.arange(len(z0)), z0
    for t in range(1, steps + 1):
        after = torch.cat([step(part)[1] for part in z.split(_CHUNK)])
        length = (after - z).norm(dim=1)
        z = after
        if t in moving:
            moving[t] = int((length > MOVING).sum()) / len(z0)
        resting = (length < AT_REST).cpu()
        if resting.any():
            last[on[resting]], taken[on[resting]] = z[resting], t
            on, z = on[~resting], z[~resting]
        if not len(on):
            break
    last[on] = z
    at_rest = torch.ones(len(z0), dtype=torch.bool)
    at_rest[on] = False
    return Settled(last.cpu(), taken, at_rest, torch.tensor([*moving.values()]))


class Motion(NamedTuple):
    """What trajectories do that have not come to rest; float64, on the CPU.

    Attributes:
        excursion: how far each gets from its start, ``[n]``.
        period: the step at which it first returns, after it had gone half its excursion away: the
            length of a cycle, or about a time round a closed curve; 0 if it does not, ``[n]``.
        last_step: length of the last step, ``[n]``.
    """

    excursion: torch.Tensor
    period: torch.Tensor
    last_step: torch.Tensor


@torch.no_grad()
def motion(model: Autoencoder, z0: torch.Tensor, steps: int) -> Motion:
    """Follow trajectories in float64, and see whether they return to where they are now.

    Args:
        model: encoder and decoder means, on the device of ``z0``.
        z0: where they are, ``[n, N_z]``.
        steps: how long they are followed.
    """
    model, start = in_float64(model), z0.double()
    z, distances = start, []
    for _ in range(steps):
        move = displacement(model, z)
        z = z + move
        distances.append((z - start).norm(dim=1))
    away = torch.stack(distances)
    excursion = away.max(0).values
    been_away = (away > excursion / 2).cummax(0).values
    back = been_away & (away < RETURN * excursion)
    period = torch.where(back.any(0), back.byte().argmax(0) + 1, 0)
    return Motion(excursion.cpu(), period.cpu(), move.norm(dim=1).cpu())
