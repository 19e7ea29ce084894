"""The three autoencoders under noise in plain Python, against numpy, scipy and scikit-learn."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pages
import pytest
import references
import torch
from scipy.signal import correlate2d
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from repinf_core import claims, noise, profiles
from repinf_core.models.conv import variants
from repinf_core.streams import Stream, generator
from repinf_core.studies import autoencoder_variants, latent_places
from repinf_core.studies.reconstructions import NOISY, SAMPLED

SMALL = profiles.experiment(
    "smoke",
    {"channels": 2, "conv_epochs": 1, "manifold_images": 12, "noise_levels": [0, 0.2, 0.6]},
)
NETWORKS = ["CAE", "DAE", "VAE"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One store for all tests of this module: the networks are trained once."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def stored(monkeypatch, store):
    monkeypatch.setenv("REPINF_MODELS", str(store))


@pytest.fixture(scope="module")
def study(store):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPINF_MODELS", str(store))
        return autoencoder_variants.run(SMALL, "cpu")


def drawn(stream):
    return generator(SMALL.trial_seed, stream)


def images():
    """The images that the study draws, with their labels."""
    order = torch.randperm(len(pages.TEST.images), generator=drawn(Stream.VARIANT_IMAGES))
    rows = order[: SMALL.manifold_images]
    return pages.TEST.images[rows], pages.TEST.labels[rows].numpy()


def convolved(weights, layer, x):
    """A convolution of stride 2 and kernel 3, one image ``[channels, rows, columns]``."""
    kernels, biases = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    return np.stack(
        [
            sum(correlate2d(p, k, "valid") for p, k in zip(padded, kernel, strict=True))[::2, ::2]
            + bias
            for kernel, bias in zip(kernels, biases, strict=True)
        ]
    )


def transposed(weights, layer, z):
    """A transposed convolution of stride 2 and kernel 4, as a sum of shifted kernels."""
    kernels, biases = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
    side = z.shape[1]
    out = np.zeros((kernels.shape[1], 2 * side + 2, 2 * side + 2))
    for row in range(side):
        for column in range(side):
            patch = np.einsum("i,iokl->okl", z[:, row, column], kernels)
            out[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += patch
    return out[:, 1:-1, 1:-1] + biases[:, None, None]


def encoded(weights, x):
    """The outputs of the encoder before any relu, ``[outputs, 7, 7]``."""
    h = np.maximum(convolved(weights, "encoder_first", x.reshape(1, 28, 28)), 0)
    h = np.maximum(convolved(weights, "encoder_second", h), 0)
    out = np.einsum("oc,chw->ohw", weights["encoder_out.weight"][..., 0, 0], h)
    return out + weights["encoder_out.bias"][:, None, None]


def decoded(weights, z):
    h = np.maximum(transposed(weights, "decoder_first", z), 0)
    return 1 / (1 + np.exp(-transposed(weights, "decoder_out", h))).ravel()


def mean_of(name, weights, x):
    out = encoded(weights, x)
    return out[: SMALL.channels] if name == "VAE" else np.maximum(out, 0)


def weights_of(store):
    return {name: pages.stored_weights(spec, store) for name, spec in variants(SMALL).items()}


def psnr(image, clean):
    return -10 * np.log10(np.mean((image - clean) ** 2))


def test_the_quality_is_that_of_numpys_networks(study, store):
    """All images, networks and both noises at one level, and the VAE's sample."""
    clean, _ = images()
    noisy = {
        ("Gaussian", 0.6): noise.gaussian(clean, 0.6, drawn(Stream.VARIANT_GAUSSIAN)),
        ("pixel", 0.5): noise.corrupt(clean, 0.5, drawn(Stream.VARIANT_PIXELS)),
    }
    epsilon = references.array(torch.randn(len(clean), 2 * 49, generator=drawn(Stream.VARIANT_Z)))
    weights, exact = weights_of(store), references.array(clean)
    quality = study.quality.set_index(["noise", "level", "image"]).psnr
    for (kind, level), seen in noisy.items():
        found = {name: [] for name in (*NETWORKS, SAMPLED, NOISY)}
        for x, target, draw in zip(references.array(seen), exact, epsilon, strict=True):
            found[NOISY].append(psnr(x, target))
            for name in NETWORKS:
                z = mean_of(name, weights[name], x)
                found[name].append(psnr(decoded(weights[name], z), target))
            log_variance = encoded(weights["VAE"], x)[SMALL.channels :]
            z = z + np.exp(log_variance / 2) * draw.reshape(z.shape)
            found[SAMPLED].append(psnr(decoded(weights["VAE"], z), target))
        for name, values in found.items():
            assert quality[kind, level, name] == pytest.approx(np.mean(values), rel=1e-4)
        difference = np.subtract(found["DAE"], found["CAE"])
        row = study.gains[(study.gains.noise == kind) & (study.gains.level == level)]
        assert row.difference.item() == pytest.approx(difference.mean(), abs=1e-4)
        assert row.low.item() <= row.difference.item() <= row.high.item()


def test_active_latents_vary_over_the_training_images(study, store):
    active = study.networks.set_index("network").active
    for name, weights in weights_of(store).items():
        xi = [mean_of(name, weights, x).ravel() for x in references.array(pages.TRAIN.images)]
        assert active[name] == (np.var(xi, axis=0) > 0.01).sum()


def test_the_latents_are_where_noise_moves_them(study, store):
    clean, labels = images()
    noisy = noise.gaussian(clean, SMALL.denoising_level, drawn(Stream.VARIANT_GAUSSIAN))
    for name, weights in weights_of(store).items():
        z, moved = (
            np.array([mean_of(name, weights, x).ravel() for x in references.array(part)])
            for part in (clean, noisy)
        )
        row = study.latents.set_index("network").loc[name]
        pairs = cdist(z, z)[np.triu_indices(len(z), 1)]
        displacement = np.linalg.norm(moved - z, axis=1).mean() / pairs.mean()
        assert row.displacement == pytest.approx(displacement, rel=1e-3)
        assert row.own_image == np.mean(cdist(moved, z).argmin(1) == range(len(z)))
        right = {"clean_own_label": [], "noisy_own_label": []}
        for i in range(len(z)):
            others = np.arange(len(z)) != i
            nearest = KNeighborsClassifier(1).fit(z[others], labels[others])
            for column, at in zip(right, (z[i], moved[i]), strict=True):
                right[column].append(nearest.predict(at[None]).item() == labels[i])
        assert row[[*right]].tolist() == [np.mean(values) for values in right.values()]
        # The plane holds the two largest singular values of the clean latents.
        plane = study.places[(study.places.network == name) & (study.places.method == "PCA")]
        place = plane[plane.state == "clean"][["x", "y"]].to_numpy()
        singular = np.linalg.svd(z - z.mean(0), compute_uv=False)[:2]
        np.testing.assert_allclose(np.linalg.norm(place, axis=0), singular, rtol=1e-3)
        assert plane[plane.state == "noisy"].label.tolist() == labels.tolist()


def test_the_tables_are_tidy_and_agree_with_one_another(study):
    assert set(study.tables) == {"networks", "history", "quality", "gains", "places", "latents"}
    for table, key in (
        (study.quality, ["noise", "image", "level"]),
        (study.gains, ["noise", "level"]),
        (study.history, ["network", "epoch"]),
    ):
        assert not table.duplicated(key).any()
    assert study.networks.network.tolist() == NETWORKS
    assert study.networks.noise_level.tolist() == [0, 0.3, 0]
    assert (study.networks.reconstruction > study.networks.floor).all()
    parts = study.networks.reconstruction + study.networks.kl.fillna(0)
    np.testing.assert_allclose(study.networks.objective, parts, rtol=1e-6)
    last = study.history.groupby("network", sort=False).test.last()
    assert last.tolist() == study.networks.objective.tolist()
    gaussian = study.quality[study.quality.noise == "Gaussian"]
    assert sorted(gaussian.level.unique()) == [0, 0.2, 0.3, 0.6]  # that of the DAE too
    # Infinite where there is no noise; the networks' images do not depend on its kind there.
    assert study.quality.psnr.isna().equals(
        (study.quality.level == 0) & (study.quality.image == NOISY)
    )
    clean = study.quality[study.quality.level == 0].groupby("image").psnr.nunique()
    assert clean.drop(NOISY).eq(1).all()
    means = study.quality.dropna().set_index(["noise", "level", "image"]).psnr.unstack()
    differences = study.gains.set_index(["noise", "level"]).difference
    np.testing.assert_allclose(means.DAE - means.CAE, differences, atol=1e-9)


def test_the_examples_are_of_the_first_image_at_the_levels_that_are_named(study):
    clean, _ = images()
    assert study.levels == {
        "Gaussian": ("0", "0.2", "0.3", "0.6"),
        "pixel": ("0", "0.25", "0.5", "0.75", "1"),
    }
    for kind, levels in study.levels.items():
        assert list(study.examples[kind]) == [NOISY, *NETWORKS, SAMPLED]
        assert {x.shape for x in study.examples[kind].values()} == {(len(levels), 784)}
        np.testing.assert_array_equal(study.examples[kind][NOISY][0], clean[0])


def test_the_same_seed_gives_the_same_numbers_and_places(study):
    again = autoencoder_variants.run(SMALL, "cpu")
    assert again.numbers == study.numbers
    assert again.places.equals(study.places)
    other = autoencoder_variants.run(dataclasses.replace(SMALL, trial_seed=1), "cpu")
    assert other.numbers != study.numbers


def test_the_finding_names_the_network_that_reconstructs_best(study):
    at = study.quality[study.quality.noise == "Gaussian"].set_index(["image", "level"]).psnr
    noisy, clean = (max(NETWORKS, key=lambda name: at[name, level]) for level in (0.3, 0))
    assert f"noise of 0.3 the {noisy} reconstructs best, without noise the {clean}" in study.finding
    for name in NETWORKS:
        assert f"{name} {at[name, 0.3]:.1f}" in study.finding


def test_both_claims_are_judged_by_the_tables(study):
    assert study.numbers["conv_epochs_trained"] == 1
    gain = study.gains[(study.gains.noise == "Gaussian") & (study.gains.level == 0.3)]
    assert study.numbers["dae_minus_cae"]["difference"] == gain.difference.item()
    cards = claims.cards(claims.autoencoder_variants.CLAIMS, study.numbers, vars(SMALL))
    assert claims.NOT_RUN not in {card.judged.verdict for card in cards}


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 1, "manifold_images": 2},
        {"noise_levels": (0.3, 0.5), "noise": "invert"},
        {"p_grid": (0.0, 1e-9)},
    ],
)
def test_degenerate_parameters_leave_tables_whole(changes):
    study = autoencoder_variants.run(dataclasses.replace(SMALL, **changes), "cpu")
    assert study.quality[study.quality.image != NOISY].notna().all(axis=None)
    assert study.places.notna().all(axis=None)
    assert study.latents.drop(columns="displacement").notna().all(axis=None)


def test_latents_that_are_all_equal_have_places_and_no_displacement(study):
    """As a network that lost its inputs gives them."""
    constant = SimpleNamespace(encode_mean=lambda x: torch.full((len(x), 98), 0.5))
    networks = SimpleNamespace(models={"CAE": constant}, device="cpu")
    clean, labels = images()
    places, latents = latent_places.measured(
        networks, clean, clean, torch.from_numpy(labels), SMALL
    )
    assert np.isfinite(places[["x", "y"]]).all(axis=None)
    assert latents.displacement.isna().all()
