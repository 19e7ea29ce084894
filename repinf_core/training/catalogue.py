"""All models, shipped and in the store, as a table."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from repinf_core.models import FAMILIES, spec_from_json
from repinf_core.training import checkpoint, shipped, store


def table() -> str:
    """A line for each model: its place, epochs, results on test images, and size in MB."""
    rows = [*_shipped(), *_stored(store.models_folder())]
    if not rows:
        return f"No model ships, and none is in {store.models_folder()}."
    return pd.DataFrame(rows).fillna("").to_string(index=False)


def _shipped() -> Iterator[dict]:
    for name, entry in shipped.manifest().items():
        path = shipped.FOLDER / entry["file"]
        yield _row("ships", name, entry["spec"], entry["epochs_trained"], entry["test"], path)


def _stored(models: Path) -> Iterator[dict]:
    for folder in sorted(models.glob("*")):
        files = [*checkpoint.saved(folder), *folder.glob("model.safetensors")]
        if not files:
            continue
        try:
            metadata = checkpoint.metadata_of(files[-1])
            if "spec" in metadata and "format" not in metadata:
                yield {"where": "store", "model": folder.name, "epochs": "of version 0.1: convert"}
                continue
            last, spec = json.loads(metadata["history"])[-1], json.loads(metadata["spec"])
            known = FAMILIES.get(spec["family"])
            if known is None or spec["version"] != known.version:
                yield {"where": "store", "model": folder.name, "epochs": "of another version"}
                continue
            yield _row("store", folder.name, spec, last["epoch"], last["test"], files[-1])
        except (KeyError, IndexError, ValueError):
            yield {"where": "store", "model": folder.name, "epochs": "damaged"}


def _row(where: str, name: str, spec: dict, epoch: int, test: dict, path: Path) -> dict:
    own = spec_from_json(json.dumps(spec)).identity()
    unsaid = {"family", "version", "dataset", "n_z", "epochs"}  # in the name or another column
    value = next(iter(test.values()))
    return {
        "where": where,
        "model": name,
        "settings": ", ".join(f"{name} {v}" for name, v in own.items() if name not in unsaid),
        "epochs": f"{epoch:,} of {spec['epochs']:,}",
        "test objective (nats)": f"{value:.2f}",
        "active latents": f"{test['active_latents']:.0f}" if "active_latents" in test else "",
        "MB": f"{path.stat().st_size / 1e6:.1f}" if path.exists() else "missing",
    }
