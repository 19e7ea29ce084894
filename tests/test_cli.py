"""The commands, and that a training loses nothing, however and whenever it is stopped."""

import functools
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import small
import torch

import repinf_core
from repinf_core import cli, results
from repinf_core.models.conv import ConvSpec
from repinf_core.training import checkpoint, paths, shipped, store
from repinf_core.training.fast import hand_written
from repinf_core.training.fit import fit
from repinf_core.training.run import TrainingRun

STEPS = 6  # of an epoch of small.SPEC: 1,500 digits in minibatches of 250


def command(**changes):
    """The command line's words for small.SPEC, in profile smoke."""
    values = json.loads(small.SPEC.as_json()) | changes
    del values["family"], values["version"]
    words = [["-p", name, str(value)] for name, value in values.items()]
    return ["--profile", "smoke", *itertools.chain(*words)]


def files(spec=small.SPEC):
    return sorted(path.name for path in (store.models_folder() / spec.name).glob("*.safetensors"))


def in_third_epoch(patch, action):
    """Have something happen in the middle of the third epoch."""
    # The fast path proves itself before the steps are counted.
    paths.choose([TrainingRun(small.SPEC)], small.digits(250))
    steps, original = itertools.count(1), hand_written.backpropagate

    def gradient(*args):
        objective = original(*args)
        return action(objective) if next(steps) == 2 * STEPS + 3 else objective

    patch.setattr(hand_written, "backpropagate", gradient)


def assert_undisturbed(run):
    whole = small.undisturbed(run.spec)
    assert small.bits(small.vector(run)) == small.bits(small.vector(whole))
    assert small.without_times(run.history) == small.without_times(whole.history)


def train(arguments):
    cli.main(["train", *arguments])


def refused(arguments, command="train"):
    """The one sentence with which a command ends."""
    with pytest.raises(SystemExit) as error:
        cli.main([command, *arguments])
    assert isinstance(error.value.code, str)  # status 1, and the text on stderr
    assert "\n" not in error.value.code
    return error.value.code


# --- training and resuming --------------------------------------------------------------------


def test_a_command_trains_the_model_and_the_next_one_finds_it(capsys, monkeypatch):
    train(command())
    printed = capsys.readouterr()
    assert_undisturbed(store.latest_run(small.SPEC))
    last = store.latest_run(small.SPEC).history[-1]
    assert f"4 of 4 epochs, test negative_elbo {last.test['negative_elbo']:.6g}" in printed.out
    monkeypatch.setattr(store, "load", lambda *args: pytest.fail("trains again"))
    train(command())
    assert printed.out == capsys.readouterr().out


def test_until_stops_with_a_checkpoint_and_the_schedule_goes_on(capsys):
    train([*command(), "--until", "1"])
    assert files() == ["checkpoint-1.safetensors"]
    train([*command(), "--until", "3"])
    assert files() == ["checkpoint-1.safetensors", "checkpoint-3.safetensors"]
    assert store.latest_run(small.SPEC).epoch == 3
    bar = capsys.readouterr().err.split("\r")[-1]
    assert " 3/3 " in bar
    train([*command(), "--until", "2"])  # is reached already
    assert files() == ["checkpoint-1.safetensors", "checkpoint-3.safetensors"]
    train(command())
    assert files() == ["model.safetensors"]
    assert_undisturbed(store.latest_run(small.SPEC))


def test_the_bar_tells_the_objective_and_its_floor(capsys):
    train(command())
    last = store.latest_run(small.SPEC).history[-1]
    x = small.data.load("digits", "test").images.double()
    floor = torch.special.entr(x).sum(1).mean() + torch.special.entr(1 - x).sum(1).mean()
    bar = capsys.readouterr().err.split("\r")[-1]
    assert f"{last}, floor of reconstruction {floor:.1f}" in bar


def test_a_model_that_ships_is_trained_all_the_same(capsys, monkeypatch):
    monkeypatch.setattr(shipped, "manifest", lambda: {small.SPEC.name: {"epochs_trained": 3}})
    train([*command(), "--until", "2"])
    assert "ships, trained for 3 of 4 epochs, but without" in capsys.readouterr().out
    train(command())
    assert "ships, trained" not in capsys.readouterr().out
    assert_undisturbed(store.latest_run(small.SPEC))


# --- stopping ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_an_epoch_saves_the_one_before_it(monkeypatch, capsys, number):
    with monkeypatch.context() as patch:
        in_third_epoch(patch, lambda _: signal.raise_signal(number))
        with pytest.raises(SystemExit) as error:
            train(command())
    assert error.value.code == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert files() == ["checkpoint-2.safetensors"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    train(command())
    assert_undisturbed(store.latest_run(small.SPEC))


def test_an_interrupted_notebook_loses_no_complete_epoch(monkeypatch):
    with monkeypatch.context() as patch:
        in_third_epoch(patch, lambda _: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            store.load_or_train(small.SPEC)
    assert files() == ["checkpoint-2.safetensors"]
    assert_undisturbed(store.load_or_train(small.SPEC))


def test_a_signal_while_a_checkpoint_is_written_spoils_none(monkeypatch):
    def interrupted(tensors, path, metadata):
        patch.undo()
        Path(path).write_bytes(b"the beginning of a checkpoint")
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.train(small.SPEC, checkpoint_seconds=0)
    assert files() == ["checkpoint-1.safetensors"]
    assert_undisturbed(store.train(small.SPEC))


def test_who_handles_sigterm_already_still_does(monkeypatch):
    received = []
    before = signal.signal(signal.SIGTERM, lambda *args: received.append(args))
    try:
        with monkeypatch.context() as patch:
            in_third_epoch(patch, lambda done: signal.raise_signal(signal.SIGTERM) or done)
            run = store.train(small.SPEC)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(received) == 1
    assert_undisturbed(run)


def test_sigterm_means_another_thing_in_the_trainer_only():
    met = []
    store.load_or_train(small.SPEC, report=lambda _: met.append(signal.getsignal(signal.SIGTERM)))
    store.train(small.spec(seed=4), report=lambda _: met.append(signal.getsignal(signal.SIGTERM)))
    assert met == [signal.SIG_DFL] * 4 + [signal.default_int_handler] * 4


def test_a_thread_trains_without_a_word_about_signals():
    runs = []
    thread = threading.Thread(target=lambda: runs.append(store.train(small.SPEC)))
    thread.start()
    thread.join()
    assert_undisturbed(runs[0])


def run_module(*arguments, command="train", **options):
    package = str(Path(repinf_core.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "repinf_core.cli", command, *arguments],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.slow
def test_a_process_that_is_terminated_can_go_on():
    spec = small.spec(epochs=100_000)
    process = run_module(*command(epochs=spec.epochs))
    for line in process.stderr:  # tqdm's \r ends a line too
        if f"{spec.name}:" in line:  # an epoch is complete
            break
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors
    run = store.latest_run(spec)
    assert files(spec) == [f"checkpoint-{run.epoch}.safetensors"]
    more = run.epoch + 2
    train([*command(epochs=spec.epochs), "--until", str(more)])
    whole = TrainingRun(spec)
    splits = [small.data.load("digits", split) for split in ("train", "test")]
    list(itertools.islice(fit(whole, *splits), more))
    assert small.bits(small.vector(store.latest_run(spec))) == small.bits(small.vector(whole))


KILLED = """
import itertools, json, os, random, signal, sys, traceback
from types import SimpleNamespace
import torch
from repinf_core.models import spec_from_json
from repinf_core.training import fit, store

torch.set_num_threads(1)
spec = spec_from_json(sys.argv[1])
folder = sys.argv[2]
# A clock that ticks once when it is read: the recorded times are the same in every run.
fit.time = SimpleNamespace(perf_counter=itertools.count().__next__)

def train(models, moment):
    '''Train in a process that kills itself at its moment-th call or return of a function.'''
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.environ["REPINF_MODELS"] = models
            moments = itertools.count()
            def profiler(*_):
                if next(moments) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
            sys.setprofile(profiler)
            store.train(spec, checkpoint_seconds=0)
            sys.setprofile(None)
            os.write(write, str(next(moments)).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(write)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), int(os.read(read, 20) or 0)

status, length = train(folder + "/undisturbed", None)
seen = [status]
moments = random.Random(0)
for _ in range(10):
    seen.append(train(folder + "/killed", moments.randrange(length // 6))[0])
seen.append(train(folder + "/killed", None)[0])
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_no_bit_of_the_model(tmp_path):
    spec = small.spec(epochs=12)
    run = subprocess.run(
        [sys.executable, "-c", KILLED, spec.as_json(), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(repinf_core.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [0] + [-signal.SIGKILL] * 10 + [0], run.stderr
    paths = [tmp_path / which / spec.name for which in ("undisturbed", "killed")]
    whole, resumed = (TrainingRun.load(path / "model.safetensors", spec) for path in paths)
    assert resumed.history == whole.history  # the ticks of its clock among it
    assert small.bits(small.vector(resumed)) == small.bits(small.vector(whole))
    assert {path.name for path in paths[1].iterdir()} == {"model.safetensors", "lock"}


# --- errors -----------------------------------------------------------------------------------


def test_a_training_at_its_floor_is_no_bug():
    # A decoder that says 0.3 of pixels of 0.3 is at the floor, and by rounding below it.
    grey = small.data.LabelledImages(torch.full((100, 784), 0.3), torch.zeros(100))
    run = TrainingRun(small.spec(learning_rates=(1e-12,)))
    for parameter in run.model.parameters():
        parameter.data.zero_()
    run.model.decoder_out.bias.data.fill_(math.log(0.3 / 0.7))
    (record,) = small.run_epochs(run, 1, grey)
    entropy = -784 * (0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    assert record.test["reconstruction"] == pytest.approx(entropy, rel=1e-6)


def test_nan_stops_in_one_sentence_and_keeps_the_last_good_state(monkeypatch):
    nan = torch.full((), math.nan)
    with monkeypatch.context() as patch:
        in_third_epoch(patch, lambda done: done._replace(total=nan))
        assert "nan nats in training" in refused(command())
    assert files() == ["checkpoint-2.safetensors"]
    train(command())
    assert_undisturbed(store.latest_run(small.SPEC))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--profile", "papers"], "Parameter profile is 'papers'; allowed is one of smoke"),
        (["-p", "n_zz", "7"], "Parameter n_zz (set to 7) is unknown; allowed are"),
        (["-p", "trials", "7"], "Parameter trials shapes no model"),
        (["-p", "n_z", "0"], "Parameter n_z is 0; allowed is an integer from 1 to 4096."),
        (
            ["-p", "beta", "much"],
            "Parameter beta is 'much'; allowed is a number from 0 to 3.4e+38.",
        ),
        (["--until", "0"], "Epoch --until is 0; allowed is an integer from 1 to 300."),
        (["--until", "301"], "Epoch --until is 301; allowed is an integer from 1 to 300."),
        (["--family", "vea"], "--family is 'vea'; allowed is one of vae, "),
        (["--network", "DAE"], "--network is 'DAE'; allowed is one of 'vae'."),
        (
            ["--family", "conv", "--network", "dae"],
            "--network is 'dae'; allowed is one of 'CAE', 'DAE', 'VAE', 'CAE, linear latents', ",
        ),
        # Its networks have their own number of epochs.
        (["--family", "conv", "-p", "epochs", "5"], "Parameter epochs shapes no model of family "),
        (
            ["--family", "conv", "--until", "61"],
            "--until is 61; allowed is an integer from 1 to 60.",
        ),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence(arguments, sentence, model_store):
    assert sentence in refused(arguments)
    assert not model_store.exists()


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        (("n_z", "7"), "The values of --over n_z are 7; allowed is a list of one or more."),
        (("n_z", "[0]"), "Parameter n_z is 0; allowed is an integer from 1 to 4096."),
        (("trials", "[5]"), "Parameter trials shapes no model of family vae"),
    ],
)
def test_a_wrong_grid_is_refused_in_one_sentence(over, sentence, model_store):
    assert refused(["--over", *over], "sweep").startswith(sentence)
    assert not model_store.exists()


def test_a_grid_is_trained_and_what_is_there_is_listed(capsys, model_store):
    grid = ["sweep", *command(), "--over", "n_z", "[2, 3]", "--over", "seed", "[1, 2]"]
    cli.main([*grid, "--jobs", "1"])
    cells = [small.spec(n_z=n_z, seed=seed) for n_z in (2, 3) for seed in (1, 2)]
    assert all(store.is_finished(cell) for cell in cells)
    train([*command(), "--until", "2"])
    capsys.readouterr()
    cli.main(["models"])
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    for cell in cells:
        assert " 4 of 4 " in lines[cell.name]
    assert " 2 of 4 " in lines[small.SPEC.name]
    last = store.latest_run(small.SPEC).history[-1].test
    assert f" {last['negative_elbo']:.2f} " in lines[small.SPEC.name]
    shipping = shipped.manifest()
    assert all(lines[name].split()[0] == "ships" for name in shipping)


def test_a_model_that_cannot_be_listed_says_why(capsys, model_store):
    own = json.loads(small.SPEC.as_json())
    told = {
        "family": (json.dumps(own | {"family": "diffusion"}), "of another version"),
        "mathematics": (json.dumps(own | {"version": 99}), "of another version"),
        "broken": ("{", "damaged"),
    }
    history = json.dumps([{"epoch": 4, "test": {"loss": 1.0}}])
    for name, (spec, _) in told.items():
        metadata = {"spec": spec, "history": history, "format": checkpoint.FORMAT}
        (model_store / name).mkdir(parents=True)
        checkpoint.write({"a": torch.zeros(1)}, model_store / name / "model.safetensors", metadata)
    cli.main(["models"])
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    for name, (_, reason) in told.items():
        assert lines[name].split(name)[1].strip() == reason


def test_the_command_ends_with_status_1_and_nothing_but_the_sentence():
    process = run_module("-p", "n_zz", "7")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("Parameter n_zz (set to 7) is unknown;")
    assert errors.count("\n") == 1


def test_missing_data_and_damaged_files_are_told_in_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("REPINF_DATA", str(tmp_path / "a file"))
    assert "set REPINF_DATA to a folder" in refused(["--profile", "paper"])
    train([*command(), "--until", "2"])
    path = store.models_folder() / small.SPEC.name / "checkpoint-2.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    sentence = refused(command())
    assert sentence.startswith(f"{path} is damaged or altered; delete it")
    monkeypatch.setenv("REPINF_MODELS", str(tmp_path / "a file"))
    assert "set REPINF_MODELS to a folder" in refused(command())


# --- shipping ---------------------------------------------------------------------------------


def test_what_is_reached_ships_finished_or_not(monkeypatch, tmp_path, capsys):
    shipping = [*command(), "--machine", "a machine"]
    monkeypatch.setattr(shipped, "ship", functools.partial(shipped.ship, folder=tmp_path))
    assert "train it with repinf train" in refused(shipping, "ship")
    for until in (2, 4):
        train([*command(), "--until", str(until)])
        cli.main(["ship", *shipping])
        entry = shipped.manifest(tmp_path)[small.SPEC.name]
        assert (entry["epochs_trained"], entry["device"]) == (until, "a machine")
        assert entry["revision"] == results.revision()
        expected = small.vector(store.latest_run(small.SPEC)).half().float()
        assert torch.equal(small.vector(shipped.load(small.SPEC, folder=tmp_path)), expected)
        assert f"{until} of 4 epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (None, {}),
        ("DAE", {"noise_level": 0.2}),
        ("VAE", {"variational": True, "rectified": False}),
        ("CAE, linear latents", {"rectified": False}),
        ("VAE, rectified mean", {"variational": True}),
        ("CAE, cropped images", {"border": 4}),
    ],
)
def test_each_convolutional_network_is_trained_and_shipped_by_its_name(
    monkeypatch, tmp_path, network, changes
):
    monkeypatch.setattr(shipped, "ship", functools.partial(shipped.ship, folder=tmp_path))
    parameters = {"channels": 1, "conv_epochs": 1, "minibatch": 500, "denoising_level": 0.2}
    words = ["--profile", "smoke", "--family", "conv"]
    words += [word for name, value in parameters.items() for word in ("-p", name, str(value))]
    words += ["--network", network] if network else []
    train(words)
    cli.main(["ship", *words, "--machine", "a machine"])
    expected = ConvSpec(dataset="digits", epochs=1, minibatch=500, channels=1, **changes)
    assert set(shipped.manifest(tmp_path)) == {expected.name}
    found, trained = shipped.load(expected, folder=tmp_path), store.latest_run(expected)
    assert (found.epoch, found.history[-1].test) == (1, pytest.approx(trained.history[-1].test))
    assert torch.equal(small.vector(found), small.vector(trained).half().float())


def test_what_ships_is_said_of_which_machine(capsys):
    with pytest.raises(SystemExit) as error:
        cli.main(["ship", *command()])
    assert error.value.code == 2
    assert "--machine" in capsys.readouterr().err
