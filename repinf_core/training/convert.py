"""Convert models of version 0.1 to the present names and format.

Version 0.1 named a model by the digest of its whole spec and kept all weights in one vector.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from repinf_core.models import Spec
from repinf_core.models.classifier import ClassifierSpec
from repinf_core.models.mlp import TERMS, VAESpec
from repinf_core.training import checkpoint
from repinf_core.training.checkpoint import State
from repinf_core.training.run import TrainingRun

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
_FIELDS = {"dataset", "epochs", "learning_rates", "minibatch", "precision", "seed"}
_OWN_FIELDS = {VAESpec: {"n_z", "n_hidden", "beta", "n_samples"}, ClassifierSpec: set()}


def old_name(spec: Spec) -> str | None:
    """The name of the model of ``spec`` in version 0.1; None for one that it could not have."""
    then = _FIELDS | _OWN_FIELDS.get(type(spec), set())
    if spec.identity().keys() - then - {"family", "version"}:
        return None  # a field that came later
    values = {name: value for name, value in json.loads(spec.as_json()).items() if name in then}
    if type(spec) is VAESpec:
        label = f"nz{spec.n_z}"
    elif type(spec) is ClassifierSpec and len(spec.learning_rates) == 1:
        (values["learning_rate"],) = values.pop("learning_rates")
        label = "classifier"
    else:
        return None
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
    return f"{spec.dataset}-{label}-{digest}"


def convert_store(models: Path) -> Iterator[str]:
    """Convert every model of version 0.1 in a store; yields a line for each.

    The old folders stay as they are.

    Raises:
        CheckpointError: a file is damaged or altered.
    """
    for folder in sorted(path for path in models.glob("*") if path.is_dir()):
        for path in [*checkpoint.saved(folder), *folder.glob("model.safetensors")]:
            if checkpoint.metadata_of(path).get("format") == checkpoint.FORMAT:
                continue
            tensors, metadata = checkpoint.read(path, format=None)
            state = _state(tensors, metadata)
            spec = _spec(json.loads(metadata["spec"]))
            target = models / spec.name / path.name
            if old_name(spec) == folder.name and not target.exists():
                target.parent.mkdir(exist_ok=True)
                state.save(target)
                yield f"{path.relative_to(models)} -> {target.relative_to(models)}"


def _spec(values: dict[str, Any]) -> Spec:
    values = dict(values)
    if "learning_rate" in values:  # only the classifier had a single one
        return ClassifierSpec(learning_rates=(values.pop("learning_rate"),), **values)
    return VAESpec(learning_rates=tuple(values.pop("learning_rates")), **values)


def _state(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> State:
    """The state in a file of version 0.1, in the form of the present version."""
    spec = _spec(json.loads(metadata["spec"]))
    model = TrainingRun(spec).model
    names = [name for name, _ in model.named_parameters()]
    converted = {"generator": tensors["generator"]} if "generator" in tensors else {}
    if isinstance(spec, VAESpec):
        converted |= split(model, tensors["weights"], "weights.{}")
        if "generator" in tensors:
            for moment in _MOMENTS[1:]:
                converted |= split(model, tensors[f"adam.{moment}"], f"adam.{{}}.{moment}")
            converted |= {f"adam.{name}.step": tensors["adam.step"].clone() for name in names}
    else:
        converted |= {name: value for name, value in tensors.items() if name[:8] == "weights."}
        for i, name in enumerate(names):
            for moment in _MOMENTS:
                if f"adam.{i}.{moment}" in tensors:
                    converted[f"adam.{name}.{moment}"] = tensors[f"adam.{i}.{moment}"]
    history = [record(row) for row in json.loads(metadata["history"])]
    return State(spec.as_json(), history, metadata["device"], converted)


def split(model: torch.nn.Module, vector: torch.Tensor, name: str) -> dict[str, torch.Tensor]:
    """The vector of version 0.1 as one tensor for each parameter, under ``name.format(...)``."""
    pieces = vector.split([p.numel() for p in model.parameters()])
    return {
        name.format(own): piece.view(p.shape).clone()
        for piece, (own, p) in zip(pieces, model.named_parameters(), strict=True)
    }


def record(row: dict[str, Any]) -> dict[str, Any]:
    """An epoch's record of version 0.1 with the present fields."""
    terms = TERMS if "train_kl" in row else ("cross_entropy",)
    scores = {name.removeprefix("test_"): row[name]
              for name in ("active_latents", "test_accuracy") if name in row}  # fmt: skip
    return {
        "epoch": row["epoch"],
        "learning_rate": row.get("learning_rate", 1e-3),
        "train": {term: row[f"train_{term}"] for term in terms},
        "test": {term: row[f"test_{term}"] for term in terms} | scores,
        "seconds": row["seconds"],
        "images_per_second": row.get("images_per_second", 0.0),
        "path": "version 0.1",
    }
