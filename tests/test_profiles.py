import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repinf_core.profiles import (
    PROFILES,
    Experiment,
    ParameterError,
    experiment,
    table,
    value,
)

NAMES = [field.name for field in dataclasses.fields(Experiment)]

# --- profiles -------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_passes_its_own_checks(profile):
    values = dataclasses.asdict(PROFILES[profile])
    assert experiment(profile, values) == PROFILES[profile]
    # And is of the declared types, so that a number is written to the store in one way only.
    for field in dataclasses.fields(Experiment):
        assert type(values[field.name]) is getattr(field.type, "__origin__", field.type)


def test_the_paper_profile_has_the_papers_numbers():
    paper = PROFILES["paper"]
    assert (paper.dataset, paper.n_z, paper.n_hidden, paper.beta) == ("mnist", 100, 1024, 1.0)
    assert (paper.n_samples, paper.epochs, paper.minibatch) == (2, 1500, 100)
    assert paper.learning_rates == (5e-4, 1e-4, 5e-5)
    assert (paper.p, paper.label, paper.trials, paper.trials_per_p) == (0.2, 6, 300, 500)
    assert (paper.classified_trials, paper.final_step) == (200, 80)
    assert paper.selection_rates == (0.01, 0.001, 0.0001)
    assert paper.selection_minibatches == (50, 100, 200)
    assert (paper.selection_epochs, paper.grid_epochs) == (100, 1500)


@pytest.mark.parametrize("profile", ["smoke", "quick"])
def test_a_fresh_machine_needs_no_network(profile):
    assert PROFILES[profile].dataset == "digits"


def test_an_experiment_is_frozen_and_hashable():
    quick = experiment("quick", {"learning_rates": [0.1, 0.2]})
    with pytest.raises(dataclasses.FrozenInstanceError):
        quick.n_z = 7
    same = experiment("quick", {"learning_rates": (0.1, 0.2)})
    assert hash(quick) == hash(same)
    assert quick == same != PROFILES["quick"]


def test_the_table_has_every_parameter_with_its_value_in_every_profile():
    rows = table()
    assert [row["parameter"] for row in rows] == NAMES
    for row in rows:
        assert row["meaning"]
        for profile, values in PROFILES.items():
            assert row[profile] == getattr(values, row["parameter"])


# --- values ---------------------------------------------------------------------------------


def test_none_means_the_profiles_value():
    assert experiment("quick", dict.fromkeys(NAMES)) == PROFILES["quick"]
    assert experiment("quick", {}) == PROFILES["quick"]


def test_a_given_value_replaces_the_profiles_and_nothing_else():
    found = experiment("quick", {"n_z": 7, "p": None})
    assert found == dataclasses.replace(PROFILES["quick"], n_z=7)
    assert PROFILES["quick"].n_z == 100


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("p", 0, 0.0),
        ("p", 1, 1.0),
        ("p", 0.35, 0.35),
        ("beta", 3, 3.0),
        ("beta", 0, 0.0),
        ("n_z", 1, 1),
        ("n_z", 4096, 4096),
        ("steps", 2, 2),
        ("trials", 3, 3),
        ("label", 0, 0),
        ("label", 9, 9),
        ("seed", 0, 0),
        ("seed", 2**31 - 1, 2**31 - 1),
        ("dataset", "fashion_mnist", "fashion_mnist"),
        ("noise", "invert", "invert"),
        ("learning_rates", [1, 0.5], (1.0, 0.5)),
        ("p_grid", [0, 0.5, 1], (0.0, 0.5, 1.0)),
        ("learning_rates", (1e-3,), (1e-3,)),
        # YAML, and so papermill, leaves a number without a dot or a sign of its exponent a text.
        ("beta", "1e-3", 1e-3),
        ("beta", "1E2", 100.0),
        ("beta", "+1.5e2", 150.0),
        ("p", ".5e-1", 0.05),
        ("learning_rates", ["1e-3", 1e-4], (1e-3, 1e-4)),
        ("beta_grid", [1, "2e0"], (1.0, 2.0)),
    ],
)
def test_what_is_allowed_is_taken_and_stored_in_one_type(name, value, stored):
    found = getattr(experiment("smoke", {name: value}), name)
    assert found == stored
    assert type(found) is type(stored)
    if isinstance(stored, tuple):
        assert {type(rate) for rate in found} == {float}


REFUSED = [
    ("n_z", 0, "an integer from 1 to 4096"),
    ("n_z", -5, "an integer from 1 to 4096"),
    ("n_z", 4097, "an integer from 1 to 4096"),
    ("n_z", "ten", "an integer from 1 to 4096"),
    ("n_z", "10", "an integer from 1 to 4096"),
    ("n_z", 7.0, "an integer from 1 to 4096"),
    ("n_z", True, "an integer from 1 to 4096"),
    ("n_z", [7], "an integer from 1 to 4096"),
    ("n_hidden", 0, "an integer from 1 to"),
    ("n_samples", 0, "an integer from 1 to"),
    ("epochs", 0, "an integer from 1 to"),
    ("epochs", 1.5, "an integer from 1 to"),
    ("epochs", "1e3", "an integer from 1 to"),
    ("minibatch", 0, "an integer from 1 to"),
    ("trials", 2, "an integer from 3 to"),
    ("steps", 0, "an integer from 2 to"),
    ("label", 10, "an integer from 0 to 9"),
    ("label", -1, "an integer from 0 to 9"),
    ("trials_per_p", 1, "an integer from 2 to"),
    ("window", -1, "an integer from 0 to"),
    ("p_grid", [0.1], "two or more increasing numbers from 0 to 1"),
    ("p_grid", [0.2, 0.1], "two or more increasing numbers from 0 to 1"),
    ("p_grid", [0.1, 0.1], "two or more increasing numbers from 0 to 1"),
    ("p_grid", [0, 1.5], "two or more increasing numbers from 0 to 1"),
    ("p_grid", 0.1, "two or more increasing numbers from 0 to 1"),
    ("classifier_epochs", 0, "an integer from 1 to"),
    ("classifiers", 2, "an odd integer from 1 to 99"),
    ("classifiers", 101, "an odd integer from 1 to 99"),
    ("classified_trials", 0, "an integer from 1 to"),
    ("denoiser_epochs", 0, "an integer from 1 to"),
    ("final_step", 1, "an integer from 2 to"),
    ("n_z_grid", [], "one or more increasing integers from 1 to 4096"),
    ("n_z_grid", [0, 10], "one or more increasing integers from 1 to 4096"),
    ("n_z_grid", [10, 2], "one or more increasing integers from 1 to 4096"),
    ("n_z_grid", [2, 5.0], "one or more increasing integers from 1 to 4096"),
    ("beta_grid", [-1, 1], "two or more increasing numbers from 0 to 3.4e+38"),
    ("beta_grid", [1, math.inf], "two or more increasing numbers from 0 to 3.4e+38"),
    ("beta_grid", [1, 1e300], "two or more increasing numbers from 0 to 3.4e+38"),
    ("beta_grid", ["2e0", 1], "two or more increasing numbers from 0 to 3.4e+38"),
    ("grid_epochs", 0, "an integer from 1 to"),
    ("selection_rates", [], "one or more positive numbers"),
    ("selection_minibatches", [], "one or more integers from 1 to 60000"),
    ("selection_minibatches", [50, 0], "one or more integers from 1 to 60000"),
    ("selection_epochs", 0, "an integer from 1 to"),
    ("inputs_per_kind", 1, "an integer from 2 to"),
    ("census_trials", 0, "an integer from 1 to"),
    ("settling_steps", 1, "an integer from 2 to"),
    ("channels", 0, "an integer from 1 to"),
    ("conv_epochs", 0, "an integer from 1 to"),
    ("denoising_level", 0.0, "a number above 0"),
    ("noise_levels", [0.0], "two or more increasing numbers from 0 to 1"),
    ("manifold_images", 3, "an integer from 4 to"),
    ("log_epsilon", 0.0, "a number above 0"),
    ("seed", -1, "an integer from 0 to"),
    ("seed", 2**31, "an integer from 0 to"),
    ("trial_seed", 0.0, "an integer from 0 to"),
    ("p", 1.5, "a number from 0 to 1"),
    ("p", -0.1, "a number from 0 to 1"),
    ("p", "x", "a number from 0 to 1"),
    ("p", math.nan, "a number from 0 to 1"),
    ("p", True, "a number from 0 to 1"),
    ("beta", -1, "a number from 0 to 3.4e+38"),
    ("beta", math.inf, "a number from 0 to 3.4e+38"),
    ("beta", 1e300, "a number from 0 to 3.4e+38"),
    ("beta", "1", "a number from 0 to 3.4e+38"),
    ("beta", "1e39", "a number from 0 to 3.4e+38"),
    ("beta", "nan", "a number from 0 to 3.4e+38"),
    ("dataset", "cifar", "one of digits, mnist, fashion_mnist"),
    ("dataset", "MNIST", "one of digits, mnist, fashion_mnist"),
    ("dataset", 5, "one of digits, mnist, fashion_mnist"),
    ("dataset", ["digits"], "one of digits, mnist, fashion_mnist"),
    ("noise", "salt", "one of permute, invert"),
    ("precision", "float16", "one of float32, bfloat16"),
    ("learning_rates", [], "one or more positive numbers"),
    ("learning_rates", [0.1, -1], "one or more positive numbers"),
    ("learning_rates", [0.1, 0], "one or more positive numbers"),
    ("learning_rates", [0.1, "x"], "one or more positive numbers"),
    ("learning_rates", [0.1, None], "one or more positive numbers"),
    ("learning_rates", [math.nan], "one or more positive numbers"),
    ("learning_rates", [1e39], "one or more positive numbers up to 3.4e+38"),
    ("learning_rates", [math.inf], "one or more positive numbers"),
    ("learning_rates", [True], "one or more positive numbers"),
    ("learning_rates", 0.1, "one or more positive numbers"),
    ("learning_rates", "0.1", "one or more positive numbers"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), REFUSED)
def test_a_bad_value_is_refused_in_one_sentence(name, value, allowed):
    with pytest.raises(ParameterError) as error:
        experiment("quick", {name: value})
    message = str(error.value)
    assert f"Parameter {name} is {value!r}; allowed is " in message
    assert allowed in message
    assert "\n" not in message


def test_every_parameter_has_a_value_it_refuses():
    assert {name for name, _, _ in REFUSED} >= set(NAMES)


@pytest.mark.parametrize("profile", ["fast", "", None, 3, ["quick"]])
def test_an_unknown_profile_is_refused(profile):
    with pytest.raises(ParameterError) as error:
        experiment(profile, {})
    expected = f"Parameter profile is {profile!r}; allowed is one of smoke, quick, paper."
    assert str(error.value) == expected


@pytest.mark.parametrize("value", [7, None])
def test_an_unknown_name_is_refused(value):
    with pytest.raises(ParameterError) as error:
        experiment("quick", {"nz": value})
    assert f"Parameter nz (set to {value!r}) is unknown; allowed are profile, " in str(error.value)
    for name in NAMES:
        assert name in str(error.value)


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


@given(name=st.sampled_from(NAMES) | st.text(), value=ANYTHING)
def test_whatever_is_given_the_answer_is_an_experiment_or_a_refusal(name, value):
    try:
        found = experiment("smoke", {name: value})
    except ParameterError as error:
        found = error
    assert isinstance(found, Experiment) or f"Parameter {name} " in str(found)


@pytest.mark.parametrize("name", ["beta", "p", "learning_rates"])
def test_an_integer_too_large_for_a_real_is_refused(name):
    value = 10**400
    with pytest.raises(ParameterError, match=f"Parameter {name} "):
        experiment("smoke", {name: [value] if name == "learning_rates" else value})


@pytest.mark.parametrize("name", ["beta", "p", "learning_rates"])
def test_what_is_taken_for_a_real_is_one_in_float32(name):
    """Training computes in it: what it cannot hold would end in an error of torch's."""
    for exponent in range(-60, 60):
        value = 10.0**exponent
        try:
            found = experiment("smoke", {name: [value] if name == "learning_rates" else value})
        except ParameterError:
            continue
        real = getattr(found, name)
        assert torch.tensor(real, dtype=torch.float32).isfinite().all()


def test_jupyter_shows_the_sentence_alone():
    with pytest.raises(ParameterError) as error:
        experiment("quick", {"n_z": 0})
    assert error.value._render_traceback_() == [f"ParameterError: {error.value}"]


# --- a command line's text --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7),
        ("1e-3", 1e-3),
        ("[0, 0.5]", [0, 0.5]),
        ("null", None),
        ("None", None),
        ("true", True),
        ("True", True),
        ("permute", "permute"),
        ("", ""),
        ("[0,", "[0,"),
        ("9" * 5000, "9" * 5000),  # more digits than Python reads
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_text_is_what_it_says_in_json_or_python_else_itself(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)
