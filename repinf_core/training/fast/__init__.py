"""Fast training: the same formula as the general path, tested against it at the first use.

A path is registered for the exact type of a model and the kind of a device.
"""

from repinf_core.models.mlp import VAE
from repinf_core.training.fast.ensemble import Ensemble
from repinf_core.training.fast.hand_written import HandWritten

PATHS: dict[tuple[type, str], type] = {(VAE, "cpu"): HandWritten, (VAE, "cuda"): Ensemble}
