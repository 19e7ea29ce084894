"""The paper's claims and what this edition's results say of them: a module for each chapter.

A module holds a claim's words, its criterion, and the function that decides it, side by side.
"""

from repinf_core.claims import (
    autoencoder_variants,
    cluster_centers,
    collective_dynamics,
    fashion_mnist,
    fixed_points,
    generalization,
    how_many_steps,
    iterating_them,
    label_detection,
    latent_dimension,
    latent_manifolds,
    noise_and_hierarchy,
    unfamiliar_inputs,
)
from repinf_core.claims.card import Card, cards
from repinf_core.claims.judging import (
    NOT_REPRODUCED,
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    Claim,
    Judged,
    Measured,
    judge,
    judge_numbers,
)

CHAPTERS: dict[str, tuple[Claim, ...]] = {
    "Collective dynamics": collective_dynamics.CLAIMS,
    "Cluster centres": cluster_centers.CLAIMS,
    "Noise and hierarchy": noise_and_hierarchy.CLAIMS,
    "Label detection": label_detection.CLAIMS,
    "Latent dimension": latent_dimension.CLAIMS,
    "Generalization": generalization.CLAIMS,
    "Fashion-MNIST": fashion_mnist.CLAIMS,
    "Fixed points": fixed_points.CLAIMS,
    "How many steps": how_many_steps.CLAIMS,
    "Unfamiliar inputs": unfamiliar_inputs.CLAIMS,
    "Autoencoder variants": autoencoder_variants.CLAIMS,
    "Latent manifolds": latent_manifolds.CLAIMS,
    "Iterating them": iterating_them.CLAIMS,
}
"""The claims of each chapter, by its subject, in the order of the book."""

CLAIMS: tuple[Claim, ...] = tuple(claim for chapter in CHAPTERS.values() for claim in chapter)
"""All of them."""

__all__ = [
    "CHAPTERS",
    "CLAIMS",
    "NOT_REPRODUCED",
    "NOT_RUN",
    "PARTLY",
    "REPRODUCED",
    "Card",
    "Claim",
    "Judged",
    "Measured",
    "cards",
    "judge",
    "judge_numbers",
]
