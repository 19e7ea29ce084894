"""Models by family: what is trained, and what is then iterated.

A new family is a file with its model and its spec, and an entry in :data:`FAMILIES`.
"""

import json
from dataclasses import fields

import torch

from repinf_core.models.base import Autoencoder, Model, Spec
from repinf_core.models.classifier import ClassifierSpec
from repinf_core.models.conv import ConvSpec
from repinf_core.models.denoiser import DenoiserSpec
from repinf_core.models.mlp import VAESpec

FAMILIES: dict[str, type[Spec]] = {
    spec.family: spec for spec in (VAESpec, ClassifierSpec, DenoiserSpec, ConvSpec)
}
"""Name of a family to the spec of its models; the only list of them."""


def spec_from_json(text: str) -> Spec:
    """The spec that :meth:`Spec.as_json` wrote; a field that it did not know has its default.

    Raises:
        ValueError: an unknown family or field, or another version of the family's mathematics.
    """
    values = json.loads(text)
    family, version = values.pop("family"), values.pop("version")
    if family not in FAMILIES:
        raise ValueError(f"Family is {family!r}; allowed is one of {', '.join(FAMILIES)}.")
    if version != FAMILIES[family].version:
        raise ValueError(
            f"Version of {family} is {version}; allowed is {FAMILIES[family].version}."
        )
    known = {field.name for field in fields(FAMILIES[family])}
    if unknown := sorted(values.keys() - known):
        raise ValueError(f"Fields of {family} are {', '.join(sorted(known))}; got {unknown}.")
    return FAMILIES[family](**values | {"learning_rates": tuple(values["learning_rates"])})


@torch.no_grad()
def memories(model: Autoencoder, images: torch.Tensor, chunk: int = 2000) -> torch.Tensor:
    """The memories xi_i = mu(x_i) of clean images ``[N, 784]``: ``[N, N_z]`` (preprint Eq. 9)."""
    return torch.cat([model.encode_mean(part) for part in images.split(chunk)])


__all__ = ["FAMILIES", "Autoencoder", "Model", "Spec", "memories", "spec_from_json"]
