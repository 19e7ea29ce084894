"""The means computed by oneDNN are the model's means."""

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st
from processor import HAS_ONEDNN, needs_onednn

from repinf_core.dynamics.means import OneDNNMeans, supports_onednn
from repinf_core.dynamics.rollout import images, latents, rollout
from repinf_core.models.mlp import VAE

N_PIXELS = 20


def network(dtype=torch.float32, size=0.5, n_hidden=16, n_pixels=N_PIXELS):
    """A network with biases, and with units in the straight and in the flat part of tanh."""
    generator = torch.Generator().manual_seed(0)
    model = VAE(3, n_hidden, generator, n_pixels).to(dtype)
    for parameter in model.parameters():
        parameter.data += size * torch.randn(parameter.shape, generator=generator).to(dtype)
    return model


@needs_onednn
@given(n=st.integers(1, 40), size=st.sampled_from([0.0, 0.1, 1.0, 30.0]))
def test_they_are_the_means_of_the_model(n, size):
    model, generator = network(size=size), torch.Generator().manual_seed(n)
    means, w = OneDNNMeans(model), references.weights(model)
    x = torch.rand(n, N_PIXELS, generator=generator)
    z = torch.randn(n, 3, generator=generator)
    largest = 1 + size * 20  # a sum of 16 products with weights of that size, in float32
    np.testing.assert_allclose(
        means.encode_mean(x), references.encode(w, x.numpy())[0], atol=1e-6 * largest, rtol=1e-5
    )
    np.testing.assert_allclose(
        means.decode_mean(z), references.decode_mean(w, z.numpy()), atol=1e-5 * largest
    )


@needs_onednn
def test_they_round_as_little_as_the_plain_layers():
    model = network(size=0.03, n_hidden=1024, n_pixels=784)
    x = torch.rand(200, 784, generator=torch.Generator().manual_seed(0))
    exact = references.encode(references.weights(model), references.array(x))[0]
    plain = references.array(model.encode_mean(x)) - exact
    packed = references.array(OneDNNMeans(model).encode_mean(x)) - exact
    # Another order of additions, not a lower precision: that would show as a hundredfold.
    assert np.sqrt(np.square(packed).mean()) < 4 * np.sqrt(np.square(plain).mean())


@needs_onednn
def test_inputs_and_model_stay():
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    x = torch.rand(4, N_PIXELS, generator=torch.Generator().manual_seed(0))
    kept, means = x.clone(), OneDNNMeans(model)
    z = means.encode_mean(x)
    kept_z = z.clone()
    first = means.decode_mean(z)
    assert torch.equal(means.decode_mean(z), first)  # the same bits again
    assert torch.equal(x, kept)
    assert torch.equal(z, kept_z)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert not z.requires_grad


class Stranger(torch.nn.Module):
    """What is iterated may be any module with the two means."""


def test_of_other_models_and_dtypes_there_are_none():
    assert supports_onednn(network()) == HAS_ONEDNN
    assert not supports_onednn(network(torch.float64))
    assert not supports_onednn(network(torch.bfloat16))
    assert not supports_onednn(Stranger())


class Doubled(VAE):
    """A network with a mean of its own."""

    def encode_mean(self, x):
        return 2 * super().encode_mean(x)


def test_a_subclass_is_iterated_by_its_own_means():
    model = Doubled(3, 16, torch.Generator().manual_seed(0), N_PIXELS)
    x0 = torch.rand(5, N_PIXELS, generator=torch.Generator().manual_seed(1))
    found = rollout(model, x0, 3, {"x": images, "z": latents}).observed
    with torch.no_grad():
        torch.testing.assert_close(found["z"], model.encode_mean(found["x"]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("chunk", [2, 5])
def test_what_a_rollout_returns_is_not_overwritten(chunk, dtype):
    model = network(dtype)
    generator = torch.Generator().manual_seed(0)
    x0 = torch.rand(5, N_PIXELS, generator=generator, dtype=dtype)
    ran = rollout(model, x0, 4, {"x": images, "z": latents}, chunk=chunk)
    x, z = references.rollout(references.weights(model), x0.numpy(), 4)
    for found, expected in (
        (ran.z_first, z[0]),
        (ran.z_last, z[-1]),
        (ran.observed["z"], z),
        (ran.observed["x"], x),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12 if dtype == torch.float64 else 1e-5)
