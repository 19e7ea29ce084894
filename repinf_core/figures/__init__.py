"""Arrays to matplotlib figures, one function per figure."""

from repinf_core.figures.curves import against_noise, distance_panels, training_curve
from repinf_core.figures.images import image_rows, inference_frames, noise_readings, strip
from repinf_core.figures.latent import collective, collective_frames, schematic
from repinf_core.figures.network import architecture
from repinf_core.figures.readings import times_by_reading

__all__ = [
    "against_noise",
    "architecture",
    "collective",
    "collective_frames",
    "distance_panels",
    "image_rows",
    "inference_frames",
    "noise_readings",
    "schematic",
    "strip",
    "times_by_reading",
    "training_curve",
]
