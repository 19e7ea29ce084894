"""The judge computes what the paper's layers say, trains reproducibly, and is kept."""

import copy
import dataclasses
import itertools
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import references
import small
import torch
import torch.nn.functional as F

from repinf_core import data, profiles
from repinf_core.dynamics import rollout
from repinf_core.models.mlp import VAE
from repinf_core.training import TrainingDiverged, classifier, progress, store
from repinf_core.training.checkpoint import CheckpointError
from repinf_core.training.classifier import Classifier, ClassifierRun, ClassifierSpec, fit, trained

SPEC = ClassifierSpec("digits", epochs=3, precision="float32", seed=5, minibatch=40)
IMAGES = small.digits(120)


@pytest.fixture
def few_images(monkeypatch):
    """The store trains on the first 120 digits only."""
    monkeypatch.setattr(store, "load", lambda dataset, split: IMAGES)


def spec(**changes):
    return dataclasses.replace(SPEC, **changes)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def run_epochs(run, n):
    return list(itertools.islice(fit(run, IMAGES, IMAGES), n))


def bits(run):
    return [small.bits(parameter) for parameter in run.model.parameters()]


def fail(*args, **kwargs):
    raise AssertionError("this must not be called")


# --- the network ------------------------------------------------------------------------------


def test_probabilities_are_those_of_a_plain_computation():
    model = Classifier(seeded())
    for parameter in model.parameters():  # biases that matter
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=seeded(1))
    found = model.probabilities(IMAGES.images)
    expected = references.classify(references.weights(model), references.array(IMAGES.images))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.std(0).max() > 0.01  # images do differ


def test_it_has_the_layers_of_the_paper():
    shapes = {name: tuple(p.shape) for name, p in Classifier(seeded()).named_parameters()}
    assert shapes["convolution1.weight"] == (32, 1, 3, 3)
    assert shapes["convolution2.weight"] == (64, 32, 3, 3)
    assert shapes["connected.weight"] == (128, 64 * 12 * 12)
    assert shapes["out.weight"] == (10, 128)


def test_the_number_of_images_judged_at_once_changes_nothing(monkeypatch):
    model = Classifier(seeded())
    whole = model.probabilities(IMAGES.images)
    monkeypatch.setattr(classifier, "_CHUNK", 7)
    torch.testing.assert_close(model.probabilities(IMAGES.images), whole)


def test_bfloat16_products_give_nearly_the_same_probabilities():
    exact = Classifier(seeded()).probabilities(IMAGES.images)
    narrow = Classifier(seeded(), "bfloat16").probabilities(IMAGES.images)
    assert narrow.dtype == torch.float32
    assert 0 < (narrow - exact).abs().max() < 0.02


def test_on_a_gpu_float32_is_not_rounded_to_tf32(monkeypatch):
    allowed, original = [], Classifier.logits

    def spy(*arguments):
        allowed.append(torch.backends.cudnn.allow_tf32)
        return original(*arguments)

    monkeypatch.setattr(Classifier, "logits", spy)
    run, before = ClassifierRun(SPEC), torch.backends.cudnn.allow_tf32
    run_epochs(run, 1)
    run.model.probabilities(IMAGES.images)
    assert len(allowed) == 3 + 1 + 1  # minibatches, the test images, those to be judged
    assert not any(allowed)
    assert torch.backends.cudnn.allow_tf32 == before


def test_dropout_zeroes_a_share_and_keeps_the_mean():
    h = torch.full((1000, 100), 3.0)
    for probability in (0.25, 0.5):
        dropped = classifier.dropout(h, probability, seeded())
        kept = dropped != 0
        # Of 100,000 units the share strays by less than five standard errors.
        tolerance = 5 * (probability * (1 - probability) / h.numel()) ** 0.5
        assert float(kept.float().mean()) == pytest.approx(1 - probability, abs=tolerance)
        torch.testing.assert_close(
            dropped[kept], 3 / torch.tensor(1 - probability).expand(kept.sum())
        )
    assert classifier.dropout(h, 0.5, None) is h


def test_only_the_given_generator_decides_what_is_dropped():
    model = Classifier(seeded())
    found = []
    for global_seed, seed in ((1, 7), (2, 7), (2, 8)):
        torch.manual_seed(global_seed)
        found.append(model.logits(IMAGES.images, seeded(seed)))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[1], found[2])


# --- training -----------------------------------------------------------------------------------


def test_an_epoch_of_one_minibatch_is_a_step_of_adam_on_the_cross_entropy():
    """All images in one minibatch; the network written again with torch's functions."""
    one_step = spec(minibatch=len(IMAGES.images), epochs=2)
    run = ClassifierRun(one_step)
    before = copy.deepcopy(run.model)
    generator = seeded(SPEC.seed)
    order = torch.randperm(len(IMAGES.images), generator=generator)
    w = dict(before.named_parameters())
    h = F.relu(F.conv2d(IMAGES.images[order].view(-1, 1, 28, 28), *_layer(w, "convolution1")))
    h = F.max_pool2d(F.relu(F.conv2d(h, *_layer(w, "convolution2"))), 2)
    h = h * (torch.rand(h.shape, generator=generator) >= 0.25) / 0.75
    h = F.relu(F.linear(h.flatten(1), *_layer(w, "connected")))
    h = h * (torch.rand(h.shape, generator=generator) >= 0.5) / 0.5
    log_likelihood = F.linear(h, *_layer(w, "out")).log_softmax(1)
    loss = -log_likelihood[range(len(order)), IMAGES.labels[order]].mean()
    loss.backward()
    (record,) = run_epochs(run, 1)
    assert record.train_cross_entropy == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, parameter in run.model.named_parameters():
        gradient = references.array(w[name].grad)
        (expected,) = references.adam(
            references.array(w[name]), [gradient], [one_step.learning_rate]
        )
        # Where the gradient is lost in rounding, so is the sign of Adam's first step.
        clear = np.abs(gradient) > 1e-6
        assert clear.mean() > 0.2
        np.testing.assert_allclose(
            references.array(parameter)[clear], expected[clear], rtol=0, atol=2e-5
        )


def _layer(w, name):
    return w[f"{name}.weight"], w[f"{name}.bias"]


def test_a_record_tells_loss_and_accuracy_of_the_weights_after_the_epoch():
    run = ClassifierRun(SPEC)
    record = run_epochs(run, 1)[0]
    expected = references.classify(references.weights(run.model), references.array(IMAGES.images))
    labels = IMAGES.labels.numpy()
    assert record.test_accuracy == pytest.approx((expected.argmax(1) == labels).mean())
    cross_entropy = -np.log(expected[range(len(labels)), labels]).mean()
    assert record.test_cross_entropy == pytest.approx(cross_entropy, rel=1e-4)
    assert str(record) == f"test accuracy {record.test_accuracy:.2%}"


def test_it_learns():
    run = ClassifierRun(spec(epochs=12))
    records = run_epochs(run, 12)
    assert records[-1].test_accuracy > 0.8 > records[0].test_accuracy
    assert records[-1].train_cross_entropy < records[0].train_cross_entropy


@pytest.mark.parametrize("precision", profiles.PRECISIONS)
def test_the_seed_alone_decides_every_bit(precision):
    found = []
    for global_seed, seed in ((1, 5), (2, 5), (2, 6)):
        torch.manual_seed(global_seed)
        run = ClassifierRun(spec(seed=seed, precision=precision, epochs=1))
        run_epochs(run, 1)
        found.append(bits(run))
    assert found[0] == found[1]
    assert found[1] != found[2]


def test_a_diverging_training_is_no_model(few_images):
    diverging = spec(learning_rate=1e30)
    with pytest.raises(TrainingDiverged, match=f"epoch 1 of {diverging.name}"):
        trained(diverging)
    assert not store.is_trained(diverging)


# --- the store ------------------------------------------------------------------------------------


def test_a_judge_is_trained_once_and_kept_beside_the_models(few_images, model_store, monkeypatch):
    assert not store.is_trained(SPEC)
    records = []
    first = trained(SPEC, report=records.append)
    assert store.is_trained(SPEC)
    assert records == first.history
    assert [path.name for path in model_store.iterdir()] == [SPEC.name]
    undisturbed = ClassifierRun(SPEC)
    run_epochs(undisturbed, 3)
    monkeypatch.setattr(classifier, "fit", fail)
    monkeypatch.setattr(store, "load", fail)
    again = trained(SPEC, report=fail)
    assert bits(again) == bits(first) == bits(undisturbed)
    assert again.history == first.history


def test_an_interrupted_training_goes_on_bit_for_bit(few_images):
    class Stop(Exception):
        pass

    def stop(record):
        if record.epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        trained(SPEC, report=stop, checkpoint_seconds=0)
    names = {path.name for path in (store.models_folder() / SPEC.name).glob("*.safetensors")}
    assert names == {"checkpoint-1.safetensors", "checkpoint-2.safetensors"}
    epochs = []
    resumed = trained(SPEC, report=lambda record: epochs.append(record.epoch))
    assert epochs == [3]
    undisturbed = ClassifierRun(SPEC)
    run_epochs(undisturbed, 3)
    assert bits(resumed) == bits(undisturbed)


def test_an_interrupt_in_an_epoch_loses_no_complete_one(few_images, monkeypatch):
    epochs, original = itertools.count(1), classifier.train_epoch

    def interrupted(*args):
        cross_entropy = original(*args)
        if next(epochs) == 3:  # the weights have moved on from the second
            signal.raise_signal(signal.SIGINT)
        return cross_entropy

    with monkeypatch.context() as patch:
        patch.setattr(classifier, "train_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(SPEC)
    names = [path.name for path in (store.models_folder() / SPEC.name).glob("*.safetensors")]
    assert names == ["checkpoint-2.safetensors"]
    undisturbed = ClassifierRun(SPEC)
    run_epochs(undisturbed, 3)
    assert bits(trained(SPEC)) == bits(undisturbed)


def test_every_number_that_shapes_the_weights_is_in_the_name():
    changes = dict(
        dataset="mnist", epochs=4, precision="bfloat16", seed=6, minibatch=41, learning_rate=1e-4
    )
    assert set(changes) == {field.name for field in dataclasses.fields(SPEC)}
    names = {SPEC.name} | {spec(**{name: value}).name for name, value in changes.items()}
    assert len(names) == len(changes) + 1
    assert SPEC.name.startswith("digits-classifier-")


def test_the_spec_is_the_experiments():
    experiment = profiles.experiment("smoke", {"seed": 4, "classifier_epochs": 7})
    assert ClassifierSpec.of(experiment) == ClassifierSpec("digits", 7, "float32", 4, 128, 1e-3)


def test_a_damaged_or_foreign_file_is_refused(few_images, model_store):
    one, other = spec(epochs=1), spec(epochs=1, seed=6)
    paths = []
    for wanted in (one, other):
        trained(wanted)
        paths.append(model_store / wanted.name / "model.safetensors")
    shutil.copy(paths[0], paths[1])
    with pytest.raises(CheckpointError, match="another model"):
        trained(other)
    content = paths[0].read_bytes()
    paths[0].write_bytes(small.flip(content, len(content) - 50))
    with pytest.raises(CheckpointError, match="damaged or altered"):
        trained(one)


def test_the_outlook_names_the_judge_and_whether_it_must_train(few_images):
    before = classifier.outlook(SPEC, "cpu", 1500)
    assert before.startswith(f"judge    {SPEC.name}, 3 epochs to train, about ")
    trained(SPEC)
    assert classifier.outlook(SPEC, "cpu", 1500) == f"judge    {SPEC.name}, trained before"


def test_the_progress_bar_tells_the_accuracy(few_images, capsys):
    with progress.bar(SPEC) as report:
        run = trained(SPEC, report=report)
    last = capsys.readouterr().err.split("\r")[-1]
    assert " 3/3 " in last
    assert f"test accuracy {run.history[-1].test_accuracy:.2%}" in last


# --- in a rollout -----------------------------------------------------------------------------


def test_the_judged_image_is_the_one_encoded_at_that_step():
    model = VAE(3, 16, seeded())
    for parameter in model.parameters():  # large weights, so that images change with the step
        parameter.data *= 4
    brightest = SimpleNamespace(probabilities=lambda x: x[:, 300:310])
    observe = {"label": classifier.predictions(brightest)}
    ran = rollout.rollout(model, IMAGES.images[:9], 5, observe, chunk=4)
    x0 = references.array(IMAGES.images[:9])
    images, _ = references.rollout(references.weights(model), x0, 5)
    labels = images[:, :, 300:310].argmax(2)
    assert ran.observed["label"].tolist() == labels.tolist()
    assert labels[1:].tolist() != labels[:-1].tolist()


# --- two splits, two seeds --------------------------------------------------------------------


def test_the_accuracy_is_that_on_the_test_images():
    images, labels = data.load("digits", "test")
    test = data.LabelledImages(images[:50], (labels[:50] + 1) % 10)  # unlike the training split
    run = ClassifierRun(SPEC)
    record = next(fit(run, IMAGES, test))
    found = references.classify(references.weights(run.model), references.array(test.images))
    expected = test.labels.numpy()
    assert record.test_accuracy == pytest.approx((found.argmax(1) == expected).mean())
    cross_entropy = -np.log(found[range(50), expected]).mean()
    assert record.test_cross_entropy == pytest.approx(cross_entropy, rel=1e-4)


def test_the_last_minibatch_counts_by_its_images(monkeypatch):
    monkeypatch.setattr(classifier, "dropout", lambda h, *_: h)
    record = next(fit(ClassifierRun(spec(minibatch=50, learning_rate=0.0)), IMAGES, IMAGES))
    assert record.train_cross_entropy == pytest.approx(record.test_cross_entropy, rel=1e-5)


def test_the_seed_decides_the_weights():
    one, other = (ClassifierRun(spec(seed=seed)).model for seed in (5, 6))
    assert not torch.equal(one.out.weight, other.out.weight)


def test_a_last_step_that_diverges_is_seen():
    run = ClassifierRun(spec(minibatch=120, learning_rate=1e30))
    with pytest.raises(TrainingDiverged, match="epoch 1 of"):
        list(fit(run, IMAGES, IMAGES))
    assert run.epoch == 0
