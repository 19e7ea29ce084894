import math
from unittest import mock

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st
from processor import needs_onednn

from repinf_core.kernels import onednn
from repinf_core.models.mlp import VAE, negative_elbo
from repinf_core.training.fast import backprop
from repinf_core.training.fast.backprop import FlatParameters, backpropagate, negative_elbo_gradient


def problem(n_z=3, n_hidden=16, n_pixels=784, n_samples=2, batch=5, seed=0):
    """A network with random biases, grey images and latent noise, all float32."""
    generator = torch.Generator().manual_seed(seed)
    model = VAE(n_z, n_hidden, generator, n_pixels)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    x = torch.rand(batch, n_pixels, generator=generator)
    epsilon = torch.randn(n_samples, batch, n_z, generator=generator)
    return model, x, epsilon


def autograd(model, x, epsilon, beta):
    """The gradient by name, of the objective as it is written, in float64."""
    exact = VAE(model.n_z, len(model.encoder_hidden.bias), torch.Generator(), x.shape[1]).double()
    exact.load_state_dict(model.state_dict())
    negative_elbo(exact, x.double(), epsilon.double(), beta).total.backward()
    return {name: parameter.grad.numpy() for name, parameter in exact.named_parameters()}


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@given(
    n_z=st.integers(1, 6),
    n_hidden=st.integers(1, 20),
    n_pixels=st.integers(1, 30),
    n_samples=st.integers(1, 4),
    batch=st.integers(1, 7),
    beta=st.sampled_from([0.0, 0.3, 1.0, 4.0]),
    seed=st.integers(0, 1000),
)
def test_gradient_is_autograds(n_z, n_hidden, n_pixels, n_samples, batch, beta, seed):
    model, x, epsilon = problem(n_z, n_hidden, n_pixels, n_samples, batch, seed)
    expected = autograd(model, x, epsilon, beta)
    flat = FlatParameters.of(model, torch.float32)
    negative_elbo_gradient(flat, x, epsilon, beta)
    found = references.unflatten(flat.vector.grad.numpy(), model)
    # Float32 keeps 6e-8 per operation; where the terms of a layer's sums nearly cancel, which
    # the smallest shapes allow, two digits of that are lost.
    for name, gradient in expected.items():
        np.testing.assert_allclose(
            found[name], gradient, rtol=0, atol=1e-5 * max(np.abs(gradient).max(), 1e-3)
        )


def test_gradient_is_autograds_at_the_papers_shapes():
    model, x, epsilon = problem(n_z=100, n_hidden=64, batch=100)
    expected = autograd(model, x, epsilon, 1.0)
    flat = FlatParameters.of(model, torch.float32)
    negative_elbo_gradient(flat, x, epsilon, 1.0)
    for name, found in references.unflatten(flat.vector.grad.numpy(), model).items():
        assert relative_error(found, expected[name]) < 2e-6  # float32, nothing cancels


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_gradient_is_the_slope_of_the_reference_objective(beta):
    model, x, epsilon = problem(n_z=4, n_hidden=8, n_pixels=20)
    flat = FlatParameters.of(model, torch.float32)
    negative_elbo_gradient(flat, x, epsilon, beta)
    gradient = references.array(flat.vector.grad)
    start = references.array(flat.vector)

    def total(vector):
        w = references.unflatten(vector, model)
        return references.negative_elbo(w, references.array(x), references.array(epsilon), beta)[0]

    random = np.random.default_rng(0)
    for _ in range(10):
        direction = random.standard_normal(len(start))
        direction /= np.linalg.norm(direction)
        # Central differences: error step^2 = 1e-10, rounding 1e-16 x 20 nats / 1e-5 = 2e-10.
        slope = (total(start + 1e-5 * direction) - total(start - 1e-5 * direction)) / 2e-5
        # The rest is the gradient's own float32.
        assert slope == pytest.approx(gradient @ direction, abs=1e-6 * np.linalg.norm(gradient))


def test_objective_returned_is_the_reference():
    model, x, epsilon = problem()
    w = references.weights(model)
    expected = references.negative_elbo(w, references.array(x), references.array(epsilon), 3.0)
    found = negative_elbo_gradient(FlatParameters.of(model, torch.float32), x, epsilon, 3.0)
    # A float32 sum of 784 terms of either sign, in a tree: ten roundings of 6e-8 or so.
    assert [part.item() for part in found] == pytest.approx(expected, rel=1e-6)


def test_a_gradient_replaces_the_one_before_it():
    model, x, epsilon = problem()
    flat = FlatParameters.of(model, torch.float32)
    negative_elbo_gradient(flat, x, epsilon, 1.0)
    once = flat.vector.grad.clone()
    negative_elbo_gradient(flat, x, epsilon, 1.0)
    assert torch.equal(flat.vector.grad, once)


def test_images_noise_and_weights_are_left_as_they_were():
    model, x, epsilon = problem()
    flat = FlatParameters.of(model, torch.float32)
    before = [tensor.clone() for tensor in (x, epsilon, flat.vector.detach())]
    negative_elbo_gradient(flat, x, epsilon, 1.0)
    for tensor, was in zip((x, epsilon, flat.vector.detach()), before, strict=True):
        assert torch.equal(tensor, was)


def test_bfloat16_is_close_and_keeps_float32_masters():
    model, x, epsilon = problem(n_z=10, n_hidden=64, batch=100)
    exact = autograd(model, x, epsilon, 1.0)
    flat = FlatParameters.of(model, torch.bfloat16)
    before = flat.vector.detach().clone()
    objective = negative_elbo_gradient(flat, x, epsilon, 1.0)
    # The weights, rounded to 8 bits for the products, come back unrounded.
    assert flat.vector.dtype == flat.vector.grad.dtype == torch.float32
    assert torch.equal(flat.vector.detach(), before)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert {view.dtype for view in flat.weights} == {torch.bfloat16}
    assert {part.dtype for part in objective} == {torch.float32}
    for name, found in references.unflatten(flat.vector.grad.numpy(), model).items():
        # Each value is rounded to 2^-9 = 0.2 %, up to eight times in turn from x to dL/dW1.
        assert relative_error(found, exact[name]) < 0.01, name


def test_bfloat16_follows_the_masters():
    # The rounded copy must be brought up to date at every step, or nothing is ever learned.
    model, x, epsilon = problem()
    flat = FlatParameters.of(model, torch.bfloat16)
    first = negative_elbo_gradient(flat, x, epsilon, 1.0).total
    flat.vector.data.zero_()
    zero = negative_elbo_gradient(flat, x, epsilon, 1.0)
    assert zero.kl.item() == 0
    assert zero.total.item() == pytest.approx(784 * np.log(2), rel=1e-6)
    assert first.item() != zero.total.item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_models_parameters_are_views_of_the_vector(dtype):
    model, x, epsilon = problem()
    before = references.weights(model)
    flat = FlatParameters.of(model, dtype)
    for name, values in references.unflatten(flat.vector.detach(), model).items():
        np.testing.assert_array_equal(values, before[name])
    optimiser = torch.optim.SGD([flat.vector], lr=0.01)
    z = model.encode_mean(x).detach()
    negative_elbo_gradient(flat, x, epsilon, 1.0)
    optimiser.step()
    moved = references.unflatten(flat.vector.detach(), model)
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(references.array(parameter), moved[name])
        assert not np.array_equal(moved[name], before[name])
    assert not torch.equal(model.encode_mean(x), z)


def test_a_small_step_against_the_gradient_lowers_the_objective():
    model, x, epsilon = problem()
    flat = FlatParameters.of(model, torch.float32)
    first = negative_elbo_gradient(flat, x, epsilon, 1.0).total
    step = 0.01 / flat.vector.grad.norm()
    predicted = step * flat.vector.grad.square().sum()
    flat.vector.data -= step * flat.vector.grad
    second = negative_elbo_gradient(flat, x, epsilon, 1.0).total
    # First order in a step of 0.01: the curvature is the remaining tenth.
    assert (first - second).item() == pytest.approx(predicted.item(), rel=0.1)


def test_bfloat16_products_leave_the_images_in_the_objective_as_they_are():
    model = VAE(2, 4, torch.Generator().manual_seed(0), 784)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.decoder_out.bias.fill_(1.0)  # a number of bfloat16, which 0.3 is not
    flat = FlatParameters.of(model, torch.bfloat16)
    found = negative_elbo_gradient(flat, torch.full((5, 784), 0.3), torch.zeros(2, 5, 2), 1.0)
    expected = 784 * (math.log1p(math.e) - 0.3)
    assert found.reconstruction.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_without_onednn_the_gradient_is_the_same(monkeypatch, precision):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    model, x, epsilon = problem(n_z=10, n_hidden=64, batch=20)
    flat, found = FlatParameters.of(model, precision), []
    for has_it in (onednn.supports, lambda inputs: False):
        monkeypatch.setattr(onednn, "supports", has_it)
        objective = negative_elbo_gradient(flat, x, epsilon, 1.0)
        found.append((objective.total, flat.vector.grad.clone()))
    (total, gradient), (other_total, other_gradient) = found
    # A unit of tanh is rounded to 8 bits once by oneDNN, else before and after tanh.
    tolerance = 1e-6 if precision == torch.float32 else 1e-2
    torch.testing.assert_close(total, other_total, rtol=tolerance, atol=0)
    assert relative_error(gradient, other_gradient) < tolerance


@needs_onednn
@pytest.mark.parametrize(("capability", "used"), [("AVX512", True), ("AVX2", False)])
def test_onednn_does_the_float32_products_of_wide_processors_only(monkeypatch, capability, used):
    linear = mock.Mock(wraps=onednn.linear)
    monkeypatch.setattr(onednn, "linear", linear)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    model, x, epsilon = problem()
    negative_elbo_gradient(FlatParameters.of(model, torch.float32), x, epsilon, 1.0)
    # Four layers forwards, their weights' gradients, and backwards to the units of three.
    assert linear.call_count == (11 if used else 0)


@pytest.mark.parametrize("bias", [-200.0, -20.0, 0.0, 20.0, 200.0])
def test_the_objective_of_pixels_that_are_certain(bias):
    model, x, epsilon = problem()
    model.decoder_out.bias.data.fill_(bias)
    expected = references.negative_elbo(
        references.weights(model), references.array(x), references.array(epsilon), 1.0
    )
    found = negative_elbo_gradient(FlatParameters.of(model, torch.float32), x, epsilon, 1.0)
    assert found.total.item() == pytest.approx(expected[0], rel=1e-6)


def test_the_softplus_of_logits_of_every_size():
    a = torch.linspace(-30, 30, 6001)
    exact = np.logaddexp(0, references.array(a))
    # The logarithm's argument, at least 1/2, is known to 6e-8, and the result to as much of it.
    np.testing.assert_allclose(backprop._softplus(a, a.sigmoid()), exact, rtol=2e-7, atol=1.2e-7)


def test_layers_are_handed_over_once_their_weights_are_not_used_any_more():
    model, x, epsilon = problem()
    flat = FlatParameters.of(model, torch.float32)
    expected = negative_elbo_gradient(flat, x, epsilon, 1.0)
    gradient, layers = flat.vector.grad.clone(), []

    def receive(layer, d_weight, d_bias):
        layers.append(layer)
        flat.keep_gradient(layer, d_weight, d_bias)
        for parameter in flat.parameters[2 * layer : 2 * layer + 2]:
            parameter.fill_(math.nan)

    assert backpropagate(flat, x, epsilon, 1.0, receive) == expected
    assert layers == [3, 2, 1, 0]
    assert torch.equal(flat.vector.grad, gradient)
