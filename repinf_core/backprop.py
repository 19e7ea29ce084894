"""The gradient of -ELBO written out for this two-layer model: speed, not meaning.

The same derivative as ``negative_elbo(...).total.backward()`` (a test holds it to autograd),
without the graph's bookkeeping, with the sigmoid's and tanh's derivatives taken from values
at hand, no gradient with respect to the images, and the sums written straight into the
buffers the optimiser reads.  With ``bfloat16`` the weights are rounded once per step and the
matrix products run in bfloat16; master weights, loss and optimiser stay float32.
"""

from collections.abc import Sequence

import torch

from repinf_core.vae import VAE, Objective, bernoulli_nll, kl_divergence


class FlatParameters:
    """Parameters as views of one float32 vector, and likewise their gradients.

    One vector makes Adam, the rounding to bfloat16 and a checkpoint one operation each.  Several
    models of one shape are the rows of a matrix instead; their views have one dimension more.

    Args:
        vector: all parameters of a model ``[P]``, or of E models ``[E, P]``.
        like: the parameters of such a model, for their shapes and order.
        product_dtype: of the views ``weights``.

    Attributes:
        vector: the parameters, an ``nn.Parameter`` whose ``grad`` is the gradient's vector.
        weights: the views in the dtype of the products, in the model's order.
        gradients: likewise the gradient's views.
    """

    def __init__(
        self, vector: torch.Tensor, like: Sequence[torch.Tensor], product_dtype: torch.dtype
    ) -> None:
        self.vector = torch.nn.Parameter(vector)
        self.vector.grad = torch.zeros_like(self.vector)
        if product_dtype == torch.float32:
            self._products, self._product_gradient = self.vector.data, self.vector.grad
        else:
            self._products = self.vector.detach().to(product_dtype)
            self._product_gradient = torch.zeros_like(self._products)
        self.weights = _views(self._products, like)
        self.gradients = _views(self._product_gradient, like)

    @classmethod
    def of(cls, model: VAE, product_dtype: torch.dtype) -> "FlatParameters":
        """Those of a model, which from now on are views of the vector."""
        parameters = list(model.parameters())
        vector = torch.cat([parameter.detach().flatten() for parameter in parameters])
        flat = cls(vector, parameters, product_dtype)
        for parameter, view in zip(parameters, _views(flat.vector.data, parameters), strict=True):
            parameter.data = view
        return flat

    def round_weights(self) -> None:
        """Bring the views that the products use up to date with ``vector``."""
        if self._products.dtype != torch.float32:
            self._products.copy_(self.vector.data)

    def collect_gradient(self) -> None:
        """Bring ``vector.grad`` up to date with what was written into ``gradients``."""
        if self._products.dtype != torch.float32:
            self.vector.grad.copy_(self._product_gradient)


def _views(vector: torch.Tensor, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    pieces = vector.split([p.numel() for p in like], dim=-1)
    models = vector.shape[:-1]
    return [piece.view(*models, *p.shape) for piece, p in zip(pieces, like, strict=True)]


@torch.no_grad()
def negative_elbo_gradient(
    flat: FlatParameters, x: torch.Tensor, epsilon: torch.Tensor, beta: float
) -> Objective:
    """-ELBO in nats per image; leaves its gradient in ``flat.vector.grad``.

    Args:
        flat: the parameters of a model, or of E models: then all below has E in front.
        x: images ``[B, 784]``.
        epsilon: standard normal numbers ``[L, B, N_z]``.
        beta: weight of the KL term.
    """
    flat.round_weights()
    w1, b1, w2, b2, w3, b3, w4, b4 = flat.weights
    dw1, db1, dw2, db2, dw3, db3, dw4, db4 = flat.gradients
    n_samples, batch, n_z = epsilon.shape[-3:]
    images, x = x.to(w1.dtype), x.unsqueeze(-3)

    hidden = _affine(images, w1, b1).tanh_()
    mu, log_variance = _affine(hidden, w2, b2).float().split(n_z, dim=-1)
    noise = (0.5 * log_variance).exp().unsqueeze(-3) * epsilon
    z = (mu.unsqueeze(-3) + noise).flatten(-3, -2).to(w1.dtype)
    hidden_z = _affine(z, w3, b3).tanh_()
    logits = _affine(hidden_z, w4, b4).float().unflatten(-2, (n_samples, batch))

    kl = kl_divergence(mu, log_variance).mean(-1)
    reconstruction = bernoulli_nll(logits, x).mean((-2, -1))

    # d/dlogits of softplus(logits) - x logits is sigmoid(logits) - x
    d_logits = (torch.sigmoid(logits) - x).div_(n_samples * batch).flatten(-3, -2).to(w1.dtype)
    _linear_gradient(d_logits, hidden_z, dw4, db4)
    d_hidden_z = _tanh_gradient(d_logits @ w4, hidden_z)
    _linear_gradient(d_hidden_z, z, dw3, db3)
    d_z = (d_hidden_z @ w3).float().unflatten(-2, (n_samples, batch))
    d_mu = d_z.sum(-3) + mu * (beta / batch)
    d_log_variance = 0.5 * ((d_z * noise).sum(-3) + (log_variance.exp() - 1) * (beta / batch))
    d_encoded = torch.cat([d_mu, d_log_variance], dim=-1).to(w1.dtype)
    _linear_gradient(d_encoded, hidden, dw2, db2)
    _linear_gradient(_tanh_gradient(d_encoded @ w2, hidden), images, dw1, db1)
    flat.collect_gradient()
    return Objective(beta * kl + reconstruction, kl, reconstruction)


def _affine(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    if inputs.dim() == 2:
        return torch.addmm(bias, inputs, weight.T)
    return torch.baddbmm(bias.unsqueeze(-2), inputs, weight.mT)


def _linear_gradient(
    d_out: torch.Tensor, inputs: torch.Tensor, d_weight: torch.Tensor, d_bias: torch.Tensor
) -> None:
    torch.matmul(d_out.mT, inputs, out=d_weight)
    torch.sum(d_out, -2, out=d_bias)


def _tanh_gradient(d_out: torch.Tensor, tanh: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.tanh_backward(d_out, tanh)
