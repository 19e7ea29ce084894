"""The factors by which a linear map changes lengths, and the shares of lengths in a subspace."""

import torch

from repinf_core.geometry.centres import ROUNDING


def directional_gains(
    jacobian: torch.Tensor, displacements: torch.Tensor
) -> tuple[float | None, float | None]:
    """How a linear map changes lengths along some displacements and orthogonal to their mean.

    Args:
        jacobian: the map, ``[N_z, N_z]``, for example of one step of inference.
        displacements: ``[n, N_z]``; displacements shorter than :data:`ROUNDING` have no
            direction and are left out.

    Returns:
        the mean gain along the displacements, that is, the mean factor of their lengths, None if
        none has a direction; the largest gain of any displacement that is orthogonal to their
        mean, None if N_z = 1.
    """
    lengths = displacements.norm(dim=1)
    after = (displacements @ jacobian.T).norm(dim=1)
    moved = lengths > ROUNDING
    mean = torch.nn.functional.normalize(displacements.mean(0), dim=0)
    across = jacobian - torch.outer(jacobian @ mean, mean)
    along = float((after[moved] / lengths[moved]).mean()) if moved.any() else None
    return along, float(torch.linalg.matrix_norm(across, 2)) if len(jacobian) > 1 else None


def share_within(displacements: torch.Tensor, basis: torch.Tensor) -> float | None:
    """Which share of squared lengths lies in a subspace: the mean over displacements.

    Args:
        displacements: ``[n, N_z]``; those shorter than :data:`ROUNDING` are left out.
        basis: orthonormal columns, ``[N_z, k]``.

    Returns:
        0 if all are orthogonal to the subspace, 1 if all lie in it, about k/N_z for random
        directions; None if none has a direction.
    """
    lengths = displacements.norm(dim=1)
    moved = lengths > ROUNDING
    if not moved.any():
        return None
    return float(((displacements[moved] @ basis).norm(dim=1) / lengths[moved]).square().mean())
