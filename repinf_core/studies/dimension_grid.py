"""What changes with the number of latent variables?  Fig. 8, Suppl. E and preprint Fig. 6."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import pandas as pd
import torch

from repinf_core import data, geometry, models
from repinf_core.agreement import rank_correlation
from repinf_core.data import LabelledImages
from repinf_core.dynamics import approach
from repinf_core.models.mlp import VAE, VAESpec
from repinf_core.profiles import Experiment
from repinf_core.studies.study import Study, default_device, mean_curve, stacked
from repinf_core.training import progress, sweep
from repinf_core.training.run import TrainingRun

STAGES = dict(zip(approach.LANDMARKS, ("I", "II", "III"), strict=True))
"""Number of the stage in which each landmark is approached closest (Fig. 4)."""


@dataclass(frozen=True)
class DimensionGrid(Study):
    """The tables of Fig. 8 and other comparisons over N_z; one network for each ``n_z``.

    Attributes:
        networks: a row for each network: ``epochs_trained``; ``test_negative_elbo`` (nats per
            image, after the number of epochs that all networks reached); ``active_latents``;
            ``components_for_70_percent`` of the variance of the memories;
            ``mean_absolute_cosine`` of the concepts of different labels;
            ``orthogonality_sum_of_squares``, ||C - I||_F^2, and its ``orthogonality_root``;
            ``least_root``, the smallest root of any ten vectors; ``random_root``, the approximate
            root of ten random directions in as many dimensions as there are active latents
            (missing if there are none); ``label_approaches_whole_chord`` and ``..._same_time``,
            whether the label's mean curve approaches its concept below the whole chord and below
            the chord at the same time; ``step_of_label``, the step of its minimum;
            ``closer_whole_chord``, the attraction: the difference between the chord's smallest
            distance and the curve's, as a share of the former; ``closer_same_time``, likewise
            for the chord's distance at the same time; ``labels_approaching_whole_chord`` and
            ``..._same_time``, the numbers of labels of all ten.
        bounds: a row for each integer from the smallest ``n_z`` to the largest: the ``least``
            ||C - I||_F of any ten vectors, and ``least_around_mean``, the same for ten vectors
            whose mean is the origin.
        curves: a row for each network and t, for the label's trials: ``t`` (steps), ``mean`` and
            ``sem`` of the distance to the concept (Euclidean, in latent space), ``chord`` (mean
            distance of the chords at the same t).
        stages: a row for each network and stage: its number (``stage``), the landmark approached
            closest (``nearest``), the noise fractions at which it begins and ends (``start``,
            ``stop``).
        cosines_by_dimension: a row for each network, ``label`` and ``other`` label: the
            ``cosine`` of their concepts.
    """

    networks: pd.DataFrame
    bounds: pd.DataFrame
    curves: pd.DataFrame
    stages: pd.DataFrame
    cosines_by_dimension: pd.DataFrame


class _Measured(NamedTuple):
    numbers: dict[str, Any]
    curve: pd.DataFrame
    cosines: pd.DataFrame


def run(experiment: Experiment, device: str | None = None) -> DimensionGrid:
    """Train a network for each N_z of the grid, and start inference in each from the same images.

    Args:
        experiment: uses ``n_z_grid``, ``grid_epochs``, the other parameters of the network,
            ``label``, and the attributes that :mod:`repinf_core.dynamics.approach` uses.
        device: device of the computation; by default a GPU if there is one, else the CPU.

    Raises:
        DataError, StoreError, SweepError: as :func:`repinf_core.training.sweep.load_or_train`.
    """
    device = device or default_device()
    train = data.load(experiment.dataset, "train")
    runs = _trained_grid(experiment, len(train.images), device)
    common = min(run.epoch for run in runs)  # objectives are compared after the same epoch
    measured = {
        n_z: _measure(run, common, train, experiment, device)
        for n_z, run in zip(experiment.n_z_grid, runs, strict=True)
    }
    by_n_z = {n_z: found.numbers for n_z, found in measured.items()}
    networks, stages = _networks(by_n_z), _stages(by_n_z)
    numbers = _numbers(by_n_z, networks)
    return DimensionGrid(
        experiment=experiment,
        device=device,
        numbers=numbers,
        finding=_finding(experiment, networks),
        networks=networks,
        bounds=_bounds(experiment.n_z_grid),
        curves=stacked({n_z: found.curve for n_z, found in measured.items()}, "n_z"),
        stages=stages,
        cosines_by_dimension=stacked(
            {n_z: found.cosines for n_z, found in measured.items()}, "n_z"
        ),
    )


def cosine_table(cosines: torch.Tensor, names: tuple[str, ...]) -> pd.DataFrame:
    """The cosines ``[K, K]`` of the concepts: a row for each ``label`` and ``other`` label."""
    return pd.DataFrame(
        {
            "label": [name for name in names for _ in names],
            "other": [*names] * len(names),
            "cosine": cosines.flatten(),
        }
    )


def _trained_grid(experiment: Experiment, n_images: int, device: str) -> list[TrainingRun]:
    each = dataclasses.replace(VAESpec.of(experiment), epochs=experiment.grid_epochs)
    specs = sweep.product(each, n_z=experiment.n_z_grid)
    dimensions = ", ".join(map(str, experiment.n_z_grid))
    print(f"\ngrid     N_z = {dimensions}; epochs of each: up to {each.epochs:,}")
    print(progress.estimate_runtime(specs, device, n_images))
    return sweep.load_or_train(specs, device)


def _measure(
    run: TrainingRun, common: int, train: LabelledImages, experiment: Experiment, device: str
) -> _Measured:
    """The results of one network of the grid; ``common``: the epoch whose objective is used."""
    model = cast(VAE, run.model)
    memories = models.memories(model, train.images.to(device)).cpu()
    concepts = geometry.concepts(memories, train.labels)
    cosines = geometry.cosine_matrix(concepts)
    departure = geometry.orthogonality_error(concepts)
    distances, chords = approach.to_concepts(model, train, concepts.to(device), experiment)
    names = data.DATASETS[experiment.dataset].class_names
    numbers = {
        "epochs_trained": run.epoch,
        "test_negative_elbo": run.history[common - 1].test["negative_elbo"],
        "active_latents": int(geometry.active_latents(memories).sum()),
        "components_for_70_percent": geometry.components(memories, 0.7),
        "mean_absolute_cosine": geometry.mean_over_pairs(cosines.abs()),
        "orthogonality_sum_of_squares": departure.sum_of_squares,
        "orthogonality_root": departure.root,
        **_approach(distances, chords, experiment.label),
        "stages": _stages_of(model, train, memories.to(device), experiment),
    }
    curve = mean_curve(distances[experiment.label], chords[experiment.label])
    return _Measured(numbers, curve, cosine_table(cosines, names))


def _approach(distances: torch.Tensor, chords: torch.Tensor, label: int) -> dict[str, Any]:
    """Whether and how closely the mean curves approach; ``[labels, T+1, trials]`` each."""
    whole_chord, same_time = geometry.approach_of_means(distances, chords)
    minimum, step = float(whole_chord.minimum[label]), int(whole_chord.step[label])
    chord = chords[label].mean(1)
    return {
        "label_approaches_whole_chord": bool(whole_chord.approaches[label]),
        "label_approaches_same_time": bool(same_time[label]),
        "step_of_label": step,
        "closer_whole_chord": _closer(minimum, float(chord.min())),
        "closer_same_time": _closer(minimum, float(chord[step])),
        "labels_approaching_whole_chord": int(whole_chord.approaches.sum()),
        "labels_approaching_same_time": int(same_time.sum()),
    }


def _closer(minimum: float, chord: float) -> float:
    """The difference from the chord's distance as a share of it.

    It is rounded, because curve and chord may share an end point.
    """
    return round(1 - minimum / chord, 4) + 0.0 if chord else 0.0


def _stages_of(
    model: VAE, train: LabelledImages, memories: torch.Tensor, experiment: Experiment
) -> list[dict[str, Any]]:
    closest = approach.closest_approach_by_noise(model, train, memories, experiment)
    p_grid = torch.tensor(experiment.p_grid, dtype=torch.float64)
    return [
        {"nearest": approach.LANDMARKS[stage.nearest], "start": stage.start, "stop": stage.stop}
        for stage in geometry.stages(p_grid, closest.distance.mean(-1))
    ]


def _networks(by_n_z: dict[int, dict[str, Any]]) -> pd.DataFrame:
    plain = [
        {"n_z": n_z} | {name: value for name, value in numbers.items() if name != "stages"}
        for n_z, numbers in by_n_z.items()
    ]
    networks = pd.DataFrame(plain)
    active = networks.active_latents.astype("Float64")
    return networks.assign(
        least_root=[geometry.welch_bound(10, n_z).root for n_z in by_n_z],
        # The squared cosine of two random directions in d dimensions is 1/d on average.
        random_root=(90 / active.where(active > 0)) ** 0.5,
    )


def _stages(by_n_z: dict[int, dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"n_z": n_z, "stage": STAGES[stage["nearest"]], **stage}
            for n_z, numbers in by_n_z.items()
            for stage in numbers["stages"]
        ]
    )


def _bounds(grid: tuple[int, ...]) -> pd.DataFrame:
    every = range(grid[0], grid[-1] + 1)
    return pd.DataFrame(
        {
            "n_z": every,
            "least": [geometry.welch_bound(10, n_z).root for n_z in every],
            "least_around_mean": [geometry.welch_bound(10, min(n_z, 9)).root for n_z in every],
        }
    )


def _numbers(by_n_z: dict[int, dict[str, Any]], networks: pd.DataFrame) -> dict[str, Any]:
    at = networks.set_index("n_z")
    numbers: dict[str, Any] = {
        "grid_epochs_trained": int(networks.epochs_trained.min()),
        "by_n_z": {str(n_z): numbers for n_z, numbers in by_n_z.items()},
        "orthogonality_levels_off_at": _levels_off(at.orthogonality_root),
    }
    for reading in ("whole_chord", "same_time"):
        label, labels = at[f"label_approaches_{reading}"], at[f"labels_approaching_{reading}"]
        numbers |= {
            f"rank_correlation_{reading}": rank_correlation(
                at[f"closer_{reading}"].tolist(), at.test_negative_elbo.tolist()
            ),
            f"label_approaches_{reading}_from": _holds_from(label),
            f"all_labels_approach_{reading}_from": _holds_from(labels == 10),
        }
    return numbers


def _holds_from(holds: pd.Series) -> int | None:
    """The smallest N_z from which on it holds everywhere, or None; ``holds`` is indexed by N_z."""
    later = holds[::-1].cummin()[::-1]
    return int(later.idxmax()) if later.any() else None


def _levels_off(roots: pd.Series) -> int | None:
    """The N_z from which on the root stays near its last value; None if only the last one does.

    "Near" means within a tenth of the whole fall, from the first N_z to the last.
    """
    near = (roots - roots.iloc[-1]).abs() <= 0.1 * (roots.iloc[0] - roots.iloc[-1])
    n_z = _holds_from(near)
    return None if n_z == roots.index[-1] else n_z


def _finding(experiment: Experiment, networks: pd.DataFrame) -> str:
    first, last = networks.iloc[0], networks.iloc[-1]
    least = networks.loc[networks.orthogonality_root.idxmin()]
    name = data.DATASETS[experiment.dataset].class_names[experiment.label]
    whole = networks.n_z[networks.label_approaches_whole_chord]
    same = networks.n_z[networks.label_approaches_same_time]
    orthogonality = (
        f"The concepts' distance from orthogonality is {first.orthogonality_root:.2f} at $N_z = "
        f"{first.n_z}$, smallest, {least.orthogonality_root:.2f}, at $N_z = {least.n_z}$, and "
        f"{last.orthogonality_root:.2f} at $N_z = {last.n_z}$."
        if len(networks) > 1
        else f"The concepts' distance from orthogonality is {last.orthogonality_root:.2f}; a grid "
        f"of the single $N_z = {last.n_z}$ shows no change."
    )
    return (
        f"{orthogonality} The mean curve from '{name}' approaches its concept below the chord "
        f"at the same time {_at(same)}, and below the whole chord {_at(whole)}."
    )


def _at(n_z: pd.Series) -> str:
    return f"at $N_z$ = {', '.join(map(str, n_z))}" if len(n_z) else "at no $N_z$"
