"""Four networks iterated from the same images, against a plain numpy loop in float64."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pages
import pytest
import references
import torch

from repinf_core import claims, data, profiles
from repinf_core.models import memories
from repinf_core.models.conv import variants
from repinf_core.models.mlp import VAESpec
from repinf_core.studies import (
    iterated_depths,
    iterated_ends,
    iterated_networks,
    iterating_them,
)
from repinf_core.training import store

SMALL = profiles.experiment(
    "smoke",
    {
        "n_z": 3, "n_hidden": 32, "epochs": 4, "channels": 1, "conv_epochs": 1, "steps": 6,
        "trials": 4, "settling_steps": 6,
    },
)  # fmt: skip
NETWORKS = ["paper's VAE", "conv VAE", "CAE", "DAE", "rectified VAE", "linear CAE"]
LABELS = pages.TRAIN.labels.numpy()


@pytest.fixture(scope="module")
def small_models(tmp_path_factory):
    """A store of the small networks."""
    return tmp_path_factory.mktemp("small")


@pytest.fixture(autouse=True)
def store_of_small_models(small_models, monkeypatch):
    monkeypatch.setenv("REPINF_MODELS", str(small_models))


@pytest.fixture(scope="module")
def study(small_models):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPINF_MODELS", str(small_models))
        return iterating_them.run(SMALL, "cpu")


def networks():
    """The same networks in float64."""
    cae, dae, vae = variants(SMALL).values()
    specs = [
        VAESpec.of(SMALL), vae, cae, dae,
        dataclasses.replace(vae, rectified=True), dataclasses.replace(cae, rectified=False),
    ]  # fmt: skip
    return {
        name: store.load_or_train(spec).model.double()
        for name, spec in zip(NETWORKS, specs, strict=True)
    }


def of_network(table, name, **where):
    rows = table[table.network == name]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows


@torch.no_grad()
def reference(model, x0, steps):
    """Memories of the training set, and trajectories ``[T+1, trials, N_z]``, in float64."""
    xi = model.encode_mean(pages.TRAIN.images.double()).numpy()
    z = [model.encode_mean(torch.from_numpy(x0))]
    for _ in range(steps):
        z.append(model.encode_mean(model.decode_mean(z[-1])))
    return xi, torch.stack(z).numpy()


def dense(model, z):
    def step(at):
        return model.encode_mean(model.decode_mean(at[None]))[0]

    return torch.func.jacrev(step)(z).detach()


def test_each_network_is_followed_as_a_plain_loop_does(study):
    rows, x0 = pages.trials(range(10), SMALL.trials, SMALL)
    assert list(study.networks.network) == NETWORKS
    judged = []
    for name, model in networks().items():
        xi, z = reference(model, x0, SMALL.steps)
        concepts = references.concepts(xi, LABELS)
        for k in range(10):
            of_label = slice(k * SMALL.trials, (k + 1) * SMALL.trials)
            away = np.linalg.norm(xi[k == LABELS] - concepts[k], axis=1)
            spread = np.sqrt((away**2).mean())
            said = of_network(study.labels, name, label=str(k)).iloc[0]
            assert said.spread == pytest.approx(spread, rel=1e-4)
            fractions = np.linspace(0, 1, SMALL.steps + 1)[:, None, None]
            line = z[0, of_label] * (1 - fractions) + z[-1, of_label] * fractions
            depths, curves, whole, same = {}, {}, {}, {}
            for target, points in {
                "concept": concepts[k],
                "wrong concept": concepts[(k + 1) % 10],
                "memory": xi[rows[of_label]],
            }.items():
                mean, chord = (
                    pages.distances(at, points).mean(1) / spread for at in (z[:, of_label], line)
                )
                curve = of_network(study.curves, name, target=target, label=str(k))
                np.testing.assert_allclose(curve["mean"], mean, rtol=1e-3, atol=1e-4)
                np.testing.assert_allclose(curve.chord, chord, rtol=1e-3, atol=1e-4)
                at = mean.argmin()
                whole[target] = references.approaches(mean, chord.min())
                same[target] = references.approaches(mean, chord[at])
                depths[target] = (chord[at] - mean[at]) if same[target] else 0.0
                curves[target] = mean
            assert said.depth == pytest.approx(depths["concept"], abs=1e-4)
            assert said.wrong_depth == pytest.approx(depths["wrong concept"], abs=1e-4)
            assert said.excess_depth == said.depth - said.wrong_depth
            to_concept, to_memory = curves["concept"], curves["memory"]
            _, earliest, latest = pages.closest_steps(to_concept[:, None])
            assert earliest <= said.step <= latest
            for target, verdicts in {
                "concept": (said.whole_chord, said.same_time),
                "wrong concept": (said.wrong_whole_chord, said.wrong_same_time),
            }.items():
                _, earliest, latest = pages.closest_steps(curves[target][:, None])
                if earliest == latest:  # else float32 may see a tie, or none
                    assert verdicts == (whole[target], same[target])
                    judged.append(verdicts)
            for column, expected in {
                "first": to_concept[0],
                "minimum": to_concept.min(),
                "last": to_concept[-1],
                "memory_first": to_memory[0],
                "memory_last": to_memory[-1],
            }.items():
                assert said[column] == pytest.approx(expected, rel=1e-3, abs=1e-4)
            for found, t in ((said.nearest_first, 0), (said.nearest_last, -1)):
                nearest = np.linalg.norm(z[t, of_label, None] - concepts, axis=2).argmin(1)
                assert found == pytest.approx((nearest == k).mean())
            travelled = pages.distances(z[-1, of_label], z[0, of_label]).mean() / spread
            assert said.travelled == pytest.approx(travelled, rel=1e-3, abs=1e-4)
        spreads = study.labels[study.labels.network == name].spread.to_numpy()
        lengths = np.linalg.norm(np.diff(z, axis=0), axis=2) / spreads.repeat(SMALL.trials)
        steps = of_network(study.steps, name)
        assert steps.t.tolist() == list(range(1, SMALL.steps + 1))
        for column, quantile in (("lower", 0.25), ("median", 0.5), ("upper", 0.75)):
            expected = np.quantile(lengths, quantile, axis=1)
            np.testing.assert_allclose(steps[column], expected, rtol=1e-3, atol=1e-4)
    assert len(judged) > len(NETWORKS) * 10  # of two targets each
    assert len(set(judged)) > 1


@torch.no_grad()
def end_of(model, z, rest, steps):
    """The last state of one trajectory, how many steps it took, and whether it rests."""
    for t in range(1, steps + 1):
        before, z = z, model.encode_mean(model.decode_mean(z))
        if (z - before).norm() < rest:
            return z, t, True
    return z, steps, False


def test_ends_and_factors_are_those_of_the_network_in_float64(study):
    _, x0 = pages.trials(range(10), SMALL.trials, SMALL)
    outcomes = set()
    for name, model in networks().items():
        xi, z = reference(model, x0, 0)
        concepts = torch.from_numpy(references.concepts(xi, LABELS))
        spread = of_network(study.labels, name).spread.to_numpy()
        ends = of_network(study.ends, name).reset_index(drop=True)
        assert len(ends) == 10 * iterated_ends.PER_LABEL
        of_end_points = []
        for row in ends.itertuples():
            k, place = divmod(row.Index, iterated_ends.PER_LABEL)
            assert row.label == str(k)
            start = torch.from_numpy(z[0, [k * SMALL.trials + place]])
            end, taken, rests = end_of(model, start, 1e-5 * spread.mean(), SMALL.settling_steps)
            if place == 0:
                of_end_points.append(end[0])
            outcomes.add(row.outcome)
            assert (row.outcome, row.steps) == ("at rest" if rests else "not at rest", taken)
            away = torch.cdist(end, concepts)[0].numpy()
            assert row.concept == pytest.approx(away[k] / spread[k], rel=1e-3)
            assert row.nearest_own == (away.argmin() == k)
            with torch.no_grad():
                step = (model.encode_mean(model.decode_mean(end)) - end).norm().item()
            assert row.last_step == pytest.approx(step / spread[k], rel=1e-2, abs=1e-9)
        places = {"concept": concepts, "end point": torch.stack(of_end_points)}
        for where, points in places.items():
            maps = torch.stack([dense(model, at) for at in points[::4]])
            told = of_network(study.spectra, name, where=where)[::4]
            radius = torch.linalg.eigvals(maps).abs().max(1).values
            np.testing.assert_allclose(told.radius, radius, rtol=1e-3, atol=1e-5)
            stretch = torch.linalg.matrix_norm(maps, 2)
            np.testing.assert_allclose(told.stretch, stretch, rtol=1e-3, atol=1e-5)
            with torch.no_grad():
                steps = (model.encode_mean(model.decode_mean(points)) - points).norm(dim=1)
            told = of_network(study.spectra, name, where=where)
            np.testing.assert_allclose(told.step, steps.numpy() / spread, rtol=1e-2, atol=1e-9)
        shares = of_network(study.outcomes, name).iloc[0]
        for outcome in ("at rest", "cycle", "not at rest"):
            share = (ends.outcome == outcome).mean()
            assert shares[outcome.replace(" ", "_")] == pytest.approx(share)
        assert shares.trajectories == len(ends)
        assert shares.nearest_own == pytest.approx(ends.nearest_own.mean())
        assert shares.concept == np.median(ends.concept)
        assert shares.last_step == np.median(ends.last_step)
    assert {"at rest", "not at rest"} <= outcomes


def test_places_are_the_medians_of_the_spectra(study):
    for row in study.places.itertuples():
        own = of_network(study.spectra, row.network, where=row.where)
        assert row.points == len(own) == 10
        assert row.missing == max(own.radius.isna().sum(), own.stretch.isna().sum())
        for column in ("step", "radius", "stretch"):
            assert getattr(row, column) == pytest.approx(np.nanmedian(own[column]))
    assert len(study.places) == 2 * len(NETWORKS)


def test_the_tables_agree_with_one_another(study):
    for name, found in study.numbers["networks"].items():
        labels = of_network(study.labels, name)
        ends = of_network(study.ends, name)
        assert found["end_points"] == len(set(ends[ends.outcome == "at rest"].end_point))
        assert found["excess_depth"] == labels.excess_depth.tolist()
        assert found["labels_approaching_same_time"] == labels.same_time.sum()
        row = of_network(study.networks, name).iloc[0]
        assert row.same_time == labels.same_time.sum()
        for column in (
            "spread", "first", "minimum", "last", "travelled", "depth", "wrong_depth",
            "excess_depth", "memory_first", "memory_last", "nearest_first", "nearest_last",
        ):  # fmt: skip
            assert row[column] == pytest.approx(labels[column].mean())
        for column in ("whole_chord", "wrong_whole_chord", "wrong_same_time"):
            assert row[column] == labels[column].sum()
        assert row.step == labels.step.median()
        assert row.deeper == (labels.excess_depth > 0).sum()
        means = of_network(study.means, name, target="concept")
        assert means["mean"].iloc[0] == pytest.approx(labels["first"].mean())
        assert means["mean"].iloc[-1] == pytest.approx(labels["last"].mean())
        np.testing.assert_allclose(means.chord.iloc[[0, -1]], means["mean"].iloc[[0, -1]])
    epochs = dict(zip(study.networks.network, study.networks.epochs, strict=True))
    assert epochs == {name: 4 if name == "paper's VAE" else 1 for name in NETWORKS}
    assert study.networks.n_z.tolist() == [3] + 5 * [49]


def test_the_images_shown_begin_with_the_same_noisy_image(study):
    _, x0 = pages.trials(range(10), SMALL.trials, SMALL)
    assert list(study.samples) == NETWORKS
    for shown in study.samples.values():
        assert shown.shape == (len(study.times), 784)
        np.testing.assert_allclose(shown[0], x0[SMALL.label * SMALL.trials], atol=1e-6)
    assert study.concept_images.shape == (6, 784)


@pytest.mark.slow
def test_the_noisy_images_are_the_first_of_chapter_4s(monkeypatch):
    """However many there are."""
    _, x0 = pages.trials(range(10), SMALL.trials, SMALL)
    monkeypatch.setattr(iterating_them, "MOST_TRIALS", 3)
    study = iterating_them.run(SMALL, "cpu")
    assert study.numbers["trials"] == 3
    shown = study.samples["CAE"][0]
    np.testing.assert_allclose(shown, x0[SMALL.label * SMALL.trials], atol=1e-6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers_and_another_one_others(study):
    assert iterating_them.run(SMALL, "cpu").numbers == study.numbers
    other = iterating_them.run(dataclasses.replace(SMALL, trial_seed=1), "cpu").numbers
    assert other != study.numbers


def planted(step):
    return SimpleNamespace(encode_mean=lambda x: x[:, :2], decode_mean=step)


def test_a_bent_path_has_the_depth_of_its_bend():
    """From (1, 0) by (0, 0) to (0, 1): the chord passes the origin at sqrt(1/2)."""
    path = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]).norm(dim=1)[None, :, None]
    chord = torch.tensor([1.0, 0.5**0.5, 1.0])[None, :, None]
    found = iterated_networks.readings(path, chord).iloc[0]
    assert found.whole_chord
    assert found.same_time
    assert (found.step, found.minimum) == (1, 0)
    assert found.depth == pytest.approx(0.5**0.5)


def plain_depth(mean, chord):
    at = mean.argmin()
    return chord[at] - mean[at] if references.approaches(mean, chord[at]) else 0.0


def test_trials_drawn_anew_have_the_depths_of_a_plain_loop():
    """Of every label and resample, with each trial as often as it was drawn."""
    rng = np.random.default_rng(0)
    distances, chords = rng.random((2, 3, 6, 5)), rng.random((2, 3, 6, 5)).max(0) + 0.3
    weights = iterated_depths.draws(3, 5, seed=1)
    found = iterated_depths.resampled(
        torch.from_numpy(distances[0]), torch.from_numpy(chords), weights
    )
    counts = references.array(weights) * 5
    np.testing.assert_allclose(counts.sum(2), 5)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-12)
    assert not np.array_equal(counts[0], counts[1])  # every label draws its own
    for resample in range(0, len(found), 97):
        for k in range(3):
            drawn = np.arange(5).repeat(counts[k, resample].round().astype(int))
            mean, chord = (of[k][:, drawn].mean(1) for of in (distances[0], chords))
            expected = plain_depth(mean, chord)
            assert found[resample, k].item() == pytest.approx(expected, abs=1e-12)


def test_the_margin_is_that_of_the_shallower_vae_over_the_deepest_other_and_over_none():
    excess = {
        "paper's VAE": [0.5, 0.2, 0.3, -0.1],
        "conv VAE": [0.4, 0.3, 0.3, 0.2],
        "CAE": [0.1, 0.25, -0.2, -0.3],
        "DAE": [0.2, 0.0, -0.1, -0.2],
        "linear CAE": [9.0] * 4,  # a control has no part in it
    }
    np.testing.assert_allclose(iterated_depths.margin(excess), [0.2, -0.05, 0.3, -0.1])
    alone = iterated_depths.margin(excess, ("conv VAE",))
    np.testing.assert_allclose(alone, [0.2, 0.05, 0.3, 0.2])


def test_what_the_resamples_say_of_the_margins():
    """Of two labels: one above 0 in all of them, one in a quarter."""
    excess = {"paper's VAE": [0.3, 0.1], "conv VAE": [0.3, 0.1], "CAE": [0.1, 0.0], "DAE": [0, 0]}
    anew = {name: torch.tensor([of] * 4).double() for name, of in excess.items()}
    anew["CAE"] = torch.tensor([[0.1, 0.0], [0.1, 0.2], [0.1, 0.3], [0.1, 0.2]]).double()
    table, told = iterated_depths.margins(excess, anew, ["a", "b"])
    np.testing.assert_allclose(table.margin, [0.2, 0.1])
    assert table.resamples.tolist() == [1, 0.25]
    assert told["least"]["label"] == "b"
    assert told["all"] == 0.25
    assert told["labels"] == [1, 2]


def test_the_least_margin_is_that_of_the_tables(study):
    excess = study.labels.pivot(index="label", columns="network", values="excess_depth")
    vaes, others = excess[["paper's VAE", "conv VAE"]], excess[["CAE", "DAE"]]
    margin = vaes.min(axis=1) - others.max(axis=1).clip(lower=0)
    np.testing.assert_allclose(study.margins.set_index("label").margin, margin, atol=1e-6)
    assert (study.margins.low <= study.margins.high).all()
    assert study.numbers["margins"]["least"]["margin"] == study.margins.margin.min()
    assert f"for {(study.margins.margin > 0).sum()} of 10 labels" in study.finding


@pytest.mark.parametrize("path", [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
def test_without_a_minimum_inside_there_is_no_depth(path):
    path = torch.tensor(path)[None, :, None]
    assert iterated_networks.readings(path, path + 1).depth.item() == 0


def test_clusters_are_the_means_of_all_memories_and_their_spread(monkeypatch):
    """In chunks, and without keeping the memories."""
    monkeypatch.setattr(iterated_networks, "_CHUNK", 7)
    images = torch.rand(40, 784, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(40) % 10
    model = planted(None)
    found = iterated_networks.clusters(model, data.LabelledImages(images, labels), "cpu")
    xi = memories(model, images).double().numpy()
    for k in range(10):
        own = xi[labels.numpy() == k]
        np.testing.assert_allclose(found.concepts[k], own.mean(0), rtol=1e-6)
        spread = np.sqrt(((own - own.mean(0)) ** 2).sum(1).mean())
        assert found.spread[k].item() == pytest.approx(spread, rel=1e-5)


@pytest.mark.parametrize(
    ("factor", "outcome"), [(0.5, "at rest"), (-1.0, "cycle"), (1.1, "not at rest")]
)
def test_a_planted_step_ends_as_it_must(factor, outcome):
    model = planted(lambda z: factor * z)
    found = iterated_networks.Clusters(torch.zeros(10, 2), torch.full((10,), 2.0))
    x0 = torch.rand(20, 784, generator=torch.Generator().manual_seed(0)) + 0.1
    ends = iterated_ends.ends(model, found, x0, tuple("0123456789"), 100)
    assert set(ends.ends.outcome) == {outcome}
    np.testing.assert_allclose(ends.spectra.radius, abs(factor))
    np.testing.assert_allclose(ends.spectra.stretch, abs(factor))
    assert (ends.ends.steps == 100).all() == (outcome == "not at rest")
    # All that come to rest do so at the origin.
    assert ends.ends.end_point.nunique() == (outcome == "at rest")


def test_end_points_that_lie_together_count_as_one():
    """A step that leaves its start as it is: as many points as starts, but for those nearby."""
    found = iterated_networks.Clusters(torch.zeros(10, 2), torch.full((10,), 2.0))
    apart = torch.arange(20.0)[:, None].repeat(1, 784)
    for x0, expected in ((apart, 20), (0.001 * apart, 1), (apart // 5, 4)):
        ends = iterated_ends.ends(planted(lambda z: z), found, x0, tuple("0123456789"), 100)
        assert ends.ends.end_point.nunique() == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"n_z": 1}, {"beta": 0.0}, {"beta": 1000.0}, {"p": 0.0}, {"steps": 2}, {"trials": 3}],
)
def test_degenerate_parameters_leave_tables_whole(changes):
    study = iterating_them.run(dataclasses.replace(SMALL, **changes), "cpu")
    assert study.labels.notna().all(axis=None)
    assert study.spectra.notna().all(axis=None)
    (card,) = claims.cards(claims.iterating_them.CLAIMS, study.numbers, vars(study.experiment))
    assert card.judged.verdict != claims.NOT_RUN
