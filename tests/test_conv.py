"""The convolutional networks against numpy, torch.distributions and closed forms."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
import small
import torch
from scipy.signal import correlate2d

from repinf_core import profiles
from repinf_core.models import FAMILIES, spec_from_json
from repinf_core.models.conv import ConvAutoencoder, ConvSpec, ConvVAE
from repinf_core.training.fit import fit
from repinf_core.training.run import TrainingRun


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=3, seed=1):
    return torch.rand(n, 784, generator=seeded(seed))


def test_the_encoder_is_numpys_strided_correlation():
    model = ConvAutoencoder(4, seeded()).double()
    x = images(1).double()
    layers = model.encoder_first, model.encoder_second
    at = x.numpy().reshape(1, 28, 28)
    for layer in layers:
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        padded = np.pad(at, ((0, 0), (1, 1), (1, 1)))
        at = np.stack(
            [
                sum(correlate2d(p, w, "valid") for p, w in zip(padded, kernel, strict=True))[
                    ::2, ::2
                ]
                + b
                for kernel, b in zip(weight, bias, strict=True)
            ]
        )
        at = np.maximum(at, 0)
    out = np.einsum("oc,chw->ohw", model.encoder_out.weight.detach().numpy()[..., 0, 0], at)
    found = model.encode_mean(x).detach().numpy().reshape(4, 7, 7)
    np.testing.assert_allclose(found, np.maximum(out, 0), atol=1e-12)


@pytest.mark.parametrize(("border", "side"), [(0, 7), (4, 5), (8, 3)])
def test_the_latent_tensor_has_c_channels_and_a_quarter_of_the_side(border, side):
    model = ConvAutoencoder(3, seeded(), border=border)
    assert model.latent_shape == (3, side, side)
    z = model.encode_mean(images())
    assert z.shape == (3, model.n_z) == (3, 3 * side * side)
    x = model.decode_mean(z).unflatten(1, (28, 28))
    assert x.shape == (3, 28, 28)
    if border:
        outside = torch.ones(28, 28, dtype=torch.bool)
        outside[border:-border, border:-border] = False
        assert (x[:, outside] == 0).all()
        changed = images().unflatten(1, (28, 28)).clone()
        changed[:, outside] = 1
        torch.testing.assert_close(model.encode_mean(changed.flatten(1)), z)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_ties_of_a_blank_border_are_exact_in_the_latent_tensor(layout, dtype):
    """Places that see only blank pixels have equal features: what lowers the ranks."""
    x = torch.zeros(5, 28, 28, dtype=dtype)
    x[:, 12:16, 12:16] = torch.rand(5, 4, 4, generator=seeded(1), dtype=dtype)
    model = ConvAutoencoder(64, seeded(), rectified=False).to(dtype).to(memory_format=layout)
    z = model.encode_mean(x.flatten(1)).unflatten(1, (64, 7, 7))
    blank = z[..., 1, 1]
    for row, column in itertools.product(range(1, 7), repeat=2):
        if {row, column} & {1, 5, 6}:  # it sees neither the edge nor the middle of the image
            assert (z[..., row, column] == blank).all()
    assert not (z[..., 3, 3] == blank).all()


def test_the_losses_are_those_of_torch_distributions():
    x, model = images(4), ConvVAE(2, seeded(), rectified=False)
    mu, log_variance = model.encode(x)
    posterior = torch.distributions.Normal(mu, (log_variance / 2).exp())
    kl = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0, 1)).sum(1)
    found = model.loss(x, seeded(5))
    torch.testing.assert_close(found["kl"], kl.mean())
    drawn = model.decode_mean(model.sample(x, seeded(5)))
    cross = torch.nn.functional.binary_cross_entropy(drawn, x, reduction="none").sum(1)
    torch.testing.assert_close(found["reconstruction"], cross.mean(), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(
        found["negative_elbo"], found["kl"] + found["reconstruction"], rtol=0, atol=0
    )


def test_a_denoising_autoencoder_is_asked_for_the_clean_image():
    x = images(4)
    plain, denoising = ConvAutoencoder(2, seeded()), ConvAutoencoder(2, seeded(), noise_level=0.5)
    without, noisy = plain.loss(x, seeded(3)), denoising.loss(x, seeded(3))
    seen = (x + 0.5 * torch.randn(x.shape, generator=seeded(3))).clamp(0, 1)
    drawn = plain.decode_mean(plain.encode_mean(seen))
    cross = torch.nn.functional.binary_cross_entropy(drawn, x, reduction="none").sum(1).mean()
    torch.testing.assert_close(noisy["reconstruction"], cross, rtol=1e-4, atol=1e-3)
    assert without["reconstruction"] != noisy["reconstruction"]


def test_the_mean_of_the_vae_is_the_mean_of_its_samples():
    x, model = images(1), ConvVAE(2, seeded(), rectified=False)
    samples = model.sample(x.expand(4000, 784), seeded(2))
    mu, log_variance = model.encode(x)
    error = (samples.mean(0) - mu[0]).abs() / (log_variance[0] / 2).exp()
    assert error.max() < 6 / 4000**0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"channels": 0}, "channels is 0"),
        ({"channels": 2, "border": 1}, "border is 1 and leaves a side of 26"),
        ({"channels": 2, "border": 14}, "side of 0 pixels"),
        ({"channels": 2, "border": -2}, "border is -2"),
        ({"channels": 2, "noise_level": -1.0}, "noise_level is -1.0"),
        ({"channels": 2, "noise_level": math.inf}, "noise_level is inf"),
    ],
)
def test_what_no_network_can_have_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        ConvAutoencoder(generator=seeded(), **arguments)


def test_a_vae_is_not_trained_with_noise():
    with pytest.raises(ValueError, match=r"noise_level is 0\.3 for a VAE"):
        ConvSpec(dataset="digits", variational=True, noise_level=0.3).build(seeded())


def test_specs_of_the_three_networks_have_their_names_and_come_back_from_json():
    assert FAMILIES["conv"] is ConvSpec
    specs = [
        ConvSpec(dataset="mnist"),
        ConvSpec(dataset="mnist", noise_level=0.3),
        ConvSpec(dataset="mnist", variational=True, rectified=False),
    ]
    assert [spec.label for spec in specs] == ["conv-cae-c64", "conv-dae-c64", "conv-vae-c64"]
    assert len({spec.name for spec in specs}) == 3
    for spec in specs:
        assert spec_from_json(spec.as_json()) == spec
        assert json.loads(spec.as_json())["family"] == "conv"
        assert spec.build(seeded()).n_z == 64 * 49


@pytest.mark.parametrize("network", ["CAE", "DAE", "VAE"])
def test_the_layout_in_memory_changes_nothing_but_the_rounding(network):
    """A run keeps the channels last; the plain loop here keeps them first."""
    smoke = dataclasses.replace(profiles.PROFILES["smoke"], channels=5, conv_epochs=1)
    spec, train = ConvSpec.networks(smoke)[network], small.digits(300)
    run, model = TrainingRun(spec), spec.build(seeded(spec.seed))
    adam = torch.optim.Adam(model.parameters(), lr=spec.learning_rates[0])
    generator = seeded(spec.seed)
    for rows in torch.randperm(300, generator=generator).split(spec.minibatch):
        adam.zero_grad()
        next(iter(model.loss(train.images[rows], generator).values())).backward()
        adam.step()
    list(fit(run, train, train))
    assert run.model.encoder_second.weight.is_contiguous(memory_format=torch.channels_last)
    assert not model.encoder_second.weight.is_contiguous(memory_format=torch.channels_last)
    moments = run.moments()
    for name, parameter in model.named_parameters():
        # Not the weights: Adam may turn a gradient of the size of its rounding into a whole step.
        expected = adam.state[parameter]["exp_avg"]
        tolerance = 1e-3 * expected.abs().max().item()
        torch.testing.assert_close(moments[f"{name}.exp_avg"], expected, rtol=0, atol=tolerance)


def test_the_networks_differ_as_their_names_say():
    experiment = profiles.PROFILES["smoke"]
    networks = ConvSpec.networks(experiment)
    cae, vae = networks["CAE"], networks["VAE"]
    expected = {
        "CAE": (cae, set()),
        "DAE": (cae, {"noise_level"}),
        "VAE": (cae, {"variational", "rectified"}),
        "CAE, linear latents": (cae, {"rectified"}),
        "VAE, rectified mean": (vae, {"rectified"}),
        "CAE, cropped images": (cae, {"border"}),
    }
    assert list(networks) == list(expected)
    for name, (to, fields) in expected.items():
        ours, theirs = dataclasses.asdict(networks[name]), dataclasses.asdict(to)
        assert {field for field in ours if ours[field] != theirs[field]} == fields
    assert cae == ConvSpec.of(experiment)
    assert networks["DAE"].noise_level == experiment.denoising_level


def test_the_published_networks_keep_their_names():
    """Trained weights are found by these names: no default may change."""
    specs = ConvSpec.networks(profiles.PROFILES["paper"])
    assert [spec.name for spec in specs.values()] == [
        "mnist-conv-cae-c64-0736e76d1e98",
        "mnist-conv-dae-c64-c48543b443c5",
        "mnist-conv-vae-c64-75e58f49f264",
        "mnist-conv-cae-c64-1dc1ba7cbc4a",
        "mnist-conv-vae-c64-8608d1dc6777",
        "mnist-conv-cae-c64-b46cd5fa584f",
    ]


def test_a_network_that_ships_takes_less_than_two_megabytes():
    for spec in ConvSpec.networks(profiles.PROFILES["paper"]).values():
        assert 2 * sum(p.numel() for p in spec.build(seeded()).parameters()) < 2e6
