"""Adam, a layer at a time, against torch's own and against Kingma & Ba's algorithm."""

import numpy as np
import pytest
import references
import torch

from repinf_core import profiles
from repinf_core.models.mlp import VAE
from repinf_core.training.fast.adam import Adam
from repinf_core.training.fast.backprop import FlatParameters
from repinf_core.training.run import BETAS, EPSILON

RATES = [1e-2] * 3 + [1e-3] * 3
PRECISIONS = pytest.mark.parametrize("precision", profiles.PRECISIONS)


def network(precision="float32"):
    model = VAE(3, 16, torch.Generator().manual_seed(0), n_pixels=20)
    return model, FlatParameters.of(model, getattr(torch, precision))


def joined(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def torch_adam(model):
    """As a run has it, with its state from the start."""
    optimiser = torch.optim.Adam(model.parameters(), betas=BETAS, eps=EPSILON, fused=True)
    for p in model.parameters():
        zeros = {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        optimiser.state[p] = {"step": torch.zeros(()), **zeros}
    return optimiser


def gradients(model, dtype=torch.float32):
    """One gradient of each step: of all parameters, from tiny to large."""
    generator = torch.Generator().manual_seed(1)
    for _ in RATES:
        scale = 10 ** torch.randint(-6, 3, (), generator=generator).float()
        yield [
            (scale * torch.randn(p.shape, generator=generator)).to(dtype)
            for p in model.parameters()
        ]


def step(optimiser, rate, gradient):
    """From the last layer to the first, as they come."""
    optimiser.begin(rate)
    for layer in reversed(range(len(gradient) // 2)):
        optimiser.update(layer, *gradient[2 * layer : 2 * layer + 2])


def flattened(gradient):
    return torch.cat([part.float().flatten() for part in gradient])


@PRECISIONS
def test_steps_are_those_of_torch_and_of_the_algorithm(precision):
    dtype = getattr(torch, precision)
    model, flat = network(precision)
    optimiser = torch_adam(model)
    ours, start = Adam(flat, optimiser), references.array(joined(model.parameters()))
    vector = joined(model.parameters()).requires_grad_()
    theirs = torch.optim.Adam([vector], lr=1.0, betas=BETAS, eps=EPSILON)
    exact = references.adam(
        start, [references.array(flattened(g)) for g in gradients(model, dtype)], RATES
    )
    for i, gradient in enumerate(gradients(model, dtype)):
        step(ours, RATES[i], gradient)
        theirs.param_groups[0]["lr"], vector.grad = RATES[i], flattened(gradient)
        theirs.step()
        # Up to ten roundings of a step of 1e-2 at most, and one of a parameter below 1, each step.
        atol = (i + 1) * (1e-2 * 6e-7 + 6e-8)
        torch.testing.assert_close(joined(model.parameters()), vector.detach(), rtol=0, atol=atol)
        np.testing.assert_allclose(
            references.array(joined(model.parameters())), exact[i], rtol=0, atol=atol
        )
    state = theirs.state[vector]
    own = list(optimiser.state.values())
    assert all(set(of_parameter) == set(state) for of_parameter in own)
    assert all(of_parameter["step"] == len(RATES) for of_parameter in own)
    for name in ("exp_avg", "exp_avg_sq"):
        found = joined(of_parameter[name] for of_parameter in own)
        torch.testing.assert_close(found, state[name], rtol=1e-5, atol=1e-12)


@PRECISIONS
def test_an_update_moves_its_layer_and_what_the_products_use_of_it(precision):
    model, flat = network(precision)
    optimiser, before = (
        Adam(flat, torch_adam(model)),
        [parameter.clone() for parameter in flat.parameters],
    )
    optimiser.begin(0.5)
    optimiser.update(2, *(torch.ones_like(p) for p in flat.parameters[4:6]))
    moved = [
        not torch.equal(parameter, was)
        for parameter, was in zip(flat.parameters, before, strict=True)
    ]
    assert moved == [i in (4, 5) for i in range(8)]
    for weight, parameter in zip(flat.weights, model.parameters(), strict=True):
        assert torch.equal(weight, parameter.to(weight.dtype))


def test_torchs_own_goes_on_from_where_it_stopped():
    """What the fast path gives up, at any step, the general one takes over."""
    model, flat = network()
    optimiser = torch_adam(model)
    ours = Adam(flat, optimiser)
    first, second, *_ = gradients(model)
    exact = references.adam(
        references.array(joined(model.parameters())),
        [references.array(flattened(g)) for g in (first, second)],
        [1e-2, 1e-2],
    )
    step(ours, 1e-2, first)
    optimiser.param_groups[0]["lr"] = 1e-2
    for parameter, gradient in zip(model.parameters(), second, strict=True):
        parameter.grad = gradient
    optimiser.step()
    found = references.array(joined(model.parameters()))
    np.testing.assert_allclose(found, exact[1], rtol=0, atol=2 * (1e-2 * 6e-7 + 6e-8))
