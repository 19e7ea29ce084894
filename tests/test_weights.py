"""What ships is what was trained, and no file can pass for another."""

import dataclasses

import joblib
import numpy as np
import pytest
import small
import torch

from repinf_core import data, weights
from repinf_core.models import mlp
from repinf_core.training import Spec, TrainingRun, evaluate, store
from repinf_core.training.checkpoint import CheckpointError


def spec_of(entry):
    values = entry["spec"]
    return Spec(**values | {"learning_rates": tuple(values["learning_rates"])})


@pytest.fixture
def half_trained():
    run = TrainingRun(small.SPEC)
    small.run_epochs(run, 2, small.digits(500))
    return run


def test_a_shipped_model_is_the_one_that_was_trained(tmp_path, half_trained):
    weights.ship(half_trained, "a revision", "a machine", tmp_path)
    back = weights.shipped(small.SPEC, folder=tmp_path)
    expected = half_trained.flat.vector.detach().numpy().astype(np.float16)
    assert np.array_equal(back.flat.vector.detach().numpy(), expected.astype(np.float32))
    assert back.epoch == 2 < small.SPEC.epochs
    for record, original in zip(back.history, half_trained.history, strict=True):
        assert (record.epoch, record.active_latents) == (original.epoch, original.active_latents)
        assert record.test_negative_elbo == pytest.approx(original.test_negative_elbo, rel=1e-6)
    # Half precision moves the objective by little more than its own rounding, 2^-11.
    images = small.digits(500).images
    before, after = evaluate(half_trained, images)[0], evaluate(back, images)[0]
    np.testing.assert_allclose(after, before, rtol=2e-3)


def test_the_manifest_says_what_ships(tmp_path, half_trained):
    weights.ship(half_trained, "a revision", "a machine", tmp_path)
    (entry,) = weights.manifest(tmp_path).values()
    assert spec_of(entry) == small.SPEC
    assert entry["epochs_trained"] == 2
    assert (entry["revision"], entry["device"]) == ("a revision", "a machine")
    assert weights.shipped(small.spec(n_z=4), folder=tmp_path) is None
    assert weights.manifest(tmp_path / "nothing") == {}


def test_a_file_that_is_not_the_manifests_is_refused(tmp_path, half_trained):
    path = weights.ship(half_trained, "a revision", "a machine", tmp_path)
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1
    path.write_bytes(contents)
    with pytest.raises(CheckpointError, match=path.name):
        weights.shipped(small.SPEC, folder=tmp_path)
    path.unlink()
    with pytest.raises(CheckpointError, match=path.name):
        weights.shipped(small.SPEC, folder=tmp_path)


def test_the_store_takes_what_was_trained_here_before_what_ships(
    tmp_path, half_trained, monkeypatch
):
    monkeypatch.setattr(
        store, "shipped", lambda spec, *device: half_trained if spec == small.SPEC else None
    )
    monkeypatch.setattr(store, "manifest", lambda: {small.SPEC.name: {}})
    assert store.is_trained(small.SPEC)
    assert store.trained(small.SPEC) is half_trained
    other = small.spec(n_z=4)
    assert not store.is_trained(other)
    assert store.trained(other).epoch == other.epochs
    monkeypatch.setattr(store, "shipped", lambda *_: pytest.fail("asked for"))
    assert store.trained(other).epoch == other.epochs


def test_every_file_that_ships_is_sound_and_small():
    files = {path.stem for path in weights.FOLDER.glob("*.safetensors")}
    assert files == set(weights.manifest())
    for name, entry in weights.manifest().items():
        spec = spec_of(entry)
        assert spec.name == name
        assert (weights.FOLDER / f"{name}.safetensors").stat().st_size <= 4 * 2**20
        run = weights.shipped(spec)
        assert run.epoch == entry["epochs_trained"] <= spec.epochs
        last = run.history[-1]
        assert last.epoch == run.epoch
        assert round(last.test_negative_elbo, 3) == entry["test_negative_elbo"]
        assert bool(torch.isfinite(run.flat.vector).all())


@pytest.mark.skipif("not __import__('os').environ.get('REPINF_DATA')", reason="needs MNIST")
def test_what_ships_reaches_what_the_manifest_says():
    for entry in weights.manifest().values():
        spec = spec_of(entry)
        run = weights.shipped(spec)
        images = data.load(spec.dataset, "test").images
        (objective, _, reconstruction), active = evaluate(run, images)
        # float16 weights against the float32 ones of the record
        assert objective == pytest.approx(entry["test_negative_elbo"], abs=0.05)
        assert active == entry["active_latents"]
        assert reconstruction > float(mlp.reconstruction_floor(images))


def test_several_processes_that_ship_at_once_lose_nothing(tmp_path, half_trained):
    runs = []
    for n_z in range(2, 8):
        run = TrainingRun(small.spec(n_z=n_z))
        run.history = half_trained.history
        runs.append(run)
    with joblib.Parallel(2) as parallel:
        parallel(joblib.delayed(weights.ship)(run, "a", "a machine", tmp_path) for run in runs)
    assert weights.manifest(tmp_path).keys() == {run.spec.name for run in runs}


def test_the_manifest_tells_the_last_epoch_and_all_seconds(tmp_path, half_trained):
    first, last = half_trained.history
    worse = first.test_negative_elbo + 1  # than the epoch before it: the last counts
    half_trained.history = [
        dataclasses.replace(first, seconds=5.0),
        dataclasses.replace(last, test_negative_elbo=worse, active_latents=2, seconds=7.0),
    ]
    weights.ship(half_trained, "a revision", "a machine", tmp_path)
    entry = weights.manifest(tmp_path)[small.SPEC.name]
    assert (entry["seconds"], entry["active_latents"]) == (12, 2)
    assert entry["test_negative_elbo"] == round(worse, 3)
    found = weights.shipped(small.SPEC, folder=tmp_path).history[-1].active_latents
    assert type(found) is int
