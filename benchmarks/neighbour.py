"""What a busy neighbour costs a training whose waiting threads spin, or sleep.

    python benchmarks/neighbour.py

A separate process trains on the digits, alternately alone and beside an endless loop.  Its waiting
threads spin for GNU OpenMP's default number of turns, for the number that ``repinf_core`` sets, or
not at all.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

from machine import described, write

SPINS = {"by itself": "300000", "a moment": "10000", "none": "0"}
TRAIN = """
import dataclasses, sys, time
from repinf_core import data, profiles
from repinf_core.models.mlp import VAESpec
from repinf_core.training.fit import fit
from repinf_core.training.run import TrainingRun

spec = VAESpec.of(profiles.experiment("quick", {"epochs": int(sys.argv[1])}))
train, test = data.load("digits", "train"), data.load("digits", "test")
epochs = fit(TrainingRun(spec), train, test)
next(epochs)  # also sets things up
started = time.perf_counter()
for _ in epochs:
    pass
print(time.perf_counter() - started)
"""


@contextlib.contextmanager
def busy_neighbour() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def seconds(spins: str, epochs: int) -> float:
    """Seconds that the training takes, without its first epoch."""
    environment = os.environ | {"GOMP_SPINCOUNT": spins, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", TRAIN, str(epochs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=11)
    options = parser.parse_args()
    if options.repeats < 1 or options.epochs < 2:
        parser.error("--repeats takes an integer from 1, --epochs one from 2.")
    found: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for name, spins in SPINS.items():
            for where, beside in (
                ("alone", contextlib.nullcontext),
                ("beside a neighbour", busy_neighbour),
            ):
                with beside():
                    found.setdefault(f"{name}, {where}", []).append(seconds(spins, options.epochs))
    medians = {name: statistics.median(values) for name, values in found.items()}
    quickest = medians["by itself, alone"]
    for name, median in medians.items():
        print(f"{name}: {median / quickest:.2f} times as OpenMP spins by itself, alone")
    write(
        "neighbour",
        {
            "machine": described(),
            "epochs": options.epochs - 1,
            "repeats": options.repeats,
            "seconds": found,
            "median_seconds": medians,
        },
    )


if __name__ == "__main__":
    main()
