import dataclasses
import math
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repinf_core.profiles import (
    PROFILES,
    Experiment,
    ParameterError,
    experiment,
    from_notebook,
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
    ],
)
def test_what_is_allowed_is_taken_and_stored_in_one_type(name, value, stored):
    found = getattr(experiment("smoke", {name: value}), name)
    assert found == stored
    assert type(found) is type(stored)
    if name in ("learning_rates", "p_grid"):
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
    ("classified_trials", 0, "an integer from 1 to"),
    ("final_step", 1, "an integer from 2 to"),
    ("n_z_grid", [10], "two or more increasing integers from 1 to 4096"),
    ("n_z_grid", [0, 10], "two or more increasing integers from 1 to 4096"),
    ("n_z_grid", [10, 2], "two or more increasing integers from 1 to 4096"),
    ("n_z_grid", [2, 5.0], "two or more increasing integers from 1 to 4096"),
    ("beta_grid", [-1, 1], "two or more increasing numbers >= 0"),
    ("beta_grid", [1, math.inf], "two or more increasing numbers >= 0"),
    ("grid_epochs", 0, "an integer from 1 to"),
    ("selection_rates", [], "one or more positive numbers"),
    ("selection_minibatches", [], "one or more integers from 1 to 60000"),
    ("selection_minibatches", [50, 0], "one or more integers from 1 to 60000"),
    ("selection_epochs", 0, "an integer from 1 to"),
    ("seed", -1, "an integer from 0 to"),
    ("seed", 2**31, "an integer from 0 to"),
    ("trial_seed", 0.0, "an integer from 0 to"),
    ("p", 1.5, "a number from 0 to 1"),
    ("p", -0.1, "a number from 0 to 1"),
    ("p", "x", "a number from 0 to 1"),
    ("p", math.nan, "a number from 0 to 1"),
    ("p", True, "a number from 0 to 1"),
    ("beta", -1, "a number >= 0"),
    ("beta", math.inf, "a number >= 0"),
    ("beta", "1", "a number >= 0"),
    ("dataset", "cifar", "one of digits, mnist, fashion_mnist"),
    ("dataset", "MNIST", "one of digits, mnist, fashion_mnist"),
    ("dataset", 5, "one of digits, mnist, fashion_mnist"),
    ("dataset", ["digits"], "one of digits, mnist, fashion_mnist"),
    ("noise", "salt", "one of swap, invert"),
    ("precision", "float16", "one of float32, bfloat16"),
    ("learning_rates", [], "one or more positive numbers"),
    ("learning_rates", [0.1, -1], "one or more positive numbers"),
    ("learning_rates", [0.1, 0], "one or more positive numbers"),
    ("learning_rates", [0.1, "x"], "one or more positive numbers"),
    ("learning_rates", [0.1, None], "one or more positive numbers"),
    ("learning_rates", [math.nan], "one or more positive numbers"),
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


def test_jupyter_shows_the_sentence_alone():
    with pytest.raises(ParameterError) as error:
        experiment("quick", {"n_z": 0})
    assert error.value._render_traceback_() == [f"ParameterError: {error.value}"]


# --- notebooks ------------------------------------------------------------------------------

PARAMETERS = """profile: str = "quick"  # smoke, quick or paper
n_z: Optional[int] = None  # latent variables
p: Optional[float] = None  # noise
learning_rates: Optional[list] = None  # of Adam
page: str = "a_page"  # name of the results file
"""
SETUP = "experiment = None"
MAGIC = "%matplotlib inline\n!echo installing\nprofile: str = 'paper'"


def run(*cells):
    """The ``globals()`` of a notebook after these cells, as in Jupyter."""
    namespace = {"Optional": Optional, "In": [""]}
    for cell in cells:
        namespace["In"].append(cell)
        if "%" not in cell:  # Jupyter would rewrite magic and shell lines
            exec(cell, namespace)
    return namespace


def test_a_notebook_run_plainly_is_its_profile():
    assert from_notebook(run("import math", PARAMETERS, SETUP)) == PROFILES["quick"]


def test_a_notebook_whose_parameters_cell_is_edited():
    edited = PARAMETERS.replace("[int] = None", "[int] = 5").replace("quick", "smoke", 1)
    found = from_notebook(run(edited, SETUP))
    assert found == dataclasses.replace(PROFILES["smoke"], n_z=5)


def test_the_name_of_the_page_is_no_part_of_the_experiment():
    injected = '# Parameters\npage = "fashion"\nn_z = 7\n'
    assert from_notebook(run(PARAMETERS, injected, SETUP)).n_z == 7


@pytest.mark.parametrize("before", [[], [MAGIC], ["import math", "nz = 3"]])
def test_papermills_values_are_taken(before):
    injected = '# Parameters\nn_z = 7\nprofile = "smoke"\nlearning_rates = [0.001, 0.0001]\n'
    found = from_notebook(run(*before, PARAMETERS, injected, SETUP))
    expected = dataclasses.replace(PROFILES["smoke"], n_z=7, learning_rates=(0.001, 0.0001))
    assert found == expected


@pytest.mark.parametrize(
    "name",
    ["nz", "N_z", "n_hidden"],  # the last is a parameter of an experiment, but not of this page
)
def test_papermills_unknown_name_is_refused(name):
    with pytest.raises(ParameterError) as error:
        from_notebook(run(PARAMETERS, f"# Parameters\np = 0.1\n{name} = 7\n", SETUP))
    assert str(error.value) == (
        f"Parameter {name} (set to 7) is unknown to this page; "
        "allowed are profile, n_z, p, learning_rates, page."
    )


@pytest.mark.parametrize("value", ["1", "None", '"true"'])
def test_whether_to_train_what_a_table_holds_is_true_or_false(value):
    page = f"{PARAMETERS}recompute: bool = False  # train also what the table holds\n"
    assert from_notebook(run(page, "# Parameters\nrecompute = True\n", SETUP)) == from_notebook(
        run(page, SETUP)
    )
    with pytest.raises(ParameterError, match=r"^Parameter recompute is .*; allowed is true or fal"):
        from_notebook(run(page, f"# Parameters\nrecompute = {value}\n", SETUP))


@pytest.mark.parametrize(
    ("line", "name"), [("n_z = 0", "n_z"), ('p = "x"', "p"), ('profile = "fast"', "profile")]
)
def test_papermills_bad_value_is_refused(line, name):
    with pytest.raises(ParameterError, match=f"Parameter {name} is"):
        from_notebook(run(PARAMETERS, f"# Parameters\n{line}\n", SETUP))


def test_an_unknown_name_in_the_parameters_cell_is_refused():
    with pytest.raises(ParameterError, match="Parameter nz "):
        from_notebook(run(PARAMETERS.replace("n_z:", "nz:"), SETUP))


def test_after_editing_and_running_the_parameters_cell_again_it_counts():
    # A reader of an executed page changes n_z: papermill's cell of then no longer speaks.
    page = PARAMETERS, "# Parameters\nn_z = 7\nnz = 3\n", SETUP
    edited = PARAMETERS.replace("[int] = None", "[int] = 5")
    assert from_notebook(run(*page, edited, SETUP)).n_z == 5
    assert from_notebook(run(*page, PARAMETERS, SETUP)) == PROFILES["quick"]


def test_running_the_page_again_takes_papermills_values_again():
    page = PARAMETERS, "# Parameters\nn_z = 7\n", SETUP
    assert from_notebook(run(*page, *page)).n_z == 7


def test_later_cells_and_other_names_do_not_matter():
    later = "nz = 3\nn_hidden = 5", "# Parameters\nlabels = 4", "for label in range(3): pass", MAGIC
    found = from_notebook(run("seed = 9", PARAMETERS, SETUP, *later))
    assert found == PROFILES["quick"]


def test_a_plain_assignment_in_the_parameters_cell_is_a_typo_too():
    with pytest.raises(ParameterError, match="Parameter nz"):
        from_notebook(run(f"{PARAMETERS}nz = 7", SETUP))


def test_lines_of_the_parameters_cell_may_be_typed_anew_without_their_annotation():
    """As a reader in Colab does who is told to set ``profile = "smoke"``."""
    typed = PARAMETERS.replace('profile: str = "quick"', 'profile = "smoke"')
    typed = typed.replace("n_z: Optional[int] = None", "n_z = 7")
    expected = dataclasses.replace(PROFILES["smoke"], n_z=7)
    assert from_notebook(run(typed, SETUP)) == expected
    assert from_notebook(run(PARAMETERS, "# Parameters\nn_z = 3\n", SETUP, typed)) == expected
    assert from_notebook(run(typed, "# Parameters\nn_z = 3\n", SETUP)).n_z == 3
    with pytest.raises(ParameterError, match="Parameter n_z is 0"):
        from_notebook(run(typed.replace("n_z = 7", "n_z = 0"), SETUP))


def test_a_list_may_be_the_text_that_papermills_command_line_makes_of_it():
    injected = "# Parameters\nlearning_rates = {}\n"
    found = from_notebook(run(PARAMETERS, injected.format("'[0.1, 2e-2]'"), SETUP))
    assert found.learning_rates == (0.1, 0.02)
    for text in ("[0.1", "[0.1, 'x']", "0.1"):
        with pytest.raises(ParameterError, match="Parameter learning_rates is"):
            from_notebook(run(PARAMETERS, injected.format(repr(text)), SETUP))


@pytest.mark.parametrize("name", ["''", "'a/b'", "None", "7"])
def test_a_pages_name_that_could_not_be_a_files_is_refused_before_any_work(name):
    with pytest.raises(ParameterError, match=r"Parameter page is .*; allowed is a text of letters"):
        from_notebook(run(PARAMETERS, f"# Parameters\npage = {name}\n", SETUP))


def test_pages_that_count_are_given_as_a_list():
    page = f"{PARAMETERS}ran: Optional[list] = None  # pages whose results count\n"
    assert from_notebook(run(page, "# Parameters\nran = ['a']\n", SETUP)) == PROFILES["quick"]
    with pytest.raises(ParameterError, match="Parameter ran is 5; allowed is a list of pages"):
        from_notebook(run(page, "# Parameters\nran = 5\n", SETUP))


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
        ("swap", "swap"),
        ("", ""),
        ("[0,", "[0,"),
        ("9" * 5000, "9" * 5000),  # more digits than Python reads
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_text_is_what_it_says_in_json_or_python_else_itself(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)
