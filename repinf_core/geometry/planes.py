"""Planes in which trajectories are shown."""

import torch

from repinf_core.geometry.dimension import principal_axes


def windowed_pca(z: torch.Tensor, window: int) -> torch.Tensor:
    """Planes of the time-windowed PCA of Fig. 2, each turned to follow the previous one.

    At every t these are the two leading eigenvectors of the covariance of all z(t) ... z(t +
    window), as in the paper.  Eigenvectors have arbitrary signs, and their order changes where
    eigenvalues cross.  Each pair is therefore turned within its plane to be closest to the previous
    pair (orthogonal Procrustes), so that a movie does not flip.  The first pair are the
    eigenvectors themselves, each with its largest component positive.

    Args:
        z: trajectories ``[T+1, trials, N_z]``, N_z >= 2.
        window: Delta t, in steps; the last windows are cut off at T.

    Returns:
        ``[T+1, N_z, 2]`` float64, orthonormal columns.

    Raises:
        ValueError: there are fewer than two latents, or the window is negative.
    """
    if z.shape[-1] < 2:
        raise ValueError(f"z has {z.shape[-1]} latents; allowed is 2 or more.")
    if window < 0:
        raise ValueError(f"The window is {window} steps; allowed is 0 or more.")
    planes: list[torch.Tensor] = []
    for t in range(len(z)):
        plane = principal_axes(z[t : t + window + 1].flatten(0, 1))[1][:, :2]
        if planes:
            u, _, v = torch.linalg.svd(plane.T @ planes[-1])
            plane = plane @ u @ v
        else:
            largest = plane.gather(0, plane.abs().argmax(0, keepdim=True))
            plane = plane * largest.sign()
        planes.append(plane)
    return torch.stack(planes)
