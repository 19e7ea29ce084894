"""Inputs that a network knows or does not know, and scores of how unfamiliar they are."""

from typing import NamedTuple

import numpy as np
import torch

from repinf_core import data, geometry
from repinf_core.dynamics import rollout
from repinf_core.models.mlp import negative_elbo_of_images
from repinf_core.studies.study import Trained

TEST, TRAINING, OTHER = "test", "training", "other data set"
UNFAMILIAR = (OTHER, "quarter turn", "uniform noise", "blank")
"""The kinds of input that the network was not trained for."""
PLAIN = "negative_elbo"
"""The score that needs no trajectory, with which the others are compared."""
SCORES = {
    PLAIN: "-ELBO of x(0)",
    "nearest_concept": "concept, t = 0",
    "closest_concept": "concept, any t",
    "first_step": "first step",
    "path_length": "all steps",
    "first_fall": "-ELBO, first fall",
    "whole_fall": "-ELBO, whole fall",
}
"""Every score and what it is called; the larger, the less familiar."""
OF_TRAJECTORY = tuple(SCORES)[2:]
SAMPLES = 10
"""Of z for each image, from which -ELBO is estimated."""
QUANTITIES = ("step length", "distance to the nearest concept", "-ELBO")
_TIMES = (0, 1, 2, 5, 10, 20, 50)


def draw(
    train: torch.Tensor,
    test: torch.Tensor,
    other: torch.Tensor | None,
    count: int,
    generator: torch.Generator,
) -> dict[str, torch.Tensor]:
    """x(0) of every kind, ``[count, 784]`` each, and one blank image; training images last.

    The turned images are other test images than those of the kind "test", so that the two groups
    are independent.

    Args:
        train: images of the training set, ``[N, 784]``.
        test: images of the test set, at least twice ``count``.
        other: test images of the other data set, if it is available.
        count: inputs of each kind.
        generator: draws the images and the noise, on the CPU.
    """
    of_test = test[_drawn(test, 2 * count, generator)]
    training = train[_drawn(train, count, generator)]
    noise = torch.rand(count, data.N_PIXELS, generator=generator)
    foreign = {} if other is None else {OTHER: other[_drawn(other, count, generator)]}
    turned = of_test[count:].view(-1, 28, 28).rot90(1, (1, 2)).reshape(-1, data.N_PIXELS)
    unfamiliar = (turned, noise, torch.zeros(1, data.N_PIXELS))
    return {
        TEST: of_test[:count],
        **foreign,
        **dict(zip(UNFAMILIAR[1:], unfamiliar, strict=True)),
        TRAINING: training,
    }


def _drawn(images: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(len(images), generator=generator)[:count]


class Followed(NamedTuple):
    """Trajectories of one kind of input, on the CPU.

    Attributes:
        quantities: by name, the times (steps) of its values and the values, ``[times, n]``.
        scores: by name, ``[n]``.
        sample: images x(t) of the input whose first step is the median, ``[times, 784]``.
    """

    quantities: dict[str, tuple[tuple[int, ...], torch.Tensor]]
    scores: dict[str, torch.Tensor]
    sample: np.ndarray


@torch.no_grad()
def follow(network: Trained, x0: torch.Tensor, epsilon: torch.Tensor, steps: int) -> Followed:
    """Follow inputs and score them.

    Args:
        network: the network that knows its training set.
        x0: the inputs, ``[n, 784]``.
        epsilon: standard normal numbers from which -ELBO is estimated, ``[SAMPLES, n, N_z]``.
        steps: T.
    """
    model, x0, epsilon = network.model, x0.to(network.device), epsilon.to(network.device)
    concepts = network.concepts.to(network.device)
    z = rollout.rollout(model, x0, steps, {"z": rollout.latents}).observed["z"]
    lengths = geometry.distance(z[1:], z[:-1]).cpu()
    nearest = torch.stack([geometry.distance(at[:, None], concepts).amin(1) for at in z]).cpu()
    times = times_of(steps)
    images = [x0 if t == 0 else model.decode_mean(z[t - 1]) for t in times]
    bound = torch.stack([negative_elbo_of_images(model, x, epsilon) for x in images]).cpu()
    scores = {
        PLAIN: bound[0],
        "nearest_concept": nearest[0],
        "closest_concept": nearest.amin(0),
        "first_step": lengths[0],
        "path_length": lengths.sum(0),
        "first_fall": bound[0] - bound[1],
        "whole_fall": bound[0] - bound[-1],
    }
    median = lengths[0].argsort(stable=True)[(len(x0) - 1) // 2]
    every = tuple(range(steps + 1))
    measured = ((every[:-1], lengths), (every, nearest), (times, bound))
    return Followed(
        dict(zip(QUANTITIES, measured, strict=True)),
        scores,
        torch.stack([x[median] for x in images]).cpu().numpy(),
    )


def times_of(steps: int) -> tuple[int, ...]:
    """The times t at which -ELBO and images are taken, in steps; the last is ``steps``."""
    return (*(t for t in _TIMES if t < steps), steps)
