"""Covariances and ranks of many latent tensors: ours, batched, beside a loop over images in numpy.

    python benchmarks/ranks.py

Both take float32 tensors of 64 x 7 x 7 numbers, form S1, S2 and S3, and count their eigenvalues
above numpy's default tolerance.  Both must find the same ranks.  They take turns, each in a process
of its own: the waiting threads of numpy's library would take the processor from torch's.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from machine import described, write

from repinf_core.geometry import manifolds

SHAPE = (64, 7, 7)


def latents(images: int) -> torch.Tensor:
    """Random tensors ``[images, c, h, w]`` with ties: a border of equal features in each second."""
    found = torch.randn(images, *SHAPE, generator=torch.Generator().manual_seed(0))
    found[::2, :, :, :2] = found[::2, :, :1, :1]
    return found


def ours(z: torch.Tensor) -> np.ndarray:
    """Ranks ``[images, 3]``."""
    return torch.stack([manifolds.rank(s) for s in manifolds.mode_covariances(z)], 1).numpy()


def numpy_loop(z: torch.Tensor) -> np.ndarray:
    """The same, an image at a time."""
    found = []
    for image in z.numpy():
        ranks = []
        for mode in (1, 2, 0):
            unfolded = np.moveaxis(image, mode, 0).reshape(image.shape[mode], -1)
            covariance = np.cov(unfolded, bias=True, dtype=np.float32)
            ranks.append(np.linalg.matrix_rank(covariance, hermitian=True))
        found.append(ranks)
    return np.array(found)


CONTESTANTS: dict[str, Callable[[torch.Tensor], np.ndarray]] = {
    "ours": ours,
    "numpy loop": numpy_loop,
}


def seconds(name: str, images: int) -> float:
    """Seconds of a contestant, after a call that is not timed."""
    z = latents(images)
    CONTESTANTS[name](z)
    started = time.perf_counter()
    CONTESTANTS[name](z)
    return time.perf_counter() - started


def measure(images: int, repeats: int) -> dict:
    """Seconds of each contestant at each turn."""
    z = latents(images)
    first, second = (contestant(z) for contestant in CONTESTANTS.values())
    if not np.array_equal(first, second):
        raise SystemExit("The two find different ranks, so their times tell nothing.")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as fresh:
        turns = [
            {name: fresh.submit(seconds, name, images).result() for name in CONTESTANTS}
            for _ in range(repeats)
        ]
    found = {name: [turn[name] for turn in turns] for name in CONTESTANTS}
    medians = {name: statistics.median(times) for name, times in found.items()}
    return {"images": images, "seconds": found, "median_seconds": medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10_000], metavar="N")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats is {options.repeats}; allowed is an integer from 1.")
    if min(options.images) < 1:
        parser.error(f"--images is {min(options.images)}; allowed is an integer from 1.")
    sizes = []
    for images in options.images:
        size = measure(images, options.repeats)
        sizes.append(size)
        medians = size["median_seconds"]
        times = medians["numpy loop"] / medians["ours"]
        print(f"{images:,} images: the loop takes {times:.1f} times as long as ours", flush=True)
    write("ranks", {"machine": described(), "repeats": options.repeats, "sizes": sizes})


if __name__ == "__main__":
    main()
