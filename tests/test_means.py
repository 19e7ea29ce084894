"""The means written out for speed are the model's means."""

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st

from repinf_core.means import Means
from repinf_core.rollout import rollout
from repinf_core.vae import VAE

N_PIXELS = 20


def network(dtype=torch.float64, size=0.5, n_hidden=16, n_pixels=N_PIXELS):
    """A network with biases, and with units in the straight and in the flat part of tanh."""
    generator = torch.Generator().manual_seed(0)
    model = VAE(3, n_hidden, generator, n_pixels).to(dtype)
    for parameter in model.parameters():
        parameter.data += size * torch.randn(parameter.shape, generator=generator).to(dtype)
    return model


@given(rows=st.integers(1, 6), n=st.integers(1, 6), size=st.sampled_from([0.0, 0.1, 1.0, 30.0]))
def test_they_are_the_means_of_the_model(rows, n, size):
    n = min(n, rows)  # the buffers may be larger than what is asked for
    model, generator = network(size=size), torch.Generator().manual_seed(n)
    means, w = Means(model, rows), references.weights(model)
    x = torch.rand(n, N_PIXELS, generator=generator, dtype=torch.float64)
    z = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    # Sums of 16 products of weights up to 100, in float64.
    np.testing.assert_allclose(means.encode_mean(x), references.encode(w, x.numpy())[0], atol=1e-12)
    np.testing.assert_allclose(
        means.decode_mean(z), references.decode_mean(w, z.numpy()), atol=1e-12
    )


def test_float32_loses_little_to_the_folding():
    # The folded sum has twice the terms' size and a correction as large, so its rounding error
    # is that of the plain layers about twice; a wrong order of operations would show as tens.
    model = network(torch.float32, 0.03, n_hidden=1024, n_pixels=784)
    x = torch.rand(200, 784, generator=torch.Generator().manual_seed(0))
    exact = references.encode(references.weights(model), references.array(x))[0]
    plain = references.array(model.encode_mean(x)) - exact
    folded = references.array(Means(model, 200).encode_mean(x)) - exact
    assert np.sqrt(np.square(folded).mean()) < 3 * np.sqrt(np.square(plain).mean())


def test_inputs_and_model_stay_and_buffers_are_used_again():
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    x = torch.rand(4, N_PIXELS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kept, means = x.clone(), Means(model, 4)
    z = means.encode_mean(x)
    first = means.decode_mean(z)
    places = z.data_ptr(), first.data_ptr()
    for _ in range(3):
        assert means.encode_mean(first).data_ptr() == places[0]
        assert means.decode_mean(z).data_ptr() == places[1]
    assert torch.equal(x, kept)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert not z.requires_grad


@pytest.mark.parametrize("chunk", [2, 5])
def test_what_a_rollout_returns_is_not_overwritten(chunk):
    model = network(size=0.5)
    x0 = torch.rand(5, N_PIXELS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ran = rollout(model, x0, 4, {"z": lambda z, _: z}, keep_images=range(5), chunk=chunk)
    x, z = references.rollout(references.weights(model), x0.numpy(), 4)
    for found, expected in (
        (ran.z_first, z[0]),
        (ran.z_last, z[-1]),
        (ran.observed["z"], z),
        (ran.images, x),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12)
