"""What a page asks for is read from its parameters cell, wherever it stands, and papermill's."""

import dataclasses
import subprocess
import sys
from typing import Optional

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from pages import NOTEBOOKS

from repinf_core import notebook
from repinf_core.profiles import PROFILES, ParameterError

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
    assert notebook.experiment(run("import math", PARAMETERS, SETUP)) == PROFILES["quick"]


def test_a_notebook_whose_parameters_cell_is_edited():
    edited = PARAMETERS.replace("[int] = None", "[int] = 5").replace("quick", "smoke", 1)
    found = notebook.experiment(run(edited, SETUP))
    assert found == dataclasses.replace(PROFILES["smoke"], n_z=5)


def test_the_name_of_the_page_is_no_part_of_the_experiment():
    injected = '# Parameters\npage = "fashion"\nn_z = 7\n'
    assert notebook.experiment(run(PARAMETERS, injected, SETUP)).n_z == 7


@pytest.mark.parametrize("before", [[], [MAGIC], ["import math", "nz = 3"]])
def test_papermills_values_are_taken(before):
    injected = '# Parameters\nn_z = 7\nprofile = "smoke"\nlearning_rates = [0.001, 0.0001]\n'
    found = notebook.experiment(run(*before, PARAMETERS, injected, SETUP))
    expected = dataclasses.replace(PROFILES["smoke"], n_z=7, learning_rates=(0.001, 0.0001))
    assert found == expected


@pytest.mark.parametrize(
    "name",
    ["nz", "N_z", "n_hidden"],  # the last is a parameter of an experiment, but not of this page
)
def test_papermills_unknown_name_is_refused(name):
    with pytest.raises(ParameterError) as error:
        notebook.experiment(run(PARAMETERS, f"# Parameters\np = 0.1\n{name} = 7\n", SETUP))
    assert str(error.value) == (
        f"Parameter {name} (set to 7) is unknown to this page; "
        "allowed are profile, n_z, p, learning_rates, page."
    )


@pytest.mark.parametrize("value", ["1", "None", '"true"'])
def test_whether_to_train_what_a_table_holds_is_true_or_false(value):
    page = f"{PARAMETERS}recompute: bool = False  # train also what the table holds\n"
    assert notebook.experiment(
        run(page, "# Parameters\nrecompute = True\n", SETUP)
    ) == notebook.experiment(run(page, SETUP))
    with pytest.raises(ParameterError, match=r"^Parameter recompute is .*; allowed is true or fal"):
        notebook.experiment(run(page, f"# Parameters\nrecompute = {value}\n", SETUP))


@pytest.mark.parametrize(
    ("line", "name"), [("n_z = 0", "n_z"), ('p = "x"', "p"), ('profile = "fast"', "profile")]
)
def test_papermills_bad_value_is_refused(line, name):
    with pytest.raises(ParameterError, match=f"Parameter {name} is"):
        notebook.experiment(run(PARAMETERS, f"# Parameters\n{line}\n", SETUP))


def test_an_unknown_name_in_the_parameters_cell_is_refused():
    with pytest.raises(ParameterError, match="Parameter nz "):
        notebook.experiment(run(PARAMETERS.replace("n_z:", "nz:"), SETUP))


def test_after_editing_and_running_the_parameters_cell_again_it_counts():
    # A reader of an executed page changes n_z: papermill's cell of then no longer speaks.
    page = PARAMETERS, "# Parameters\nn_z = 7\nnz = 3\n", SETUP
    edited = PARAMETERS.replace("[int] = None", "[int] = 5")
    assert notebook.experiment(run(*page, edited, SETUP)).n_z == 5
    assert notebook.experiment(run(*page, PARAMETERS, SETUP)) == PROFILES["quick"]


def test_running_the_page_again_takes_papermills_values_again():
    page = PARAMETERS, "# Parameters\nn_z = 7\n", SETUP
    assert notebook.experiment(run(*page, *page)).n_z == 7


def test_later_cells_and_other_names_do_not_matter():
    later = "nz = 3\nn_hidden = 5", "# Parameters\nlabels = 4", "for label in range(3): pass", MAGIC
    found = notebook.experiment(run("seed = 9", PARAMETERS, SETUP, *later))
    assert found == PROFILES["quick"]


def test_a_plain_assignment_in_the_parameters_cell_is_a_typo_too():
    with pytest.raises(ParameterError, match="Parameter nz"):
        notebook.experiment(run(f"{PARAMETERS}nz = 7", SETUP))


def test_lines_of_the_parameters_cell_may_be_typed_anew_without_their_annotation():
    """As a reader in Colab does who is told to set ``profile = "smoke"``."""
    typed = PARAMETERS.replace('profile: str = "quick"', 'profile = "smoke"')
    typed = typed.replace("n_z: Optional[int] = None", "n_z = 7")
    expected = dataclasses.replace(PROFILES["smoke"], n_z=7)
    assert notebook.experiment(run(typed, SETUP)) == expected
    assert notebook.experiment(run(PARAMETERS, "# Parameters\nn_z = 3\n", SETUP, typed)) == expected
    assert notebook.experiment(run(typed, "# Parameters\nn_z = 3\n", SETUP)).n_z == 3
    with pytest.raises(ParameterError, match="Parameter n_z is 0"):
        notebook.experiment(run(typed.replace("n_z = 7", "n_z = 0"), SETUP))


def test_a_list_may_be_the_text_that_papermills_command_line_makes_of_it():
    injected = "# Parameters\nlearning_rates = {}\n"
    found = notebook.experiment(run(PARAMETERS, injected.format("'[0.1, 2e-2]'"), SETUP))
    assert found.learning_rates == (0.1, 0.02)
    for text in ("[0.1", "[0.1, 'x']", "0.1"):
        with pytest.raises(ParameterError, match="Parameter learning_rates is"):
            notebook.experiment(run(PARAMETERS, injected.format(repr(text)), SETUP))


def test_a_number_may_be_the_text_that_papermills_command_line_makes_of_it():
    """Of 1e-3, which has no dot, and so of those in a list."""
    injected = "# Parameters\np = '1e-3'\nlearning_rates = {}\n"
    for rates in ("'[1e-3, 1e-4]'", "['1e-3', 0.0001]"):
        found = notebook.experiment(run(PARAMETERS, injected.format(rates), SETUP))
        assert (found.p, found.learning_rates) == (1e-3, (1e-3, 1e-4))


@pytest.mark.parametrize("name", ["''", "'a/b'", "None", "7"])
def test_a_pages_name_that_could_not_be_a_files_is_refused_before_any_work(name):
    with pytest.raises(ParameterError, match=r"Parameter page is .*; allowed is a text of letters"):
        notebook.experiment(run(PARAMETERS, f"# Parameters\npage = {name}\n", SETUP))


def test_pages_that_count_are_given_as_a_list():
    page = f"{PARAMETERS}ran: Optional[list] = None  # pages whose results count\n"
    assert notebook.experiment(run(page, "# Parameters\nran = ['a']\n", SETUP)) == PROFILES["quick"]
    with pytest.raises(ParameterError, match="Parameter ran is 5; allowed is a list of pages"):
        notebook.experiment(run(page, "# Parameters\nran = 5\n", SETUP))


# --- a cell that is not as it was, or not there -----------------------------------------------

HALVES = PARAMETERS.split("p: ")[0], "p: " + PARAMETERS.split("p: ")[1]


def as_kept(cell):
    """A cell in ``In``, where IPython has replaced its magics."""
    return TransformerManager().transform_cell(cell)


@pytest.mark.parametrize("magic", ["%%time\n", "%%capture said\n", "%%time\n%%capture\n"])
def test_a_cell_magic_above_the_parameters_hides_none(magic):
    namespace = run(PARAMETERS.replace("= None", "= 5", 1), SETUP)
    namespace["In"][1] = as_kept(magic + PARAMETERS)
    assert notebook.experiment(namespace) == dataclasses.replace(PROFILES["quick"], n_z=5)
    namespace["In"][1] = as_kept(f"{magic}{PARAMETERS}nz = 7")
    with pytest.raises(ParameterError, match="Parameter nz "):
        notebook.experiment(namespace | {"nz": 7})


@pytest.mark.parametrize("between", [[], ["%matplotlib inline"], ["import math"]])
def test_a_parameters_cell_that_was_split_counts_whole(between):
    first, second = HALVES
    cells = "x = 1", first.replace("= None", "= 5", 1), *between, second, SETUP
    expected = dataclasses.replace(PROFILES["quick"], n_z=5)
    assert notebook.experiment(run(*cells)) == expected
    # Its first half again, after the page: the second still belongs to it.
    assert (
        notebook.experiment(run(*cells, "for i in 1, 2: pass", first, SETUP)) == (PROFILES["quick"])
    )
    for half in HALVES:
        with pytest.raises(ParameterError, match=r"Parameter nz \(set to 7\) is unknown"):
            notebook.experiment(run(*(f"{c}\nnz = 7" if c == half else c for c in HALVES), SETUP))


def test_papermills_values_are_taken_between_the_halves_and_after_them():
    first, second = HALVES
    injected = "# Parameters\nn_z = 7\n"
    expected = dataclasses.replace(PROFILES["quick"], n_z=7)
    assert notebook.experiment(run(first, injected, second, SETUP)) == expected
    assert notebook.experiment(run(first, second, injected, SETUP)) == expected
    for cells in ((first, "# Parameters\nnz = 7\n", second), (*HALVES, "# Parameters\nnz = 7\n")):
        with pytest.raises(ParameterError, match="Parameter nz "):
            notebook.experiment(run(*cells, SETUP))


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["# Parameters\nn_z = 7\n"],
        [PARAMETERS.replace("profile: str", "profil: str")],
        [HALVES[0]],
        [HALVES[0], "for i in range(2): pass", HALVES[1]],  # what a page computes lies between
    ],
)
def test_without_a_parameters_cell_one_sentence_says_what_to_do(cells):
    with pytest.raises(ParameterError, match=r"^No cell with this page's parameters is found; put"):
        notebook.experiment(run(*cells, SETUP))


# --- outside Jupyter --------------------------------------------------------------------------

PAGE = nbformat.read(NOTEBOOKS / "06_label_detection.ipynb", 4)
FIRST_CELLS = [
    TransformerManager().transform_cell(PAGE.cells[1].source),  # its %pip, as nbconvert does
    PAGE.cells[2].source,
    "from repinf_core import notebook\n\nexperiment = notebook.experiment(globals())",
]
# As `jupyter nbconvert --to script` writes them, of a page without and with its outputs.
LAYOUTS = {
    "bare": "\n\n".join,
    "with marks": lambda cells: (
        "#!/usr/bin/env python\n# coding: utf-8\n\n# # Label detection\n"
        + "".join(f"\n# In[{i}]:\n\n\n{cell}\n\n" for i, cell in enumerate(cells, start=1))
    ),
}


def ran(command, tmp_path):
    """What a program says that ran the first cells of a page: its experiment, or its last line."""
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (("n_z: Optional[int] = None", "n_z: Optional[int] = 7"), "quick 7 1.0"),
        (("beta: Optional[float] = None", "\n\nbeta = 3"), "quick 100 3.0"),
        (("n_z: Optional[int] = None", "nz: Optional[int] = 7"), "Parameter nz (set to 7) is unkn"),
        (("n_z: Optional[int] = None", "n_z: Optional[int] = 0"), "Parameter n_z is 0; allowed "),
    ],
)
def test_a_page_as_a_script_runs_with_what_it_assigns(tmp_path, layout, edit, told):
    script = tmp_path / "page.py"
    say = "print(profile, experiment.n_z, experiment.beta)"
    script.write_text(LAYOUTS[layout]([*FIRST_CELLS, "page_width = 5", say]).replace(*edit))
    assert told in ran([sys.executable, script], tmp_path)


def test_a_page_that_another_runs_has_the_parameters_of_its_own_file(tmp_path):
    page = nbformat.v4.new_notebook()
    cells = *FIRST_CELLS, "print(profile, experiment.n_z, page)"
    page.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    page.cells[1].source = "%%time\n" + page.cells[1].source
    nbformat.write(page, tmp_path / "page.ipynb")
    page.cells[1].source = page.cells[1].source.replace("n_z:", "nz:")
    nbformat.write(page, tmp_path / "typo.ipynb")
    command = sys.executable, "-m", "IPython", "--no-banner", "-c"
    assert "quick 100 06_label_detection" in ran((*command, "%run page.ipynb"), tmp_path)
    assert "Parameter nz (set to None) is unknown" in ran((*command, "%run typo.ipynb"), tmp_path)


def test_a_command_line_or_a_file_that_is_none_has_what_it_assigned(tmp_path):
    code = "\n".join([*FIRST_CELLS[:2], "n_z = 7", FIRST_CELLS[2], "print(experiment.n_z)"])
    assert ran([sys.executable, "-c", code], tmp_path) == "7"
    for file in ("<stdin>", str(tmp_path), None):
        namespace = {"profile": "smoke", "page": "a", "n_z": 7, "other": 1, "__file__": file}
        assert notebook.experiment(namespace) == dataclasses.replace(PROFILES["smoke"], n_z=7)
    with pytest.raises(ParameterError, match="No cell with this page's parameters is found"):
        notebook.experiment({"profile": "smoke"})
