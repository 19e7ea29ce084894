"""Training does what its definitions say, by whichever path, and goes on bit for bit."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import references
import safetensors.numpy
import small
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from repinf_core import profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.training import paths
from repinf_core.training.checkpoint import CheckpointError
from repinf_core.training.fit import (
    BelowFloor,
    TrainingDiverged,
    fit,
    fit_together,
    seconds_per_step,
)
from repinf_core.training.general import GeneralPath, evaluate
from repinf_core.training.run import TrainingRun

PRECISIONS = pytest.mark.parametrize("precision", profiles.PRECISIONS)


@pytest.fixture(params=["general", "hand-written"])
def path(request, monkeypatch):
    """Training by either path."""
    if request.param == "general":
        monkeypatch.setattr(paths, "PATHS", {})
    return request.param


def assert_same_run(run, other):
    """Bit for bit: weights, Adam's state, generator, history but for its times."""
    assert small.bits(small.vector(run)) == small.bits(small.vector(other))
    moments, other_moments = run.moments(), other.moments()
    assert set(moments) == set(other_moments)
    for name in moments:
        assert small.bits(moments[name]) == small.bits(other_moments[name]), name
    assert small.bits(run.generator.get_state()) == small.bits(other.generator.get_state())
    assert small.without_times(run.history) == small.without_times(other.history)


# --- the loop, against float64 ----------------------------------------------------------------


def losses(w, x, epsilon, beta):
    """-ELBO, KL and reconstruction written again; mean over images, in nats."""
    mu, log_variance = F.linear(torch.tanh(F.linear(x, w[0], w[1])), w[2], w[3]).chunk(2, dim=1)
    z = mu + torch.exp(log_variance / 2) * epsilon
    logits = F.linear(torch.tanh(F.linear(z, w[4], w[5])), w[6], w[7])
    nll = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
    q = torch.distributions.Normal(mu, torch.exp(log_variance / 2))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    reconstruction = nll.sum(-1).mean()
    return torch.stack([beta * kl + reconstruction, kl, reconstruction])


def trained_in_float64(spec, train, test):
    """The run's training in float64, by torch's own optimiser, from the same random numbers.

    Returns:
        the parameters; of each epoch the three terms in training and on test images.
    """
    start = TrainingRun(spec).model.parameters()
    w = [parameter.detach().double().requires_grad_() for parameter in start]
    adam = torch.optim.Adam(w, betas=(0.9, 0.999), eps=1e-8)
    generator, history = torch.Generator().manual_seed(spec.seed), []

    def epsilon(n, of):
        return torch.randn(spec.n_samples, n, spec.n_z, generator=of).double()

    for epoch in range(spec.epochs):
        rate = spec.learning_rates[len(spec.learning_rates) * epoch // spec.epochs]
        adam.param_groups[0]["lr"] = rate
        in_training = torch.zeros(3)
        for rows in torch.randperm(len(train), generator=generator).split(spec.minibatch):
            terms = losses(w, train[rows], epsilon(len(rows), generator), spec.beta)
            adam.zero_grad()
            terms[0].backward()
            adam.step()
            in_training = in_training + terms.detach() * len(rows) / len(train)
        with torch.no_grad():
            of_test = torch.Generator().manual_seed(spec.seed)
            parts = [
                losses(w, x, epsilon(len(x), of_test), spec.beta) * len(x) / len(test)
                for x in test.split(1000)
            ]
        history.append((in_training.tolist(), sum(parts).tolist()))
    return w, history


@pytest.mark.parametrize("changes", [{}, {"beta": 3.0, "n_samples": 1, "n_z": 1}])
def test_a_training_is_that_of_the_definitions_in_float64(path, changes):
    """Order, latents, schedule, Adam, and the terms while the weights move and after an epoch."""
    spec = small.spec(minibatch=10, **changes)
    train, test = small.digits(25), small.digits(1300)
    run = TrainingRun(spec)
    start = small.vector(run).double()
    records = list(fit(run, train, test))
    weights, history = trained_in_float64(spec, train.images.double(), test.images.double())
    expected = torch.cat([parameter.detach().flatten() for parameter in weights])
    # Steps are of about the rate's size, their direction known to float32's rounding.
    assert (small.vector(run) - expected).norm() <= 1e-3 * (expected - start).norm()
    for record, (in_training, on_test) in zip(records, history, strict=True):
        assert list(record.train.values()) == pytest.approx(in_training, rel=2e-5)
        assert [*record.test.values()][:3] == pytest.approx(on_test, rel=2e-5)
        assert record.path == path
    assert [record.epoch for record in records] == [1, 2, 3, 4]
    assert [record.learning_rate for record in records] == [1e-2, 1e-2, 1e-3, 1e-3]
    mu, _ = references.encode(references.weights(run.model), references.array(test.images))
    assert records[-1].test["active_latents"] == (mu.var(0) > 0.01).sum()


@PRECISIONS
def test_the_objective_goes_down(path, precision):
    run = TrainingRun(small.spec(precision=precision, epochs=20, minibatch=50))
    history = small.run_epochs(run, 20, small.digits(500))
    # An untrained network is worse than the best that knows no image, 784 independent pixels.
    mean = references.array(small.digits(500).images).mean(0)
    entropy = -(mean * np.log(mean + 1e-30) + (1 - mean) * np.log(1 - mean + 1e-30)).sum()
    for split in ("train", "test"):
        first, last = (getattr(record, split)["negative_elbo"] for record in history[:: 20 - 1])
        assert first > entropy > last


def test_a_seed_gives_the_training_and_the_global_generator_is_not_used(path):
    images, runs = small.digits(50), []
    for seed, global_seed in ((3, 0), (3, 1), (4, 0)):
        torch.manual_seed(global_seed)
        runs.append(TrainingRun(small.spec(seed=seed)))
        small.run_epochs(runs[-1], 4, images)
    assert_same_run(runs[0], runs[1])
    assert small.bits(small.vector(runs[0])) != small.bits(small.vector(runs[2]))


def test_fit_ends_with_the_last_epoch_and_then_has_nothing_to_do():
    run, images = TrainingRun(small.SPEC), small.digits(20)
    assert run.epoch == 0
    records = list(fit(run, images, images))
    assert run.history == records
    assert run.epoch == 4
    before = small.bits(small.vector(run))
    assert list(fit(run, images, images)) == []
    assert small.bits(small.vector(run)) == before


def test_the_time_of_a_step_is_measured_and_no_model_is_left_in_its_wake(model_store):
    assert 0 < seconds_per_step([small.SPEC], 200) < 10
    assert not model_store.exists()


# --- what ends a training -----------------------------------------------------------------------


@pytest.mark.parametrize("rates", [(1e30,), (1e-3, 1e30)])
def test_a_training_that_diverges_ends_with_its_epoch_named(path, rates):
    run = TrainingRun(small.spec(epochs=2, learning_rates=rates))
    with pytest.raises(TrainingDiverged, match=f"epoch {len(rates)} of {run.spec.name}"):
        list(fit(run, small.digits(300), small.digits(300)))


def test_the_floor_is_that_of_the_test_images():
    """A decoder that knows each pixel cannot be better than the grey values allow."""
    grey = small.digits(100)
    black_and_white = grey._replace(images=grey.images.round())  # of floor 0

    class Cheat(GeneralPath):
        def evaluate(self, run, test):
            terms = super().evaluate(run, test)
            return terms | {"reconstruction": 0.01 * terms["reconstruction"]}

    spec = small.SPEC
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("repinf_core.training.fit.choose", Cheat)
        with pytest.raises(BelowFloor, match=r"below their floor of \d+\.\d+"):
            list(fit(TrainingRun(spec), black_and_white, grey))


def test_one_that_diverges_ends_and_changes_nothing_of_the_others(path):
    specs = [small.spec(n_z=2), small.spec(learning_rates=(1e30,)), small.spec(n_z=4)]
    runs, images = [TrainingRun(spec) for spec in specs], small.digits(300)
    outcomes = list(fit_together(runs, images, images))
    assert isinstance(outcomes[0][1][1], TrainingDiverged)
    assert [run.epoch for run in runs] == [4, 0, 4]
    for run in (runs[0], runs[2]):
        alone = TrainingRun(run.spec)
        list(fit(alone, images, images))
        assert_same_run(run, alone)


# --- saving and loading ---------------------------------------------------------------------


@PRECISIONS
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_saved_and_loaded_training_goes_on_bit_for_bit(tmp_path, path, precision, n):
    spec, images = small.spec(precision=precision), small.digits(60)
    file = tmp_path / "run.safetensors"
    whole, first = TrainingRun(spec), TrainingRun(spec)
    small.run_epochs(whole, 4, images)
    small.run_epochs(first, n, images)
    first.state().save(file)
    second = TrainingRun.load(file, spec)
    assert_same_run(second, first)
    assert second.history == first.history
    small.run_epochs(second, 4, images)
    assert_same_run(second, whole)
    # The model that is used afterwards has these weights too.
    x = images.images
    assert small.bits(second.model.encode_mean(x)) == small.bits(whole.model.encode_mean(x))


def test_saving_does_not_disturb_the_training(tmp_path, path):
    images, undisturbed, saved = small.digits(60), TrainingRun(small.SPEC), TrainingRun(small.SPEC)
    small.run_epochs(undisturbed, 4, images)
    for _ in fit(saved, images, images):
        saved.state().save(tmp_path / "run.safetensors")
    assert_same_run(saved, undisturbed)


def test_a_finished_run_is_its_weights_by_name_and_needs_only_safetensors(tmp_path):
    run, images, file = TrainingRun(small.SPEC), small.digits(60), tmp_path / "model.safetensors"
    small.run_epochs(run, 4, images)
    run.state().save(file)
    tensors = safetensors.numpy.load_file(file)
    assert set(tensors) == {f"weights.{name}" for name, _ in run.model.named_parameters()}
    w = {name.removeprefix("weights."): value.astype(float) for name, value in tensors.items()}
    mu, _ = references.encode(w, references.array(images.images))
    # The file's float32 weights in float64, against float32 sums of 784 terms of about 0.1.
    np.testing.assert_allclose(run.model.encode_mean(images.images).detach(), mu, atol=2e-6)


@pytest.mark.cuda
def test_saved_and_loaded_training_goes_on_on_cuda(tmp_path):
    spec, images = small.spec(precision="bfloat16"), small.digits(60)
    file = tmp_path / "run.safetensors"
    whole, first = (TrainingRun(spec, "cuda") for _ in range(2))
    assert small.bits(small.vector(whole)) == small.bits(small.vector(TrainingRun(spec)))
    small.run_epochs(whole, 4, images)
    small.run_epochs(first, 2, images)
    first.state().save(file)
    second = TrainingRun.load(file, spec, "cuda")
    small.run_epochs(second, 4, images)
    assert_same_run(second, whole)


def unfinished_checkpoint(tmp_path):
    run, file = TrainingRun(small.SPEC), tmp_path / "run.safetensors"
    small.run_epochs(run, 2, small.digits(20))
    run.state().save(file)
    return file


def assert_refused_and_kept(file, content):
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged or altered") as error:
        TrainingRun.load(file, small.SPEC)
    assert str(file) in str(error.value)
    assert file.read_bytes() == content


def test_one_altered_byte_of_a_tensor_is_refused(tmp_path):
    file = unfinished_checkpoint(tmp_path)
    content = file.read_bytes()
    tensors = 8 + int.from_bytes(content[:8], "little")
    for place in np.linspace(tensors, len(content) - 1, 12).astype(int):
        assert_refused_and_kept(file, small.flip(content, int(place)))


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_an_altered_header_is_refused_or_changes_nothing(tmp_path_factory, place, value):
    file = unfinished_checkpoint(tmp_path_factory.mktemp("header"))
    content, whole = file.read_bytes(), TrainingRun.load(file, small.SPEC)
    place %= 8 + int.from_bytes(content[:8], "little")
    altered = content[:place] + bytes([value]) + content[place + 1 :]
    if altered == content:
        return
    file.write_bytes(altered)
    try:
        found = TrainingRun.load(file, small.SPEC)
    except CheckpointError:
        return
    assert_same_run(found, whole)


@pytest.mark.parametrize(
    "tensor", ["weights.encoder_hidden.bias", "adam.decoder_out.bias.exp_avg", "generator"]
)
def test_a_tensor_of_an_altered_type_is_refused(tmp_path, tensor):
    # One letter of the header turns float32 into integers of as many bytes.
    file = unfinished_checkpoint(tmp_path)
    content = file.read_bytes()
    kind = b"U8" if tensor == "generator" else b"F32"
    before = b'"%s":{"dtype":"%s"' % (tensor.encode(), kind)
    assert content.count(before) == 1
    after = before[: -1 - len(kind)] + b"I" + kind[1:] + b'"'
    assert_refused_and_kept(file, content.replace(before, after))


def test_a_tensor_of_a_type_that_numpy_lacks_is_refused(tmp_path):
    file = unfinished_checkpoint(tmp_path)
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size].replace(b'"dtype":"U8"', b'"dtype":"F8_E4M3"')
    assert len(header) > size
    altered = len(header).to_bytes(8, "little") + header + content[8 + size :]
    assert_refused_and_kept(file, altered)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.99999])
def test_a_truncated_file_is_refused(tmp_path, share):
    file = unfinished_checkpoint(tmp_path)
    content = file.read_bytes()
    assert_refused_and_kept(file, content[: int(share * len(content))])


def test_a_file_of_another_kind_is_refused(tmp_path):
    safetensors.numpy.save_file({"weights": np.zeros(3)}, tmp_path / "other.safetensors")
    content = (tmp_path / "other.safetensors").read_bytes()
    assert_refused_and_kept(tmp_path / "run.safetensors", content)


def test_a_file_of_another_spec_is_refused_and_both_are_named(tmp_path):
    file, other = unfinished_checkpoint(tmp_path), small.spec(n_z=4)
    with pytest.raises(CheckpointError, match="another model") as error:
        TrainingRun.load(file, other)
    for part in (str(file), small.SPEC.as_json(), other.as_json()):
        assert part in str(error.value)
    assert file.exists()


def test_a_state_without_a_parameter_or_of_another_shape_is_refused():
    run = TrainingRun(small.SPEC)
    for change in (lambda t: t.pop("weights.encoder_out.bias"), _one_element):
        state = run.state()
        change(state.tensors)
        with pytest.raises(CheckpointError, match=r"lacks weights\.encoder_out\.bias of shape"):
            TrainingRun.from_state(state, small.SPEC, "cpu")


def _one_element(tensors):
    """What copying would spread over all weights."""
    tensors["weights.encoder_out.bias"] = torch.zeros(1)


def test_an_altered_history_is_refused(tmp_path):
    file = unfinished_checkpoint(tmp_path)
    content = file.read_bytes()
    place = content.index(b'kl\\": ') + len(b'kl\\": ')
    digit = b"1" if content[place : place + 1] != b"1" else b"2"
    assert_refused_and_kept(file, content[:place] + digit + content[place + 1 :])


def test_a_file_older_than_a_field_is_of_the_spec_with_that_fields_default(tmp_path):
    run = TrainingRun(small.SPEC)
    small.run_epochs(run, 1, small.digits(60))
    for name, same in (("beta", True), ("n_hidden", False)):  # the first has its default
        values = json.loads(small.SPEC.as_json())
        del values[name]
        file = tmp_path / f"without-{name}.safetensors"
        dataclasses.replace(run.state(), spec=json.dumps(values)).save(file)
        if same:
            found = TrainingRun.load(file, small.SPEC)
            assert small.bits(small.vector(found)) == small.bits(small.vector(run))
        else:
            with pytest.raises(CheckpointError, match="another model"):
                TrainingRun.load(file, small.SPEC)


def test_a_file_with_an_unknown_field_is_of_another_spec(tmp_path):
    values = json.loads(small.SPEC.as_json()) | {"dropout": 0.5}
    file = tmp_path / "model.safetensors"
    dataclasses.replace(TrainingRun(small.SPEC).state(), spec=json.dumps(values)).save(file)
    with pytest.raises(CheckpointError, match=r"another model.*dropout"):
        TrainingRun.load(file, small.SPEC)


def test_a_finished_model_is_read_on_a_device_that_did_not_train_it(tmp_path):
    run = TrainingRun(small.SPEC)
    small.run_epochs(run, 4, small.digits(60))
    run.device = torch.device("cuda")
    run.state().save(tmp_path / "model.safetensors")
    found = TrainingRun.load(tmp_path / "model.safetensors", small.SPEC, "cpu")
    assert small.bits(small.vector(found)) == small.bits(small.vector(run))


# --- what a seed decides, and what is evaluated ----------------------------------------------


def test_a_seed_decides_the_weights_the_order_and_the_latents_of_the_evaluation():
    one, other = (TrainingRun(small.spec(seed=seed)) for seed in (3, 4))
    assert small.bits(small.vector(one)) != small.bits(small.vector(other))
    assert small.bits(one.generator.get_state()) != small.bits(other.generator.get_state())
    other.model.load_state_dict(one.model.state_dict())
    images = small.digits(50)
    assert evaluate(one, images) != evaluate(other, images)
    assert evaluate(one, images) == evaluate(one, images)


def test_active_latents_are_counted_over_all_test_images(path):
    images = torch.cat([torch.zeros(1000, 784), torch.ones(300, 784)])
    split = small.digits(1)._replace(images=images, labels=torch.zeros(1300).long())
    run = TrainingRun(small.SPEC)
    record = next(fit(run, small.digits(50), split))
    variances = run.model.encode_mean(images).detach().double().numpy().var(0)
    assert record.test["active_latents"] == (variances > 0.01).sum() > 0


# --- the spec ------------------------------------------------------------------------------------


def test_learning_rates_hold_for_equal_thirds():
    paper = VAESpec.of(profiles.PROFILES["paper"])
    rates = [paper.learning_rate(epoch) for epoch in range(1500)]
    assert rates == [5e-4] * 500 + [1e-4] * 500 + [5e-5] * 500


@given(n_rates=st.integers(1, 5), epochs=st.integers(1, 50))
def test_learning_rates_come_in_order_for_shares_that_differ_by_one_epoch_at_most(n_rates, epochs):
    rates = tuple(10.0**-i for i in range(n_rates))
    spec = small.spec(learning_rates=rates, epochs=epochs)
    used = [spec.learning_rate(epoch) for epoch in range(epochs)]
    assert used[0] == rates[0]
    assert used == sorted(used, reverse=True)
    shares = [used.count(rate) for rate in rates]
    assert sum(shares) == epochs
    assert max(shares) - min(shares) <= 1


def test_records_are_plain_numbers_that_json_keeps():
    run = TrainingRun(small.SPEC)
    small.run_epochs(run, 1, small.digits(50))
    history = run.state().history
    assert json.loads(json.dumps(history)) == history
    assert list(itertools.chain(*(h["test"] for h in history)))[:1] == ["negative_elbo"]
