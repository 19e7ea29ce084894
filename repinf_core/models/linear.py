r"""The linear VAE: probabilistic PCA, whose maximum of the likelihood is known in closed form.

.. math::
    z \sim N(0, I), \quad x \sim N(W z + m, \sigma^2 I), \quad
    q(z|x) = p(z|x) = N\big(M^{-1} W^T (x - m), \sigma^2 M^{-1}\big), \quad M = W^T W + \sigma^2 I

With W = U (Lambda - sigma^2 I)^(1/2) of the leading eigenvectors U and eigenvalues Lambda of the
covariance, and sigma^2 the mean of the others (Tipping and Bishop 1999), the step map is diagonal:
each latent variable is multiplied by its own factor (Lambda_i - sigma^2) / Lambda_i, from 0 to 1.
"""

import torch


class LinearVAE:
    """Probabilistic PCA of images, in float64.

    Args:
        images: ``[N, n_pixels]``, N >= 2.
        n_z: latent variables, fewer than pixels.

    Attributes:
        factors: factor by which a step multiplies each latent variable, largest first, ``[n_z]``;
            0 for a variable without variance.

    Raises:
        ValueError: there are as many latent variables as pixels, or more.
    """

    def __init__(self, images: torch.Tensor, n_z: int) -> None:
        if n_z >= images.shape[1]:
            raise ValueError(f"n_z is {n_z}; allowed is less than the {images.shape[1]} pixels.")
        self._mean = images.mean(0, dtype=torch.float64)
        centred = (part.double() - self._mean for part in images.split(4096))
        scatter = torch.stack([part.T @ part for part in centred]).sum(0)
        values, vectors = torch.linalg.eigh(scatter / len(images))
        noise = values[:-n_z].mean().clamp_min(0)
        leading, self._axes = values[-n_z:].flip(0), vectors[:, -n_z:].flip(1)
        signal = (leading - noise).clamp_min(0)
        self._scale = signal.sqrt()
        has_variance = leading > torch.finfo(leading.dtype).eps * leading[0]
        inverse = torch.where(has_variance, 1 / leading, 0)
        self.factors, self._gain = signal * inverse, self._scale * inverse

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """Images ``[n, n_pixels]`` to latents ``[n, n_z]``."""
        return (x.double() - self._mean) @ self._axes * self._gain

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """Latents ``[n, n_z]`` to images ``[n, n_pixels]``, whose values are not bounded."""
        return z * self._scale @ self._axes.T + self._mean
