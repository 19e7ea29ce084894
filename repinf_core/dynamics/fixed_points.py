"""Fixed points of the step map f, f(z) = z: Newton's search, distinct points, and their spectra.

A float64 copy of the model computes f.  Newton's method needs the Jacobian
(:mod:`repinf_core.dynamics.jacobian`): the closed form for the paper's network, automatic
differentiation for any other.  It is taken in float32, in half the time: this changes the direction
of a step by little, and no solution.
"""

import copy
from typing import NamedTuple

import torch
from torch import nn

from repinf_core.dynamics.jacobian import jacobian
from repinf_core.models import Autoencoder

RESIDUAL = 1e-8
"""A point solves f(z) = z if ||f(z) - z|| is smaller (Euclidean, in latent space)."""
SAME = 1e-4
"""Two solutions that are nearer to each other than this are one fixed point."""
_HALVINGS = 12  # of a step of Newton's method that does not bring f(z) closer to z


class Refined(NamedTuple):
    """Where Newton's method ended, in float64 and on the CPU.

    Attributes:
        z: ``[n, N_z]``.
        residual: ||f(z) - z|| there, ``[n]``.
        converged: whether the residual is smaller than :data:`RESIDUAL`, bool ``[n]``.
    """

    z: torch.Tensor
    residual: torch.Tensor
    converged: torch.Tensor


def refine(
    model: Autoencoder,
    z: torch.Tensor,
    iterations: int = 50,
    latents: torch.Tensor | None = None,
) -> Refined:
    """Solve f(z) - z = 0 by damped Newton's method, from each start independently.

    A step is halved until it shortens f(z) - z.  If no halving helps, or if the matrix is singular,
    the search stops there and has not converged.

    Args:
        model: encoder and decoder means, on the device of ``z``.
        z: starts, ``[n, N_z]``.
        iterations: the largest number of Newton steps.
        latents: the latent variables that the matrix holds, bool ``[N_z]``; default: all.  The
            others take the step of f itself, as if f did not depend on them.  With the active ones
            alone (:func:`repinf_core.geometry.active_latents`) a matrix in closed form costs less;
            the solutions are those of f all the same.
    """
    own, model, z = model, in_float64(model), z.double().clone()
    g = displacement(model, z)
    on = torch.arange(len(z), device=z.device)
    if latents is None:
        latents = torch.ones(z.shape[1], dtype=torch.bool)
    latents = latents.to(z.device)
    for _ in range(iterations):
        on = on[g[on].norm(dim=1) >= RESIDUAL]
        if not len(on):
            break
        slopes = jacobian(own, z[on].float(), latents).double()
        identity = torch.eye(slopes.shape[1], dtype=z.dtype, device=z.device)
        newton = g[on]
        newton[:, latents] = torch.linalg.solve_ex(slopes - identity, -newton[:, latents])[0]
        on = _line_search(model, z, g, on, newton)
    residual = g.norm(dim=1)
    return Refined(z.cpu(), residual.cpu(), (residual < RESIDUAL).cpu())


def _line_search(
    model: Autoencoder, z: torch.Tensor, g: torch.Tensor, on: torch.Tensor, newton: torch.Tensor
) -> torch.Tensor:
    """Move the points ``on`` of ``z`` along ``newton``; returns those that moved."""
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
    """f(z) - z, the step of repeated inference from each point: ``[n, N_z]``, as ``z``."""
    return model.encode_mean(model.decode_mean(z)) - z


def in_float64(model: Autoencoder) -> Autoencoder:
    """A float64 copy of a network; other objects compute in the dtype of their argument."""
    return copy.deepcopy(model).double() if isinstance(model, nn.Module) else model


def distinct(z: torch.Tensor, within: float = SAME) -> torch.Tensor:
    """Number the distinct points from 0, in the order in which they first appear.

    A point has the number of the first point that is nearer than ``within``.

    Args:
        z: ``[n, N_z]``.
        within: tolerance, Euclidean distance in latent space.

    Returns:
        the number of each point, ``[n]`` integers.
    """
    number = torch.full((len(z),), -1)
    count = 0
    while (number < 0).any():
        free = (number < 0).nonzero()[:, 0]
        near = (z[free] - z[free[0]]).norm(dim=1) < within
        near[0] = True  # NaN is not near itself
        number[free[near]] = count
        count += 1
    return number


class Spectrum(NamedTuple):
    """Spectra of Jacobians of the step map; float64, on the CPU.

    Attributes:
        moduli: absolute values of the eigenvalues, largest first, ``[n, N_z]``.
        radius: spectral radius, the largest modulus, ``[n]``.
        unstable: number of moduli above 1, ``[n]``: the index of a fixed point, 0 of an attractor.
        stretch: largest singular value, the largest factor by which a step multiplies a length,
            ``[n]``.
    """

    moduli: torch.Tensor
    radius: torch.Tensor
    unstable: torch.Tensor
    stretch: torch.Tensor


def spectrum(maps: torch.Tensor) -> Spectrum:
    """Spectra of Jacobians of the step map, ``[n, N_z, N_z]``.

    A stretch above the radius means that the matrix is not normal: a displacement that shrinks in
    the long run may grow at first.
    """
    maps = maps.double().cpu()
    moduli = torch.linalg.eigvals(maps).abs().sort(dim=1, descending=True).values
    stretch = torch.linalg.matrix_norm(maps, 2)
    return Spectrum(moduli, moduli[:, 0], (moduli > 1).sum(1), stretch)


def growing_directions(jacobian: torch.Tensor) -> torch.Tensor:
    """An orthonormal basis of the span of the eigenvectors with a modulus above 1.

    Args:
        jacobian: of the step map, ``[N_z, N_z]``.

    Returns:
        float64, ``[N_z, k]``, on the CPU; k is the number of such eigenvalues.
    """
    eigenvalues, vectors = torch.linalg.eig(jacobian.double().cpu())
    growing = vectors[:, eigenvalues.abs() > 1]
    # A complex pair spans the plane of its real and its imaginary part.
    return torch.linalg.svd(torch.cat([growing.real, growing.imag], 1))[0][:, : growing.shape[1]]
