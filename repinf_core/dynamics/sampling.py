"""Repeated inference with samples in place of means: z(t) ~ q(z|x(t)), x(t+1) ~ p(x|z(t))."""

from collections.abc import Iterator

import torch

from repinf_core.models.mlp import VAE


@torch.no_grad()
def sampled_chain(
    model: VAE, x0: torch.Tensor, steps: int, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the mean of q(z|x(t)) and the sample z(t) ~ q(z|x(t)) for t = 0 ... T.

    The pixels of x(t+1) are Bernoulli samples, 0 or 1: a Gibbs chain, whose stationary distribution
    is near the model's joint distribution where q is near its posterior.

    Args:
        model: the network, on the device of ``x0``.
        x0: initial images x(0), ``[n, 784]``; grey.
        steps: T.
        generator: source of all randomness, on that device.
    """
    x = x0
    for t in range(steps + 1):
        mean, log_variance = model.encode(x)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        z = mean + (0.5 * log_variance).exp() * noise
        yield mean, z
        if t < steps:
            x = torch.bernoulli(model.decode_mean(z), generator=generator)
