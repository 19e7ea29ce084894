"""Arrays to matplotlib figures, one function per figure."""

from repinf_core.figures.curves import against_noise, distance_panels, training_curve
from repinf_core.figures.images import image_rows, inference_frames, noise_readings, strip
from repinf_core.figures.labels import final_probabilities, label_map, staying
from repinf_core.figures.latent import collective, collective_frames, schematic
from repinf_core.figures.network import architecture

__all__ = [
    "against_noise",
    "architecture",
    "collective",
    "collective_frames",
    "distance_panels",
    "final_probabilities",
    "image_rows",
    "inference_frames",
    "label_map",
    "noise_readings",
    "schematic",
    "staying",
    "strip",
    "training_curve",
]
