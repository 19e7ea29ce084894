"""The file of a training's state: tensors and what they are of, under one digest."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from repinf_core.atomic import replacing


class CheckpointError(RuntimeError):
    """A model file that is damaged, altered, or of another specification."""


def write(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and metadata (with ``spec``, ``history``, ``device``), whole or not at all."""
    metadata = metadata | {"sha256": _digest(tensors, metadata)}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata)


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """What :func:`write` wrote.

    Raises:
        CheckpointError: the file is damaged or altered.
    """
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


def _digest(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    texts = metadata["spec"] + metadata["history"] + metadata["device"]
    sha256 = hashlib.sha256(texts.encode())
    for name in sorted(tensors):
        sha256.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        sha256.update(tensors[name].numpy().data)
    return sha256.hexdigest()
