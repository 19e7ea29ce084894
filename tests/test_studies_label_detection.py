"""The study of label detection against plain numpy in float64, without a kernel."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import references
import torch
from pages import SMOKE, TRAIN, judge_of, model_of, trials

from repinf_core import claims
from repinf_core.claims import NOT_RUN
from repinf_core.figures import final_probabilities, label_map, right_steps, staying
from repinf_core.studies import final_states, label_detection, label_votes

SMALL = dataclasses.replace(
    SMOKE, n_z=3, n_hidden=16, epochs=8, classifier_epochs=1, p_grid=(0.0, 0.3, 1.0),
    classified_trials=12, steps=24, trials=10, final_step=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("models")
        patch.setenv("REPINF_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def study(store):
    return label_detection.run(SMALL, "cpu")


@pytest.fixture(scope="module")
def networks(study, store):
    return model_of(SMALL, store), judge_of(SMALL, store)


def probabilities(networks, label, p, steps, n):
    """Of every image that the inference generates, ``[steps + 1, n, 10]``; z ``[steps + 1, n]``."""
    weights, judge = networks
    _, x0 = trials([label], n, dataclasses.replace(SMALL, p=p), by_label=True)
    images, z = references.rollout(weights, x0, steps + 1)
    return np.array([references.classify(judge, image) for image in images[1:]]), z[:-1]


@pytest.mark.parametrize("label", [6, 1])
@pytest.mark.parametrize("p", SMALL.p_grid)
def test_votes_and_shares_are_those_of_a_plain_network(study, networks, label, p):
    chances, _ = probabilities(networks, label, p, SMALL.steps, SMALL.classified_trials)
    rows = study.votes[(study.votes.label == str(label)) & (study.votes.p == p)]
    assert rows.t.tolist() == list(range(SMALL.steps + 1))
    low, best = np.sort(chances, -1)[..., -2:].transpose(2, 0, 1)
    unsure = (best - low < 1e-4).sum(1)  # float32 may name these otherwise
    for row, chance, doubt in zip(rows.itertuples(), chances, unsure, strict=True):
        counts = np.bincount(chance.argmax(1), minlength=10)
        n = SMALL.classified_trials
        assert abs(row.own * n - counts[label]) <= doubt + 1e-4
        assert abs(row.share * n - counts.max()) <= doubt + 1e-4
        if not doubt:
            assert row.vote == str(counts.argmax())


def test_runs_and_limits_follow_from_the_votes(study):
    """Counted on the votes written as text."""
    for label, of_label in study.votes.groupby("label", sort=False, observed=True):
        passing = []
        for p, rows in of_label.groupby("p"):
            text = "".join("x" if vote == label else "." for vote in rows.vote)
            longest = max(re.finditer("x*", text), key=lambda run: len(run[0]))
            (run,) = study.runs[(study.runs.label == label) & (study.runs.p == p)].itertuples()
            assert run.length == len(longest[0])
            if run.length:
                assert (run.start, run.stop + 1) == longest.span()
            else:
                assert pd.isna(run.start)
                assert pd.isna(run.stop)
            assert run.every_step == ("." not in text)
            assert run.in_region == bool(set(range(*longest.span())) & set(range(20, 31)))
            assert (run.first_vote, run.last_vote) == (rows.vote.iloc[0], rows.vote.iloc[-1])
            passing.append((run.every_step, run.length > 0, run.in_region))
        limits = study.limits[study.limits.label == label]
        for limit, holds in zip(limits.itertuples(), zip(*passing, strict=True), strict=True):
            first = [*holds, False].index(False)
            assert (pd.isna(limit.up_to_p) and not first) or (
                limit.up_to_p == SMALL.p_grid[first - 1]
            )
            assert (pd.isna(limit.fails_at_p) and all(holds)) or (
                limit.fails_at_p == SMALL.p_grid[first]
            )


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        ([True, True, False], (0.5, 1)),
        ([True, False, True], (0, 0.5)),
        ([False, True, True], (None, 0)),
        ([True, True, True], (1, None)),
    ],
)
def test_a_limit_counts_from_the_smallest_noise_fraction(passes, expected):
    assert tuple(label_votes._up_to((0, 0.5, 1), passes).values()) == expected


def test_a_shorter_inference_is_right_up_to_as_much_noise_or_more():
    right = torch.ones(3, 101, dtype=torch.bool)
    right[1, 50:], right[2, 5] = False, False
    longer = dataclasses.replace(SMALL, steps=100)
    table = label_votes.limits_by_horizon({"6": right}, longer)
    assert table.steps.tolist() == [30, 40, 60, 100]
    assert table.up_to_p.tolist() == [0.3, 0.3, 0, 0]
    assert table.fails_at_p.tolist() == [1, 1, 0.3, 0.3]


def test_final_states_are_those_of_a_plain_network(study, networks):
    label = SMALL.label
    chances, z = probabilities(networks, label, SMALL.p, SMALL.final_step, SMALL.trials)
    wide = study.final.pivot(index="trial", columns="label", values="probability")
    np.testing.assert_allclose(wide.to_numpy(), chances[-1], atol=1e-4)
    given = chances[-1].argmax(1)
    assert study.judged.trials.tolist() == np.bincount(given, minlength=10).tolist()
    assert study.reliability.undecided.item() == (chances[-1].max(1) < 0.5).sum()
    weights, _ = networks
    memories = references.encode(weights, references.array(TRAIN.images))[0]
    concept = references.concepts(memories, TRAIN.labels.numpy())[label]
    groups = {"all": given >= 0, "staying": given == label, "leaving": given != label}
    assert study.groups.group.tolist() == [name for name, chosen in groups.items() if chosen.any()]
    t = np.linspace(0, 1, SMALL.final_step + 1)[:, None, None]
    for name, rows in study.curves.groupby("group"):
        of_group = z[:, groups[name]]
        distances = np.linalg.norm(of_group - concept, axis=-1)
        chord = np.linalg.norm(of_group[0] * (1 - t) + of_group[-1] * t - concept, axis=-1)
        np.testing.assert_allclose(rows["mean"], distances.mean(1), rtol=2e-4)
        np.testing.assert_allclose(rows.chord, chord.mean(1), rtol=2e-4)
        if of_group.shape[1] > 1:
            sem = distances.std(1, ddof=1) / of_group.shape[1] ** 0.5
            np.testing.assert_allclose(rows["sem"], sem, rtol=2e-3, atol=1e-6)
        else:
            assert rows["sem"].isna().all()


def groups_of(distances, stays):
    distances = torch.tensor(distances, dtype=torch.float32)
    return final_states.approach_of_groups(
        distances, torch.full_like(distances, 3), torch.tensor(stays)
    )


def test_a_single_trial_has_no_standard_error_and_an_empty_group_no_row():
    dip = [[4, 4, 4], [1, 1, 1], [2, 2, 2]]
    groups, curves = groups_of(dip, [True, True, False])
    assert groups.trials.tolist() == [3, 2, 1]
    assert groups.whole_chord.tolist() == [True] * 3
    assert groups.leaves_again.tolist() == [True, True, pd.NA]
    assert curves["sem"][curves.group == "leaving"].isna().all()
    groups, _ = groups_of(dip, [False] * 3)
    assert groups.group.tolist() == ["all", "leaving"]
    assert final_states.numbers_of_groups(groups)["all"]["leaves_again"] is True


def test_a_curve_that_only_falls_does_not_approach_and_does_not_leave():
    groups, _ = groups_of([[4, 5], [2, 3], [1, 2]], [True, True])
    assert groups.whole_chord.tolist() == [False, False]
    assert groups.leaves_again.tolist() == [False, False]


@pytest.mark.parametrize(
    "changes", [{"n_z": 1}, {"beta": 1000.0}, {"beta": 0.0}, {"p": 0.0, "label": 1}]
)
def test_extreme_parameters_give_tables_figures_and_verdicts(store, changes):
    found = label_detection.run(
        dataclasses.replace(
            SMALL, epochs=2, classified_trials=3, steps=3, trials=3, final_step=2, **changes
        ),
        "cpu",
    )
    assert found.votes.label.unique().tolist() == (["1", "6"] if "label" in changes else ["6", "1"])
    for figure in (
        label_map(found.votes),
        right_steps(found.runs),
        final_probabilities(found.final, found.judged),
        staying(found.curves, found.groups),
    ):
        figure.savefig("/dev/null", format="png")
    cards = claims.cards(
        claims.label_detection.CLAIMS, found.numbers, dataclasses.asdict(found.experiment)
    )
    assert len(cards) == len(claims.label_detection.CLAIMS)


def test_where_every_vote_is_right_the_stage_beyond_is_not_run(study):
    """And so is the room of '1' where no noise fraction lies between."""
    right = study.numbers["labels"]["6"] | {
        "where_it_fails_first_labels": [], "where_it_fails_last_labels": [],
    }  # fmt: skip
    numbers = study.numbers | {"labels": study.numbers["labels"] | {"6": right}}
    cards = claims.cards(
        claims.label_detection.CLAIMS, numbers, dataclasses.asdict(study.experiment)
    )
    verdicts = {card.judged.claim.name: card.judged.verdict for card in cards}
    assert verdicts["beyond stage II"] == NOT_RUN
    assert verdicts["less room for '1'"] == NOT_RUN
