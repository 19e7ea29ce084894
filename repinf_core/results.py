"""What a page found, as a small JSON file with its provenance; the claims are built on these."""

import contextlib
import json
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from repinf_core import __version__
from repinf_core.atomic import replacing
from repinf_core.kernels import onednn
from repinf_core.profiles import Experiment

_LIBRARIES = ("torch", "numpy", "scikit-learn", "scipy", "pandas")


def record(
    page: str,
    profile: str,
    experiment: Experiment,
    device: str,
    numbers: dict[str, Any],
    finding: str,
    folder: str | Path = "results",
    tables: Mapping[str, pd.DataFrame] | None = None,
) -> Path:
    """Write ``<folder>/<page>.json``, whole or not at all, and return its path.

    Each table goes before it to ``<folder>/<page>/<name>.csv``, with nine significant digits: they
    tell every float32 from the next, so a figure drawn from the file is the page's.

    Args:
        page: name of the page, the stem of the file.
        profile: whose numbers the parameters at ``None`` took.
        experiment: all parameters.
        device: where it was computed; a GPU is asked for its name.
        numbers: what was measured, plain numbers, texts, lists and dictionaries.
        finding: the page's result in one sentence, for the book's front page.
        folder: of the results.
        tables: what was measured as tidy tables, one observation a row, by their names.

    Raises:
        ValueError: a number is NaN or infinite, or the page's name is no plain file stem.
    """
    if not re.fullmatch(r"[\w-]+", page):
        raise ValueError(f"Page is {page!r}; allowed are letters, digits, _ and -.")
    contents = {
        "page": page,
        "profile": profile,
        "parameters": asdict(experiment),
        "results": numbers,
        "finding": finding,
        "provenance": {
            "revision": revision(),
            "device": device,
            **_hardware(device),
            "products": _products(device),
            "python": platform.python_version(),
            "versions": _versions(),
        },
    }
    for name, table in (tables or {}).items():
        with replacing(Path(folder) / page / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, float_format="%.9g")
    path = Path(folder) / f"{page}.json"
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(contents, indent=1, allow_nan=False) + "\n")
    return path


def _hardware(device: str) -> dict[str, Any]:
    """On what the numbers depend to the last digit: the GPU, or the processor and its threads."""
    on_gpu = torch.device(device).type == "cuda"
    return {
        "device_name": torch.cuda.get_device_name(device) if on_gpu else None,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def _products(device: str) -> str:
    """The library that multiplies in repeated inference, as :mod:`repinf_core.dynamics.means`."""
    if torch.device(device).type == "cuda":
        return "cuBLAS"
    if onednn.supports(torch.empty(1, 1)):
        return "oneDNN"
    return "MKL" if torch.backends.mkl.is_available() else "torch's own"


def _versions() -> dict[str, str]:
    """Of this package and of those of the lock that are installed; without a lock, of a few.

    The lock lies in a checkout only: Colab, say, installs the package without it.
    """
    lock = Path(__file__).parents[1] / "constraints.txt"
    locked = re.findall(r"^([\w.-]+)==", lock.read_text(), re.M) if lock.exists() else _LIBRARIES
    # The package's own too when it is used from a checkout, without an installation.
    found = {"repinf": __version__}
    for name in locked:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def revision() -> str:
    """Commit of the code; "unknown" outside a checkout.

    With ``-dirty`` if the core or a notebook has uncommitted changes: what they wrote, pages,
    results and weights, does not count.
    """
    package = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        run = subprocess.run(command, cwd=package, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    try:
        # Installed inside some other project's checkout, the package is not of its commits.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        dirty = git("status", "--porcelain", "--", ":/repinf_core/*.py", ":/notebooks")
        return git("rev-parse", "HEAD") + ("-dirty" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
