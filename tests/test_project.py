"""The project's files agree with one another."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CORE = ROOT / "repinf_core"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# The names under which conda-forge carries what PyPI calls otherwise.
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "build": "python-build",
    "playwright": "playwright-python",
}


EXTRAS = PROJECT["project"]["optional-dependencies"]
WANTED = PROJECT["project"]["dependencies"] + EXTRAS["book"] + EXTRAS["test"]


def test_the_lock_names_one_public_version_of_each_package():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    locked = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==\d[\w.]*", line) for line in locked)
    names = [canonicalize_name(line.split("==")[0]) for line in locked]
    assert names == sorted(set(names))


@pytest.mark.parametrize("wanted", WANTED)
def test_the_lock_has_what_pyproject_asks_for(wanted):
    wanted = Requirement(wanted)
    locked = re.search(rf"^{wanted.name}==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert locked[1] in wanted.specifier


def test_the_oldest_torch_that_pyproject_allows_is_tested():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    commands = " ".join(step.get("run", "") for step in jobs["oldest"]["steps"])
    for name in ("torch", "torchvision"):
        (bound,) = [wanted for wanted in WANTED if Requirement(wanted).name == name]
        assert bound.replace(">=", "==") in re.findall(rf"{name}==\d+\.\d+", commands)


def test_environment_and_pyproject_ask_for_the_same():
    wanted = WANTED
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    given = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    python = "python" + PROJECT["project"]["requires-python"]
    wanted = [re.sub(r"^[\w-]+", lambda name: CONDA_NAMES.get(name[0], name[0]), n) for n in wanted]
    assert sorted(given) == sorted([*wanted, python, "pip"])


def test_an_installation_has_every_package_of_the_core():
    """Not only an editable one, which finds what is no package too: Colab's is not."""
    folders = {path.parent for path in CORE.rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_source_is_stripped_and_described(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    for cell in code:
        source = "".join(cell["source"])
        if "shown.figure(" in source:
            described = cell["metadata"]["mystnb"]
            assert len(described["image"]["alt"]) > 60
            assert len(described["figure"]["caption"]) > 60


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_reads_every_parameter(notebook):
    """Its one-line patterns do not see what Python sees: both must find the same names."""
    import papermill

    cells = json.loads(notebook.read_text())["cells"]
    (cell,) = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    assigned = [node.target.id for node in ast.parse("".join(cell["source"])).body]
    inspected = papermill.inspect_notebook(notebook)
    assert list(inspected) == assigned
    assert all(parameter["help"] for parameter in inspected.values())


def imported(path):
    """What a file of the core imports, by its dotted names; of ``from a import b``, ``a.b``."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            source = importlib.util.resolve_name(relative, package)
            yield from (f"{source}.{alias.name}" for alias in node.names)


def imports(path):
    """Files of the core that one of them imports."""
    for name in imported(path):
        if name.split(".")[0] == "repinf_core" and name != "repinf_core.__version__":
            of_module, of_name = (
                ROOT.joinpath(*n.split(".")) for n in (name.rpartition(".")[0], name)
            )
            places = [of_name.with_suffix(".py"), of_name / "__init__.py",
                      of_module.with_suffix(".py"), of_module / "__init__.py"]  # fmt: skip
            yield next(place for place in places if place.exists())


IMPORTS = {path: set(imports(path)) - {path} for path in CORE.rglob("*.py")}

LAYERS = [
    {"__init__", "errors", "atomic", "checks", "locks", "parallel", "streams"},
    {"bootstrap", "geometry", "kernels", "roc", "votes"},
    {"data", "noise", "models", "profiles", "notebook", "movie", "agreement"},
    {"training", "weights"},
    {"dynamics", "results"},
    {"studies"},
    {"figures", "claims"},
    {"page", "cli"},
]
"""The rooms of the core, from the ground up: each imports from its own floor and those below."""


def test_imports_go_one_way():
    floor = {room: i for i, rooms in enumerate(LAYERS) for room in rooms}

    def room(path):
        return path.relative_to(CORE).with_suffix("").parts[0]

    upward = [
        f"{path.relative_to(CORE)} imports {other.relative_to(CORE)}"
        for path, others in IMPORTS.items()
        for other in others
        if floor[room(other)] > floor[room(path)]
    ]
    assert not upward


def test_imports_have_no_circle():
    left = dict(IMPORTS)
    while ground := [path for path, others in left.items() if not others & left.keys()]:
        for path in ground:
            del left[path]
    assert not left


def test_the_core_imports_nothing_of_the_book_the_benchmarks_and_the_tests():
    folders = ("book", "benchmarks", "tests")
    outside = {path.stem for folder in folders for path in (ROOT / folder).glob("*.py")}
    for path in CORE.rglob("*.py"):
        found = {name.split(".")[0] for name in imported(path)}
        assert not found & (outside | set(folders)), path


def test_every_page_of_the_book_has_its_notebook_and_its_place():
    pages = yaml.safe_load((ROOT / "book/pages.yml").read_text())
    parts = yaml.safe_load((ROOT / "book/_toc.yml").read_text())["parts"]
    chapters = {chapter["file"] for part in parts for chapter in part["chapters"]}
    assert set(pages) <= chapters
    for other in chapters - set(pages) - {"about/changelog"}:  # which is the project's
        assert (ROOT / "book" / f"{other}.md").exists()
    assert {page["notebook"] for page in pages.values()} == {path.name for path in NOTEBOOKS}


@pytest.mark.slow
def test_the_readmes_example_runs(capsys):
    """At profile smoke instead of quick: what it prints falls and rises again or not."""
    (example,) = re.findall(r"## Use the core\n\n```python\n(.*?)```", README, re.DOTALL)
    exec(example.replace('"quick"', '"smoke"'), {})
    assert capsys.readouterr().out.startswith("tensor([")


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
)
def test_waiting_threads_soon_sleep_unless_the_reader_says_otherwise(given, expected):
    """OpenMP reads it when torch is loaded: by then it is set."""
    code = (
        "import sys, repinf_core, os; assert 'torch' not in sys.modules; "
        "print(os.environ.get('GOMP_SPINCOUNT'))"
    )
    ours = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    environment = {k: v for k, v in os.environ.items() if k not in ours} | given
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == expected
