"""Repeated inference on the CPU: ours, the plain loop, and the machine's matrix-product rates.

    python benchmarks/rollout.py

Both loops compute the distance of every trial to one concept, in float32, with the paper's network
and random weights, whose values do not affect the times.  Both must find the same distances.  They
take turns.  Between the turns, products of square matrices measure the machine's current rate: with
torch's own float32 product (sgemm) and with oneDNN's, which our rollout uses on x86 processors.
The share of a loop is its rate divided by this rate.  It counts the operations of the matrix
products only, not tanh and sigmoid.  Peak memory is the memory that a rollout adds to a fresh
process.
"""

import argparse
import concurrent.futures
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import described, onednn_rate, product_rate, write

from repinf_core import geometry, profiles
from repinf_core.dynamics import rollout
from repinf_core.models import mlp

STEPS = {300: 100, 3_000: 100, 30_000: 10}  # fewer steps for the largest size


def network() -> mlp.VAE:
    paper = profiles.PROFILES["paper"]
    return mlp.VAE(paper.n_z, paper.n_hidden, torch.Generator().manual_seed(0))


def ours(model: mlp.VAE, x0: torch.Tensor, steps: int) -> torch.Tensor:
    concept = torch.zeros(model.n_z)
    observe = {"distance": lambda x, z, trials: geometry.distance(z, concept)}
    return rollout.rollout(model, x0, steps, observe).observed["distance"]


@torch.no_grad()
def plain_loop(model: mlp.VAE, x0: torch.Tensor, steps: int) -> torch.Tensor:
    """The obvious loop, with all trials at once."""
    concept = torch.zeros(model.n_z)
    z = model.encode_mean(x0)
    distances = [geometry.distance(z, concept)]
    for _ in range(steps):
        z = model.encode_mean(model.decode_mean(z))
        distances.append(geometry.distance(z, concept))
    return torch.stack(distances)


@torch.no_grad()
def products_alone(model: mlp.VAE, x0: torch.Tensor, steps: int) -> None:
    """The matrix products of a rollout alone, by sgemm in chunks of 1,024 trials: a yardstick."""
    n_z, weights = model.n_z, [layer.weight for layer in model.children()]
    w1, w2, w3, w4 = weights[0], weights[1][:n_z], weights[2], weights[3]
    for x in x0.split(1024):
        # The encoder reads x, not the decoded pixels: without tanh they would vanish or overflow.
        hidden, z, pixels = x.new_empty(len(x), len(w1)), x.new_empty(len(x), n_z), x.clone()
        torch.mm(x, w1.T, out=hidden)
        torch.mm(hidden, w2.T, out=z)
        for _ in range(steps):
            torch.mm(z, w3.T, out=hidden)
            torch.mm(hidden, w4.T, out=pixels)
            torch.mm(x, w1.T, out=hidden)
            torch.mm(hidden, w2.T, out=z)


CONTESTANTS: dict[str, Callable] = {
    "ours": ours,
    "plain loop": plain_loop,
    "products alone": products_alone,
}
RATES: dict[str, Callable[[], float]] = {
    "sgemm": lambda: product_rate(torch.float32),
    "oneDNN": onednn_rate,
}


def operations(model: mlp.VAE, trials: int, steps: int) -> float:
    """Multiplications and additions of the matrix products: T + 1 encodings of mu, T decodings."""
    n_hidden, n_pixels = model.encoder_hidden.weight.shape
    return 2 * trials * (2 * steps + 1) * n_hidden * (n_pixels + model.n_z)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_memory(name: str, trials: int, steps: int) -> int | None:
    """Peak memory of a rollout in bytes, without network and x(0); None except on Linux."""
    model, x0 = network(), torch.rand(trials, 784)
    CONTESTANTS[name](model, x0[:3], 1)  # torch loads and keeps some memory at its first use
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = _status("VmRSS")
        CONTESTANTS[name](model, x0, steps)
        return _status("VmHWM") - before
    except OSError:
        return None


def _status(field: str) -> int:
    """A memory field of this process's status, in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{field}:\s+(\d+) kB$", text, re.M)[1])


def measure(trials: int, steps: int, repeats: int) -> dict:
    """Each contestant's share of the square products' rates, and its peak memory."""
    model, x0 = network(), torch.rand(trials, 784, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        ours(model, x0, steps), plain_loop(model, x0, steps), rtol=1e-3, atol=1e-4
    )
    shares: dict[str, dict[str, list[float]]] = {
        of: {name: [] for name in CONTESTANTS} for of in RATES
    }
    rates = {of: [rate()] for of, rate in RATES.items()}
    for _ in range(repeats):
        for name, contestant in CONTESTANTS.items():
            took = seconds(lambda: contestant(model, x0, steps))  # noqa: B023 (called at once)
            for of, rate in RATES.items():
                rates[of].append(rate())
                beside = sum(rates[of][-2:]) / 2
                shares[of][name].append(operations(model, trials, steps) / took / beside)
    context = multiprocessing.get_context("spawn")
    memory = {}
    for name in ("ours", "plain loop"):
        with concurrent.futures.ProcessPoolExecutor(1, context) as fresh:
            memory[name] = fresh.submit(peak_memory, name, trials, steps).result()
    return {
        "trials": trials,
        "steps": steps,
        "operations_per_second": {of: statistics.median(rates[of]) for of in RATES},
        "share_of": {
            of: {name: statistics.median(values) for name, values in shares[of].items()}
            for of in RATES
        },
        "all_shares_of": shares,
        "peak_memory_bytes": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--trials", type=int, nargs="+", default=list(STEPS), metavar="N")
    parser.add_argument("--steps", type=int, help="for every number of trials, for a short trial")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats is {options.repeats}; allowed is an integer from 1.")
    if min(options.trials) < 1:
        parser.error(f"--trials is {min(options.trials)}; allowed are integers from 1.")
    if options.steps is not None and options.steps < 1:
        parser.error(f"--steps is {options.steps}; allowed is an integer from 1.")
    sizes = []
    for trials in options.trials:
        steps = options.steps or STEPS.get(trials, 100)
        size = measure(trials, steps, options.repeats)
        sizes.append(size)
        for name in CONTESTANTS:
            shares = (f"{of[name]:.1%} of the {rate} rate" for rate, of in size["share_of"].items())
            memory = size["peak_memory_bytes"].get(name)
            peak = "" if memory is None else f", peak memory {memory / 2**20:.0f} MiB"
            print(f"{trials:,} trials, {name}: {', '.join(shares)}{peak}", flush=True)
    write("rollout", {"machine": described(), "repeats": options.repeats, "sizes": sizes})


if __name__ == "__main__":
    main()
