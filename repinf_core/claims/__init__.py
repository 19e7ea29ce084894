"""The paper's claims and what this edition's results say of them: a module for each chapter.

A module holds a claim's words, its criterion, and the function that decides it, side by side.
"""

from repinf_core.claims import (
    cluster_centers,
    collective_dynamics,
    fashion_mnist,
    generalization,
    label_detection,
    latent_dimension,
    noise_and_hierarchy,
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

CLAIMS: tuple[Claim, ...] = (
    *collective_dynamics.CLAIMS,
    *cluster_centers.CLAIMS,
    *fashion_mnist.CLAIMS,
    *noise_and_hierarchy.CLAIMS,
    *label_detection.CLAIMS,
    *latent_dimension.CLAIMS,
    *generalization.CLAIMS,
)
"""All of them, in the order of the book's chapters."""

__all__ = [
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
