"""Where do trajectories end?  Fixed points, their spectra, saddles near concepts (chapter 20)."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from repinf_core import data
from repinf_core.agreement import rank_correlation
from repinf_core.dynamics import fixed_points
from repinf_core.dynamics.jacobian import jacobian
from repinf_core.profiles import Experiment
from repinf_core.studies import (
    bridges,
    end_points,
    null_models,
    other_networks,
    saddles,
    training_sizes,
)
from repinf_core.studies.study import Study, Trained, trained

_POINTS = 100  # random memories and points of the prior whose spectra are shown


@dataclass(frozen=True)
class FixedPoints(Study):
    """Where trajectories end, and what the step map is like there and elsewhere.

    Distances are Euclidean, in latent space.  A fixed point's index is how many eigenvalues of the
    Jacobian exceed 1 in modulus.

    Attributes:
        settling: a row for each of some steps ``t``: the share of all trajectories that are
            ``moving`` still, by more than 1e-3 a step.
        ends: a row for each trajectory: ``label`` of its image, ``start`` (noisy or clean),
            ``outcome`` (fixed point; unrefined, at rest where Newton's method finds no fixed point
            nearby; cycle; closed curve; still moving), the ``steps`` it took, its ``fixed_point``
            (a number; missing if none), and from its end the distance to ``own_memory``,
            ``nearest_memory``, ``random_memory``, ``own_concept``, ``nearest_concept``,
            ``random_concept`` (of another label); the labels of the nearest concept and memory,
            ``concept_label`` and ``memory_label``; ``memory_to_next``, from its own memory to the
            nearest other memory.
        outcomes: a row for each outcome: number of ``trajectories`` and their ``share``.
        fixed_points: a row for each distinct fixed point, the largest basin first: its
            ``fixed_point`` number, the ``label`` of the nearest concept, the ``trajectories`` that
            end there and their ``share`` of all, the share of these that have that label
            (``own_label``), distance to the nearest ``concept`` and ``memory``, spectral
            ``radius``, ``index``, largest singular value (``stretch``).
        spectra: a row for each point: ``where`` it is (attractor, memory, concept, midpoint of two
            concepts, prior point), length of the ``step`` taken from it, ``radius``, ``index``,
            ``stretch``, and the share of the Jacobian's squared Frobenius norm that is in its
            symmetric part (``symmetric``; 1 if J is symmetric, about 1/2 if its entries are
            independent random numbers).
        kinds: a row for each ``where``: ``points``, and medians of the columns of ``spectra``.
        searches: a row for each search: near which ``centre`` and of which ``label``; its
            ``start``; whether it ``converged``; of what it found the ``distance`` from the centre,
            the greatest that is ``allowed``, ``index``, ``radius``, ``stretch``, mean ``gain`` of
            the noise's displacements; whether it is a ``saddle`` by the claim's criterion.
        saddles: a row for each label: the greatest ``allowed`` distance; ``distance``, ``index``,
            ``radius``, ``stretch`` and ``gain`` of the saddle nearest to its concept (missing where
            there is none); for each centre whether there is one.
        centres: a row for each centre: how many ``searches``, how many of them ``converged`` and
            found a fixed point ``near`` it, of index 1 or more (``unstable``), and the
            number of ``labels`` with a saddle.
        escape: a row for each label with a saddle: its ``radius``; the median factor per step of
            the distance from it over ten steps after the closest approach (``growth``), and the
            share of trials from which that is known (``leaving``); the median ``step`` of the
            closest approach to it, what it would be if the map were linear (``linear_step``), and
            the median distance then (``closest``).
        systems: a row for each system (mean map, sampled chain, linear VAE) and target (concept or
            wrong concept): of how many labels the mean curve approaches it below the
            ``whole_chord`` and at the ``same_time``; median ``step`` of its minimum; mean distance
            at the ``first`` step, at the ``closest`` and at the ``last``.
        networks: a row for each network of other beta or N_z: ``beta``, ``n_z``, ``epochs``
            trained, ``active`` latent variables; of its trajectories the share that is ``moving``
            after 100 steps (``moving_100``) and at the last, and that rests (``at_rest``); number
            of distinct ``fixed_points``; number of labels with a ``saddles`` near their concept.
        score: a row for each point: ``where`` it is; lengths of the ``step`` f(z) - z and of the
            ``score``, the gradient of log q(z) of the aggregate posterior; over the active latent
            variables the ``cosine`` of the two, and that of the step with the score of another
            point of the same kind (``elsewhere``); the cosine over ``all_variables``.
        kept: a row for each noise fraction ``p`` and step ``t`` (0 and the last one judged): the
            share of the ``trials`` in which the concept nearest to z(t) is of the image's own label
            (``kept``).
        sizes: a row for each ``size`` of a training set and each ``start``: how many
            ``trajectories``; the shares of them whose ends are ``memorised``, ``spurious`` and
            ``generalised``, and that of those that are ``not_at_rest``.
        images: of the largest basins, what the fixed points generate, ``[n, 784]``.
    """

    settling: pd.DataFrame
    ends: pd.DataFrame
    outcomes: pd.DataFrame
    fixed_points: pd.DataFrame
    spectra: pd.DataFrame
    kinds: pd.DataFrame
    searches: pd.DataFrame
    saddles: pd.DataFrame
    centres: pd.DataFrame
    escape: pd.DataFrame
    systems: pd.DataFrame
    networks: pd.DataFrame
    score: pd.DataFrame
    kept: pd.DataFrame
    sizes: pd.DataFrame
    images: np.ndarray


def run(experiment: Experiment, device: str | None = None) -> FixedPoints:
    """Iterate to the end, refine, look for saddles; then the same in short for other networks.

    Args:
        experiment: of it ``census_trials``, ``settling_steps``, ``trials`` per label, ``p``,
            ``noise``, ``trial_seed``, ``steps``, ``beta_grid``, ``n_z_grid``, ``grid_epochs``,
            ``p_grid``, ``classified_trials`` and ``final_step`` are taken, and all that names the
            network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    network = trained(experiment, device)
    census = end_points.census(network, experiment)
    spectra = _spectra(network, census.points, experiment.trial_seed)
    attractors = spectra[spectra["where"] == "attractor"]
    found = census.fixed_points.assign(
        **{name: attractors[name].to_numpy() for name in ("radius", "index", "stretch")}
    )
    trials = saddles.draw(network, experiment, experiment.trials)
    near = saddles.search(network, experiment, trials)
    escape = saddles.escape(network, experiment, trials, near.points).merge(
        near.saddles[["label", "radius"]], on="label"
    )
    score = bridges.step_and_score(network, experiment, trials)
    systems, linear = null_models.null_models(network, experiment, trials)
    outcomes = _outcomes(census.ends)
    numbers = {
        "epochs_trained": network.run.epoch,
        "trajectories": len(census.ends),
        "fixed_points": len(found),
        "outcomes": dict(zip(outcomes.outcome, outcomes.trajectories.tolist(), strict=True)),
        "moving": dict(zip(census.settling.t.tolist(), census.settling.moving, strict=True)),
        **_memories(census.ends),
        **_of_saddles(experiment, near, escape),
        "largest_factor_of_the_linear_vae": float(linear.factors.max()),
        "cosine_with_score": _by_place(score, "cosine"),
        "cosine_with_score_elsewhere": _by_place(score, "elsewhere"),
        "symmetric_share": _by_place(spectra, "symmetric"),
    }
    return FixedPoints(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=_finding(experiment, numbers),
        settling=census.settling,
        ends=census.ends,
        outcomes=outcomes,
        fixed_points=found,
        spectra=spectra,
        kinds=_kinds(spectra),
        searches=near.searches,
        saddles=near.saddles,
        centres=_centres(near.searches),
        escape=escape,
        systems=systems,
        networks=other_networks.networks(network, experiment),
        score=score,
        kept=bridges.label_kept(network, experiment),
        sizes=training_sizes.ends_by_size(experiment),
        images=_images(network, census.points[:20]),
    )


def _outcomes(ends: pd.DataFrame) -> pd.DataFrame:
    counts = ends.outcome.value_counts()
    return pd.DataFrame(
        {
            "outcome": counts.index,
            "trajectories": counts.to_numpy(),
            "share": counts.to_numpy() / len(ends),
        }
    )


def _spectra(network: Trained, attractors: torch.Tensor, seed: int) -> pd.DataFrame:
    """At the attractors and at points that need not be fixed."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(network.memories), (_POINTS,), generator=generator)
    concepts = network.concepts.double()
    pairs = [concepts[[i, j]].mean(0) for i, j in itertools.combinations(range(10), 2)]
    points = {
        "attractor": attractors,
        "memory": network.memories[rows].double(),
        "concept": concepts,
        "midpoint": torch.stack(pairs),
        "prior point": torch.randn(
            _POINTS, concepts.shape[1], generator=generator, dtype=torch.float64
        ),
    }
    model = fixed_points.in_float64(network.model)
    tables = []
    for where, z in points.items():
        if not len(z):
            continue
        maps = jacobian(model, z.to(network.device)).cpu()
        spectrum = fixed_points.spectrum(maps)
        step = fixed_points.displacement(model, z.to(network.device)).norm(dim=1).cpu()
        tables.append(
            pd.DataFrame(
                {
                    "where": where,
                    "step": step.numpy(),
                    "radius": spectrum.radius.numpy(),
                    "index": spectrum.unstable.numpy(),
                    "stretch": spectrum.stretch.numpy(),
                    "symmetric": symmetric_share(maps).numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def symmetric_share(maps: torch.Tensor) -> torch.Tensor:
    """(||(J + J^T) / 2|| / ||J||)^2 in the Frobenius norm, of matrices ``[n, N, N]``: ``[n]``.

    Of a matrix of independent random numbers it is (N + 1) / 2N in the mean.
    """
    symmetric = torch.linalg.matrix_norm((maps + maps.mT) / 2)
    return (symmetric / torch.linalg.matrix_norm(maps)).square()


def _kinds(spectra: pd.DataFrame) -> pd.DataFrame:
    by = spectra.groupby("where", sort=False)
    return by.median().assign(points=by.size()).reset_index()


def _by_place(points: pd.DataFrame, column: str) -> dict[str, float]:
    return points.groupby("where", sort=False)[column].median().dropna().to_dict()


def _memories(ends: pd.DataFrame) -> dict[str, Any]:
    """Medians of the distances, and how often the own memory or concept is the nearest."""
    # The two distances are computed by different formulas in float32.
    own_is_nearest = ends.own_memory <= ends.nearest_memory + end_points.ONE_END
    distances = [
        "own_memory", "nearest_memory", "random_memory", "memory_to_next", "own_concept",
        "nearest_concept", "random_concept",
    ]  # fmt: skip
    return {
        "median_distances": ends[distances].median().to_dict(),
        "share_own_memory_nearest": float(own_is_nearest.mean()),
        "share_own_concept_nearest": float((ends.concept_label == ends.label).mean()),
        "share_label_of_nearest_memory": float((ends.memory_label == ends.label).mean()),
    }


def _centres(searches: pd.DataFrame) -> pd.DataFrame:
    """How far the searches came, near each centre."""
    near = searches.converged & (searches.distance < searches.allowed)
    stages = searches.assign(near=near, unstable=near & (searches["index"] >= 1))
    by = stages.groupby("centre", sort=False)
    counts = by[["converged", "near", "unstable"]].sum()
    labels = stages[stages.saddle].groupby("centre").label.nunique()
    counts["labels"] = labels.reindex(counts.index, fill_value=0)
    return counts.assign(searches=by.size()).reset_index()


def _of_saddles(
    experiment: Experiment, near: saddles.Saddles, escape: pd.DataFrame
) -> dict[str, Any]:
    """What the claim is judged by, and how it was found."""
    possible = experiment.n_z > 1 and near.searches.gain.notna().any()
    counts = {name: int(near.saddles[name].sum()) for name in saddles.CENTRES}
    known = escape.dropna(subset=["growth"])
    return {
        "labels_with_a_saddle": counts if possible else None,
        "searches": int(len(near.searches) / len(saddles.CENTRES)),
        "searches_converged": near.searches.groupby("centre").converged.sum().to_dict(),
        "distinct_saddles": len(
            near.saddles.dropna(subset=["distance"]).drop_duplicates(["radius", "stretch"])
        ),
        "radius_and_growth": rank_correlation(known.radius, known.growth)
        if len(known) > 2
        else None,
        "step_and_linear_step": rank_correlation(escape.step, escape.linear_step)
        if len(escape) > 2
        else None,
    }


@torch.no_grad()
def _images(network: Trained, points: torch.Tensor) -> np.ndarray:
    return network.model.decode_mean(points.float().to(network.device)).cpu().numpy()


def _finding(experiment: Experiment, found: dict[str, Any]) -> str:
    title = data.DATASETS[experiment.dataset].title
    rest = found["outcomes"].get("fixed point", 0)
    saddle = found["labels_with_a_saddle"]
    near = (
        "There is no saddle to look for."
        if saddle is None
        else f"By the criterion below, a saddle lies near {saddle['concept']} of 10 concepts; the "
        f"same search finds one near {saddle['random memory']} of 10 random memories and near "
        f"{saddle['prior point']} of 10 points of the prior."
    )
    return (
        f"On {title} with $N_z = {experiment.n_z}$, {rest:,} of {found['trajectories']:,} "
        f"trajectories come to rest within {experiment.settling_steps:,} steps, at "
        f"{found['fixed_points']} distinct fixed points. "
        f"{found['share_own_memory_nearest']:.1%} of all trajectories end nearer to the memory of "
        f"their own image than to any other. {near}"
    )
