"""An epoch of training the convolutional networks, ours beside a plain torch loop.

    REPINF_DATA=... python benchmarks/conv.py

Both train the same network from the same weights, with the same minibatch, objective, optimiser and
precision.  The first epoch is not timed; after it both must have reached the same test objective.
Then they take turns, so that other load on the machine affects both alike.  ``taskset -c 0`` holds
them to one core.
"""

import argparse
import contextlib
import os
import statistics
import sys

import numpy as np
import torch
import torch.nn.functional as F
from machine import described, write
from torch import nn
from torch_loops import Ours, arrays
from training import timed

from repinf_core import data, profiles
from repinf_core.models.conv import ConvSpec, variants
from repinf_core.training import general
from repinf_core.training.run import TrainingRun

TOLERANCE = 0.1  # relative, of the test objective after one epoch, while it still falls steeply
PLAIN, OURS = "plain loop", "ours"


class PlainLoop:
    """The obvious loop: torch's layers in a row, minibatches by index, autograd, Adam, autocast."""

    def __init__(self, spec: ConvSpec, weights: list[np.ndarray], images: torch.Tensor):
        self._spec, self._images = spec, images.view(-1, 1, 28, 28)
        outputs = spec.channels * (2 if spec.variational else 1)
        self._encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, outputs, 1),
        )
        self._decoder = nn.Sequential(
            nn.ConvTranspose2d(spec.channels, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
        )
        self._parameters = [*self._encoder.parameters(), *self._decoder.parameters()]
        for parameter, values in zip(self._parameters, weights, strict=True):
            parameter.data.copy_(torch.from_numpy(values))
        self._optimiser = torch.optim.Adam(self._parameters, lr=spec.learning_rates[0])

    def epoch(self) -> None:
        for rows in torch.randperm(len(self._images)).split(self._spec.minibatch):
            self._optimiser.zero_grad()
            self._loss(self._images[rows]).backward()
            self._optimiser.step()

    def _loss(self, x: torch.Tensor) -> torch.Tensor:
        kl, seen = torch.zeros(()), x
        if self._spec.noise_level:
            seen = (x + self._spec.noise_level * torch.randn_like(x)).clamp(0, 1)
        cast = contextlib.nullcontext()
        if self._spec.precision == "bfloat16":
            cast = torch.autocast("cpu", torch.bfloat16)
        with cast:
            if self._spec.variational:
                mu, log_variance = (part.float() for part in self._encoder(x).chunk(2, dim=1))
                kl = (mu**2 + log_variance.exp() - 1 - log_variance).sum() / 2
                z = mu + (log_variance / 2).exp() * torch.randn_like(mu)
            else:
                z = torch.relu(self._encoder(seen))
            logits = self._decoder(z)
        nll = F.binary_cross_entropy_with_logits(logits.float(), x, reduction="sum")
        return (nll + kl) / len(x)

    def weights(self) -> list[np.ndarray]:
        return [parameter.detach().numpy().copy() for parameter in self._parameters]


def contestants(spec: ConvSpec, images: torch.Tensor) -> dict[str, PlainLoop | Ours]:
    """Both, from the spec's initial weights.

    Args:
        spec: of a network of the companion.
        images: ``[N, 784]``.
    """
    torch.manual_seed(0)  # the loop uses the global generator, as is usual
    start = arrays(spec.build(torch.Generator().manual_seed(spec.seed)))
    return {PLAIN: PlainLoop(spec, start, images), OURS: Ours(spec, start, images)}


def objective(spec: ConvSpec, weights: list[np.ndarray], test: data.LabelledImages) -> float:
    """Test objective in nats per image, with the same random numbers for both."""
    run = TrainingRun(spec)
    for parameter, values in zip(run.model.parameters(), weights, strict=True):
        parameter.data.copy_(torch.from_numpy(values))
    return next(iter(general.evaluate(run, test).values()))


def first_epoch(
    made: dict[str, PlainLoop | Ours], spec: ConvSpec, test: data.LabelledImages
) -> dict[str, float]:
    """The test objective of each after one epoch, in nats per image.

    Raises:
        SystemExit: they differ by more than the tolerance.
    """
    reached = {}
    for name, contestant in made.items():
        contestant.epoch()
        reached[name] = objective(spec, contestant.weights(), test)
    if not abs(reached[PLAIN] / reached[OURS] - 1) <= TOLERANCE:
        sys.exit(
            f"{spec.label}: the {PLAIN} reaches {reached[PLAIN]:.2f} nats, {OURS} "
            f"{reached[OURS]:.2f}: not the same."
        )
    return reached


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=60_000, help="of an epoch; fewer for a try")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats is {options.repeats}; allowed is an integer from 1.")
    if not 0 < options.images <= 60_000:
        parser.error(f"--images is {options.images}; allowed is an integer from 1 to 60,000.")
    if not os.environ.get("REPINF_DATA"):
        sys.exit("Set REPINF_DATA to a folder that holds MNIST in torchvision's layout.")

    images = data.load("mnist", "train").images[: options.images].clone()
    test = data.load("mnist", "test")
    specs = variants(profiles.PROFILES["paper"])
    made = {network: contestants(spec, images) for network, spec in specs.items()}
    reached = {network: first_epoch(made[network], spec, test) for network, spec in specs.items()}
    seconds = {network: {name: [] for name in both} for network, both in made.items()}
    for repeat in range(options.repeats):
        for network, both in made.items():
            for name, contestant in both.items():
                seconds[network][name].append(timed(contestant.epoch))
                print(
                    f"{repeat + 1}/{options.repeats} {network}, {name}: "
                    f"{len(images) / seconds[network][name][-1]:,.0f} images/s",
                    flush=True,
                )
    rates = {
        network: {name: len(images) / statistics.median(times) for name, times in both.items()}
        for network, both in seconds.items()
    }
    ratios = {network: both[OURS] / both[PLAIN] for network, both in rates.items()}
    for network, ratio in ratios.items():
        print(f"{network}: {ratio:.2f} times as many images/s as the {PLAIN}")
    spec = specs["CAE"]
    write(
        "conv",
        {
            "machine": described(),
            "images": len(images),
            "minibatch": spec.minibatch,
            "channels": spec.channels,
            "precision": spec.precision,
            "repeats": options.repeats,
            "objective_after_one_epoch": reached,
            "seconds_per_epoch": seconds,
            "median_images_per_second": rates,
            "ours_relative_to_plain_loop": ratios,
        },
    )


if __name__ == "__main__":
    main()
