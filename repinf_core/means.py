"""Both means of the VAE with the products of oneDNN, for repeated inference: speed, not meaning.

On x86 processors torch's float32 products are MKL's, which is made for Intel's; oneDNN, the other
library that torch brings along, is faster on AMD's, and so is its tanh.  Torch uses it for tensors
in a layout of its own.
"""

import platform

import torch
import torch.nn.functional as F
from torch import nn

from repinf_core.vae import VAE


class Means:
    """``encode_mean`` and ``decode_mean`` of a VAE for which :func:`has_means`.

    Later changes of the model's weights are not seen.
    """

    def __init__(self, model: VAE) -> None:
        self._encode = _TwoLayers(model.encoder_hidden, model.encoder_out, model.n_z)
        n_pixels = model.decoder_out.out_features
        self._decode = _TwoLayers(model.decoder_hidden, model.decoder_out, n_pixels)

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """Images ``[n, 784]`` to latents ``[n, N_z]``."""
        return self._encode(x).to_dense()

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """Latents ``[n, N_z]`` to images ``[n, 784]``."""
        return torch.sigmoid_(self._decode(z)).to_dense()


def has_means(model: nn.Module) -> bool:
    """Whether oneDNN computes the means of this model: a VAE in float32 on an x86 processor."""
    return (
        isinstance(model, VAE)
        and model.encoder_hidden.weight.dtype == torch.float32
        and not model.encoder_hidden.weight.is_cuda
        and platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()
    )


class _TwoLayers:
    """W' tanh(W x + b) + b', of whose rows the first ``n_out``; the result in oneDNN's layout."""

    def __init__(self, first: nn.Linear, second: nn.Linear, n_out: int) -> None:
        tensors = first.weight, first.bias, second.weight[:n_out], second.bias[:n_out]
        self._tensors = [tensor.detach().to_mkldnn() for tensor in tensors]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias, weight_out, bias_out = self._tensors
        hidden = torch.tanh_(F.linear(x.to_mkldnn(), weight, bias))
        return F.linear(hidden, weight_out, bias_out)
