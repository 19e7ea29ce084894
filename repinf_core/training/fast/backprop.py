"""-ELBO and its gradient, written out for the two-layer model for speed.

The gradient equals the result of ``negative_elbo(...).total.backward()``; a test compares the two.
This code is faster because there is no graph, the derivatives of sigmoid and tanh use values that
are already known, there is no gradient with respect to the images, and each layer's gradient is
used as soon as it is known.  With ``bfloat16`` the matrix products run in bfloat16 with rounded
weights; master weights, loss and optimiser stay in float32.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from repinf_core.kernels import onednn
from repinf_core.models.mlp import Objective

Receiver = Callable[[int, torch.Tensor, torch.Tensor], None]
"""Takes a layer's index, from 0, and the gradients of its weight and bias."""


_ALIGNED = 64
"""Each parameter starts at a multiple of this many elements: 128 bytes in bfloat16.

At other addresses a GPU uses slower bfloat16 kernels.
"""


class FlatParameters:
    """Parameters, and their gradients, as views of one float32 vector each.

    One operation rounds a whole vector to the dtype of the products.  Several models of one shape
    are the rows of a matrix instead; their views have one more dimension.

    Args:
        vector: all parameters of a model ``[P]``, or of E models ``[E, P]``, as :func:`flattened`
            lays them out.
        like: the parameters of such a model, for their shapes and order.
        product_dtype: dtype of ``weights``.

    Attributes:
        vector: the parameters, an ``nn.Parameter`` whose ``grad`` is the gradient's vector.
        parameters: views of the vector in the model's order: weight and bias of each layer.
        weights: the same in the dtype of the matrix products.
    """

    def __init__(
        self, vector: torch.Tensor, like: Sequence[torch.Tensor], product_dtype: torch.dtype
    ) -> None:
        self.vector = torch.nn.Parameter(vector)
        self.vector.grad = torch.zeros_like(self.vector)
        self._like = like
        self.parameters = self.views(self.vector.data)
        self._products = self.vector.data.to(product_dtype)
        self.weights = self.views(self._products)
        self._gradients = self.views(self.vector.grad)

    @classmethod
    def of(cls, model: nn.Module, product_dtype: torch.dtype) -> "FlatParameters":
        """The parameters of a model, which become views of the vector."""
        parameters = list(model.parameters())
        flat = cls(flattened([p.detach() for p in parameters]), parameters, product_dtype)
        for parameter, view in zip(parameters, flat.parameters, strict=True):
            parameter.data = view
        return flat

    def views(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """Views of each parameter's numbers in ``vector``."""
        pieces = vector.split([_padded(p) for p in self._like], dim=-1)
        models = vector.shape[:-1]
        return [
            piece[..., : p.numel()].view(*models, *p.shape)
            for piece, p in zip(pieces, self._like, strict=True)
        ]

    def round_weights(self) -> None:
        """Update ``weights`` from ``vector``."""
        if self._products.dtype != torch.float32:
            self._products.copy_(self.vector.data)

    def round_layer(self, layer: int) -> None:
        """Update the ``weights`` of one layer."""
        if self._products.dtype != torch.float32:
            for i in (2 * layer, 2 * layer + 1):
                self.weights[i].copy_(self.parameters[i])

    def keep_gradient(self, layer: int, d_weight: torch.Tensor, d_bias: torch.Tensor) -> None:
        """Write a layer's gradient into ``vector.grad``."""
        self._gradients[2 * layer].copy_(d_weight)
        self._gradients[2 * layer + 1].copy_(d_bias)


def flattened(parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """All parameters in one vector, each at an aligned place, with zeros in between."""
    return torch.cat([F.pad(p.flatten(), (0, _padded(p) - p.numel())) for p in parameters])


def _padded(parameter: torch.Tensor) -> int:
    return -(-parameter.numel() // _ALIGNED) * _ALIGNED


def negative_elbo_gradient(
    flat: FlatParameters, x: torch.Tensor, epsilon: torch.Tensor, beta: float
) -> Objective:
    """-ELBO in nats per image; its gradient is written to ``flat.vector.grad``.

    Args:
        flat: parameters of a model, or of E models; then all shapes below start with E.
        x: images ``[B, 784]``.
        epsilon: standard normal numbers ``[L, B, N_z]``.
        beta: weight of the KL term.
    """
    flat.round_weights()
    return backpropagate(flat, x, epsilon, beta, flat.keep_gradient)


class Forward(NamedTuple):
    """The results of a forward pass, and the values that backpropagation needs.

    For E models all shapes start with E.

    Attributes:
        objective: in nats per image.
        mu: mean of q(z|x) ``[B, N_z]``.
        noise: sigma epsilon ``[L, B, N_z]``.
        excess: sigma^2 - 1 ``[B, N_z]``, the variance minus the prior's variance.
        pixels: the means of p(x|z) ``[L, B, 784]``.
        images: inputs of the first layer ``[B, 784]``.
        hidden: the encoder's units ``[B, hidden]``.
        z: inputs of the decoder ``[L B, N_z]``.
        hidden_z: the decoder's units ``[L B, hidden]``.
    """

    objective: Objective
    mu: torch.Tensor
    noise: torch.Tensor
    excess: torch.Tensor
    pixels: torch.Tensor
    images: torch.Tensor
    hidden: torch.Tensor
    z: torch.Tensor
    hidden_z: torch.Tensor


@torch.no_grad()
def forward(
    weights: Sequence[torch.Tensor], x: torch.Tensor, epsilon: torch.Tensor, beta: float
) -> Forward:
    """-ELBO as in :func:`negative_elbo_gradient`, from these weights and biases."""
    w1, b1, w2, b2, w3, b3, w4, b4 = weights
    n_samples, batch, n_z = epsilon.shape[-3:]
    images, x = x.to(w1.dtype), x.unsqueeze(-3)

    hidden = _affine(images, w1, b1, tanh=True)
    mu, log_variance = _affine(hidden, w2, b2).float().split(n_z, dim=-1)
    sigma = (0.5 * log_variance).exp()
    noise = sigma.unsqueeze(-3) * epsilon
    z = (mu.unsqueeze(-3) + noise).flatten(-3, -2).to(w1.dtype)
    hidden_z = _affine(z, w3, b3, tanh=True)
    logits = _affine(hidden_z, w4, b4).float().unflatten(-2, (n_samples, batch))

    excess = sigma.square().sub_(1)
    kl = 0.5 * (excess - log_variance).addcmul_(mu, mu).sum(-1).mean(-1)
    pixels = torch.sigmoid(logits)
    reconstruction = _softplus(logits, pixels).addcmul_(x, logits, value=-1).sum(-1).mean((-2, -1))
    objective = Objective(beta * kl + reconstruction, kl, reconstruction)
    return Forward(objective, mu, noise, excess, pixels, images, hidden, z, hidden_z)


@torch.no_grad()
def backpropagate(
    flat: FlatParameters,
    x: torch.Tensor,
    epsilon: torch.Tensor,
    beta: float,
    receive: Receiver,
) -> Objective:
    """-ELBO as in :func:`negative_elbo_gradient`, with ``flat.weights`` as they are.

    Args:
        receive: takes each layer's gradient, from the last layer to the first; it may change
            the layer's weights, which are no longer used.
    """
    _, _, w2, _, w3, _, w4, _ = flat.weights
    objective, mu, noise, excess, pixels, images, hidden, z, hidden_z = forward(
        flat.weights, x, epsilon, beta
    )
    n_samples, batch = noise.shape[-3:-1]
    # d/dlogits of softplus(logits) - x logits is sigmoid(logits) - x
    d_logits = pixels.sub_(x.unsqueeze(-3)).div_(n_samples * batch)
    d_logits = d_logits.flatten(-3, -2).to(w4.dtype)
    d_hidden_z = _tanh_gradient(_product(d_logits, w4), hidden_z)
    receive(3, *_linear_gradient(d_logits, hidden_z))
    d_z = _product(d_hidden_z, w3).float().unflatten(-2, (n_samples, batch))
    receive(2, *_linear_gradient(d_hidden_z, z))
    d_mu = torch.add(d_z.sum(-3), mu, alpha=beta / batch)
    d_log_variance = (d_z * noise).sum(-3).add_(excess, alpha=beta / batch).mul_(0.5)
    d_encoded = torch.cat([d_mu, d_log_variance], dim=-1).to(w2.dtype)
    d_hidden = _tanh_gradient(_product(d_encoded, w2), hidden)
    receive(1, *_linear_gradient(d_encoded, hidden))
    receive(0, *_linear_gradient(d_hidden, images))
    return objective


def _affine(
    inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, tanh: bool = False
) -> torch.Tensor:
    if _by_onednn(inputs):
        return onednn.linear(inputs, weight, bias, "tanh" if tanh else "none")
    if inputs.dim() == 2:
        outputs = torch.addmm(bias, inputs, weight.T)
    else:
        outputs = torch.baddbmm(bias.unsqueeze(-2), inputs, weight.mT)
    return outputs.tanh_() if tanh else outputs


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    # torch itself uses oneDNN for bfloat16 products if it can, and is as fast.
    if a.dtype == torch.float32 and _by_onednn(a):
        return onednn.linear(a, b.T)
    return a @ b


def _by_onednn(inputs: torch.Tensor) -> bool:
    # For the float32 products of a minibatch MKL is faster, also on AMD processors, unless these
    # have AVX-512, which MKL does not use on them.
    wide = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return (wide or inputs.dtype != torch.float32) and onednn.supports(inputs)


def _linear_gradient(
    d_out: torch.Tensor, inputs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    return _product(d_out.mT, inputs), d_out.sum(-2)


def _tanh_gradient(d_out: torch.Tensor, tanh: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.tanh_backward(d_out, tanh)


def _softplus(a: torch.Tensor, sigmoid: torch.Tensor) -> torch.Tensor:
    """log(1 + e^a) = max(a, 0) - log(sigmoid(|a|)), many times faster than torch's log1p."""
    return a.relu().sub_(torch.maximum(sigmoid, 1 - sigmoid).log_())
