"""The store trains a model once, whatever interrupts it, and never confuses two."""

import errno
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import small
import torch

import repinf_core
from repinf_core.training import checkpoint, general, paths, progress, shipped, store
from repinf_core.training.checkpoint import CheckpointError
from repinf_core.training.fit import TrainingDiverged
from repinf_core.training.run import TrainingRun
from repinf_core.training.store import load_or_train as trained


class Stop(Exception):
    """Raised by a test in the middle of a training."""


def stop_after(epoch):
    def report(record):
        if record.epoch == epoch:
            raise Stop

    return report


def interrupted(spec, epoch):
    """The folder of a training that a checkpoint follows each epoch of, stopped after one."""
    with pytest.raises(Stop):
        trained(spec, report=stop_after(epoch), checkpoint_seconds=0)
    return store.models_folder() / spec.name


def fail(*args, **kwargs):
    raise AssertionError("this must not be called")


def test_a_model_is_trained_once(model_store, monkeypatch):
    assert not store.is_finished(small.SPEC)
    epochs = []
    first = trained(small.SPEC, report=epochs.append)
    assert store.is_finished(small.SPEC)
    assert epochs == first.history
    assert [record.epoch for record in epochs] == [1, 2, 3, 4]
    assert [path.name for path in model_store.iterdir()] == [small.SPEC.name]
    monkeypatch.setattr(store, "load", fail)
    again = trained(small.SPEC, report=fail)
    assert small.bits(small.vector(again)) == small.bits(small.vector(first))
    assert again.history == first.history


def test_what_trained_gives_is_what_fit_gives():
    run, found = small.undisturbed(small.SPEC), trained(small.SPEC)
    assert small.bits(small.vector(found)) == small.bits(small.vector(run))
    assert small.without_times(found.history) == small.without_times(run.history)


def test_another_n_z_has_its_own_folder_and_weights(model_store):
    three, four = trained(small.spec(epochs=2)), trained(small.spec(epochs=2, n_z=4))
    assert (three.model.n_z, four.model.n_z) == (3, 4)
    assert len(list(model_store.iterdir())) == 2
    fresh = small.undisturbed(small.spec(epochs=2, n_z=4))
    assert small.bits(small.vector(four)) == small.bits(small.vector(fresh))
    # Even a file put into the wrong folder by hand is not taken for the other's.
    folders = [model_store / small.spec(epochs=2, n_z=n_z).name for n_z in (3, 4)]
    shutil.copy(folders[0] / "model.safetensors", folders[1] / "model.safetensors")
    with pytest.raises(CheckpointError, match="another model"):
        trained(small.spec(epochs=2, n_z=4))


def test_the_last_two_checkpoints_are_kept_until_the_model_is_there():
    spec, seen = small.spec(epochs=5), []

    def report(record):
        seen.append(sorted(path.name for path in folder.glob("*.safetensors")))

    folder = store.models_folder() / spec.name
    trained(spec, report=report, checkpoint_seconds=0)
    files = [f"checkpoint-{epoch}.safetensors" for epoch in range(6)]
    assert seen == [files[1:2], files[1:3], files[2:4], files[3:5], files[3:5]]
    assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]


def test_checkpoints_are_ordered_by_number():
    # As text, 10 comes before 9.
    spec = small.spec(epochs=12)
    folder = interrupted(spec, 10)
    names = {path.name for path in folder.glob("*.safetensors")}
    assert names == {"checkpoint-9.safetensors", "checkpoint-10.safetensors"}
    epochs = []
    trained(spec, report=lambda record: epochs.append(record.epoch))
    assert epochs == [11, 12]


def test_a_foreign_file_beside_the_checkpoints_is_left_alone():
    folder = interrupted(small.SPEC, 2)
    foreign = folder / "checkpoint-old.safetensors"
    foreign.write_bytes(b"somebody's")
    assert store.latest_run(small.SPEC).epoch == 2
    trained(small.SPEC)
    assert foreign.read_bytes() == b"somebody's"


def test_checkpoints_wait_for_their_time():
    folder, seen = store.models_folder() / small.SPEC.name, []
    trained(small.SPEC, report=lambda record: seen.extend(folder.glob("*.safetensors")))
    assert seen == []  # four short epochs end long before the first minute


@pytest.mark.parametrize("damage", ["altered", "truncated"])
@pytest.mark.parametrize("finished", [False, True])
def test_a_damaged_file_of_the_store_is_refused_and_kept(damage, finished):
    if finished:
        trained(small.SPEC)
        path = store.models_folder() / small.SPEC.name / "model.safetensors"
    else:
        path = interrupted(small.SPEC, 2) / "checkpoint-2.safetensors"
    content = path.read_bytes()
    content = small.flip(content, len(content) - 50) if damage == "altered" else content[:-50]
    path.write_bytes(content)
    files = {file: file.read_bytes() for file in path.parent.glob("*.safetensors")}
    with pytest.raises(CheckpointError, match="damaged or altered") as error:
        trained(small.SPEC)
    assert str(path) in str(error.value)
    assert {file: file.read_bytes() for file in path.parent.glob("*.safetensors")} == files
    # The way out that the message names leads to the same model.
    path.unlink()
    again, run = trained(small.SPEC), small.undisturbed(small.SPEC)
    assert small.bits(small.vector(again)) == small.bits(small.vector(run))


def test_a_checkpoint_of_another_spec_in_the_folder_is_refused():
    other = small.spec(seed=5)
    source = interrupted(other, 1) / "checkpoint-1.safetensors"
    folder = store.models_folder() / small.SPEC.name
    folder.mkdir()
    shutil.copy(source, folder / "checkpoint-1.safetensors")
    with pytest.raises(CheckpointError, match="another model"):
        trained(small.SPEC)
    assert (folder / "checkpoint-1.safetensors").read_bytes() == source.read_bytes()


def test_a_full_disk_loses_no_checkpoint(monkeypatch):
    epochs, original = [], checkpoint.save_file

    def save_file(tensors, path, metadata):
        original(tensors, path, metadata)
        if json.loads(metadata["history"])[-1]["epoch"] == 3:
            Path(path).write_bytes(Path(path).read_bytes()[:1000])
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", save_file)
        with pytest.raises(OSError, match="No space left"):
            trained(small.SPEC, checkpoint_seconds=0)
    folder = store.models_folder() / small.SPEC.name
    kept = sorted(path.name for path in folder.iterdir() if path.suffix == ".safetensors")
    assert kept == ["checkpoint-1.safetensors", "checkpoint-2.safetensors"]
    found = trained(small.SPEC, report=lambda record: epochs.append(record.epoch))
    assert epochs == [3, 4]
    undisturbed = small.undisturbed(small.SPEC)
    assert small.bits(small.vector(found)) == small.bits(small.vector(undisturbed))


def test_a_disk_that_is_full_is_told_in_one_sentence(tmp_path):
    """What safetensors raises then is no OSError."""
    pytest.importorskip("resource", reason="the limit on a file's size is of Unix")
    path = tmp_path / "model.safetensors"
    command = f"""
import resource, signal
from pathlib import Path
import torch
from repinf_core.training import checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    checkpoint.write({{"weights": torch.zeros(1000)}}, Path({str(path)!r}))
except OSError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert run.stdout.startswith(f"{path} could not be written (")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_another_process_replaces_is_looked_for_again(monkeypatch):
    interrupted = trained(small.SPEC, checkpoint_seconds=0)
    folder = store.models_folder() / small.SPEC.name
    final, original = folder / "model.safetensors", TrainingRun.load
    hidden = final.rename(folder / "checkpoint-3.safetensors")

    def load(path, *arguments):
        if hidden.exists():  # at this very moment the other process comes to its end
            hidden.rename(final)
        return original(path, *arguments)

    monkeypatch.setattr(TrainingRun, "load", load)
    found = store.latest_run(small.SPEC)
    assert small.bits(small.vector(found)) == small.bits(small.vector(interrupted))


def begun_on_a_gpu(spec, epochs, models):
    """The checkpoint of a training on another kind of device, as if it had been there."""
    run = TrainingRun(spec)
    small.run_epochs(run, epochs, small.digits(60))
    run.device = torch.device("cuda")
    (models / spec.name).mkdir(parents=True)
    run.state().save(models / spec.name / f"checkpoint-{epochs}.safetensors")
    return run


def test_a_training_begun_on_another_device_is_not_continued(model_store):
    begun_on_a_gpu(small.SPEC, 1, model_store)
    with pytest.raises(CheckpointError, match="training on cuda, whose random numbers cpu cannot"):
        store.train(small.SPEC)
    assert "CheckpointError" in store.train_together([small.SPEC], "cpu")[small.SPEC]
    assert [*(model_store / small.SPEC.name).glob("checkpoint-1.*")]


def test_its_weights_can_be_used_on_any_device(model_store, monkeypatch):
    """A model ships after fewer epochs than the training here has reached."""
    run = begun_on_a_gpu(small.SPEC, 2, model_store)
    monkeypatch.setattr(shipped, "manifest", lambda: {small.SPEC.name: {"epochs_trained": 1}})
    assert "so far for 2 of 4 epochs" in progress.estimate_runtime([small.SPEC], "cpu", 1500)
    found = store.load_or_train(small.SPEC)
    assert small.bits(small.vector(found)) == small.bits(small.vector(run))


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("REPINF_MODELS", "~/models")
    assert store.models_folder() == tmp_path / "models"


# --- what the reader is told ------------------------------------------------------------------


def test_the_estimate_names_device_data_model_and_time(monkeypatch, model_store):
    monkeypatch.setattr(progress, "seconds_per_step", lambda specs, n_images, device: 2.0)
    before = progress.estimate_runtime([small.SPEC], "cpu", 1500)
    for part in ("cpu, threads: 1", "digits, 1,500 training images", small.SPEC.name):
        assert part in before
    # Six steps of 250 images in each of four epochs.
    assert before.endswith(f"about 0.8 minutes to train; kept in {model_store}")
    assert "about 0.9 minutes" in progress.estimate_runtime([small.SPEC], "cpu", 1501)
    assert not store.is_finished(small.SPEC)
    trained(small.SPEC)
    monkeypatch.setattr(progress, "seconds_per_step", fail)
    after = progress.estimate_runtime([small.SPEC], "cpu", 1500)
    assert "trained before: no training now" in after


def test_the_estimate_of_a_model_that_ships_names_the_epochs_really_trained(monkeypatch):
    spec = small.spec(epochs=1500)
    monkeypatch.setattr(shipped, "manifest", lambda: {spec.name: {"epochs_trained": 1234}})
    assert progress.estimate_runtime([spec], "cpu", 1500).endswith(
        f"\nmodel    {spec.name}\n"
        f"         ships, trained for 1,234 of 1,500 epochs: no training now"
    )


def test_a_home_folder_that_does_not_exist_is_one_sentence(monkeypatch):
    monkeypatch.setenv("REPINF_MODELS", "~nosuchuser/models")
    with pytest.raises(store.StoreError, match=r"^REPINF_MODELS is ~nosuchuser/models"):
        store.models_folder()


@pytest.mark.parametrize("already", [0, 2])
def test_the_progress_bar_counts_the_epochs_of_the_spec(capsys, already):
    if already:
        interrupted(small.SPEC, already)
    capsys.readouterr()
    with progress.bar(small.SPEC) as report:
        run = trained(small.SPEC, report=report)
    last = capsys.readouterr().err.split("\r")[-1]
    assert small.SPEC.name in last
    assert " 4/4 " in last
    assert str(run.history[-1]) in last


# --- divergence -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverging_training_stops_and_keeps_the_last_good_checkpoint(monkeypatch, value):
    epochs = itertools.count(1)

    class Diverges(general.GeneralPath):
        def epoch(self, rates):
            terms = super().epoch(rates)
            if next(epochs) == 3:
                terms[0]["negative_elbo"] = value
            return terms

    monkeypatch.setattr(paths, "PATHS", {})
    with monkeypatch.context() as patch:
        patch.setattr("repinf_core.training.fit.choose", Diverges)
        with pytest.raises(TrainingDiverged, match=f"epoch 3 of {small.SPEC.name}") as error:
            trained(small.SPEC, checkpoint_seconds=0)
    assert isinstance(error.value, ArithmeticError)
    assert not store.is_finished(small.SPEC)
    folder = store.models_folder() / small.SPEC.name
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    assert names == ["checkpoint-1.safetensors", "checkpoint-2.safetensors"]
    last = TrainingRun.load(folder / names[-1], small.SPEC)
    assert last.epoch == 2
    assert small.vector(last).isfinite().all()
    resumed, undisturbed = trained(small.SPEC), small.undisturbed(small.SPEC)
    assert small.bits(small.vector(resumed)) == small.bits(small.vector(undisturbed))


def test_a_training_whose_very_last_step_diverges_is_no_model():
    # One step per epoch; the second, of an absurd size, comes after the last training value.
    spec = small.spec(epochs=2, minibatch=60_000, learning_rates=(1e-3, 1e30))
    with pytest.raises(TrainingDiverged):
        trained(spec, checkpoint_seconds=0)
    assert not store.is_finished(spec)


def test_no_checkpoint_is_taken_after_a_step_that_diverges():
    spec = small.spec(epochs=3, minibatch=60_000, learning_rates=(1e-3, 1e30, 1e-3))
    with pytest.raises(TrainingDiverged):
        trained(spec, checkpoint_seconds=0)
    paths = (store.models_folder() / spec.name).glob("*.safetensors")
    assert [path.name for path in paths] == ["checkpoint-1.safetensors"]


# --- models that train together --------------------------------------------------------------

TOGETHER = [small.spec(n_z=n_z) for n_z in (2, 3)]


def test_models_that_train_together_are_kept_as_others_are():
    epochs = []
    assert store.train_together(TOGETHER, "cpu", epochs.append) == {}
    assert epochs == [1, 2, 3, 4]
    for spec in TOGETHER:
        folder = store.model_file(spec).parent
        assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]
        alone = small.undisturbed(spec).history[-1].test["negative_elbo"]
        found = trained(spec).history[-1].test["negative_elbo"]
        assert found == pytest.approx(alone, rel=1e-3)


def test_models_that_train_together_go_on_from_where_they_stopped(monkeypatch, tmp_path):
    def stop(epoch):
        if epoch == 3:
            raise KeyboardInterrupt

    store.train_together(TOGETHER, "cpu")
    whole = [small.bits(small.vector(trained(spec))) for spec in TOGETHER]
    monkeypatch.setenv("REPINF_MODELS", str(tmp_path / "other"))
    with pytest.raises(KeyboardInterrupt):
        store.train_together(TOGETHER, "cpu", stop)
    assert [store.latest_run(spec).epoch for spec in TOGETHER] == [3, 3]
    later = []
    store.train_together(TOGETHER, "cpu", later.append)
    assert later == [4]
    assert [small.bits(small.vector(trained(spec))) for spec in TOGETHER] == whole


def test_a_model_without_a_sound_checkpoint_costs_no_other_that_trains_with_it():
    store.train(TOGETHER[0], until=2)
    (path,) = store.model_file(TOGETHER[0]).parent.glob("checkpoint-*")
    content = path.read_bytes()
    path.write_bytes(small.flip(content, len(content) // 2))
    failures = store.train_together(TOGETHER, "cpu")
    assert list(failures) == TOGETHER[:1]
    assert failures[TOGETHER[0]].startswith(f"CheckpointError: {path} is damaged or altered")
    assert store.is_finished(TOGETHER[1])


def test_models_that_stopped_at_different_epochs_all_come_to_the_last():
    store.train(TOGETHER[0], until=2)
    later = []
    assert store.train_together(TOGETHER, "cpu", later.append) == {}
    assert later == [1, 2, 3, 4, 3, 4]
    assert all(store.is_finished(spec) for spec in TOGETHER)


def test_one_that_diverged_is_not_tried_again_with_those_that_come_to_where_it_stopped():
    far, diverges = small.spec(n_z=2), small.spec(n_z=3, learning_rates=(1e-2, 1e30))
    store.train(far, until=2)  # where the other one, at its second rate, comes and diverges
    epochs = []
    failures = store.train_together([far, diverges], "cpu", epochs.append)
    assert list(failures) == [diverges]
    assert epochs == [1, 2, 2, 3, 4]


def test_checkpoints_are_as_far_apart_as_asked(monkeypatch):
    now, seen, spec = [0], [], small.spec(epochs=6)
    monkeypatch.setattr(store, "time", SimpleNamespace(monotonic=lambda: now[0]))
    folder = store.models_folder() / spec.name

    def report(record):
        now[0] += 6  # seconds that the next epoch will take
        seen.append(sorted(int(path.stem[11:]) for path in folder.glob("checkpoint-*")))

    trained(spec, report=report, checkpoint_seconds=10)
    assert seen == [[], [], [3], [3], [3, 5], [3, 5]]


def test_what_trains_together_has_checkpoints_too():
    seen, specs = [], [small.spec(n_z=n_z) for n_z in (2, 3)]
    folder = store.model_file(specs[0]).parent

    def report(epoch):
        seen.append({path.name for path in folder.glob("*.safetensors")})

    store.train_together(specs, "cpu", report, checkpoint_seconds=0)
    assert seen[1] == {"checkpoint-1.safetensors", "checkpoint-2.safetensors"}


# --- several processes, and processes that are killed ---------------------------------------

CHILD = """
import itertools, json, os, signal, sys, time
import torch
from repinf_core.models import spec_from_json
from repinf_core.training import checkpoint, store
from repinf_core.training.fast import hand_written

torch.set_num_threads(1)
spec = spec_from_json(sys.argv[1])
epochs, mode = sys.argv[2:]

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def report(record):
    with open(epochs, "a") as file:
        file.write(f"{mode} {record.epoch}\\n")
    if mode == "slow":
        time.sleep(2)

steps, gradient = itertools.count(0), hand_written.backpropagate

def killed_in_a_step(*args):
    if next(steps) == 15:  # the first is the one by which the path proves itself
        kill()
    return gradient(*args)

def killed_while_writing(tensors, path, metadata):
    content = json.dumps(metadata).encode()
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
    kill()

if mode == "step":
    hand_written.backpropagate = killed_in_a_step
if mode == "write":
    checkpoint.save_file = killed_while_writing
store.load_or_train(spec, report=report, checkpoint_seconds=0)
"""


def start_child(spec, epochs, mode):
    """Another process that asks for a model and writes a line for each epoch it trains."""
    package = str(Path(repinf_core.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, spec.as_json(), str(epochs), mode],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_training_resumes_bit_for_bit(tmp_path):
    spec, epochs = small.spec(epochs=5), tmp_path / "epochs"
    for mode in ("step", "write"):  # in the third epoch, then on writing its checkpoint
        child = start_child(spec, epochs, mode)
        _, errors = child.communicate(timeout=120)
        assert child.returncode == -signal.SIGKILL, errors
        names = {path.name for path in (store.models_folder() / spec.name).glob("checkpoint-*")}
        assert names == {"checkpoint-1.safetensors", "checkpoint-2.safetensors"}
    assert epochs.read_text().splitlines() == ["step 1", "step 2"]
    here = []
    resumed = trained(spec, report=lambda record: here.append(record.epoch))
    assert here == [3, 4, 5]
    undisturbed = small.undisturbed(spec)
    assert small.bits(small.vector(resumed)) == small.bits(small.vector(undisturbed))
    assert small.without_times(resumed.history) == small.without_times(undisturbed.history)
    # What the process was writing when it was killed is gone too.
    names = {path.name for path in (store.models_folder() / spec.name).iterdir()}
    assert names == {"model.safetensors", "lock"}


def test_of_two_processes_that_ask_at_once_one_trains(tmp_path):
    epochs, here = tmp_path / "epochs", []
    child = start_child(small.SPEC, epochs, "slow")
    deadline = time.monotonic() + 120
    while not epochs.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    # The other process has trained its first epoch and holds the lock for some seconds more.
    run = trained(small.SPEC, report=lambda record: here.append(record.epoch))
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    assert epochs.read_text().splitlines() == [f"slow {epoch}" for epoch in (1, 2, 3, 4)]
    assert here == []
    assert run.epoch == 4


def test_a_store_that_cannot_be_made_says_so(monkeypatch, tmp_path):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("REPINF_MODELS", str(tmp_path / "a file" / "models"))
    with pytest.raises(store.StoreError, match="set REPINF_MODELS to a folder"):
        trained(small.SPEC)


def test_no_bar_is_drawn_for_a_model_from_the_store(capsys):
    trained(small.SPEC)
    capsys.readouterr()
    with progress.bar(small.SPEC) as report:
        trained(small.SPEC, report=report)
    assert capsys.readouterr().err == ""
