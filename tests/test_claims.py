"""The verdicts follow from the numbers by the criteria, and from nothing else."""

import copy
import dataclasses
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from repinf_core import claims, profiles
from repinf_core.claims import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED

ROOT = Path(__file__).parents[1]

LABEL = {
    "step": 3,
    "last": 5.0,
    "minimum": 3.0,
    "minimum_sem": 0.1,
    "memory_step": 0,
    "memory_minimum": 2.0,
}
CLUSTER = {
    "labels": {str(k): dict(LABEL) for k in range(10)},
    "labels_approaching_whole_chord": 10,
    "labels_approaching_same_time": 10,
    "share_of_trials_approaching": 0.9,
    "labels_with_memory_in_the_first_quarter": 10,
    "Mahalanobis": {
        "labels_approaching_whole_chord": 10,
        "labels_as_to_the_concept": 10,
        "labels_approaching_same_time": 10,
    },
    "wrong_concept": {"labels_approaching_whole_chord": 0, "labels_approaching_same_time": 7},
}
GRID = (2, 5, 6, 9, 10, 14, 20)


def stages(*centres):
    return [{"nearest": centre} for centre in centres]


def by_n_z(*wanted, same_time=None, grid=GRID):
    """By N_z: approach and stage II for those that are wanted, approach at the same time."""
    return {
        "by_n_z": {
            str(n_z): {
                "label_approaches_whole_chord": n_z in wanted,
                "label_approaches_same_time": n_z in (same_time or wanted),
                "stages": stages("memory", *["concept"] * (n_z in wanted), "abstract concept"),
                "mean_absolute_cosine": 0.09,
                "active_latents": n_z,
                "epochs_trained": 150,
                "closer_whole_chord": 0.1 * place,
                "closer_same_time": 0.1 * (place % 3),
                "test_negative_elbo": 100.0 - place,
            }
            for place, n_z in enumerate(grid)
        },
        "orthogonality_levels_off_at": 14 if 14 in grid else None,
    }


def objectives(*swapped):
    """By N_z objectives that fall along the grid but for those pairs of places."""
    fall = [100.0 - place for place in range(len(GRID))]
    for one, other in swapped:
        fall[one], fall[other] = fall[other], fall[one]
    return {
        f"by_n_z/{n_z}/test_negative_elbo": value for n_z, value in zip(GRID, fall, strict=True)
    }


TOLD_AT_THE_SAME_TIME = {
    f"by_n_z/{n_z}/{attraction}": value
    for place, n_z in enumerate(GRID)
    for attraction, value in (
        ("closer_whole_chord", 0.0),
        ("closer_same_time", 0.1 * place),
    )
}


def runs(*lengths, small=99):
    """The longest run at p = 0.35, of ``small`` steps, and at 0.4, 0.45, ... 0.7 of ``lengths``."""
    return [[0, length - 1] if length else None for length in (small, *lengths)]


def separation(auroc, low, high, strict_low, strict_high):
    return {
        "auroc": auroc,
        "low": low,
        "high": high,
        "strict_low": strict_low,
        "strict_high": strict_high,
    }


TOLD = separation(0.9, 0.88, 0.92, 0.1, 0.3)
PLAIN = separation(0.7, 0.6, 0.8, 0.0, 0.0)
KINDS = ("training", "other data set", "quarter turn", "uniform noise", "blank")
TRAJECTORY = ("closest_concept", "first_step", "path_length", "first_fall", "whole_fall")


def kinds(**others):
    """Of two networks: every trajectory score does better than -ELBO, but for the ``others``."""
    scores = dict.fromkeys(TRAJECTORY, TOLD) | {"negative_elbo": PLAIN} | others
    return {
        "networks": {
            network: {kind: {name: dict(one) for name, one in scores.items()} for kind in KINDS}
            for network in ("mnist", "fashion_mnist")
        }
    }


def noise_of_mnist(score, **changes):
    return {f"networks/mnist/uniform noise/{score}/{at}": value for at, value in changes.items()}


def none_but_the_first_step():
    """No other score does better for any kind."""
    return kinds(
        **{score: TOLD | {"strict_low": -0.1} for score in TRAJECTORY if score != "first_step"}
    )


NETWORKS_31 = ("CAE", "DAE", "VAE mean", "VAE sampled")


def of_ranks(ends, fixed):
    """Of a network: the ends of the ranks of S1, S2 and S3, and whether all are fixed."""
    of_scope = dict(zip(("S1", "S2", "S3"), ends, strict=True)) | {"fixed": [fixed] * 5}
    return {scope: copy.deepcopy(of_scope) for scope in ("clean images", "all noise levels")}


def varying():
    return of_ranks(([5, 7], [6, 7], [29, 48]), False)


def fixed_ranks():
    return of_ranks(([7, 7], [7, 7], [48, 48]), True)


def fixed_at(name, fixed, *scopes):
    """Changes of whether a network's ranks are fixed, in these scopes or in both."""
    return {
        f"ranks/{name}/{scope}/fixed": fixed
        for scope in scopes or ("clean images", "all noise levels")
    }


def of_angles(*same, halves=30.0):
    return {"same": list(same), "halves": halves}


def turned_by(name, *same):
    """Changes of a network's angles at every epsilon."""
    return {f"angles/{epsilon}/{name}/same": list(same) for epsilon in ("0.001", "1", "1000")}


MANIFOLDS = {
    "noise_levels": [0.0, 0.1, 0.5],
    "share_left_by_ties": {
        f"{name}{precision}": 1.0 for name in NETWORKS_31[:3] for precision in ("", ", float64")
    },
    "reported": {
        "CAE and DAE": {"S1": [5, 7], "S2": [6, 7], "S3": [29, 48]},
        "VAE": {"S1": [7, 7], "S2": [7, 7], "S3": [48, 48]},
    },
    "ranks": {
        **{name: varying() for name in NETWORKS_31[:2]},
        **{name: fixed_ranks() for name in NETWORKS_31[2:]},
        **{f"{name}, untrained": varying() for name in NETWORKS_31[:3]},
        "CAE, cropped images": fixed_ranks(),
    },
    "angles": {
        epsilon: {
            **{name: of_angles(0.0, 20.0, 50.0) for name in NETWORKS_31[:2]},
            **{name: of_angles(0.0, 1.0, 2.0) for name in NETWORKS_31[2:]},
        }
        for epsilon in ("0.001", "1", "1000")
    },
}
UNTRAINED_TOO = fixed_at("VAE mean, untrained", [True] * 5)
VAE_VARIES = fixed_at("VAE mean", [False] * 5)
CROPPED_VARY = fixed_at("CAE, cropped images", [False] * 5)

# Results in which everything is as the paper says.
PAPER = {
    "03_collective_dynamics": {
        "branch_time": 10,
        "share_nearest_own_concept": [0.1, 0.9],
        "silhouette": 0.7,
    },
    "04_cluster_centers": CLUSTER,
    "09_fashion_mnist": {
        "datasets": {
            name: {
                "labels_approaching_whole_chord": 10,
                "labels_approaching_same_time": 10,
                "share_of_trials_approaching": 0.86,
                "wrong_concept": {
                    "labels_approaching_whole_chord": 2,
                    "labels_approaching_same_time": 3,
                },
            }
            for name in ("digits", "mnist", "fashion_mnist")
        }
    },
    "05_noise_and_hierarchy": {
        "p": [k / 10 for k in range(10)],
        "mean_time": {
            "memory": [0, 2, 4, 6, 8, 10, 12, 14, 16, 18],
            "concept": [22, 22, 23, 23, 24, 24, 25, 25, 26, 27],
            "abstract concept": [50, 50, 50, 51, 51, 51, 52, 52, 53, 53],
        },
        "two_sem_of_time": {"memory": [1.0] * 10, "concept": [1.0] * 10},
        "stages": [
            {"nearest": "memory", "start": 0.0, "stop": 0.1},
            {"nearest": "concept", "start": 0.1, "stop": 0.4},
            {"nearest": "abstract concept", "start": 0.4, "stop": 1.0},
        ],
    },
    "06_label_detection": {
        "classifier": {"test_accuracy": 0.9925},
        "p": [0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7],
        "labels": {
            "6": {
                "right_at_every_step_up_to_p": 0.35,
                "right_at_every_step_fails_at_p": 0.4,
                "window_near_20_to_30_up_to_p": 0.65,
                "window_near_20_to_30_fails_at_p": 0.7,
                "where_it_fails_first_labels": ["3", "6", "3"],
                "where_it_fails_last_labels": ["0", "0", "6"],
            },
            "1": {
                "longest_run_at_each_p": runs(99, 25, 10, 0, 10, 25, 99),
                "modal_label": ["1" * 100] * 8,
            },
        },
        "final": {
            "label": "6",
            "step": 80,
            "trials": 300,
            "judged_own": 193,
            "share_judged_own": 193 / 300,
            "distance_to_concept": {
                name: {"approaches_whole_chord": True, "approaches_same_time": True}
                for name in ("all", "staying")
            },
        },
    },
    "07_latent_dimension": {
        "active_latents": 14,
        "components_for_70_percent": 9,
        "components_for_99.9_percent": 14,
        "mean_absolute_cosine": 0.05,
        "largest_absolute_cosine": 0.3,
        **by_n_z(10, 14, 20),
    },
    "08_generalization": {
        "n_z": GRID,
        "n_z_star": 14,
        "smallest_error": 98.0,
        "flat_afterwards": True,
    },
    "21_how_many_steps": {
        "denoising": {
            "rank_correlation": {"value": 0.9, "low": 0.8, "high": 1.0},
            "adapting": {"value": 0.3, "low": 0.2, "high": 0.4},
            "first_p": 0.0,
            "first_best": 0,
            "last_p": 0.6,
            "last_best": 12,
        },
        "labels": {
            "over_one_pass": {"value": 0.03, "low": 0.02, "high": 0.04},
            "others": {
                f"{p / 10:g}": {"value": 0.0, "low": -0.01, "high": 0.01, "step": 40}
                for p in range(4)
            },
        },
    },
    "22_unfamiliar_inputs": {"lacks_data": False, **kinds()},
    "31_latent_manifolds": MANIFOLDS,
    "32_iterating_them": {
        "networks": {
            name: {"excess_depth": [depth] * 10}
            for name, depth in (
                ("paper's VAE", 0.3),
                ("conv VAE", 0.2),
                ("CAE", 0.1),
                ("DAE", -0.1),
            )
        },
        "margins": {
            "least": {"label": "8", "margin": 0.1, "low": -0.2, "high": 0.3, "resamples": 0.6},
            "all": 0.17,
            "labels": [7, 10],
        },
    },
    "20_fixed_points": {
        "labels_with_a_saddle": {
            "concept": 10,
            "random memory": 4,
            "prior point": 0,
            "prior point, one step on": 3,
            "midpoint": 9,
        },
        "noise_along_growth": {"share": 0.14, "by_chance": 0.12},
    },
    "30_autoencoder_variants": {
        "psnr": {"Gaussian": {"CAE": [30.0, 20.0], "DAE": [27.0, 22.0], "VAE": [27.0, 23.0]}},
        "dae_minus_cae": {"level": 0.3, "difference": 2.0, "low": 1.9, "high": 2.1},
    },
}

_LESS = (99, 25, 10, 0, 10, 25, 99)

# Claim, what is altered of its numbers and where they lie, and the verdict that it must bring:
# of every threshold a number just inside and one just outside.
CHANGES = [
    ("two branches", {"share_nearest_own_concept": [0.25, 0.75]}, REPRODUCED),
    ("two branches", {"share_nearest_own_concept": [0.9, 0.1]}, REPRODUCED),
    ("two branches", {"share_nearest_own_concept": [0.26, 0.75]}, PARTLY),
    ("two branches", {"share_nearest_own_concept": [0.5, 0.75]}, PARTLY),
    ("two branches", {"share_nearest_own_concept": [0.51, 0.75]}, NOT_REPRODUCED),
    ("two branches", {"silhouette": 0.5}, REPRODUCED),
    ("two branches", {"silhouette": 0.49}, PARTLY),
    ("two branches", {"share_nearest_own_concept": [1.0]}, NOT_RUN),
    ("approach", {"labels_approaching_whole_chord": 10}, REPRODUCED),
    ("approach", {"labels_approaching_whole_chord": 9}, PARTLY),
    (
        "approach",
        {"labels_approaching_whole_chord": 4, "labels_approaching_same_time": 5},
        PARTLY,
    ),
    (
        "approach",
        {"labels_approaching_whole_chord": 4, "labels_approaching_same_time": 4},
        NOT_REPRODUCED,
    ),
    ("leaves again", {"labels/3/last": 3.21}, REPRODUCED),
    ("leaves again", {"labels/3/last": 3.2}, PARTLY),
    ("leaves again", {"labels/3/step": 1}, REPRODUCED),
    ("leaves again", {"labels/3/step": 0}, PARTLY),
    ("leaves again", {f"labels/{k}/last": 3.2 for k in range(5)}, PARTLY),
    ("leaves again", {f"labels/{k}/last": 3.2 for k in range(6)}, NOT_REPRODUCED),
    ("memory early", {"labels_with_memory_in_the_first_quarter": 10}, REPRODUCED),
    ("memory early", {"labels_with_memory_in_the_first_quarter": 9}, PARTLY),
    ("memory early", {"labels_with_memory_in_the_first_quarter": 5}, PARTLY),
    ("memory early", {"labels_with_memory_in_the_first_quarter": 4}, NOT_REPRODUCED),
    # Without noise a trajectory begins at its memory, and is nowhere nearer to it.
    *(
        ("memory early", {f"labels/{k}/memory_minimum": at for k in range(10)} | first, verdict)
        for at, first, verdict in (
            (0.00101, {}, REPRODUCED),
            (0.00099, {}, NOT_RUN),
            (0.0, {"labels/3/memory_step": 1}, REPRODUCED),
        )
    ),
    ("not the metric", {"Mahalanobis/labels_approaching_whole_chord": 10}, REPRODUCED),
    ("not the metric", {"Mahalanobis/labels_approaching_whole_chord": 9}, PARTLY),
    (
        "not the metric",
        {
            "Mahalanobis/labels_approaching_whole_chord": 4,
            "Mahalanobis/labels_approaching_same_time": 5,
        },
        PARTLY,
    ),
    (
        "not the metric",
        {
            "Mahalanobis/labels_approaching_whole_chord": 4,
            "Mahalanobis/labels_approaching_same_time": 4,
        },
        NOT_REPRODUCED,
    ),
    ("Fashion-MNIST", {"datasets/fashion_mnist/labels_approaching_whole_chord": 9}, PARTLY),
    *(
        (
            "Fashion-MNIST",
            {
                "datasets/fashion_mnist/labels_approaching_whole_chord": whole_chord,
                "datasets/fashion_mnist/labels_approaching_same_time": same_time,
            },
            verdict,
        )
        for whole_chord, same_time, verdict in (
            (9, 9, PARTLY),
            (5, 5, PARTLY),
            (0, 5, PARTLY),
            (4, 4, NOT_REPRODUCED),
        )
    ),
    # Fashion-MNIST is judged by itself.
    (
        "Fashion-MNIST",
        {
            f"datasets/{name}/labels_approaching_{reading}": 0
            for name in ("digits", "mnist")
            for reading in ("whole_chord", "same_time")
        },
        REPRODUCED,
    ),
    (
        "Fashion-MNIST",
        {
            f"datasets/fashion_mnist/wrong_concept/labels_approaching_{reading}": 10
            for reading in ("whole_chord", "same_time")
        },
        REPRODUCED,
    ),
    ("Fashion-MNIST", {"datasets": {"mnist": {}}}, NOT_RUN),
    ("saddle", {"labels_with_a_saddle/concept": 9}, PARTLY),
    ("saddle", {"labels_with_a_saddle/concept": 5}, PARTLY),
    ("saddle", {"labels_with_a_saddle/concept": 4}, NOT_REPRODUCED),
    # A control that has as many.
    ("saddle", {"labels_with_a_saddle/random memory": 9}, REPRODUCED),
    ("saddle", {"labels_with_a_saddle/random memory": 10}, NOT_REPRODUCED),
    ("saddle", {"labels_with_a_saddle/prior point": 10}, NOT_REPRODUCED),
    ("saddle", {"labels_with_a_saddle/midpoint": 10}, REPRODUCED),  # is told, and not asked for
    ("saddle", {"noise_along_growth": None, "labels_with_a_saddle/concept": 0}, NOT_REPRODUCED),
    ("saddle", {"labels_with_a_saddle/prior point, one step on": 10}, NOT_REPRODUCED),
    (
        "saddle",
        {"labels_with_a_saddle/concept": 5, "labels_with_a_saddle/random memory": 5},
        NOT_REPRODUCED,
    ),
    ("saddle", {"labels_with_a_saddle": None}, NOT_RUN),
    ("stages", {"stages/2/start": 0.3}, REPRODUCED),
    ("stages", {"stages/2/start": 0.29}, PARTLY),
    ("stages", {"stages/2/start": 0.5}, REPRODUCED),
    ("stages", {"stages/2/start": 0.51}, PARTLY),
    ("stages", {"stages/1/nearest": "memory"}, NOT_REPRODUCED),
    ("stages", {"stages": [{"nearest": "memory", "start": 0.0, "stop": 1.0}]}, NOT_REPRODUCED),
    # Earliest at nine and at eight of the ten p.
    ("memory time", {"mean_time/memory/9": 60}, REPRODUCED),
    ("memory time", {"mean_time/memory/8": 59, "mean_time/memory/9": 60}, PARTLY),
    # As early as another is not earliest.
    ("memory time", {"mean_time/concept": [22] * 8 + [16, 18]}, PARTLY),
    ("memory time", {"mean_time/abstract concept": [50] * 8 + [16, 18]}, PARTLY),
    # Spearman's 1 - 6 * 32 / 990 = 0.81 and 1 - 6 * 34 / 990 = 0.79.
    ("memory time", {"mean_time/memory": [8, 2, 4, 6, 0, 10, 12, 14, 16, 18]}, REPRODUCED),
    ("memory time", {"mean_time/memory": [8, 2, 4, 6, 0, 10, 12, 14, 18, 16]}, PARTLY),
    # Ties share their mean rank: 0.52.
    ("memory time", {"mean_time/memory": [0] + [5] * 9}, PARTLY),
    ("memory time", {"mean_time/memory": [5] * 10}, PARTLY),
    ("memory time", {"mean_time/memory": [5] * 9 + [60]}, PARTLY),
    ("memory time", {"mean_time/memory": [5] * 8 + [60] * 2}, NOT_REPRODUCED),
    ("memory time", {"mean_time/memory": [8, 2, 4, 6, 0, 10, 12, 14, 59, 60]}, PARTLY),
    ("memory time", {"mean_time/memory": [8, 2, 4, 6, 0, 10, 12, 14, 60, 59]}, NOT_REPRODUCED),
    ("memory time", {"mean_time/memory": [60, 60, 14, 12, 10, 8, 6, 4, 2, 0]}, NOT_REPRODUCED),
    # The memory's range is 18.
    ("concept time", {"mean_time/concept": [21] * 9 + [38]}, REPRODUCED),
    ("concept time", {"mean_time/concept": [21] * 9 + [39]}, PARTLY),
    ("concept time", {"mean_time/abstract concept": [50] * 9 + [67]}, REPRODUCED),
    ("concept time", {"mean_time/abstract concept": [50] * 9 + [68]}, PARTLY),
    ("concept time", {"mean_time/concept": [20] * 5 + [30] * 5}, REPRODUCED),
    ("concept time", {"mean_time/concept": [19.9] * 4 + [25] * 6}, REPRODUCED),
    ("concept time", {"mean_time/concept": [19.9] * 5 + [25] * 5}, PARTLY),
    ("concept time", {"mean_time/concept": [30.1] * 5 + [25] * 5}, PARTLY),
    ("concept time", {"mean_time/concept": [21] * 6 + [49] * 4}, PARTLY),
    ("concept time", {"mean_time/concept": [21] * 5 + [49] * 5}, NOT_REPRODUCED),
    ("active latents", {"active_latents": 12}, REPRODUCED),
    ("active latents", {"active_latents": 16}, REPRODUCED),
    ("active latents", {"active_latents": 11}, NOT_REPRODUCED),
    ("active latents", {"active_latents": 17}, NOT_REPRODUCED),
    (
        "dimensions",
        {"components_for_70_percent": 8, "components_for_99.9_percent": 12},
        REPRODUCED,
    ),
    (
        "dimensions",
        {"components_for_70_percent": 10, "components_for_99.9_percent": 16},
        REPRODUCED,
    ),
    ("dimensions", {"components_for_70_percent": 7}, PARTLY),
    ("dimensions", {"components_for_70_percent": 11}, PARTLY),
    ("dimensions", {"components_for_99.9_percent": 11}, PARTLY),
    ("dimensions", {"components_for_99.9_percent": 17}, PARTLY),
    (
        "dimensions",
        {"components_for_70_percent": 11, "components_for_99.9_percent": 17},
        NOT_REPRODUCED,
    ),
    # Random directions in 14 dimensions have 720 * 128 / (135135 pi) = 0.21708, in 7 have 5 / 16.
    ("orthogonal concepts", {"mean_absolute_cosine": 0.2170}, REPRODUCED),
    ("orthogonal concepts", {"mean_absolute_cosine": 0.2171}, PARTLY),
    ("orthogonal concepts", {"mean_absolute_cosine": 0.3124}, PARTLY),
    ("orthogonal concepts", {"mean_absolute_cosine": 0.3126}, NOT_REPRODUCED),
    # In 100 dimensions they have less than ten concepts around the origin can have.
    ("orthogonal concepts", {"active_latents": 100, "mean_absolute_cosine": 0.111}, REPRODUCED),
    ("orthogonal concepts", {"active_latents": 100, "mean_absolute_cosine": 0.112}, PARTLY),
    ("orthogonal concepts", {"active_latents": 0}, NOT_RUN),
    # In one dimension all are parallel; random directions in two have 2 / pi = 0.637.
    ("orthogonal concepts", {"active_latents": 1, "mean_absolute_cosine": 0.9}, NOT_REPRODUCED),
    ("orthogonal concepts", {"active_latents": 2, "mean_absolute_cosine": 0.636}, REPRODUCED),
    ("orthogonal concepts", {"active_latents": 2, "mean_absolute_cosine": 0.637}, NOT_REPRODUCED),
    ("orthogonal concepts", {"active_latents": 3, "mean_absolute_cosine": 0.51}, PARTLY),
    *(
        (
            "orthogonality levels off",
            by_n_z(grid=(2, n_z, 100)) | {"orthogonality_levels_off_at": n_z},
            verdict,
        )
        for n_z, verdict in (
            (4, NOT_REPRODUCED),
            (5, PARTLY),
            (9, PARTLY),
            (10, REPRODUCED),
            (20, REPRODUCED),
            (21, PARTLY),
            (50, PARTLY),
            (51, NOT_REPRODUCED),
        )
    ),
    ("orthogonality levels off", {"orthogonality_levels_off_at": None}, NOT_REPRODUCED),
    ("orthogonality levels off", by_n_z(14, grid=(14,)), NOT_RUN),  # no change to be seen
    # Level from the first N_z on: no fall was seen.
    *(
        ("orthogonality levels off", by_n_z(grid=grid) | {"orthogonality_levels_off_at": at}, told)
        for grid, at, told in (
            ((10, 20, 100), 10, NOT_RUN),
            ((5, 20, 100), 5, NOT_RUN),
            ((4, 20, 100), 4, NOT_REPRODUCED),
            ((9, 10, 100), 10, REPRODUCED),
        )
    ),
    ("dynamics tell", by_n_z(14, grid=(14,)), NOT_RUN),
    ("generalization", {"n_z": [14]}, NOT_RUN),
    ("generalization", {"n_z": [10, 14, 20]}, NOT_RUN),  # the best is near 14 whatever it is
    ("generalization", {"n_z": [9, 14, 20]}, REPRODUCED),
    ("generalization", {"n_z": [10, 14, 21]}, REPRODUCED),
    ("orthogonality levels off", {"by_n_z/14/mean_absolute_cosine": 0.2170}, REPRODUCED),
    ("orthogonality levels off", {"by_n_z/14/mean_absolute_cosine": 0.2171}, PARTLY),
    ("orthogonality levels off", {"by_n_z/14/active_latents": 0}, NOT_REPRODUCED),
    ("needs dimensions", by_n_z(6, 9, 10, 14, 20), REPRODUCED),
    ("needs dimensions", by_n_z(10, 14, 20), REPRODUCED),
    ("needs dimensions", by_n_z(5, 10, 14, 20), PARTLY),
    ("needs dimensions", by_n_z(20), PARTLY),
    ("needs dimensions", by_n_z(2, 5, 10, 14, 20), NOT_REPRODUCED),
    ("needs dimensions", by_n_z(5, 20), NOT_REPRODUCED),
    ("needs dimensions", by_n_z(), NOT_REPRODUCED),
    ("needs dimensions", by_n_z(same_time=(9, 10, 14, 20)), PARTLY),
    ("needs dimensions", by_n_z(same_time=(10, 20)), NOT_REPRODUCED),
    ("needs dimensions", by_n_z(10, 20, grid=(6, 10, 20)), NOT_RUN),
    ("needs dimensions", by_n_z(grid=(2, 5, 9)), NOT_RUN),
    ("stage II needs dimensions", by_n_z(6, 9, 10, 14, 20), REPRODUCED),
    ("stage II needs dimensions", by_n_z(5, 10, 14, 20), PARTLY),
    ("stage II needs dimensions", by_n_z(20), PARTLY),
    ("stage II needs dimensions", by_n_z(2, 5, 10, 14, 20), NOT_REPRODUCED),
    ("stage II needs dimensions", by_n_z(5, 20), NOT_REPRODUCED),
    ("stage II needs dimensions", by_n_z(same_time=GRID), NOT_REPRODUCED),
    ("stage II needs dimensions", by_n_z(grid=(2, 5, 9)), NOT_RUN),
    ("stage II needs dimensions", {"by_n_z/20/epochs_trained": 1500}, NOT_RUN),
    # Spearman's -(1 - s / 56), s = 10, 12, 26 and 32: -0.82, -0.79, -0.54 and -0.43.
    ("dynamics tell", objectives((0, 2), (3, 4)), REPRODUCED),
    (
        "dynamics tell",  # the other way round
        {f"by_n_z/{n_z}/test_negative_elbo": 100.0 + k for k, n_z in enumerate(GRID)}
        | {f"by_n_z/{n_z}/closer_same_time": 0.0 for n_z in GRID},
        NOT_REPRODUCED,
    ),
    ("dynamics tell", objectives((0, 2), (3, 4), (5, 6)), PARTLY),
    ("dynamics tell", objectives((0, 3), (4, 6)), PARTLY),
    ("dynamics tell", objectives((0, 4)), NOT_REPRODUCED),
    ("dynamics tell", {f"by_n_z/{n_z}/closer_whole_chord": 0.0 for n_z in GRID}, NOT_REPRODUCED),
    (
        "dynamics tell",
        objectives((0, 2), (3, 4)) | TOLD_AT_THE_SAME_TIME,
        PARTLY,
    ),
    (
        "dynamics tell",
        objectives((0, 2), (3, 4), (5, 6)) | TOLD_AT_THE_SAME_TIME,
        NOT_REPRODUCED,
    ),
    # The first p that fails: the boundary itself is beyond what the paper says.
    ("label detection", {"labels/6/right_at_every_step_fails_at_p": 0.35}, PARTLY),
    ("label detection", {"labels/6/right_at_every_step_fails_at_p": 0.4}, REPRODUCED),
    ("label detection", {"labels/6/right_at_every_step_fails_at_p": 8 * 0.05}, REPRODUCED),
    ("label detection", {"labels/6/right_at_every_step_fails_at_p": 0.6}, REPRODUCED),
    ("label detection", {"labels/6/right_at_every_step_fails_at_p": None}, REPRODUCED),
    ("label detection", {"labels/6/window_near_20_to_30_fails_at_p": 0.65}, PARTLY),
    ("label detection", {"labels/6/window_near_20_to_30_fails_at_p": 1 - 0.3}, REPRODUCED),
    ("label detection", {"labels/6/window_near_20_to_30_fails_at_p": 0.9}, REPRODUCED),
    ("label detection", {"labels/6/window_near_20_to_30_fails_at_p": None}, REPRODUCED),
    ("label detection", {"p/0": 0.39}, REPRODUCED),
    ("label detection", {"p/0": 0.4}, NOT_RUN),  # nothing below the first p that may fail
    (
        "label detection",
        {
            "labels/6/right_at_every_step_fails_at_p": 0.35,
            "labels/6/window_near_20_to_30_fails_at_p": 0.65,
        },
        NOT_REPRODUCED,
    ),
    ("beyond stage II", {"labels/6/where_it_fails_first_labels": ["4", "4", "3"]}, REPRODUCED),
    ("beyond stage II", {"labels/6/where_it_fails_first_labels": ["2", "2", "3"]}, PARTLY),
    ("beyond stage II", {"labels/6/where_it_fails_last_labels": ["2", "2", "0"]}, PARTLY),
    (
        "beyond stage II",
        {
            "labels/6/where_it_fails_first_labels": ["2", "2", "3"],
            "labels/6/where_it_fails_last_labels": ["2", "2", "0"],
        },
        NOT_REPRODUCED,
    ),
    (
        "beyond stage II",
        {"labels/6/where_it_fails_first_labels": [], "labels/6/where_it_fails_last_labels": []},
        NOT_RUN,
    ),
    # Of 100 steps; at 0.4 and 0.7 themselves nothing is asked.
    *(
        ("less room for '1'", {"labels/1/longest_run_at_each_p": runs(*lengths)}, verdict)
        for lengths, verdict in (
            ((99, 25, 25, 25, 25, 25, 0), REPRODUCED),
            ((99, 25, 25, 0, 0, 26, 99), PARTLY),
            ((99, 25, 25, 25, 26, 26, 99), PARTLY),
            ((99, 25, 25, 26, 26, 26, 99), NOT_REPRODUCED),
        )
    ),
    # Nowhere right is not less room for medium noise; nowhere but there is no less room at all.
    (
        "less room for '1'",
        {"labels/1/longest_run_at_each_p": runs(*[25] * 7, small=25)},
        NOT_RUN,
    ),
    (
        "less room for '1'",
        {"labels/1/longest_run_at_each_p": runs(0, 26, 26, 26, 26, 26, 0)},
        NOT_REPRODUCED,
    ),
    (
        "less room for '1'",  # at half of four
        {
            "p": [0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7],
            "labels/1/longest_run_at_each_p": runs(99, 25, 25, 26, 26, 99),
        },
        PARTLY,
    ),
    ("less room for '1'", {"p": [0.0, 0.1, 0.2, 0.3, 0.35, 0.4, 0.7, 1.0]}, NOT_RUN),
    # At small noise there must be a right step: without one a range cannot become small.
    ("less room for '1'", {"labels/1/longest_run_at_each_p": runs(*_LESS, small=1)}, REPRODUCED),
    (
        "less room for '1'",
        {"labels/1/longest_run_at_each_p": runs(*_LESS, small=0)},
        NOT_REPRODUCED,
    ),
    (
        "less room for '1'",  # right at no step of medium noise, nor of small: Fashion-MNIST
        {"p": [0.0, 0.15, 0.35, 0.5, 0.6, 0.65, 0.7, 1.0]}
        | {"labels/1/longest_run_at_each_p": runs(*[0] * 7, small=99)},
        NOT_REPRODUCED,
    ),
    ("less room for '1'", {"p": [0.4, 0.41, 0.45, 0.5, 0.55, 0.6, 0.7, 1.0]}, NOT_RUN),
    # 1.9 and 2.01 standard errors below and above the paper's share, then 3.9 and 4.003.
    ("still the same class", {"final/share_judged_own": 170 / 300}, REPRODUCED),
    ("still the same class", {"final/share_judged_own": 169 / 300}, PARTLY),
    ("still the same class", {"final/share_judged_own": 215 / 300}, REPRODUCED),
    ("still the same class", {"final/share_judged_own": 216 / 300}, PARTLY),
    ("still the same class", {"final/share_judged_own": 146 / 300}, PARTLY),
    ("still the same class", {"final/share_judged_own": 145 / 300}, NOT_REPRODUCED),
    ("still the same class", {"final/share_judged_own": 236 / 300}, PARTLY),
    ("still the same class", {"final/share_judged_own": 237 / 300}, NOT_REPRODUCED),
    # Of fewer trials the share is less certain; of many, the paper's is no more certain for it.
    ("still the same class", {"final/share_judged_own": 0.6, "final/trials": 10_000}, REPRODUCED),
    ("still the same class", {"final/share_judged_own": 0.53, "final/trials": 100}, REPRODUCED),
    ("still the same class", {"final/share_judged_own": 0.53, "final/trials": 300}, PARTLY),
    (
        "no other label's pull",
        {"final/distance_to_concept/all/approaches_whole_chord": True},
        REPRODUCED,
    ),
    (
        "no other label's pull",
        {"final/distance_to_concept/all/approaches_whole_chord": False},
        PARTLY,
    ),
    (
        "no other label's pull",
        {"final/distance_to_concept/staying/approaches_whole_chord": False},
        PARTLY,
    ),
    (
        "no other label's pull",
        {
            "final/distance_to_concept": {
                "all": {"approaches_whole_chord": True, "approaches_same_time": True}
            }
        },
        NOT_RUN,
    ),
    (
        "no other label's pull",
        {
            "final/distance_to_concept": {
                "all": {"approaches_whole_chord": False, "approaches_same_time": True}
            }
        },
        NOT_RUN,
    ),
    (
        "no other label's pull",
        {
            "final/distance_to_concept/all/approaches_whole_chord": False,
            "final/distance_to_concept/staying/approaches_whole_chord": False,
        },
        PARTLY,
    ),
    (
        "no other label's pull",
        {
            "final/distance_to_concept/all/approaches_whole_chord": False,
            "final/distance_to_concept/staying/approaches_whole_chord": False,
            "final/distance_to_concept/staying/approaches_same_time": False,
        },
        NOT_REPRODUCED,
    ),
    ("generalization", {"n_z_star": 10}, REPRODUCED),
    ("generalization", {"n_z_star": 20}, REPRODUCED),
    ("generalization", {"n_z_star": 9}, PARTLY),
    ("generalization", {"n_z_star": 21}, PARTLY),
    ("generalization", {"flat_afterwards": False}, PARTLY),
    ("generalization", {"flat_afterwards": None}, PARTLY),
    ("generalization", {"n_z_star": 9, "flat_afterwards": False}, NOT_REPRODUCED),
    ("generalization", {"n_z_star": 21, "flat_afterwards": None}, NOT_REPRODUCED),
    ("more steps with more noise", {"denoising/rank_correlation/low": 0.01}, REPRODUCED),
    ("more steps with more noise", {"denoising/rank_correlation/low": 0.0}, NOT_REPRODUCED),
    ("more steps with more noise", {"denoising/adapting/low": 0.001}, REPRODUCED),
    ("more steps with more noise", {"denoising/adapting/low": 0.0}, PARTLY),
    ("more steps with more noise", {"denoising": None}, NOT_RUN),
    ("20 to 30 steps for labels", {"labels/over_one_pass/low": 0.001}, REPRODUCED),
    ("20 to 30 steps for labels", {"labels/over_one_pass/low": 0.0}, NOT_REPRODUCED),
    # Of the four noise fractions another step is better at one, at two, and at three.
    ("20 to 30 steps for labels", {"labels/others/0/low": 0.01}, REPRODUCED),
    ("20 to 30 steps for labels", {"labels/others/0/low": 0.011}, PARTLY),
    (
        "20 to 30 steps for labels",
        {f"labels/others/{p}/low": 0.011 for p in ("0", "0.1")},
        PARTLY,
    ),
    (
        "20 to 30 steps for labels",
        {f"labels/others/{p}/low": 0.011 for p in ("0", "0.1", "0.2")},
        NOT_REPRODUCED,
    ),
    ("20 to 30 steps for labels", {"labels": None}, NOT_RUN),
    ("longer first step", noise_of_mnist("first_step", low=0.501), REPRODUCED),
    ("longer first step", noise_of_mnist("first_step", low=0.5), PARTLY),
    ("longer first step", noise_of_mnist("first_step", low=0.4, high=0.5), PARTLY),
    ("longer first step", noise_of_mnist("first_step", low=0.4, high=0.499), NOT_REPRODUCED),
    ("longer first step", kinds(first_step=TOLD | {"low": 0.5}), NOT_REPRODUCED),
    ("longer first step", {"networks/mnist/training/first_step/low": 0.4}, REPRODUCED),
    ("longer first step", {"lacks_data": True}, NOT_RUN),
    ("better than -ELBO", noise_of_mnist("first_step", strict_low=0.0), REPRODUCED),
    ("better than -ELBO", none_but_the_first_step(), REPRODUCED),
    (
        "better than -ELBO",
        none_but_the_first_step() | noise_of_mnist("first_step", strict_low=0.001),
        REPRODUCED,
    ),
    (
        "better than -ELBO",
        none_but_the_first_step() | noise_of_mnist("first_step", strict_low=0.0),
        PARTLY,
    ),
    (
        "better than -ELBO",
        none_but_the_first_step() | noise_of_mnist("first_step", strict_low=-0.1, strict_high=0.0),
        PARTLY,
    ),
    (
        "better than -ELBO",
        none_but_the_first_step()
        | noise_of_mnist("first_step", strict_low=-0.1, strict_high=-0.001),
        NOT_REPRODUCED,
    ),
    *(  # both without error: nothing to gain or to lose
        (
            "better than -ELBO",
            none_but_the_first_step()
            | noise_of_mnist("first_step", auroc=auroc, strict_low=-0.1, strict_high=-0.0001)
            | noise_of_mnist("negative_elbo", auroc=1.0),
            verdict,
        )
        for auroc, verdict in ((0.999, REPRODUCED), (0.998, NOT_REPRODUCED))
    ),
    (
        "better than -ELBO",
        kinds(**dict.fromkeys(("negative_elbo", *TRAJECTORY), separation(1, 1, 1, 0, 0))),
        NOT_REPRODUCED,
    ),
    ("better than -ELBO", {"lacks_data": True}, NOT_RUN),
    ("VAE near 25 dB", {"psnr/Gaussian/VAE": [23.0, 27.0]}, REPRODUCED),
    ("VAE near 25 dB", {"psnr/Gaussian/VAE": [27.01, 23.0]}, PARTLY),
    ("VAE near 25 dB", {"psnr/Gaussian/VAE": [27.0, 22.99]}, PARTLY),
    ("VAE near 25 dB", {"psnr/Gaussian/VAE": [24.0, 28.0, 24.0]}, PARTLY),
    ("VAE near 25 dB", {"psnr/Gaussian/VAE": [20.0, 15.01]}, PARTLY),
    ("VAE near 25 dB", {"psnr/Gaussian/VAE": [20.0, 15.0]}, NOT_REPRODUCED),
    ("VAE near 25 dB", {"psnr/Gaussian/CAE": [30.0, 26.0]}, REPRODUCED),
    (
        "VAE near 25 dB",
        {"psnr/Gaussian/VAE": [20.0, 16.0], "psnr/Gaussian/CAE": [30.0, 26.0]},
        NOT_REPRODUCED,
    ),
    ("denoising helps", {"dae_minus_cae/low": 0.001}, REPRODUCED),
    ("denoising helps", {"dae_minus_cae/low": 0.0}, PARTLY),
    (
        "denoising helps",
        {"dae_minus_cae/low": -1.0, "dae_minus_cae/difference": 0.0},
        NOT_REPRODUCED,
    ),
    # One tolerance of five at which one network is not as it should be, in one scope and in both.
    *(
        ("smooth manifold", fixed_at(name, fixed, *scopes), verdict)
        for name, fixed in (
            ("CAE", [False] * 4 + [True]),
            ("DAE", [True] + [False] * 4),
            ("VAE mean", [True, True, False, True, True]),
            ("VAE mean, untrained", [False] * 4 + [True]),
        )
        for scopes, verdict in (
            (("clean images",), PARTLY),
            (("all noise levels",), PARTLY),
            ((), NOT_REPRODUCED),
        )
    ),
    # Of untrained networks the whole pattern counts: where their CAE is fixed too, there is none.
    ("smooth manifold", UNTRAINED_TOO | fixed_at("CAE, untrained", [True] * 5), REPRODUCED),
    ("smooth manifold", fixed_at("VAE sampled", [False] * 5), REPRODUCED),
    *(
        ("reported ranks", {f"ranks/{name}/all noise levels/{factor}": ends}, verdict)
        for name in ("CAE", "DAE")
        for factor, ends, verdict in (
            ("S1", [4, 7], REPRODUCED),
            ("S1", [3, 7], PARTLY),
            ("S2", [5, 7], REPRODUCED),
            ("S2", [4, 7], PARTLY),
            ("S3", [24, 48], REPRODUCED),
            ("S3", [23, 48], PARTLY),
        )
    ),
    (
        "reported ranks",
        {f"ranks/{name}/all noise levels/S3": [34, 43] for name in ("CAE", "DAE")},
        REPRODUCED,
    ),
    (
        "reported ranks",
        {f"ranks/{name}/all noise levels/S3": [35, 48] for name in ("CAE", "DAE")},
        PARTLY,
    ),
    ("reported ranks", {"ranks/VAE mean/all noise levels/S3": [47, 48]}, PARTLY),
    ("reported ranks", {"ranks/VAE mean/clean images/S3": [15, 36]}, REPRODUCED),
    (
        "reported ranks",
        {
            "ranks/VAE mean/all noise levels/S3": [47, 48],
            "ranks/CAE/all noise levels/S1": [3, 7],
        },
        NOT_REPRODUCED,
    ),
    ("turning subspaces", {"angles/1/VAE mean/same": [0.0, 5.0, 4.0]}, REPRODUCED),
    ("turning subspaces", {"angles/1/VAE mean/same": [0.0, 5.1, 4.0]}, PARTLY),
    ("turning subspaces", {"angles/1/VAE mean/same": [0.0, 30.0, 4.0]}, PARTLY),
    ("turning subspaces", {"angles/1/VAE mean/same": [0.0, 30.1, 4.0]}, NOT_REPRODUCED),
    ("turning subspaces", {"angles/1/CAE/same": [0.0, 20.0, 30.1]}, REPRODUCED),
    ("turning subspaces", {"angles/1/CAE/same": [0.0, 20.0, 30.0]}, NOT_REPRODUCED),
    ("turning subspaces", {"angles/1/DAE/same": [0.0, 50.0, 49.0]}, NOT_REPRODUCED),  # 0.5
    ("turning subspaces", {"angles/1000/DAE/same": [0.0, 50.0, 49.0]}, REPRODUCED),
    (  # Spearman's 1 - 6 * 2 / 210 = 0.94 and 1 - 6 * 4 / 210 = 0.89
        "turning subspaces",
        {
            "noise_levels": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
            **turned_by("CAE", 0, 20, 10, 40, 50, 60),
            **turned_by("DAE", 0, 20, 10, 40, 50, 60),
        },
        REPRODUCED,
    ),
    (
        "turning subspaces",
        {
            "noise_levels": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
            **turned_by("CAE", 0, 20, 10, 50, 40, 60),
            **turned_by("DAE", 0, 20, 10, 40, 50, 60),
        },
        NOT_REPRODUCED,
    ),
    ("turning subspaces", {"angles/1/CAE/halves": None}, NOT_RUN),
    ("ties", VAE_VARIES, REPRODUCED),
    ("ties", CROPPED_VARY, NOT_REPRODUCED),
    ("ties", CROPPED_VARY | VAE_VARIES, REPRODUCED),
    ("ties", CROPPED_VARY | fixed_at("VAE mean", [True] * 4 + [False]), REPRODUCED),
    ("ties", CROPPED_VARY | fixed_at("VAE mean", [False] * 5, "clean images"), PARTLY),
    (
        "ties",
        CROPPED_VARY | VAE_VARIES | fixed_at("VAE sampled", [True] * 4 + [False]),
        NOT_REPRODUCED,
    ),
    ("ties", fixed_at("CAE, cropped images", [True] * 4 + [False]), NOT_REPRODUCED),
    ("ties", fixed_at("CAE", [True] * 5), NOT_REPRODUCED),  # they were constant before
    # One label with as much in another network, or with none in one of the VAEs.
    ("belongs to the VAE", {"networks/CAE/excess_depth/3": 0.199}, REPRODUCED),
    ("belongs to the VAE", {"networks/CAE/excess_depth/3": 0.2}, PARTLY),
    ("belongs to the VAE", {"networks/DAE/excess_depth/3": 0.2}, PARTLY),
    ("belongs to the VAE", {"networks/paper's VAE/excess_depth/3": 0.101}, REPRODUCED),
    ("belongs to the VAE", {"networks/paper's VAE/excess_depth/3": 0.1}, PARTLY),
    ("belongs to the VAE", {"networks/conv VAE/excess_depth/3": 0.1}, PARTLY),
    *(
        (
            "belongs to the VAE",
            {f"networks/{name}/excess_depth": [0.0 if name == "conv VAE" else -1.0] * n + rest}
            | {f"networks/{other}/excess_depth": [-1.0] * 10 for other in ("CAE", "DAE")},
            verdict,
        )
        for name in ("paper's VAE", "conv VAE")
        for n, rest, verdict in ((5, [0.2] * 5, PARTLY), (6, [0.2] * 4, NOT_REPRODUCED))
    ),
]


PARAMETERS = {"dataset": "mnist", "n_z": 100, "epochs": 1500}


def judged(folder, profile="paper", **changes):
    experiment = dataclasses.replace(profiles.PROFILES["paper"], **changes)
    return claims.judge(claims.CLAIMS, folder, profile, experiment)


def write(folder, results):
    for page, numbers in results.items():
        contents = {"profile": "paper", "results": numbers, "parameters": PARAMETERS}
        (folder / f"{page}.json").write_text(json.dumps(contents))


def verdicts(folder):
    return {one.claim.name: one.verdict for one in judged(folder)}


def test_what_the_paper_says_is_reproduced(tmp_path):
    write(tmp_path, PAPER)
    assert set(verdicts(tmp_path).values()) == {REPRODUCED}
    for one in judged(tmp_path):
        assert one.ours
        assert one.parameters == PARAMETERS


@pytest.mark.parametrize(("sign", "told"), [(1, True), (-1, False)])
def test_a_correlation_of_the_other_sign_is_told(tmp_path, sign, told):
    altered = copy.deepcopy(PAPER["07_latent_dimension"])
    for place, at in enumerate(altered["by_n_z"].values()):
        at |= {"closer_whole_chord": place, "test_negative_elbo": sign * place}
    write(tmp_path, {"07_latent_dimension": altered})
    (ours,) = [one.ours for one in judged(tmp_path) if one.claim.name == "dynamics tell"]
    assert ours.startswith(f"rank correlation {sign:.2f}")
    assert ("opposite sign" in ours) == told


def test_the_card_on_fashion_mnist_tells_both_readings_the_control_and_the_other_data_sets(
    tmp_path,
):
    altered = copy.deepcopy(PAPER["09_fashion_mnist"])
    altered["datasets"]["mnist"]["labels_approaching_whole_chord"] = 1
    write(tmp_path, {"09_fashion_mnist": altered})
    (ours,) = [one.ours for one in judged(tmp_path) if one.claim.name == "Fashion-MNIST"]
    assert ours == (
        "10 of 10 labels below the whole chord, 10 at the same time; a wrong concept: 2 and 3; "
        "86% of single trials below the whole chord; scikit-learn's digits: 10 and 10; "
        "MNIST: 1 and 10"
    )


def test_the_epochs_are_those_really_trained(tmp_path):
    write(tmp_path, {"04_cluster_centers": CLUSTER | {"epochs_trained": 888}})
    epochs = {one.parameters["epochs"] for one in judged(tmp_path) if one.parameters}
    assert epochs == {888}


def test_a_verdict_knows_where_its_settings_are_not_those_of_the_paper(tmp_path):
    """Those of its own figure: another figure's shorter training is not held against it."""
    write(tmp_path, PAPER)
    assert [one.deviations for one in judged(tmp_path)] == [[]] * len(claims.CLAIMS)
    trained = {"epochs_trained": 1500, "grid_epochs_trained": 150}
    write(tmp_path, {"07_latent_dimension": PAPER["07_latent_dimension"] | trained})
    trained = {"epochs_trained": 500}
    write(tmp_path, {"06_label_detection": PAPER["06_label_detection"] | trained})
    found = {one.claim.name: one.deviations for one in judged(tmp_path) if one.deviations}
    shortest, papers = " of the shortest training", "(0.0005, 0.0001, 5e-05)"
    first_rate = f"learning_rates 0.0005 {papers}"  # of a third of the training
    first_of_grid = f"learning_rates 0.0005{shortest} {papers}"
    of_grid, of_detection = [f"grid_epochs 150{shortest} (1500)"], ["epochs 500 (1500)"]
    assert {name: sorted(told, key=len) for name, told in found.items()} == {
        "orthogonality levels off": [*of_grid, first_of_grid],
        "needs dimensions": [*of_grid, first_of_grid],
        "stage II needs dimensions": [*of_grid, first_of_grid],
        "dynamics tell": [*of_grid, first_of_grid],
        "label detection": [*of_detection, first_rate],
        "beyond stage II": [*of_detection, first_rate],
        "less room for '1'": [*of_detection, first_rate],
        "still the same class": [*of_detection, first_rate],
        "no other label's pull": [*of_detection, first_rate],
    }


def card_of(folder, name):
    (one,) = [one for one in judged(folder) if one.claim.name == name]
    return claims.Card(one).lines


def test_the_card_on_the_vaes_approach_tells_its_least_margin_and_what_other_trials_would(tmp_path):
    write(tmp_path, PAPER)
    ours = card_of(tmp_path, "belongs to the VAE")["Here"]
    assert "least margin 0.100 (label 8; -0.200 to 0.300, 95%)" in ours
    assert "all ten labels in 17% of them and 7 to 10 labels in 95%" in ours


def test_the_card_on_the_vaes_psnr_tells_at_how_many_levels_it_is_near_the_reported(tmp_path):
    altered = copy.deepcopy(PAPER["30_autoencoder_variants"])
    altered["psnr"]["Gaussian"]["VAE"] = [27.0, 23.0, 22.9]
    write(tmp_path, {"30_autoencoder_variants": altered})
    assert "from 23 to 27 dB at 2 of 3" in card_of(tmp_path, "VAE near 25 dB")["Here"]


def test_cards_on_the_companions_networks_tell_the_papers_apart(tmp_path):
    write(tmp_path, PAPER)
    assert "The companion" in card_of(tmp_path, "VAE near 25 dB")
    for name in ("denoising helps", "ties", "belongs to the VAE"):
        assert "Neither paper" in card_of(tmp_path, name)
    assert "The paper" in card_of(tmp_path, "better than -ELBO")
    for name in ("VAE near 25 dB", "denoising helps"):
        assert card_of(tmp_path, name)["Settings"].startswith("none is known. Not stated,")
    iterated = card_of(tmp_path, "belongs to the VAE")["Settings"]
    assert iterated.startswith("those that the first paper states. Not stated,")


@pytest.mark.parametrize("other", [{"profile": "quick"}, {"dataset": "digits"}])
def test_results_of_another_edition_do_not_count(tmp_path, other):
    write(tmp_path, PAPER)
    assert {one.verdict for one in judged(tmp_path, **other)} == {NOT_RUN}


def test_results_of_another_n_z_count_where_that_number_is_not_theirs(tmp_path):
    """Figs. 8 and 9 have grids of it; page 08 and the companion's networks do not take it."""
    write(tmp_path, PAPER)
    ran = {one.claim.name for one in judged(tmp_path, n_z=7) if one.verdict != NOT_RUN}
    grids = {
        "orthogonality levels off",
        "needs dimensions",
        "stage II needs dimensions",
        "dynamics tell",
        "generalization",
    }
    assert ran == grids | {one.name for one in claims.CLAIMS if one.figure == "companion"}


@pytest.mark.parametrize(("name", "changes", "expected"), CHANGES)
def test_altered_numbers_alter_the_verdict(tmp_path, name, changes, expected):
    (claim,) = [claim for claim in claims.CLAIMS if claim.name == name]
    altered = copy.deepcopy(PAPER)
    for place, value in changes.items():
        *parents, last = place.split("/")
        at = altered[claim.page]
        for key in parents:
            at = at[int(key) if isinstance(at, list) else key]
        at[int(last) if isinstance(at, list) else last] = value
    write(tmp_path, altered)
    assert verdicts(tmp_path)[name] == expected


def test_every_claim_is_seen_reproduced_partly_and_not_reproduced():
    seen = {(name, expected) for name, _, expected in CHANGES}
    grades = (REPRODUCED, PARTLY, NOT_REPRODUCED)
    graded = {
        (claim.name, grade)
        for claim in claims.CLAIMS
        for grade in grades
        if grade != PARTLY or "partly:" in claim.criterion
    }
    assert seen >= graded


def test_a_page_that_was_not_run_is_said_to_be_so(tmp_path):
    assert set(verdicts(tmp_path).values()) == {NOT_RUN}
    write(tmp_path, {page: PAPER[page] for page in ("04_cluster_centers",)})
    ran = {one.claim.page for one in judged(tmp_path) if one.verdict != NOT_RUN}
    assert ran == {"04_cluster_centers"}


SMALL = -1e-4
MINUS_ZERO_TOLD = r"-0(\.0*)?(?![.\d])"
MINUS_ZERO = {
    "two branches": {"silhouette": SMALL},
    "more steps with more noise": {
        "denoising": {
            **PAPER["21_how_many_steps"]["denoising"],
            **dict.fromkeys(
                ("rank_correlation", "adapting"), dict.fromkeys(("value", "low", "high"), SMALL)
            ),
        }
    },
    "20 to 30 steps for labels": {
        "labels": {
            "over_one_pass": dict.fromkeys(("value", "low", "high"), SMALL),
            "others": PAPER["21_how_many_steps"]["labels"]["others"],
        }
    },
    "VAE near 25 dB": {
        "psnr": {"Gaussian": {name: [SMALL, 2 * SMALL] for name in ("CAE", "DAE", "VAE")}}
    },
    "denoising helps": {
        "dae_minus_cae": {"level": 0.3, **dict.fromkeys(("difference", "low", "high"), SMALL)}
    },
    "belongs to the VAE": {
        "networks": {
            name: {"excess_depth": [SMALL] * 10} for name in PAPER["32_iterating_them"]["networks"]
        },
        "margins": {
            "least": {"label": "8", **dict.fromkeys(("margin", "low", "high"), SMALL)},
            "all": 0.17,
            "labels": [7, 10],
        },
    },
}
"""Numbers a little below zero, of each claim that reads a number of either sign."""


@pytest.mark.parametrize(("name", "changes"), MINUS_ZERO.items())
def test_no_claim_tells_of_minus_zero(name, changes):
    (claim,) = [claim for claim in claims.CLAIMS if claim.name == name]
    assert not re.search(MINUS_ZERO_TOLD, claim.measure(PAPER[claim.page] | changes).ours)


@pytest.mark.parametrize("name", ["memory time", "dynamics tell"])
def test_no_claim_tells_of_a_correlation_of_minus_zero(monkeypatch, name):
    (claim,) = [claim for claim in claims.CLAIMS if claim.name == name]
    measured_in = sys.modules[claim.measure.__module__]
    monkeypatch.setattr(measured_in, "rank_correlation", lambda x, y: SMALL)
    assert "rank correlation" in claim.measure(PAPER[claim.page]).ours
    assert not re.search(MINUS_ZERO_TOLD, claim.measure(PAPER[claim.page]).ours)


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.name)
def test_a_card_is_told_in_plain_text(claim):
    """A card shows markup as it is written."""
    for text in (*claim[:6], claim.fixed, claim.measure(PAPER[claim.page]).ours):
        assert not re.search(r"[*`$]|<\w", text)


@pytest.mark.parametrize("left_out", PAPER)
def test_results_of_a_page_that_is_left_out_do_not_count(tmp_path, left_out):
    write(tmp_path, PAPER)
    experiment, ran = profiles.PROFILES["paper"], PAPER.keys() - {left_out}
    found = claims.judge(claims.CLAIMS, tmp_path, "paper", experiment, ran)
    not_run = {one.claim.name for one in found if one.verdict == NOT_RUN}
    assert not_run == {claim.name for claim in claims.CLAIMS if claim.page == left_out}


def test_a_claim_is_shown_by_the_page_that_measures_it():
    pages = yaml.safe_load((ROOT / "book/pages.yml").read_text())
    for chapter in claims.CHAPTERS.values():
        (page,) = {claim.page for claim in chapter}
        notebook = json.loads((ROOT / "notebooks" / pages[page]["notebook"]).read_text())
        code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
        (module,) = {claim.measure.__module__.rpartition(".")[2] for claim in chapter}
        assert any(f"cards(claims.{module}.CLAIMS)" in source for source in code), page


def test_the_claims_are_told_apart():
    names = [claim.name for claim in claims.CLAIMS]
    assert len(set(names)) == len(names) >= 15
