"""Where do trajectories end?  Fixed points, their spectra, saddles near concepts (chapter 20)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from repinf_core.agreement import rank_correlation
from repinf_core.profiles import Experiment
from repinf_core.studies import (
    bridges,
    end_points,
    escapes,
    fixed_points_in_words,
    null_models,
    other_networks,
    saddles,
    spectra,
    training_sizes,
)
from repinf_core.studies.fixed_point_columns import COLUMNS
from repinf_core.studies.study import Study, Trained, trained


@dataclass(frozen=True)
class FixedPoints(Study):
    """Where trajectories end, and how the step map acts there and elsewhere.

    Distances are Euclidean, in latent space.  The index of a fixed point is the number of
    eigenvalues of the Jacobian whose modulus exceeds 1.

    Attributes:
        settling: a row for each of some steps ``t``: the share of all trajectories that are still
            ``moving``, by more than 1e-3 a step.
        ends: a row for each trajectory: ``label`` of its image, ``start`` (noisy or clean),
            ``outcome`` (fixed point; unrefined: it rests, but Newton's method finds no fixed point
            nearby; cycle; closed curve; still moving), the ``steps`` it took, the number of its
            ``fixed_point`` (missing if there is none); the distance from its end to its
            ``own_memory``, the ``nearest_memory``, a ``random_memory`` of its label, its
            ``own_concept``, the ``nearest_concept``, and the concept of another label
            (``random_concept``); the labels of the nearest concept and memory, ``concept_label``
            and ``memory_label``; the distance ``memory_to_next`` from its own memory to the nearest
            other memory.
        outcomes: a row for each outcome: number of ``trajectories`` and their ``share``.
        in_float64: how many of some trajectories end alike in float64, in a sentence.
        fixed_points: a row for each distinct fixed point, the largest basin first: its number
            ``fixed_point``, the ``label`` of the nearest concept, the number of ``trajectories``
            that end there and their ``share`` of all, how many of these come from images of that
            label (the share ``own_label``), the distances to the nearest ``concept`` and
            ``memory``, and the spectral ``radius``, the ``index`` and the largest singular value
            (``stretch``) of the Jacobian.
        spectra: a row for each point: ``where`` it is (attractor, memory, concept, midpoint of two
            concepts, prior point), length of the ``step`` taken from it, ``radius``, ``index``,
            ``stretch``, and the share of the Jacobian's squared Frobenius norm that is in its
            symmetric part (``symmetric``; 1 if J is symmetric, about 1/2 if its entries are
            independent random numbers).
        kinds: a row for each ``where``: ``points``, and medians of the columns of ``spectra``.
        searches: a row for each search: its ``centre``, ``label`` and ``start``, and the number of
            the ``trajectory`` that it starts from (0: the centre itself); whether it
            ``converged``; for the point where it ended, the ``distance`` from the centre and the
            largest ``allowed`` distance; if it converged, ``index``, ``radius`` and ``stretch`` at
            the fixed point, and the mean factor by which a step there multiplies the displacements
            that noise makes (``gain``, missing if it makes none); whether it is a ``saddle`` by
            the claim's criterion, and its ``number`` among the distinct ones near this kind of
            centre (missing if it is none).
        saddles: a row for each label: the largest ``allowed`` distance; ``distance``, ``index``,
            ``radius``, ``stretch`` and ``gain`` of the saddle nearest to the concept; the share of
            the squared length of the displacements that noise makes that lies along its growing
            directions (``noise_share``), and what this is for random directions among the active
            latent variables (``by_chance``; all missing if there is no saddle); for each kind of
            centre, whether a saddle lies near it.
        centres: a row for each kind of ``centre``: the numbers of ``searches``, of those that
            ``converged``, of fixed points found ``near`` it, of those with index 1 or more
            (``unstable``), of searches that ended at ``saddles``, of the ``distinct`` ones among
            these, and of ``labels`` with one.
        by_trajectories: a row for each kind of ``centre`` and some numbers of ``trajectories``: for
            how many ``labels`` the searches from the centre and from so many find a saddle.
        escape: a row for each label with a saddle: its ``radius``; the median factor per step by
            which trajectories recede from it in the ten steps after their closest approach
            (``growth``), and the share of trials that show this (``leaving``); the median ``step``
            of the closest approach; the growth and the step that the linear part of the map
            predicts (``linear_growth``, ``linear_step``); and the median distance at the closest
            approach (``closest``).
        explained: what the two predictions and what is seen have in common, in sentences.
        systems: a row for each ``system`` (mean map, sampled chain, linear VAE), number of
            ``steps`` T and ``target`` (concept or wrong concept): the number of labels whose mean
            curve approaches the target, read by the ``whole_chord`` and at the ``same_time``; the
            median ``step`` of its minimum; the mean distance at the ``first`` step, at the
            ``closest`` and at the ``last``.
        sampled: whether the approach survives sampling, in a sentence.
        networks: a row for each network: ``beta``, ``n_z``, the number of ``epochs`` trained and of
            ``active`` latent variables; the shares of its trajectories that still move after 100
            steps (``moving_100``) and at the last step (``moving``), that rest (``at_rest``), and
            whose end is nearest to the memory of their own image (``own_memory``) and to the
            concept of their own label (``own_concept``); the number of distinct ``fixed_points``,
            and the median spectral radius there (``radius``) and at the concepts
            (``concept_radius``); the numbers of labels with a saddle near their concept
            (``saddles``) and near a random memory (``near_memories``).
        score: a row for each point: ``where`` it is; lengths of the ``step`` f(z) - z and of the
            ``score``, the gradient of log q(z) of the aggregate posterior; over the active latent
            variables the ``cosine`` of the two, and that of the step with the score of another
            point of the same kind (``elsewhere``); the cosine over ``all_variables``.
        kept: a row for each noise fraction ``p`` and step ``t`` (0 and the last one judged): the
            share of the ``trials`` in which the concept nearest to z(t) is of the image's own label
            (``kept``).
        sizes: a row for each ``size`` of a training set and each ``start`` (one of its images, or a
            point of the prior): the numbers of ``trajectories``, of their distinct ``ends``, and
            of those of the ends that are ``memories``; the shares of trajectories whose ends are
            ``memorised``, ``spurious`` and ``generalised``, and of those ``not_at_rest``.
        order_of_sizes: in a sentence, whether their order is that of Pham et al.
        images: images that the fixed points with the largest basins generate, ``[n, 784]``.
    """

    settling: pd.DataFrame
    ends: pd.DataFrame
    outcomes: pd.DataFrame
    in_float64: str
    fixed_points: pd.DataFrame
    spectra: pd.DataFrame
    kinds: pd.DataFrame
    searches: pd.DataFrame
    saddles: pd.DataFrame
    centres: pd.DataFrame
    by_trajectories: pd.DataFrame
    escape: pd.DataFrame
    explained: str
    systems: pd.DataFrame
    sampled: str
    networks: pd.DataFrame
    score: pd.DataFrame
    kept: pd.DataFrame
    sizes: pd.DataFrame
    order_of_sizes: str
    images: np.ndarray

    @property
    def columns(self) -> Mapping[str, Mapping[str, tuple[str, str]]]:
        """The columns to show of each table: heading and format of each."""
        return COLUMNS


def run(experiment: Experiment, device: str | None = None) -> FixedPoints:
    """Follow trajectories to their ends, search for saddles, and compare with other networks.

    Args:
        experiment: uses ``census_trials``, ``settling_steps``, ``trials`` per label, ``p``,
            ``noise``, ``trial_seed``, ``steps``, ``beta_grid``, ``n_z_grid``, ``grid_epochs``,
            ``p_grid``, ``classified_trials`` and ``final_step``, and the parameters of the network.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    network = trained(experiment, device)
    census = end_points.census(network, experiment)
    at_points = spectra.at_points(network, census.points, experiment.trial_seed)
    attractors = at_points[at_points["where"] == "attractor"]
    found = census.fixed_points.assign(
        **{name: attractors[name].to_numpy() for name in ("radius", "index", "stretch")}
    )
    trials = saddles.draw(network, experiment, experiment.trials)
    near = saddles.search(network, experiment, trials)
    escape = escapes.from_saddles(network, experiment, trials, near.points).merge(
        near.saddles[["label", "radius"]], on="label"
    )
    score = bridges.step_and_score(network, experiment, trials)
    systems, linear = null_models.null_models(network, experiment, trials)
    sizes = training_sizes.ends_by_size(experiment)
    outcomes = end_points.outcomes(census.ends)
    numbers = {
        "epochs_trained": network.run.epoch,
        "trajectories": len(census.ends),
        "fixed_points": len(found),
        "outcomes": dict(zip(outcomes.outcome, outcomes.trajectories.tolist(), strict=True)),
        "in_float64": census.in_float64,
        "moving": dict(zip(census.settling.t.tolist(), census.settling.moving, strict=True)),
        **end_points.memories_and_concepts(census.ends),
        **_of_saddles(experiment, near, escape),
        "largest_factor_of_the_linear_vae": float(linear.factors.max()),
        "approaches": _approaches(systems),
        "cosine_with_score": _by_place(score, "cosine"),
        "cosine_with_score_elsewhere": _by_place(score, "elsewhere"),
        "symmetric_share": _by_place(at_points, "symmetric"),
    }
    return FixedPoints(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=fixed_points_in_words.finding(experiment, numbers),
        settling=census.settling,
        ends=census.ends,
        outcomes=outcomes,
        in_float64=fixed_points_in_words.in_float64(numbers),
        fixed_points=found,
        spectra=at_points,
        kinds=spectra.by_kind(at_points),
        searches=near.searches,
        saddles=near.saddles,
        centres=_centres(near.searches),
        by_trajectories=near.by_trajectories,
        escape=escape,
        explained=fixed_points_in_words.explained(numbers),
        systems=systems,
        sampled=fixed_points_in_words.sampled(numbers),
        networks=other_networks.networks(network, experiment),
        score=score,
        kept=bridges.label_kept(network, experiment),
        sizes=sizes,
        order_of_sizes=training_sizes.order_in_words(sizes),
        images=_images(network, census.points[:20]),
    )


def _by_place(points: pd.DataFrame, column: str) -> dict[str, float]:
    return points.groupby("where", sort=False)[column].median().dropna().to_dict()


def _centres(searches: pd.DataFrame) -> pd.DataFrame:
    """The table ``centres``: how far the searches near each kind of centre came."""
    near = searches.converged & (searches.distance < searches.allowed)
    stages = searches.assign(near=near, unstable=near & (searches["index"] >= 1).fillna(False))
    by = stages.groupby("centre", sort=False)
    counts = by[["converged", "near", "unstable", "saddle"]].sum()
    counts = counts.rename(columns={"saddle": "saddles"})
    of_saddles = stages[stages.saddle].groupby("centre")
    for name, column in (("distinct", "number"), ("labels", "label")):
        counts[name] = of_saddles[column].nunique().reindex(counts.index, fill_value=0)
    return counts.assign(searches=by.size()).reset_index()


def _of_saddles(
    experiment: Experiment, near: saddles.Saddles, escape: pd.DataFrame
) -> dict[str, Any]:
    """The numbers by which the claim is judged, and those that describe the searches."""
    possible = experiment.n_z > 1 and near.displaced
    counts = {name: int(near.saddles[name].sum()) for name in saddles.CENTRES}
    known = escape.dropna(subset=["growth"])
    medians = escape.dropna().merge(near.saddles[["label", "allowed"]], on="label")
    return {
        "labels_with_a_saddle": counts if possible else None,
        "searches": int(len(near.searches) / len(saddles.CENTRES)),
        "searches_converged": near.searches.groupby("centre").converged.sum().to_dict(),
        "distinct_saddles": int(near.searches[near.searches.centre == "concept"].number.nunique()),
        "noise_along_growth": None
        if not len(escape)
        else {
            "share": float(near.saddles.noise_share.mean()),
            "by_chance": float(near.saddles.by_chance.mean()),
        },
        "escape": medians.drop(columns="label").median().to_dict() if len(medians) else None,
        "radius_and_growth": rank_correlation(known.radius, known.growth)
        if len(known) > 2
        else None,
        "step_and_linear_step": rank_correlation(escape.step, escape.linear_step)
        if len(escape) > 2
        else None,
    }


def _approaches(systems: pd.DataFrame) -> list[dict[str, Any]]:
    """For how many labels each system approaches, by reading and target."""
    return [
        {"system": system, "steps": int(steps)}
        | of.set_index("target")[[*null_models.READINGS]].to_dict()
        for (system, steps), of in systems.groupby(["system", "steps"])
    ]


@torch.no_grad()
def _images(network: Trained, points: torch.Tensor) -> np.ndarray:
    return network.model.decode_mean(points.float().to(network.device)).cpu().numpy()
