"""Trained models that ship with the package: files of float16 weights, and a manifest.

``weights/manifest.json`` gives for each model its spec, the number of epochs that it was *really*
trained (a shipped model may come from the middle of a longer training), its test values, and the
device and revision.  Each file contains one named tensor per parameter, the history, and, in its
metadata, the spec.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import filelock
import torch
from safetensors.torch import load_file

from repinf_core.atomic import replacing
from repinf_core.models import Spec
from repinf_core.training import checkpoint
from repinf_core.training.checkpoint import CheckpointError, State
from repinf_core.training.run import EpochRecord, TrainingRun

FOLDER = Path(__file__).parents[1] / "weights"
_RECORD = ("epoch", "learning_rate", "seconds", "images_per_second")
_WHOLE = {"epoch", "active_latents"}


def manifest(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The entries of the shipped models, by the name of the spec."""
    path = folder / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}


def load(spec: Spec, device: torch.device | str = "cpu", folder: Path = FOLDER) -> TrainingRun:
    """The shipped model of ``spec`` with its history.

    Its weights are rounded to float16.  Its ``epoch`` is the number of epochs that it was really
    trained, which may be less than ``spec.epochs``.

    Raises:
        KeyError: no model of this spec ships.
        CheckpointError: the file is not the one that the manifest describes.
    """
    entry = manifest(folder)[spec.name]
    path = folder / entry["file"]
    if not path.exists() or _sha256(path) != entry["sha256"]:
        raise CheckpointError(f"{path} is not the file of the manifest; install the package again.")
    tensors = load_file(path)
    history = _records(tensors.pop("history"), entry["history"], entry["path"])
    # Like the state of a finished run, which holds only weights.
    run = TrainingRun.from_state(State(spec.as_json(), [], "cpu", tensors), spec, device)
    run.history = history
    run.origin = f"ships, trained for {run.epoch:,} of {spec.epochs:,} epochs"
    return run


def ship(run: TrainingRun, revision: str, device: str, folder: Path = FOLDER) -> Path:
    """Add a run's model to the manifest; returns the path of its weights.

    The new file has its own name, and the manifest is changed after it is written.  If this is
    interrupted, the previous model still ships.

    Args:
        run: a run, trained to its last epoch or not.
        revision: commit of the code that ships it; earlier commits may have begun its training.
        device: the machine that trained it, in words.
        folder: folder of the manifest.
    """
    last = run.history[-1]
    columns = [
        *_RECORD,
        *(f"train.{name}" for name in last.train),
        *(f"test.{name}" for name in last.test),
    ]
    rows = [[_number(record, column) for column in columns] for record in run.history]
    tensors = {
        f"weights.{name}": parameter.detach().half().cpu().contiguous()
        for name, parameter in run.model.named_parameters()
    }
    tensors["history"] = torch.tensor(rows, dtype=torch.float32)
    entry = {
        "spec": json.loads(run.spec.as_json()),
        "epochs_trained": run.epoch,
        "test": {name: round(value, 3) for name, value in last.test.items()},
        "seconds": round(sum(record.seconds for record in run.history)),
        "path": last.path,
        "history": columns,
        "device": device,
        "revision": revision,
    }
    metadata = {"format": checkpoint.FORMAT, "spec": run.spec.as_json()}
    with filelock.FileLock(folder / "manifest.lock"):  # another process may ship a model too
        unnamed = folder / f".{run.spec.name}.safetensors"
        checkpoint.write(tensors, unnamed, metadata)
        sha256 = _sha256(unnamed)
        path = unnamed.replace(folder / f"{run.spec.name}.{sha256[:8]}.safetensors")
        entry |= {"file": path.name, "sha256": sha256}
        entries = manifest(folder) | {run.spec.name: entry}
        with replacing(folder / "manifest.json") as temporary:
            temporary.write_text(json.dumps(dict(sorted(entries.items())), indent=1) + "\n")
        for earlier in folder.glob(f"{run.spec.name}.*.safetensors"):
            if earlier != path:
                earlier.unlink()
    return path


def _number(record: EpochRecord, column: str) -> float:
    split, _, name = column.rpartition(".")
    return getattr(record, split)[name] if split else getattr(record, name)


def _records(rows: torch.Tensor, columns: list[str], path: str) -> list[EpochRecord]:
    """The history from the rows that :func:`ship` wrote, one for each epoch."""
    records = []
    for row in rows.tolist():
        numbers: dict[str, Any] = {"": {}, "train": {}, "test": {}}
        for column, value in zip(columns, row, strict=True):
            split, _, name = column.rpartition(".")
            numbers[split][name] = int(value) if name in _WHOLE else value
        own = numbers.pop("")
        records.append(EpochRecord(**own, **numbers, path=path))
    return records


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
