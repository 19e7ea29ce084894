"""The study of chapter 20 runs without a notebook, and its numbers follow from the weights."""

import dataclasses
import functools
import json
import re

import numpy as np
import pytest
import references
import torch
from pages import TRAIN, distances, trials

from repinf_core import claims, profiles
from repinf_core.dynamics import fixed_points as fixed_points_of_the_map
from repinf_core.dynamics import settling
from repinf_core.dynamics.sampling import sampled_chain
from repinf_core.models.linear import LinearVAE
from repinf_core.studies import (
    end_points,
    escapes,
    fixed_points,
    fixed_points_in_words,
    null_models,
    other_networks,
    saddles,
    study,
    training_sizes,
)

SMALL = {
    "n_z": 4,
    "n_hidden": 32,
    "epochs": 5,
    "trials": 3,
    "steps": 12,
    "census_trials": 2,
    "settling_steps": 400,
    "n_z_grid": [2, 3],
    "beta_grid": [1.0, 2.0],
    "grid_epochs": 2,
}
OUTCOMES = {"fixed point", "unrefined", "cycle", "closed curve", "still moving"}


@pytest.fixture(autouse=True, scope="module")
def one_training_set():
    """Of the smallest size alone: test_studies_bridges.py tries the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_sizes, "SIZES", training_sizes.SIZES[:1])
        yield


def found_with(**changes):
    return fixed_points.run(profiles.experiment("smoke", SMALL | changes), "cpu")


@pytest.fixture
def experiment():
    return profiles.experiment("smoke", SMALL)


@functools.cache
def small():
    return found_with()


@pytest.fixture
def found():
    return small()


def test_the_ends_are_those_of_a_plain_loop_and_lie_at_fixed_points(experiment, found):
    network = study.trained(experiment, "cpu")
    weights = references.weights(network.model)
    rows, x0 = trials(range(10), experiment.census_trials, experiment)
    images = np.concatenate([x0, references.array(TRAIN.images)[rows]])
    _, path = references.rollout(weights, images, experiment.settling_steps)
    ends = found.ends
    assert list(ends.label) == list(np.tile(TRAIN.labels.numpy()[rows], 2))
    assert set(ends.outcome) <= OUTCOMES
    memories = references.encode(weights, references.array(TRAIN.images))[0]
    at_rest = (ends.outcome == "fixed point").to_numpy()
    assert at_rest.any()
    own = distances(path[-1], memories[np.tile(rows, 2)])
    np.testing.assert_allclose(ends.own_memory[at_rest], own[at_rest], atol=5e-3)
    nearest = np.array([distances(memories, z).min() for z in path[-1]])
    np.testing.assert_allclose(ends.nearest_memory[at_rest], nearest[at_rest], atol=5e-3)
    labels = TRAIN.labels.numpy()
    for z, label, far in zip(path[-1], ends.label, ends.random_memory, strict=True):
        of_label = distances(memories[labels == label], z)
        assert np.abs(of_label - far).min() < 0.05
    assert (ends.random_memory != ends.own_memory).all()
    moving = distances(path[1:], path[:-1]) > settling.MOVING
    for t, share in zip(found.settling.t, found.settling.moving, strict=True):
        assert share == pytest.approx(moving[t - 1].mean(), abs=0.03)  # one of 40


def test_basins_outcomes_and_shares_count_every_trajectory_once(experiment, found):
    trajectories = 2 * 10 * experiment.census_trials
    assert found.numbers["trajectories"] == len(found.ends) == trajectories
    assert found.outcomes.trajectories.sum() == trajectories
    at_rest = found.ends.outcome == "fixed point"
    assert (found.ends.fixed_point.notna() == at_rest).all()
    assert found.fixed_points.trajectories.sum() == at_rest.sum()
    assert found.fixed_points.trajectories.is_monotonic_decreasing
    assert found.fixed_points.own_label.between(0, 1).all()
    np.testing.assert_allclose(
        found.fixed_points.share, found.fixed_points.trajectories / trajectories
    )
    assert len(found.images) == min(20, len(found.fixed_points))


def test_what_attracts_has_no_eigenvalue_beyond_one_and_a_step_from_it_is_none(found):
    attractors = found.spectra[found.spectra["where"] == "attractor"]
    assert (attractors.step < 1e-8).all()
    assert (found.fixed_points["index"] == 0).all()
    assert (found.spectra.stretch >= found.spectra.radius * (1 - 1e-9)).all()
    assert set(found.kinds["where"]) == set(found.spectra["where"])
    assert found.spectra.symmetric.between(0, 1).all()


def test_a_saddle_is_what_the_criterion_says(experiment, found):
    searches = found.searches
    followed = min(experiment.census_trials, experiment.trials)
    each = 10 * (1 + followed)
    assert (searches.groupby("centre").size() == each).all()
    expected = (
        searches.converged
        & (searches["index"] >= 1)
        & (searches.distance < searches.allowed)
        & (searches.gain < 1)
    )
    assert (searches.saddle == expected).all()
    for name, count in found.numbers["labels_with_a_saddle"].items():
        of_centre = searches[searches.centre == name]
        assert count == of_centre[of_centre.saddle].label.nunique()
    assert found.centres.converged.tolist() == list(
        searches.groupby("centre", sort=False).converged.sum()
    )
    assert (found.centres.unstable <= found.centres.near).all()
    assert list(found.centres.labels) == [
        found.numbers["labels_with_a_saddle"][name] for name in found.centres.centre
    ]
    assert list(found.centres.saddles) == list(searches.groupby("centre", sort=False).saddle.sum())
    assert (searches.number.notna() == searches.saddle).all()
    assert (found.centres.distinct <= found.centres.saddles).all()
    for row in found.by_trajectories.itertuples():
        some = searches[(searches.centre == row.centre) & (searches.trajectory <= row.trajectories)]
        assert len(some) == 10 * (1 + row.trajectories)
        assert row.labels == some[some.saddle].label.nunique()
    last = found.by_trajectories.query("trajectories == @followed").set_index("centre").labels
    assert last.to_dict() == found.numbers["labels_with_a_saddle"]
    labels = TRAIN.labels.numpy()
    network = study.trained(experiment, "cpu")
    memories = references.array(network.memories)
    concepts = references.concepts(memories, labels)
    for k, allowed in enumerate(found.saddles.allowed):
        own = distances(memories[labels == k], concepts[k])
        assert allowed == pytest.approx(np.sort(own)[(len(own) - 1) // 2], rel=1e-5)


def test_where_a_search_has_not_converged_there_is_no_spectrum(experiment, monkeypatch):
    refine = fixed_points_of_the_map.refine

    def every_other(*args, **settings):
        ends = refine(*args, **settings)
        return ends._replace(converged=ends.converged & (torch.arange(len(ends.z)) % 2 == 0))

    monkeypatch.setattr(fixed_points_of_the_map, "refine", every_other)
    network = study.trained(experiment, "cpu")
    drawn = saddles.draw(network, experiment, 3)
    searches = saddles.search(network, experiment, drawn, ("concept",)).searches
    assert searches.converged.nunique() == 2
    for column in ("index", "radius", "stretch", "gain"):
        assert (searches[column].notna() == searches.converged).all()


def test_the_closest_points_to_several_targets_are_those_of_each_trajectory(experiment):
    """The targets lie near z(1), z(0) and z(3), so each has a closest step of its own."""
    network = study.trained(experiment, "cpu")
    x0 = network.train.images[:6]
    _, z = references.rollout(references.weights(network.model), references.array(x0), 20)
    beside = 0.01 * torch.randn(3, 6, experiment.n_z, generator=torch.Generator().manual_seed(0))
    near = z[[1, 0, 3]] + beside.numpy() * distances(z[1], z[0]).min()
    targets = torch.tensor(near, dtype=torch.float32).transpose(0, 1)
    found = saddles.closest_points(network.model, x0, targets, 20)
    for i, k in np.ndindex(6, 3):
        away = distances(z[:, i], references.array(targets[i, k]))
        assert away.argmin() == (1, 0, 3)[k]
        np.testing.assert_allclose(found[i, k], z[away.argmin(), i], atol=1e-5)


def test_the_control_memories_are_of_their_label_and_not_the_trials_own(experiment):
    network = study.trained(experiment, "cpu")
    drawn = saddles.draw(network, experiment, experiment.trials)
    controls = saddles._centres(network, experiment.trial_seed)["random memory"]
    for k, control in enumerate(controls):
        same = (network.memories == control).all(1).nonzero()[:, 0]
        assert (network.train.labels[same] == k).any()
        first = drawn.rows[k * experiment.trials]
        assert not (network.memories[first] == control).all()


def test_with_a_planted_map_the_saddle_at_each_concept_is_found():
    """A map that shrinks the displacements of the noise and repels along one latent variable."""
    network = study.trained(profiles.experiment("smoke", SMALL), "cpu")
    experiment = profiles.experiment("smoke", SMALL)
    drawn = saddles.draw(network, experiment, 3)
    planted = network._replace(model=_Planted(network, factor=1.5))
    found = saddles.search(planted, experiment, drawn, ("concept",))
    assert found.saddles.concept.all()
    assert (found.saddles["index"] == 1).all()
    np.testing.assert_allclose(found.saddles.radius, 1.5, rtol=1e-6)
    np.testing.assert_allclose(found.saddles.distance, 0, atol=1e-6)
    ten = found.searches[found.searches.saddle].number
    assert ten.nunique() == 10 < len(ten)  # of each concept several searches find the same one
    # It grows along the first latent variable alone.
    displaced = references.array(drawn.z0 - network.memories[drawn.rows]).reshape(10, 3, -1)
    share = displaced[..., 0] ** 2 / (displaced**2).sum(2)
    np.testing.assert_allclose(found.saddles.noise_share, share.mean(1), rtol=1e-5)
    active = (references.array(network.memories).var(0) > 0.01).sum()
    np.testing.assert_allclose(found.saddles.by_chance, 1 / active)
    # The same fixed points, attracting.
    attracting = network._replace(model=_Planted(network, factor=0.5))
    assert not saddles.search(attracting, experiment, drawn, ("concept",)).saddles.concept.any()


class _Planted:
    """Each image is at the nearest concept; there a step multiplies what is displaced by 0.1.

    But for the first latent variable, which is multiplied by ``factor``.
    """

    def __init__(self, network, factor):
        self.n_z = network.model.n_z
        self._concepts = network.concepts.double()
        self._factors = torch.tensor([factor] + [0.1] * (self.n_z - 1), dtype=torch.float64)
        self._network = network.model

    def encode_mean(self, x):
        return x if x.shape[-1] == self.n_z else self._network.encode_mean(x)

    def decode_mean(self, z):
        offsets = z[..., None, :].double() - self._concepts
        nearest = offsets.square().sum(-1).argmin(-1, keepdim=True)
        near = (torch.arange(10) == nearest).double()
        at = near @ self._concepts
        return (at + (z - at) * self._factors).to(z.dtype)


def test_leaving_is_measured_after_the_closest_approach_only():
    t = torch.arange(31, dtype=torch.float64)[:, None]
    passing = 0.5 * 1.2 ** (t - 8).abs()  # closest at t = 8, then 1.2 a step
    arriving, starting = 0.9**t, 1.1**t
    told = escapes._leaving(torch.cat([passing, arriving, starting], 1))
    assert told["growth"] == pytest.approx(1.2)
    assert told["leaving"] == pytest.approx(1 / 3)
    assert np.isnan(escapes._leaving(arriving)["growth"])


def test_the_nearest_memories_are_those_of_numpy():
    points = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    far, rows = end_points.nearest_memories(points, points, 2)
    expected = np.sort(
        np.linalg.norm(references.array(points)[:, None] - references.array(points), axis=2), 1
    )
    np.testing.assert_allclose(far[:, 1], expected[:, 1], atol=2e-3)
    assert (rows[:, 0] == torch.arange(300)).all()


def test_the_linear_vae_contracts_and_the_chain_scatters(experiment, found):
    assert 0 < found.numbers["largest_factor_of_the_linear_vae"] < 1
    # The linear VAE has two rows for a target: T steps, and those of the census.
    assert [*found.systems.steps] == [12] * 8 + [400] * 2
    systems = found.systems.query("steps == 12").set_index(["system", "target"])
    assert systems.whole_chord.le(systems.same_time).all()
    at_first = systems.xs("concept", level="target")["first"]
    # A sample of q is farther from the concept than its mean, by its variance.
    assert at_first["sampled chain, sample"] > at_first["sampled chain, mean of q"]
    assert at_first["sampled chain, mean of q"] == pytest.approx(at_first["mean map"], rel=1e-5)


def test_the_linear_vae_is_followed_without_its_path():
    """Its distances are those of the steps themselves."""
    images = torch.rand(50, 12, generator=torch.Generator().manual_seed(0))
    linear = LinearVAE(images, 5)
    z0 = linear.encode_mean(torch.rand(6, 12, generator=torch.Generator().manual_seed(1)))
    target = torch.randn(6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    z, expected = z0, []
    for _ in range(41):
        expected.append(np.linalg.norm(references.array(z - target), axis=1))
        z = linear.encode_mean(linear.decode_mean(z))
    found = null_models._decaying(linear.factors, z0, target, 40)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_samples_have_the_moments_of_q_and_of_the_pixels(experiment):
    network = study.trained(experiment, "cpu")
    x0 = network.train.images[:1].expand(20_000, -1)
    chain = sampled_chain(network.model, x0, 1, torch.Generator().manual_seed(0))
    mean, z = next(chain)
    weights = references.weights(network.model)
    mu, log_variance = references.encode(weights, references.array(x0[:1]))
    np.testing.assert_allclose(mean[0], mu[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(z.mean(0), mu[0], atol=0.03)
    np.testing.assert_allclose(z.var(0), np.exp(log_variance[0]), rtol=0.05)
    after, _ = next(chain)
    again = sampled_chain(network.model, x0, 1, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal([*again][1][0], after)


@pytest.mark.parametrize("changes", [{"p": 0.0}, {"n_z": 1, "n_z_grid": [1, 2]}])
def test_without_noise_or_with_one_latent_there_is_no_saddle_to_judge(changes):
    found = found_with(**changes)
    json.dumps(found.numbers, allow_nan=False)
    assert found.numbers["labels_with_a_saddle"] is None
    (card,) = claims.cards(
        claims.fixed_points.CLAIMS, found.numbers, dataclasses.asdict(found.experiment)
    )
    assert card.judged.verdict == claims.NOT_RUN
    assert "no saddle to look for" in str(card)


def test_where_nothing_comes_to_rest_the_tables_are_empty_and_all_is_counted():
    found = found_with(settling_steps=2)
    assert found.numbers["fixed_points"] == len(found.fixed_points) == 0
    assert found.ends.fixed_point.isna().all()
    assert found.outcomes.trajectories.sum() == len(found.ends)
    assert not (found.spectra["where"] == "attractor").any()


def test_beside_a_network_that_ships_only_those_that_ship_are_compared():
    ships = {"mnist": {(1.0, 100), (2.0, 100), (1.0, 20)}, "fashion_mnist": {(1.0, 100), (1.0, 20)}}
    for dataset, some in ships.items():
        experiment = profiles.experiment("paper", {"dataset": dataset, "beta_grid": [1, 2, 7.5]})
        found = {(spec.beta, spec.n_z) for spec in other_networks.grid(experiment)}
        assert some <= found
        assert not any(beta == 7.5 for beta, _ in found)
    # On the digits nothing ships: all are trained, and the page's own is the first.
    own, *others = other_networks.grid(profiles.experiment("smoke", SMALL))
    assert (own.n_z, own.beta, own.epochs) == (4, 1, 5)
    assert [(spec.n_z, spec.beta) for spec in others] == [(4, 1), (4, 2), (2, 1), (3, 1)]


def test_of_a_collapsed_network_all_trajectories_end_at_one_point():
    found = found_with(beta=1000.0, epochs=10, trials=3, steps=3)
    assert (found.ends.outcome == "fixed point").all()
    assert len(found.fixed_points) == 1
    json.dumps(found.numbers, allow_nan=False)  # a results file takes no NaN
    assert found.numbers["labels_with_a_saddle"] in (
        None,
        dict.fromkeys(saddles.CENTRES, 0),
    )


def test_the_finding_names_the_seed_of_another_training():
    start = "On scikit-learn's digits with $N_z = 4$, seed 1, "
    assert found_with(seed=1).finding.startswith(start)


def test_the_finding_names_every_control(found):
    saddle = found.numbers["labels_with_a_saddle"]
    concept, memory, prior, after, between = (saddle[name] for name in saddles.CENTRES)
    assert f"near {concept} of 10 concepts, near {memory} of 10 random memories" in found.finding
    assert f"near {prior} and {after} of 10 points of the prior" in found.finding
    assert f"near {between} of 10 midpoints of two concepts" in found.finding
    if concept:
        shares = found.saddles[["noise_share", "by_chance"]].mean()
        assert (
            f"hold {shares.noise_share:.0%} of the squared length of the noise (random ones: "
            f"{shares.by_chance:.0%};"
        ) in found.finding
    else:
        assert found.numbers["noise_along_growth"] is None


def test_the_finding_compares_the_network_with_the_linear_vae_in_as_many_steps(experiment, found):
    def counts(system, steps):
        of = found.systems[(found.systems.system == system) & (found.systems.steps == steps)]
        right, wrong = (of[of.target == target].iloc[0] for target in ("concept", "wrong concept"))
        return right.whole_chord, right.same_time, wrong.whole_chord, wrong.same_time

    short, long = experiment.steps, experiment.settling_steps
    assert short < long
    whole, same, *wrong = counts("mean map", short)
    assert (
        f"In {short} steps the network's mean curve approaches {whole} of 10 concepts below the "
        f"whole chord and {same} at the same time (wrong concepts: {wrong[0]} and {wrong[1]}); "
    ) in found.finding
    linear = [
        "{} and {} (wrong concepts: {} and {})".format(*counts("linear VAE", steps))
        for steps in (short, long)
    ]
    assert found.finding.endswith(
        f"which has no saddle, {linear[0]}, and in {long} steps {linear[1]}."
    )
    mean, of_q, sample = (
        counts(system, short)
        for system in ("mean map", "sampled chain, mean of q", "sampled chain, sample")
    )
    assert found.sampled == (
        f"Below the whole chord the mean map approaches {mean[0]} of 10 concepts, the sampled "
        f"chain {of_q[0]} by its means of $q$ and {sample[0]} by its samples; at the same time "
        f"{mean[1]}, {of_q[1]} and {sample[1]}."
    )


def test_trajectories_end_alike_in_both_accuracies_if_they_rest_nearby_or_nowhere():
    def ended(z, period):
        z = torch.tensor(z)[:, None]
        return settling.Settled(z, torch.zeros(len(z)), torch.tensor(period), torch.zeros(0))

    single = ended([9.0, 1.0, 1.0, 1.0, 1.0, 1.0], [1, 1, 1, 0, 1, 0])
    exact = ended([1.005, 1.02, 5.0, 1.0, 1.0], [1, 1, 0, 0, 1])
    some = torch.tensor([1, 2, 3, 4, 5])
    assert end_points.alike(single, exact, some).tolist() == [True, False, True, False, False]


def test_the_first_trajectories_of_each_label_and_kind_are_followed_in_float64():
    """Of 25 noisy images of each label, then 25 clean ones, the first ten of each."""
    numbers = end_points.first_of_each(500).reshape(2, 10, 10)
    for kind, label in np.ndindex(2, 10):
        first = 250 * kind + 25 * label
        assert numbers[kind, label].tolist() == [*range(first, first + 10)]


def test_some_trajectories_are_followed_in_float64_too(experiment, found):
    """This small network contracts, so rounding leads nowhere else."""
    counts = found.numbers["in_float64"]
    assert counts["trajectories"] == 20 * min(10, experiment.census_trials)
    assert counts["alike"] == counts["trajectories"]
    assert f"We followed {counts['trajectories']} of these" in found.in_float64


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ({"fixed point": 5}, "; no cycle was found."),
        (
            {"fixed point": 5, "closed curve": 2, "still moving": 1000},
            "; 2 go on along closed curves, 1,000 still move, no cycle was found.",
        ),
        (
            {"cycle": 3, "unrefined": 1},
            "; 3 end on cycles, 1 rest where Newton's method finds no fixed point.",
        ),
    ],
)
def test_the_finding_leaves_no_outcome_out(experiment, found, outcomes, told):
    numbers = found.numbers | {"outcomes": outcomes}
    assert told in fixed_points_in_words.finding(experiment, numbers)


def test_the_linear_vae_is_compared_after_as_many_steps_if_the_census_is_shorter():
    found = found_with(steps=30, settling_steps=20)
    linear = found.systems[
        (found.systems.system == "linear VAE") & (found.systems.target == "concept")
    ].set_index("steps")
    told = re.findall(r"(?:no saddle|in (\d+) steps),? (\d+) and (\d+) \(", found.finding)
    assert told == [
        (name, str(linear.whole_chord[steps]), str(linear.same_time[steps]))
        for name, steps in (("", 30), ("20", 20))
    ]


def test_a_saddle_whose_linear_map_tells_no_growth_leaves_no_gap_in_the_numbers(
    experiment, monkeypatch
):
    leaving = escapes._leaving
    monkeypatch.setattr(
        escapes, "_leaving", lambda distances: leaving(distances) | {"growth": float("nan")}
    )
    found = fixed_points.run(experiment, "cpu")
    json.dumps(found.numbers, allow_nan=False)
    assert found.numbers["escape"] is None


def test_the_predictions_at_the_saddles_stand_beside_what_is_seen():
    numbers = {
        "radius_and_growth": 0.5,
        "step_and_linear_step": None,
        "escape": {
            "growth": 1.01, "linear_growth": 1.2, "step": 20, "linear_step": 2.5, "closest": 3,
            "allowed": 2.5,
        },
    }  # fmt: skip
    told = fixed_points_in_words.explained(numbers)
    for part in ("0.50 of spectral radius", "1.010 per step", "1.200", "step 20,", "2.5. Their"):
        assert part in told
    few = dict.fromkeys(numbers)
    assert fixed_points_in_words.explained(few) == (
        "There are too few saddles for a rank correlation."
    )


def test_where_trajectories_of_other_networks_end_is_what_numpy_finds(experiment, found):
    """The first row is the page's own network."""
    network = study.trained(experiment, "cpu")
    row = found.networks.iloc[0]
    drawn = saddles.draw(network, experiment, min(20, experiment.trials))
    steps = min(1000, experiment.settling_steps)
    weights = references.weights(network.model)
    _, z = references.rollout(weights, references.array(drawn.x0), steps)
    to_memories, to_concepts = (
        distances(z[-1][:, None], references.array(points))
        for points in (network.memories, network.concepts)
    )
    own = TRAIN.labels[drawn.rows].numpy()
    assert row.own_memory == (to_memories.argmin(1) == drawn.rows.numpy()).mean()
    assert row.own_concept == (to_concepts.argmin(1) == own).mean()
    radii = [
        np.abs(np.linalg.eigvals(fixed_points_of_the_map.jacobian(network.model, z[None])[0])).max()
        for z in network.concepts.double()
    ]
    assert row.concept_radius == pytest.approx(np.median(radii))


def test_the_finding_tells_noisy_from_clean_images(found):
    ends = found.ends
    assert (ends.start.value_counts() == len(ends) / 2).all()
    noisy, clean = (
        (of.concept_label == of.label).mean()
        for of in (ends[ends.start == start] for start in ("noisy", "clean"))
    )
    assert f"{noisy:.0%} from noisy and {clean:.0%} from clean images end" in found.finding
