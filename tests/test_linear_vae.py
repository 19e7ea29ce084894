"""Probabilistic PCA in closed form: a null model in which nothing is a saddle."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from repinf_core.dynamics import fixed_points, rollout
from repinf_core.dynamics.jacobian import jacobian
from repinf_core.models.linear import LinearVAE


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 12, generator=generator, dtype=torch.float64)
    return torch.randn(300, 12, generator=generator, dtype=torch.float64) @ mixing + 3


def test_its_factors_and_means_are_those_of_scikit_learn(images):
    pca = PCA(4, svd_solver="full").fit(images.numpy())
    model = LinearVAE(images, 4)
    # scikit-learn divides by N - 1.
    variances = pca.explained_variance_ * (299 / 300)
    noise = pca.noise_variance_ * (299 / 300)
    np.testing.assert_allclose(model.factors, (variances - noise) / variances)
    weights = pca.components_.T * np.sqrt(variances - noise)
    posterior = np.linalg.solve(
        weights.T @ weights + noise * np.eye(4), weights.T @ (images.numpy() - pca.mean_).T
    ).T
    found = model.encode_mean(images).numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(posterior), atol=1e-8)
    signs = np.sign((found * posterior).sum(0))
    decoded = model.decode_mean(torch.from_numpy(found))
    np.testing.assert_allclose(decoded, (found * signs) @ weights.T + pca.mean_, atol=1e-8)


def test_every_mode_shrinks_by_its_own_factor_and_the_mean_is_the_only_fixed_point(images):
    model = LinearVAE(images, 4)
    assert ((model.factors >= 0) & (model.factors < 1)).all()
    ran = rollout.rollout(model, images, 20, {"z": rollout.latents})
    powers = model.factors ** torch.arange(21)[:, None]
    torch.testing.assert_close(
        ran.observed["z"], powers[:, None] * ran.z_first, rtol=1e-9, atol=1e-12
    )
    spectrum = fixed_points.spectrum(jacobian(model, ran.z_first[:3]))
    torch.testing.assert_close(spectrum.moduli, model.factors.expand(3, 4))
    torch.testing.assert_close(spectrum.stretch, spectrum.radius)  # normal
    assert (spectrum.unstable == 0).all()
    found = fixed_points.refine(model, ran.z_first[:20])
    assert found.converged.all()
    torch.testing.assert_close(found.z, torch.zeros_like(found.z), atol=1e-8, rtol=0)


def test_nothing_passes_the_mean_and_with_one_latent_nothing_leaves_its_chord(images):
    many = rollout.rollout(LinearVAE(images, 4), images, 50, {"z": rollout.latents}).observed["z"]
    assert (many.norm(dim=2).diff(dim=0) < 0).all()
    one = rollout.rollout(LinearVAE(images, 1), images, 50, {"z": rollout.latents}).observed["z"]
    assert ((one - one[0]) * (one - one[-1]) <= 0).all()


def test_with_unequal_factors_a_trajectory_may_pass_a_point_more_closely_than_its_chord():
    """So an approach alone shows no saddle: the fast mode dies before the slow one moves."""
    factors = torch.tensor([0.95, 0.2], dtype=torch.float64)
    path = factors ** torch.arange(200)[:, None]
    centre = torch.tensor([0.9, 0.0], dtype=torch.float64)
    curve = (path - centre).norm(dim=1)
    chord = (torch.linspace(1, 0, 1000, dtype=torch.float64)[:, None].expand(-1, 2) - centre).norm(
        dim=1
    )
    assert 0 < int(curve.argmin()) < 199
    assert curve.min() < 0.2 * chord.min()


def test_without_variance_a_latent_is_zero():
    images = torch.zeros(20, 6, dtype=torch.float64)
    images[:, 0] = torch.arange(20)
    model = LinearVAE(images, 4)
    assert model.factors.isfinite().all()
    assert (model.factors[1:] == 0).all()


def test_as_many_latents_as_pixels_are_refused(images):
    with pytest.raises(ValueError, match="n_z is 12"):
        LinearVAE(images, 12)
