"""Describe a benchmark's machine, measure its matrix-product rates, and write the results."""

import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from repinf_core.atomic import replacing

RESULTS = Path(__file__).parent / "results"
_SIZE = 2048  # rows of a square matrix: large enough to reach the machine's rate


def described() -> dict[str, Any]:
    """Processor, cores, threads and library versions, without the machine's name."""
    capability = torch.backends.cpu.get_cpu_capability()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "vector_instructions": capability,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("torch", "jax", "keras")},
    }


def product_rate(dtype: torch.dtype) -> float:
    """Operations per second of a product of square matrices, measured now.

    Multiplications and additions count.
    """
    a, b = torch.rand(2, _SIZE, _SIZE).to(dtype)
    out = torch.empty_like(a)
    return _rate(lambda: torch.mm(a, b, out=out))


def onednn_rate() -> float:
    """As :func:`product_rate` in float32, by oneDNN, which torch uses for tensors in its layout."""
    a, b = (matrix.to_mkldnn() for matrix in torch.rand(2, _SIZE, _SIZE))
    return _rate(lambda: torch.nn.functional.linear(a, b))


def _rate(product: Callable[[], object]) -> float:
    product()
    started = time.perf_counter()
    for _ in range(3):
        product()
    return 3 * 2 * _SIZE**3 / (time.perf_counter() - started)


def write(name: str, measured: dict[str, Any]) -> Path:
    """Write ``results/<name>.json`` atomically; returns its path."""
    path = RESULTS / f"{name}.json"
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(measured, indent=1, allow_nan=False) + "\n")
    print(f"Written: {path}")
    return path


def _processor() -> str:
    """The processor's model name on Linux; elsewhere, what Python's ``platform`` reports."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
