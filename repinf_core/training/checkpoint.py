"""The state of a training, and its safetensors file, which has a checksum.

Its metadata are the spec as JSON, the records of the epochs so far, the kind of device, and a
SHA-256 of the tensors and all of these.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from repinf_core.atomic import replacing
from repinf_core.errors import ReaderError
from repinf_core.models import Spec, spec_from_json

_KEPT = 2
_NAME = re.compile(r"checkpoint-(\d+)\.safetensors")
FORMAT = "2"
"""Format of the file: one named tensor per parameter.  Version 0.1 kept all weights in a vector."""


class CheckpointError(ReaderError, RuntimeError):
    """A model file is damaged, altered, or belongs to another specification."""


@dataclass(frozen=True)
class State:
    """A training after a complete epoch, in memory or in a file.

    Attributes:
        spec: spec of the model, as JSON.
        history: one record per epoch.
        device: kind of device whose generator the state holds.
        tensors: tensors by name; an unfinished training has ``generator`` among them.
    """

    spec: str
    history: list[dict[str, Any]]
    device: str
    tensors: dict[str, torch.Tensor]

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether this was the last epoch."""
        return "generator" not in self.tensors

    def save(self, path: Path) -> None:
        """Write a file for :meth:`load` atomically.

        Raises:
            OSError: the file cannot be written.
        """
        tensors = {name: value.cpu().contiguous() for name, value in self.tensors.items()}
        history = json.dumps(self.history)
        metadata = {"format": FORMAT, "spec": self.spec, "history": history, "device": self.device}
        metadata["sha256"] = _digest(tensors, metadata)
        write(tensors, path, metadata)

    @classmethod
    def load(cls, path: Path, spec: Spec) -> "State":
        """The state saved in ``path``.

        Raises:
            CheckpointError: the file is damaged or altered, or belongs to another spec.
        """
        tensors, metadata = read(path)
        history = json.loads(metadata["history"])
        state = cls(metadata["spec"], history, metadata["device"], tensors)
        if not _same(state.spec, spec):
            raise CheckpointError(
                f"{path} is of another model: asked for {spec.as_json()}, got {state.spec}."
            )
        return state


def _same(saved: str, spec: Spec) -> bool:
    # Not the texts: a file may be older than a field that has its default here.
    try:
        return spec_from_json(saved) == spec
    except ValueError:
        return False


def write(
    tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file atomically.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # safetensors reports a full disk in this way
            raise OSError(f"{path} could not be written ({error}); is the disk full?") from error


def clear(folder: Path) -> None:
    """Remove temporary files of a process that was killed while it wrote them."""
    for leftover in folder.glob(".*.safetensors"):
        leftover.unlink()


def keep(state: State, final: Path) -> None:
    """Save the state unless it is saved; remove old checkpoints.

    An unfinished training keeps its last two checkpoints, a finished training none.

    Args:
        state: state of an unfinished or finished training.
        final: file of the finished model; checkpoints are in the same folder.
    """
    path = final if state.finished else final.parent / f"checkpoint-{state.epoch}.safetensors"
    if not path.exists():
        state.save(path)
    for old in saved(final.parent)[: None if state.finished else -_KEPT]:
        old.unlink()


def saved(folder: Path) -> list[Path]:
    """The folder's checkpoints, oldest first; files with other names are ignored."""
    named = ((_NAME.fullmatch(path.name), path) for path in folder.glob("checkpoint-*"))
    return [path for _, path in sorted((int(found[1]), path) for found, path in named if found)]


def _digest(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    texts = metadata["spec"] + metadata["history"] + metadata["device"]
    sha256 = hashlib.sha256(texts.encode())
    for name in sorted(tensors):
        sha256.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        sha256.update(tensors[name].numpy().data)
    return sha256.hexdigest()


def metadata_of(path: Path) -> dict[str, str]:
    """The metadata of a file; empty if it is not a safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except SafetensorError:
        return {}


def read(path: Path, format: str | None = FORMAT) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a file that :meth:`State.save` wrote.

    Args:
        path: path of the file.
        format: required format; None for version 0.1.

    Raises:
        CheckpointError: the file is damaged or altered, or has another format.
    """
    problem = (
        f"{path} is damaged or altered; delete it to train again, from the state before it if any."
    )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        if "sha256" in metadata and metadata.get("format") != format:
            raise CheckpointError(
                f"{path} is in the format of another version of this program; `repinf convert` "
                f"carries the models of version 0.1 over."
            )
        if metadata["sha256"] != _digest(tensors, metadata):
            raise CheckpointError(problem)
    except (SafetensorError, KeyError, TypeError) as error:  # TypeError: a type unknown to numpy
        raise CheckpointError(problem) from error
    return tensors, metadata
