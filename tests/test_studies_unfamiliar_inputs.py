"""The study of unfamiliar inputs in plain Python, against numpy in float64, scipy and counting."""

import dataclasses

import numpy as np
import pages
import pytest
import references
import torch
from scipy.stats import mannwhitneyu

from repinf_core import claims, data, profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.studies import unfamiliar_inputs
from repinf_core.studies.familiarity import OF_TRAJECTORY, OTHER, PLAIN, SAMPLES, SCORES

SMALL = profiles.experiment(
    "smoke", {"n_z": 3, "n_hidden": 32, "epochs": 4, "steps": 6, "inputs_per_kind": 30}
)
COUNT = 30


def read_half(split):
    """Half of the digits, upside down."""
    images, labels = data.load("digits", split)
    return data.LabelledImages(images[::2].flip(1), labels[::2])


@pytest.fixture
def clothes(monkeypatch):
    """Other images in Fashion-MNIST's place."""
    of_clothes = dataclasses.replace(data.DATASETS["fashion_mnist"], read=read_half)
    monkeypatch.setitem(data.DATASETS, "fashion_mnist", of_clothes)


def drawn(experiment, other=None):
    """The same inputs and random numbers of -ELBO as the study's, by kind, in float64."""
    generator = torch.Generator().manual_seed(experiment.trial_seed)

    def rows(images, n):
        order = torch.randperm(len(images), generator=generator).numpy()
        return references.array(images)[order[:n]]

    test, training = rows(pages.TEST.images, 2 * COUNT), rows(pages.TRAIN.images, COUNT)
    noise = references.array(torch.rand(COUNT, 784, generator=generator))
    foreign = {} if other is None else {OTHER: rows(other.images, COUNT)}
    # A quarter turn against the clock: what was the last column is the first row.
    turned = np.array([np.transpose(x.reshape(28, 28))[::-1].ravel() for x in test[COUNT:]])
    inputs = {"test": test[:COUNT], **foreign, "quarter turn": turned, "uniform noise": noise}
    inputs |= {"blank": np.zeros((1, 784)), "training": training}
    epsilon = torch.randn(SAMPLES, COUNT, experiment.n_z, generator=generator)
    return inputs, references.array(epsilon)


def reference(weights, x0, epsilon, steps):
    """Scores of each input, a trajectory at a time."""
    memories = references.encode(weights, references.array(pages.TRAIN.images))[0]
    concepts = references.concepts(memories, pages.TRAIN.labels.numpy())
    x, z = references.rollout(weights, x0, steps)
    found = []
    for i in range(len(x0)):
        lengths = [references.distance(z[t, i], z[t + 1, i]) for t in range(steps)]
        nearest = [min(references.distance(at, c) for c in concepts) for at in z[:, i]]
        bound = [
            references.negative_elbo(weights, x[t, i][None], epsilon[:, i : i + 1], 1)[0]
            for t in (0, 1, steps)
        ]
        found.append(
            {
                "negative_elbo": bound[0],
                "nearest_concept": nearest[0],
                "closest_concept": min(nearest),
                "first_step": lengths[0],
                "path_length": sum(lengths),
                "first_fall": bound[0] - bound[1],
                "whole_fall": bound[0] - bound[2],
            }
        )
    return found


def test_the_scores_are_those_of_a_plain_loop(clothes, model_store):
    study = unfamiliar_inputs.run(SMALL, "cpu")
    weights = pages.stored_weights(VAESpec.of(SMALL), model_store)
    inputs, epsilon = drawn(SMALL, data.load("fashion_mnist", "test"))
    of_network = study.inputs[study.inputs.network == "scikit-learn's digits"]
    assert list(of_network.kind.unique()) == list(inputs)
    for kind, x0 in inputs.items():
        of_kind = of_network[of_network.kind == kind]
        assert of_kind.input.tolist() == list(range(len(x0)))
        for row, expected in zip(
            of_kind.to_dict("records"), reference(weights, x0, epsilon, SMALL.steps), strict=True
        ):
            found = {score: row[score] for score in SCORES}
            assert found == pytest.approx(expected, rel=1e-3, abs=2e-3)


def test_an_area_is_scipys_u_and_lies_in_its_interval(clothes):
    study = unfamiliar_inputs.run(SMALL, "cpu")
    for row in study.separations.itertuples():
        of_network = study.inputs[study.inputs.network == row.network]
        known, these = (
            of_network.loc[of_network.kind == kind, row.score] for kind in ("test", row.kind)
        )
        u = mannwhitneyu(these, known).statistic
        assert row.auroc == pytest.approx(u / (len(known) * len(these)))
        assert row.low <= row.auroc <= row.high
        assert row.strict_low <= row.difference_low <= row.difference
        assert row.difference <= row.difference_high <= row.strict_high
        areas = study.areas[(study.areas.network == row.network) & (study.areas.kind == row.kind)]
        assert areas[row.score].item() == row.auroc


def test_the_tables_are_tidy_and_agree_with_one_another(clothes):
    study = unfamiliar_inputs.run(SMALL, "cpu")
    assert set(study.tables) == {"networks", "inputs", "separations", "areas", "curves"}
    titles = ["scikit-learn's digits", "Fashion-MNIST"]
    assert study.networks.title.tolist() == titles
    assert study.networks.other.tolist() == titles[::-1]
    assert study.networks.epochs.tolist() == [4, 8]  # as many steps on half the images
    assert not study.separations.duplicated(["network", "kind", "score"]).any()
    plain = study.separations[study.separations.score == PLAIN]
    assert (plain[["difference", "strict_low", "strict_high"]] == 0).all(axis=None)
    assert not study.curves.duplicated(["network", "kind", "quantity", "t"]).any()
    assert study.curves[study.curves.kind != "test"].notna().all(axis=None)
    first = study.curves[(study.curves.quantity == "step length") & (study.curves.t == 0)]
    steps = study.separations[study.separations.score == "first_step"]
    both = first.merge(steps, on=["network", "kind"])
    np.testing.assert_allclose(both.auroc_x, both.auroc_y)
    assert study.times == (0, 1, 2, 5, 6)
    for title in titles:
        assert {images.shape for images in study.samples[title].values()} == {(5, 784)}
        assert (study.samples[title]["blank"][0] == 0).all()
    for title in titles:
        assert title in study.finding


def test_the_sample_shown_is_that_of_the_median_first_step(no_clothes):
    study = unfamiliar_inputs.run(SMALL, "cpu")
    inputs, _ = drawn(SMALL)
    for kind, images in study.samples["scikit-learn's digits"].items():
        scores = study.inputs[study.inputs.kind == kind].reset_index().first_step
        (place,) = np.flatnonzero(np.isclose(inputs[kind], images[0], atol=1e-6).all(1))
        assert (scores < scores[place]).sum() == (len(scores) - 1) // 2


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(no_clothes):
    first, again = (unfamiliar_inputs.run(SMALL, "cpu").numbers for _ in range(2))
    assert first == again
    other = unfamiliar_inputs.run(dataclasses.replace(SMALL, trial_seed=1), "cpu").numbers
    assert other != first


def test_there_are_no_more_inputs_of_a_kind_than_half_the_test_images(no_clothes):
    study = unfamiliar_inputs.run(dataclasses.replace(SMALL, inputs_per_kind=10_000), "cpu")
    assert study.networks.images.item() == len(pages.TEST.images) // 2


def judged(study):
    cards = claims.cards(claims.unfamiliar_inputs.CLAIMS, study.numbers, vars(study.experiment))
    return [card.judged.verdict for card in cards]


def test_without_the_other_data_set_the_rest_is_measured_and_nothing_is_judged(no_clothes):
    study = unfamiliar_inputs.run(SMALL, "cpu")
    assert OTHER not in set(study.inputs.kind)
    assert study.networks.other.isna().all()
    assert "REPINF_DATA" in study.finding
    assert judged(study) == [claims.NOT_RUN] * 2
    with pytest.raises(data.DataError):
        unfamiliar_inputs.run(dataclasses.replace(SMALL, dataset="fashion_mnist"), "cpu")


def test_with_it_both_claims_are_judged_on_both_networks(clothes):
    study = unfamiliar_inputs.run(SMALL, "cpu")
    assert set(study.numbers["networks"]) == {"digits", "fashion_mnist"}
    assert claims.NOT_RUN not in judged(study)
    for kinds in study.numbers["networks"].values():
        assert len(kinds) == 5
        assert all(set(scores) == set(SCORES) for scores in kinds.values())
    assert tuple(claims.unfamiliar_inputs.TRAJECTORY) == OF_TRAJECTORY


@pytest.mark.parametrize(
    "changes", [{"n_z": 1}, {"beta": 0.0}, {"beta": 1000.0}, {"steps": 2}, {"inputs_per_kind": 2}]
)
def test_degenerate_parameters_leave_tables_whole(clothes, changes):
    study = unfamiliar_inputs.run(dataclasses.replace(SMALL, **changes), "cpu")
    assert study.separations.notna().all(axis=None)
    assert study.separations.auroc.between(0, 1).all()
    assert len(study.separations) == 2 * 5 * len(SCORES)
    assert claims.NOT_RUN not in judged(study)
