"""Arrays to matplotlib figures, one function per figure."""

from repinf_core.figures.curves import distance_panels, training_curve
from repinf_core.figures.images import image_rows, inference_frames, noise_readings, strip
from repinf_core.figures.network import architecture

__all__ = [
    "architecture",
    "distance_panels",
    "image_rows",
    "inference_frames",
    "noise_readings",
    "strip",
    "training_curve",
]
