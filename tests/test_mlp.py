import math

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Normal, kl_divergence

from repinf_core.models import memories, mlp

LAYERS = ("encoder_hidden", "encoder_out", "decoder_hidden", "decoder_out")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(n_z=3, n_hidden=16, n_pixels=784, seed=0, scale=1.0):
    """A float64 network whose biases are random too: initial ones are zero and hide errors."""
    model = mlp.VAE(n_z, n_hidden, generator(seed), n_pixels).double()
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator(seed + 1), dtype=torch.float64)
        parameter.data += 0.1 * scale * noise
    return model


def images(n, n_pixels=784, seed=7):
    return torch.rand(n, n_pixels, generator=generator(seed), dtype=torch.float64)


@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 1.0, 5.0]))
def test_kl_is_that_of_two_normals(seed, scale):
    mu, log_variance = scale * torch.randn(2, 5, 7, generator=generator(seed), dtype=torch.float64)
    ours = mlp.kl_divergence(mu, log_variance)
    q, prior = Normal(mu, (0.5 * log_variance).exp()), Normal(torch.zeros(()), torch.ones(()))
    # float64 throughout; the absolute part is for 7 terms of size 1 that cancel near the prior.
    torch.testing.assert_close(ours, kl_divergence(q, prior).sum(-1), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        ours, references.kl(mu.numpy(), log_variance.numpy()), rtol=1e-12, atol=1e-14
    )


def test_kl_of_the_prior_is_zero_and_a_shift_costs_half_its_square():
    zero = torch.zeros(4, dtype=torch.float64)
    assert mlp.kl_divergence(zero, zero) == 0
    shift = torch.tensor([1.0, 2.0, 0.0, 0.0], dtype=torch.float64)
    assert mlp.kl_divergence(shift, zero) == 2.5


@given(seed=st.integers(0, 1000), grey=st.booleans())
def test_nll_is_that_of_bernoulli_pixels(seed, grey):
    logits = 4 * torch.randn(3, 784, generator=generator(seed), dtype=torch.float64)
    x = images(3, seed=seed + 1)
    x = x if grey else x.round()
    ours = mlp.bernoulli_nll(logits, x)
    # The likelihood of a grey value is the Bernoulli formula read off between 0 and 1.
    published = -Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(-1)
    # 4 sigma x 4 stays mostly below 20, where torch's softplus(a) becomes a, off by e^-20 = 2e-9.
    tolerance = {"rtol": 1e-12, "atol": 784 * 2.1e-9 if (logits > 20).any() else 0}
    torch.testing.assert_close(ours, published, **tolerance)
    np.testing.assert_allclose(
        ours, references.bernoulli_nll(logits.numpy(), x.numpy()), **tolerance
    )


def test_nll_is_exact_and_finite_where_the_sigmoid_saturates():
    # In float32 sigmoid(200) is 1, whose complement has no logarithm: nothing may be clamped.
    logits = torch.tensor([200.0, -200.0, 200.0, -200.0, 1e4])
    x = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.5])
    each = mlp.bernoulli_nll(logits[:, None], x[:, None])
    assert each.tolist() == [200.0, 200.0, 0.0, 0.0, 5e3]


@given(grey=st.booleans(), seed=st.integers(0, 1000))
def test_reconstruction_floor_is_what_the_best_decoder_reaches(grey, seed):
    x = images(3, 50, seed)
    x = x if grey else x.round()
    floor = mlp.reconstruction_floor(x)
    # At the best logits, log(x / (1 - x)), and for any others more; in black and white it is 0.
    best = mlp.bernoulli_nll(torch.logit(x), x).mean() if grey else torch.zeros(()).double()
    torch.testing.assert_close(floor, best, rtol=1e-12, atol=1e-14)
    others = 3 * torch.randn(20, 1, 50, generator=generator(seed), dtype=torch.float64)
    assert (mlp.bernoulli_nll(others, x).mean(1) > floor).all()


def test_reconstruction_floor_is_784_log_2_for_grey_images():
    floor = mlp.reconstruction_floor(torch.full((3, 784), 0.5))
    assert floor.item() == pytest.approx(784 * math.log(2), rel=1e-6)  # a float32 sum


@given(
    n_z=st.integers(1, 5),
    n_samples=st.integers(1, 3),
    batch=st.integers(1, 4),
    beta=st.sampled_from([0.0, 0.5, 1.0, 4.0]),
    seed=st.integers(0, 1000),
)
def test_negative_elbo_is_the_reference(n_z, n_samples, batch, beta, seed):
    model, x = network(n_z, n_hidden=6, n_pixels=11, seed=seed), images(batch, 11, seed)
    epsilon = torch.randn(n_samples, batch, n_z, generator=generator(seed + 2), dtype=torch.float64)
    ours = mlp.negative_elbo(model, x, epsilon, beta)
    expected = references.negative_elbo(references.weights(model), x.numpy(), epsilon.numpy(), beta)
    np.testing.assert_allclose([part.item() for part in ours], expected, rtol=1e-11, atol=1e-14)


def test_negative_elbo_is_per_image_and_not_per_pixel_or_batch():
    model, x = network(), images(2)
    epsilon = torch.randn(2, 2, 3, generator=generator(), dtype=torch.float64)
    once = mlp.negative_elbo(model, x, epsilon, 1.0)
    twice = mlp.negative_elbo(model, x.repeat(2, 1), epsilon.repeat(1, 2, 1), 1.0)
    torch.testing.assert_close(torch.stack(twice), torch.stack(once), rtol=1e-12, atol=0)


def test_with_zero_weights_kl_is_zero_and_reconstruction_784_log_2():
    model = mlp.VAE(5, 8, generator())
    for parameter in model.parameters():
        parameter.data.zero_()
    epsilon = torch.randn(2, 4, 5, generator=generator())
    objective = mlp.negative_elbo(model, images(4).float(), epsilon, 1.0)
    assert objective.kl.item() == 0
    # A sum of 784 equal float32 numbers, in a tree of about 10 roundings of 6e-8.
    assert objective.reconstruction.item() == pytest.approx(784 * math.log(2), rel=1e-6)
    assert objective.total.item() == objective.reconstruction.item()


def test_encoder_and_decoder_are_the_reference():
    model, x = network(), images(5)
    w = references.weights(model)
    mu, log_variance = model.encode(x)
    expected_mu, expected_log_variance = references.encode(w, x.numpy())
    np.testing.assert_allclose(mu.detach(), expected_mu, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(log_variance.detach(), expected_log_variance, rtol=1e-11, atol=1e-13)
    z = 3 * torch.randn(5, 3, generator=generator(), dtype=torch.float64)
    logits = references.decode_logits(w, z.numpy())
    np.testing.assert_allclose(model.decode_logits(z).detach(), logits, rtol=1e-11, atol=1e-13)
    mean = references.decode_mean(w, z.numpy())
    np.testing.assert_allclose(model.decode_mean(z).detach(), mean, rtol=1e-11, atol=0)


def test_encode_mean_is_the_first_half_of_encode():
    model, x = network(), images(5)
    mu, log_variance = model.encode(x)
    # float64: the two may differ by the order in which 16 products are summed.
    torch.testing.assert_close(model.encode_mean(x), mu, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(mu, log_variance)


def test_leading_dimensions_are_kept():
    model, x = network(), images(6)
    stacked = x.view(2, 3, 784)
    z = model.encode_mean(stacked)
    assert z.shape == (2, 3, 3)
    torch.testing.assert_close(z.view(6, 3), model.encode_mean(x), rtol=1e-12, atol=1e-14)
    assert model.decode_mean(z).shape == (2, 3, 784)


def test_initial_weights_are_glorot_uniform_and_biases_zero():
    model = mlp.VAE(20, 64, generator())
    for name in LAYERS:
        layer = getattr(model, name)
        fan_out, fan_in = layer.weight.shape
        bound = math.sqrt(6 / (fan_in + fan_out))
        scaled = (layer.weight.detach() / bound).double().flatten()
        assert scaled.abs().max() <= 1 + 1e-7  # the division rounds in float32
        # Uniform on [-1, 1]: moments 0 and 1/3, each within five standard errors.
        n = len(scaled)
        assert abs(scaled.mean().item()) < 5 * math.sqrt(1 / 3 / n)
        assert abs(scaled.square().mean().item() - 1 / 3) < 5 * math.sqrt((1 / 5 - 1 / 9) / n)
        assert not layer.bias.any()


def test_layers_have_the_papers_shapes():
    model = mlp.VAE(100, 1024, generator())
    shapes = [tuple(getattr(model, name).weight.shape) for name in LAYERS]
    assert shapes == [(1024, 784), (200, 1024), (1024, 100), (784, 1024)]
    assert [name for name, _ in model.named_children()] == list(LAYERS)


def test_a_seed_gives_the_weights():
    first, again, other = (mlp.VAE(3, 16, generator(seed)) for seed in (1, 1, 2))
    for name in LAYERS:
        assert torch.equal(getattr(first, name).weight, getattr(again, name).weight)
        assert not torch.equal(getattr(first, name).weight, getattr(other, name).weight)


@pytest.mark.parametrize("chunk", [1, 3, 7, 2000])
def test_memories_do_not_depend_on_the_chunk(chunk):
    model, x = network(), images(7)
    expected, _ = references.encode(references.weights(model), x.numpy())
    found = memories(model, x, chunk)
    assert not found.requires_grad
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
