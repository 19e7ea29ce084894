"""Figures show the arrays they are given, legibly, on an opaque ground."""

import itertools
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from IPython.core.pylabtools import print_figure
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text

from repinf_core import data, figures
from repinf_core.figures.style import ABSTRACT, CONCEPT, LABELS, MEMORY, Figure
from repinf_core.studies.collective_dynamics import Cloud
from repinf_core.studies.familiarity import QUANTITIES, SCORES
from repinf_core.studies.step_methods import GOALS, METHODS

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((31, 784))


def shown_places(times, points=None):
    """Tables of the places of trials and of the concept, which is where the first trial is."""
    points = POINTS if points is None else points
    rows = [
        (t, trial, *points[t, trial], NAMES[NEAREST[t, trial]])
        for t in times
        for trial in range(20)
    ]
    places = pd.DataFrame(rows, columns=["t", "trial", "axis_1", "axis_2", "nearest"])
    return places, places[places.trial == 0][["t", "axis_1", "axis_2"]]


def history(n):
    epoch = np.arange(1, n + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train_negative_elbo": 100 + 50 / epoch,
            "test_negative_elbo": 101 + 50 / epoch,
            "test_reconstruction": 80 + 50 / epoch,
            "test_kl": 21.0,
            "active_latents": 100 // epoch,
        }
    )


def of_trial(concept_step, memory_step):
    """Curves of a trial that is closest to its targets at these steps."""
    t = np.arange(31)
    return pd.concat(
        [
            pd.DataFrame({"target": target, "t": t, "distance": 1 + abs(t - step)})
            for target, step in (("concept", concept_step), ("memory", memory_step))
        ],
        ignore_index=True,
    )


CURVES = RANDOM.random((10, 31, 20)) + np.linspace(1, 0, 31)[None, :, None]
NAMES = [f"label {k}" for k in range(10)]
POINTS = RANDOM.random((31, 20, 2))
NEAREST = np.random.default_rng(1).integers(0, 10, (31, 20))
CLOUD_OF_TRIALS = Cloud(
    1,
    "one",
    POINTS,
    POINTS[:, 0],
    NEAREST,
    np.linspace(3, 1, 31),
    np.random.default_rng(1).random((31, 4, 784)),
)
GROUPS = pd.DataFrame({"group": [1, 2], "trials": [12, 8], "nearest_own": [0.75, 0.25]})
CONCEPTS = RANDOM.standard_normal((10, 20))
VARIANCES = np.r_[np.full(5, 0.9), np.full(14, 1e-4), 0]
LATENTS = pd.DataFrame({"latent": range(20), "variance": VARIANCES, "active": VARIANCES > 0.01})
COSINES = np.array([[1, -0.5], [-0.5, 1]])
CLOUD = RANDOM.standard_normal((300, 2))
FASHION = data.DATASETS["fashion_mnist"].class_names
# A map of three labels: 6 below; above it 2, then 9; half of the trials agree, all on 9.
MODAL = np.full((11, 31), 6)
MODAL[6:, :15], MODAL[6:, 15:] = 2, 9
SHARE = np.where(MODAL == 9, 1, 0.5)
TENTHS = np.linspace(0, 1, 11)


def votes_table(p, panels, names):
    """As the study has it, of ``(own label, modal labels [P, T+1], shares [P, T+1])`` each."""
    tables = []
    for own, modal, share in panels:
        rows, t = np.indices(modal.shape).reshape(2, -1)
        tables.append(
            pd.DataFrame(
                {
                    "label": pd.Categorical.from_codes(np.full(modal.size, own), names),
                    "p": np.asarray(p, float)[rows],
                    "t": t,
                    "vote": pd.Categorical.from_codes(modal.ravel(), names),
                    "share": share.ravel(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def fashion_map(modal=MODAL, share=SHARE):
    return figures.label_map(votes_table(TENTHS, [(6, modal, share)], FASHION))


PROBABILITIES = RANDOM.dirichlet(np.full(10, 0.1), 40)
GIVEN = PROBABILITIES.argmax(1)
FINAL = pd.DataFrame(
    {
        "trial": np.repeat(np.arange(40), 10),
        "given": pd.Categorical.from_codes(np.repeat(GIVEN, 10), FASHION),
        "label": pd.Categorical.from_codes(np.tile(np.arange(10), 40), FASHION),
        "probability": PROBABILITIES.ravel(),
    }
)
JUDGED = pd.DataFrame({"label": FASHION, "trials": np.bincount(GIVEN, minlength=10)})
RUNS = pd.DataFrame(
    {"label": ["6"] * 3 + ["1"] * 3, "p": [0, 0.5, 1] * 2, "length": [31, 20, 0, 31, 0, 2]}
)
STAYING = pd.DataFrame(
    {
        "group": np.repeat(["all", "staying", "leaving"], 31),
        "t": np.tile(np.arange(31), 3),
        "mean": RANDOM.random(93),
        "sem": 0.1 * RANDOM.random(93),
        "chord": RANDOM.random(93),
    }
)
STAYING_GROUPS = pd.DataFrame(
    {"group": ["all", "staying", "leaving"], "trials": [20, 19, 1], "step": [3, 4, 5]}
)
ERRORS = np.array(  # at three N_z of four settings, one of which failed
    [[330.0, 340, 350, 345], [310, 305, 9000, np.nan], [308, 311, 325, 320]]
)
OF_RATES = pd.DataFrame(
    {
        "setting": ["rate 0.1"] * 3 + ["rate 0.01"] * 3,
        "n_z": [2, 10, 100] * 2,
        "error": [330, 305, 308, 345, 9000, 320],
    }
)


def trainings(n_z, errors):
    """Of errors ``[N_z, settings]``: a row for each, and the best of each N_z."""
    rows = pd.DataFrame({"n_z": np.repeat(n_z, errors.shape[1]), "error": errors.ravel()})
    return rows, rows.groupby("n_z", as_index=False).error.min()


LANDMARKS = pd.DataFrame(
    {
        "landmark": np.repeat(["memory", "concept", "abstract concept"], 3),
        "p": [0, 0.5, 1] * 3,
        **{name: RANDOM.random(9) for name in ("distance", "time")},
        **{f"{name}_two_sem": RANDOM.random(9) for name in ("distance", "time")},
    }
)
STAGES = pd.DataFrame(
    {
        "stage": ["I", "II", "III"],
        "nearest": ["memory", "concept", "abstract concept"],
        "start": [0, 0.2, 0.7],
        "stop": [0.2, 0.7, 1],
    }
)


def plane(memories, own, paths, concept, abstract):
    """The table of points ``[n, 2]`` and paths ``[T+1, trials, 2]`` in the plane."""
    steps, shown, _ = paths.shape
    parts = [
        ("memory of the label", memories, None, None),
        ("own memory", own, range(shown), None),
        (
            "trajectory",
            paths.reshape(-1, 2),
            np.tile(range(shown), steps),
            np.repeat(range(steps), shown),
        ),
        ("concept", concept[None], None, None),
        ("abstract concept", abstract[None], None, None),
    ]
    return pd.concat(
        pd.DataFrame({"what": what, "trial": trial, "t": t, "right": xy[:, 0], "up": xy[:, 1]})
        for what, xy, trial, t in parts
    )


PLANE = plane(POINTS[0], POINTS[1, :6], POINTS[:, :6], POINTS[0, 0], POINTS[0, 1])
ROOTS = np.array([7, 5, 2, 1])
LEAST = np.linspace(6.3, 0, 99)  # at every N_z from 2 to 100
BOUNDS = pd.DataFrame(
    {"n_z": range(2, 101), "least": LEAST, "least_around_mean": np.maximum(LEAST, 1.1)}
)
GRID = (2, 8, 20, 100)


def by_label(values, column, other):
    """Values ``[labels, others]`` as a tidy table."""
    table = pd.DataFrame(values, index=NAMES[: len(values)])
    table = table.rename_axis("label").reset_index()
    return table.melt("label", var_name=other, value_name=column)


def cosines(matrix):
    return by_label(matrix, "cosine", "other").replace(
        {"other": dict(enumerate(NAMES[: len(matrix)]))}
    )


def curves(dimensions):
    """A curve of each N_z: of trials and their chords, tables as a study's."""
    of_each = [
        pd.DataFrame(
            {
                "n_z": n_z,
                "t": range(31),
                "mean": CURVES[k].mean(1),
                "sem": CURVES[k].std(1, ddof=1) / 20**0.5,
                "chord": CURVES[k, ::-1].mean(1),
            }
        )
        for k, n_z in enumerate(dimensions)
    ]
    return pd.concat(of_each, ignore_index=True)


def networks(epochs):
    return pd.DataFrame(
        {"n_z": GRID, "epochs_trained": epochs, "orthogonality_root": [7.0, 5, 2, 1]}
    )


def components(ratios):
    cumulative = np.cumsum(ratios)
    return pd.DataFrame({"component": range(1, len(ratios) + 1), "cumulative": cumulative})


def planes(clouds):
    """Points and their means in planes, by name; the labels take turns."""
    points = pd.concat(
        [
            pd.DataFrame(cloud, columns=["first", "second"]).assign(
                space=space, label=[NAMES[i % 10] for i in range(len(cloud))]
            )
            for space, cloud in clouds.items()
        ],
        ignore_index=True,
    )
    means = points.groupby(["space", "label"], sort=False).mean().reset_index()
    shares = pd.DataFrame({"space": ["all", *clouds], "share_of_variance": 0.5})
    return points, means, shares


STAGES_BY_N_Z = pd.DataFrame(
    [
        (2, "I", "memory", 0, 0.3),
        (2, "III", "abstract concept", 0.3, 1),
        (100, "I", "memory", 0, 0.2),
        (100, "II", "concept", 0.2, 1),
    ],
    columns=["n_z", "stage", "nearest", "start", "stop"],
)
TIMES = pd.DataFrame(
    [
        (noise, beta, landmark, p, RANDOM.random())
        for noise in ("permute", "invert")
        for beta in (0.5, 1, 4)
        for landmark in ("memory", "concept")
        for p in (0, 0.5, 1)
    ],
    columns=["noise", "beta", "landmark", "p", "step"],
)
FACTS = pd.DataFrame({"letter": ["A", "B"], "value": ["14", "all p"]})
FACTS_JUDGED = pd.DataFrame(
    [("permute, β = 1", "A", "14", True), ("permute, β = 1", "B", "29%", False),
     ("invert, β = 1", "A", "3", False), ("invert, β = 1", "B", "no p", False)],
    columns=["reading", "fact", "found", "holds"],
)  # fmt: skip
BY_CLASSIFIER = pd.DataFrame(
    [("permute, β = 1", 0, 0.35, 0.5, True, False), ("permute, β = 1", 1, 0.5, 0.62, False, True),
     ("invert, β = 1", 0, None, 0.1, False, False), ("invert, β = 1", 1, None, 0.2, False, False)],
    columns=["reading", "seed", "right_up_to_p", "still_right", "C", "D"],
).astype({"right_up_to_p": "Float64"})  # fmt: skip
OF_DATASETS = pd.DataFrame(
    [
        (dataset, label, t, RANDOM.random(), 0.1, RANDOM.random())
        for dataset, names in (("digits", NAMES), ("clothes", FASHION))
        for label in names
        for t in range(5)
    ],
    columns=["dataset", "label", "t", "mean", "sem", "chord"],
)
COUNTS = pd.DataFrame(
    [
        (dataset, metric, target, reading, count + row)
        for dataset, count in (("digits", 3), ("MNIST", 0), ("clothes", 5))
        for row, (metric, target, reading) in enumerate(
            (*asked, reading)
            for asked in (
                ("Euclidean", "own concept"),
                ("Mahalanobis", "own concept"),
                ("Euclidean", "wrong concept"),
            )
            for reading in ("whole chord", "same time")
        )
    ],
    columns=["dataset", "metric", "target", "reading", "labels"],
)
CLOSEST = pd.DataFrame(
    [
        (dataset, landmark, p, RANDOM.random(), 0.1)
        for dataset in ("digits", "clothes")
        for landmark in ("memory", "concept", "abstract concept")
        for p in (0, 0.5, 1)
    ],
    columns=["dataset", "landmark", "p", "mean", "two_sem"],
)
STAGES_BY_DATASET = pd.DataFrame(
    [("digits", "memory", 0, 0.4), ("digits", "abstract concept", 0.4, 1),
     ("clothes", "concept", 0, 1)],
    columns=["dataset", "nearest", "start", "stop"],
)  # fmt: skip
INPUTS = ("test", "other data set", "quarter turn", "uniform noise", "blank", "training")
SEPARATIONS = pd.DataFrame(
    [
        (network, kind, score, area, area - 0.02, area + 0.01)
        for network in ("MNIST", "clothes")
        for kind in INPUTS[1:]
        for score, area in zip(SCORES, RANDOM.random(len(SCORES)), strict=True)
    ],
    columns=["network", "kind", "score", "auroc", "low", "high"],
)
CURVES_BY_KIND = pd.DataFrame(
    [
        (network, kind, quantity, t, 3.0, 2.0, 4.0, np.nan if kind == "test" else RANDOM.random())
        for network in ("MNIST", "clothes")
        for kind in INPUTS
        for quantity in QUANTITIES
        for t in range(31)
    ],
    columns=["network", "kind", "quantity", "t", "median", "lower", "upper", "auroc"],
)
SHOWN = ("paper's VAE", "conv VAE", "CAE", "DAE")
ITERATED = (*SHOWN, "rectified VAE", "linear CAE")
MEANS = pd.DataFrame(
    [
        (network, target, t, *RANDOM.random(2))
        for network in ITERATED
        for target in ("concept", "wrong concept", "memory")
        for t in range(31)
    ],
    columns=["network", "target", "t", "mean", "chord"],
)
DEPTHS = pd.DataFrame(
    [(network, str(k), RANDOM.random()) for network in ITERATED for k in range(10)],
    columns=["network", "label", "excess_depth"],
)
LENGTHS = pd.DataFrame(
    [(network, t, 0.9**t, 0.8**t, 0.95**t) for network in ITERATED for t in range(1, 31)],
    columns=["network", "t", "median", "lower", "upper"],
)
FACTORS = pd.DataFrame(
    [
        (network, where, *RANDOM.random(2))
        for network in ITERATED
        for where in ("concept", "end point")
        for _ in range(10)
    ],
    columns=["network", "where", "radius", "stretch"],
)
SAMPLES = {name: dict.fromkeys(INPUTS, IMAGES[:8]) for name in ("MNIST", "clothes")}
EPOCHS = pd.DataFrame(
    [("loop", "float32", 1.5), ("loop", "float32", 1.7), ("loop", "float32", 1.6),
     ("ours", "float32", 1.0), ("ours", "bfloat16", 0.5)],
    columns=["contestant", "precision", "ratio"],
)  # fmt: skip
ROLLOUTS = pd.DataFrame(
    [
        (trials, contestant, library, share)
        for trials in (300, 3000)
        for contestant in ("ours", "plain loop")
        for library, share in (("sgemm", 1.2), ("oneDNN", 0.7))
    ],
    columns=["trials", "contestant", "library", "share"],
)
NEIGHBOURS = pd.DataFrame(
    [(turns, beside, 1.0) for turns in ("many", "none") for beside in ("alone", "beside")],
    columns=["turns", "beside", "ratio"],
)
APPROACH = pd.DataFrame(
    [
        {
            "target": target,
            "label": name,
            "t": t,
            "mean": 3 + abs(t - 4),
            "sem": 0.1,
            "chord": 9 - t,
        }
        for target in ("concept", "Mahalanobis")
        for name in NAMES
        for t in range(9)
    ]
)
P_STEPS = [p / 10 for p in range(11)]
STEPS_METHODS = pd.DataFrame(
    {
        "method": method,
        "goal": goal,
        "p": p,
        "steps": {"recommended": 2.5, "paper's advice": 25, "best t of each p": 4}.get(method),
        "value": 20 - 9 * p - place / 10,
        "low": 19 - 9 * p - place / 10,
        "high": 21 - 9 * p - place / 10,
    }
    for place, method in enumerate(METHODS)
    for goal in GOALS
    for p in P_STEPS
)
STEPS_CURVES = pd.DataFrame(
    {"goal": goal, "p": p, "t": t, "value": 20 - 9 * p - t, "low": 19 - t, "high": 21 - t}
    for goal in GOALS
    for p in P_STEPS
    for t in (*range(11), 20, 30)
)
STEPS_SHARES = pd.DataFrame(
    {"goal": goal, "share": share, "value": -abs(share - 0.5), "chosen": share == 0.5}
    for goal in GOALS
    for share in (0.125, 0.25, 0.5, 1, 2)
)
ENDS = pd.DataFrame(
    {"start": ["noisy", "clean"] * 20}
    | {
        name: RANDOM.random(40)
        for name in (
            "own_memory",
            "nearest_memory",
            "random_memory",
            "own_concept",
            "nearest_concept",
            "random_concept",
            "memory_to_next",
        )
    }
)
SETTLING = pd.DataFrame({"t": [20, 100, 300, 1000], "moving": [1.0, 0.9, 0.25, 0.0]})
BASINS = pd.DataFrame(
    {"label": [f"label {k}" for k in range(9)], "share": np.arange(9, 0, -1) / 90}
)
SPECTRA = pd.DataFrame(
    {
        "where": ["attractor", "memory"] * 10,
        "radius": RANDOM.random(20),
        "stretch": 1 + RANDOM.random(20),
    }
)
SCORE = pd.DataFrame(
    {
        "where": ["memory", "concept"] * 10,
        "cosine": 0.5 + RANDOM.random(20) / 2,
        "elsewhere": RANDOM.random(20) - 0.5,
    }
)
KEPT = pd.DataFrame(
    {
        "p": [0.0, 0.5, 1.0] * 2,
        "t": [0] * 3 + [30] * 3,
        "kept": [0.9, 0.5, 0.1, 0.7, 0.4, 0.2],
    }
)
SADDLES = pd.DataFrame(
    {"centre": centre, "trajectories": n, "labels": labels}
    for centre, counts in {
        "concept": (1, 4, 10),
        "random memory": (0, 2, 6),
        "prior point": (0, 0, 0),
        "prior point, one step on": (0, 1, 3),
        "midpoint": (1, 3, 7),
    }.items()
    for n, labels in zip((0, 10, 30), counts, strict=True)
)
ACTIVE_BY_EPOCH = pd.DataFrame(
    {"network": network, "beta": beta, "compared": compared, "epoch": e, "active": 100 // e + more}
    for network, beta, compared, more in (
        ("β = 1", 1.0, True, 5),
        ("β = 2", 2.0, True, 0),
        ("β = 2, seed 1", 2.0, False, 1),
    )
    for e in range(1, 41)
)
VARIANTS = ["CAE", "DAE", "VAE"]
QUALITY = pd.DataFrame(
    [
        (noise, image, level, 30 - place - 20 * level, 29 - place - 20 * level, 31 - place)
        for noise in ("Gaussian", "pixel")
        for place, image in enumerate(["noisy image", *VARIANTS, "VAE, sampled"])
        for level in (0.0, 0.3, 1.0)
        if level or place
    ],
    columns=["noise", "image", "level", "psnr", "low", "high"],
)
EXAMPLES = {
    noise: {name: IMAGES[:3] for name in QUALITY.image.unique()} for noise in QUALITY.noise.unique()
}
LEVELS = {"Gaussian": ("0", "0.1", "1"), "pixel": ("0", "0.5", "1")}
PLACES_OF_LATENTS = pd.DataFrame(
    [
        (network, method, state, label, NAMES[label], label + 0.1 * i, i % 3 - 0.1 * label)
        for network in VARIANTS
        for method in ("PCA", "t-SNE")
        for state in ("clean", "noisy")
        for label in range(10)
        for i in range(4)
    ],
    columns=["network", "method", "state", "label", "name", "x", "y"],
)


def objectives_of_variants(epochs):
    return pd.DataFrame(
        [
            (network, epoch, 500 / epoch, 510 / epoch)
            for network in VARIANTS
            for epoch in range(1, epochs + 1)
        ],
        columns=["network", "epoch", "training", "test"],
    )


MANIFOLD_NETWORKS = ("CAE", "DAE", "VAE mean", "VAE sampled")


def spread_of_ranks(network, **at):
    """One row of ranks; they are lower for the first of the networks."""
    low = 20 + 7 * MANIFOLD_NETWORKS.index(network)
    ends = {"min": low, "lower": low + 2, "median": low + 3, "upper": low + 4, "max": low + 7}
    return {"network": network, "condition": network, **at, **ends}


RANKS = pd.DataFrame(
    [
        spread_of_ranks(network, level=level, factor=factor, bound=48)
        for network in MANIFOLD_NETWORKS
        for level in (0.0, 0.1, 0.5)
        for factor in ("S1", "S2", "S3")
    ]
)
TOLERANCES = pd.DataFrame(
    [
        spread_of_ranks(network, multiple=multiple, factor="S3", scope="clean images")
        for network in MANIFOLD_NETWORKS
        for multiple in (0.1, 1.0, 10.0)
    ]
)
EFFECTIVE = pd.DataFrame(
    [spread_of_ranks(network, factor="S3") for network in MANIFOLD_NETWORKS]
).assign(min=2.5, median=3.5, max=5.0)
TIES = pd.DataFrame(
    [
        {"condition": condition, "bound": places - 1, "rank": places - loss, "images": places}
        for network in MANIFOLD_NETWORKS
        for condition, loss in ((network, 3), (f"{network}, float64", 1), ("untrained", 9))
        for places in range(20, 50)
    ]
)
SUBSPACES = pd.DataFrame(
    [
        {
            "network": network,
            "multiple": multiple,
            "images": images,
            "level": level,
            "dimension": 10,
            "mean_angle": angle + place,
            "largest_angle": 2 * angle + place,
        }
        for place, network in enumerate((*MANIFOLD_NETWORKS, "VAE one draw"))
        for multiple in (0.1, 1.0, 10.0)
        for images, level, angle in (
            ("other half", 0.0, 30),
            ("same", 0.0, 0),
            ("same", 0.1, 10),
            ("same", 0.5, 40),
        )
    ]
)
FIGURES = {
    "methods_by_noise": lambda: figures.methods_by_noise(STEPS_METHODS),
    "quality_by_step": lambda: figures.quality_by_step(STEPS_CURVES, STEPS_METHODS, "denoise"),
    "quality_by_step, label": lambda: figures.quality_by_step(STEPS_CURVES, STEPS_METHODS, "label"),
    "share_choice": lambda: figures.share_choice(STEPS_SHARES),
    "approach_panels": lambda: figures.approach_panels(APPROACH, "concept"),
    "approach_panels, Mahalanobis": lambda: figures.approach_panels(APPROACH, "Mahalanobis"),
    "approach_counts": lambda: figures.approach_counts(
        pd.DataFrame({"target": ["concept", "memory"], "whole_chord": [1, 0], "same_time": [10, 3]})
    ),
    "best_of_settings": lambda: figures.best_of_settings(
        *trainings([2, 10, 100], ERRORS), (10, 20)
    ),
    "by_setting": lambda: figures.by_setting(OF_RATES),
    "against_dimension": lambda: figures.against_dimension(
        networks([60, 60, 60, 1500]), BOUNDS, curves(GRID)
    ),
    "dimension_opening": lambda: figures.dimension_opening(
        networks([60] * 4)[:1],
        BOUNDS[:1],
        curves((2,)),
        by_label(CONCEPTS, "concept", "latent"),
        LATENTS,
        0.01,
    ),
    "approach_by_dimension": lambda: figures.approach_by_dimension(curves(GRID)),
    "stages_by_dimension": lambda: figures.stages_by_dimension(STAGES_BY_N_Z),
    "concepts_by_latent": lambda: figures.concepts_by_latent(
        by_label(CONCEPTS, "concept", "latent"), LATENTS, 0.01
    ),
    "one latent": lambda: figures.concepts_by_latent(
        by_label(CONCEPTS[:, :1], "concept", "latent"), LATENTS[:1], 0.01
    ),
    "contribution": lambda: figures.contribution(components(np.full(10, 0.1)), LATENTS[:10]),
    "one component": lambda: figures.contribution(components(np.ones(1)), LATENTS[5:6]),
    "cosine_matrix": lambda: figures.cosine_matrix(cosines(COSINES)),
    "cosine_matrices": lambda: figures.cosine_matrices(
        pd.concat([cosines(COSINES).assign(n_z=n_z) for n_z in GRID])
    ),
    "embedding": lambda: figures.embedding(*planes({"plane of 10 labels": CLOUD})),
    "no plane": lambda: figures.embedding(*(table[:0] for table in planes({"a": CLOUD}))),
    "collective": lambda: figures.collective(*shown_places([0, 5, 30]), NAMES, 1),
    "group_images": lambda: figures.group_images(GROUPS, [IMAGES[:10], IMAGES[10:20]]),
    "closest_by_noise": lambda: figures.closest_by_noise(LANDMARKS, STAGES, "time"),
    "schematic": lambda: figures.schematic(PLANE),
    "no plane of landmarks": lambda: figures.schematic(PLANE[:0]),
    "drawn_schematic": figures.drawn_schematic,
    "architecture": lambda: figures.architecture(100, 1024),
    "training_curve": lambda: figures.training_curve(history(8), 45.5),
    "one epoch": lambda: figures.training_curve(history(1), 45.5),
    "image_rows": lambda: figures.image_rows([("upper", IMAGES[:10]), ("lower", IMAGES[10:20])]),
    "one image": lambda: figures.image_rows([("upper", IMAGES[:1])]),
    "strip": lambda: figures.strip(IMAGES, IMAGES[0], of_trial(4, 2)),
    "samples_at": lambda: figures.samples_at(
        {name: IMAGES[:8] for name in FASHION}, range(8), IMAGES[:10]
    ),
    "without concepts": lambda: figures.samples_at({"permute": IMAGES[:3]}, [0, 1, 5]),
    "label_map": lambda: figures.label_map(
        votes_table(TENTHS, [(6, MODAL, SHARE), (1, MODAL, SHARE)], FASHION)
    ),
    "label_map of few": lambda: figures.label_map(
        votes_table([0, 1], [(6, MODAL[5:7, :4], SHARE[5:7, :4])], NAMES)
    ),
    "right_steps": lambda: figures.right_steps(RUNS),
    "final_probabilities": lambda: figures.final_probabilities(FINAL, JUDGED),
    "three trials": lambda: figures.final_probabilities(FINAL[:30], JUDGED),
    "staying": lambda: figures.staying(STAYING, STAYING_GROUPS),
    "none stays": lambda: figures.staying(STAYING[:31], STAYING_GROUPS[:1]),
    "one leaves": lambda: figures.staying(
        STAYING.assign(sem=STAYING["sem"].where(STAYING.group != "leaving")), STAYING_GROUPS
    ),
    "times_by_reading": lambda: figures.times_by_reading(TIMES, (20, 30)),
    "active_by_epoch": lambda: figures.active_by_epoch(ACTIVE_BY_EPOCH, 14),
    "a single epoch": lambda: figures.active_by_epoch(ACTIVE_BY_EPOCH.query("epoch == 1"), 14),
    "facts_by_classifier": lambda: figures.facts_by_classifier(BY_CLASSIFIER, (0.4, 0.64)),
    "facts_by_reading": lambda: figures.facts_by_reading(FACTS_JUDGED, FACTS),
    "approach_by_dataset": lambda: figures.approach_by_dataset(OF_DATASETS),
    "counts_by_dataset": lambda: figures.counts_by_dataset(COUNTS),
    "one data set": lambda: figures.counts_by_dataset(COUNTS[COUNTS.dataset == "digits"]),
    "stages_by_dataset": lambda: figures.stages_by_dataset(CLOSEST, STAGES_BY_DATASET),
    "separation_by_score": lambda: figures.separation_by_score(SEPARATIONS),
    "scores of one network": lambda: figures.separation_by_score(
        SEPARATIONS[(SEPARATIONS.network == "MNIST") & (SEPARATIONS.kind != "other data set")]
    ),
    "steps_by_kind": lambda: figures.steps_by_kind(CURVES_BY_KIND),
    "separation_by_time": lambda: figures.separation_by_time(CURVES_BY_KIND),
    "times of one network": lambda: figures.separation_by_time(
        CURVES_BY_KIND[CURVES_BY_KIND.network == "MNIST"]
    ),
    "samples_by_network": lambda: figures.samples_by_network(SAMPLES, range(8)),
    "distances_by_network": lambda: figures.distances_by_network(MEANS),
    "depth_by_label": lambda: figures.depth_by_label(DEPTHS),
    "steps_by_network": lambda: figures.steps_by_network(LENGTHS),
    "factors_by_network": lambda: figures.factors_by_network(FACTORS),
    "factors that did not converge": lambda: figures.factors_by_network(
        FACTORS.assign(radius=FACTORS.radius.where(FACTORS.network != "CAE"))
    ),
    "training_ratios": lambda: figures.training_ratios(EPOCHS),
    "inference_shares": lambda: figures.inference_shares(ROLLOUTS),
    "neighbour_ratios": lambda: figures.neighbour_ratios(NEIGHBOURS),
    "end_distances": lambda: figures.end_distances(ENDS),
    "still_moving": lambda: figures.still_moving(SETTLING),
    "largest_basins": lambda: figures.largest_basins(BASINS, IMAGES[:7]),
    "no basin": lambda: figures.largest_basins(BASINS[:0], IMAGES[:0]),
    "spectra_by_place": lambda: figures.spectra_by_place(SPECTRA),
    "saddles_by_trajectories": lambda: figures.saddles_by_trajectories(SADDLES),
    "step_along_score": lambda: figures.step_along_score(SCORE),
    "label_against_noise": lambda: figures.label_against_noise(KEPT),
    "psnr_by_noise": lambda: figures.psnr_by_noise(QUALITY),
    "examples_by_noise": lambda: figures.examples_by_noise(EXAMPLES, LEVELS),
    "training_by_network": lambda: figures.training_by_network(objectives_of_variants(20)),
    "networks of one epoch": lambda: figures.training_by_network(objectives_of_variants(1)),
    "latents_by_network": lambda: figures.latents_by_network(PLACES_OF_LATENTS),
    "latents of clothes": lambda: figures.latents_by_network(
        PLACES_OF_LATENTS.assign(name=[FASHION[label] for label in PLACES_OF_LATENTS.label])
    ),
    "rank_by_noise": lambda: figures.rank_by_noise(RANKS),
    "mode_ranks_by_noise": lambda: figures.mode_ranks_by_noise(RANKS),
    "rank_by_tolerance": lambda: figures.rank_by_tolerance(TOLERANCES, EFFECTIVE),
    "rank_by_ties": lambda: figures.rank_by_ties(TIES),
    "angle_by_noise": lambda: figures.angle_by_noise(SUBSPACES),
    "angle_by_epsilon": lambda: figures.angle_by_epsilon(SUBSPACES),
    "no angle": lambda: figures.angle_by_noise(SUBSPACES.assign(mean_angle=np.nan)),
    "one noise level": lambda: figures.angle_by_epsilon(SUBSPACES[SUBSPACES.level < 0.2]),
}
MOVIES = {
    "inference_frames": lambda: figures.inference_frames(IMAGES, IMAGES[0], of_trial(4, 2)),
    "collective_frames": lambda: figures.collective_frames(CLOUD_OF_TRIALS, NAMES),
}


def test_every_function_for_figures_is_tried_here():
    texts_alone = {"collective_description"}
    assert set(figures.__all__) <= FIGURES.keys() | MOVIES.keys() | texts_alone


def test_the_objective_is_in_the_picture_once_the_first_epochs_are_over():
    """Of the training images too, however far it falls below that of the test images."""
    falling = history(200).assign(
        train_negative_elbo=lambda table: table.train_negative_elbo - table.epoch / 20
    )
    top = figures.training_curve(falling, 45.5).axes[0]
    low, high = top.get_ylim()
    for line in top.lines:
        assert (low < line.get_ydata()[10:]).all()
        assert (line.get_ydata()[10:] < high).all()


def texts(figure):
    return {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_opaque_and_legible(name):
    figure = FIGURES[name]()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    assert (pixels[..., 3] == 255).all()
    assert pixels[..., :3].min() < 128  # something is drawn
    # At phone width (360 pixels for 6.6 inches) 11 points are 8 pixels high.
    assert figure.get_figwidth() <= 6.6
    sizes = [
        text.get_fontsize()
        for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
        if text.get_text()
    ]
    assert min(sizes, default=11) >= 11


def test_the_architecture_names_its_sizes():
    assert {"784", "1,024", "2·100", "100"} <= texts(figures.architecture(100, 1024))


@pytest.mark.parametrize(
    "name",
    [
        "architecture", "training_curve", "by_setting", "training_ratios", "counts_by_dataset",
        "methods_by_noise", "quality_by_step", "separation_by_score", "steps_by_kind",
        "psnr_by_noise", "training_by_network",
        "depth_by_label", "steps_by_network", "factors_by_network",
    ],
)  # fmt: skip
def test_the_colours_of_the_centres_stand_for_nothing_else(name):
    figure = FIGURES[name]()
    coloured = figure.findobj(
        lambda artist: hasattr(artist, "get_color") or hasattr(artist, "get_facecolor")
    )
    used = {
        to_hex(getattr(artist, getter)()).upper()
        for artist in coloured
        for getter in ("get_color", "get_facecolor", "get_edgecolor")
        if hasattr(artist, getter) and np.ndim(getattr(artist, getter)()) < 2
    }
    assert len(used) > 1
    assert not used & {MEMORY, CONCEPT, ABSTRACT}


def test_the_arrows_of_the_architecture_are_black():
    arrows = figures.architecture(100, 1024).findobj(FancyArrowPatch)
    colours = [to_hex(c) for a in arrows for c in (a.get_facecolor(), a.get_edgecolor())]
    assert colours == ["#000000"] * 10


def test_a_strip_shows_every_step_in_order_and_outlines_two():
    figure = figures.strip(IMAGES, IMAGES[5], of_trial(concept_step=4, memory_step=2))
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert np.array_equal(np.reshape(shown[:31], (31, 784)), IMAGES)
    assert np.array_equal(shown[31].ravel(), IMAGES[5])
    outlined = {i for i, axes in enumerate(figure.axes) if axes.patches}
    assert outlined == {2, 4, 31}


def test_a_strip_shows_both_outlines_of_an_image_that_has_both():
    figure = figures.strip(IMAGES, IMAGES[5], of_trial(concept_step=4, memory_step=4))
    concept, memory = (patch.get_extents() for patch in figure.axes[4].patches)
    assert concept.x0 < memory.x0 < memory.x1 < concept.x1
    assert concept.y0 < memory.y0 < memory.y1 < concept.y1


def test_rows_of_samples_stand_close_together():
    images = IMAGES[:7]
    figure = figures.samples_at({"permute": images, "invert": images}, [0, 1, 2, 5, 10, 50, 100])
    FigureCanvasAgg(figure).draw()
    upper, lower = figure.axes[0].get_window_extent(), figure.axes[7].get_window_extent()
    assert 0 < upper.y0 - lower.y1 < 0.3 * upper.height


def test_rows_of_samples_show_each_its_name_its_times_and_its_concept():
    images = IMAGES[:9].reshape(3, 3, 784)
    rows = dict(zip(("a", "b", "c"), images, strict=True))
    axes = np.reshape(figures.samples_at(rows, [0, 1, 5], IMAGES[10:13]).axes, (3, 4))
    drawn = [[one.images[0].get_array().ravel() for one in line] for line in axes]
    np.testing.assert_array_equal(drawn, np.concatenate([images, IMAGES[10:13, None]], axis=1))
    assert [line[0].get_ylabel() for line in axes] == ["a", "b", "c"]
    assert [one.get_title() for one in axes[0]] == ["t=0", "t=1", "t=5", "concept"]


def test_a_strip_shows_no_more_than_a_hundred_steps():
    figure = figures.strip(np.tile(IMAGES, (5, 1)), IMAGES[0], of_trial(4, 2))
    assert len(figure.axes) == 101


@pytest.mark.parametrize("target", ["concept", "Mahalanobis"])
def test_panels_of_the_approach_show_mean_band_chord_and_both_minima(target):
    figure = figures.approach_panels(APPROACH, target)
    assert [axes.get_title(loc="left") for axes in figure.axes] == NAMES
    of_target = APPROACH[APPROACH.target == target]
    for axes, (_, panel) in zip(figure.axes, of_target.groupby("label", sort=False), strict=True):
        curves = {line.get_label(): line for line in axes.lines}
        np.testing.assert_allclose(curves["z(t), mean ±1 SEM"].get_ydata(), panel["mean"])
        np.testing.assert_allclose(curves["chord"].get_ydata(), panel.chord)
        mean, chord = (curves[f"minimum of the {name}"] for name in ("mean", "chord"))
        lowest = panel.loc[panel["mean"].idxmin()]
        assert mean.get_xydata().tolist() == [[lowest.t, lowest["mean"]]]
        assert chord.get_xydata()[0, 1] == panel.chord.min()
        assert (chord.get_markerfacecolor(), mean.get_markerfacecolor()) == ("white", "black")
        assert axes.get_title(loc="right") == f"minimum at t = {lowest.t}"
        assert not axes.texts  # none that could hide a curve
        low, high = axes.get_ylim()
        assert sum(low <= tick <= high for tick in axes.get_yticks()) <= 5
        band = axes.collections[0].get_paths()[0].vertices
        at_start, first = band[band[:, 0] == 0][:, 1], panel.iloc[0]
        ends = [first["mean"] - first["sem"], first["mean"] + first["sem"]]
        np.testing.assert_allclose([at_start.min(), at_start.max()], ends)


@pytest.mark.parametrize("name", MOVIES)
def test_a_movie_has_a_frame_per_step_and_no_two_alike(name):
    frames = list(MOVIES[name]())
    assert len(frames) == 31
    assert {frame.dtype.name for frame in frames} == {"uint8"}
    ((height, width, channels),) = {frame.shape for frame in frames}
    # H.264 takes even sizes only; a movie of twice the width of the page is sharp on any screen.
    assert (height % 2, width % 660, channels) == (0, 0, 3)
    assert len({frame.tobytes() for frame in frames}) == 31


@pytest.mark.parametrize("quantity", ["distance", "time"])
def test_the_closest_approach_shows_means_bars_and_stages(quantity):
    figure = figures.closest_by_noise(LANDMARKS, STAGES, quantity)
    (axes,) = figure.axes
    curves = {line.get_label(): line for line in axes.lines if len(line.get_xdata()) == 3}
    bars = [container.lines[2][0].get_segments() for container in axes.containers]
    for (name, of_name), bar in zip(LANDMARKS.groupby("landmark", sort=False), bars, strict=True):
        p, mean = of_name.p.to_numpy(), of_name[quantity].to_numpy()
        np.testing.assert_allclose(curves[name].get_ydata(), mean)
        half = of_name[f"{quantity}_two_sem"].to_numpy()
        np.testing.assert_allclose(np.array(bar)[:, :, 1], np.stack([mean - half, mean + half], 1))
        assert np.abs(curves[name].get_xdata() - p).max() < 0.01
        assert (curves[name].get_xdata() == p).all() == (name == "concept")  # no bar on another
    boundaries = [line.get_xdata() for line in axes.lines if set(line.get_ydata()) == {0, 1}]
    assert boundaries == [[0.2, 0.2], [0.7, 0.7]]
    shaded = [patch.get_extents().transformed(axes.transData.inverted()) for patch in axes.patches]
    spans = [(box.x0, box.x1) for box in shaded]
    np.testing.assert_allclose(spans, STAGES[["start", "stop"]])
    assert {"I", "II", "III"} <= texts(figure)


def test_the_cloud_of_each_time_is_that_of_its_panel_in_the_colours_of_the_nearest_concepts():
    times = [0, 5, 30]
    figure = figures.collective(*shown_places(times), NAMES, 1)
    panels = [axes for axes in figure.axes if axes.collections]
    for axes, t in zip(panels, times, strict=True):
        assert axes.get_title(loc="left") == f"t = {t}"
        np.testing.assert_allclose(axes.collections[0].get_offsets(), POINTS[t])
        np.testing.assert_allclose(axes.lines[0].get_xydata(), [POINTS[t, 0]])
        colours = [to_hex(colour) for colour in axes.collections[0].get_facecolors()]
        assert colours == [LABELS[label].lower() for label in NEAREST[t]]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*(NAMES[k] for k in np.unique(NEAREST[times])), "concept of 'label 1'"]


def same_scale(axes):
    """Whether a unit is as long in x as in y, as drawn."""
    (width, height), (xlim, ylim) = (
        axes.get_window_extent().size,
        (axes.get_xlim(), axes.get_ylim()),
    )
    return np.ptp(xlim) / width == pytest.approx(np.ptp(ylim) / height)


def test_the_panels_of_a_cloud_have_one_scale_that_holds_what_they_show():
    points = POINTS * np.linspace(5, 1, 31)[:, None, None]
    points[20] = 1000  # not shown
    figure = figures.collective(*shown_places([0, 5, 30], points), NAMES, 1)
    FigureCanvasAgg(figure).draw()
    panels = figure.axes[:3]
    (limits,) = {(*axes.get_xlim(), *axes.get_ylim()) for axes in panels}
    assert all(map(same_scale, panels))
    for t in (0, 5, 30):
        assert (points[t] > (limits[0], limits[2])).all()
        assert (points[t] < (limits[1], limits[3])).all()
    assert max(limits) < 20
    assert panels[1].xaxis.get_tick_params()["labelbottom"]  # nothing stands below it


def test_no_axis_of_the_turned_plane_is_called_a_principal_component():
    shown = texts(FIGURES["collective"]())
    assert {"axis 1 of the plane of the two leading components", "axis 2 of the plane"} <= shown
    assert not any("principal component" in text for text in shown)


def test_points_have_a_dark_edge_and_no_transparency():
    axes = figures.collective(*shown_places([0]), NAMES, 1).axes[0]
    assert to_rgb(axes.collections[0].get_edgecolor()[0, :3]) < (0.2, 0.2, 0.2)
    assert axes.collections[0].get_alpha() is None


def coloured(frame, colour):
    """Where a frame has a label's colour, ``[n, 2]`` as x to the right and y upwards."""
    wanted = 255 * np.array(to_rgb(colour))
    rows, columns = (np.abs(frame - wanted).sum(-1) < 12).nonzero()
    return np.stack([columns, -rows], axis=1)


def test_a_movie_of_a_cloud_has_one_scale_and_the_colours_of_the_nearest_concepts():
    """A square of points is a square of pixels; a point that changes its concept, its colour."""
    square = np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]), (2, 1, 1))
    nearest = np.array([[7, 7, 7, 7], [7, 7, 7, 3]])
    cloud = Cloud(7, "7", square, np.full((2, 2), 0.5), nearest, np.ones(2), np.zeros((2, 0, 784)))
    frames = [frame.astype(int)[290:] for frame in figures.collective_frames(cloud, NAMES)]
    seven, of_both = coloured(frames[0], LABELS[7]), coloured(frames[1], LABELS[7])
    width, height = np.ptp(seven, axis=0)
    assert height == pytest.approx(width, abs=3)
    assert height > 200
    other = coloured(frames[1], LABELS[3])
    assert len(other) == pytest.approx(len(seven) / 4, rel=0.1)
    assert len(of_both) == pytest.approx(3 * len(seven) / 4, rel=0.1)
    assert (other.min(0) > seven.mean(0)).all()  # the upper right point
    assert len(coloured(frames[0], LABELS[3])) == 0


def test_a_movie_of_a_cloud_shows_what_its_trials_decode_to_and_names_every_label():
    blank = CLOUD_OF_TRIALS._replace(images=np.zeros((31, 4, 784)))
    black = CLOUD_OF_TRIALS._replace(images=np.ones((31, 4, 784)))
    without, with_ink = (
        next(figures.collective_frames(c, NAMES)).astype(int) for c in (blank, black)
    )
    rows, columns = (without != with_ink).any(-1).nonzero()
    assert columns.min() > 850  # beside the plane
    assert rows.max() < 850  # above the curve
    assert len(rows) > 4 * 150**2


def test_the_images_of_a_group_stand_under_its_size_and_its_share():
    shown = texts(FIGURES["group_images"]())
    assert "group 1: 12 trials, own concept nearest to 75%" in shown
    assert "group 2: 8 trials, own concept nearest to 25%" in shown


def test_a_movie_is_described_with_its_trials_and_steps():
    words = figures.collective_description(CLOUD_OF_TRIALS)
    assert "'one': the latent states of 20 noisy images, t = 0 to 30" in words


def test_a_schematic_shows_each_trials_memory_start_path_and_end():
    paths, own = POINTS[:, :6].copy(), POINTS[1, 6:12]
    paths[:, 5] = paths[0, 5]  # stays where it is
    table = plane(POINTS[2], own, paths, POINTS[3, 0], POINTS[3, 1])
    figure = figures.schematic(table)
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    drawn = [line.get_xydata().tolist() for line in axes.lines]
    assert drawn[:6] == np.stack([own, paths[0]], 1).tolist()
    assert drawn[6:12] == paths.swapaxes(0, 1).tolist()
    assert drawn[12:15] == [own.tolist(), paths[0].tolist(), paths[-1].tolist()]
    assert drawn[15:] == [[POINTS[3, 0].tolist()], [POINTS[3, 1].tolist()]]
    assert axes.lines[-1].get_markersize() == 10
    assert same_scale(axes)
    heads = [(text.xyann, text.xy) for text in axes.texts]
    assert len(heads) == 10  # two on each path but the last
    for i, (tail, head) in enumerate(heads):
        step = paths[:, i // 2].tolist().index(list(tail))
        assert paths[step + 1, i // 2].tolist() == list(head)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(names) == len(set(names)) == 8
    assert {"own memory", "displaced by noise", "t = 0", "t = T"} <= set(names)


def test_the_drawn_schematic_has_the_symbols_of_the_measured_one():
    drawn, measured = (
        {
            text.get_text(): [
                getattr(handle, look)()
                for look in ("get_marker", "get_color", "get_linestyle")
                if hasattr(handle, look)
            ]
            for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True)
        }
        for legend in (
            figure.legends[0] for figure in (figures.drawn_schematic(), figures.schematic(PLANE))
        )
    )
    assert drawn == measured


def test_each_drawn_path_comes_closest_to_the_centre_of_its_stage():
    """And rushes, then settles: each step between two dots is shorter than the one before."""
    (axes,) = figures.drawn_schematic().axes
    marked = {line.get_label(): line.get_xydata() for line in axes.lines}
    centres = [marked["own memory"][0], marked["concept"][0], marked["abstract concept"][0]]
    paths = [line.get_xydata() for line in axes.lines if line.get_label() == "z(t)"]
    closest = [
        [np.linalg.norm(path - centre, axis=1).min() for centre in centres] for path in paths
    ]
    assert np.argmin(closest, axis=1).tolist() == [0, 1, 2]
    np.testing.assert_array_equal([path[0] for path in paths], marked["t = 0"])
    np.testing.assert_array_equal([path[-1] for path in paths], marked["t = T"])
    assert (np.diff(marked["t = 0"][:, 1]) > 0).all()  # more noise, farther out
    dots = [line.get_xydata() for line in axes.lines if line.get_markersize() == 3.5]
    for path in dots:
        assert (np.diff(np.linalg.norm(np.diff(path, axis=0), axis=1)) < 0).all()


def test_where_there_is_no_plane_the_schematic_says_so():
    figure = figures.schematic(PLANE[:0])
    assert any("No plane" in text for text in texts(figure))
    assert not figure.axes[0].lines


def test_an_odd_number_of_panels_leaves_no_empty_axes():
    figure = figures.approach_panels(APPROACH[APPROACH.label.isin(NAMES[:5])], "concept")
    FigureCanvasAgg(figure).draw()
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False]
    numbered = [axes.xaxis.get_tick_params()["labelbottom"] for axes in figure.axes[:5]]
    assert numbered == [False, False, False, True, True]


def test_the_concepts_stand_over_the_variances_of_their_latents():
    figure = FIGURES["concepts_by_latent"]()
    top, bottom = figure.axes[:2]
    cells, dashes = top.collections
    np.testing.assert_array_equal(cells.get_array().reshape(10, 20), CONCEPTS)
    negative = np.less(CONCEPTS, -0.1 * np.abs(CONCEPTS).max())
    marked = np.floor(dashes.get_offsets()).astype(int)
    assert sorted(map(tuple, marked)) == sorted(zip(*negative.T.nonzero(), strict=True))
    active, inactive, threshold = bottom.lines
    assert active.get_xdata().tolist() == [i + 0.5 for i in range(5)]  # below their cells
    assert inactive.get_xdata().tolist() == [i + 0.5 for i in range(5, 20)]
    assert not inactive.get_clip_on()  # the last one stands on the edge
    assert f"concept (a dash: below −{0.1 * np.abs(CONCEPTS).max():.2g})" in texts(figure)
    assert set(threshold.get_ydata()) == {0.01}
    for place, label in zip(bottom.get_xticks(), bottom.get_xticklabels(), strict=True):
        assert label.get_text() == str(int(place))


@pytest.mark.parametrize("all_active", [True, False])
def test_points_that_are_not_there_leave_no_room(all_active):
    """A curve without points would lie at the figure's corner."""
    latents = LATENTS.assign(variance=0.9 if all_active else 1e-4, active=all_active)
    concepts = by_label(CONCEPTS, "concept", "latent")
    heights = []
    for of_latents in (latents, LATENTS):
        figure = figures.concepts_by_latent(concepts, of_latents, 0.01)
        FigureCanvasAgg(figure).draw()
        heights.append(figure.axes[1].get_position().y0)
    assert heights[0] == pytest.approx(heights[1], abs=0.02)


def test_the_contribution_reaches_its_share_at_the_named_component():
    figure = figures.contribution(components([0.5, 0.3, 0.15, 0.05]), LATENTS[3:7])
    curve, corner, active = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_xydata().T, [[1, 2, 3, 4], [0.5, 0.8, 0.95, 1]])
    assert corner.get_xydata().tolist() == [[0, 0.7], [2, 0.7], [2, 0]]
    assert set(active.get_xdata()) == {2}
    assert corner.get_color() == "black"
    assert {"components for 70% of the variance: 2", "active latents: 2"} <= texts(figure)


def test_cosines_are_shown_as_numbers_or_with_a_dash():
    matrix = np.array([[1, -0.456, -0.001], [-0.456, 1, 0.2], [-0.001, 0.2, 1]])
    figure = figures.cosine_matrix(cosines(matrix))
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert cells == ["1.00", "−0.46", "0.00", "−0.46", "1.00", "0.20", "0.00", "0.20", "1.00"]
    of_grid = [cosines(matrix).assign(n_z=2), cosines(matrix**2).assign(n_z=5)]
    figure = figures.cosine_matrices(pd.concat(of_grid))
    panels = figure.axes[:2]
    assert [axes.get_title() for axes in panels] == ["$N_z = 2$", "$N_z = 5$"]
    for axes, expected in zip(panels, [matrix, matrix**2], strict=True):
        np.testing.assert_array_equal(axes.collections[0].get_array().reshape(3, 3), expected)
    dashes = [axes.collections[1].get_offsets().tolist() for axes in panels]
    assert dashes == [[[1.5, 0.5], [2.5, 0.5], [0.5, 1.5], [0.5, 2.5]], []]


def test_the_labels_of_cosines_stand_in_their_own_order():
    """And not in that of the alphabet."""
    table = cosines(COSINES).replace(dict(zip(NAMES, "zyx", strict=False)))
    (axes,) = figures.cosine_matrix(table).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["z", "y"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["z", "y"]


def luminance(colour):
    """Relative, as WCAG defines it."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92) @ (
        0.2126, 0.7152, 0.0722
    )  # fmt: skip


def test_numbers_and_dashes_stand_out_from_their_cells():
    values = np.linspace(-1, 1, 100).reshape(10, 10)
    of_grid = cosines(values).assign(n_z=2)
    for figure, marks in (
        (figures.cosine_matrix(of_grid), lambda axes: [t.get_color() for t in axes.texts]),
        (
            figures.cosine_matrices(of_grid),
            lambda axes: axes.collections[1].get_edgecolor()[:, :3],
        ),
    ):
        axes = figure.axes[0]
        cells = axes.collections[0].to_rgba(values)[..., :3].reshape(-1, 3)
        for cell, mark in zip(cells, marks(axes), strict=False):
            dark, light = sorted((luminance(cell), luminance(mark)))
            assert (light + 0.05) / (dark + 0.05) > 4


def test_orthogonality_is_drawn_over_its_bound_with_three_insets():
    """Those of the paper, 2, 20 and 100, where the grid has them."""
    main, *panels = figures.against_dimension(networks([60] * 4), BOUNDS, curves(GRID)).axes
    *segments, concepts, around_mean, bound = main.lines
    ends = np.array([[2, 7], [8, 5], [20, 2], [100, 1]])
    drawn = [segment.get_xydata().tolist() for segment in segments]
    assert drawn == [ends[i : i + 2].tolist() for i in range(3)]
    assert {segment.get_linestyle() for segment in segments} == {"-"}
    np.testing.assert_allclose(concepts.get_xydata(), ends)
    np.testing.assert_allclose(bound.get_xydata(), BOUNDS[["n_z", "least"]])
    np.testing.assert_allclose(around_mean.get_xydata(), BOUNDS[["n_z", "least_around_mean"]])
    lettered = {text.get_text(): text.xy for text in main.texts}
    assert lettered == {"(A)": (2, 7), "(B)": (20, 2), "(C)": (100, 1)}
    for axes, k in zip(panels, (0, 2, 3), strict=True):
        dashed, solid, *_ = axes.lines
        np.testing.assert_allclose(solid.get_ydata(), CURVES[k].mean(1))
        np.testing.assert_allclose(dashed.get_ydata(), CURVES[k, ::-1].mean(1))


def test_a_grid_without_the_papers_dimensions_has_its_first_middle_and_last_as_insets():
    of_grid = networks([60] * 4).assign(n_z=[2, 8, 20, 50])
    main = figures.against_dimension(of_grid, BOUNDS[:49], curves((2, 8, 20, 50))).axes[0]
    assert [text.xy[0] for text in main.texts] == [2, 20, 50]
    of_two = figures.against_dimension(of_grid[:2], BOUNDS[:7], curves((2, 8)))
    assert [text.xy[0] for text in of_two.axes[0].texts] == [2, 8]


def test_a_grid_of_one_network_opens_with_its_concepts_and_a_longer_one_with_figure_8():
    concepts = by_label(CONCEPTS, "concept", "latent"), LATENTS, 0.01
    one = figures.dimension_opening(networks([60] * 4)[:1], BOUNDS[:1], curves((2,)), *concepts)
    expected = figures.concepts_by_latent(*concepts)
    assert texts(one) == texts(expected)
    several = figures.dimension_opening(networks([60] * 4), BOUNDS, curves(GRID), *concepts)
    assert texts(several) == texts(
        figures.against_dimension(networks([60] * 4), BOUNDS, curves(GRID))
    )


def test_networks_trained_for_fewer_epochs_are_told_from_the_others():
    of_grid = networks([60, 60, 1500, 1500])
    figure = figures.against_dimension(of_grid, BOUNDS, curves(GRID))
    main, *panels = figure.axes
    *segments, longest, fewer, _, _ = main.lines
    assert [segment.get_linestyle() for segment in segments] == ["-", "--", "-"]
    assert longest.get_xydata().tolist() == [[20, 2], [100, 1]]
    assert fewer.get_xydata().tolist() == [[2, 7], [8, 5]]
    assert fewer.get_markerfacecolor() == "white"
    assert {"the concepts, after 1,500 epochs", "the concepts, after fewer"} <= texts(figure)
    minima = [CURVES[k].mean(1).argmin() for k in (0, 2, 3)]
    insets = zip("ABC", (2, 20, 100), (60, 1500, 1500), minima, strict=True)
    assert [axes.get_title(loc="left").split("\n") for axes in panels] == [
        [f"({letter}) $N_z = {n_z}$", f"{epochs:,} epochs", f"minimum at t = {t}"]
        for letter, n_z, epochs, t in insets
    ]


def test_each_dimension_has_its_curve_and_its_stages():
    panels = figures.approach_by_dimension(curves(GRID)).axes
    assert [axes.get_title(loc="left") for axes in panels] == [f"$N_z = {n_z}$" for n_z in GRID]
    for axes, of_trials in zip(panels, CURVES, strict=False):
        assert axes.get_title(loc="right") == f"minimum at t = {of_trials.mean(1).argmin()}"
        np.testing.assert_allclose(axes.lines[1].get_ydata(), of_trials.mean(1))
    figure = figures.stages_by_dimension(STAGES_BY_N_Z)
    (axes,) = figure.axes
    bars = [
        (round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_x() + bar.get_width())
        for bar in axes.patches
    ]
    assert bars == [(0, 0, 0.3), (1, 0, 0.2), (1, 0.2, 1), (0, 0.3, 1)]
    assert [text.get_text() for text in axes.texts] == ["I", "I", "II", "III"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["2", "100"]
    assert axes.yaxis_inverted()  # the fewest latent variables at the top
    names = {"I: memory", "II: concept", "III: abstract concept"}
    assert names <= texts(figure)
    assert len({bar.get_hatch() for bar in axes.patches}) == 3  # told apart in grey


def test_the_times_of_every_reading_are_in_the_panel_of_their_centre_and_noise():
    figure = figures.times_by_reading(TIMES, (20, 30))
    axes = figure.axes
    for handle, beta in zip(figure.legends[0].legend_handles, (0.5, 1, 4), strict=True):
        assert handle.get_label() == rf"$\beta={beta:g}$"
        assert len(set(handle.get_color())) == 1  # grey: the rows differ in colour
    panels = [
        (centre, noise) for centre in ("memory", "concept") for noise in ("permute", "invert")
    ]
    for panel, (centre, noise) in zip(axes, panels, strict=True):
        assert panel.get_title(loc="left") == f"{centre}, {noise}"
        for line, beta in zip(panel.lines, (0.5, 1, 4), strict=True):
            of_panel = TIMES[(TIMES.noise == noise) & (TIMES.landmark == centre)]
            of_line = of_panel[of_panel.beta == beta]
            np.testing.assert_allclose(line.get_xydata(), of_line[["p", "step"]])
            assert line.get_alpha() is None  # dashes would show through one another
            assert line.get_markevery() == 2
        assert len({(line.get_linestyle(), line.get_marker()) for line in panel.lines}) == 3
        printed = [(band.get_y(), band.get_y() + band.get_height()) for band in panel.patches]
        assert printed == ([(20, 30)] if centre == "concept" else [])


def test_active_latents_are_drawn_against_epochs_beside_the_printed_number():
    figure = figures.active_by_epoch(ACTIVE_BY_EPOCH, 14)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    *lines, printed = axes.lines
    assert set(printed.get_ydata()) == {14}
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["β = 1", "β = 2", "β = 2, seed 1"]
    for line, network in zip(lines, named, strict=True):
        of_network = ACTIVE_BY_EPOCH[ACTIVE_BY_EPOCH.network == network]
        np.testing.assert_array_equal(line.get_xydata(), of_network[["epoch", "active"]])
    one, two, other = lines
    assert one.get_linestyle() != two.get_linestyle() == other.get_linestyle()
    assert to_hex(one.get_color()) == to_hex(two.get_color()) != to_hex(other.get_color())
    assert (two.get_marker(), other.get_marker()) == ("None", "^")


def test_the_facts_of_a_reading_are_shaded_and_bold_where_they_are_met():
    axes = figures.facts_by_reading(FACTS_JUDGED, FACTS).axes[0]
    shown = [text.get_text() for text in axes.texts]
    assert shown == ["14", "all p", "14", "29%", "3", "no p"]
    assert [text.get_fontweight() for text in axes.texts] == [
        "bold" if i == 2 else "normal" for i in range(6)
    ]
    shaded = (axes.collections[0].get_facecolors() != 1).any(1)
    assert shaded.tolist() == [i == 2 for i in range(6)]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["the paper", "permute, β = 1", "invert, β = 1"]


def test_each_classifier_is_a_point_that_is_full_where_it_agrees_with_the_paper():
    figure = figures.facts_by_classifier(BY_CLASSIFIER, (0.4, 0.64))
    for axes, letter, values, line in zip(
        figure.axes,
        "CD",
        ([0.35, 0.5, None, None], [0.5, 0.62, 0.1, 0.2]),
        (0.4, 0.64),
        strict=True,
    ):
        assert axes.get_title(loc="left") == f"fact {letter}"
        assert {*axes.lines[0].get_xdata()} == {line}
        places = np.concatenate([points.get_offsets() for points in axes.collections])
        for (x, y), value, row in zip(places, values, (0, 0, 1, 1), strict=True):
            assert abs(y - row) < 0.5
            assert x < 0 if value is None else x == value
        assert len({tuple(place) for place in places}) == 4  # equal values side by side
        full = [
            bool((colour[:3] != 1).any())
            for points in axes.collections
            for colour in points.get_facecolors()
        ]
        assert full == [*BY_CLASSIFIER[letter]]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "permute, β = 1", "invert, β = 1",
    ]  # fmt: skip


def test_two_data_sets_stand_side_by_side_label_by_label():
    figure = figures.approach_by_dataset(OF_DATASETS)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [name for pair in zip(NAMES, FASHION, strict=True) for name in pair]
    for axes, title in zip(figure.axes, titles, strict=True):
        of_label = OF_DATASETS[OF_DATASETS.label == title]
        np.testing.assert_allclose(axes.lines[1].get_ydata(), of_label["mean"])
    alone = figures.approach_by_dataset(OF_DATASETS[OF_DATASETS.dataset == "digits"])
    assert [axes.get_title(loc="left") for axes in alone.axes] == NAMES


def test_three_data_sets_leave_room_for_the_names_of_their_labels():
    third = OF_DATASETS[OF_DATASETS.dataset == "clothes"].assign(dataset="MNIST")
    late = pd.concat([OF_DATASETS, third]).assign(t=lambda table: table.t + 96)
    figure = figures.approach_by_dataset(late)
    FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == 30
    for axes in figure.axes:
        extent = {
            text.get_text(): text.get_window_extent()
            for text in axes.get_children()
            if isinstance(text, Text)
        }
        name, time = (extent[axes.get_title(loc=side)] for side in ("left", "right"))
        assert name.x1 < time.x0


def test_every_data_set_has_its_own_stages():
    upper, lower = figures.stages_by_dataset(CLOSEST, STAGES_BY_DATASET).axes
    assert [text.get_text() for text in upper.texts] == ["I", "III"]
    assert [text.get_text() for text in lower.texts] == ["II"]


def test_the_bars_of_the_counts_are_the_counts():
    """A column for each data set, a row for each target and reading, and the number at its bar."""
    columns = figures.counts_by_dataset(COUNTS).axes
    assert [axes.get_title(loc="left") for axes in columns] == ["digits", "MNIST", "clothes"]
    rows = [label.get_text() for label in columns[0].get_yticklabels()]
    assert rows == [
        f"{target},\n{reading}"
        for target in ("own concept", "Mahalanobis", "wrong concept")
        for reading in ("whole chord", "same time")
    ]
    for axes, least in zip(columns, (3, 0, 5), strict=True):
        bars = sorted(
            (round(bar.get_y() + bar.get_height() / 2), bar.get_width()) for bar in axes.patches
        )
        assert bars == [(row, least + row) for row in range(6)]
        assert sorted(int(text.get_text()) for text in axes.texts) == [*range(least, least + 6)]
        assert axes.get_xlim()[1] > 10


def test_each_score_of_each_kind_has_its_dot_and_its_interval():
    """A row of panels for each kind, a column for each network; the scores from above."""
    figure = figures.separation_by_score(SEPARATIONS)
    panels = [(kind, network) for kind in INPUTS[1:] for network in ("MNIST", "clothes")]
    assert figure.axes[0].yaxis_inverted()
    for axes, (kind, network) in zip(figure.axes, panels, strict=True):
        assert axes.get_title(loc="left") == kind
        rows = SEPARATIONS[(SEPARATIONS.kind == kind) & (SEPARATIONS.network == network)]
        dots = [container.lines[0] for container in axes.containers]
        assert [dot.get_xdata()[0] for dot in dots] == rows.auroc.tolist()
        assert [dot.get_ydata()[0] for dot in dots] == list(range(len(SCORES)))
        bars = [container.lines[2][0].get_segments()[0][:, 0] for container in axes.containers]
        np.testing.assert_allclose(bars, rows[["low", "high"]])


def test_the_curves_of_a_kind_are_those_of_its_quantity_and_network():
    figure = figures.separation_by_time(CURVES_BY_KIND)
    panels = [(quantity, network) for quantity in QUANTITIES for network in ("MNIST", "clothes")]
    for axes, (quantity, network) in zip(figure.axes, panels, strict=True):
        drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
        rows = CURVES_BY_KIND[CURVES_BY_KIND.quantity == quantity]
        for kind in INPUTS[1:]:
            expected = rows[(rows.network == network) & (rows.kind == kind)].auroc
            np.testing.assert_allclose(drawn[kind], expected)


def test_the_ranks_of_a_network_are_in_its_panel_with_their_spread_and_their_bound():
    figure = figures.rank_by_noise(RANKS)
    for axes, network in zip(figure.axes, MANIFOLD_NETWORKS, strict=True):
        assert axes.get_title(loc="left") == network
        rows = RANKS[(RANKS.network == network) & (RANKS.factor == "S3")]
        median, bound = axes.lines
        np.testing.assert_array_equal(median.get_xdata(), rows.level)
        np.testing.assert_array_equal(median.get_ydata(), rows["median"])
        assert set(bound.get_ydata()) == {48}
        for band, (low, high) in zip(
            axes.collections, (("min", "max"), ("lower", "upper")), strict=True
        ):
            heights = band.get_paths()[0].vertices[:, 1]
            assert (heights.min(), heights.max()) == (rows[low].min(), rows[high].max())


def test_ranks_are_drawn_against_what_ties_leave_by_the_share_of_images():
    figure = figures.rank_by_ties(TIES)
    for axes, network in zip(figure.axes, MANIFOLD_NETWORKS, strict=True):
        for dots, condition in zip(axes.collections, (network, f"{network}, float64"), strict=True):
            rows = TIES[TIES.condition == condition]
            np.testing.assert_array_equal(dots.get_offsets(), rows[["bound", "rank"]])
            assert (np.diff(dots.get_sizes()) > 0).all()
        (line,) = axes.lines
        np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())


def test_angles_with_noise_stand_beside_those_between_two_clean_halves():
    figure = figures.angle_by_noise(SUBSPACES)
    for axes, network in zip(figure.axes, MANIFOLD_NETWORKS, strict=True):
        rows = SUBSPACES[(SUBSPACES.network == network) & (SUBSPACES.multiple == 1)]
        mean, halves, largest, _, *one_draw = axes.lines
        assert len(one_draw) == (network == "VAE sampled")
        for line in one_draw:
            of = SUBSPACES[(SUBSPACES.network == "VAE one draw") & (SUBSPACES.multiple == 1)]
            np.testing.assert_array_equal(line.get_ydata(), of[of.images == "same"].mean_angle)
        same = rows[rows.images == "same"]
        np.testing.assert_array_equal(mean.get_ydata(), same.mean_angle)
        np.testing.assert_array_equal(largest.get_ydata(), same.largest_angle)
        assert set(halves.get_ydata()) == set(rows[rows.images == "other half"].mean_angle)


def test_each_network_has_a_panel_with_its_distances_and_its_chord():
    """The controls have none; all panels have one scale."""
    figure = figures.distances_by_network(MEANS)
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[0] == 0
    for axes, network in zip(figure.axes, SHOWN, strict=True):
        assert axes.get_title(loc="left") == network
        drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
        rows = MEANS[MEANS.network == network]
        for target in ("concept", "wrong concept", "memory"):
            np.testing.assert_allclose(drawn[target], rows[rows.target == target]["mean"])
        np.testing.assert_allclose(
            drawn["chord, to the concept"], rows[rows.target == "concept"].chord
        )


def test_each_label_has_a_depth_of_each_network():
    axes = figures.depth_by_label(DEPTHS).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [*"0123456789"]
    places = {}
    for line in axes.lines:
        at = np.ravel(line.get_ydata()).astype(float).round().tolist()
        if len(at) == 10:
            values = np.ravel(line.get_xdata()).astype(float)
            places[tuple(np.sort(values))] = dict(zip(at, values, strict=True))
    assert len(places) == len(SHOWN)
    for network in SHOWN:
        expected = DEPTHS[DEPTHS.network == network].excess_depth.to_numpy()
        assert list(places[tuple(np.sort(expected))].values()) == pytest.approx(expected)


def test_saddles_are_counted_near_each_centre_against_the_number_of_trajectories():
    axes = figures.saddles_by_trajectories(SADDLES).axes[0]
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert named == list(SADDLES.centre.unique())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "10", "30"]
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 3]
    for line, centre in zip(drawn, named, strict=True):
        of_centre = SADDLES[SADDLES.centre == centre]
        np.testing.assert_array_equal(line.get_xydata()[:, 1], of_centre.labels)


def test_each_basin_has_its_image_its_share_and_its_label():
    grid = figures.largest_basins(BASINS, IMAGES[:7]).axes
    shown = [axes for axes in grid if axes.images]
    assert [axes.get_title() for axes in shown] == [
        f"{share / 90:.1%}" for share in range(9, 2, -1)
    ]
    assert [axes.get_xlabel() for axes in shown] == list(BASINS.label[:7])
    for axes, image in zip(shown, IMAGES, strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), image.reshape(28, 28))


def test_the_medians_of_both_cosines_are_drawn_beside_zero():
    axes = figures.step_along_score(SCORE).axes[0]
    medians = SCORE.groupby("where")[["cosine", "elsewhere"]].median()
    drawn = {float(x) for line in axes.lines for x in line.get_xdata()}
    for value in medians.to_numpy().ravel():
        assert min(abs(x - value) for x in drawn) < 1e-9
    assert 0 in drawn


def test_the_label_kept_is_drawn_for_both_steps():
    axes = figures.label_against_noise(KEPT).axes[0]
    curves = [line.get_xydata() for line in axes.lines if len(line.get_xdata()) == 3]
    for t, curve in zip((0, 30), curves, strict=True):
        np.testing.assert_allclose(curve, KEPT[KEPT.t == t][["p", "kept"]])


def test_the_share_that_moves_is_drawn_over_the_logarithm_of_time():
    axes = figures.still_moving(SETTLING).axes[0]
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), SETTLING)
    assert [text.get_text() for text in axes.texts] == ["100.0%", "90.0%", "25.0%", "0.0%"]


def test_bars_of_ratios_are_medians_of_the_repeats_with_their_range():
    """Slowest contestant first; what was not measured has no bar."""
    axes = figures.training_ratios(EPOCHS).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["loop", "ours"]
    float32, bfloat16 = axes.containers
    assert [bar.get_width() for bar in float32] == pytest.approx([1.6, 1.0])
    assert [bar.get_width() for bar in bfloat16 if bar.get_width() > 0] == pytest.approx([0.5])
    assert axes.lines[0].get_xdata() == pytest.approx([1.5, 1.7])


def test_each_choice_of_a_step_is_marked_on_the_panel_of_its_noise():
    figure = figures.quality_by_step(STEPS_CURVES, STEPS_METHODS, "denoise")
    shown = [0.0, 0.1, 0.2, 0.4, 0.5, 0.6]  # six of those below 0.7, evenly
    assert [axes.get_title("left") for axes in figure.axes] == [f"p = {p:g}" for p in shown]
    methods = STEPS_METHODS[STEPS_METHODS.goal == "denoise"].set_index(["p", "method"])
    for axes, p in zip(figure.axes, shown, strict=True):
        marks = {line.get_label(): line.get_xydata() for line in axes.lines}
        curve = STEPS_CURVES[(STEPS_CURVES.goal == "denoise") & (STEPS_CURVES.p == p)]
        np.testing.assert_array_equal(marks["decoded from z(t)"], curve[["t", "value"]])
        for method, label in (
            ("recommended", "recommended, mean t"),
            ("paper's advice", "paper's advice"),
            ("best t of each p", "best t of each p"),
        ):
            assert marks[label].tolist() == [methods.loc[(p, method), ["steps", "value"]].tolist()]
        for line in ("noisy image", "denoising autoencoder"):
            assert set(marks[line][:, 1]) == {methods.value[p, line]}


def test_an_embedding_names_every_label_and_none_hides_another():
    wide = CLOUD * [100, 1]
    figure = figures.embedding(*planes({"narrow": CLOUD, "wide": wide}))
    FigureCanvasAgg(figure).draw()
    assert "(b) wide: 50% of the variance" in texts(figure)
    for axes, points in zip(figure.axes, (CLOUD, wide), strict=True):
        np.testing.assert_allclose(axes.collections[0].get_offsets(), points)
        assert [text.get_text() for text in axes.texts] == NAMES
        means = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"]
        expected = [points[k::10].mean(0) for k in range(10)]
        np.testing.assert_allclose(means, expected)
        centres = np.array([t.get_window_extent().get_points().mean(0) for t in axes.texts])
        sizes = np.array([t.get_window_extent().size for t in axes.texts])
        assert same_scale(axes)
        dots = axes.transData.transform(expected)
        for i in range(10):
            assert (np.abs(dots - centres[i]) > 0.5 * sizes[i]).any(1).all()  # none is hidden
            for j in range(i):
                assert (np.abs(centres[i] - centres[j]) > 0.9 * sizes[i]).any()
        marks = [line for line in axes.lines if line.get_marker() == "o"]
        assert min(mark.get_zorder() for mark in marks) > max(t.get_zorder() for t in axes.texts)


def test_a_label_map_names_its_regions_and_is_paler_where_fewer_agree():
    axes = fashion_map().axes[0]
    assert axes.get_title(loc="left") == "from 'shirt'"
    named = {text.get_text(): text for text in axes.texts}
    assert set(named) == {"shirt", "pullover", "boot"}
    for name, text in named.items():  # each name lies in its own region
        t, height = text.get_position()
        assert FASHION[MODAL[round(height * 10), round(t)]] == name
        assert text.get_fontweight() == ("bold" if name == "shirt" else "normal")
    colours = np.asarray(axes.collections[0].get_array())
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 3
    half = fashion_map(share=0 * SHARE + 0.5).axes[0]
    paler = np.asarray(half.collections[0].get_array())[10, 30]
    assert (paler > colours[10, 30]).all()


def test_below_a_label_map_stands_what_each_colour_means():
    share = np.tile(np.linspace(0.12, 1, 31), (11, 1))
    figure = fashion_map(share=share)
    cells = np.asarray(figure.axes[0].collections[0].get_array())
    strips = figure.axes[1]
    assert [text.get_text() for text in strips.get_yticklabels()] == ["pullover", "shirt", "boot"]
    keys = np.asarray(strips.collections[0].get_array())  # label, step of 25 per cent
    for label, row in ((2, 0), (6, 1), (9, 2)):
        for i, j in np.argwhere(label == MODAL):
            step = min(int(4 * share[i, j]), 3)
            np.testing.assert_allclose(cells[i, j], keys[row, step])
    assert len(np.unique(keys.reshape(-1, 3), axis=0)) == 12
    assert strips.get_xticks().tolist() == [0, 25, 50, 75, 100]


def test_a_label_map_hatches_every_wrong_cell_and_no_right_one():
    modal = MODAL.copy()
    modal[2, 3] = 2  # an enclave
    axes = fashion_map(modal).axes[0]
    (hatched,) = (cells for cells in axes.collections if cells.get_hatch())
    centres = {tuple(path.vertices[:4].mean(0).round(6)) for path in hatched.get_paths()}
    assert centres == {(t, round(row / 10, 6)) for row, t in np.argwhere(modal != 6)}
    assert not hatched.get_facecolor().size or not hatched.get_facecolor()[:, 3].any()
    assert "hatched: another label" in texts(axes)


def test_a_label_map_draws_a_border_wherever_labels_change_and_a_strong_one_around_the_own():
    axes = fashion_map().axes[0]
    thin, thick = axes.collections[2:]
    own = {((t - 0.5, 0.55), (t + 0.5, 0.55)) for t in range(31)}
    other = {((14.5, k / 10 - 0.05), (14.5, k / 10 + 0.05)) for k in range(6, 11)}

    def segments(lines):
        return {tuple(map(tuple, segment.round(9))) for segment in np.array(lines.get_segments())}

    rounded = lambda lines: {tuple(map(tuple, np.round(line, 9))) for line in lines}  # noqa: E731
    assert segments(thick) == rounded(own)
    assert segments(thin) == rounded(own | other)
    assert thick.get_linewidth()[0] > 2 * thin.get_linewidth()[0]


def test_a_name_lies_wholly_in_its_region():
    random = np.random.default_rng(0)
    modal = np.kron(random.integers(10, size=(9, 10)), np.ones((3, 10), int))
    modal[:3] = 1  # three rows high, at the edge
    p = np.arange(len(modal))
    panels = [(label, modal, np.ones(modal.shape)) for label in (6, 1)]
    figure = figures.label_map(votes_table(p, panels, FASHION))
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[1]
    names = [text.get_text() for text in axes.texts]
    assert "trouser" in names
    assert len(names) > 10
    for text in axes.texts:
        box = text.get_window_extent().transformed(axes.transData.inverted())
        # The box of a text has room for accents and descenders, used or not.
        rows = np.arange(round(box.y0 + 0.15 * box.height), round(box.y1 - 0.05 * box.height) + 1)
        steps = np.arange(round(box.x0), round(box.x1) + 1)
        assert {FASHION[k] for k in modal[np.ix_(rows, steps)].flat} == {text.get_text()}


def test_a_region_too_small_for_its_name_has_none():
    modal = np.full((11, 31), 6)
    modal[5, 5] = 2
    axes = fashion_map(modal).axes[0]
    assert [text.get_text() for text in axes.texts] == ["shirt"]


def test_final_probabilities_show_every_trial_once_in_the_order_of_its_label():
    axes = figures.final_probabilities(FINAL, JUDGED).axes[0]
    shown = np.asarray(axes.collections[0].get_array()).reshape(10, 40)
    np.testing.assert_array_equal(np.unique(shown.T, axis=0), np.unique(PROBABILITIES, axis=0))
    given = shown.argmax(0)
    assert (np.diff(given) >= 0).all()
    for k in range(10):
        assert (np.diff(shown[k, given == k]) <= 0).all()
    assert [label.get_text() for label in axes.get_yticklabels()] == list(FASHION)
    counts = [int(label.get_text()) for label in axes.child_axes[0].get_yticklabels()]
    assert counts == JUDGED.trials.tolist()


def test_the_longest_runs_of_each_label_are_drawn_against_the_noise():
    (axes,) = figures.right_steps(RUNS).axes
    drawn = [line.get_xydata().tolist() for line in axes.lines if len(line.get_xydata())]
    assert drawn == [[[0, 31], [0.5, 20], [1, 0]], [[0, 31], [0.5, 0], [1, 2]]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["6", "1"]


def test_every_group_of_trials_has_its_curve_its_chord_and_both_minima():
    figure = figures.staying(STAYING, STAYING_GROUPS)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["all: 20", "staying: 19", "leaving: 1"]
    for axes, group in zip(figure.axes, STAYING_GROUPS.group, strict=True):
        expected = STAYING[STAYING.group == group]
        dashed, solid, of_chord, of_mean = axes.lines
        np.testing.assert_allclose(dashed.get_ydata(), expected.chord)
        np.testing.assert_allclose(solid.get_ydata(), expected["mean"])
        assert of_chord.get_ydata() == [expected.chord.min()]
        assert of_mean.get_ydata() == [expected["mean"].min()]
        (band,) = (path.vertices for of in axes.collections for path in of.get_paths())
        top = (expected["mean"] + expected["sem"]).to_numpy()
        assert max(y for x, y in band if x == 2) == pytest.approx(top[2])


def counts_above(axes):
    """At the upper edge, by latent dimension."""
    return {text.xy[0]: text.get_text() for text in axes.texts if text.xy[1] == 1}


def test_the_best_setting_of_each_dimension_is_the_curve_and_what_lies_above_is_counted():
    rows, best_rows = trainings([2, 10, 100], ERRORS)
    (axes,) = figures.best_of_settings(rows, best_rows, (10, 20)).axes
    best, circle = axes.lines
    (every,) = axes.collections
    drawn = [tuple(point) for point in every.get_offsets() if np.isfinite(point).all()]
    assert sorted(drawn) == sorted(rows.dropna().itertuples(index=False, name=None))
    assert best.get_xydata().tolist() == [[2, 330], [10, 305], [100, 308]]
    assert circle.get_xydata().tolist() == [[10, 305]]
    assert every.get_zorder() > best.get_zorder()  # no dot hidden by a diamond
    assert best.get_markerfacecolor() == "white"
    assert "$N_z^* = 10$" in texts(axes)
    assert counts_above(axes) == {10: "2"}
    low, high = axes.get_ylim()
    assert low < 305
    assert 350 < high < 360  # just above the highest of those near the best


def test_the_end_of_the_fall_is_magnified_by_the_criterion_of_flatness():
    errors = np.array([150, 112, 104.8, 100, 102, 120.0])[:, None] + np.array([[0, 3]])
    tables = trainings([2, 5, 8, 10, 20, 100], errors)
    whole, below = figures.best_of_settings(*tables, (10, 20)).axes
    assert below.get_ylim() == pytest.approx((98.5, 105))  # of a fall of 50
    low, high = below.get_xlim()
    assert 5 < low < 8
    assert high > 100  # what rises again is seen to leave it
    for upper, lower in zip(whole.lines, below.lines, strict=True):
        assert upper.get_xydata().tolist() == lower.get_xydata().tolist()


def test_where_nothing_is_cut_off_the_scale_ends_just_above_the_highest_point():
    level = trainings([2, 10, 100], np.full((3, 1), 300.0))
    (axes,) = figures.best_of_settings(*level, (10, 20)).axes
    assert axes.get_ylim()[1] == 301
    assert counts_above(axes) == {}


def test_each_setting_has_its_own_curve_colour_and_marker():
    (axes,) = figures.by_setting(OF_RATES).axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [
        [330, 305, 308],
        [345, 9000, 320],
    ]
    assert [line.get_label() for line in axes.lines] == ["rate 0.1", "rate 0.01"]
    assert len({line.get_color() for line in axes.lines}) == 2
    assert len({line.get_marker() for line in axes.lines}) == 2
    assert counts_above(axes) == {10: "1"}


def test_a_dimension_whose_trainings_all_failed_has_no_point_and_does_not_set_the_scale():
    failed = ERRORS.copy()
    failed[1] = np.nan
    (axes,) = figures.best_of_settings(*trainings([2, 10, 100], failed), (10, 20)).axes
    assert axes.lines[0].get_xdata().tolist() == [2, 100]
    assert axes.get_ylim()[1] < 9000
    assert "$N_z^* = 100$" in texts(axes)
    assert counts_above(axes) == {2: "1", 10: "4"}


# --- a reader's own settings -------------------------------------------------------------------

HOSTILE = {
    "text.usetex": True,
    "font.family": "serif",
    "font.sans-serif": ["DejaVu Sans Mono"],
    "font.size": 30,
    "mathtext.fontset": "cm",
    "figure.dpi": 50,
    "figure.facecolor": "black",
    "figure.constrained_layout.use": False,
    "axes.facecolor": "black",
    "axes.grid": True,
    "axes.unicode_minus": False,
    "axes.spines.top": True,
    "xtick.labelsize": 40,
    "ytick.direction": "in",
    "lines.linewidth": 9,
    "hatch.linewidth": 5,
    "path.sketch": (1, 100, 2),
    "savefig.facecolor": "black",
    "savefig.dpi": 30,
}
DRAWN = ("against_dimension", "architecture", "concepts_by_latent", "label_map", "approach_panels")


def settings_of_matplotlib():
    return dict(mpl.rcParams.copy())


def shown(figure):
    """The pixels that a notebook shows, as IPython's inline backend makes them."""
    return print_figure(figure, "png")


@pytest.mark.parametrize("name", DRAWN)
def test_a_readers_settings_of_matplotlib_change_no_pixel(name):
    expected = shown(FIGURES[name]())
    with mpl.rc_context(HOSTILE):
        before = settings_of_matplotlib()
        assert shown(FIGURES[name]()) == expected
        assert settings_of_matplotlib() == before


@pytest.mark.parametrize("name", MOVIES)
def test_a_readers_settings_of_matplotlib_change_no_frame_and_are_theirs_between_two(name):
    expected = list(itertools.islice(MOVIES[name](), 3))
    with mpl.rc_context(HOSTILE):
        before = settings_of_matplotlib()
        frames = MOVIES[name]()
        for frame in expected:
            assert np.array_equal(next(frames), frame)
            assert settings_of_matplotlib() == before


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_is_made_with_a_readers_settings(name):
    with mpl.rc_context(HOSTILE):
        figure = FIGURES[name]()
    assert figure.dpi == 100
    assert isinstance(figure, Figure)
    assert all(line.get_linewidth() < 9 for line in figure.findobj(Line2D))
    assert not any(text.get_usetex() for text in figure.findobj(Text))


def test_importing_the_figures_changes_no_setting_of_matplotlib():
    code = (
        "import matplotlib; before = matplotlib.rcParams.copy(); import repinf_core.figures; "
        "assert dict(matplotlib.rcParams.copy()) == dict(before)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_psnr_of_each_network_is_drawn_over_both_noises_beside_the_noisy_image():
    for axes, (_, of_noise) in zip(
        figures.psnr_by_noise(QUALITY).axes, QUALITY.groupby("noise"), strict=True
    ):
        drawn = {line.get_label(): line.get_xydata() for line in axes.lines}
        for image, rows in of_noise.groupby("image"):
            np.testing.assert_allclose(drawn[image], rows[["level", "psnr"]])


def test_the_examples_stand_under_their_levels_beside_their_names():
    figure = figures.examples_by_noise(EXAMPLES, LEVELS)
    named = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes if axes.get_ylabel()]
    assert named == [*EXAMPLES["Gaussian"], *EXAMPLES["pixel"]]
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [*LEVELS["Gaussian"], *LEVELS["pixel"]]


def test_every_latent_is_drawn_and_every_label_named_at_the_median_of_its_clean_images():
    figure = figures.latents_by_network(PLACES_OF_LATENTS)
    titles = [f"{network}, {method}" for network in VARIANTS for method in ("PCA", "t-SNE")]
    assert [axes.get_title("left") for axes in figure.axes] == titles
    for axes in figure.axes:
        assert sum(len(points.get_offsets()) for points in axes.collections) == 80
        places = {text.get_text(): text.get_position() for text in axes.texts}
        assert places["4"] == pytest.approx((4.15, 0.1))
