"""Trained models that ship with the package: float16 weights and a manifest that says of what.

``manifest.json`` names each model and tells its spec, the epochs *really* trained (a shipped
model may be the middle of a longer training), what it reaches, and where it comes from.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import filelock
import torch
from safetensors.torch import load_file

from repinf_core.atomic import replacing
from repinf_core.training import EpochRecord, Spec, TrainingRun, checkpoint
from repinf_core.training.checkpoint import CheckpointError

FOLDER = Path(__file__).parent
_FIELDS = [field.name for field in dataclasses.fields(EpochRecord)]
_WHOLE = {"epoch", "active_latents"}


def manifest(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """What ships: name of the spec to its entry."""
    path = folder / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}


def shipped(
    spec: Spec, device: torch.device | str = "cpu", folder: Path = FOLDER
) -> TrainingRun | None:
    """The shipped model of ``spec`` with its history, or None if none ships.

    Its weights are float16 numbers; its ``epoch`` is what was really trained and may be less
    than ``spec.epochs``.

    Raises:
        CheckpointError: the file is not the one of the manifest.
    """
    entry = manifest(folder).get(spec.name)
    if entry is None:
        return None
    path = folder / f"{spec.name}.safetensors"
    if not path.exists() or _sha256(path) != entry["sha256"]:
        raise CheckpointError(f"{path} is not the file of the manifest; install the package again.")
    tensors = load_file(path)
    run = TrainingRun(spec, device)
    run.flat.vector.data.copy_(tensors["weights"])
    run.history = [
        EpochRecord(
            **{
                name: int(value) if name in _WHOLE else value
                for name, value in zip(_FIELDS, row, strict=True)
            }
        )
        for row in tensors["history"].tolist()
    ]
    return run


def ship(run: TrainingRun, revision: str, device: str, folder: Path = FOLDER) -> Path:
    """Add a run's model to the manifest; returns the path of its weights.

    Args:
        run: trained to its end or not.
        revision: commit of the code from which it ships; its training may have begun at others.
        device: the machine that trained it, in words.
        folder: of the manifest.
    """
    path = folder / f"{run.spec.name}.safetensors"
    history = [dataclasses.astuple(record) for record in run.history]
    tensors = {
        "weights": run.flat.vector.detach().cpu().half(),
        "history": torch.tensor(history, dtype=torch.float32),
    }
    last = run.history[-1]
    entry = {
        "spec": json.loads(run.spec.as_json()),
        "epochs_trained": run.epoch,
        "test_negative_elbo": round(last.test_negative_elbo, 3),
        "active_latents": last.active_latents,
        "seconds": round(sum(record.seconds for record in run.history)),
        "device": device,
        "revision": revision,
    }
    with filelock.FileLock(folder / "manifest.lock"):  # another process may ship its own
        checkpoint.write(tensors, path)
        entries = manifest(folder) | {run.spec.name: entry | {"sha256": _sha256(path)}}
        with replacing(folder / "manifest.json") as temporary:
            temporary.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n")
    return path


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
