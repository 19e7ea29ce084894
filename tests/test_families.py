"""Any family of models trains, is kept and comes back through the same code.

The second family here is a convolutional autoencoder of a few lines: it needs nothing but its
model, its spec and an entry in the dict.
"""

import dataclasses
import itertools
import json
import signal
from dataclasses import dataclass
from typing import ClassVar

import pytest
import small
import torch
import torch.nn.functional as F
from torch import nn

from repinf_core import models
from repinf_core.dynamics import rollout
from repinf_core.models.base import Model, Spec
from repinf_core.models.classifier import ClassifierSpec
from repinf_core.models.conv import ConvSpec
from repinf_core.models.denoiser import DenoiserSpec
from repinf_core.training import checkpoint, convert, general, progress, shipped, store, sweep
from repinf_core.training.checkpoint import CheckpointError
from repinf_core.training.fit import BelowFloor, TrainingDiverged, fit
from repinf_core.training.run import TrainingRun


class TinyAutoencoder(Model):
    """28 x 28 -> channels x 7 x 7 -> 28 x 28, squared error."""

    def __init__(self, channels, generator):
        super().__init__()
        self.encoder = nn.Conv2d(1, channels, 4, stride=4)
        self.decoder = nn.ConvTranspose2d(channels, 1, 4, stride=4)
        for layer in self.children():
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def encode_mean(self, x):
        return self.encoder(x.view(-1, 1, 28, 28)).flatten(1)

    def decode_mean(self, z):
        return torch.sigmoid(self.decoder(z.view(len(z), -1, 7, 7))).flatten(1)

    def loss(self, x, generator, labels=None):
        noisy = x + 0.1 * torch.randn(x.shape, generator=generator, device=x.device)
        error = (self.decode_mean(self.encode_mean(noisy)).to(x.dtype) - x).square().sum(1).mean()
        return {"squared_error": error}

    def floor(self, x):
        return {"squared_error": 0.0}


@dataclass(frozen=True, kw_only=True)
class TinySpec(Spec):
    family: ClassVar[str] = "tiny"
    channels: int = 2

    def build(self, generator):
        return TinyAutoencoder(self.channels, generator)


TINY = TinySpec(
    dataset="digits", epochs=4, learning_rates=(1e-2, 1e-3), minibatch=100, seed=3, channels=3
)
CLASSIFIER = ClassifierSpec(dataset="digits", epochs=4, minibatch=100, seed=3)
DENOISER = DenoiserSpec(
    dataset="digits", epochs=4, learning_rates=(1e-2, 1e-3), minibatch=100, seed=3, n_z=3,
    n_hidden=16,
)  # fmt: skip
CONVOLUTIONAL = ConvSpec(
    dataset="digits", epochs=4, learning_rates=(1e-2, 1e-3), minibatch=100, seed=3, channels=3,
    variational=True, rectified=False,
)  # fmt: skip
every_family = pytest.mark.parametrize(
    "spec", [small.SPEC, TINY, CLASSIFIER, DENOISER, CONVOLUTIONAL], ids=lambda spec: spec.family
)


IMAGES = small.digits(200)


@pytest.fixture(autouse=True)
def second_family(monkeypatch):
    monkeypatch.setitem(models.FAMILIES, "tiny", TinySpec)


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    """The store trains on the first 200 digits."""
    monkeypatch.setattr(store, "load", lambda dataset, split: IMAGES)


def undisturbed(spec):
    """The run of a spec on these images, trained without the store."""
    run = TrainingRun(spec)
    list(fit(run, IMAGES, IMAGES))
    return run


def bits(run):
    return small.bits(small.vector(run))


class Stop(Exception):
    """Raised in the middle of a training."""


def stop_after(epoch):
    def report(record):
        if record.epoch == epoch:
            raise Stop

    return report


@every_family
def test_it_is_trained_once_kept_and_described(spec, model_store, capsys):
    assert not store.is_finished(spec)
    assert "4 epochs to train" in progress.estimate_runtime([spec], "cpu", 1500)
    with progress.bar(spec) as report:
        first = store.load_or_train(spec, report=report)
    assert " 4/4 " in capsys.readouterr().err
    again = store.load_or_train(spec, report=lambda record: pytest.fail("trains again"))
    assert bits(again) == bits(first) == bits(undisturbed(spec))
    assert again.history == first.history
    assert [path.name for path in model_store.iterdir()] == [spec.name]
    assert "no training now" in progress.estimate_runtime([spec], "cpu", 1500)


@every_family
def test_an_interrupted_training_goes_on_bit_for_bit(spec):
    with pytest.raises(Stop):
        store.train(spec, report=stop_after(2), checkpoint_seconds=0)
    epochs = []
    resumed = store.train(spec, report=lambda record: epochs.append(record.epoch))
    assert epochs == [3, 4]
    assert bits(resumed) == bits(undisturbed(spec))


@every_family
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_an_epoch_loses_no_complete_one(spec, number):
    """It comes while the third epoch's minibatches run."""

    class Interrupted(type(spec)):
        def build(self, generator):
            model = super().build(generator)
            counted = itertools.count()
            steps = 2 * -(-len(IMAGES.images) // self.minibatch)

            def hook(*_):
                if model.training and next(counted) == steps:
                    signal.raise_signal(number)

            next(model.children()).register_forward_hook(hook)
            return model

    interrupted = Interrupted(**{f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("repinf_core.training.paths.PATHS", {})
        with pytest.raises(KeyboardInterrupt):
            store.train(interrupted)
        names = [path.name for path in store.model_file(spec).parent.glob("*.safetensors")]
        assert names == ["checkpoint-2.safetensors"]
        assert bits(store.train(spec)) == bits(undisturbed(spec))


@every_family
def test_a_training_that_diverges_is_no_model(spec):
    diverging = dataclasses.replace(spec, learning_rates=(1e-3, 1e39), epochs=2)
    with pytest.raises(TrainingDiverged, match=f"epoch 2 of {diverging.name}"):
        store.train(diverging, checkpoint_seconds=0)
    assert not store.is_finished(diverging)
    assert store.latest_run(diverging).epoch == 1


@every_family
def test_a_term_below_its_floor_is_a_bug_and_no_model(spec):
    term = next(iter(TrainingRun(spec).model.floor(small.digits(10).images)))

    class Cheat(general.GeneralPath):
        def evaluate(self, run, test):
            return super().evaluate(run, test) | {term: -1.0}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("repinf_core.training.fit.choose", Cheat)
        with pytest.raises(BelowFloor, match=term):
            store.train(spec)
    assert store.latest_run(spec) is None


@every_family
def test_a_damaged_or_foreign_file_is_refused(spec):
    one, other = (dataclasses.replace(spec, seed=seed, epochs=1) for seed in (1, 2))
    files = [store.model_file(of) for of in (one, other)]
    for of in (one, other):
        store.train(of)
    files[1].write_bytes(files[0].read_bytes())
    with pytest.raises(CheckpointError, match="another model"):
        store.train(other)
    content = files[0].read_bytes()
    files[0].write_bytes(small.flip(content, len(content) - 50))
    with pytest.raises(CheckpointError, match="damaged or altered"):
        store.train(one)


@every_family
def test_its_spec_survives_json_and_each_field_is_in_its_name(spec):
    assert models.spec_from_json(spec.as_json()) == spec
    others = {
        "precision": "bfloat16", "dataset": "mnist", "learning_rates": (0.5,), "noise": "invert"
    }  # fmt: skip
    names = {spec.name}
    fields = dataclasses.fields(spec)
    for field in fields:
        value = others.get(field.name) or getattr(spec, field.name) + 1
        names.add(dataclasses.replace(spec, **{field.name: value}).name)
    assert len(names) == len(fields) + 1


@every_family
def test_a_shipped_model_comes_back_as_float16(spec, tmp_path, monkeypatch):
    run = store.train(spec, until=2)
    shipped.ship(run, "a revision", "a machine", tmp_path)
    back = shipped.load(spec, folder=tmp_path)
    assert small.bits(small.vector(back)) == small.bits(small.vector(run).half().float())
    assert back.epoch == 2
    for record, original in zip(back.history, run.history, strict=True):
        assert record.test == pytest.approx(original.test, rel=1e-6)
        assert record.train == pytest.approx(original.train, rel=1e-6)


@every_family
def test_a_sweep_trains_its_cells(spec):
    cells = sweep.product(spec, seed=(1, 2))
    found = sweep.load_or_train(cells, jobs=1)
    assert [bits(run) for run in found] == [bits(undisturbed(cell)) for cell in cells]


def test_bfloat16_products_leave_a_training_nearly_as_it_is():
    exact, narrow = (
        TrainingRun(dataclasses.replace(TINY, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    for run in (exact, narrow):
        small.run_epochs(run, 4, small.digits(500))
    found, expected = (run.history[-1].test["squared_error"] for run in (narrow, exact))
    assert found == pytest.approx(expected, rel=0.02)


def test_a_second_family_is_iterated_like_the_first():
    run = store.train(TINY)
    memories = models.memories(run.model, small.digits(20).images)
    assert memories.shape == (20, 3 * 7 * 7)
    ran = rollout.rollout(run.model, small.digits(20).images, 5)
    torch.testing.assert_close(ran.z_first, memories)
    x = run.model.decode_mean(memories)
    for _ in range(4):
        x = run.model.decode_mean(run.model.encode_mean(x))
    torch.testing.assert_close(ran.z_last, run.model.encode_mean(x))


def test_its_training_is_that_of_a_plain_loop():
    run, train = TrainingRun(TINY), small.digits(500)
    model = TINY.build(torch.Generator().manual_seed(TINY.seed))
    adam = torch.optim.Adam(model.parameters(), eps=1e-8)
    generator = torch.Generator().manual_seed(TINY.seed)
    for rate in (1e-2, 1e-2, 1e-3, 1e-3):
        adam.param_groups[0]["lr"] = rate
        for rows in torch.randperm(500, generator=generator).split(TINY.minibatch):
            x = train.images[rows]
            noisy = x + 0.1 * torch.randn(x.shape, generator=generator)
            h = F.conv2d(noisy.view(-1, 1, 28, 28), model.encoder.weight, model.encoder.bias, 4)
            logits = F.conv_transpose2d(h, model.decoder.weight, model.decoder.bias, 4)
            loss = (torch.sigmoid(logits).flatten(1) - x).square().sum(1).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
    list(fit(run, train, train))
    for found, expected in zip(run.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_file_of_version_0_1_is_told_and_converted(model_store):
    """As that version wrote it: one vector, records of one level, the whole spec in the name."""
    run = TrainingRun(small.spec(epochs=9))
    small.run_epochs(run, 2, small.digits(300))
    moments = run.moments()
    names = [name for name, _ in run.model.named_parameters()]
    flat = {
        f"adam.{of}": torch.cat([moments[f"{name}.{of}"].flatten() for name in names])
        for of in ("exp_avg", "exp_avg_sq")
    }
    tensors = {"weights": small.vector(run), "generator": run.generator.get_state(), **flat}
    tensors["adam.step"] = moments[f"{names[0]}.step"].clone()
    history = [
        {f"{split}_{name}": value for split in ("train", "test")
         for name, value in getattr(record, split).items() if name != "active_latents"}
        | {"active_latents": record.test["active_latents"]}
        | {name: getattr(record, name)
           for name in ("epoch", "learning_rate", "seconds", "images_per_second")}
        for record in run.history
    ]  # fmt: skip
    values = json.loads(run.spec.as_json())
    del values["family"], values["version"]
    metadata = {
        "spec": json.dumps(values, sort_keys=True),
        "history": json.dumps(history),
        "device": "cpu",
    }
    metadata["sha256"] = checkpoint._digest(tensors, metadata)
    old = model_store / convert.old_name(run.spec) / "checkpoint-2.safetensors"
    checkpoint.write(tensors, old, metadata)
    with pytest.raises(CheckpointError, match=r"of version 0\.1; `repinf convert`"):
        store.load_or_train(run.spec)
    (line,) = convert.convert_store(model_store)
    assert line.startswith(str(old.relative_to(model_store)))
    assert list(convert.convert_store(model_store)) == []
    back = store.latest_run(run.spec)
    small.run_epochs(back, 9, small.digits(300))
    small.run_epochs(run, 9, small.digits(300))
    assert bits(back) == bits(run)
    assert old.exists()
