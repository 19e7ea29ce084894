"""A fast path proves itself before it trains, and its absence changes nothing but rounding."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small
import torch

import repinf_core
from repinf_core.models.mlp import VAE
from repinf_core.training import paths
from repinf_core.training.fast.adam import Adam
from repinf_core.training.fast.ensemble import Ensemble
from repinf_core.training.fast.hand_written import HandWritten
from repinf_core.training.fit import fit
from repinf_core.training.general import GeneralPath
from repinf_core.training.run import TrainingRun

IMAGES = small.digits(300)
TRAIN = """
import json, sys, torch
torch.set_num_threads(1)
import small
from repinf_core.training.fit import fit
from repinf_core.training.run import TrainingRun
run = TrainingRun(small.SPEC)
list(fit(run, small.digits(300), small.digits(300)))
last = run.history[-1]
print(json.dumps([last.path, last.train, last.test, small.vector(run).tolist()]))
"""


@pytest.fixture(autouse=True)
def nothing_is_proved_yet(monkeypatch):
    monkeypatch.setattr(paths, "_proved", {})


def trained(package):
    """The training of a core that lies in another folder."""
    python_path = os.pathsep.join([str(package), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env=os.environ | {"PYTHONPATH": python_path},
        cwd=package,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_without_the_folder_of_fast_paths_the_numbers_are_the_same_but_for_rounding(tmp_path):
    core = Path(repinf_core.__file__).parent
    leave_out = shutil.ignore_patterns("*.safetensors", "__pycache__")
    shutil.copytree(core, tmp_path / "repinf_core", ignore=leave_out)
    fast = trained(tmp_path)
    shutil.rmtree(tmp_path / "repinf_core" / "training" / "fast")
    general = trained(tmp_path)
    assert (fast[0], general[0]) == ("hand-written", "general")
    for with_it, without in zip(fast[1:3], general[1:3], strict=True):
        assert with_it == pytest.approx(without, rel=1e-4)
    found, expected = torch.tensor(fast[3]), torch.tensor(general[3])
    assert (found - expected).norm() < 1e-3 * expected.norm()


def losing(**changes):
    """The hand-written path with something of it replaced."""
    return type("Planted", (HandWritten,), {"name": "planted", **changes})


def wrong_gradient(monkeypatch):
    original = HandWritten.epoch

    def epoch(self, rates):
        for _, _, adam in self._runs:
            update = adam.update
            adam.update = lambda layer, w, b, update=update: update(
                layer, w * (1.01 if layer == 1 else 1), b
            )
        return original(self, rates)

    return losing(epoch=epoch)


def wrong_step(monkeypatch):
    original = HandWritten.epoch
    return losing(epoch=lambda self, rates: original(self, [1.1 * rate for rate in rates]))


def missing_operator(monkeypatch):
    monkeypatch.setattr(Adam, "update", lambda *_: torch._an_operator_that_a_release_lacks())
    return losing()


def wrong_evaluation(monkeypatch):
    def evaluate(self, run, test):
        return {name: 1.01 * value for name, value in HandWritten.evaluate(self, run, test).items()}

    return losing(evaluate=evaluate)


@pytest.mark.parametrize("plant", [wrong_gradient, wrong_step, missing_operator, wrong_evaluation])
def test_a_fast_path_that_is_wrong_or_raises_gives_way_in_one_line(plant, monkeypatch, capsys):
    monkeypatch.setattr(paths, "PATHS", {(VAE, "cpu"): plant(monkeypatch)})
    run, again = TrainingRun(small.SPEC), TrainingRun(small.SPEC)
    list(fit(run, IMAGES, IMAGES))
    list(fit(again, IMAGES, IMAGES))
    assert {record.path for record in run.history} == {"general"}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("The fast path 'planted' is not used here: ")
    monkeypatch.setattr(paths, "PATHS", {})
    general = TrainingRun(small.SPEC)
    list(fit(general, IMAGES, IMAGES))
    for other in (run, again):  # what the fast path did before it gave way has left no trace
        assert small.bits(small.vector(other)) == small.bits(small.vector(general))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("path", [HandWritten, Ensemble])
@pytest.mark.parametrize("n_z", [1, 3, 100])
def test_each_fast_path_proves_itself(path, precision, n_z, monkeypatch, capsys):
    monkeypatch.setattr(paths, "PATHS", {(VAE, "cpu"): path})
    run = TrainingRun(small.spec(n_z=n_z, precision=precision))
    small.run_epochs(run, 1, IMAGES)  # from a state whose moments are not zero too
    for each in (TrainingRun(run.spec), run):
        monkeypatch.setattr(paths, "_proved", {})
        assert isinstance(paths.choose([each], IMAGES), path)
    assert capsys.readouterr().err == ""


def test_a_subclass_never_gets_its_parents_formula():
    class Shifted(VAE):
        def encode_mean(self, x):
            return super().encode_mean(x) + 1

    run = TrainingRun(small.SPEC)
    run.model.__class__ = Shifted
    assert type(paths.choose([run], IMAGES)) is GeneralPath
