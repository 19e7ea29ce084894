"""A training's state, and the safetensors file that tells what it is of and whether it is whole.

Beside the tensors: the spec as JSON, the records of the epochs so far, the kind of device, and a
SHA-256 of all that.
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

_KEPT = 2
_NAME = re.compile(r"checkpoint-(\d+)\.safetensors")
FORMAT = "2"
"""Of the file: one named tensor per parameter.  Version 0.1 kept all weights in one vector."""


class CheckpointError(ReaderError, RuntimeError):
    """A model file that is damaged, altered, or of another specification."""


@dataclass(frozen=True)
class State:
    """A training as it was after an epoch, in memory or in a file.

    Attributes:
        spec: what is trained, as JSON.
        history: one record per epoch.
        device: the kind of device whose generator the state holds.
        tensors: of a training that goes on, ``generator`` is among them; a finished one has none.
    """

    spec: str
    history: list[dict[str, Any]]
    device: str
    tensors: dict[str, torch.Tensor]

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether no epoch follows."""
        return "generator" not in self.tensors

    def save(self, path: Path) -> None:
        """Write a file for :meth:`load`, whole or not at all."""
        tensors = {name: value.cpu().contiguous() for name, value in self.tensors.items()}
        history = json.dumps(self.history)
        metadata = {"format": FORMAT, "spec": self.spec, "history": history, "device": self.device}
        metadata["sha256"] = _digest(tensors, metadata)
        write(tensors, path, metadata)

    @classmethod
    def load(cls, path: Path, spec: str, device: str) -> "State":
        """The state saved in ``path``, to go on with on this kind of device.

        Raises:
            CheckpointError: the file is damaged or altered, is of another spec, or is the middle
            of a training on another kind of device.
        """
        tensors, metadata = read(path)
        history = json.loads(metadata["history"])
        state = cls(metadata["spec"], history, metadata["device"], tensors)
        if state.spec != spec:
            raise CheckpointError(
                f"{path} is of another model: asked for {spec}, got {state.spec}."
            )
        if not state.finished and state.device != device:
            raise CheckpointError(
                f"{path} is of a training on {state.device}, whose random numbers "
                f"{device} cannot continue; go on on {state.device}, or delete it to begin again."
            )
        return state


def write(
    tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # which is how it reports a full disk
            raise OSError(f"{path} could not be written ({error}); is the disk full?") from error


def clear(folder: Path) -> None:
    """Remove what a process that was killed while it wrote left behind."""
    for leftover in folder.glob(".*.safetensors"):
        leftover.unlink()


def keep(state: State, final: Path) -> None:
    """Save what is not saved yet; of what came before it, one checkpoint stays until the end.

    Args:
        state: of a training that goes on, or finished.
        final: the finished model's file, beside which the checkpoints are.
    """
    path = final if state.finished else final.parent / f"checkpoint-{state.epoch}.safetensors"
    if not path.exists():
        state.save(path)
    for old in saved(final.parent)[: None if state.finished else -_KEPT]:
        old.unlink()


def saved(folder: Path) -> list[Path]:
    """The folder's checkpoints, oldest first; files of other names are not ours."""
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
    """What a file says of itself; empty if it is no safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except SafetensorError:
        return {}


def read(path: Path, format: str | None = FORMAT) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a file that :meth:`State.save` wrote.

    Args:
        path: of the file.
        format: that it must be of; None is version 0.1's.

    Raises:
        CheckpointError: it is damaged or altered, or of another format.
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
