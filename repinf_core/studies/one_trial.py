"""One noisy image, followed alone: the trial that the playground of the book shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from repinf_core import data, geometry
from repinf_core.dynamics import rollout
from repinf_core.noise import corrupt
from repinf_core.profiles import Experiment, ParameterError
from repinf_core.studies.study import Study, Trained, network_in_words, trained

_TIMES = (0, 1, 2, 3, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class OneTrial(Study):
    """The trajectory of one noisy image.

    Attributes:
        curves: a row for each ``target`` (``"concept NAME"`` of each label, ``"memory"``,
            ``"abstract concept"``, and ``"chord"``: the chord's distance to the own concept) and
            ``t`` (steps): Euclidean ``distance`` in latent space; ``own`` is true of the image's
            own concept.
        lengths: for each ``t`` but the last, the ``length`` of the step from z(t) to z(t+1).
        latents: for each ``t``, z(t): columns ``z_0`` to the last latent.
        images: x(t) at ``times``, ``[times, 784]``.
        concept_image: E_p(x|z)[x] at the own concept, ``[784]``.
        times: of the images shown, in steps.
        name: name of the image's label.
    """

    curves: pd.DataFrame
    lengths: pd.DataFrame
    latents: pd.DataFrame
    images: np.ndarray
    concept_image: np.ndarray
    times: tuple[int, ...]
    name: str


def run(experiment: Experiment, image: int, device: str | None = None) -> OneTrial:
    """Infer repeatedly from one noisy training image.

    Its noise is drawn from a generator on the CPU (mt19937) with the seed ``trial_seed``, for this
    image alone.  The playground draws the same.

    Args:
        experiment: uses ``p``, ``noise``, ``trial_seed``, ``steps`` and the parameters of the
            network.
        image: row of the image in the training set.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.

    Raises:
        ParameterError: the training set has no such row.
    """
    last = len(data.load(experiment.dataset, "train").images) - 1
    if type(image) is not int or not 0 <= image <= last:
        raise ParameterError(
            f"Parameter image is {image!r}; allowed is an integer from 0 to {last}."
        )
    network = trained(experiment, device)
    generator = torch.Generator().manual_seed(experiment.trial_seed)
    x0 = corrupt(network.train.images[image : image + 1], experiment.p, generator, experiment.noise)
    observe = {"x": rollout.images, "z": rollout.latents}
    ran = rollout.rollout(network.model, x0.to(network.device), experiment.steps, observe)
    x, z = (ran.observed[name][:, 0].cpu() for name in ("x", "z"))
    label = int(network.train.labels[image])
    curves = _curves(network, z, image, label)
    with torch.no_grad():
        concept_image = network.model.decode_mean(network.concepts[[label]].to(network.device))[0]
    times = (*(t for t in _TIMES if t < experiment.steps), experiment.steps)
    name = network.class_names[label]
    numbers = _numbers(network, curves, z, image, label)
    return OneTrial(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=_finding(experiment, name, numbers),
        curves=curves,
        lengths=pd.DataFrame(
            {"t": range(experiment.steps), "length": geometry.distance(z[1:], z[:-1])}
        ),
        latents=pd.DataFrame(z.numpy(), columns=[f"z_{i}" for i in range(z.shape[1])])
        .rename_axis("t")
        .reset_index(),
        images=x[list(times)].numpy(),
        concept_image=concept_image.cpu().numpy(),
        times=times,
        name=name,
    )


def _curves(network: Trained, z: torch.Tensor, image: int, label: int) -> pd.DataFrame:
    own = network.concepts[label]
    steps = len(z) - 1
    distances = {
        f"concept {name}": geometry.distance(z, concept)
        for name, concept in zip(network.class_names, network.concepts, strict=True)
    }
    distances["memory"] = geometry.distance(z, network.memories[image])
    abstract = geometry.abstract_concept(network.concepts)
    distances["abstract concept"] = geometry.distance(z, abstract)
    distances["chord"] = geometry.chord_distances(z[:1], z[-1:], own, steps)[:, 0]
    of_own = f"concept {network.class_names[label]}"
    return pd.concat(
        pd.DataFrame(
            {"target": target, "t": range(steps + 1), "distance": d, "own": target == of_own}
        )
        for target, d in distances.items()
    ).reset_index(drop=True)


def _numbers(
    network: Trained, curves: pd.DataFrame, z: torch.Tensor, image: int, label: int
) -> dict[str, Any]:
    concept = curves[curves.own].set_index("t").distance
    memory = curves[curves.target == "memory"].set_index("t").distance
    nearest = int(geometry.distance(z[-1], network.concepts).argmin())
    return {
        "image": image,
        "label": label,
        "step_nearest_memory": int(memory.idxmin()),
        "step_nearest_concept": int(concept.idxmin()),
        "first_distance_to_concept": float(concept.iloc[0]),
        "smallest_distance_to_concept": float(concept.min()),
        "last_distance_to_concept": float(concept.iloc[-1]),
        "nearest_concept_at_the_end": network.class_names[nearest],
    }


def _finding(experiment: Experiment, name: str, numbers: dict[str, Any]) -> str:
    title = data.DATASETS[experiment.dataset].title
    return (
        f"Training image {numbers['image']}, a noisy '{name}' ({title}, "
        f"{network_in_words(experiment)}, $p = {experiment.p:g}$), is closest to its memory at "
        f"$t = {numbers['step_nearest_memory']}$ and to its concept at "
        f"$t = {numbers['step_nearest_concept']}$ of {experiment.steps} steps. Its distance to the "
        f"concept is {numbers['first_distance_to_concept']:.2f} at the start, "
        f"{numbers['smallest_distance_to_concept']:.2f} at its minimum and "
        f"{numbers['last_distance_to_concept']:.2f} at the end, where the concept of "
        f"'{numbers['nearest_concept_at_the_end']}' is the nearest."
    )
