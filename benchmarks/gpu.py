"""Training and repeated inference on a GPU: captured in a CUDA graph beside step by step.

    python benchmarks/gpu.py

The paper's network runs on random images; pixel values do not affect the times.  The contestants
take turns.  The medians give the times of the paper's 1,500 epochs, of the grid of Fig. 9 and of a
rollout of 10,000 trials over 100 steps, all without evaluations.
"""

import argparse
import contextlib
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from unittest import mock

import torch
from machine import described, write

from repinf_core import profiles
from repinf_core.data import LabelledImages
from repinf_core.dynamics import rollout
from repinf_core.models import mlp
from repinf_core.training import sweep
from repinf_core.training.fast import ensemble
from repinf_core.training.run import TrainingRun

N_IMAGES = 60_000


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that ``work`` takes, from an idle device until the device is idle again."""
    _wait(device)
    started = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def medians(
    contestants: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, float]:
    """Median seconds of each contestant.

    The first turn is not counted, because it captures the graphs.
    """
    turns = [
        {name: seconds(work, device) for name, work in contestants.items()}
        for _ in range(repeats + 1)
    ]
    return {name: statistics.median(turn[name] for turn in turns[1:]) for name in contestants}


def step_by_step(runs: list[TrainingRun], train: LabelledImages) -> ensemble.Ensemble:
    """An ensemble that trains step by step, without a captured graph."""
    with mock.patch.object(ensemble, "Captured", lambda step, changes, generators: step):
        return ensemble.Ensemble(runs, train)


def unlabelled(images: torch.Tensor) -> LabelledImages:
    """Images ``[N, 784]`` that all have label 0."""
    return LabelledImages(images, torch.zeros(len(images), dtype=torch.long, device=images.device))


def epochs(spec: mlp.VAESpec, images: torch.Tensor, repeats: int) -> dict[str, float]:
    """Median seconds per epoch of one model of ``spec``, in each precision."""
    contestants, rates = {}, [spec.learning_rates[0]]
    for precision in profiles.PRECISIONS:
        of = dataclasses.replace(spec, precision=precision)
        for name, make in (("captured", ensemble.Ensemble), ("step by step", step_by_step)):
            trained = make([TrainingRun(of, images.device)], unlabelled(images))
            contestants[f"{name}, {precision}"] = lambda e=trained: e.epoch(rates)
    return medians(contestants, repeats, images.device)


def grid_epochs(
    experiment: profiles.Experiment, images: torch.Tensor, repeats: int
) -> dict[str, float]:
    """Median seconds per epoch of the models of Fig. 9, for each minibatch size.

    All models with the same minibatch size are trained at once.
    """
    contestants = {}
    for minibatch in experiment.selection_minibatches:
        cells = sweep.product(
            mlp.VAESpec.of(dataclasses.replace(experiment, minibatch=minibatch)),
            n_z=experiment.n_z_grid,
            learning_rates=[(rate,) for rate in experiment.selection_rates],
        )
        trained = ensemble.Ensemble(
            [TrainingRun(cell, images.device) for cell in cells], unlabelled(images)
        )
        rates = [cell.learning_rates[0] for cell in cells]
        name = f"{len(cells)} models, minibatch {minibatch}"
        contestants[name] = lambda e=trained, rates=rates: e.epoch(rates)
    return medians(contestants, repeats, images.device)


def rollouts(spec: mlp.VAESpec, x0: torch.Tensor, steps: int, repeats: int) -> dict[str, float]:
    """Median seconds of a rollout, with products in float32 and in TF32, if the device has it."""
    generator = torch.Generator().manual_seed(0)
    model = mlp.VAE(spec.n_z, spec.n_hidden, generator).to(x0.device)

    def run(precision: str, captured: bool) -> None:
        plain = mock.patch.object(rollout, "Captured", lambda step, graphs: step)
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(precision)
        try:
            with contextlib.nullcontext() if captured else plain:
                rollout.rollout(model, x0, steps)
        finally:
            torch.set_float32_matmul_precision(before)

    contestants = {}
    for name, precision in (("float32", "highest"), ("TF32", "high")):
        contestants[f"captured, {name}"] = lambda p=precision: run(p, True)
        contestants[f"step by step, {name}"] = lambda p=precision: run(p, False)
    return medians(contestants, repeats, x0.device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    if repeats < 1:
        parser.error(f"--repeats is {repeats}; allowed is an integer from 1.")
    if not torch.cuda.is_available():
        sys.exit("This benchmark needs a CUDA device, and torch finds none.")
    experiment = profiles.PROFILES["paper"]
    spec = mlp.VAESpec.of(experiment)
    generator = torch.Generator("cuda").manual_seed(0)
    images = torch.rand(N_IMAGES, 784, generator=generator, device="cuda")
    of_epoch = epochs(spec, images, repeats)
    of_grid_epoch = grid_epochs(experiment, images, repeats)
    of_rollout = rollouts(spec, images[:10_000], 100, repeats)
    all_epochs = {name: took * spec.epochs for name, took in of_epoch.items()}
    grid = experiment.selection_epochs * sum(of_grid_epoch.values())
    for name, took in all_epochs.items():
        print(f"{spec.epochs:,} epochs, {name}: {took / 60:.1f} min")
    print(f"Grid of Fig. 9: {grid / 60:.1f} min")
    for name, took in of_rollout.items():
        print(f"10,000 trials, 100 steps, {name}: {1000 * took:.1f} ms")
    write(
        "gpu",
        {
            "machine": described() | {"gpu": torch.cuda.get_device_name()},
            "repeats": repeats,
            "seconds_per_epoch": of_epoch,
            "seconds_per_grid_epoch": of_grid_epoch,
            "seconds_of_rollout": of_rollout,
            "seconds_of_all_epochs": all_epochs,
            "seconds_of_grid": grid,
        },
    )


if __name__ == "__main__":
    main()
