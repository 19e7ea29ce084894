"""The classifier computes what the paper's layers say and trains as its definitions say."""

import copy
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import references
import small
import torch
import torch.nn.functional as F

from repinf_core import data, profiles
from repinf_core.dynamics import rollout
from repinf_core.kernels.precision import exact_float32
from repinf_core.models import classifier
from repinf_core.models.classifier import Classifier, ClassifierSpec
from repinf_core.models.mlp import VAE
from repinf_core.training.fit import TrainingDiverged, fit
from repinf_core.training.run import TrainingRun

SPEC = ClassifierSpec(dataset="digits", epochs=3, seed=5, minibatch=40)
IMAGES = small.digits(120)


def spec(**changes):
    return dataclasses.replace(SPEC, **changes)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def run_epochs(run, n):
    return small.run_epochs(run, n, IMAGES)


def bits(run):
    return [small.bits(parameter) for parameter in run.model.parameters()]


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


def test_on_a_gpu_float32_is_not_rounded_and_a_readers_switches_stay():
    """Whether cuDNN is to be deterministic is the reader's choice."""
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark
    try:
        cudnn.allow_tf32, cudnn.deterministic = True, True
        with exact_float32():
            assert not cudnn.allow_tf32
            assert cudnn.deterministic
        assert cudnn.allow_tf32
    finally:
        cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = before


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
    run = TrainingRun(one_step)
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
    assert record.train["cross_entropy"] == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, parameter in run.model.named_parameters():
        gradient = references.array(w[name].grad)
        (expected,) = references.adam(
            references.array(w[name]), [gradient], list(one_step.learning_rates)
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
    run = TrainingRun(SPEC)
    record = run_epochs(run, 1)[0]
    expected = references.classify(references.weights(run.model), references.array(IMAGES.images))
    labels = IMAGES.labels.numpy()
    assert record.test["accuracy"] == pytest.approx((expected.argmax(1) == labels).mean())
    cross_entropy = -np.log(expected[range(len(labels)), labels]).mean()
    assert record.test["cross_entropy"] == pytest.approx(cross_entropy, rel=1e-4)


def test_it_learns():
    run = TrainingRun(spec(epochs=12))
    records = run_epochs(run, 12)
    assert records[-1].test["accuracy"] > 0.8 > records[0].test["accuracy"]
    assert records[-1].train["cross_entropy"] < records[0].train["cross_entropy"]


@pytest.mark.parametrize("precision", profiles.PRECISIONS)
def test_the_seed_alone_decides_every_bit(precision):
    found = []
    for global_seed, seed in ((1, 5), (2, 5), (2, 6)):
        torch.manual_seed(global_seed)
        run = TrainingRun(spec(seed=seed, precision=precision, epochs=1))
        run_epochs(run, 1)
        found.append(bits(run))
    assert found[0] == found[1]
    assert found[1] != found[2]


def test_the_spec_is_the_experiments():
    experiment = profiles.experiment("smoke", {"seed": 4, "classifier_epochs": 7})
    assert ClassifierSpec.of(experiment) == ClassifierSpec(
        dataset="digits", epochs=7, seed=4, minibatch=128, learning_rates=(1e-3,)
    )


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
    run = TrainingRun(SPEC)
    record = next(fit(run, IMAGES, test))
    found = references.classify(references.weights(run.model), references.array(test.images))
    expected = test.labels.numpy()
    assert record.test["accuracy"] == pytest.approx((found.argmax(1) == expected).mean())
    cross_entropy = -np.log(found[range(50), expected]).mean()
    assert record.test["cross_entropy"] == pytest.approx(cross_entropy, rel=1e-4)


def test_the_last_minibatch_counts_by_its_images(monkeypatch):
    monkeypatch.setattr(classifier, "dropout", lambda h, *_: h)
    record = next(fit(TrainingRun(spec(minibatch=50, learning_rates=(0.0,))), IMAGES, IMAGES))
    assert record.train["cross_entropy"] == pytest.approx(record.test["cross_entropy"], rel=1e-5)


def test_the_seed_decides_the_weights():
    one, other = (TrainingRun(spec(seed=seed)).model for seed in (5, 6))
    assert not torch.equal(one.out.weight, other.out.weight)


def test_a_last_step_that_diverges_is_seen():
    run = TrainingRun(spec(minibatch=120, learning_rates=(1e30,)))
    with pytest.raises(TrainingDiverged, match="epoch 1 of"):
        list(fit(run, IMAGES, IMAGES))
    assert run.epoch == 0
