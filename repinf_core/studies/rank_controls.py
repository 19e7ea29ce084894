"""Ranks of latent tensors under conditions in which smoothness and ties predict different ones."""

from collections.abc import Mapping

import pandas as pd
import torch

from repinf_core.geometry import manifolds
from repinf_core.studies.latent_tensors import FACTORS, Inputs, Readout, Spectra, distribution
from repinf_core.studies.ranks_in_words import SCOPES, TEXTURED, double, ends_in_words

DECADE = tuple(10 ** (k / 4) for k in range(-2, 3))
"""Tolerances at which ranks are judged, as multiples of numpy's default."""
SWEEP = tuple(10 ** (k / 4) for k in range(-8, 9))
"""Tolerances of the sweep, likewise."""
TEXTURE = 0.05
"""Largest intensity of the texture on blank pixels."""
TIED = 100
"""Distance of two places, in rounding units of the largest norm, up to which they are tied."""


def textured(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Images whose blank pixels, those of intensity 0, show one texture, the same in all images."""
    texture = TEXTURE * torch.rand(images.shape[1], generator=generator)
    return torch.where(images == 0, texture, images)


def conditions(
    four: Mapping[str, Readout],
    controls: Mapping[str, Readout],
    untrained: Mapping[str, Readout],
    inputs: Inputs,
    generator: torch.Generator,
) -> dict[str, tuple[Readout, Inputs]]:
    """Networks, and the images that they see, by the name of the condition.

    Args:
        four: the networks of the companion, as they are.
        controls: other networks.
        untrained: as ``four``, with their initial weights.
        inputs: the images as they are.
        generator: of the texture.
    """
    on_texture = inputs._replace(images=textured(inputs.images, generator))
    return {
        **{name: (readout, inputs) for name, readout in (*four.items(), *controls.items())},
        **{f"{name}, untrained": (readout, inputs) for name, readout in untrained.items()},
        **{TEXTURED.format(name): (readout, on_texture) for name, readout in four.items()},
        **{double(name): (readout.double(), inputs) for name, readout in four.items()},
        **{
            double(TEXTURED.format(name)): (readout.double(), on_texture)
            for name, readout in four.items()
        },
    }


def tolerances(spectra: Spectra) -> pd.DataFrame:
    """Ranks of one condition at every tolerance: a row for each scope, factor and ``multiple``."""
    rows = []
    for multiple in SWEEP:
        for factor, ranks in spectra.ranks(multiple).items():
            for scope, of_scope in zip(SCOPES, (ranks[0], ranks.flatten()), strict=True):
                about = {"scope": scope, "factor": factor, "multiple": multiple}
                rows.append(about | distribution(of_scope))
    return pd.DataFrame(rows)


def summary(tolerances: pd.DataFrame, effective: pd.DataFrame, ties: pd.DataFrame) -> pd.DataFrame:
    """The control table: a row for each condition.

    Args:
        tolerances: of all conditions.
        effective: their effective ranks, of clean images and by factor.
        ties: their :func:`ties`.

    Returns:
        ``condition``; at numpy's default tolerance, the ranges of ``S1``, ``S2`` and ``S3`` over
        clean images and of S3 over all noise levels (``S3_with_noise``), as texts; at how many
        tolerances of :data:`DECADE` all ranks are fixed over clean images (``fixed``), and over all
        noise levels (``fixed_with_noise``);
        of clean images the median ``effective`` rank of S3, and the share whose rank of S3 is the
        largest that their ties leave (``left_by_ties``).
    """
    rows = []
    for condition, of in tolerances.groupby("condition", sort=False):
        found = numbers(of)
        clean, noisy = (found[scope] for scope in SCOPES)
        medians = effective[effective.condition == condition].set_index("factor")["median"]
        rows.append(
            {
                "condition": condition,
                **{factor: ends_in_words(clean[factor]) for factor in FACTORS},
                "S3_with_noise": ends_in_words(noisy["S3"]),
                "fixed": sum(clean["fixed"]),
                "fixed_with_noise": sum(noisy["fixed"]),
                "effective": medians["S3"],
                "left_by_ties": share_left_by_ties(ties[ties.condition == condition]),
            }
        )
    return pd.DataFrame(rows)


def numbers(tolerances: pd.DataFrame) -> dict[str, dict[str, list]]:
    """Of one condition, by scope: ranges of the ranks at numpy's default tolerance by factor.

    And at each tolerance of the decade, whether the ranks of all three factors are ``fixed``.
    """
    found = {}
    for scope, of in tolerances.groupby("scope", sort=False):
        fixed = of.groupby("multiple").fixed.all()
        default = of[of.multiple == 1].set_index("factor")
        ends = {f: [int(default["min"][f]), int(default["max"][f])] for f in FACTORS}
        found[str(scope)] = ends | {"fixed": [bool(fixed[multiple]) for multiple in DECADE]}
    return found


def ties(latents: torch.Tensor, ranks: torch.Tensor) -> pd.DataFrame:
    """How many ``images`` have so many ``distinct`` places and such a ``rank`` of S3.

    Args:
        latents: ``[n, c, h, w]``.
        ranks: of S3, ``[n]``.

    Returns:
        also the largest rank that so many places leave (``bound``), the less of c and
        ``distinct`` - 1.
    """
    distinct = manifolds.distinct_places(latents, TIED * torch.finfo(latents.dtype).eps)
    pairs, images = torch.stack([distinct, ranks], 1).unique(dim=0, return_counts=True)
    bound = (pairs[:, 0] - 1).clamp_max(latents.shape[1])
    return pd.DataFrame(
        {"distinct": pairs[:, 0], "bound": bound, "rank": pairs[:, 1], "images": images}
    )


def share_left_by_ties(ties: pd.DataFrame) -> float:
    """The share of images whose rank is the largest that their ties leave.

    Args:
        ties: of :func:`ties`.
    """
    return float(ties.images[ties["rank"] == ties["bound"]].sum() / ties.images.sum())
