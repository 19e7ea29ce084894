"""The results of a page as a small JSON file with its provenance; the claims use these files."""

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
    """Write ``<folder>/<page>.json`` atomically, and return its path.

    Before it, each table is written to ``<folder>/<page>/<name>.csv`` with nine significant digits.
    These distinguish all float32 numbers, so a figure drawn from the file equals the page's figure.

    Args:
        page: name of the page, the stem of the file.
        profile: profile that gave the parameters at ``None`` their values.
        experiment: all parameters.
        device: device of the computation; the name of a GPU is recorded.
        numbers: the results as plain numbers, texts, lists and dictionaries.
        finding: the page's result in one sentence, for the book's front page.
        folder: folder of the results.
        tables: the results as tidy tables, one observation in each row, by name.

    Raises:
        ValueError: a number is NaN or infinite, or the page's name is not a plain file stem.
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
    """The hardware that can change the last digits: the GPU, or the processor and its threads."""
    on_gpu = torch.device(device).type == "cuda"
    return {
        "device_name": torch.cuda.get_device_name(device) if on_gpu else None,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def _products(device: str) -> str:
    """The library that multiplies in repeated inference; see :mod:`repinf_core.dynamics.means`."""
    if torch.device(device).type == "cuda":
        return "cuBLAS"
    if onednn.supports(torch.empty(1, 1)):
        return "oneDNN"
    return "MKL" if torch.backends.mkl.is_available() else "torch's own"


def _versions() -> dict[str, str]:
    """Versions of this package and of the installed packages of the lock.

    Without a lock, versions of a few packages: the lock exists in a checkout only, but not, for
    example, after an installation in Colab.
    """
    lock = Path(__file__).parents[1] / "constraints.txt"
    locked = re.findall(r"^([\w.-]+)==", lock.read_text(), re.M) if lock.exists() else _LIBRARIES
    # The package's own version is known even in a checkout that is not installed.
    found = {"repinf": __version__}
    for name in locked:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def revision() -> str:
    """Commit of the code; "unknown" outside a checkout.

    It ends in ``-dirty`` if the core's modules or the notebooks have uncommitted changes.  Changes
    in pages, results and weights, which the code writes, do not count.
    """
    package = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        run = subprocess.run(command, cwd=package, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    try:
        # Fails if the package is installed inside the checkout of another project.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        dirty = git("status", "--porcelain", "--", ":/repinf_core/*.py", ":/notebooks")
        return git("rev-parse", "HEAD") + ("-dirty" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
