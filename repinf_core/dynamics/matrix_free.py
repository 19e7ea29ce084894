"""Leading factors of a step where the Jacobian has too many entries: by products J v and J^T u.

Arnoldi's method (ARPACK; Lehoucq, Sorensen and Yang 1998) finds the eigenvalue of largest modulus
and Lanczos's method the largest singular value from such products alone.  Automatic differentiation
gives J^T u.  The map u -> J^T u is linear, so differentiating it in turn gives J v.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse.linalg import ArpackError, LinearOperator, eigs, svds

from repinf_core.dynamics.fixed_points import in_float64, spectrum
from repinf_core.dynamics.jacobian import jacobian
from repinf_core.models import Autoencoder

DENSE = 256
"""Up to so many latent variables the whole Jacobian is computed; ARPACK needs some in any case."""
_TOLERANCE = 1e-6  # relative, of an eigenvalue and of a squared singular value


class Leading(NamedTuple):
    """Leading factors of Jacobians of the step map; float64, on the CPU, NaN if not converged.

    Attributes:
        radius: spectral radius, the largest modulus of an eigenvalue, ``[n]``.
        stretch: largest singular value, the largest factor by which a step multiplies a length,
            ``[n]``.
    """

    radius: torch.Tensor
    stretch: torch.Tensor


def leading(model: Autoencoder, z: torch.Tensor, dense: int = DENSE) -> Leading:
    """Spectral radius and largest singular value of d z(t+1) / d z(t) at each point z(t).

    A float64 copy of the model computes them.

    Args:
        model: encoder and decoder means, on the device of ``z``.
        z: points, ``[n, N_z]``.
        dense: the largest N_z for which the whole Jacobian is computed.
    """
    model, z = in_float64(model), z.double()
    if z.shape[1] <= dense:
        found = spectrum(jacobian(model, z))
        return Leading(found.radius, found.stretch)
    pairs = [(_radius(step), _stretch(step)) for step in (_derivative(model, at) for at in z)]
    return Leading(*torch.tensor(pairs, dtype=torch.float64).reshape(-1, 2).T)


def _derivative(model: Autoencoder, at: torch.Tensor) -> LinearOperator:
    """The Jacobian at a point ``[N_z]``, as its products with vectors from both sides."""

    def step(z: torch.Tensor) -> torch.Tensor:
        return model.encode_mean(model.decode_mean(z[None]))[0]

    from_left = torch.func.vjp(step, at)[1]
    from_right = torch.func.vjp(lambda u: from_left(u)[0], torch.zeros_like(at))[1]

    def product(by: Callable, vector: np.ndarray) -> np.ndarray:
        (result,) = by(torch.from_numpy(vector.ravel().copy()).to(at))
        return result.detach().cpu().numpy()

    return LinearOperator(
        (len(at), len(at)),
        matvec=lambda v: product(from_right, v),
        rmatvec=lambda u: product(from_left, u),
        dtype=np.float64,
    )


def _radius(step: LinearOperator) -> float:
    # The eigenvalues of J^T are those of J, and products with it take one differentiation less.
    return _largest(eigs, step.H, return_eigenvectors=False)


def _stretch(step: LinearOperator) -> float:
    return _largest(svds, step, return_singular_vectors=False)


def _largest(solve: Callable, step: LinearOperator, **returned: bool) -> float:
    """The largest modulus that ``solve`` finds, from a start that is always the same."""
    start = np.random.default_rng(0).standard_normal(step.shape[0])
    if not step.matvec(start).any():  # such as J = 0, of which ARPACK makes an error
        return 0.0
    try:
        (found,) = solve(step, k=1, tol=_TOLERANCE, v0=start, **returned)
    except ArpackError:
        return float("nan")
    return float(abs(found))
