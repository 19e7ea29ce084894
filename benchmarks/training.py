"""An epoch of training, ours against a plain torchvision DataLoader loop, side by side.

    REPINF_DATA=... python benchmarks/training.py --repeats 5

Same network, minibatch, L, loss and precision; the contestants take turns, so that whatever
else the machine does falls on all of them.  Ratios count, not seconds.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision

from repinf_core import data, profiles, training, vae


def dataloader_epoch(experiment: profiles.Experiment) -> Callable[[], None]:
    """What one would otherwise write: a DataLoader, autograd, Adam, autocast for bfloat16."""
    root = os.environ.get("REPINF_DATA", "data")
    images = torchvision.datasets.MNIST(root, transform=torchvision.transforms.ToTensor())
    loader = torch.utils.data.DataLoader(images, batch_size=experiment.minibatch, shuffle=True)
    model = vae.VAE(experiment.n_z, experiment.n_hidden, torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(model.parameters(), lr=experiment.learning_rates[0])
    half = experiment.precision == "bfloat16"

    def epoch() -> None:
        for batch, _ in loader:
            x = batch.flatten(1)
            optimiser.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                mu, log_variance = model.encode(x)
                epsilon = torch.randn(experiment.n_samples, *mu.shape)
                z = mu + torch.exp(0.5 * log_variance) * epsilon
                logits = model.decode_logits(z)
            nll = F.binary_cross_entropy_with_logits(
                logits.float(), x.expand_as(logits), reduction="sum"
            )
            kl = vae.kl_divergence(mu.float(), log_variance.float()).sum()
            loss = (experiment.beta * kl + nll / experiment.n_samples) / len(x)
            loss.backward()
            optimiser.step()

    return epoch


def our_epoch(experiment: profiles.Experiment) -> Callable[[], None]:
    """One epoch of ``training.fit``, without its evaluation on the test images."""
    images = data.load("mnist", "train").images
    run = training.TrainingRun(training.Spec.of(experiment))

    def epoch() -> None:
        training.train_epoch(run, images, experiment.learning_rates[0])

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the measurements there too")
    options = parser.parse_args()
    contestants = {}
    for precision in profiles.PRECISIONS:
        experiment = profiles.experiment("paper", {"precision": precision})
        contestants[f"DataLoader, {precision}"] = dataloader_epoch(experiment)
        contestants[f"ours, {precision}"] = our_epoch(experiment)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(options.repeats):
        for name, epoch in contestants.items():
            started = time.perf_counter()
            epoch()
            seconds[name].append(time.perf_counter() - started)
            print(f"{repeat + 1}/{options.repeats} {name}: {seconds[name][-1]:.2f} s", flush=True)

    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = {
        precision: medians[f"DataLoader, {precision}"] / medians[f"ours, {precision}"]
        for precision in profiles.PRECISIONS
    }
    for precision, ratio in ratios.items():
        print(f"{precision}: the DataLoader loop takes {ratio:.2f} times as long as ours")
    if options.json:
        machine = {
            "processor": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        report = {"machine": machine, "seconds_per_epoch": seconds, "ratios": ratios}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
