"""What the benchmarks compare computes the same; how fast is none of a test's business."""

import json
import platform
import re
import sys

import conv as conv_benchmark
import gpu as gpu_benchmark
import machine
import numpy as np
import pytest
import ranks as ranks_benchmark
import rollout as rollout_benchmark
import small
import torch
import training as training_benchmark
from torch.utils.flop_counter import FlopCounterMode
from torch_loops import DataLoaderLoop, EagerLoop, Ours, network

from repinf_core import profiles
from repinf_core.models import mlp
from repinf_core.models.conv import variants
from repinf_core.training.fast.hand_written import HandWritten
from repinf_core.training.run import TrainingRun

# Of Keras's own making.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SPECS = {
    precision: small.spec(precision=precision, n_hidden=64, minibatch=50)
    for precision in ("float32", "bfloat16")
}


def made():
    images = small.digits(1500).images
    pairs = torch.utils.data.TensorDataset(images.view(-1, 1, 28, 28), torch.zeros(len(images)))
    return training_benchmark.contestants(SPECS, images, pairs)


def test_all_contestants_reach_the_same_objective():
    test_images, spec = small.data.load("digits", "test").images, SPECS["float32"]
    start = training_benchmark.starting_weights(spec)
    before = training_benchmark.objective(spec, start, test_images)
    reached = training_benchmark.first_epoch(made(), spec, test_images)
    assert {name.split(",")[0] for name in reached} >= {"DataLoader loop", "tensor loop", "ours"}
    assert len(reached) >= 6
    for value in reached.values():
        assert value < 0.8 * before  # they did train


def test_one_that_trains_something_else_is_found():
    other = made()
    wrong = small.spec(beta=30.0, n_hidden=64, minibatch=50)
    images = small.digits(1500).images
    weights = training_benchmark.starting_weights(wrong)
    other["tensor loop, float32"] = EagerLoop(wrong, weights, images[:500])
    with pytest.raises(SystemExit, match=r"^tensor loop, float32 reaches .* not the same"):
        training_benchmark.first_epoch(
            other, SPECS["float32"], small.data.load("digits", "test").images
        )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("n_samples", [1, 2])
def test_the_loops_objective_is_the_models(precision, n_samples):
    spec = small.spec(precision=precision, beta=3.0, n_samples=n_samples)
    weights = training_benchmark.starting_weights(spec)
    x = small.digits(20).images
    loop = EagerLoop(spec, weights, x)  # torch's layers draw from the global generator too
    torch.manual_seed(0)
    found = loop._loss(x)
    torch.manual_seed(0)
    epsilon = torch.randn(n_samples, 20, spec.n_z)
    expected = mlp.negative_elbo(network(spec, weights), x, epsilon, 3.0).total
    rounding = 1e-5 if precision == "float32" else 1e-2
    torch.testing.assert_close(found, expected, rtol=rounding, atol=0)


def test_jax_objective_is_the_models():
    jax_scan = pytest.importorskip("jax_scan", reason="the extra benchmark is not installed")
    spec = small.SPEC
    weights, x = training_benchmark.starting_weights(spec), small.digits(20).images
    epsilon = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(0))
    found = jax_scan.objective(weights, x.numpy(), epsilon.numpy(), 3.0)
    expected = mlp.negative_elbo(network(spec, weights), x, epsilon, 3.0).total.detach()
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_a_dataloader_sees_every_image_once():
    images = torch.rand(30, 784, generator=torch.Generator().manual_seed(0))
    pairs = torch.utils.data.TensorDataset(images.view(-1, 1, 28, 28), torch.zeros(30))
    spec = small.spec(minibatch=10)
    weights = training_benchmark.starting_weights(spec)
    for loop in (DataLoaderLoop(spec, weights, pairs), EagerLoop(spec, weights, images)):
        batches = list(loop.batches())
        assert [len(batch) for batch in batches] == [10, 10, 10]
        seen, expected = (np.sort(x.numpy().sum(1)) for x in (torch.cat(batches), images))
        np.testing.assert_array_equal(seen, expected)


def test_ours_is_an_epoch_of_fit():
    spec, images = SPECS["float32"], small.digits(1500)
    contestant = Ours(spec, training_benchmark.starting_weights(spec), images.images)
    contestant.epoch()
    run = TrainingRun(spec)
    small.run_epochs(run, 1, images)
    expected = torch.cat([torch.from_numpy(values).flatten() for values in contestant.weights()])
    assert small.bits(small.vector(run)) == small.bits(expected)


def onednn_operations(x_shape, weight_shape, *_, **__):
    """Those of oneDNN's linear layer, which torch does not know how to count."""
    return 2 * x_shape.numel() * weight_shape[0]


HAS_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")
ONEDNN = {torch.ops.mkldnn._linear_pointwise: onednn_operations} if HAS_ONEDNN else {}


def test_the_operations_are_those_that_torch_counts():
    spec = small.spec(minibatch=100, n_hidden=32)
    path = HandWritten([TrainingRun(spec)], small.digits(100))
    with FlopCounterMode(display=False, custom_mapping=ONEDNN) as counter:
        path.epoch([1e-3])
    assert counter.get_total_flops() == training_benchmark.operations(spec, 100)


@pytest.mark.parametrize("name", rollout_benchmark.CONTESTANTS)
def test_the_operations_of_a_rollout_are_those_that_torch_counts(name):
    model = mlp.VAE(3, 32, torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False, custom_mapping=ONEDNN) as counter:
        rollout_benchmark.CONTESTANTS[name](model, torch.rand(100, 784), 5)
    assert counter.get_total_flops() == rollout_benchmark.operations(model, 100, 5)


CONVOLUTIONAL = variants(
    profiles.experiment("smoke", {"channels": 3, "precision": "float32", "minibatch": 50})
)


@pytest.mark.parametrize("network", CONVOLUTIONAL)
def test_the_plain_loops_objective_is_the_convolutional_models(network):
    spec, x = CONVOLUTIONAL[network], small.digits(20).images
    loop = conv_benchmark.contestants(spec, x)[conv_benchmark.PLAIN]
    torch.manual_seed(0)
    found = loop._loss(x.view(-1, 1, 28, 28))
    model = spec.build(torch.Generator().manual_seed(spec.seed))
    terms = model.loss(x, torch.default_generator.manual_seed(0))
    torch.testing.assert_close(found, next(iter(terms.values())), rtol=1e-5, atol=0)


def test_both_convolutional_contestants_train_and_another_network_is_found():
    images, test = small.digits(500).images, small.data.load("digits", "test")
    made = {name: conv_benchmark.contestants(spec, images) for name, spec in CONVOLUTIONAL.items()}
    spec = CONVOLUTIONAL["CAE"]
    before = conv_benchmark.objective(spec, made["CAE"]["ours"].weights(), test)
    for value in conv_benchmark.first_epoch(made["CAE"], spec, test).values():
        assert value < before
    untrained = conv_benchmark.PlainLoop(spec, made["DAE"]["plain loop"].weights(), images[:0])
    for _ in range(10):
        made["CAE"]["ours"].epoch()
    with pytest.raises(SystemExit, match=r"^conv-cae-c3: the plain loop reaches .* not the same"):
        conv_benchmark.first_epoch(made["CAE"] | {"plain loop": untrained}, spec, test)


def test_the_loop_over_images_finds_the_same_ranks():
    z = ranks_benchmark.latents(6)
    found = ranks_benchmark.ours(z)
    np.testing.assert_array_equal(found, ranks_benchmark.numpy_loop(z))
    assert found.tolist() == [[7, 6, 35], [7, 7, 48]] * 3
    measured = ranks_benchmark.measure(3, 1)
    assert measured["median_seconds"].keys() == ranks_benchmark.CONTESTANTS.keys()


def test_ranks_that_differ_are_not_timed(monkeypatch):
    other = {"numpy loop": lambda z: ranks_benchmark.numpy_loop(z) + 1}
    monkeypatch.setattr(ranks_benchmark, "CONTESTANTS", ranks_benchmark.CONTESTANTS | other)
    with pytest.raises(SystemExit, match="different ranks"):
        ranks_benchmark.measure(3, 1)


@pytest.mark.parametrize(
    ("benchmark", "option", "value"),
    [
        (conv_benchmark, "--repeats", "0"),
        (conv_benchmark, "--images", "0"),
        (training_benchmark, "--repeats", "0"),
        (training_benchmark, "--images", "250"),
        (training_benchmark, "--images", "0"),
        (rollout_benchmark, "--repeats", "0"),
        (ranks_benchmark, "--repeats", "0"),
        (ranks_benchmark, "--images", "0"),
        (gpu_benchmark, "--repeats", "0"),
    ],
)
def test_a_wrong_option_is_refused_before_any_work(monkeypatch, capsys, benchmark, option, value):
    monkeypatch.setattr(sys, "argv", ["benchmark", option, value])
    with pytest.raises(SystemExit, match="2"):
        benchmark.main()
    assert f"{option} is {value}; allowed is" in capsys.readouterr().err


def test_the_gpu_benchmark_runs_all_that_it_compares_wherever_it_is():
    spec, images = small.spec(n_hidden=32), small.digits(300).images
    changes = {"n_hidden": 32, "n_z_grid": [2, 3], "selection_minibatches": [50, 100]}
    cells = profiles.experiment("smoke", changes)
    assert len(gpu_benchmark.epochs(spec, images, 1)) == 4
    assert list(gpu_benchmark.grid_epochs(cells, images, 1)) == [
        "4 models, minibatch 50",
        "4 models, minibatch 100",
    ]
    assert len(gpu_benchmark.rollouts(spec, images[:20], 3, 1)) == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_gpu_benchmark_without_a_gpu_says_so(monkeypatch):
    monkeypatch.setattr("sys.argv", ["gpu.py"])
    with pytest.raises(SystemExit, match=r"^This benchmark needs a CUDA device"):
        gpu_benchmark.main()


def test_a_results_file_describes_the_machine_and_does_not_name_it(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "RESULTS", tmp_path / "results")
    path = machine.write("some", {"machine": machine.described(), "number": 1.5})
    text = path.read_text()
    assert json.loads(text)["number"] == 1.5
    assert json.loads(text)["machine"]["threads"] == 1
    assert torch.__version__.split("+")[0] in text
    assert not re.search(rf"\b{re.escape(platform.node())}\b", text)
