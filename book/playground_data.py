"""The playground's data: images, models and weights, as scripts that a page loads from disk.

A browser reads no other file beside a page that was opened from disk.  Two kinds of scripts need
the training set: the images, and what a model makes of the set.  Those of the models that ship are
committed in ``playground/data``.  Weights are written when the book is built.

    python book/playground_data.py    # the committed scripts again, from MNIST and Fashion-MNIST
"""

import base64
import dataclasses
import functools
import json
import re
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from repinf_core import data, geometry, models, profiles
from repinf_core.geometry.dimension import principal_axes
from repinf_core.models import spec_from_json
from repinf_core.models.mlp import VAE, VAESpec
from repinf_core.training import shipped, store
from repinf_core.training.run import TrainingRun

_SOURCES = Path(__file__).parent / "playground"
COMMITTED = _SOURCES / "data"
IMAGES_PER_LABEL = 10
MEMORIES_PER_LABEL = 250
_PART = 3 * 2**17  # bytes of weights in one script, a multiple of 3: base64 has no padding inside
_LEVELS = 2**16 - 1  # of a quantised coordinate


@dataclass(frozen=True)
class Played:
    """A trained model of the playground.

    Attributes:
        spec: its specification; it ships, or is in the store.
        profile: the profile with which a reader asks the core for it.
    """

    spec: VAESpec
    profile: str

    @property
    def ships(self) -> bool:
        return self.spec.name in shipped.manifest()

    @property
    def name(self) -> str:
        """Its name in the playground and in its addresses, such as ``mnist-nz100-beta2``."""
        beta = "" if self.spec.beta == 1 else f"-beta{self.spec.beta:g}"
        return f"{self.spec.dataset}-nz{self.spec.n_z}{beta}"

    @functools.cached_property
    def run(self) -> TrainingRun:
        run = shipped.load(self.spec) if self.ships else store.latest_run(self.spec)
        assert run is not None
        return run

    @property
    def model(self) -> VAE:
        return cast(VAE, self.run.model)


def of_edition(profile: str, given: dict[str, Any]) -> list[Played]:
    """The models of an edition's playground; none if its own model is not trained.

    Args:
        profile: the edition's profile.  ``paper`` plays with the models that ship, the paper's own
            first; another one with its own model.
        given: the parameters that differ from the profile's.
    """
    if profile == "paper":
        return shipped_models()
    of_experiment = {name: value for name, value in given.items() if name != "recompute"}
    own = VAESpec.of(profiles.experiment(profile, of_experiment))
    return [Played(own, profile)] if store.is_finished(own) else []


def shipped_models() -> list[Played]:
    """The shipped models of the paper's family, the paper's own model first.

    They differ in data set, N_z and beta alone: a reader would not tell another seed's from them.
    """
    found = (spec_from_json(json.dumps(e["spec"])) for e in shipped.manifest().values())
    paper = VAESpec.of(profiles.PROFILES["paper"])
    specs = [
        spec
        for spec in found
        if isinstance(spec, VAESpec)
        and spec == dataclasses.replace(paper, dataset=spec.dataset, n_z=spec.n_z, beta=spec.beta)
    ]
    specs.sort(key=lambda s: (s != paper, s.dataset != paper.dataset, s.beta, s.n_z))
    return [Played(spec, "paper") for spec in specs]


def part(folder: str) -> str:
    """The HTML of the playground as a part of another page.

    Args:
        folder: path from that page to the folder that :func:`write` has written.
    """
    page = (_SOURCES / "index.html").read_text(encoding="utf-8")
    own = page.partition("<!-- playground -->")[2].partition("<!-- /playground -->")[0]
    return re.sub(r'((?:href|src)=")(?!#)', rf"\1{folder}/", own)


def write(folder: Path, played: Sequence[Played]) -> None:
    """Write the playground: a page that can be opened alone, its scripts, and their data.

    Args:
        folder: a new folder.
        played: its models; a reader begins with the first.
    """
    for kind in ("*.html", "*.css", "*.js", "views/*.js"):
        for path in _SOURCES.glob(kind):
            target = folder / path.relative_to(_SOURCES)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    write_data(folder / "data", played)


def write_data(folder: Path, played: Sequence[Played]) -> None:
    """Write the scripts of the given models: a catalogue, images, models and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    # Another model may have the name of one of these, as one of another seed has.
    committed = {one.spec for one in shipped_models()}
    for one in played:
        images, model = folder / f"images-{one.spec.dataset}.js", folder / f"model-{one.name}.js"
        _copy_or_make(images, one.ships, images_script, one)
        _copy_or_make(model, one.spec in committed, model_script, one)
        entries.append(_entry(one) | _write_weights(folder, one))
    (folder / "catalogue.js").write_text(_script("catalogue", entries), encoding="utf-8")


def images_script(played: Played) -> str:
    """The first training images of each label, with their rows in the training set."""
    dataset = played.spec.dataset
    train, about = data.load(dataset, "train"), data.DATASETS[dataset]
    rows = torch.stack(
        [(train.labels == k).nonzero()[:IMAGES_PER_LABEL, 0] for k in range(len(about.class_names))]
    )
    images = train.images[rows.flatten()]
    levels = (images * 255).round()
    in_bytes = bool((levels / 255 == images).all())
    values = {
        "title": about.title,
        "classNames": about.class_names,
        "attribution": f"Images: {about.attribution}.",
        "rows": rows.tolist(),
        "format": "uint8" if in_bytes else "float32",
        "pixels": _base64(levels.byte() if in_bytes else images),
    }
    return _script(f"images-{dataset}", values)


def model_script(played: Played) -> str:
    """What a model makes of its training set: concepts, a plane, and memories in the plane.

    The concepts have images too, in 256 levels, which can be seen before the weights are loaded.
    The plane is that of the memories' two largest principal components, with its share of their
    variance.  For each label a random sample of memories is kept, in the order of the labels.
    """
    train, model = data.load(played.spec.dataset, "train"), played.model
    memories = models.memories(model, train.images)
    concepts = geometry.concepts(memories, train.labels)
    with torch.no_grad():
        seen = model.decode_mean(concepts)
    variances, axes = principal_axes(memories)
    axes = axes[:, :2]
    axes *= axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    mean = memories.double().mean(0)
    generator = torch.Generator().manual_seed(0)
    of_label = [(train.labels == k).nonzero()[:, 0] for k in range(int(train.labels.max()) + 1)]
    count = min(MEMORIES_PER_LABEL, *map(len, of_label))
    chosen = [rows[torch.randperm(len(rows), generator=generator)[:count]] for rows in of_label]
    points = (memories[torch.cat(chosen)].double() - mean) @ axes
    low, high = points.min(0).values, points.max(0).values
    arrays = {
        "concepts": _base64(concepts.float()),
        "conceptImages": _base64((seen * 255).round().byte()),
        "mean": _base64(mean.float()),
        "axes": _base64(axes.T.float()),
        "memories": _base64(((points - low) / (high - low) * _LEVELS).round().to(torch.uint16)),
    }
    values = arrays | {
        "memoriesPerLabel": count,
        "share": float(variances[:2].sum() / variances.sum()),
        "low": low.tolist(),
        "high": high.tolist(),
        "crc32": zlib.crc32(_weights(model).tobytes()),  # of the weights that it belongs to
        "checksum": zlib.crc32("".join(arrays.values()).encode()),  # of its own arrays
    }
    return _script(f"model-{played.name}", values)


def _entry(played: Played) -> dict[str, Any]:
    """How the playground names a model, and the parameters with which the core loads it."""
    spec = played.spec
    own = dataclasses.asdict(spec)
    usual = dataclasses.asdict(VAESpec.of(profiles.PROFILES[played.profile]))
    asked = {"dataset": spec.dataset, "n_z": spec.n_z, "beta": spec.beta}
    differing = {name: own[name] for name in own if own[name] != usual[name]}
    return {
        "name": played.name,
        "dataset": spec.dataset,
        "title": data.DATASETS[spec.dataset].title,
        "nZ": spec.n_z,
        "nHidden": spec.n_hidden,
        "beta": spec.beta,
        "epochs": played.run.epoch,
        "parameters": {"profile": played.profile, **asked, **differing},
    }


def _write_weights(folder: Path, played: Played) -> dict[str, Any]:
    """Write a model's weights in parts; returns how a page reads and checks them."""
    weights = _weights(played.model)
    content = weights.tobytes()
    parts = [content[start : start + _PART] for start in range(0, len(content), _PART)]
    for i, part in enumerate(parts):
        name = f"weights-{played.name}-{i}"
        text = _script(name, base64.b64encode(part).decode())
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return {
        "format": str(weights.dtype),
        "bytes": len(content),
        "parts": len(parts),
        "crc32": zlib.crc32(content),
    }


def _weights(model: VAE) -> np.ndarray:
    """The weights of the two means, in one array: float16 if that is exact, else float32.

    The order is that of the step: encoder's hidden layer, its mean, decoder's hidden layer, its
    output; of each layer the matrix ``[outputs, inputs]``, then the bias.
    """
    layers = (
        (model.encoder_hidden, None),
        (model.encoder_out, model.n_z),  # its other rows are log sigma^2
        (model.decoder_hidden, None),
        (model.decoder_out, None),
    )
    tensors = [t[:rows].flatten() for layer, rows in layers for t in (layer.weight, layer.bias)]
    weights = torch.cat(tensors).detach().cpu()
    exact = bool((weights.half().float() == weights).all())
    return (weights.half() if exact else weights).numpy()


def _copy_or_make(
    path: Path, committed: bool, make: Callable[[Played], str], played: Played
) -> None:
    """Write a script, unless it is there: the committed one, or a new one."""
    if committed and (COMMITTED / path.name).exists():
        shutil.copyfile(COMMITTED / path.name, path)
    elif not path.exists():
        path.write_text(make(played), encoding="utf-8")


def _base64(values: torch.Tensor) -> str:
    return base64.b64encode(values.contiguous().numpy().tobytes()).decode()


def _script(name: str, value: object) -> str:
    """A script that leaves a value, which JSON can hold, for the page."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f'(window.repinfData ??= {{}})["{name}"] = {text};\n'


def main() -> None:
    """Write the scripts of the models that ship, which are committed."""
    COMMITTED.mkdir(exist_ok=True)
    for dataset, one in {one.spec.dataset: one for one in shipped_models()}.items():
        (COMMITTED / f"images-{dataset}.js").write_text(images_script(one), encoding="utf-8")
    for one in shipped_models():
        (COMMITTED / f"model-{one.name}.js").write_text(model_script(one), encoding="utf-8")


if __name__ == "__main__":
    main()
