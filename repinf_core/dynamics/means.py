"""The means of the VAE's encoder and decoder by oneDNN, which makes repeated inference faster."""

from typing import TypeGuard

import torch
from torch import nn

from repinf_core.kernels import onednn
from repinf_core.models.mlp import VAE


class OneDNNMeans:
    """``encode_mean`` and ``decode_mean`` of a model for which :func:`supports_onednn` is true."""

    def __init__(self, model: VAE) -> None:
        self._model = model

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """z(t) = E_q(z|x(t))[z]: images ``[n, 784]`` to latents ``[n, N_z]`` (preprint Eq. 7)."""
        hidden = _layer(self._model.encoder_hidden, x, "tanh")
        return _layer(self._model.encoder_out, hidden, "none", self._model.n_z)

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """x(t+1) = E_p(x|z(t))[x]: latents ``[n, N_z]`` to images ``[n, 784]`` (preprint Eq. 6)."""
        hidden = _layer(self._model.decoder_hidden, z, "tanh")
        return _layer(self._model.decoder_out, hidden, "sigmoid")


def supports_onednn(model: object) -> TypeGuard[VAE]:
    """Whether oneDNN computes the means of this model: a VAE in float32 on an x86 processor.

    Subclasses of VAE are excluded, because their means may differ.
    """
    if type(model) is not VAE:
        return False
    weight = model.encoder_hidden.weight
    return weight.dtype == torch.float32 and onednn.supports(weight)


def _layer(
    layer: nn.Linear, inputs: torch.Tensor, nonlinearity: str, n_out: int | None = None
) -> torch.Tensor:
    """The layer's first ``n_out`` outputs, or all of them, after the nonlinearity."""
    weight, bias = layer.weight.detach(), layer.bias.detach()
    return onednn.linear(inputs, weight[:n_out], bias[:n_out], nonlinearity)
