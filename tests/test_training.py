import dataclasses
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import references
import safetensors.numpy
import small
import torch
from hypothesis import given
from hypothesis import strategies as st

from repinf_core import profiles
from repinf_core.training import BelowFloor, Spec, TrainingRun, evaluate, fit, fit_together
from repinf_core.training import run as training
from repinf_core.training.checkpoint import CheckpointError

PRECISIONS = pytest.mark.parametrize("precision", profiles.PRECISIONS)


def assert_same_run(run, other):
    """Bit for bit: weights, Adam's state, generator, history but for its times."""
    assert small.bits(run.flat.vector) == small.bits(other.flat.vector)
    state, other_state = (each.adam.state for each in (run, other))
    assert set(state) == set(other_state)
    for name in state:
        assert small.bits(state[name]) == small.bits(other_state[name]), name
    assert small.bits(run.generator.get_state()) == small.bits(other.generator.get_state())
    assert small.without_times(run.history) == small.without_times(other.history)


# --- specification --------------------------------------------------------------------------

OTHER = {
    "dataset": "mnist",
    "n_z": 4,
    "n_hidden": 17,
    "beta": 2.0,
    "n_samples": 1,
    "epochs": 5,
    "learning_rates": (1e-2, 1e-4),
    "minibatch": 251,
    "precision": "bfloat16",
    "seed": 4,
}


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Spec)])
def test_every_field_changes_the_name(field):
    assert small.spec(**{field: OTHER[field]}).name != small.SPEC.name


def test_equal_specs_have_equal_names():
    assert small.spec().name == small.SPEC.name


def test_a_whole_number_for_a_real_is_the_same_number():
    # The two specs are equal; with two names, one model would be trained twice.
    assert small.spec(beta=1) == small.SPEC
    assert small.spec(beta=1).name == small.SPEC.name


def test_the_name_is_readable_and_fit_for_a_folder():
    assert small.SPEC.name.startswith("digits-nz3-")
    assert set(small.SPEC.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_spec_is_the_part_of_an_experiment_that_shapes_weights():
    quick = profiles.PROFILES["quick"]
    spec = Spec.of(quick)
    for field in dataclasses.fields(Spec):
        assert getattr(spec, field.name) == getattr(quick, field.name)
    same = dataclasses.replace(quick, p=0.9, noise="invert", label=1, trials=5, steps=7)
    assert Spec.of(dataclasses.replace(same, trial_seed=8)) == spec


def test_learning_rates_hold_for_equal_thirds():
    paper = Spec.of(profiles.PROFILES["paper"])
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


# --- training -------------------------------------------------------------------------------


def spy_on_steps(monkeypatch):
    """Every step's inputs, the parameters before it and its gradient, as it runs."""
    steps, original = [], training.backpropagate

    def spy(flat, x, epsilon, beta, receive):
        before, gradient = references.array(flat.vector), []

        def received(layer, d_weight, d_bias):
            gradient[:0] = references.array(d_weight).ravel(), references.array(d_bias)
            receive(layer, d_weight, d_bias)

        objective = original(flat, x, epsilon, beta, received)
        steps.append((x.clone(), epsilon.clone(), beta, before, np.concatenate(gradient)))
        return objective

    monkeypatch.setattr(training, "backpropagate", spy)
    return steps


def test_the_optimiser_is_adam_with_the_rate_of_the_epoch(monkeypatch):
    steps, images = spy_on_steps(monkeypatch), small.digits(25)
    run = TrainingRun(small.spec(minibatch=10))
    small.run_epochs(run, 4, images)
    assert len(steps) == 12
    parameters = [before for *_, before, _ in steps] + [references.array(run.flat.vector)]
    gradients = [gradient for *_, gradient in steps]
    expected = references.adam(parameters[0], gradients, rates=[1e-2] * 6 + [1e-3] * 6)
    for step, (found, reference) in enumerate(zip(parameters[1:], expected, strict=True)):
        # A step moves a parameter by up to the rate, known to about ten float32 roundings, and
        # rounds the parameter, smaller than 1, once.
        atol = (step + 1) * (1e-2 * 6e-7 + 6e-8)
        np.testing.assert_allclose(found, reference, rtol=0, atol=atol)


def test_every_image_is_seen_once_an_epoch_in_new_order_with_new_latents(monkeypatch):
    steps, images = spy_on_steps(monkeypatch), small.digits(25)
    small.run_epochs(TrainingRun(small.spec(minibatch=10, n_samples=3)), 2, images)
    assert [len(x) for x, *_ in steps] == [10, 10, 5] * 2
    assert [tuple(epsilon.shape) for _, epsilon, *_ in steps] == [
        (3, 10, 3),
        (3, 10, 3),
        (3, 5, 3),
    ] * 2
    orders = []
    for epoch in (steps[:3], steps[3:]):
        seen = torch.cat([x for x, *_ in epoch])
        orders.append([int((images.images == x).all(1).nonzero()) for x in seen])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(25))
    assert orders[0] != orders[1]
    assert list(range(25)) not in orders
    drawn = torch.cat([epsilon.flatten() for _, epsilon, *_ in steps])
    assert len(drawn.unique()) == len(drawn)
    # 450 standard normal numbers: mean and variance within four standard errors.
    assert abs(drawn.mean().item()) < 4 / math.sqrt(450)
    assert abs(drawn.var().item() - 1) < 4 * math.sqrt(2 / 450)


def weighted_objective(model, batches, beta):
    """Mean over images of the reference objective, each batch with its own parameters."""
    sums, n = np.zeros(3), 0
    for x, epsilon, vector in batches:
        w = references.unflatten(vector, model)
        objective = references.negative_elbo(
            w, references.array(x), references.array(epsilon), beta
        )
        sums, n = sums + len(x) * np.array(objective), n + len(x)
    return sums / n


def test_training_values_in_the_history_are_means_over_the_moving_epoch(monkeypatch):
    steps, images = spy_on_steps(monkeypatch), small.digits(25)
    run = TrainingRun(small.spec(minibatch=10, beta=3.0))
    records = small.run_epochs(run, 2, images)
    for epoch, record in enumerate(records):
        batches = [(x, epsilon, before) for x, epsilon, _, before, _ in steps[3 * epoch :][:3]]
        expected = weighted_objective(run.model, batches, 3.0)
        found = [record.train_negative_elbo, record.train_kl, record.train_reconstruction]
        assert found == pytest.approx(expected, rel=1e-6)  # float32 sums of 784 terms
        assert (record.epoch, record.learning_rate) == (epoch + 1, 1e-2)
        assert record.images_per_second == pytest.approx(25 / record.seconds)


def test_test_values_in_the_history_are_of_the_weights_after_the_epoch(monkeypatch):
    evaluations, original = [], training.forward

    def spy(weights, x, epsilon, beta):
        evaluations.append((x.clone(), epsilon.clone()))
        return original(weights, x, epsilon, beta)

    monkeypatch.setattr(training, "forward", spy)
    run, test = TrainingRun(small.spec(n_samples=1, beta=3.0)), small.digits(1300)
    for epoch, record in enumerate(itertools.islice(fit(run, small.digits(50), test), 2)):
        chunks = evaluations[2 * epoch :]
        vector = references.array(run.flat.vector)
        batches = [(x, epsilon, vector) for x, epsilon in chunks]
        expected = weighted_objective(run.model, batches, 3.0)
        found = [record.test_negative_elbo, record.test_kl, record.test_reconstruction]
        assert found == pytest.approx(expected, rel=1e-6)  # float32 sums of 784 terms
        assert torch.equal(torch.cat([x for x, _ in chunks]), test.images)
        mu, _ = references.encode(references.weights(run.model), references.array(test.images))
        assert record.active_latents == (mu.var(0) > 0.01).sum()
    # The same latent noise for both epochs: records differ by the weights alone.
    for (_, first), (_, second) in zip(evaluations[:2], evaluations[2:], strict=True):
        assert torch.equal(first, second)


def test_active_latents_are_counted(monkeypatch):
    # The encoder's mu of the first latent is a constant, of the others it is not.
    monkeypatch.setattr(training, "backpropagate", lambda *args: [torch.zeros(())] * 3)
    run = TrainingRun(small.SPEC)
    run.model.encoder_out.weight.data[0] = 0
    run.model.encoder_out.weight.data[1:3] = 1
    assert small.run_epochs(run, 1, small.digits(50))[0].active_latents == 2


@PRECISIONS
def test_the_objective_goes_down(precision):
    run = TrainingRun(small.spec(precision=precision, epochs=20, minibatch=50))
    history = small.run_epochs(run, 20, small.digits(500))
    # An untrained network is worse than the best that knows no image, 784 independent pixels.
    mean = references.array(small.digits(500).images).mean(0)
    entropy = -(mean * np.log(mean + 1e-30) + (1 - mean) * np.log(1 - mean + 1e-30)).sum()
    assert history[0].train_negative_elbo > entropy > history[-1].train_negative_elbo
    assert history[0].test_negative_elbo > entropy > history[-1].test_negative_elbo


def test_a_seed_gives_the_training_and_the_global_generator_is_not_used():
    images, runs = small.digits(50), []
    for seed, global_seed in ((3, 0), (3, 1), (4, 0)):
        torch.manual_seed(global_seed)
        runs.append(TrainingRun(small.spec(seed=seed)))
        small.run_epochs(runs[-1], 4, images)
    assert_same_run(runs[0], runs[1])
    assert small.bits(runs[0].flat.vector) != small.bits(runs[2].flat.vector)


def test_fit_ends_with_the_last_epoch_and_then_has_nothing_to_do():
    run, images = TrainingRun(small.SPEC), small.digits(20)
    assert run.epoch == 0
    records = list(fit(run, images, images))
    assert [record.epoch for record in records] == [1, 2, 3, 4]
    assert run.history == records
    assert run.epoch == 4
    before = small.bits(run.flat.vector)
    assert list(fit(run, images, images)) == []
    assert small.bits(run.flat.vector) == before


def test_the_time_of_a_step_is_the_median_of_five_after_a_first(monkeypatch):
    durations = [0, 5, 1, 4, 2, 3]
    moments = iter([moment for seconds in durations for moment in (1000, 1000 + seconds)])
    clock = SimpleNamespace(perf_counter=lambda: next(moments))
    monkeypatch.setattr(training, "time", clock)
    assert training.seconds_per_step([small.SPEC], 500) == 3


# --- saving and loading ---------------------------------------------------------------------


@PRECISIONS
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_saved_and_loaded_training_goes_on_bit_for_bit(tmp_path, precision, n):
    spec, images, path = (
        small.spec(precision=precision),
        small.digits(60),
        tmp_path / "run.safetensors",
    )
    whole = TrainingRun(spec)
    small.run_epochs(whole, 4, images)
    first = TrainingRun(spec)
    small.run_epochs(first, n, images)
    first.state().save(path)
    second = TrainingRun.load(path, spec)
    assert_same_run(second, first)
    assert second.history == first.history
    small.run_epochs(second, 4, images)
    assert_same_run(second, whole)
    # The model that is used afterwards has these weights too.
    x = images.images
    assert small.bits(second.model.encode_mean(x)) == small.bits(whole.model.encode_mean(x))


def test_saving_does_not_disturb_the_training(tmp_path):
    images, undisturbed, saved = small.digits(60), TrainingRun(small.SPEC), TrainingRun(small.SPEC)
    small.run_epochs(undisturbed, 4, images)
    for _ in fit(saved, images, images):
        saved.state().save(tmp_path / "run.safetensors")
    assert_same_run(saved, undisturbed)


def test_a_finished_run_is_its_weights_and_needs_only_safetensors(tmp_path):
    run, images, path = TrainingRun(small.SPEC), small.digits(60), tmp_path / "model.safetensors"
    small.run_epochs(run, 4, images)
    run.state().save(path)
    tensors = safetensors.numpy.load_file(path)
    assert set(tensors) == {"weights"}
    w = references.unflatten(tensors["weights"], run.model)
    mu, _ = references.encode(w, references.array(images.images))
    # The file's float32 weights in float64, against float32 sums of 784 terms of about 0.1.
    np.testing.assert_allclose(run.model.encode_mean(images.images).detach(), mu, atol=2e-6)


@pytest.mark.cuda
def test_saved_and_loaded_training_goes_on_on_cuda(tmp_path):
    spec, images, path = (
        small.spec(precision="bfloat16"),
        small.digits(60),
        tmp_path / "run.safetensors",
    )
    whole, first = (TrainingRun(spec, "cuda") for _ in range(2))
    assert small.bits(whole.flat.vector) == small.bits(TrainingRun(spec).flat.vector)
    small.run_epochs(whole, 4, images)
    small.run_epochs(first, 2, images)
    first.state().save(path)
    second = TrainingRun.load(path, spec, "cuda")
    for value in second.adam.state.values():
        assert value.device == second.flat.vector.device  # where fused Adam reads them
    small.run_epochs(second, 4, images)
    assert_same_run(second, whole)


def unfinished_checkpoint(tmp_path):
    run, path = TrainingRun(small.SPEC), tmp_path / "run.safetensors"
    small.run_epochs(run, 2, small.digits(20))
    run.state().save(path)
    return path


def assert_refused_and_kept(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged or altered") as error:
        TrainingRun.load(path, small.SPEC)
    assert str(path) in str(error.value)
    assert path.read_bytes() == content


def test_one_altered_byte_of_a_tensor_is_refused(tmp_path):
    path = unfinished_checkpoint(tmp_path)
    content = path.read_bytes()
    tensors = 8 + int.from_bytes(content[:8], "little")
    n_places = 12
    for place in np.linspace(tensors, len(content) - 1, n_places).astype(int):
        assert_refused_and_kept(path, small.flip(content, int(place)))


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_an_altered_header_is_refused_or_changes_nothing(tmp_path_factory, place, value):
    path = unfinished_checkpoint(tmp_path_factory.mktemp("header"))
    content, whole = path.read_bytes(), TrainingRun.load(path, small.SPEC)
    place %= 8 + int.from_bytes(content[:8], "little")
    altered = content[:place] + bytes([value]) + content[place + 1 :]
    if altered == content:
        return
    path.write_bytes(altered)
    try:
        found = TrainingRun.load(path, small.SPEC)
    except CheckpointError:
        return
    assert_same_run(found, whole)


@pytest.mark.parametrize("tensor", ["weights", "adam.exp_avg", "adam.exp_avg_sq", "generator"])
def test_a_tensor_of_an_altered_type_is_refused(tmp_path, tensor):
    # One letter of the header turns float32 into integers of as many bytes.
    path = unfinished_checkpoint(tmp_path)
    content = path.read_bytes()
    kind = b"U8" if tensor == "generator" else b"F32"
    before = b'"%s":{"dtype":"%s"' % (tensor.encode(), kind)
    assert content.count(before) == 1
    after = before[: -1 - len(kind)] + b"I" + kind[1:] + b'"'
    assert_refused_and_kept(path, content.replace(before, after))


def test_a_tensor_of_a_type_that_numpy_lacks_is_refused(tmp_path):
    path = unfinished_checkpoint(tmp_path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size].replace(b'"dtype":"U8"', b'"dtype":"F8_E4M3"')
    assert len(header) > size
    altered = len(header).to_bytes(8, "little") + header + content[8 + size :]
    assert_refused_and_kept(path, altered)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.99999])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = unfinished_checkpoint(tmp_path)
    content = path.read_bytes()
    assert_refused_and_kept(path, content[: int(share * len(content))])


def test_a_file_of_another_kind_is_refused(tmp_path):
    safetensors.numpy.save_file({"weights": np.zeros(3)}, tmp_path / "other.safetensors")
    assert_refused_and_kept(
        tmp_path / "run.safetensors", (tmp_path / "other.safetensors").read_bytes()
    )


def test_a_file_of_another_spec_is_refused_and_both_are_named(tmp_path):
    path, other = unfinished_checkpoint(tmp_path), small.spec(n_z=4)
    with pytest.raises(CheckpointError, match="another model") as error:
        TrainingRun.load(path, other)
    for part in (str(path), small.SPEC.as_json(), other.as_json()):
        assert part in str(error.value)
    assert path.exists()


def test_an_altered_history_is_refused(tmp_path):
    path = unfinished_checkpoint(tmp_path)
    content = path.read_bytes()
    place = content.index(b"train_kl") + len(b'train_kl\\": ')
    digit = b"1" if content[place : place + 1] != b"1" else b"2"
    assert_refused_and_kept(path, content[:place] + digit + content[place + 1 :])


def test_a_training_begun_on_another_device_is_refused(tmp_path):
    run = TrainingRun(small.SPEC)
    small.run_epochs(run, 1, small.digits(300))
    run.device = torch.device("cuda")  # as if it had been there
    run.state().save(tmp_path / "checkpoint.safetensors")
    with pytest.raises(CheckpointError, match="training on cuda"):
        TrainingRun.load(tmp_path / "checkpoint.safetensors", small.SPEC)


def test_the_step_that_is_timed_is_no_larger_than_the_data(monkeypatch):
    sizes = []
    monkeypatch.setattr(training, "train_epoch", lambda run, x, rate: sizes.append(len(x)))
    training.seconds_per_step([small.spec(minibatch=1000)], 200)
    training.seconds_per_step([small.spec(minibatch=100)], 200)
    assert set(sizes[:6]) == {200}
    assert set(sizes[6:]) == {100}


# --- what a seed decides, and what is evaluated ----------------------------------------------


def test_a_seed_decides_the_weights_the_order_and_the_latents_of_the_evaluation():
    one, other = (TrainingRun(small.spec(seed=seed)) for seed in (3, 4))
    assert small.bits(one.flat.vector) != small.bits(other.flat.vector)
    assert small.bits(one.generator.get_state()) != small.bits(other.generator.get_state())
    other.flat.vector.data.copy_(one.flat.vector.data)
    images = small.digits(50).images
    assert evaluate(one, images)[0] != evaluate(other, images)[0]


def test_test_images_are_evaluated_with_as_many_samples_as_the_spec_has(monkeypatch):
    shapes, original = [], training.forward

    def spy(weights, x, epsilon, beta):
        shapes.append(tuple(epsilon.shape))
        return original(weights, x, epsilon, beta)

    monkeypatch.setattr(training, "forward", spy)
    evaluate(TrainingRun(small.spec(n_samples=2)), small.digits(50).images)
    assert shapes == [(2, 50, 3)]


def test_active_latents_are_counted_over_all_test_images():
    images = torch.cat([torch.zeros(1000, 784), torch.ones(300, 784)])
    run = TrainingRun(small.SPEC)
    variances = run.model.encode_mean(images).detach().double().numpy().var(0)
    assert evaluate(run, images)[1] == (variances > 0.01).sum() > 0


def test_the_floor_is_that_of_the_test_images(monkeypatch):
    grey, original = small.digits(100), training.forward
    black_and_white = grey._replace(images=grey.images.round())  # of floor 0

    def too_good(*arguments):
        found = original(*arguments)
        better = found.objective._replace(reconstruction=0.01 * found.objective.reconstruction)
        return found._replace(objective=better)

    monkeypatch.setattr(training, "forward", too_good)
    with pytest.raises(BelowFloor):
        list(fit(TrainingRun(small.SPEC), black_and_white, grey))


def test_the_seconds_of_runs_that_train_together_are_shared_among_them(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    runs = [TrainingRun(small.spec(seed=seed)) for seed in (3, 4)]
    ((_, record), _) = next(fit_together(runs, small.digits(50), small.digits(50)))
    assert (record.seconds, record.images_per_second) == (0.5, 100)


def test_a_finished_model_is_read_on_a_device_that_did_not_train_it(tmp_path):
    run = TrainingRun(small.SPEC)
    small.run_epochs(run, 4, small.digits(60))
    run.device = torch.device("cuda")
    run.state().save(tmp_path / "model.safetensors")
    found = TrainingRun.load(tmp_path / "model.safetensors", small.SPEC, "cpu")
    assert small.bits(found.flat.vector) == small.bits(run.flat.vector)
