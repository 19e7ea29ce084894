"""Fixed points of the step map f, f(z) = z: Newton's search, which are distinct, their spectra.

All is computed in float64, by a copy of the model.  Newton's method needs the Jacobian: in closed
form for the paper's network, by automatic differentiation for any other
(:mod:`repinf_core.dynamics.jacobian`).
"""

import copy
from typing import NamedTuple

import torch
from torch import nn

from repinf_core.dynamics.jacobian import jacobian
from repinf_core.dynamics.rollout import Autoencoder

RESIDUAL = 1e-8
"""A point solves f(z) = z if ||f(z) - z|| is smaller (Euclidean, in latent space)."""
SAME = 1e-4
"""Two solutions that are nearer to each other are one fixed point."""
_HALVINGS = 12  # of a step of Newton's method that does not bring f(z) closer to z


class Refined(NamedTuple):
    """Where Newton's method ended; float64, on the CPU.

    Attributes:
        z: ``[n, N_z]``.
        residual: ||f(z) - z|| there, ``[n]``.
        converged: whether it is smaller than :data:`RESIDUAL`, ``[n]``.
    """

    z: torch.Tensor
    residual: torch.Tensor
    converged: torch.Tensor


def refine(model: Autoencoder, z: torch.Tensor, iterations: int = 50) -> Refined:
    """Damped Newton's method for f(z) - z = 0, from each start by itself.

    A step is halved until it shortens f(z) - z; a search that no halving helps, or that meets a
    singular matrix, stays where it is and has not converged.

    Args:
        model: encoder and decoder means, on the device of ``z``.
        z: starts, ``[n, N_z]``.
        iterations: at most.
    """
    model, z = in_float64(model), z.double().clone()
    g = displacement(model, z)
    on = torch.arange(len(z), device=z.device)
    for _ in range(iterations):
        on = on[g[on].norm(dim=1) >= RESIDUAL]
        if not len(on):
            break
        identity = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        newton, _ = torch.linalg.solve_ex(jacobian(model, z[on]) - identity, -g[on])
        on = _line_search(model, z, g, on, newton)
    residual = g.norm(dim=1)
    return Refined(z.cpu(), residual.cpu(), (residual < RESIDUAL).cpu())


def _line_search(
    model: Autoencoder, z: torch.Tensor, g: torch.Tensor, on: torch.Tensor, newton: torch.Tensor
) -> torch.Tensor:
    """Move the points ``on`` of ``z`` along ``newton``; returns those of them that moved."""
    waiting = newton.isfinite().all(1)
    moved = torch.zeros_like(waiting)
    share = 1.0
    for _ in range(_HALVINGS):
        if not waiting.any():
            break
        rows = on[waiting]
        tried = z[rows] + share * newton[waiting]
        after = displacement(model, tried)
        # NaN is no improvement.
        better = after.norm(dim=1) < (1 - 1e-4 * share) * g[rows].norm(dim=1)
        z[rows[better]], g[rows[better]] = tried[better], after[better]
        which = waiting.nonzero()[:, 0]
        moved[which[better]] = True
        waiting[which[better]] = False
        share /= 2
    return on[moved]


@torch.no_grad()
def displacement(model: Autoencoder, z: torch.Tensor) -> torch.Tensor:
    """f(z) - z, the step that repeated inference takes from each point: ``[n, N_z]``, likewise."""
    return model.encode_mean(model.decode_mean(z)) - z


def in_float64(model: Autoencoder) -> Autoencoder:
    """A float64 copy of a network; what is no network computes in its argument's dtype."""
    return copy.deepcopy(model).double() if isinstance(model, nn.Module) else model


def distinct(z: torch.Tensor, within: float = SAME) -> torch.Tensor:
    """Which points are one: numbers from 0, in the order in which they are first met.

    A point belongs to the first one that is nearer than ``within`` (Euclidean).

    Args:
        z: ``[n, N_z]``.
        within: the tolerance.

    Returns:
        ``[n]`` integers.
    """
    number = torch.full((len(z),), -1)
    count = 0
    while (number < 0).any():
        free = (number < 0).nonzero()[:, 0]
        near = (z[free] - z[free[0]]).norm(dim=1) < within
        near[0] = True  # a point that is no number is its own
        number[free[near]] = count
        count += 1
    return number


class Spectrum(NamedTuple):
    """Of Jacobians ``[n, N_z, N_z]``, on the CPU.

    Attributes:
        moduli: of the eigenvalues, largest first, ``[n, N_z]``.
        radius: the spectral radius, the largest of them, ``[n]``.
        unstable: how many exceed 1, the index, ``[n]``: 0 of an attractor.
        stretch: the largest singular value: by what a step multiplies lengths at most, ``[n]``.
    """

    moduli: torch.Tensor
    radius: torch.Tensor
    unstable: torch.Tensor
    stretch: torch.Tensor


def spectrum(maps: torch.Tensor) -> Spectrum:
    """The spectra of Jacobians of the step map, ``[n, N_z, N_z]``.

    If the stretch exceeds the radius the map is not normal: what shrinks in the long run may grow
    at first.
    """
    moduli = torch.linalg.eigvals(maps.cpu()).abs().sort(dim=1, descending=True).values
    return Spectrum(
        moduli, moduli[:, 0], (moduli > 1).sum(1), torch.linalg.matrix_norm(maps.cpu(), 2)
    )
