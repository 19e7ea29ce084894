"""A results file says what was measured, with which parameters, by which code."""

import json
import math
import os
import subprocess

import numpy
import pandas
import pytest
import sklearn
import torch
import tqdm
from processor import HAS_ONEDNN

import repinf_core
from repinf_core import profiles, results
from repinf_core.dynamics import rollout
from repinf_core.kernels import onednn
from repinf_core.models.mlp import VAESpec

EXPERIMENT = profiles.experiment("smoke", {"n_z": 7})


def provenance(tmp_path, device="cpu"):
    path = results.record("a", "smoke", EXPERIMENT, device, {}, "", tmp_path)
    return json.loads(path.read_text())["provenance"]


def test_a_record_holds_numbers_parameters_and_provenance(tmp_path):
    numbers = {"labels_approaching_whole_chord": 9, "minimum": 1.25}
    path = results.record("a_page", "smoke", EXPERIMENT, "cpu", numbers, "Nine.", tmp_path)
    assert path == tmp_path / "a_page.json"
    contents = json.loads(path.read_text())
    assert contents["results"] == numbers
    assert contents["parameters"]["n_z"] == 7
    assert contents["parameters"]["seed"] == EXPERIMENT.seed
    assert (contents["page"], contents["profile"], contents["finding"]) == (
        "a_page",
        "smoke",
        "Nine.",
    )
    found = contents["provenance"]
    assert found["device"] == "cpu"
    assert found["revision"]
    assert torch.__version__.startswith(found["versions"]["torch"])
    assert found["versions"]["repinf"] == repinf_core.__version__
    assert found["device_name"] is None
    assert found["processor"] == torch.backends.cpu.get_cpu_capability()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_record_tells_how_many_threads_computed(tmp_path, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = provenance(tmp_path)
    finally:
        torch.set_num_threads(before)
    assert found["threads"] == threads


@pytest.mark.parametrize("has_onednn", [True, False])
def test_a_record_names_the_library_that_multiplies(tmp_path, monkeypatch, has_onednn):
    """Held to the operators that ran, as torch's profiler saw them."""
    if not has_onednn:
        monkeypatch.setattr(onednn, "_has_linear", lambda dtype: False)
    model = VAESpec.of(EXPERIMENT).build(torch.Generator())
    with torch.profiler.profile(acc_events=True) as profiler:
        rollout.rollout(model, torch.rand(2, 784), 1)
    ran = {event.key for event in profiler.key_averages()}
    expected = "MKL" if torch.backends.mkl.is_available() else "torch's own"
    if "mkldnn::_linear_pointwise" in ran:
        expected = "oneDNN"
    assert provenance(tmp_path)["products"] == expected
    assert (expected == "oneDNN") == (HAS_ONEDNN and has_onednn)


def test_a_record_names_every_version_of_the_lock(tmp_path, monkeypatch):
    root = tmp_path / "checkout"
    (root / "repinf_core").mkdir(parents=True)
    lock = "# The lock\nTqdm==0\nno-such-package==1.0\nscikit-learn==0\n"
    (root / "constraints.txt").write_text(lock)
    monkeypatch.setattr(results, "__file__", str(root / "repinf_core" / "results.py"))
    assert provenance(tmp_path)["versions"] == {
        "repinf": repinf_core.__version__,
        "Tqdm": tqdm.__version__,
        "scikit-learn": sklearn.__version__,
    }


def test_without_a_lock_a_record_names_the_libraries_that_compute(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "__file__", str(tmp_path / "repinf_core" / "results.py"))
    assert provenance(tmp_path)["versions"]["numpy"] == numpy.__version__


@pytest.mark.cuda
def test_a_record_names_the_gpu(tmp_path):
    found = provenance(tmp_path, "cuda")
    assert found["device"] == "cuda"
    assert found["device_name"] == torch.cuda.get_device_properties(0).name
    assert found["products"] == "cuBLAS"


def test_the_same_measurement_gives_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        results.record("a", "smoke", EXPERIMENT, "cpu", {"x": 0.1}, "", tmp_path / folder)
    one, two = ((tmp_path / folder / "a.json").read_bytes() for folder in ("one", "two"))
    assert one == two


def test_the_file_of_a_table_tells_every_float32_from_the_next(tmp_path):
    one = numpy.array([1.3, 1e-7, 2e7, -3.14159], dtype="float32")
    table = pandas.DataFrame({"one": one, "next": numpy.nextafter(one, numpy.float32(numpy.inf))})
    results.record("a", "smoke", EXPERIMENT, "cpu", {}, "", tmp_path, {"both": table})
    read = pandas.read_csv(tmp_path / "a" / "both.csv", dtype=dict(table.dtypes))
    pandas.testing.assert_frame_equal(read, table, check_exact=True)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_is_refused_and_the_old_file_stays(tmp_path, value):
    results.record("a", "smoke", EXPERIMENT, "cpu", {"x": 1}, "", tmp_path)
    before = (tmp_path / "a.json").read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.record("a", "smoke", EXPERIMENT, "cpu", {"x": value}, "", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == before


@pytest.mark.parametrize("page", ["../a", "a/b", "", "a b"])
def test_a_page_that_is_no_file_stem_is_refused(tmp_path, page):
    with pytest.raises(ValueError, match="letters, digits"):
        results.record(page, "smoke", EXPERIMENT, "cpu", {}, "", tmp_path)


# --- the revision -----------------------------------------------------------------------------

FILES = (
    "repinf_core/results.py",
    "repinf_core/vae.py",
    "repinf_core/weights/__init__.py",
    "repinf_core/weights/manifest.json",
    "notebooks/01_model.ipynb",
    "book/pages/01_model.ipynb",
    "book/results/01_model.json",
)


def git(folder, *arguments):
    identity = ("-c", "user.name=A. Tester", "-c", "user.email=a@tester")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder):
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "--message", "all of it")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project laid out as this one, not under version control yet, whose code now runs."""
    # Neither the user's settings nor, run by a hook, the repository of the hook.
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "project"
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as committed\n")
    monkeypatch.setattr(results, "__file__", str(folder / "repinf_core" / "results.py"))
    return folder


def test_the_revision_is_the_commit(project):
    commit(project)
    assert results.revision() == git(project, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "name",
    [
        "repinf_core/weights/manifest.json",
        "repinf_core/weights/new.safetensors",
        "book/pages/01_model.ipynb",
        "book/results/01_model.json",
        "book/results/new.json",
    ],
)
def test_what_the_code_wrote_does_not_make_it_another(project, name):
    commit(project)
    (project / name).write_text("written since\n")
    assert results.revision() == git(project, "rev-parse", "HEAD")


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "repinf_core/vae.py",
        "repinf_core/new.py",
        "repinf_core/weights/__init__.py",
        "notebooks/01_model.ipynb",
    ],
)
def test_an_uncommitted_change_of_the_core_or_a_notebook_is_told(project, name, staged):
    commit(project)
    (project / name).write_text("edited\n")
    if staged:
        git(project, "add", ".")
    assert results.revision() == git(project, "rev-parse", "HEAD") + "-dirty"


def test_a_deleted_file_of_the_core_is_told(project):
    commit(project)
    (project / "repinf_core/vae.py").unlink()
    assert results.revision().endswith("-dirty")


def test_outside_a_checkout_the_revision_is_unknown(project):
    assert results.revision() == "unknown"


@pytest.mark.parametrize("ignored", [False, True])
def test_in_the_checkout_of_another_project_the_revision_is_unknown(project, ignored):
    around = project.parent
    (around / ".gitignore").write_text("project/\n" if ignored else "")
    git(around, "init")
    git(around, "add", ".gitignore")
    git(around, "commit", "--message", "another project")
    assert results.revision() == "unknown"


def test_without_git_the_revision_is_unknown(project, monkeypatch):
    commit(project)
    monkeypatch.setenv("PATH", "")
    assert results.revision() == "unknown"
