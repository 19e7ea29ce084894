"""The denoising autoencoder: its objective in float64, and that it removes noise."""

import numpy as np
import pytest
import references
import small
import torch

from repinf_core import profiles
from repinf_core.models.denoiser import DenoiserSpec
from repinf_core.noise import corrupt
from repinf_core.training.run import TrainingRun

SPEC = DenoiserSpec(
    dataset="digits", epochs=30, learning_rates=(3e-3, 1e-3), minibatch=50, n_z=20, n_hidden=64
)


@pytest.mark.parametrize("noise", ["permute", "invert"])
def test_its_objective_is_the_cross_entropy_of_the_clean_image_given_the_noisy_one(noise):
    model = DenoiserSpec(dataset="digits", n_z=5, n_hidden=16, noise=noise).build(
        torch.Generator().manual_seed(1)
    )
    x = small.digits(12).images
    found = model.loss(x, torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    p = float(torch.rand((), generator=generator))
    noisy = references.array(corrupt(x, p, generator, noise))
    w = references.weights(model)
    code = np.tanh(noisy @ w["encoder_hidden.weight"].T + w["encoder_hidden.bias"])
    code = code @ w["encoder_out.weight"].T + w["encoder_out.bias"]
    expected = references.bernoulli_nll(references.decode_logits(w, code), references.array(x))
    assert list(found) == ["reconstruction"]
    assert float(found["reconstruction"].detach()) == pytest.approx(expected.mean(), rel=1e-5)
    assert model.encode_mean(x).shape == (12, 5)


def test_it_brings_noisy_images_closer_to_the_clean_ones():
    images = small.digits(300)
    run = TrainingRun(SPEC)
    small.run_epochs(run, 30, images)
    noisy = corrupt(images.images, 0.3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        cleaned = run.model.decode_mean(run.model.encode_mean(noisy))
    before, after = ((x - images.images).square().mean() for x in (noisy, cleaned))
    assert after < 0.7 * before


def test_its_spec_takes_its_numbers_from_the_experiment():
    experiment = profiles.experiment("smoke", {"seed": 4, "denoiser_epochs": 7, "noise": "invert"})
    spec = DenoiserSpec.of(experiment)
    assert (spec.seed, spec.epochs, spec.noise) == (4, 7, "invert")
    assert (spec.n_z, spec.n_hidden) == (experiment.n_z, experiment.n_hidden)
    wider = DenoiserSpec.of(profiles.experiment("smoke", {"n_z": 3}))
    assert wider.name != DenoiserSpec.of(profiles.experiment("smoke", {})).name
