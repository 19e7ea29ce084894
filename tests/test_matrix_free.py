"""Leading factors of a step without its Jacobian: planted spectra, and dense ones of a network."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_jacobian import Bent, network, points

from repinf_core.dynamics import matrix_free
from repinf_core.models.conv import ConvAutoencoder, ConvVAE


def linear(matrix):
    """An autoencoder whose step multiplies z with the matrix, and moves it."""
    matrix = torch.as_tensor(matrix, dtype=torch.float64)
    return SimpleNamespace(encode_mean=lambda x: x @ matrix.T + 1, decode_mean=lambda z: 2 * z / 2)


def orthogonal(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


def free(model, z):
    """Never by the whole Jacobian."""
    return matrix_free.leading(model, z, dense=0)


def test_a_planted_spectrum_is_found():
    """Singular values 3, 2.9, ... of a matrix, and eigenvalues -1.5, 1.4, ... of another."""
    n = 60
    values = np.concatenate([[3.0, 2.9], np.linspace(1, 0, n - 2)])
    stretched = orthogonal(n, 0) * values @ orthogonal(n, 1)
    assert free(linear(stretched), points(2, n)).stretch.tolist() == pytest.approx([3.0] * 2)
    basis = np.random.default_rng(2).standard_normal((n, n)) / n**0.5 + 2 * np.eye(n)
    eigenvalues = np.concatenate([[-1.5, 1.4], np.linspace(1, 0, n - 2)])
    with_values = basis * eigenvalues @ np.linalg.inv(basis)
    assert free(linear(with_values), points(1, n)).radius.item() == pytest.approx(1.5)


def test_a_pair_of_complex_eigenvalues_counts_by_its_modulus():
    n, angle = 50, 0.7
    matrix = 0.3 * np.eye(n)
    matrix[:2, :2] = 1.2 * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    turn = orthogonal(n, 3)
    found = free(linear(turn @ matrix @ turn.T), points(1, n))
    assert found.radius.item() == pytest.approx(1.2)
    assert found.stretch.item() == pytest.approx(1.2)


def test_a_step_that_is_not_normal_stretches_by_more_than_its_radius():
    n = 50
    shear = 0.5 * np.eye(n)
    shear[0, 1] = 7.0
    found = free(linear(shear), points(1, n))
    # The block [[1/2, 7], [0, 1/2]]: its singular values have the product 1/4.
    assert found.stretch.item() == pytest.approx(np.linalg.norm(shear[:2, :2], 2))
    assert found.radius.item() == pytest.approx(0.5, abs=1e-2)  # a defective eigenvalue


@pytest.mark.parametrize("kind", [ConvAutoencoder, ConvVAE])
def test_of_a_convolutional_network_it_is_that_of_the_dense_jacobian(kind):
    model = kind(2, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():  # biases too, and factors of about one
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    z = points(2, model.n_z)
    found = free(model, z)
    step = torch.func.jacrev(lambda at: model.encode_mean(model.decode_mean(at[None]))[0])
    model.double()
    maps = np.stack([step(at).detach().numpy() for at in z])
    np.testing.assert_allclose(
        found.radius, np.abs(np.linalg.eigvals(maps)).max(1), rtol=1e-5, atol=1e-12
    )
    np.testing.assert_allclose(found.stretch, np.linalg.norm(maps, 2, axis=(1, 2)), rtol=1e-5)
    assert (found.stretch > 0).all()
    dense = matrix_free.leading(model, z, dense=model.n_z)
    torch.testing.assert_close(dense.radius, found.radius, rtol=1e-5, atol=1e-12)
    torch.testing.assert_close(dense.stretch, found.stretch, rtol=1e-5, atol=0)


@pytest.mark.parametrize("n_z", [1, 2, 3])
def test_few_latent_variables_are_no_task_for_arpack(n_z):
    model, z = network(n_z, kind=Bent), points(4, n_z)
    step = torch.func.jacrev(lambda at: model.encode_mean(model.decode_mean(at)))
    maps = np.stack([step(at).detach().numpy() for at in z])
    found = matrix_free.leading(model, z)
    np.testing.assert_allclose(found.radius, np.abs(np.linalg.eigvals(maps)).max(1))
    np.testing.assert_allclose(found.stretch, np.linalg.norm(maps, 2, axis=(1, 2)))


def test_a_step_that_forgets_everything_has_the_factor_zero():
    found = free(linear(np.zeros((40, 40))), points(2, 40))
    assert found.radius.tolist() == found.stretch.tolist() == [0.0, 0.0]


def test_what_does_not_converge_is_missing(monkeypatch):
    def stuck(*arguments, **named):
        raise matrix_free.ArpackError(-1)

    monkeypatch.setattr(matrix_free, "eigs", stuck)
    found = free(linear(np.eye(40)), points(1, 40))
    assert found.radius.isnan().all()
    assert found.stretch.tolist() == pytest.approx([1.0])


def test_it_is_the_same_each_time_and_leaves_the_model_in_its_dtype():
    model = ConvAutoencoder(2, torch.Generator().manual_seed(0))
    z = points(2, model.n_z)
    first, again = free(model, z), free(model, z.float().double())
    torch.testing.assert_close(first.radius, free(model, z).radius, rtol=0, atol=0)
    torch.testing.assert_close(first.stretch, again.stretch, rtol=1e-4, atol=1e-9)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_no_points_have_no_factors():
    assert free(linear(np.eye(40)), points(0, 40)).radius.shape == (0,)
