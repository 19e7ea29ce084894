"""What ships is what was trained, and no file can pass for another."""

import dataclasses
import itertools
import json
import os
from pathlib import Path

import joblib
import numpy as np
import pytest
import references
import small
import torch
from safetensors import safe_open

from repinf_core import data
from repinf_core.models import mlp, spec_from_json
from repinf_core.training import checkpoint, shipped, store
from repinf_core.training.checkpoint import CheckpointError
from repinf_core.training.general import evaluate
from repinf_core.training.run import TrainingRun


def spec_of(entry):
    return spec_from_json(json.dumps(entry["spec"]))


@pytest.fixture
def half_trained():
    run = TrainingRun(small.SPEC)
    small.run_epochs(run, 2, small.digits(500))
    return run


def test_a_shipped_model_is_the_one_that_was_trained(tmp_path, half_trained):
    shipped.ship(half_trained, "a revision", "a machine", tmp_path)
    back = shipped.load(small.SPEC, folder=tmp_path)
    expected = references.array(small.vector(half_trained)).astype(np.float16)
    assert np.array_equal(small.vector(back).numpy(), expected.astype(np.float32))
    assert back.epoch == 2 < small.SPEC.epochs
    # Half precision moves the objective by little more than its own rounding, 2^-11.
    images = small.digits(500)
    before, after = evaluate(half_trained, images), evaluate(back, images)
    assert after["negative_elbo"] == pytest.approx(before["negative_elbo"], rel=2e-3)


def test_any_tool_reads_the_weights_by_name_and_the_spec(tmp_path, half_trained):
    path = shipped.ship(half_trained, "a revision", "a machine", tmp_path)
    with safe_open(path, "np") as file:
        assert spec_from_json(file.metadata()["spec"]) == small.SPEC
        bias = file.get_tensor("weights.encoder_out.bias")
    assert np.array_equal(bias, half_trained.model.encoder_out.bias.detach().half().numpy())


def test_the_manifest_says_what_ships(tmp_path, half_trained):
    shipped.ship(half_trained, "a revision", "a machine", tmp_path)
    (entry,) = shipped.manifest(tmp_path).values()
    assert spec_of(entry) == small.SPEC
    assert entry["epochs_trained"] == 2
    assert (entry["revision"], entry["device"]) == ("a revision", "a machine")
    assert shipped.manifest(tmp_path / "nothing") == {}


def test_a_file_that_is_not_the_manifests_is_refused(tmp_path, half_trained):
    path = shipped.ship(half_trained, "a revision", "a machine", tmp_path)
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1
    path.write_bytes(contents)
    with pytest.raises(CheckpointError, match=path.name):
        shipped.load(small.SPEC, folder=tmp_path)
    path.unlink()
    with pytest.raises(CheckpointError, match=path.name):
        shipped.load(small.SPEC, folder=tmp_path)


@pytest.mark.parametrize("step", ["write", "replacing"])
def test_shipping_that_is_interrupted_leaves_the_model_that_shipped_before(
    tmp_path, half_trained, monkeypatch, step
):
    shipped.ship(half_trained, "first", "a machine", tmp_path)
    small.run_epochs(half_trained, 1, small.digits(500))
    owner = {"write": checkpoint, "replacing": shipped}[step]

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, stop)
        with pytest.raises(KeyboardInterrupt):
            shipped.ship(half_trained, "second", "a machine", tmp_path)
    assert shipped.load(small.SPEC, folder=tmp_path).epoch == 2
    shipped.ship(half_trained, "third", "a machine", tmp_path)
    assert shipped.load(small.SPEC, folder=tmp_path).epoch == 3
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_the_longer_of_a_checkpoint_and_a_shipped_model_is_taken(
    tmp_path, half_trained, monkeypatch
):
    shipped.ship(half_trained, "a revision", "a machine", tmp_path)
    entries, load = shipped.manifest(tmp_path), shipped.load
    monkeypatch.setattr(shipped, "manifest", lambda *_: entries)
    monkeypatch.setattr(shipped, "load", lambda spec, device: load(spec, device, tmp_path))
    monkeypatch.setattr(store, "load", lambda dataset, split: small.digits(200))
    assert store.is_available(small.SPEC)
    assert not store.is_finished(small.SPEC)
    taken = []
    for until in (1, 2, 3, 4):
        store.train(small.SPEC, until=until)
        run = store.load_or_train(small.SPEC)
        taken.append((run.epoch, run.origin))
    assert taken == [
        (2, "ships, trained for 2 of 4 epochs"),
        (2, "ships, trained for 2 of 4 epochs"),
        (3, "trained here, so far for 3 of 4 epochs"),
        (4, "trained here"),
    ]
    assert store.is_finished(small.SPEC)


def test_every_file_that_ships_is_sound_and_small():
    files = {path.name for path in shipped.FOLDER.glob("*.safetensors")}
    assert files == {entry["file"] for entry in shipped.manifest().values()}
    for name, entry in shipped.manifest().items():
        spec = spec_of(entry)
        assert spec.name == name
        assert (shipped.FOLDER / entry["file"]).stat().st_size <= 4 * 2**20
        run = shipped.load(spec)
        assert run.epoch == entry["epochs_trained"] <= spec.epochs
        last = run.history[-1]
        assert last.epoch == run.epoch
        assert last.test == pytest.approx(entry["test"], abs=6e-4)
        assert bool(torch.isfinite(small.vector(run)).all())


def test_the_book_tells_how_long_each_network_was_trained():
    """The table of networks on the page that says how the edition was made."""
    told = {}
    page = Path(__file__).parent.parent / "book/about/how_it_was_made.md"
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith(("| MNIST", "| Fashion-MNIST")):
            dataset, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
            *varied, epochs = cells
            settings = itertools.product(*([int(one) for one in of.split(", ")] for of in varied))
            told |= {(dataset, *one): int(epochs.replace(",", "")) for one in settings}
    assert told == {
        (data.DATASETS[spec.dataset].title, spec.n_z, spec.beta, spec.seed): entry["epochs_trained"]
        for entry in shipped.manifest().values()
        if isinstance(spec := spec_of(entry), mlp.VAESpec)
    }


@pytest.mark.skipif(not os.environ.get("REPINF_DATA"), reason="REPINF_DATA names no MNIST")
@pytest.mark.parametrize("name", shipped.manifest())
def test_what_ships_reaches_what_the_manifest_says(name):
    entry = shipped.manifest()[name]
    spec = spec_of(entry)
    test = data.load(spec.dataset, "test")
    run = shipped.load(spec)
    found = evaluate(run, test)
    assert found.keys() == entry["test"].keys()
    for name, told in entry["test"].items():
        # float16 weights against the float32 ones of the record
        allowed = max(1e-3, min(0.1, 1e-3 * told))  # below one half for a count
        assert found[name] == pytest.approx(told, abs=allowed), name
    for term, bound in run.model.floor(test.images).items():
        assert found[term] > bound


@pytest.mark.slow
def test_several_processes_that_ship_at_once_lose_nothing(tmp_path, half_trained):
    runs = []
    for n_z in range(2, 8):
        run = TrainingRun(small.spec(n_z=n_z))
        run.history = half_trained.history
        runs.append(run)
    with joblib.Parallel(2) as parallel:
        parallel(joblib.delayed(shipped.ship)(run, "a", "a machine", tmp_path) for run in runs)
    assert shipped.manifest(tmp_path).keys() == {run.spec.name for run in runs}


def test_the_manifest_tells_the_last_epoch_and_all_seconds(tmp_path, half_trained):
    first, last = half_trained.history
    worse = last.test | {"negative_elbo": 999.5, "active_latents": 2}  # the last counts
    half_trained.history = [
        dataclasses.replace(first, seconds=5.0),
        dataclasses.replace(last, test=worse, seconds=7.0),
    ]
    shipped.ship(half_trained, "a revision", "a machine", tmp_path)
    entry = shipped.manifest(tmp_path)[small.SPEC.name]
    assert (entry["seconds"], entry["test"]["active_latents"]) == (12, 2)
    assert entry["test"]["negative_elbo"] == 999.5
    found = shipped.load(small.SPEC, folder=tmp_path).history[-1].test["active_latents"]
    assert type(found) is int
