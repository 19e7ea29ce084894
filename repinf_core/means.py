"""Both means of the VAE written out for repeated inference: speed, not meaning.

Matrix products are most of a step, but torch's tanh costs several times its sigmoid on a CPU,
and arrays made anew in each step cost page faults.  Here tanh(a) = 2 sigmoid(2a) - 1 is folded
into the weights on either side of it, and every result goes into a buffer that is used again.
"""

import torch
from torch import nn

from repinf_core.vae import VAE


class Means:
    """``encode_mean`` and ``decode_mean`` of a VAE, for up to ``rows`` images or latents.

    Each returns its buffer: its next call overwrites what it returned before.  Later changes
    of the model's weights are not seen.
    """

    def __init__(self, model: VAE, rows: int) -> None:
        weight = model.encoder_hidden.weight
        hidden = weight.new_empty(rows, weight.shape[0])
        self._encode = _TwoLayers(model.encoder_hidden, model.encoder_out, model.n_z, hidden)
        n_pixels = model.decoder_out.out_features
        self._decode = _TwoLayers(model.decoder_hidden, model.decoder_out, n_pixels, hidden)

    def encode_mean(self, x: torch.Tensor) -> torch.Tensor:
        """Images ``[n, 784]`` to latents ``[n, N_z]``."""
        return self._encode(x)

    def decode_mean(self, z: torch.Tensor) -> torch.Tensor:
        """Latents ``[n, N_z]`` to images ``[n, 784]``."""
        return self._decode(z).sigmoid_()


class _TwoLayers:
    """W' tanh(W x + b) + b' as 2 W' sigmoid(2 W x + 2 b) + (b' - W' 1)."""

    def __init__(self, first: nn.Linear, second: nn.Linear, n_out: int, hidden: torch.Tensor):
        weight, bias = second.weight.detach()[:n_out], second.bias.detach()[:n_out]
        self._first = 2 * first.bias.detach(), 2 * first.weight.detach().T
        self._second = bias - weight.sum(1), 2 * weight.T
        self._hidden, self._out = hidden, hidden.new_empty(len(hidden), n_out)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        (bias, weight), n = self._first, len(x)
        hidden = torch.addmm(bias, x, weight, out=self._hidden[:n]).sigmoid_()
        bias, weight = self._second
        return torch.addmm(bias, hidden, weight, out=self._out[:n])
