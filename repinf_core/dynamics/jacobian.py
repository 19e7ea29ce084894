r"""The Jacobian of the step map f(z) = mu_phi(decoder mean(z)), which takes z(t) to z(t+1).

.. math::
    J = \frac{\partial z(t+1)}{\partial z(t)}
      = W_\mu \, D_1 \, W_1 \, D_x \, W_4 \, D_3 \, W_3

for the paper's network (preprint Eqs. 6-7).  W_3 and W_4 are the decoder's weights, W_1 and W_mu
the encoder's.  D_3, D_x and D_1 are the diagonal matrices of the derivatives of tanh, sigmoid and
tanh at the step's activations.  For any other model, automatic differentiation gives the Jacobian.
"""

import copy

import torch
from torch import nn

from repinf_core.models import Autoencoder
from repinf_core.models.mlp import VAE

_ROWS = 4096  # rows of the matrices multiplied at once: tens of MB


def jacobian(
    model: Autoencoder, z: torch.Tensor, latents: torch.Tensor | None = None
) -> torch.Tensor:
    """The Jacobian d z(t+1) / d z(t) of one repeated inference, at each point z(t).

    Args:
        model: encoder and decoder means, on the device of ``z``.
        z: points, ``[n, N_z]``.  A copy of the model is converted to their dtype, so float64
            points give float64 accuracy, whatever the model's dtype.
        latents: whether a latent variable has a row and a column, bool ``[N_z]``; default: all.

    Returns:
        ``[n, N_z, N_z]``, or as many rows and columns as ``latents``; a small displacement d of
        point i becomes ``[i] @ d`` one step later.

    Raises:
        ValueError: ``z`` is not a matrix.
    """
    if z.dim() != 2:
        raise ValueError(f"z has shape {list(z.shape)}; allowed is [n, N_z].")
    if isinstance(model, nn.Module):
        model = copy.deepcopy(model).to(z.dtype)
    if latents is None:
        latents = torch.ones(z.shape[1], dtype=torch.bool)
    latents = latents.to(z.device)
    # The formula need not hold for a subclass of VAE, which may have other means.
    if type(model) is VAE:
        points = _chunks(z, int(latents.sum()))
        return torch.cat([_closed_form(model, part, latents) for part in points])
    points = _chunks(z, z.shape[1])
    return torch.cat([_by_autograd(model, part)[:, latents][:, :, latents] for part in points])


def _chunks(z: torch.Tensor, rows: int) -> tuple[torch.Tensor, ...]:
    """Points whose Jacobians are computed together, if each needs so many rows."""
    return z.detach().split(max(1, _ROWS // max(1, rows)))


@torch.no_grad()
def _closed_form(model: VAE, z: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """Multiply from both ends to the pixels, which takes the fewest multiplications."""
    w1, w_mu = model.encoder_hidden.weight, model.encoder_out.weight[: model.n_z][latents]
    w3, w4 = model.decoder_hidden.weight[:, latents], model.decoder_out.weight
    h3 = torch.tanh(model.decoder_hidden(z))
    x = torch.sigmoid(model.decoder_out(h3))
    h1 = torch.tanh(model.encoder_hidden(x))
    d3, dx, d1 = (d[:, None, :] for d in (1 - h3.square(), x * (1 - x), 1 - h1.square()))
    to_pixels = (w3.T * d3) @ w4.T  # [n, latents, 784], a row for each of z(t)
    from_pixels = (w_mu * d1) @ w1 * dx  # [n, latents, 784], a row for each of z(t+1)
    return from_pixels @ to_pixels.mT


def _by_autograd(model: Autoencoder, z: torch.Tensor) -> torch.Tensor:
    def step(at: torch.Tensor) -> torch.Tensor:
        return model.encode_mean(model.decode_mean(at[None]))[0]

    return torch.func.vmap(torch.func.jacrev(step))(z).detach()
