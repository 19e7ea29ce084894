"""The wheel in a runtime like Colab's: torch, numpy and a kernel are there, and nothing of ours."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import venv
from collections import namedtuple

import nbformat
import papermill
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pages import NOTEBOOKS, ROOT, outputs_of, results

pytestmark = pytest.mark.slow

PREINSTALLED = ["torch", "torchvision", "numpy", "matplotlib", "ipykernel"]
KEPT = ["torch", "torchvision", "numpy"]
Runtime = namedtuple("Runtime", ["python", "content", "kernels"])


def with_all_they_need(names):
    """The distributions of these names, and all that they require, directly or indirectly."""
    pending = [Requirement(name) for name in names]
    found = {}
    while pending:
        wanted = pending.pop()
        key = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if key not in found:
            found[key] = importlib.metadata.distribution(wanted.name)
            pending += [
                needed
                for needed in map(Requirement, found[key].requires or ())
                if needed.marker is None
                or any(needed.marker.evaluate({"extra": e}) for e in ("", *wanted.extras))
            ]
    return found.values()


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Folder with the sdist, and the wheel that was made from it."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if subprocess.run([*pip, "index", "versions", "setuptools"], capture_output=True).returncode:
        pytest.skip("no package index can be reached")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", folder, ROOT]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def runtime(dist, tmp_path_factory):
    """A Python with the packages that Colab has, and a working folder with wheel and notebooks."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    # Links: a copy of torch is gigabytes.  pip neither removes nor changes what lies outside.
    (folder / "preinstalled").mkdir()
    for one in with_all_they_need(PREINSTALLED):
        for name in {file.parts[0] for file in one.files} - {"..", "__pycache__"}:
            link = folder / "preinstalled" / name
            if not link.exists():
                link.symlink_to(one.locate_file(name))
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "preinstalled.pth").write_text(f"{folder / 'preinstalled'}\n")
    kernel = folder / "kernels" / "colab"
    kernel.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "colab", "env": {"PYTHONPATH": ""}}
    (kernel / "kernel.json").write_text(json.dumps(spec | {"language": "python"}))
    content = folder / "content"
    content.mkdir()
    for path in [*dist.glob("*.whl"), *NOTEBOOKS.glob("*.ipynb")]:
        (content / path.name).write_bytes(path.read_bytes())
    return Runtime(python, content, folder)


@pytest.fixture
def colab(runtime, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(runtime.kernels))
    return runtime


def run(colab, name, **parameters):
    """Execute a notebook of the working folder in a fresh runtime; returns the executed one."""
    out = colab.content / "executed" / name
    out.parent.mkdir(exist_ok=True)
    papermill.execute_notebook(
        colab.content / name,
        out,
        parameters,
        kernel_name="colab",
        cwd=colab.content,
        progress_bar=False,
    )
    return out


def beginning(notebook):
    """A notebook's first code cells, up to its parameters, and one with all its imports."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code = re.sub(r"^ *%.*$", "pass", "\n".join(c.source for c in cells[2:]), flags=re.M)
    nodes = [n for n in ast.parse(code).body if isinstance(n, ast.Import | ast.ImportFrom)]
    imports = "\n".join(map(ast.unparse, nodes))
    assert "repinf_core" in imports
    return [*cells[:2], nbformat.v4.new_code_cell(imports)]


def preinstalled(python):
    """Where the runtime finds torch and numpy: version, place, and each file's size and time."""
    code = f"""if True:
        import importlib.metadata, json, os
        found = {{}}
        for name in {KEPT}:
            one = importlib.metadata.distribution(name)
            files = [one.locate_file(file) for file in one.files if ".." not in file.parts]
            stats = [os.stat(file) for file in files if "__pycache__" not in str(file)]
            found[name] = one.version, str(one.locate_file("")), [
                (s.st_size, s.st_mtime_ns) for s in stats]
        print(json.dumps(found))"""
    told = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    return json.loads(told.stdout)


def test_the_wheel_is_small_enough_for_any_host(dist):
    (wheel,) = dist.glob("repinf-*.whl")
    assert list(dist.glob("repinf-*.tar.gz"))
    assert wheel.stat().st_size <= 95e6


def test_every_notebook_begins_and_one_runs_and_the_torch_and_numpy_that_are_there_stay(colab):
    before = preinstalled(colab.python)
    # One after the other in one fresh runtime, of which the first installs the wheel.
    notebooks = [nbformat.read(path, 4) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    begun = nbformat.v4.new_notebook(cells=[c for one in notebooks for c in beginning(one)])
    begun.metadata = notebooks[0].metadata
    begun.cells.append(nbformat.v4.new_code_cell("import repinf_core; repinf_core.__file__"))
    nbformat.write(begun, colab.content / "begun.ipynb")
    assert "/venv/" in outputs_of(run(colab, "begun.ipynb"))
    run(colab, "02_repeated_inference.ipynb", profile="smoke")
    assert results(colab.content, "02_repeated_inference")["profile"] == "smoke"
    assert preinstalled(colab.python) == before


def test_the_wheel_alone_executes_a_page(colab, model_store):
    run(colab, "04_cluster_centers.ipynb", profile="smoke")
    assert results(colab.content, "04_cluster_centers")["profile"] == "smoke"
    assert list(model_store.iterdir())
