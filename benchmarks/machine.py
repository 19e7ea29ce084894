"""What a benchmark says of its machine: in words, and how fast it multiplies; where that goes."""

import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from repinf_core.atomic import replacing

RESULTS = Path(__file__).parent / "results"


def described() -> dict[str, Any]:
    """Processor, cores, threads and versions; no name of the machine."""
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
    """Multiplications and additions per second of a product of square matrices, right now."""
    size = 2048  # large enough to reach the machine's rate
    a, b = torch.rand(2, size, size).to(dtype)
    out = torch.empty_like(a)
    torch.mm(a, b, out=out)
    started = time.perf_counter()
    for _ in range(3):
        torch.mm(a, b, out=out)
    return 3 * 2 * size**3 / (time.perf_counter() - started)


def write(name: str, measured: dict[str, Any]) -> Path:
    """``results/<name>.json``, whole or not at all."""
    path = RESULTS / f"{name}.json"
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(measured, indent=1, allow_nan=False) + "\n")
    print(f"Written: {path}")
    return path


def _processor() -> str:
    """The model's name as Linux knows it; elsewhere the architecture."""
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
