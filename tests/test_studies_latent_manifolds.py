"""The study of latent manifolds in plain Python, against loops over images in numpy and scipy."""

import copy
import dataclasses
import re

import numpy as np
import pytest
import scipy.linalg
import torch
from sklearn.decomposition import PCA

from repinf_core import claims, data, noise, profiles
from repinf_core.models.conv import ConvSpec, variants
from repinf_core.studies import latent_manifolds, latent_subspaces, latent_tensors, rank_controls
from repinf_core.studies.latent_tensors import Inputs, Readout
from repinf_core.studies.ranks_in_words import SCOPES
from repinf_core.training import store
from repinf_core.training.run import TrainingRun

COUNT = 12
SMALL = profiles.experiment(
    "smoke",
    {"channels": 6, "conv_epochs": 1, "manifold_images": COUNT, "noise_levels": [0.0, 0.3]},
)
FOUR = ["CAE", "DAE", "VAE mean", "VAE sampled"]
TEST = data.load("digits", "test").images


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A store in which the networks of these tests are trained once."""
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(autouse=True)
def model_store(networks, monkeypatch):
    monkeypatch.setenv("REPINF_MODELS", str(networks))


@pytest.fixture(scope="module")
def study(networks):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPINF_MODELS", str(networks))
        return latent_manifolds.run(SMALL, "cpu")


def drawn(experiment):
    """The same images and seeds as the study's."""
    generator = torch.Generator().manual_seed(experiment.trial_seed)
    rows = torch.randperm(len(TEST), generator=generator)[: experiment.manifold_images]
    noise_seed, z_seed = torch.randint(2**31, (2,), generator=generator).tolist()
    return TEST[rows], noise_seed, z_seed


@torch.no_grad()
def latents_of(network, level):
    """Latent tensors of one of the four networks at one noise level, in numpy."""
    images, noise_seed, z_seed = drawn(SMALL)
    noisy = noise.gaussian(images, level, torch.Generator().manual_seed(noise_seed))
    name = network.split()[0]
    model = store.load_or_train(variants(SMALL)[name]).model
    if network != "VAE sampled":
        return model.encode_mean(noisy).reshape(COUNT, 6, 7, 7).numpy()
    generator = torch.Generator().manual_seed(z_seed)
    for _ in SMALL.noise_levels[: SMALL.noise_levels.index(level) + 1]:
        epsilon = torch.randn(COUNT, 6 * 49, generator=generator)
    mu, log_variance = model.encode(noisy)
    return (mu + torch.exp(log_variance / 2) * epsilon).reshape(COUNT, 6, 7, 7).numpy()


def unfolded(image):
    """The three unfoldings of one latent tensor ``[c, h, w]``."""
    return (
        np.stack([image[:, i, :].ravel() for i in range(image.shape[1])]),
        np.stack([image[:, :, j].ravel() for j in range(image.shape[2])]),
        np.stack([image[k].ravel() for k in range(image.shape[0])]),
    )


def covariances_of(image):
    """S1, S2 and S3 of one latent tensor, by numpy's own covariance in float64."""
    return [np.cov(matrix, bias=True, dtype=np.float64) for matrix in unfolded(image)]


def ranks_of(images, multiple=1.0):
    """Ranks ``[n, 3]`` at a multiple of numpy's tolerance for float32, an image at a time."""
    epsilon = np.finfo(np.float32).eps
    return np.array(
        [
            [
                np.linalg.matrix_rank(
                    s, tol=multiple * len(s) * epsilon * np.linalg.norm(s, 2), hermitian=True
                )
                for s in covariances_of(image)
            ]
            for image in images
        ]
    )


@pytest.mark.parametrize("network", FOUR)
@pytest.mark.parametrize("level", SMALL.noise_levels)
def test_ranks_are_those_of_a_plain_loop_in_numpy(study, network, level):
    expected = ranks_of(latents_of(network, level))
    for place, factor in enumerate(latent_tensors.FACTORS):
        (row,) = study.ranks[
            (study.ranks.network == network)
            & (study.ranks.level == level)
            & (study.ranks.factor == factor)
        ].to_dict("records")
        of_factor = expected[:, place]
        counts = np.bincount(of_factor)
        assert (row["min"], row["max"]) == (of_factor.min(), of_factor.max())
        quartiles = row["lower"], row["median"], row["upper"]
        assert quartiles == pytest.approx(np.quantile(of_factor, [0.25, 0.5, 0.75]))
        assert counts[row["most_frequent"]] == counts.max()
        assert row["share"] == pytest.approx(counts.max() / COUNT)
        assert row["fixed"] == (counts.max() == COUNT)
        assert of_factor.max() <= row["bound"]


@pytest.mark.parametrize("multiple", [rank_controls.SWEEP[0], *rank_controls.DECADE])
def test_ranks_at_other_tolerances_are_those_of_numpy(study, multiple):
    clean, noisy = (ranks_of(latents_of("DAE", level), multiple) for level in (0.0, 0.3))
    for scope, of in zip(SCOPES, (clean, np.concatenate([clean, noisy])), strict=True):
        rows = study.tolerances[
            (study.tolerances.condition == "DAE")
            & (study.tolerances.scope == scope)
            & (study.tolerances.multiple == multiple)
        ]
        assert rows["min"].tolist() == of.min(0).tolist()
        assert rows["max"].tolist() == of.max(0).tolist()
        assert rows.fixed.tolist() == (np.ptp(of, axis=0) == 0).tolist()


def test_effective_ranks_are_exponentials_of_entropies(study):
    found = []
    for image in latents_of("CAE", 0.0):
        values = np.linalg.eigvalsh(covariances_of(image)[2]).clip(0)
        shares = values[values > 0] / values.sum()
        found.append(np.exp(-(shares * np.log(shares)).sum()))
    row = study.effective[
        (study.effective.condition == "CAE") & (study.effective.factor == "S3")
    ].iloc[0]
    assert (row["min"], row["median"], row["max"]) == pytest.approx(
        (min(found), np.median(found), max(found)), rel=1e-4
    )


def points_of(latents, epsilon):
    """Images as points whose Euclidean distance is the product log-Euclidean one, by scipy."""
    return np.array(
        [
            np.concatenate(
                [scipy.linalg.logm(s + epsilon * np.eye(len(s))).ravel() for s in covariances]
            )
            for covariances in map(covariances_of, latents)
        ]
    ).real


def kernel_of(first, second, bandwidth):
    squared = ((first[:, None] - second[None]) ** 2).sum(2)
    return np.exp(-squared / (2 * bandwidth**2))


@pytest.mark.parametrize("multiple", latent_subspaces.EPSILONS)
@pytest.mark.parametrize("network", FOUR)
def test_subspaces_and_angles_are_those_of_scipy_and_scikit_learn(study, network, multiple):
    """Feature vectors from the joint kernel's root, PCA of each set, angles of their spans.

    At the smallest epsilon rounding in single precision would pass for eigenvalues.
    """
    half, epsilon = COUNT // 2, multiple * SMALL.log_epsilon
    clean, noisy = (points_of(latents_of(network, v), epsilon) for v in (0.0, 0.3))
    first, sets = clean[:half], {"same": noisy[:half], "other half": clean[half:]}
    pairs = [np.linalg.norm(first[i] - first[j]) for i in range(half) for j in range(i)]
    bandwidth = sorted(pairs)[(len(pairs) - 1) // 2]  # torch's median is the lower one
    table = study.subspaces[
        (study.subspaces.network == network) & (study.subspaces.multiple == multiple)
    ]
    assert table.bandwidth.tolist() == pytest.approx([bandwidth] * len(table), rel=1e-3)
    for images, points in sets.items():
        both = np.concatenate([first, points])
        values, vectors = np.linalg.eigh(kernel_of(both, both, bandwidth))
        features = vectors * np.sqrt(values.clip(0))
        spans = []
        for part in (features[:half], features[half:]):
            share = PCA().fit(part).explained_variance_ratio_.cumsum()
            k = int((share < latent_subspaces.SHARE).sum()) + 1
            spans.append(PCA(k).fit(part).components_.T)
        angles = np.rad2deg(scipy.linalg.subspace_angles(*spans))
        row = table[table.images == images].iloc[-1]
        assert row.dimension == spans[1].shape[1]
        assert row.mean_angle == pytest.approx(angles.mean(), abs=0.3)
        assert row.largest_angle == pytest.approx(angles.max(), abs=0.3)


def test_rounding_of_large_latents_does_not_pass_for_eigenvalues():
    """Eigenvalues of zero stay below every epsilon, though S3 has others that are far above."""
    model = ConvSpec(dataset="digits", channels=64).build(torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.encoder_out.weight *= 100
    single, inputs = Readout(model), Inputs(TEST[:COUNT], [0.0, 0.3], 1, 2)
    tables = [latent_subspaces.subspaces(of, inputs, 1e-6) for of in (single, single.double())]
    for column in ("bandwidth", "mean_angle"):
        np.testing.assert_allclose(*(of[column] for of in tables), rtol=1e-3, atol=1e-2)


def test_the_numbers_by_which_the_claim_is_judged_are_those_of_the_table(study):
    for (network, multiple), of in study.subspaces.groupby(["network", "multiple"]):
        same, (halves,) = (
            of[of.images == images].mean_angle.tolist() for images in ("same", "other half")
        )
        numbers = study.numbers["angles"][f"{multiple:g}"][network]
        assert numbers == {"same": same, "halves": halves}
        if multiple == 1:
            turning = study.turning.set_index("network").loc[network]
            assert (turning["mean"], turning.halves_mean) == (same[-1], halves)
            noisy = of[(of.images == "same") & (of.level == 0.3)].iloc[0]
            clean = of[(of.images == "same") & (of.level == 0)].iloc[0]
            assert (turning.clean, turning.noisy) == (clean.dimension, noisy.dimension)
            assert turning.largest == noisy.largest_angle


def test_one_draw_of_z_turns_with_the_image_alone(study):
    at = study.subspaces[(study.subspaces.multiple == 1) & (study.subspaces.level == 0.3)]
    angles = at[at.images == "same"].set_index("network").mean_angle
    assert 0 < angles["VAE one draw"] < angles["VAE sampled"]
    still = Inputs(TEST[:3], [0.0, 0.0], 1, 2)
    model = ConvSpec(dataset="digits", channels=2, variational=True).build(torch.Generator())
    first, second = still.latents(Readout(model, sampled=True, redrawn=False))
    assert torch.equal(first, second)


def test_clean_images_have_no_angle_with_themselves(study):
    same = study.subspaces[(study.subspaces.images == "same") & (study.subspaces.level == 0)]
    assert len(same) == (len(FOUR) + 1) * len(latent_subspaces.EPSILONS)
    np.testing.assert_allclose(same.largest_angle, 0, atol=1e-2)


def test_the_tables_are_tidy_and_agree_with_one_another(study):
    keys = {
        "ranks": ["network", "level", "factor"],
        "effective": ["condition", "factor"],
        "tolerances": ["condition", "scope", "factor", "multiple"],
        "controls": ["condition"],
        "reported": ["network", "factor"],
        "ties": ["condition", "distinct", "rank"],
        "subspaces": ["network", "multiple", "images", "level"],
        "turning": ["network"],
        "fixed_rank": ["network", "images", "level"],
    }
    assert study.tables.keys() == keys.keys()
    for name, key in keys.items():
        assert not study.tables[name].duplicated(key).any()
    assert set(rank_controls.DECADE) <= set(study.tolerances.multiple)
    assert (study.ties["rank"] <= study.ties["bound"]).all()
    assert study.ties.groupby("condition").images.sum().tolist() == [COUNT] * 23
    assert study.reported.reported.tolist() == ["5–7", "6–7", "29–48"] * 2 + ["7", "7", "48"]
    always = study.ranks.groupby("network").apply(
        lambda of: (of.groupby("factor")["min"].min() == of.groupby("factor")["max"].max()).all()
    )
    assert set(study.fixed_rank.network) == {name for name in FOUR if always[name]}
    assert "VAE sampled" in set(study.fixed_rank.network)


def test_ranks_and_distinct_places_of_images_are_counted_together(study):
    latents = latents_of("CAE", 0.0)
    distinct = []
    for image in latents:
        places = image.reshape(6, 49).T
        size = np.linalg.norm(places - places.mean(0), axis=1).max()
        apart = (
            np.linalg.norm(places[:, None] - places[None], axis=2)
            > 100 * np.finfo(np.float32).eps * size
        )
        distinct.append(sum(apart[i, :i].all() for i in range(49)))
    pairs = sorted(zip(distinct, ranks_of(latents)[:, 2].tolist(), strict=True))
    table = study.ties[study.ties.condition == "CAE"]
    found = table.loc[table.index.repeat(table.images), ["distinct", "rank"]]
    assert [tuple(row) for row in found.to_numpy().tolist()] == pairs
    left = [rank == min(6, places - 1) for places, rank in pairs]
    share = study.controls.set_index("condition").left_by_ties["CAE"]
    assert share == study.numbers["share_left_by_ties"]["CAE"] == pytest.approx(np.mean(left))


@torch.no_grad()
def ranks_under(condition):
    """Ranks of the clean images under one condition, from the network's own encoder, by numpy."""
    images, *_ = drawn(SMALL)
    name, _, how = condition.partition(", ")
    spec = variants(SMALL)[name.split()[0]]
    untrained = TrainingRun(spec).model
    model = untrained if "untrained" in how else store.load_or_train(spec).model
    if "textured" in how:
        generator = torch.Generator().manual_seed(SMALL.trial_seed)
        torch.randperm(len(TEST), generator=generator)
        torch.randint(2**31, (2,), generator=generator)
        images = rank_controls.textured(images, generator)
    precision = torch.float64 if "float64" in how else torch.float32
    model = copy.deepcopy(model).to(precision)
    latents = model.encode_mean(images.to(precision)).reshape(COUNT, 6, 7, 7).numpy()
    return np.array(
        [
            [
                np.linalg.matrix_rank(np.cov(matrix, bias=True), hermitian=True)
                for matrix in unfolded(image)
            ]
            for image in latents
        ]
    )


@pytest.mark.parametrize("how", ["untrained", "textured ground, float64", "float64"])
@pytest.mark.parametrize("network", ["CAE", "VAE mean"])
def test_ranks_of_a_control_are_those_of_numpy(study, network, how):
    expected = ranks_under(f"{network}, {how}")
    row = study.tolerances[
        (study.tolerances.condition == f"{network}, {how}")
        & (study.tolerances.scope == SCOPES[0])
        & (study.tolerances.multiple == 1)
    ]
    assert row["min"].tolist() == expected.min(0).tolist()
    assert row["max"].tolist() == expected.max(0).tolist()
    assert row["median"].tolist() == np.median(expected, axis=0).tolist()


def test_active_channels_are_counted_over_the_clean_images(study):
    for network in FOUR:
        variances = latents_of(network, 0.0).var(0)
        expected = int((variances > 0.01).any((1, 2)).sum())
        assert study.numbers["active_channels"][network] == expected
        assert f"{expected} of " in study.active


def test_every_control_has_its_row(study):
    rows = study.controls.set_index("condition")
    assert rows.index[:4].tolist() == FOUR
    for name in FOUR:
        for condition in ("untrained", "textured ground", "float64", "textured ground, float64"):
            assert f"{name}, {condition}" in rows.index
    assert (rows.loc["CAE, untrained", "S1":] == rows.loc["DAE, untrained", "S1":]).all()
    assert rows.loc["CAE, cropped images", "S1"] in "12345"  # of 5 x 5 places
    assert rows.loc[[name for name in rows.index if "sampled" in name], "fixed"].eq(5).all()


def test_the_texture_lies_on_blank_pixels_alone_and_is_one_for_all_images():
    textured = rank_controls.textured(TEST, torch.Generator().manual_seed(1))
    blank = TEST == 0
    assert torch.equal(textured[~blank], TEST[~blank])
    ground = torch.where(blank, textured, torch.nan)
    assert (ground[blank] <= rank_controls.TEXTURE).all()
    for pixel in ground.T:
        values = pixel[~pixel.isnan()]
        assert len(values.unique()) <= 1
    assert (textured[blank] > 0).float().mean() > 0.99


def test_float64_is_that_of_the_network_and_of_its_latents():
    readout = Readout(ConvSpec(dataset="digits", channels=2).build(torch.Generator()))
    inputs = Inputs(TEST[:3], [0.0, 0.5], 1, 2)
    single, double = (list(inputs.latents(of)) for of in (readout, readout.double()))
    for one, two in zip(single, double, strict=True):
        assert (one.dtype, two.dtype) == (torch.float32, torch.float64)
        torch.testing.assert_close(one.double(), two, rtol=1e-4, atol=1e-5)
    assert latent_tensors.spectra(readout.double(), inputs).epsilon == np.finfo(np.float64).eps


def test_each_level_draws_its_z_anew_and_has_the_same_noise():
    model = ConvSpec(dataset="digits", channels=2, variational=True).build(torch.Generator())
    grey = torch.full((3, 784), 0.5)
    inputs = Inputs(grey, [0.0, 1e-6, 0.1, 0.2], 1, 2)
    z = list(inputs.latents(Readout(model, sampled=True)))
    assert (z[0] - z[1]).abs().mean() > 0.1
    inside = ((inputs.noisy(0.2) - 0.5).abs() < 0.5).logical_and(inputs.noisy(0.2) != 0.5)
    steps = [(inputs.noisy(level) - grey)[inside] for level in (0.1, 0.2)]
    torch.testing.assert_close(2 * steps[0], steps[1], atol=1e-5, rtol=1e-5)


def test_many_channels_are_taken_a_few_images_at_a_time(monkeypatch):
    readout = Readout(ConvSpec(dataset="digits", channels=4).build(torch.Generator()))
    inputs = Inputs(TEST[:5], [0.0, 0.2], 1, 2)
    whole = latent_tensors.spectra(readout, inputs)
    monkeypatch.setattr(latent_tensors, "_AT_ONCE", 2 * 7**2)
    for factor, values in latent_tensors.spectra(readout, inputs).values.items():
        torch.testing.assert_close(values, whole.values[factor], atol=1e-7, rtol=1e-4)


def verdicts(study):
    cards = claims.cards(claims.latent_manifolds.CLAIMS, study.numbers, vars(study.experiment))
    return [card.judged.verdict for card in cards]


def test_the_claims_read_the_studys_numbers(study):
    assert claims.latent_manifolds.SCOPES == SCOPES
    assert claims.NOT_RUN not in verdicts(study)
    assert f"Over {COUNT} clean test images of scikit-learn's digits" in study.finding


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(study):
    again = latent_manifolds.run(SMALL, "cpu")
    assert again.numbers == study.numbers
    other = latent_manifolds.run(dataclasses.replace(SMALL, trial_seed=1), "cpu")
    assert other.numbers != study.numbers


@pytest.mark.parametrize(
    "changes",
    [{"channels": 1}, {"manifold_images": 4}, {"noise_levels": (0.5, 1.0)}, {"log_epsilon": 1.0}],
)
def test_degenerate_parameters_leave_tables_whole(changes):
    found = latent_manifolds.run(dataclasses.replace(SMALL, **changes), "cpu")
    assert len(found.controls) == 23
    assert found.numbers["noise_levels"][0] == 0
    assert len(verdicts(found)) == 4


def test_a_network_whose_latents_are_all_equal_has_ranks_and_no_angles(monkeypatch):
    """Its ReLU is closed for every image."""

    def closed(*arguments):
        found = real(*arguments)
        for run in found.runs.values():
            torch.nn.init.zeros_(run.model.encoder_out.weight)
            torch.nn.init.constant_(run.model.encoder_out.bias, -1.0)
        return found

    real = latent_manifolds.convolutional.trained
    monkeypatch.setattr(latent_manifolds.convolutional, "trained", closed)
    found = latent_manifolds.run(SMALL, "cpu")
    of_cae = found.ranks[found.ranks.network == "CAE"]
    assert (of_cae["max"] == 0).all()
    assert found.subspaces[found.subspaces.network == "CAE"].mean_angle.isna().all()
    assert verdicts(found)[2] == claims.NOT_RUN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("manifold_images", 3),
        ("noise_levels", [0.0, 1.5]),
        ("noise_levels", [-0.1, 0.5]),
        ("log_epsilon", 0.0),
        ("channels", 0),
    ],
)
def test_bad_input_is_refused_in_one_sentence(name, value):
    with pytest.raises(profiles.ParameterError) as refused:
        profiles.experiment("smoke", {name: value})
    assert name in str(refused.value)
    assert len(re.findall(r"\.(?= |$)", str(refused.value))) == 1


@pytest.mark.parametrize("apart", [0, 1])
def test_only_images_that_are_one_point_have_no_subspace(apart):
    """All of them, or all but one; any other fault of the points is told."""
    points = torch.zeros(5, 3, dtype=torch.float64)
    points[:apart] = 1
    reference = latent_subspaces.Reference(points)
    assert all(np.isnan(value) for value in reference.against(points).values())
    spread = torch.rand(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    others = latent_subspaces.Reference(spread)
    assert all(np.isnan(value) for value in others.against(torch.ones_like(spread)).values())
    with pytest.raises(ValueError, match="The set has 1 points"):
        others.against(spread[:1])
