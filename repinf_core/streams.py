"""Streams of random numbers: what one seed serves, and how the uses are kept apart.

Two generators with one seed give the same numbers.  So each use of a seed has a stream of its own.
"""

from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What a stream is drawn for; the streams 0 to 9 are for the trials of the ten labels."""

    END_POINTS = 10  # memories and concepts to compare end points with
    SADDLES = 11  # control points of the searches for saddles
    PRIOR_POINTS = 12  # control points of the gains at concepts
    SCORE = 13  # images of the aggregate posterior, and places where its score is taken
    SPECTRA = 14  # points at which spectra are taken
    SAMPLED_CHAIN = 15
    BOOTSTRAP = 16  # of the trials
    SAMPLES = 17  # images decoded from the prior
    VARIANT_IMAGES = 18  # of the companion's networks: images, two kinds of noise, and z
    VARIANT_GAUSSIAN = 19
    VARIANT_PIXELS = 20
    VARIANT_Z = 21
    STEPS_TRAINING_IMAGES = 22  # of the comparison of numbers of steps: images and their noise
    STEPS_TRAINING_NOISE = 23
    STEPS_TEST_IMAGES = 24
    STEPS_TEST_NOISE = 25


def stream_seed(seed: int, stream: int) -> int:
    """The seed of one stream.

    A label is the stream of its trials: labels differ in their images and noise.  numpy's
    ``SeedSequence`` mixes both numbers into 32 bits, which is all that torch's generator on the CPU
    uses of a seed.
    """
    return int(np.random.SeedSequence((seed, int(stream))).generate_state(1)[0])


def generator(seed: int, stream: int, device: torch.device | str | None = None) -> torch.Generator:
    """A generator of one stream, on the CPU by default."""
    return torch.Generator(device or "cpu").manual_seed(stream_seed(seed, stream))
