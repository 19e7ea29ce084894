r"""The Jacobian of the step map f(z) = mu_phi(decoder mean(z)), which takes z(t) to z(t+1).

.. math::
    J = \frac{\partial z(t+1)}{\partial z(t)}
      = W_\mu \, D_1 \, W_1 \, D_x \, W_4 \, D_3 \, W_3

for the paper's network (preprint Eqs. 6-7): W_3, W_4 are the decoder's weights and W_1, W_mu the
encoder's; D_3, D_x, D_1 are diagonal, the derivatives of tanh, of the sigmoid and of tanh where the
step meets them.  Of any other model the Jacobian is found by automatic differentiation.
"""

import copy

import torch
from torch import nn

from repinf_core.dynamics.rollout import Autoencoder
from repinf_core.models.mlp import VAE

_ROWS = 4096  # of the matrices that are multiplied at once, N_z for each point: tens of MB


def jacobian(model: Autoencoder, z: torch.Tensor) -> torch.Tensor:
    """How one repeated inference moves what is close to each point: d z(t+1) / d z(t) at z(t).

    Args:
        model: encoder and decoder means, on the device of ``z``.
        z: points, ``[n, N_z]``.  All is computed in their dtype, to which a copy of the model is
            converted: float64 points give float64's accuracy, whatever the model's dtype.

    Returns:
        ``[n, N_z, N_z]``; a small displacement d of point i becomes ``[i] @ d`` one step later.

    Raises:
        ValueError: ``z`` is no matrix.
    """
    if z.dim() != 2:
        raise ValueError(f"z has shape {list(z.shape)}; allowed is [n, N_z].")
    if isinstance(model, nn.Module):
        model = copy.deepcopy(model).to(z.dtype)
    chunk = max(1, _ROWS // z.shape[1])
    # Of a subclass of VAE the formula need not hold: it may have other means.
    points = z.detach().split(chunk)
    if type(model) is VAE:
        return torch.cat([_closed_form(model, part) for part in points])
    return torch.cat([_by_autograd(model, part) for part in points])


@torch.no_grad()
def _closed_form(model: VAE, z: torch.Tensor) -> torch.Tensor:
    """From both ends to the pixels, the narrowest layer between: the fewest multiplications."""
    w1, w_mu = model.encoder_hidden.weight, model.encoder_out.weight[: model.n_z]
    w3, w4 = model.decoder_hidden.weight, model.decoder_out.weight
    h3 = torch.tanh(model.decoder_hidden(z))
    x = torch.sigmoid(model.decoder_out(h3))
    h1 = torch.tanh(model.encoder_hidden(x))
    d3, dx, d1 = (d[:, None, :] for d in (1 - h3.square(), x * (1 - x), 1 - h1.square()))
    to_pixels = (w3.T * d3) @ w4.T  # [n, N_z, 784], a latent of z(t) in each row
    from_pixels = (w_mu * d1) @ w1 * dx  # [n, N_z, 784], a latent of z(t+1) in each row
    return from_pixels @ to_pixels.mT


def _by_autograd(model: Autoencoder, z: torch.Tensor) -> torch.Tensor:
    def step(at: torch.Tensor) -> torch.Tensor:
        return model.encode_mean(model.decode_mean(at[None]))[0]

    return torch.func.vmap(torch.func.jacrev(step))(z).detach()
