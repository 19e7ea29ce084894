"""The Jacobian of the step map: closed form, automatic and by finite differences."""

from types import SimpleNamespace

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from repinf_core.dynamics.jacobian import jacobian
from repinf_core.models.mlp import VAE

N_PIXELS = 20


def network(n_z=3, n_hidden=16, seed=0, kind=VAE):
    """A float64 network with units in the straight and in the flat part of tanh."""
    generator = torch.Generator().manual_seed(seed)
    model = kind(n_z, n_hidden, generator, N_PIXELS).double()
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data += 0.5 * noise
    return model


def points(n, n_z, seed=0, dtype=torch.float64):
    return torch.randn(n, n_z, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def automatic(model, z):
    """By torch, of the model's own means."""
    step = torch.func.jacrev(lambda at: model.encode_mean(model.decode_mean(at)))
    return torch.stack([step(at).detach() for at in z])


@given(n=st.integers(1, 6), n_z=st.integers(1, 7), n_hidden=st.integers(1, 30), seed=st.integers())
def test_the_closed_form_is_the_automatic_derivative(n, n_z, n_hidden, seed):
    seed %= 1000
    model, z = network(n_z, n_hidden, seed), points(n, n_z, seed)
    found = jacobian(model, z)
    assert found.shape == (n, n_z, n_z)
    assert not found.requires_grad
    # Sums of products of weights of about one.
    torch.testing.assert_close(found, automatic(model, z), rtol=1e-10, atol=1e-10)


@given(n_z=st.integers(1, 4), seed=st.integers(0, 100))
def test_it_is_that_of_finite_differences(n_z, seed):
    model, z = network(n_z, seed=seed), points(2, n_z, seed)
    weights = references.weights(model)

    def step(at):
        return references.encode(weights, references.decode_mean(weights, at))[0]

    size = 1e-5
    for found, at in zip(jacobian(model, z), z.numpy(), strict=True):
        columns = [
            (step(at + size * axis) - step(at - size * axis)) / (2 * size) for axis in np.eye(n_z)
        ]
        # Central differences are off by the third derivative times size squared.
        np.testing.assert_allclose(found, np.array(columns).T, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_z", [1, 3])
def test_of_a_linear_network_it_is_the_product_of_its_matrices(n_z):
    encoder, decoder = points(n_z, N_PIXELS, 1), points(N_PIXELS, n_z, 2)
    model = SimpleNamespace(
        encode_mean=lambda x: x @ encoder.T + 1, decode_mean=lambda z: z @ decoder.T - 2
    )
    found = jacobian(model, points(4, n_z))
    torch.testing.assert_close(found, (encoder @ decoder).expand(4, n_z, n_z))


def test_of_a_vae_in_the_straight_part_of_its_units_it_is_nearly_the_product_of_its_weights():
    model = network()
    for layer in model.children():  # around z = 0 all units are at 0, where tanh' = 1
        nn.init.zeros_(layer.bias)
    with torch.no_grad():  # but the sigmoid gives 1/2 there
        model.encoder_hidden.bias.copy_(-0.5 * model.encoder_hidden.weight.sum(1))
    w = {name: torch.from_numpy(array) for name, array in references.weights(model).items()}
    encoder = w["encoder_out.weight"][:3] @ w["encoder_hidden.weight"]
    decoder = w["decoder_out.weight"] @ w["decoder_hidden.weight"]
    found = jacobian(model, torch.zeros(1, 3, dtype=torch.float64))[0]
    torch.testing.assert_close(found, encoder @ decoder / 4)  # the sigmoid's derivative there


class Bent(VAE):
    """A network with a mean of its own."""

    def encode_mean(self, x):
        return super().encode_mean(x).sin()


def test_a_subclass_has_the_jacobian_of_its_own_means():
    model, z = network(kind=Bent), points(5, 3)
    torch.testing.assert_close(jacobian(model, z), automatic(model, z), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", [VAE, Bent])
def test_float64_points_give_float64s_accuracy_whatever_the_models_dtype(kind):
    model, z = network(kind=kind).float(), points(4, 3)
    found = jacobian(model, z)
    assert found.dtype == torch.float64
    expected = automatic(network(kind=kind).float().double(), z)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    in_float32 = jacobian(model, z.float())
    assert in_float32.dtype == torch.float32
    torch.testing.assert_close(in_float32.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [VAE, Bent])
def test_many_points_are_as_each_alone(kind):
    """More than go together."""
    model, z = network(2, 4, kind=kind), points(5000, 2)
    found = jacobian(model, z)
    for i in (0, 2047, 2048, 4999):
        torch.testing.assert_close(found[i], jacobian(model, z[i, None])[0])


@pytest.mark.parametrize("kind", [VAE, Bent])
def test_some_latents_have_the_rows_and_columns_of_the_whole(kind):
    model, z = network(5, 4, kind=kind), points(7, 5)
    latents = torch.tensor([True, False, True, True, False])
    torch.testing.assert_close(
        jacobian(model, z, latents), jacobian(model, z)[:, latents][:, :, latents]
    )
    assert jacobian(model, z, torch.zeros(5, dtype=torch.bool)).shape == (7, 0, 0)


def test_no_points_have_no_jacobian_and_one_without_its_axis_is_refused():
    assert jacobian(network(), points(0, 3)).shape == (0, 3, 3)
    with pytest.raises(ValueError, match=r"z has shape \[3\]; allowed is \[n, N_z\]"):
        jacobian(network(), points(1, 3)[0])
