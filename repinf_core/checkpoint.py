"""A training's state as one safetensors file that tells what it is of, and whether it is whole.

Beside the tensors: the spec as JSON, the records of the epochs so far, the kind of device, and a
SHA-256 of all that.  A state that goes on holds a tensor ``generator``; a finished one does not.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from repinf_core.atomic import replacing


class CheckpointError(RuntimeError):
    """A model file that is damaged, altered, or of another specification."""


def save(
    path: Path,
    tensors: dict[str, torch.Tensor],
    spec: str,
    history: list[dict[str, Any]],
    device: str,
) -> None:
    """Write a state, whole or not at all.

    Args:
        path: the file.
        tensors: on the CPU, contiguous.
        spec: what is trained, as JSON.
        history: one record per epoch.
        device: the kind of device whose generator the state holds.
    """
    metadata = {"spec": spec, "history": json.dumps(history), "device": device}
    metadata["sha256"] = _digest(tensors, metadata)
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata)


def load(
    path: Path, spec: str, device: str
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """The tensors and the history of a state.

    Raises:
        CheckpointError: the file is damaged or altered, is of another spec, or is the middle of a
            training on another kind of device.
    """
    tensors, metadata = _read(path)
    if metadata["spec"] != spec:
        raise CheckpointError(
            f"{path} is of another model: asked for {spec}, got {metadata['spec']}."
        )
    if "generator" in tensors and metadata["device"] != device:
        raise CheckpointError(
            f"{path} is of a training on {metadata['device']}, whose random numbers "
            f"{device} cannot continue; delete it to begin again."
        )
    return tensors, json.loads(metadata["history"])


def _digest(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    texts = metadata["spec"] + metadata["history"] + metadata["device"]
    sha256 = hashlib.sha256(texts.encode())
    for name in sorted(tensors):
        sha256.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        sha256.update(tensors[name].numpy().data)
    return sha256.hexdigest()


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    problem = f"{path} is damaged or altered; delete it to train from the state before it."
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        if metadata["sha256"] != _digest(tensors, metadata):
            raise CheckpointError(problem)
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(problem) from error
    return tensors, metadata
