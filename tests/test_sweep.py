"""A sweep trains each cell once, wherever it runs, and a failing or killed one costs no other."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import pytest
import small
import torch
from distributed import Client, LocalCluster

from repinf_core import parallel
from repinf_core.models.mlp import VAESpec
from repinf_core.training import progress, shipped, store, sweep
from repinf_core.training.checkpoint import CheckpointError

CELL = small.spec(epochs=2)
DIVERGES = small.spec(epochs=2, learning_rates=(1e30,))


def same(run, of):
    return small.bits(small.vector(run)) == small.bits(small.vector(small.undisturbed(of)))


def test_a_product_has_every_combination_once_and_in_order():
    cells = sweep.product(CELL, n_z=(2, 5), minibatch=[50, 200], seed=range(2))
    expected = [
        small.spec(epochs=2, n_z=n_z, minibatch=minibatch, seed=seed)
        for n_z in (2, 5)
        for minibatch in (50, 200)
        for seed in (0, 1)
    ]
    assert cells == expected
    assert sweep.product(CELL) == [CELL]
    assert sweep.product(CELL, n_z=(2, 2, 3)) == [small.spec(epochs=2, n_z=n) for n in (2, 3)]
    assert sweep.product(CELL, n_z=()) == []


def test_a_product_over_what_no_spec_has_is_refused():
    with pytest.raises(
        ValueError, match=r"^A sweep over nz is unknown; allowed are dataset, epochs"
    ):
        sweep.product(CELL, nz=(2, 3))


def test_a_wrong_number_of_jobs_is_refused_before_any_training(model_store):
    with pytest.raises(ValueError, match=r"^The number of jobs is 0; allowed is an integer from 1"):
        sweep.load_or_train([CELL], jobs=0)
    assert not model_store.exists()


def test_a_sweep_gives_what_each_training_alone_gives_in_the_order_asked(capfd):
    cells = sweep.product(CELL, n_z=(4, 2, 3))
    runs = sweep.load_or_train([*cells, cells[0]])
    assert [run.spec for run in runs] == [*cells, cells[0]]
    assert all(same(run, cell) for run, cell in zip(runs, cells, strict=False))
    assert "3/3" in capfd.readouterr().err
    # Trained before: nothing is done, and nothing said.
    sweep.load_or_train(cells)
    assert capfd.readouterr().err == ""


def test_processes_use_this_store_and_give_the_same_bits(model_store, monkeypatch, tmp_path):
    cells = sweep.product(CELL, n_z=(2, 3))
    assert [
        same(*pair) for pair in zip(sweep.load_or_train(cells, jobs=2), cells, strict=True)
    ] == [1, 1]
    # The processes live on: they must see what the store is now, not what it was.
    monkeypatch.setenv("REPINF_MODELS", str(tmp_path / "other"))
    sweep.load_or_train(sweep.product(CELL, n_z=(4, 5)), jobs=2)
    assert len(list(model_store.iterdir())) == 2
    assert len(list((tmp_path / "other").iterdir())) == 2


def test_what_was_interrupted_goes_on_and_what_was_finished_is_skipped(model_store):
    cells = sweep.product(small.SPEC, n_z=(2, 3, 4))
    store.load_or_train(cells[0])

    class Stop(Exception):
        pass

    def stop(record):
        if record.epoch == 3:
            raise Stop

    with pytest.raises(Stop):
        store.load_or_train(cells[1], report=stop, checkpoint_seconds=0)
    interrupted = store.latest_run(cells[1])
    written = store.model_file(cells[0]).stat().st_mtime_ns
    runs = sweep.load_or_train(cells)
    assert all(same(run, cell) for run, cell in zip(runs, cells, strict=True))
    assert store.model_file(cells[0]).stat().st_mtime_ns == written
    # The third epoch's record is the one that the interrupted training wrote.
    assert runs[1].history[:3] == interrupted.history


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failing_cell_is_named_and_the_others_are_trained(jobs, capfd):
    cells = [DIVERGES, *sweep.product(CELL, n_z=(2, 3))]
    with pytest.raises(sweep.SweepError) as failed:
        sweep.load_or_train(cells, jobs=jobs)
    assert list(failed.value.failures) == [DIVERGES]
    first, second = str(failed.value).splitlines()
    assert first == "1 of 3 cells failed; the others are kept."
    assert second.startswith(f"{DIVERGES.name}: TrainingDiverged: The negative_elbo is nan nats")
    assert all(same(store.load_or_train(cell, report=fail), cell) for cell in cells[1:])
    assert f"{DIVERGES.name} failed" in capfd.readouterr().err


def fail(record):
    raise AssertionError("this was trained before")


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """On the CPU what a sweep does on a GPU; the groups that it trained at once."""
    groups, train_together = [], store.train_together

    def spy(specs, device, report):
        groups.append(specs)
        return train_together(specs, device, report)

    monkeypatch.setattr(sweep, "at_once_on_a_gpu", lambda device: True)
    monkeypatch.setattr(store, "train_together", spy)
    return groups


def test_on_a_gpu_those_that_are_alike_train_at_once(as_on_a_gpu, capfd):
    cells = sweep.product(CELL, minibatch=(250, 50), n_z=(2, 3), learning_rates=((1e-2,), (1e-3,)))
    store.load_or_train(cells[2])
    runs = sweep.load_or_train(cells)
    assert as_on_a_gpu == [[cells[0], cells[1], cells[3]], cells[4:]]
    for run, cell in zip(runs, cells, strict=True):
        assert run.epoch == 2
        alone = small.undisturbed(cell).history[-1].test["negative_elbo"]
        assert run.history[-1].test["negative_elbo"] == pytest.approx(alone, rel=1e-3)
    assert "8/8" in capfd.readouterr().err
    assert sweep.load_or_train(cells)[0].history == runs[0].history
    assert len(as_on_a_gpu) == 2


def test_on_a_gpu_a_failing_cell_or_group_costs_no_other(as_on_a_gpu, monkeypatch, capfd):
    cells = [DIVERGES, *sweep.product(CELL, n_z=(2, 3))]
    with pytest.raises(sweep.SweepError, match=r"^1 of 3 cells failed") as failed:
        sweep.load_or_train(cells)
    assert list(failed.value.failures) == [DIVERGES]
    assert f"{DIVERGES.name} failed: TrainingDiverged: The neg" in capfd.readouterr().err
    assert all(store.is_finished(cell) for cell in cells[1:])
    train_together = store.train_together

    def out_of_memory(specs, device, report):
        if specs[0].minibatch == 50:
            raise MemoryError("out of memory")
        return train_together(specs, device, report)

    monkeypatch.setattr(store, "train_together", out_of_memory)
    cells = sweep.product(CELL, minibatch=(50, 200), n_z=(2, 3))
    with pytest.raises(sweep.SweepError, match=r"^2 of 4 cells failed") as failed:
        sweep.load_or_train(cells)
    assert set(failed.value.failures.values()) == {"MemoryError: out of memory"}
    assert list(failed.value.failures) == cells[:2]
    assert all(store.is_finished(cell) for cell in cells[2:])


def at_most(n, function):
    """The function, of which a GPU has room for n models."""

    def limited(specs, *arguments):
        if len(specs) > n:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return function(specs, *arguments)

    return limited


def test_a_group_that_does_not_fit_on_the_gpu_is_halved(as_on_a_gpu, monkeypatch):
    monkeypatch.setattr(store, "train_together", at_most(2, store.train_together))
    cells = sweep.product(CELL, n_z=(2, 3, 4, 5, 6))
    sweep.train(cells)
    assert as_on_a_gpu == [cells[:2], cells[2:3], cells[3:]]
    assert all(store.is_finished(cell) for cell in cells)


def test_a_model_that_does_not_fit_on_the_gpu_at_all_fails(as_on_a_gpu, monkeypatch):
    monkeypatch.setattr(store, "train_together", at_most(0, store.train_together))
    with pytest.raises(sweep.SweepError, match=r"^2 of 2 cells failed") as failed:
        sweep.train(sweep.product(CELL, n_z=(2, 3)))
    assert set(failed.value.failures.values()) == {"OutOfMemoryError: out of memory"}


def test_the_estimate_on_a_gpu_knows_that_a_group_may_not_fit(as_on_a_gpu, monkeypatch):
    cells = sweep.product(CELL, n_z=(2, 3, 4, 5, 6))
    monkeypatch.setattr(
        progress, "seconds_per_step", at_most(2, lambda specs, *_: 60.0 * len(specs))
    )
    # As if each of the five were alone: two epochs of 6 steps, a minute each.
    assert "about 60.0 minutes" in progress.estimate_runtime(cells, "cpu", 1500)
    monkeypatch.setattr(progress, "seconds_per_step", at_most(0, lambda *_: 1.0))
    with pytest.raises(torch.cuda.OutOfMemoryError):
        progress.estimate_runtime(cells, "cpu", 1500)


def test_the_estimate_on_a_gpu_adds_up_the_groups(as_on_a_gpu, monkeypatch):
    def seconds_per_step(specs, n_images, device):
        return 60.0 * len(specs)

    monkeypatch.setattr(progress, "seconds_per_step", seconds_per_step)
    cells = sweep.product(CELL, minibatch=(250, 50), n_z=(2, 3))
    *_, time_needed = progress.estimate_runtime(cells, "cpu", 1500).splitlines()
    # Two models a minute and step, two epochs of 6 steps and two of 30.
    assert time_needed.strip().startswith("about 144.0 minutes to train")


def test_a_page_takes_a_half_trained_model_that_ships_and_a_sweep_finishes_it(
    model_store, tmp_path, monkeypatch
):
    half_trained = store.train(CELL, until=1)
    shipped.ship(half_trained, "a revision", "a machine", tmp_path)
    monkeypatch.setenv("REPINF_MODELS", str(tmp_path / "other"))
    entries, load = shipped.manifest(tmp_path), shipped.load
    monkeypatch.setattr(shipped, "manifest", lambda *_: entries)
    monkeypatch.setattr(shipped, "load", lambda spec, device: load(spec, device, tmp_path))
    (run,) = sweep.load_or_train([CELL])
    assert run.epoch == 1
    assert not store.model_file(CELL).exists()
    sweep.train([CELL], jobs=1)
    assert same(store.load_or_train(CELL), CELL)


def test_a_finished_model_that_ships_is_not_trained_again(model_store):
    (finished,) = (
        spec
        for spec in (VAESpec(dataset="mnist", precision="bfloat16", beta=beta) for beta in (3.0,))
        if store.is_finished(spec)
    )
    sweep.train([finished])
    assert not model_store.exists()


def test_a_damaged_model_does_not_get_into_the_store():
    store.load_or_train(CELL)
    content = store.model_file(CELL).read_bytes()
    store.model_file(CELL).unlink()
    with pytest.raises(CheckpointError):
        store.deposit(CELL, small.flip(content, len(content) // 2))
    with pytest.raises(CheckpointError, match="another model"):
        store.deposit(small.spec(epochs=2, n_z=4), content)
    assert not store.is_finished(CELL)
    store.deposit(CELL, content)
    assert store.model_file(CELL).read_bytes() == content


def test_the_estimate_counts_each_cell_once_and_what_is_left():
    cells = sweep.product(CELL, n_z=(2, 3, 4, 5))
    store.load_or_train(cells[1])
    told = progress.estimate_runtime([*cells, *cells], "cpu", 1500).splitlines()
    *_, models, time_needed = told
    assert told[:2] == ["device   cpu, threads: 1", "dataset  digits, 1,500 training images"]
    assert models == "models   4, trained before: 1"
    assert "minutes to train" in time_needed
    assert "minutes" not in progress.estimate_runtime(cells[1:2], "cpu", 1500)


def kill_or_square(number):
    """Kills its process at -1; 1 takes no time, the others are at work or wait at the kill."""
    if number < 0:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    if number > 1:
        time.sleep(2)
    return number**2


@pytest.mark.slow
def test_a_killed_process_of_this_machine_costs_no_other_item():
    found = dict(parallel.outcomes(kill_or_square, [1, -1, 5, 7], jobs=2))
    assert found == {-1: None, 1: 1, 5: 25, 7: 49}


def threads_of(_):
    return torch.get_num_threads()


def test_processes_share_the_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = list(parallel.outcomes(threads_of, ["a", "b"], jobs=2, threads=1))
    assert sorted(found) == [("a", 1), ("b", 1)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers over TCP, real processes with a store of their own: no shared disk."""
    folder = tmp_path_factory.mktemp("workers")
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            protocol="tcp://",
            dashboard_address=None,
            env={"REPINF_MODELS": str(folder / "models")},
            local_directory=str(folder),
        ) as made,
        Client(made) as client,
    ):
        yield client


@pytest.mark.parametrize("shared", [True, False])
def test_a_killed_worker_of_a_cluster_costs_no_cell(cluster, monkeypatch, shared):
    """With a store that all see, and with one that only the caller does."""
    if not shared:
        monkeypatch.setattr(sweep, "_cell", cell_elsewhere)
    cells = sweep.product(small.spec(epochs=12, n_hidden=64), n_z=range(2, 8), seed=[int(shared)])
    victim, kept = next(iter(cluster.run(os.getpid).values())), []
    deposit = store.deposit

    def kill_after_the_first(spec, content):
        deposit(spec, content)
        kept.append(spec)
        if len(kept) == 1:
            os.kill(victim, signal.SIGKILL)

    monkeypatch.setattr(store, "deposit", kill_after_the_first)
    with joblib.parallel_config(backend="dask"):
        runs = sweep.load_or_train(cells)
    assert sorted(kept, key=cells.index) == cells
    assert victim not in cluster.run(os.getpid).values()
    assert all(same(run, cell) for run, cell in zip(runs, cells, strict=True))


def cell_elsewhere(spec, device, folder, stop):
    """On another machine, where the caller's folder is not."""
    return CELL_OF_A_WORKER(spec, device, NOWHERE)


CELL_OF_A_WORKER = sweep._cell
NOWHERE = Path(os.devnull) / "models"  # which not even root can make


def test_what_takes_every_worker_down_is_given_up_and_the_rest_is_done(cluster):
    with joblib.parallel_config(backend="dask"):
        found = dict(parallel.outcomes(kill_or_square, [-1, 1, 5, 7], jobs=1))
    assert found == {-1: None, 1: 1, 5: 25, 7: 49}


def test_a_failing_cell_on_a_cluster_is_named(cluster):
    with (
        joblib.parallel_config(backend="dask"),
        pytest.raises(sweep.SweepError, match="TrainingDiverged: The negative_elbo is nan"),
    ):
        sweep.load_or_train([DIVERGES, CELL])
    assert store.is_finished(CELL)


# --- how many at once, and how long it takes ---------------------------------------------------


def test_a_worker_without_the_callers_folder_uses_its_own():
    assert isinstance(sweep._cell(CELL, "cpu", NOWHERE), bytes)


def test_on_a_gpu_other_numbers_of_epochs_train_apart(as_on_a_gpu):
    cells = [CELL, small.spec(epochs=3)]
    assert [run.epoch for run in sweep.load_or_train(cells)] == [2, 3]
    assert as_on_a_gpu == [[cells[0]], [cells[1]]]


@pytest.fixture
def eight_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)


def test_a_cell_has_the_same_threads_however_many_are_trained_already(eight_threads, monkeypatch):
    """So that its bits do not depend on which others were interrupted."""
    cells, met = sweep.product(CELL, n_z=(2, 3, 4)), []

    def spy(specs, device, jobs, bar):
        met.append((len(specs), jobs))
        return {}

    store.load_or_train(cells[0])
    monkeypatch.setattr(sweep, "_one_by_one", spy)
    sweep.train(cells)
    assert met == [(2, 3)]


def test_the_threads_are_shared_among_the_cells(eight_threads, monkeypatch):
    met = []

    def spy(work, cells, jobs, threads):
        met.append((jobs, threads))
        return []

    monkeypatch.setattr(parallel, "outcomes", spy)
    sweep.train(sweep.product(CELL, n_z=(2, 3)))
    assert met == [(2, 4)]


def test_the_time_is_that_of_all_steps_of_all_cells_shared_by_those_at_once(monkeypatch):
    monkeypatch.setattr(progress, "seconds_per_step", lambda *_: 60.0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    cells = sweep.product(CELL, n_z=(2, 3), seed=(0, 1))
    # 4 cells, 2 epochs, 1,500 images in 6 minibatches; one image more is one minibatch more.
    assert "about 24.0 minutes" in progress.estimate_runtime(cells, "cpu", 1500)
    assert "about 28.0 minutes" in progress.estimate_runtime(cells, "cpu", 1501)


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["first process", "all processes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_grid_keeps_what_its_cells_had_trained(whom, number, model_store):
    command = [sys.executable, "-m", "repinf_core.cli", "sweep", "--profile", "smoke"]
    options = ["-p", "epochs", "100000", "--over", "n_z", "[2, 3, 4]", "--jobs", "2"]
    with subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        try:
            while len(list(model_store.glob("*/lock"))) < 2:
                time.sleep(0.1)
            (os.kill if whom == "first process" else os.killpg)(child.pid, number)
            _, told = child.communicate(timeout=60)  # as long as one of its processes lives
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == 130
    assert "Traceback" not in told
    assert "the same command goes on" in told
    if whom == "first process":  # the others end their epoch
        assert len(list(model_store.glob("*/checkpoint-*.safetensors"))) == 2
