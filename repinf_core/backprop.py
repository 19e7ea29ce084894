"""The gradient of -ELBO written out for this two-layer model: speed, not meaning.

The same derivative as ``negative_elbo(...).total.backward()`` (a test holds it to autograd),
without the graph's bookkeeping, with the sigmoid's and tanh's derivatives taken from values
at hand, no gradient with respect to the images, and the sums written straight into the
buffers the optimiser reads.  With ``bfloat16`` the weights are rounded once per step and the
matrix products run in bfloat16; master weights, loss and optimiser stay float32.
"""

import torch

from repinf_core.vae import VAE, Objective, bernoulli_nll, kl_divergence


class FlatParameters:
    """A model's parameters as views of one float32 vector, and likewise their gradients.

    One vector makes Adam, the rounding to bfloat16 and a checkpoint one operation each.

    Attributes:
        vector: all parameters, an ``nn.Parameter`` whose ``grad`` is the gradient's vector.
        weights: the views in the dtype of the products, in the model's order.
        gradients: likewise the gradient's views.
    """

    def __init__(self, model: VAE, product_dtype: torch.dtype) -> None:
        parameters = list(model.parameters())
        self.vector = torch.nn.Parameter(torch.cat([p.detach().flatten() for p in parameters]))
        self.vector.grad = torch.zeros_like(self.vector)
        for parameter, view in zip(parameters, _views(self.vector.data, parameters), strict=True):
            parameter.data = view
        if product_dtype == torch.float32:
            self._products, self._product_gradient = self.vector.data, self.vector.grad
        else:
            self._products = self.vector.detach().to(product_dtype)
            self._product_gradient = torch.zeros_like(self._products)
        self.weights = _views(self._products, parameters)
        self.gradients = _views(self._product_gradient, parameters)

    def round_weights(self) -> None:
        """Bring the views that the products use up to date with ``vector``."""
        if self._products.dtype != torch.float32:
            self._products.copy_(self.vector.data)

    def collect_gradient(self) -> None:
        """Bring ``vector.grad`` up to date with what was written into ``gradients``."""
        if self._products.dtype != torch.float32:
            self.vector.grad.copy_(self._product_gradient)


def _views(vector: torch.Tensor, like: list[torch.Tensor]) -> list[torch.Tensor]:
    pieces = vector.split([p.numel() for p in like])
    return [piece.view(p.shape) for piece, p in zip(pieces, like, strict=True)]


@torch.no_grad()
def negative_elbo_gradient(
    flat: FlatParameters, x: torch.Tensor, epsilon: torch.Tensor, beta: float
) -> Objective:
    """-ELBO in nats per image; leaves its gradient in ``flat.vector.grad``.

    Args:
        flat: the model's parameters.
        x: images ``[B, 784]``.
        epsilon: standard normal numbers ``[L, B, N_z]``.
        beta: weight of the KL term.
    """
    flat.round_weights()
    w1, b1, w2, b2, w3, b3, w4, b4 = flat.weights
    dw1, db1, dw2, db2, dw3, db3, dw4, db4 = flat.gradients
    n_samples, batch, n_z = epsilon.shape
    images = x.to(w1.dtype)

    hidden = torch.addmm(b1, images, w1.T).tanh_()
    mu, log_variance = torch.addmm(b2, hidden, w2.T).float().split(n_z, dim=1)
    noise = (0.5 * log_variance).exp() * epsilon
    z = (mu + noise).view(-1, n_z).to(w1.dtype)
    hidden_z = torch.addmm(b3, z, w3.T).tanh_()
    logits = torch.addmm(b4, hidden_z, w4.T).float().view(n_samples, batch, -1)

    kl = kl_divergence(mu, log_variance).mean()
    reconstruction = bernoulli_nll(logits, x).mean()

    # d/dlogits of softplus(logits) - x logits is sigmoid(logits) - x
    d_logits = (torch.sigmoid(logits) - x).div_(n_samples * batch).flatten(0, 1).to(w1.dtype)
    _linear_gradient(d_logits, hidden_z, dw4, db4)
    d_hidden_z = _tanh_gradient(d_logits @ w4, hidden_z)
    _linear_gradient(d_hidden_z, z, dw3, db3)
    d_z = (d_hidden_z @ w3).float().view(n_samples, batch, n_z)
    d_mu = d_z.sum(0) + mu * (beta / batch)
    d_log_variance = 0.5 * ((d_z * noise).sum(0) + (log_variance.exp() - 1) * (beta / batch))
    d_encoded = torch.cat([d_mu, d_log_variance], dim=1).to(w1.dtype)
    _linear_gradient(d_encoded, hidden, dw2, db2)
    _linear_gradient(_tanh_gradient(d_encoded @ w2, hidden), images, dw1, db1)
    flat.collect_gradient()
    return Objective(beta * kl + reconstruction, kl, reconstruction)


def _linear_gradient(
    d_out: torch.Tensor, inputs: torch.Tensor, d_weight: torch.Tensor, d_bias: torch.Tensor
) -> None:
    torch.mm(d_out.T, inputs, out=d_weight)
    torch.sum(d_out, 0, out=d_bias)


def _tanh_gradient(d_out: torch.Tensor, tanh: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.tanh_backward(d_out, tanh)
