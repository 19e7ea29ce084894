"""An epoch of training on MNIST, ours beside what one would otherwise write or pick.

    REPINF_DATA=... python benchmarks/training.py

All use the same network, initial weights, minibatch, L, objective and optimiser.  The first epoch
is not timed, because JAX and Keras compile in it; after it, all must have reached the same test
-ELBO.  Then they take turns, so that other load on the machine affects all of them alike, and also
the products of large matrices, which are measured in the same turns: torch's own or, in float32,
oneDNN's, whichever is faster.
Every library uses its default number of threads; ``taskset -c 0`` holds all of them to one core.
JAX and Keras come with the extra ``benchmark``; without it they are left out, and the results say
so.
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torchvision
from machine import described, onednn_rate, product_rate, write
from torch_loops import CompiledLoop, DataLoaderLoop, EagerLoop, Ours, arrays, network

from repinf_core import data, profiles
from repinf_core.models import mlp

TOLERANCE = 0.02  # relative, of the test -ELBO after one epoch: random numbers and rounding differ
OURS = "ours, float32"


def specs() -> dict[str, mlp.VAESpec]:
    """The paper's network at each precision."""
    return {
        precision: mlp.VAESpec.of(profiles.experiment("paper", {"precision": precision}))
        for precision in profiles.PRECISIONS
    }


def starting_weights(spec: mlp.VAESpec) -> list[np.ndarray]:
    return arrays(mlp.VAE(spec.n_z, spec.n_hidden, torch.Generator().manual_seed(spec.seed)))


def contestants(
    by_precision: dict[str, mlp.VAESpec],
    images: torch.Tensor,
    dataset: torch.utils.data.Dataset,
) -> dict[str, object]:
    """Contestants by name, with JAX and Keras if they are installed.

    Args:
        by_precision: specs that differ in their precision only.
        images: ``[N, 784]``, N a multiple of the minibatch.
        dataset: the same images with their labels, read one by one.
    """
    torch.manual_seed(0)  # the loops use the global generator, as is usual
    made: dict[str, object] = {}
    for precision, spec in by_precision.items():
        weights = starting_weights(spec)
        made[f"DataLoader loop, {precision}"] = DataLoaderLoop(spec, weights, dataset)
        made[f"tensor loop, {precision}"] = EagerLoop(spec, weights, images)
        if shutil.which("g++"):  # torch.compile needs it on a CPU
            made[f"torch.compile, {precision}"] = CompiledLoop(spec, weights, images)
        made[f"ours, {precision}"] = Ours(spec, weights, images)
    spec, weights = by_precision["float32"], starting_weights(by_precision["float32"])
    if importlib.util.find_spec("jax"):
        from jax_scan import JaxScan

        made["JAX, float32"] = JaxScan(spec, weights, images)
        if importlib.util.find_spec("keras"):
            from keras_fit import KerasFit

            made["Keras, float32"] = KerasFit(spec, weights, images)
    return made


@torch.no_grad()
def objective(spec: mlp.VAESpec, weights: list[np.ndarray], images: torch.Tensor) -> float:
    """-ELBO in nats per image, with the same latent noise for every contestant."""
    shape = (spec.n_samples, len(images), spec.n_z)
    epsilon = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return float(mlp.negative_elbo(network(spec, weights), images, epsilon, spec.beta).total)


def first_epoch(
    made: dict[str, object], spec: mlp.VAESpec, test_images: torch.Tensor
) -> dict[str, float]:
    """Each contestant's test -ELBO after one epoch, in nats per image.

    Raises:
        SystemExit: a contestant's value differs from ours by more than the tolerance.
    """
    reached = {}
    for name, contestant in made.items():
        contestant.epoch()
        reached[name] = objective(spec, contestant.weights(), test_images)
        print(f"{name}: {reached[name]:.1f} nats after one epoch", flush=True)
    for name, value in reached.items():
        if not abs(value / reached[OURS] - 1) <= TOLERANCE:
            sys.exit(f"{name} reaches {value:.2f} nats, {OURS} {reached[OURS]:.2f}: not the same.")
    return reached


def operations(spec: mlp.VAESpec, n_images: int) -> float:
    """Multiplications and additions of an epoch's matrix products.

    The gradient with respect to the images is not computed and not counted.
    """
    encoder = 784 * spec.n_hidden + spec.n_hidden * 2 * spec.n_z
    decoder = spec.n_samples * (spec.n_z * spec.n_hidden + spec.n_hidden * 784)
    return 2.0 * n_images * (3 * (encoder + decoder) - 784 * spec.n_hidden)


def fastest_product_rate(precision: str) -> float:
    """Fastest rate of products of large square matrices, in operations per second.

    It is the upper limit for training by matrix products.
    """
    rate = product_rate(getattr(torch, precision))
    if precision == "float32" and torch.backends.mkldnn.is_available():
        return max(rate, onednn_rate())
    return rate


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=60_000, help="of an epoch; fewer for a try")
    options = parser.parse_args()
    by_precision = specs()
    spec = by_precision["float32"]
    if options.repeats < 1:
        parser.error(f"--repeats is {options.repeats}; allowed is an integer from 1.")
    if not 0 < options.images <= 60_000 or options.images % spec.minibatch:
        parser.error(
            f"--images is {options.images}; allowed is a multiple of {spec.minibatch} up to 60,000."
        )
    if not os.environ.get("REPINF_DATA"):
        sys.exit("Set REPINF_DATA to a folder that holds MNIST in torchvision's layout.")

    to_tensor = torchvision.transforms.ToTensor()
    dataset = torchvision.datasets.MNIST(os.environ["REPINF_DATA"], transform=to_tensor)
    images = data.load("mnist", "train").images[: options.images].clone()
    subset = torch.utils.data.Subset(dataset, range(len(images)))
    made = contestants(by_precision, images, subset)
    reached = first_epoch(made, spec, data.load("mnist", "test").images)

    seconds: dict[str, list[float]] = {name: [] for name in made}
    rates: dict[str, list[float]] = {precision: [] for precision in profiles.PRECISIONS}
    for repeat in range(options.repeats):
        for precision, measured in rates.items():
            measured.append(fastest_product_rate(precision))
        for name, contestant in made.items():
            seconds[name].append(timed(contestant.epoch))
            print(f"{repeat + 1}/{options.repeats} {name}: {seconds[name][-1]:.2f} s", flush=True)

    medians = {name: statistics.median(values) for name, values in seconds.items()}
    per_second = {precision: statistics.median(values) for precision, values in rates.items()}
    for name, median in medians.items():
        ratio = median / medians[OURS]
        limit = operations(spec, len(images)) / per_second[name.split(", ")[1]]
        print(f"{name}: {ratio:.2f} times {OURS}; {limit / median:.0%} of its product rate")
    write(
        "training",
        {
            "machine": described(),
            "images": len(images),
            "minibatch": spec.minibatch,
            "samples": spec.n_samples,
            "n_z": spec.n_z,
            "repeats": options.repeats,
            "negative_elbo_after_one_epoch": reached,
            "seconds_per_epoch": seconds,
            "median_seconds": medians,
            "operations_per_epoch": operations(spec, len(images)),
            "product_operations_per_second": per_second,
            "left_out": [
                name for name in ("torch.compile", "JAX", "Keras") if f"{name}, float32" not in made
            ],
        },
    )


if __name__ == "__main__":
    main()
