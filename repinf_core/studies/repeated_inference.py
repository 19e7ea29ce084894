"""What happens to single noisy images?  Fig. 1 and Supplementary Information A."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from repinf_core import data, geometry
from repinf_core.dynamics import rollout
from repinf_core.noise import NOISES, noisy_trials
from repinf_core.profiles import Experiment
from repinf_core.streams import stream_seed
from repinf_core.studies.study import Study, Trained, network_in_words, trained

_TIMES = (0, 1, 2, 5, 10, 20, 50)  # steps shown in the rows of images; T comes last


class Example(NamedTuple):
    """One trial that is shown.

    Attributes:
        images: x(t), ``[T+1, 784]``.
        concept_image: E_p(x|z)[x] at the concept of the trial's label, ``[784]``.
        curves: its rows of :attr:`RepeatedInference.curves`.
    """

    images: np.ndarray
    concept_image: np.ndarray
    curves: pd.DataFrame


@dataclass(frozen=True)
class RepeatedInference(Study):
    """Trials of every label, and the median trial of each label.

    The median trial is the one whose smallest distance to its concept is the median over its
    label's trials; for an even number, the closer of the two in the middle.  No trial is selected
    by eye.  Distances are Euclidean, in latent space.

    Attributes:
        trials: a row for each ``trial`` of each ``label``: the ``image``, its row of the training
            set; the smallest distance to the concept, ``minimum``, and its ``step``.
        medians: the row of each label's median trial, with ``memory_step`` and ``memory_minimum``
            (closest approach to the memory), the ``first`` and the ``last`` distance to the
            concept, and ``nearest_at_end``, the label of the concept nearest at the end.
        curves: a row for each label, ``target`` ("concept" or "memory") and ``t`` (steps): the
            ``distance`` of the median trial.
        readings: a row for each ``noise``, for the first trial of the experiment's label with the
            same pixels selected: its ``initial_distance_to_memory``, its closest approach to the
            memory, ``step_nearest_memory`` and ``distance_nearest_memory``, and likewise for
            the concept.
        examples: the median trial of each label.
        reading_images: x(t) of the readings' trial at ``times``, ``[times, 784]`` by noise.
        times: the steps at which rows of images are shown.
    """

    trials: pd.DataFrame
    medians: pd.DataFrame
    curves: pd.DataFrame
    readings: pd.DataFrame
    examples: tuple[Example, ...]
    reading_images: dict[str, np.ndarray]
    times: tuple[int, ...]

    @property
    def shown(self) -> Example:
        """The example of the experiment's label (Fig. 1)."""
        return self.examples[self.experiment.label]

    @property
    def other(self) -> Example:
        """The example of the next label (Suppl. A)."""
        return self.examples[(self.experiment.label + 1) % 10]

    @property
    def label_images(self) -> dict[str, np.ndarray]:
        """x(t) of each label's median trial at ``times``, ``[times, 784]`` by label."""
        rows = (example.images[[*self.times]] for example in self.examples)
        return dict(zip(self.medians.label, rows, strict=True))

    @property
    def concept_images(self) -> np.ndarray:
        """Images of the ten concepts, ``[10, 784]``."""
        return np.stack([example.concept_image for example in self.examples])


def run(experiment: Experiment, device: str | None = None) -> RepeatedInference:
    """Infer repeatedly from noisy images of every label, and keep the median trial of each.

    Args:
        experiment: uses ``label``, ``trials`` (per label), ``p``, ``noise``, ``trial_seed``,
            ``steps`` and the parameters of the network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    network = trained(experiment, device)
    names = network.class_names
    trials, starts = _trials(network, experiment)
    chosen = trials.groupby("label", sort=False).minimum.apply(_median)
    medians = trials.loc[chosen].reset_index(drop=True)
    images, curves, ends = _follow(
        network, medians.image.tolist(), starts[chosen.tolist()], experiment.steps
    )
    medians = medians.join(_landmarks(curves), on="label")
    medians["nearest_at_end"] = [names[k] for k in ends]
    with torch.no_grad():
        decoded = network.model.decode_mean(network.concepts.to(network.device)).cpu().numpy()
    examples = tuple(
        Example(images[:, k], decoded[k], curves[curves.label == names[k]]) for k in range(10)
    )
    times = (*(t for t in _TIMES if t < experiment.steps), experiment.steps)
    numbers, readings, reading_images = _readings(network, experiment, times)
    numbers["median_trial"] = _of_median(medians, names[experiment.label], experiment.trials)
    return RepeatedInference(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=_finding(experiment, names[experiment.label], numbers["median_trial"]),
        trials=trials,
        medians=medians,
        curves=curves,
        readings=readings,
        examples=examples,
        reading_images=reading_images,
        times=times,
    )


def _draw(
    network: Trained, experiment: Experiment, label: int, trials: int, noise: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """The first trials of a label, with the same images and selected pixels for every noise."""
    seed = stream_seed(experiment.trial_seed, label)
    return noisy_trials(network.train, [label], trials, experiment.p, noise, seed)


def _trials(network: Trained, experiment: Experiment) -> tuple[pd.DataFrame, torch.Tensor]:
    """The closest approach of every trial to its concept, and x(0), ``[10 * trials, 784]``."""
    n = experiment.trials
    drawn = [_draw(network, experiment, label, n, experiment.noise) for label in range(10)]
    rows, starts = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    targets = network.concepts[network.train.labels[rows]].to(network.device)
    ran = rollout.rollout(
        network.model,
        starts.to(network.device),
        experiment.steps,
        {"concept": geometry.distance_to(targets)},
    )
    minima, steps = ran.observed["concept"].cpu().min(0)
    table = pd.DataFrame(
        {
            "label": np.repeat(network.class_names, n),
            "trial": np.tile(np.arange(n), 10),
            "image": rows,
            "minimum": minima,
            "step": steps,
        }
    )
    return table, starts


def _median(minima: pd.Series) -> int:
    """Index of the median; for an even number, the index of the smaller one in the middle."""
    return int(minima.sort_values(kind="stable").index[(len(minima) - 1) // 2])


def _follow(
    network: Trained, rows: list[int], starts: torch.Tensor, steps: int
) -> tuple[np.ndarray, pd.DataFrame, list[int]]:
    """One trial of each label: x(t), ``[T+1, 10, 784]``, its curves, and the label nearest at T."""
    device = network.device
    observe = {
        "concept": geometry.distance_to(network.concepts.to(device)),
        "memory": geometry.distance_to(network.memories[rows].to(device)),
        "image": rollout.images,
    }
    ran = rollout.rollout(network.model, starts.to(device), steps, observe)
    curves = pd.concat(
        pd.DataFrame(
            {
                "label": name,
                "target": target,
                "t": range(steps + 1),
                "distance": ran.observed[target][:, k].cpu(),
            }
        )
        for k, name in enumerate(network.class_names)
        for target in ("concept", "memory")
    ).reset_index(drop=True)
    ends = torch.cdist(ran.z_last.cpu(), network.concepts).argmin(1)
    return ran.observed["image"].cpu().numpy(), curves, ends.tolist()


def _landmarks(curves: pd.DataFrame) -> pd.DataFrame:
    """Each label's closest approach to the memory, first and last distance to the concept."""
    concept = curves[curves.target == "concept"].groupby("label").distance
    memory = curves[curves.target == "memory"]
    closest = memory.loc[memory.groupby("label").distance.idxmin()].set_index("label")
    return pd.DataFrame(
        {
            "memory_step": closest.t,
            "memory_minimum": closest.distance,
            "first": concept.first(),
            "last": concept.last(),
        }
    )


def _readings(
    network: Trained, experiment: Experiment, times: tuple[int, ...]
) -> tuple[dict[str, Any], pd.DataFrame, dict[str, np.ndarray]]:
    """The first trial of the label under every noise: numbers, a row for each noise, and images."""
    label, device = experiment.label, network.device
    tables, images, numbers = {}, {}, {}
    for noise in NOISES:
        row, x0 = _draw(network, experiment, label, 1, noise)
        observe = {
            "concept": geometry.distance_to(network.concepts[label : label + 1].to(device)),
            "memory": geometry.distance_to(network.memories[row].to(device)),
            "image": rollout.images,
        }
        ran = rollout.rollout(network.model, x0.to(device), experiment.steps, observe)
        of_trial = {name: values[:, 0].cpu() for name, values in ran.observed.items()}
        concept, memory = of_trial["concept"], of_trial["memory"]
        images[noise] = of_trial["image"][[*times]].numpy()
        tables[noise] = {
            "initial_distance_to_memory": float(memory[0]),
            "step_nearest_memory": int(memory.argmin()),
            "distance_nearest_memory": float(memory.min()),
            "step_nearest_concept": int(concept.argmin()),
            "distance_nearest_concept": float(concept.min()),
        }
        if noise == experiment.noise:
            end = geometry.distance(ran.z_last.cpu(), network.concepts).argmin()
            numbers = {
                "label_of_nearest_concept_at_the_end": int(end),
                "concept_distances": concept.tolist(),
                "memory_distances": memory.tolist(),
            }
    table = pd.DataFrame.from_dict(tables, orient="index").rename_axis("noise").reset_index()
    return {"readings": tables} | numbers, table, images


def _of_median(medians: pd.DataFrame, label: str, trials: int) -> dict[str, Any]:
    median = medians.set_index("label").loc[label]
    return {
        "of_trials": trials,
        "trial": int(median.trial),
        "step_nearest_memory": int(median.memory_step),
        "step_nearest_concept": int(median.step),
        "first_distance_to_concept": float(median["first"]),
        "smallest_distance_to_concept": float(median.minimum),
        "last_distance_to_concept": float(median["last"]),
        "nearest_concept_at_the_end": median.nearest_at_end,
    }


def _finding(experiment: Experiment, label: str, median: dict[str, Any]) -> str:
    title = data.DATASETS[experiment.dataset].title
    memory_step, step = median["step_nearest_memory"], median["step_nearest_concept"]
    return (
        f"The median trial of {experiment.trials} noisy images of '{label}' ({title}, "
        f"{network_in_words(experiment)}, $p = {experiment.p:g}$) is closest to its memory at "
        f"$t = {memory_step}$ and to its concept at $t = {step}$ of {experiment.steps} steps. Its "
        f"distance to the concept is {median['first_distance_to_concept']:.2f} at the start, "
        f"{median['smallest_distance_to_concept']:.2f} at its minimum and "
        f"{median['last_distance_to_concept']:.2f} at the end, where the concept of "
        f"'{median['nearest_concept_at_the_end']}' is the nearest."
    )
