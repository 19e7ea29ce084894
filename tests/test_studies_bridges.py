"""The bridges of chapter 20: score of a mixture, label kept, training sets of some sizes."""

import numpy as np
import pandas as pd
import pytest
import references
import torch
from pages import TRAIN, distances, trials

from repinf_core import profiles
from repinf_core.dynamics import settling
from repinf_core.studies import bridges, saddles, spectra, study, training_sizes

SMALL = {
    "n_z": 4,
    "n_hidden": 32,
    "epochs": 5,
    "trials": 3,
    "steps": 12,
    "census_trials": 2,
    "settling_steps": 50,
    "final_step": 7,
}


@pytest.fixture
def experiment():
    return profiles.experiment("smoke", SMALL)


@pytest.fixture
def network(experiment):
    return study.trained(experiment, "cpu")


def mixture(n_components, n_z, seed=0):
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(n_components, n_z, generator=generator, dtype=torch.float64)
    log_variances = 0.3 * torch.randn(n_components, n_z, generator=generator, dtype=torch.float64)
    points = 2 * torch.randn(9, n_z, generator=generator, dtype=torch.float64)
    return points, means, log_variances - 1


def score_by_loops(z, means, log_variances):
    """Of one point: numerator and denominator of (grad q) / q, each Gaussian by itself."""
    variances = np.exp(log_variances)
    logs = -0.5 * (((z - means) ** 2 / variances).sum(1) + log_variances.sum(1))
    densities = np.exp(logs - logs.max())
    gradient = sum(q * (mu - z) / v for q, mu, v in zip(densities, means, variances, strict=True))
    return gradient / densities.sum()


def test_the_score_is_the_gradient_of_the_log_density():
    z, means, log_variances = mixture(40, 3)
    z.requires_grad_()
    component = torch.distributions.Independent(
        torch.distributions.Normal(means, (0.5 * log_variances).exp()), 1
    )
    equal = torch.distributions.Categorical(torch.ones(40, dtype=torch.float64))
    density = torch.distributions.MixtureSameFamily(equal, component)
    (gradient,) = torch.autograd.grad(density.log_prob(z).sum(), z)
    found = bridges.mixture_score(z.detach(), means, log_variances)
    torch.testing.assert_close(found, gradient, rtol=1e-9, atol=1e-9)
    by_loops = [score_by_loops(*(part.numpy() for part in (one, means, log_variances)))
                for one in z.detach()]  # fmt: skip
    np.testing.assert_allclose(found, by_loops, rtol=1e-9, atol=1e-9)


def test_one_gaussian_pulls_to_its_mean_however_far():
    z, means, log_variances = mixture(1, 5)
    expected = (means - z) * torch.exp(-log_variances)
    torch.testing.assert_close(bridges.mixture_score(z, means, log_variances), expected)
    z, means, log_variances = mixture(30, 5)
    assert bridges.mixture_score(1e4 * z, means, log_variances).isfinite().all()


def test_steps_and_scores_at_the_concepts_are_those_of_plain_loops(network, experiment):
    drawn = saddles.draw(network, experiment, experiment.trials)
    table = bridges.step_and_score(network, experiment, drawn)
    weights = references.weights(network.model)
    means, log_variances = references.encode(weights, references.array(TRAIN.images))
    concepts = references.array(network.concepts)
    steps = references.encode(weights, references.decode_mean(weights, concepts))[0] - concepts
    scores = np.array([score_by_loops(z, means, log_variances) for z in concepts])
    found = table[table["where"] == "concept"]
    np.testing.assert_allclose(found.step, np.linalg.norm(steps, axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.score, np.linalg.norm(scores, axis=1), rtol=1e-6)
    active = references.array(network.memories).var(0) > 0.01  # the threshold of the glossary
    for column, rows, variables in (
        ("all_variables", scores, slice(None)),
        ("cosine", scores, active),
        ("elsewhere", np.roll(scores, 1, 0), active),
    ):
        a, b = steps[:, variables], rows[:, variables]
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        np.testing.assert_allclose(found[column], (a * b).sum(1) / norms, rtol=1e-5, atol=1e-7)


def test_every_place_has_its_points_and_a_trajectory_at_rest_has_no_direction(network, experiment):
    drawn = saddles.draw(network, experiment, experiment.trials)
    table = bridges.step_and_score(network, experiment, drawn)
    counts = table["where"].value_counts().to_dict()
    times = [0, 5, experiment.steps]
    assert counts == {"memory": 100, "concept": 10, "prior point": 100} | {
        f"trajectory, t = {t}": 10 * experiment.trials for t in times
    }
    assert table.cosine.isna().equals(table.step < settling.AT_REST)
    assert table[["cosine", "elsewhere", "all_variables"]].abs().max().max() <= 1 + 1e-9


def test_the_label_kept_is_that_of_the_nearest_concept(network, experiment):
    table = bridges.label_kept(network, experiment)
    weights, concepts = references.weights(network.model), references.array(network.concepts)
    assert set(table.t) == {0, experiment.final_step}
    assert (table.trials == 20).all()
    for p in experiment.p_grid:
        rows, x0 = trials(range(10), 2, profiles.experiment("smoke", SMALL | {"p": p}))
        _, path = references.rollout(weights, x0, experiment.final_step)
        for t in (0, experiment.final_step):
            nearest = [distances(concepts, z).argmin() for z in path[t]]
            kept = (TRAIN.labels.numpy()[rows] == nearest).mean()
            (found,) = table[(table.p == p) & (table.t == t)].kept
            assert found == pytest.approx(kept, abs=0.051)  # one of 20, where two are as near


def test_the_symmetric_share_is_one_zero_or_a_half():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(3000, 6, 6, generator=generator, dtype=torch.float64)
    ones, zeros = maps + maps.mT, maps - maps.mT
    torch.testing.assert_close(spectra.symmetric_share(ones), torch.ones(3000).double())
    torch.testing.assert_close(spectra.symmetric_share(zeros), torch.zeros(3000).double())
    shares = spectra.symmetric_share(maps)
    assert shares.mean() == pytest.approx(7 / 12, abs=0.01)
    one = maps[0].numpy()
    expected = np.square((one + one.T) / 2).sum() / np.square(one).sum()
    assert shares[0] == pytest.approx(expected)


class _Shown:
    """Shows a latent state of two numbers in the first two pixels."""

    def decode_mean(self, z):
        return torch.nn.functional.pad(z, (0, 782))


def kinds(ends, at_rest=None):
    """Of ends beside two training images, which are 4 apart."""
    z = torch.tensor(ends, dtype=torch.float32)
    images = torch.zeros(2, 784)
    images[1, 0] = 4
    period = torch.ones(len(z)) if at_rest is None else torch.tensor(at_rest).long()
    settled = settling.Settled(z, torch.ones(len(z)), period, torch.zeros(0))
    return training_sizes.kinds_of_ends(_Shown(), settled, images)


def test_an_end_is_memorised_within_a_third_of_the_second_distance():
    assert kinds([[0.0, 0.0], [0.99, 0.0], [1.01, 0.0], [3.01, 0.0], [2.99, 0.0]]) == [
        "memorised", "memorised", "generalised", "memorised", "generalised",
    ]  # fmt: skip


def test_what_is_not_memorised_is_spurious_where_another_trajectory_ends_too():
    ends = [[2.0, 1.0], [2.0, 1.009], [2.0, 1.2], [0.0, 0.0], [0.0, 0.0]]
    assert kinds(ends) == ["spurious", "spurious", "generalised", "memorised", "memorised"]
    # What still moves has no end, and makes none for another trajectory.
    assert kinds([[2.0, 1.0], [2.0, 1.0], [0.0, 0.0]], at_rest=[1, 0, 0]) == [
        "generalised", "not at rest", "not at rest",
    ]  # fmt: skip


def test_the_training_sets_do_not_depend_on_the_page_and_all_ends_are_counted(monkeypatch):
    monkeypatch.setattr(training_sizes, "SIZES", (10, 31, 32))  # up to ten times ``trials``, 3
    found = training_sizes.ends_by_size(profiles.experiment("smoke", SMALL))
    assert list(found["size"]) == [10, 10]
    assert list(found.start) == ["image", "prior"]
    assert list(found.trajectories) == [10, 20]
    shares = found[["memorised", "spurious", "generalised", "not_at_rest"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert found.ends.between(0, found.trajectories).all()
    assert found.memories.between(0, found.ends).all()
    assert ((found.memories > 0) == (found.memorised > 0)).all()
    others = {"n_z": 3, "dataset": "mnist", "beta": 4.0, "seed": 5, "trial_seed": 7}
    again = training_sizes.ends_by_size(profiles.experiment("smoke", SMALL | others))
    assert again.equals(found)


def of_sizes(*kinds):
    """The table of sizes 10, 20, ... at which these kinds are the most frequent from images."""
    shares = dict.fromkeys(("memorised", "spurious", "generalised", "not_at_rest"), 0.1)
    rows = [
        {"size": 10 * n, "start": start, **shares} | {kind if start == "image" else "spurious": 0.7}
        for n, kind in enumerate(kinds, 1)
        for start in ("image", "prior")
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (("memorised", "spurious", "generalised"), "This is the order of Pham"),
        (("memorised", "generalised"), "This is the order of Pham"),
        (("memorised", "memorised", "spurious"), "order of Pham et al. begins so"),
        (("memorised", "generalised", "spurious"), "This is not the order"),
        (("memorised", "spurious", "memorised"), "This is not the order"),
        (("spurious", "generalised"), "This is not the order"),
        (("memorised", "not_at_rest"), "This is not the order"),
        (("spurious", "spurious"), "decides nothing"),
        (("memorised",), "decides nothing"),
    ],
)
def test_the_order_of_the_ends_is_told(kinds, told):
    assert told in training_sizes.order_in_words(of_sizes(*kinds))


def test_each_kind_of_end_is_told_with_its_sizes():
    told = training_sizes.order_in_words(of_sizes("memorised", "memorised", "spurious"))
    assert "is memorised at n = 10, 20; spurious at n = 30. " in told
