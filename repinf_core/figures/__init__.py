"""Tables and arrays to matplotlib figures, one function per figure."""

from repinf_core.figures.approach import approach_counts, approach_panels
from repinf_core.figures.clouds import (
    collective,
    collective_description,
    collective_frames,
    group_images,
)
from repinf_core.figures.concepts import (
    concepts_by_latent,
    contribution,
    cosine_matrices,
    cosine_matrix,
)
from repinf_core.figures.datasets import approach_by_dataset, counts_by_dataset, stages_by_dataset
from repinf_core.figures.dimension import (
    against_dimension,
    approach_by_dimension,
    dimension_opening,
    stages_by_dimension,
)
from repinf_core.figures.drawing import drawn_schematic
from repinf_core.figures.fixed_points import (
    end_distances,
    label_against_noise,
    largest_basins,
    saddles_by_trajectories,
    spectra_by_place,
    step_along_score,
    still_moving,
)
from repinf_core.figures.generalization import best_of_settings, by_setting
from repinf_core.figures.hierarchy import closest_by_noise
from repinf_core.figures.images import image_rows, inference_frames, samples_at, strip
from repinf_core.figures.iterating import (
    depth_by_label,
    distances_by_network,
    factors_by_network,
    steps_by_network,
)
from repinf_core.figures.labels import final_probabilities, label_map, right_steps, staying
from repinf_core.figures.latent import embedding, schematic
from repinf_core.figures.manifolds import (
    angle_by_epsilon,
    angle_by_noise,
    mode_ranks_by_noise,
    rank_by_noise,
    rank_by_ties,
    rank_by_tolerance,
)
from repinf_core.figures.network import architecture
from repinf_core.figures.performance import inference_shares, neighbour_ratios, training_ratios
from repinf_core.figures.readings import (
    active_by_epoch,
    facts_by_classifier,
    facts_by_reading,
    times_by_reading,
)
from repinf_core.figures.steps import methods_by_noise, quality_by_step, share_choice
from repinf_core.figures.training import training_curve
from repinf_core.figures.unfamiliar import (
    samples_by_network,
    separation_by_score,
    separation_by_time,
    steps_by_kind,
)
from repinf_core.figures.variants import (
    examples_by_noise,
    latents_by_network,
    psnr_by_noise,
    training_by_network,
)

__all__ = [
    "active_by_epoch",
    "against_dimension",
    "angle_by_epsilon",
    "angle_by_noise",
    "approach_by_dataset",
    "approach_by_dimension",
    "approach_counts",
    "approach_panels",
    "architecture",
    "best_of_settings",
    "by_setting",
    "closest_by_noise",
    "collective",
    "collective_description",
    "collective_frames",
    "concepts_by_latent",
    "contribution",
    "cosine_matrices",
    "cosine_matrix",
    "counts_by_dataset",
    "depth_by_label",
    "dimension_opening",
    "distances_by_network",
    "drawn_schematic",
    "embedding",
    "end_distances",
    "examples_by_noise",
    "factors_by_network",
    "facts_by_classifier",
    "facts_by_reading",
    "final_probabilities",
    "group_images",
    "image_rows",
    "inference_frames",
    "inference_shares",
    "label_against_noise",
    "label_map",
    "largest_basins",
    "latents_by_network",
    "methods_by_noise",
    "mode_ranks_by_noise",
    "neighbour_ratios",
    "psnr_by_noise",
    "quality_by_step",
    "rank_by_noise",
    "rank_by_ties",
    "rank_by_tolerance",
    "right_steps",
    "saddles_by_trajectories",
    "samples_at",
    "samples_by_network",
    "schematic",
    "separation_by_score",
    "separation_by_time",
    "share_choice",
    "spectra_by_place",
    "stages_by_dataset",
    "stages_by_dimension",
    "staying",
    "step_along_score",
    "steps_by_kind",
    "steps_by_network",
    "still_moving",
    "strip",
    "times_by_reading",
    "training_by_network",
    "training_curve",
    "training_ratios",
]
