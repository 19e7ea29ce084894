"""What deviates from the paper is said, and then nothing is concluded."""

import dataclasses

import numpy as np
import pytest

from repinf_core import agreement, profiles
from repinf_core.models.mlp import VAESpec

PAPER = profiles.PROFILES["paper"]


def test_deviations_are_the_stated_numbers_that_differ():
    assert agreement.deviations(("n_z", "epochs"), PAPER) == []
    other = dataclasses.replace(PAPER, n_z=7, steps=5)
    assert agreement.deviations(("n_z", "epochs"), other) == ["n_z 7 (100)"]
    assert agreement.deviations(("n_z", "epochs"), PAPER, {"epochs": 888}) == ["epochs 888 (1500)"]
    one = dataclasses.replace(PAPER, selection_rates=(0.001,))
    told = agreement.deviations(("selection_rates",), one)
    assert told == ["selection_rates 0.001 (0.01, 0.001, 0.0001)"]


@pytest.mark.parametrize("epochs", [1, 150, 500, 501, 1000, 1001, 1499])
@pytest.mark.parametrize("name", ["epochs", "grid_epochs"])
def test_a_training_that_stopped_early_deviates_in_the_rates_that_it_did_not_come_to(name, epochs):
    asked = dataclasses.replace(VAESpec.of(PAPER), epochs=getattr(PAPER, name))
    used = list(dict.fromkeys(map(asked.learning_rate, range(epochs))))
    told = agreement.deviations((name, "learning_rates"), PAPER, actual={name: epochs})
    shortest = " of the shortest training" if name == "grid_epochs" else ""
    expected = [f"{name} {epochs}{shortest} (1500)"]
    if len(used) < 3:
        rates = ", ".join(map(str, used))
        expected.append(f"learning_rates {rates}{shortest} (0.0005, 0.0001, 5e-05)")
    assert told == expected


def test_networks_that_have_the_epochs_asked_for_have_just_these():
    quick = profiles.PROFILES["quick"]
    told = agreement.deviations(("grid_epochs",), quick, {"grid_epochs": quick.grid_epochs})
    assert told == [f"grid_epochs {quick.grid_epochs} (1500)"]


def test_the_epochs_of_another_figure_say_nothing_of_the_rates():
    assert agreement.deviations(("epochs", "learning_rates"), PAPER, {"grid_epochs": 150}) == []


def test_what_the_paper_states_are_parameters():
    names = {field.name for field in dataclasses.fields(profiles.Experiment)}
    for stated in agreement.STATED.values():
        assert set(stated) <= names
        assert len(set(stated)) == len(stated)
        assert agreement.deviations(stated, PAPER) == []


@pytest.mark.parametrize(
    ("figure", "changes"),
    [
        ("Fig. 2", {"beta": 2.0}),
        ("Fig. 3", {"p": 0.3}),
        ("Fig. 4", {"label": 5}),
        ("Fig. 4", {"trials_per_p": 5}),
        ("Fig. 5", {"final_step": 100}),
        ("Fig. 8", {"grid_epochs": 150}),
        ("Fig. 9", {"selection_epochs": 10}),
    ],
)
def test_what_the_text_states_of_a_figure_is_asked_for(figure, changes):
    (deviation,) = agreement.deviations(
        agreement.STATED[figure], dataclasses.replace(PAPER, **changes)
    )
    assert deviation.startswith(f"{next(iter(changes))} ")


def test_the_settings_are_told_in_a_sentence():
    assert agreement.settings([]) == "The settings are those that the paper states."
    assert agreement.settings(["n_z 7 (100)", "p 0.1 (0.2)"]) == (
        "The settings differ from those that the paper states: n_z 7 (100); p 0.1 (0.2), "
        "the paper's in parentheses."
    )


def test_the_rank_correlation_is_spearmans():
    # 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
    assert agreement.rank_correlation([1, 2, 30, 40], [5.0, 7.0, 6.0, 8.0]) == pytest.approx(0.8)
    # Ties share their mean rank: Pearson's of (1, 2.5, 2.5, 4) and (1, 2, 3, 4).
    tied = agreement.rank_correlation([0, 5, 5, 9], [1, 2, 3, 4])
    assert tied == pytest.approx(np.corrcoef([1, 2.5, 2.5, 4], [1, 2, 3, 4])[0, 1])
    assert agreement.rank_correlation([3, 3, 3], [1, 2, 3]) == 0
    assert agreement.rank_correlation([1, 2, 3], [3, 3, 3]) == 0
