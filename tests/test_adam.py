"""Adam, a layer at a time, against torch's own and against Kingma & Ba's algorithm."""

import numpy as np
import pytest
import references
import torch

from repinf_core import profiles
from repinf_core.models.mlp import VAE
from repinf_core.training.fast import adam
from repinf_core.training.fast.adam import Adam
from repinf_core.training.fast.backprop import FlatParameters

RATES = [1e-2] * 3 + [1e-3] * 3
PRECISIONS = pytest.mark.parametrize("precision", profiles.PRECISIONS)


def network(precision="float32"):
    model = VAE(3, 16, torch.Generator().manual_seed(0), n_pixels=20)
    return model, FlatParameters.of(model, getattr(torch, precision))


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
    ours, start = Adam(flat), references.array(flat.vector)
    vector = flat.vector.detach().clone().requires_grad_()
    theirs = torch.optim.Adam([vector], lr=1.0, betas=adam.BETAS, eps=adam.EPSILON)
    exact = references.adam(
        start, [references.array(flattened(g)) for g in gradients(model, dtype)], RATES
    )
    for i, gradient in enumerate(gradients(model, dtype)):
        step(ours, RATES[i], gradient)
        theirs.param_groups[0]["lr"], vector.grad = RATES[i], flattened(gradient)
        theirs.step()
        # Up to ten roundings of a step of 1e-2 at most, and one of a parameter below 1, each step.
        atol = (i + 1) * (1e-2 * 6e-7 + 6e-8)
        torch.testing.assert_close(flat.vector.detach(), vector.detach(), rtol=0, atol=atol)
        np.testing.assert_allclose(references.array(flat.vector), exact[i], rtol=0, atol=atol)
    state = theirs.state[vector]
    assert set(ours.state) == set(state)
    assert ours.state["step"] == state["step"] == len(RATES)
    for name in ("exp_avg", "exp_avg_sq"):
        torch.testing.assert_close(ours.state[name], state[name], rtol=1e-5, atol=1e-12)


@PRECISIONS
def test_an_update_moves_its_layer_and_what_the_products_use_of_it(precision):
    model, flat = network(precision)
    optimiser, before = Adam(flat), [parameter.clone() for parameter in flat.parameters]
    optimiser.begin(0.5)
    optimiser.update(2, *(torch.ones_like(p) for p in flat.parameters[4:6]))
    moved = [
        not torch.equal(parameter, was)
        for parameter, was in zip(flat.parameters, before, strict=True)
    ]
    assert moved == [i in (4, 5) for i in range(8)]
    for weight, parameter in zip(flat.weights, model.parameters(), strict=True):
        assert torch.equal(weight, parameter.to(weight.dtype))


def test_it_goes_on_from_anothers_state():
    (model, flat), (_, other_flat) = network(), network()
    ours, other = Adam(flat), Adam(other_flat)
    first, second, *_ = gradients(model)
    step(ours, 1e-2, first)
    other_flat.vector.data.copy_(flat.vector.data)
    other.load(ours.state)
    for each in (ours, other):
        step(each, 1e-2, second)
    assert torch.equal(flat.vector, other_flat.vector)
    assert other.state["exp_avg"].data_ptr() != ours.state["exp_avg"].data_ptr()
