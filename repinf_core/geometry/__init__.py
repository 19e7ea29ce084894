"""Geometry of the latent space: memories, concepts, distances, orthogonality, dimension.

The functions take latent arrays only.  Distances are Euclidean, in the units of z, whose prior has
variance 1.
"""

from repinf_core.geometry.centres import (
    ROUNDING,
    abstract_concept,
    concepts,
    distance,
    distance_to,
    whitening,
)
from repinf_core.geometry.chords import (
    Approach,
    approach,
    approach_of_means,
    chord_distances,
    chord_minimum,
)
from repinf_core.geometry.dimension import (
    ACTIVE_VARIANCE,
    Departure,
    active_latents,
    components,
    contribution_ratios,
    cosine_matrix,
    least_cosine,
    mean_over_pairs,
    orthogonality_error,
    principal_axes,
    random_cosine,
    welch_bound,
)
from repinf_core.geometry.gains import directional_gains, share_within
from repinf_core.geometry.hierarchy import Stage, stages
from repinf_core.geometry.planes import windowed_pca

__all__ = [
    "ACTIVE_VARIANCE",
    "ROUNDING",
    "Approach",
    "Departure",
    "Stage",
    "abstract_concept",
    "active_latents",
    "approach",
    "approach_of_means",
    "chord_distances",
    "chord_minimum",
    "components",
    "concepts",
    "contribution_ratios",
    "cosine_matrix",
    "directional_gains",
    "distance",
    "distance_to",
    "least_cosine",
    "mean_over_pairs",
    "orthogonality_error",
    "principal_axes",
    "random_cosine",
    "share_within",
    "stages",
    "welch_bound",
    "whitening",
    "windowed_pca",
]
