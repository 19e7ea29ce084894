"""Arrays to matplotlib figures, one function per figure."""

from repinf_core.figures.approach import approach_counts, approach_panels
from repinf_core.figures.curves import against_noise, distance_panels, training_curve
from repinf_core.figures.datasets import (
    approach_by_dataset,
    counts_by_dataset,
    stages_by_dataset,
)
from repinf_core.figures.dimension import (
    against_dimension,
    concepts_by_latent,
    contribution,
    cosine_matrices,
    cosine_matrix,
)
from repinf_core.figures.generalization import best_of_settings, by_setting
from repinf_core.figures.images import image_rows, inference_frames, noise_readings, strip
from repinf_core.figures.labels import final_probabilities, label_map, staying
from repinf_core.figures.latent import collective, collective_frames, embedding, schematic
from repinf_core.figures.network import architecture
from repinf_core.figures.performance import inference_shares, neighbour_ratios, training_ratios
from repinf_core.figures.readings import facts_by_reading, times_by_reading

__all__ = [
    "against_dimension",
    "against_noise",
    "approach_by_dataset",
    "approach_counts",
    "approach_panels",
    "architecture",
    "best_of_settings",
    "by_setting",
    "collective",
    "collective_frames",
    "concepts_by_latent",
    "contribution",
    "cosine_matrices",
    "cosine_matrix",
    "counts_by_dataset",
    "distance_panels",
    "embedding",
    "facts_by_reading",
    "final_probabilities",
    "image_rows",
    "inference_frames",
    "inference_shares",
    "label_map",
    "neighbour_ratios",
    "noise_readings",
    "schematic",
    "stages_by_dataset",
    "staying",
    "strip",
    "times_by_reading",
    "training_curve",
    "training_ratios",
]
