"""Figures show the arrays they are given, legibly, on an opaque ground."""

import itertools
import subprocess
import sys
from types import SimpleNamespace

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
from repinf_core.figures.style import ABSTRACT, CONCEPT, CONTROL, MEMORY, Figure

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((31, 784))


def record(epoch):
    return SimpleNamespace(
        epoch=epoch,
        train={"negative_elbo": 100 + 50 / epoch},
        test={
            "negative_elbo": 101 + 50 / epoch,
            "reconstruction": 80 + 50 / epoch,
            "kl": 21.0,
            "active_latents": 100 // epoch,
        },
    )


CURVES = RANDOM.random((10, 31, 20)) + np.linspace(1, 0, 31)[None, :, None]
NAMES = [f"label {k}" for k in range(10)]
POINTS = RANDOM.random((31, 20, 2))
CONCEPTS = RANDOM.standard_normal((10, 20))
VARIANCES = np.r_[np.full(5, 0.9), np.full(14, 1e-4), 0]
COSINES = np.array([[1, -0.5], [-0.5, 1]])
LABELLED = np.arange(300) % 10
CLOUD = RANDOM.standard_normal((300, 2))
INSETS = [(n_z, CURVES[k], CURVES[k, ::-1]) for k, n_z in enumerate((2, 8, 100))]
FASHION = data.DATASETS["fashion_mnist"].class_names
# A map of three labels: 6 below; above it 2, then 9; half of the trials agree, all on 9.
MODAL = np.full((11, 31), 6)
MODAL[6:, :15], MODAL[6:, 15:] = 2, 9
SHARE = np.where(MODAL == 9, 1, 0.5)
PROBABILITIES = RANDOM.dirichlet(np.full(10, 0.1), 40)
ERRORS = np.array(
    [[[330.0, 340], [350, 345]], [[310, 305], [9000, np.inf]], [[308, 311], [325, 320]]]
)
OF_RATES = {"rate 0.1": ERRORS[:, 0].min(1), "rate 0.01": ERRORS[:, 1].min(1)}
ROOTS = np.array([7, 5, 2, 1])
LEAST = np.linspace(6.3, 0, 99)  # at every N_z from 2 to 100
AROUND_MEAN = np.maximum(LEAST, 1.1)
TIMES = pd.DataFrame(
    [
        (noise, beta, landmark, p, RANDOM.random())
        for noise in ("swap", "invert")
        for beta in (0.5, 1, 4)
        for landmark in ("memory", "concept")
        for p in (0, 0.5, 1)
    ],
    columns=["noise", "beta", "landmark", "p", "step"],
)
FACTS = pd.DataFrame({"letter": ["A", "B"], "value": ["14", "all p"]})
JUDGED = pd.DataFrame(
    [("swap", 1, "A", "14", True), ("swap", 1, "B", "29%", False),
     ("invert", 1, "A", "3", False), ("invert", 1, "B", "no p", False)],
    columns=["noise", "beta", "fact", "found", "holds"],
)  # fmt: skip
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
        (dataset, target, chord, count)
        for dataset, count in (("digits", 3), ("clothes", 10))
        for target in ("own concept", "wrong concept")
        for chord in ("whole chord", "same time")
    ],
    columns=["dataset", "target", "chord", "labels"],
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
STAGES = pd.DataFrame(
    [("digits", "memory", 0, 0.4), ("digits", "abstract concept", 0.4, 1),
     ("clothes", "concept", 0, 1)],
    columns=["dataset", "nearest", "start", "stop"],
)  # fmt: skip
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
FIGURES = {
    "best_of_settings": lambda: figures.best_of_settings([2, 10, 100], ERRORS, (10, 20)),
    "by_setting": lambda: figures.by_setting([2, 10, 100], OF_RATES),
    "against_dimension": lambda: figures.against_dimension(
        [2, 8, 20, 100], ROOTS, LEAST, AROUND_MEAN, INSETS, [60, 60, 60, 1500]
    ),
    "concepts_by_latent": lambda: figures.concepts_by_latent(CONCEPTS, VARIANCES, 0.01, NAMES),
    "one latent": lambda: figures.concepts_by_latent(CONCEPTS[:, :1], VARIANCES[:1], 0.01, NAMES),
    "contribution": lambda: figures.contribution(np.full(10, 0.1), 0.7, 7, 10),
    "one component": lambda: figures.contribution(np.ones(1), 0.7, 1, 0),
    "cosine_matrix": lambda: figures.cosine_matrix(COSINES, NAMES[:2]),
    "cosine_matrices": lambda: figures.cosine_matrices([2, 5, 8, 100], np.stack([COSINES] * 4)),
    "embedding": lambda: figures.embedding([("(a) all", CLOUD, LABELLED)], NAMES, 100),
    "against_noise": lambda: figures.against_noise(
        [0, 0.5, 1], np.ones((3, 3)), np.ones((3, 3)), [(0, 0, 0.4), (1, 0.4, 1)], "distance"
    ),
    "collective": lambda: figures.collective(POINTS, POINTS[:, 0], [0, 5, 30], 1, "one"),
    "schematic": lambda: figures.schematic(
        POINTS[0], POINTS[1, :6], POINTS[:, :6], POINTS[0, 0], POINTS[0, 1]
    ),
    "architecture": lambda: figures.architecture(100, 1024),
    "training_curve": lambda: figures.training_curve([record(e) for e in range(1, 9)], 45.5),
    "one epoch": lambda: figures.training_curve([record(1)], 45.5),
    "image_rows": lambda: figures.image_rows([("upper", IMAGES[:10]), ("lower", IMAGES[10:20])]),
    "one image": lambda: figures.image_rows([("upper", IMAGES[:1])]),
    "strip": lambda: figures.strip(IMAGES, IMAGES[0], 4, 2),
    "noise_readings": lambda: figures.noise_readings([("swap", IMAGES[:3])], [0, 1, 5]),
    "label_map": lambda: figures.label_map(
        np.linspace(0, 1, 11), [(6, MODAL, SHARE), (1, MODAL, SHARE)], FASHION
    ),
    "final_probabilities": lambda: figures.final_probabilities(PROBABILITIES, FASHION),
    "staying": lambda: figures.staying(CURVES[0], CURVES[1], np.arange(20) < 12, "6"),
    "none stays": lambda: figures.staying(CURVES[0], CURVES[1], np.zeros(20, bool), "6"),
    "one stays": lambda: figures.staying(CURVES[0], CURVES[1], np.arange(20) == 3, "6"),
    "label_map of few": lambda: figures.label_map(
        [0, 1], [(6, MODAL[5:7, :4], SHARE[5:7, :4])], NAMES
    ),
    "distance_panels": lambda: figures.distance_panels(CURVES, CURVES, NAMES, "concept"),
    "times_by_reading": lambda: figures.times_by_reading(TIMES, (20, 30)),
    "facts_by_reading": lambda: figures.facts_by_reading(JUDGED, FACTS),
    "approach_by_dataset": lambda: figures.approach_by_dataset(OF_DATASETS),
    "counts_by_dataset": lambda: figures.counts_by_dataset(COUNTS),
    "one data set": lambda: figures.counts_by_dataset(COUNTS[COUNTS.dataset == "digits"]),
    "stages_by_dataset": lambda: figures.stages_by_dataset(CLOSEST, STAGES),
    "training_ratios": lambda: figures.training_ratios(EPOCHS),
    "inference_shares": lambda: figures.inference_shares(ROLLOUTS),
    "neighbour_ratios": lambda: figures.neighbour_ratios(NEIGHBOURS),
}
MOVIES = {
    "inference_frames": lambda: figures.inference_frames(
        IMAGES, IMAGES[0], np.linspace(3, 1, 31), np.linspace(1, 3, 31)
    ),
    "collective_frames": lambda: figures.collective_frames(POINTS, POINTS[:, 0], 1, "one"),
}


def test_every_function_for_figures_is_tried_here():
    assert set(figures.__all__) <= FIGURES.keys() | MOVIES.keys()


def test_the_objective_is_in_the_picture_once_the_first_epochs_are_over():
    """Of the training images too, however far it falls below that of the test images."""
    history = [record(epoch) for epoch in range(1, 201)]
    for one in history:
        one.train["negative_elbo"] -= one.epoch / 20
    top = figures.training_curve(history, 45.5).axes[0]
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
    "name", ["architecture", "training_curve", "by_setting", "training_ratios", "counts_by_dataset"]
)
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
    figure = figures.strip(IMAGES, IMAGES[5], concept_step=4, memory_step=2)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert np.array_equal(np.reshape(shown[:31], (31, 784)), IMAGES)
    assert np.array_equal(shown[31].ravel(), IMAGES[5])
    outlined = {i for i, axes in enumerate(figure.axes) if axes.patches}
    assert outlined == {2, 4, 31}


def test_a_strip_shows_both_outlines_of_an_image_that_has_both():
    figure = figures.strip(IMAGES, IMAGES[5], concept_step=4, memory_step=4)
    concept, memory = (patch.get_extents() for patch in figure.axes[4].patches)
    assert concept.x0 < memory.x0 < memory.x1 < concept.x1
    assert concept.y0 < memory.y0 < memory.y1 < concept.y1


def test_rows_of_readings_stand_close_together():
    images = IMAGES[:7]
    figure = figures.noise_readings(
        [("swap", images), ("invert", images)], [0, 1, 2, 5, 10, 50, 100]
    )
    FigureCanvasAgg(figure).draw()
    upper, lower = figure.axes[0].get_window_extent(), figure.axes[7].get_window_extent()
    assert 0 < upper.y0 - lower.y1 < 0.3 * upper.height


def test_a_strip_shows_no_more_than_a_hundred_steps():
    figure = figures.strip(np.tile(IMAGES, (5, 1)), IMAGES[0], 4, 2)
    assert len(figure.axes) == 101


@pytest.mark.parametrize("target", ["concept", "memory", "wrong concept"])
def test_distance_panels_show_mean_band_control_and_both_minima(target):
    control = CURVES[:, ::-1]
    figure = figures.distance_panels(CURVES, control, NAMES, target)
    assert [axes.get_title(loc="left") for axes in figure.axes] == NAMES
    for axes, curves, line in zip(figure.axes, CURVES, control, strict=True):
        dashed, solid, of_line, point = axes.lines
        mean, control_mean = curves.mean(1), line.mean(1)
        np.testing.assert_allclose(solid.get_ydata(), mean)
        np.testing.assert_allclose(dashed.get_ydata(), line.mean(1))
        assert point.get_xydata().tolist() == [[mean.argmin(), mean.min()]]
        assert of_line.get_xydata().tolist() == [[control_mean.argmin(), control_mean.min()]]
        assert (of_line.get_markerfacecolor(), point.get_markerfacecolor()) == ("white", "black")
        assert axes.get_title(loc="right") == f"minimum at t = {mean.argmin()}"
        assert not axes.texts  # none that could hide a curve
        low, high = axes.get_ylim()
        assert sum(low <= tick <= high for tick in axes.get_yticks()) <= 5
        band = axes.collections[0].get_paths()[0].vertices
        sem = curves.std(1, ddof=1) / 20**0.5
        at_start = band[band[:, 0] == 0][:, 1]
        np.testing.assert_allclose(at_start.min(), mean[0] - sem[0])
        np.testing.assert_allclose(at_start.max(), mean[0] + sem[0])
    assert f"distance to the {target}" in texts(figure)


@pytest.mark.parametrize("name", MOVIES)
def test_a_movie_has_a_frame_per_step_and_no_two_alike(name):
    frames = list(MOVIES[name]())
    assert len(frames) == 31
    assert {frame.dtype.name for frame in frames} == {"uint8"}
    ((height, width, channels),) = {frame.shape for frame in frames}
    assert (height % 2, width, channels) == (0, 660, 3)  # H.264 takes even sizes only
    assert len({frame.tobytes() for frame in frames}) == 31


def test_a_curve_against_noise_shades_and_numbers_its_stages():
    p, means = np.array([0, 0.5, 1]), RANDOM.random((3, 3))
    stages = [(0, 0, 0.2), (1, 0.2, 0.7), (2, 0.7, 1)]
    figure = figures.against_noise(p, means, 0 * means, stages, "distance")
    (axes,) = figure.axes
    drawn = [container.lines[0].get_ydata() for container in axes.containers]
    np.testing.assert_allclose(drawn, means)
    places = np.array([container.lines[0].get_xdata() for container in axes.containers])
    np.testing.assert_allclose(places[1], p)
    assert (np.diff(places, axis=0) > 0).all()  # no bar on another
    assert np.abs(places - p).max() < 0.01
    boundaries = [line.get_xdata() for line in axes.lines if set(line.get_ydata()) == {0, 1}]
    assert boundaries == [[0.2, 0.2], [0.7, 0.7]]
    shaded = [patch.get_extents().transformed(axes.transData.inverted()) for patch in axes.patches]
    np.testing.assert_allclose([(box.x0, box.x1) for box in shaded], [s[1:] for s in stages])
    assert {"I", "II", "III"} <= texts(figure)


def test_the_cloud_of_each_time_is_that_of_its_panel():
    times = [0, 5, 30]
    figure = figures.collective(POINTS, POINTS[:, 0], times, 1, "one")
    panels = [axes for axes in figure.axes if axes.collections]
    for axes, t in zip(panels, times, strict=True):
        assert axes.get_title(loc="left") == f"t = {t}"
        np.testing.assert_allclose(axes.collections[0].get_offsets(), POINTS[t])
        np.testing.assert_allclose(axes.lines[0].get_xydata(), [POINTS[t, 0]])


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
    figure = figures.collective(points, points[:, 0], [0, 5, 30], 1, "one")
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


@pytest.mark.parametrize("label", range(10))
def test_points_of_every_label_have_a_dark_edge(label):
    axes = figures.collective(POINTS, POINTS[:, 0], [0], label, "it").axes[0]
    assert to_rgb(axes.collections[0].get_edgecolor()[0, :3]) < (0.2, 0.2, 0.2)
    assert axes.collections[0].get_alpha() is None


def test_a_movie_of_a_cloud_has_one_scale_for_x_and_y():
    """A square of points is a square of pixels."""
    square = np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]), (2, 1, 1))
    far = np.full((2, 2), 0.5)
    frame = next(figures.collective_frames(square, far, 7, "7")).astype(int)
    purple = (np.abs(frame - np.array([136, 34, 85])).sum(-1) < 60).nonzero()
    height, width = (np.ptp(places) for places in purple)
    assert height == pytest.approx(width, abs=3)
    assert height > 100


def test_a_schematic_shows_each_trials_memory_start_path_and_end():
    paths, own = POINTS[:, :6].copy(), POINTS[1, 6:12]
    paths[:, 5] = paths[0, 5]  # stays where it is
    figure = figures.schematic(POINTS[2], own, paths, POINTS[3, 0], POINTS[3, 1])
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
    assert {"own memory", "displaced by noise", "t = 0", "t = T"} <= set(names)


def test_an_odd_number_of_panels_leaves_no_empty_axes():
    figure = figures.distance_panels(CURVES[:5], CURVES[:5], NAMES[:5], "concept")
    FigureCanvasAgg(figure).draw()
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False]
    numbered = [axes.xaxis.get_tick_params()["labelbottom"] for axes in figure.axes[:5]]
    assert numbered == [False, False, False, True, True]


def test_the_concepts_stand_over_the_variances_of_their_latents():
    figure = figures.concepts_by_latent(CONCEPTS, VARIANCES, 0.01, NAMES)
    top, bottom = figure.axes[:2]
    assert np.array_equal(top.images[0].get_array(), CONCEPTS)
    dashes = top.collections[0].get_offsets().astype(int)
    negative = np.less(CONCEPTS, -0.1 * np.abs(CONCEPTS).max())
    assert sorted(map(tuple, dashes)) == sorted(zip(*negative.T.nonzero(), strict=True))
    active, inactive, threshold = bottom.lines
    assert active.get_xdata().tolist() == list(range(5))
    assert inactive.get_xdata().tolist() == list(range(5, 20))
    assert not inactive.get_clip_on()  # the last one stands on the edge
    assert f"concept (a dash: below −{0.1 * np.abs(CONCEPTS).max():.2g})" in texts(figure)
    assert set(threshold.get_ydata()) == {0.01}


def test_the_contribution_reaches_its_share_at_the_named_component():
    figure = figures.contribution(np.array([0.5, 0.3, 0.15, 0.05]), 0.7, 2, 3)
    curve, corner, active = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_xydata().T, [[1, 2, 3, 4], [0.5, 0.8, 0.95, 1]])
    assert corner.get_xydata().tolist() == [[0, 0.7], [2, 0.7], [2, 0]]
    assert set(active.get_xdata()) == {3}
    assert corner.get_color() == "black"
    assert {"70% of the variance: 2 components", "3 active latents"} <= texts(figure)


def test_cosines_are_shown_as_numbers_or_with_a_dash():
    matrix = np.array([[1, -0.456, -0.001], [-0.456, 1, 0.2], [-0.001, 0.2, 1]])
    figure = figures.cosine_matrix(matrix, NAMES[:3])
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert cells == ["1.00", "−0.46", "0.00", "−0.46", "1.00", "0.20", "0.00", "0.20", "1.00"]
    figure = figures.cosine_matrices([2, 5], np.stack([matrix, matrix**2]))
    panels = figure.axes[:2]
    assert [axes.get_title() for axes in panels] == ["$N_z = 2$", "$N_z = 5$"]
    for axes, expected in zip(panels, [matrix, matrix**2], strict=True):
        assert np.array_equal(axes.images[0].get_array(), expected)
    dashes = [axes.collections[0].get_offsets().tolist() for axes in panels]
    assert dashes == [[[1, 0], [2, 0], [0, 1], [0, 2]], []]


def luminance(colour):
    """Relative, as WCAG defines it."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92) @ (
        0.2126, 0.7152, 0.0722
    )  # fmt: skip


def test_numbers_and_dashes_stand_out_from_their_cells():
    values = np.linspace(-1, 1, 100).reshape(10, 10)
    for figure, marks in (
        (figures.cosine_matrix(values, NAMES), lambda axes: [t.get_color() for t in axes.texts]),
        (
            figures.cosine_matrices([2], values[None]),
            lambda axes: axes.collections[0].get_edgecolor()[:, :3],
        ),
    ):
        axes = figure.axes[0]
        cells = axes.images[0].to_rgba(values)[..., :3].reshape(-1, 3)
        for cell, mark in zip(cells, marks(axes), strict=False):
            dark, light = sorted((luminance(cell), luminance(mark)))
            assert (light + 0.05) / (dark + 0.05) > 4


def against_dimension(epochs):
    return figures.against_dimension([2, 8, 20, 100], ROOTS, LEAST, AROUND_MEAN, INSETS, epochs)


def test_orthogonality_is_drawn_over_its_bound_with_three_insets():
    figure = against_dimension([60] * 4)
    main, *panels = figure.axes
    *segments, concepts, around_mean, bound = main.lines
    ends = np.array([[2, 7], [8, 5], [20, 2], [100, 1]])
    drawn = [segment.get_xydata().tolist() for segment in segments]
    assert drawn == [ends[i : i + 2].tolist() for i in range(3)]
    assert {segment.get_linestyle() for segment in segments} == {"-"}
    np.testing.assert_allclose(concepts.get_xydata(), ends)
    np.testing.assert_allclose(bound.get_xydata().T, [range(2, 101), LEAST])
    np.testing.assert_allclose(around_mean.get_xydata().T, [range(2, 101), AROUND_MEAN])
    lettered = {text.get_text(): text.xy for text in main.texts}
    assert lettered == {"(A)": (2, 7), "(B)": (8, 5), "(C)": (100, 1)}
    assert not any("epochs" in text.get_text() for text in main.get_legend().get_texts())
    for axes, (_, curves, line) in zip(panels, INSETS, strict=True):
        dashed, solid, *_ = axes.lines
        np.testing.assert_allclose(solid.get_ydata(), curves.mean(1))
        np.testing.assert_allclose(dashed.get_ydata(), line.mean(1))


def test_networks_trained_for_fewer_epochs_are_told_from_the_others():
    figure = against_dimension([60, 60, 1500, 1500])
    main, *panels = figure.axes
    *segments, longest, fewer, _, _ = main.lines
    assert [segment.get_linestyle() for segment in segments] == ["-", "--", "-"]
    assert longest.get_xydata().tolist() == [[20, 2], [100, 1]]
    assert fewer.get_xydata().tolist() == [[2, 7], [8, 5]]
    assert fewer.get_markerfacecolor() == "white"
    legend = [text.get_text() for text in main.get_legend().get_texts()]
    assert {"the concepts, after 1,500 epochs", "the concepts, after fewer"} <= set(legend)
    titles = [axes.get_title(loc="left").split("\n") for axes in panels]
    assert [title[:2] for title in titles] == [
        ["(A) $N_z = 2$", "60 epochs"],
        ["(B) $N_z = 8$", "60 epochs"],
        ["(C) $N_z = 100$", "1,500 epochs"],
    ]
    minima = [curves.mean(1).argmin() for _, curves, _ in INSETS]
    assert [title[2] for title in titles] == [f"minimum at t = {t}" for t in minima]


def test_the_times_of_every_reading_are_in_the_panel_of_their_centre_and_noise():
    figure = figures.times_by_reading(TIMES, (20, 30))
    axes = figure.axes
    for handle, beta in zip(figure.legends[0].legend_handles, (0.5, 1, 4), strict=True):
        assert handle.get_label() == rf"$\beta={beta:g}$"
        assert len(set(handle.get_color())) == 1  # grey: the rows differ in colour
    panels = [(centre, noise) for centre in ("memory", "concept") for noise in ("swap", "invert")]
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


def test_the_facts_of_a_reading_are_shaded_and_bold_where_they_are_met():
    axes = figures.facts_by_reading(JUDGED, FACTS).axes[0]
    shown = [text.get_text() for text in axes.texts]
    assert shown == ["14", "all p", "14", "29%", "3", "no p"]
    assert [text.get_fontweight() for text in axes.texts] == [
        "bold" if i == 2 else "normal" for i in range(6)
    ]
    shaded = (axes.collections[0].get_facecolors() != 1).any(1)
    assert shaded.tolist() == [i == 2 for i in range(6)]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["the paper", "swap, β = 1", "invert, β = 1"]


def test_two_data_sets_stand_side_by_side_label_by_label():
    figure = figures.approach_by_dataset(OF_DATASETS)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [name for pair in zip(NAMES, FASHION, strict=True) for name in pair]
    for axes, title in zip(figure.axes, titles, strict=True):
        of_label = OF_DATASETS[OF_DATASETS.label == title]
        np.testing.assert_allclose(axes.lines[1].get_ydata(), of_label["mean"])
    alone = figures.approach_by_dataset(OF_DATASETS[OF_DATASETS.dataset == "digits"])
    assert [axes.get_title(loc="left") for axes in alone.axes] == NAMES


def test_every_data_set_has_its_own_stages():
    upper, lower = figures.stages_by_dataset(CLOSEST, STAGES).axes
    assert [text.get_text() for text in upper.texts] == ["I", "III"]
    assert [text.get_text() for text in lower.texts] == ["II"]


def test_the_bars_of_the_counts_are_the_counts():
    axes = figures.counts_by_dataset(COUNTS).axes[0]
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    assert widths == [[3] * 4, [10] * 4]


def test_bars_of_ratios_are_medians_of_the_repeats_with_their_range():
    """Slowest contestant first; what was not measured has no bar."""
    axes = figures.training_ratios(EPOCHS).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["loop", "ours"]
    float32, bfloat16 = axes.containers
    assert [bar.get_width() for bar in float32] == pytest.approx([1.6, 1.0])
    assert [bar.get_width() for bar in bfloat16 if bar.get_width() > 0] == pytest.approx([0.5])
    assert axes.lines[0].get_xdata() == pytest.approx([1.5, 1.7])


def test_an_embedding_names_every_label_and_none_hides_another():
    wide = CLOUD * [100, 1]
    figure = figures.embedding([("(a)", CLOUD, LABELLED), ("(b)", wide, LABELLED)], NAMES, 100)
    FigureCanvasAgg(figure).draw()
    for axes, points in zip(figure.axes, (CLOUD, wide), strict=True):
        np.testing.assert_allclose(axes.collections[0].get_offsets(), points[::3])
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
    p = np.linspace(0, 1, 11)
    figure = figures.label_map(p, [(6, MODAL, SHARE)], FASHION)
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "from 'shirt'"
    named = {text.get_text(): text for text in axes.texts}
    assert set(named) == {"shirt", "pullover", "boot"}
    for name, text in named.items():  # each name lies in its own region
        t, height = text.get_position()
        assert FASHION[MODAL[round(height * 10), round(t)]] == name
        assert text.get_fontweight() == ("bold" if name == "shirt" else "normal")
    colours = np.asarray(axes.collections[0].get_array())
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 3
    half = figures.label_map(p, [(6, MODAL, 0 * SHARE + 0.5)], FASHION).axes[0]
    paler = np.asarray(half.collections[0].get_array())[10, 30]
    assert (paler > colours[10, 30]).all()


def test_below_a_label_map_stands_what_each_colour_means():
    share = np.tile(np.linspace(0.12, 1, 31), (11, 1))
    figure = figures.label_map(np.linspace(0, 1, 11), [(6, MODAL, share)], FASHION)
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
    figure = figures.label_map(np.linspace(0, 1, 11), [(6, modal, SHARE)], FASHION)
    axes = figure.axes[0]
    (hatched,) = (cells for cells in axes.collections if cells.get_hatch())
    centres = {tuple(path.vertices[:4].mean(0).round(6)) for path in hatched.get_paths()}
    assert centres == {(t, round(row / 10, 6)) for row, t in np.argwhere(modal != 6)}
    assert not hatched.get_facecolor().size or not hatched.get_facecolor()[:, 3].any()
    assert "hatched: another label" in texts(axes)


def test_a_label_map_draws_a_border_wherever_labels_change_and_a_strong_one_around_the_own():
    axes = figures.label_map(np.linspace(0, 1, 11), [(6, MODAL, SHARE)], FASHION).axes[0]
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
    modal = np.kron(RANDOM.integers(10, size=(9, 10)), np.ones((3, 10), int))
    modal[:2] = 1  # two rows high, at the edge
    p = np.arange(len(modal))
    figure = figures.label_map(p, [(1, modal, 0 * modal + 1)] * 2, FASHION)
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
    axes = figures.label_map(np.linspace(0, 1, 11), [(6, modal, SHARE)], FASHION).axes[0]
    assert [text.get_text() for text in axes.texts] == ["shirt"]


def test_final_probabilities_show_every_trial_once_in_the_order_of_its_label():
    figure = figures.final_probabilities(PROBABILITIES, FASHION)
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (10, 40)
    np.testing.assert_array_equal(np.unique(shown.T, axis=0), np.unique(PROBABILITIES, axis=0))
    judged = shown.argmax(0)
    assert (np.diff(judged) >= 0).all()
    right = figure.axes[0].child_axes[0]
    counts = [int(label.get_text()) for label in right.get_yticklabels()]
    assert counts == [(PROBABILITIES.argmax(1) == k).sum() for k in range(10)]


def test_curves_of_all_and_of_those_that_stay_and_their_straight_lines():
    stays = np.arange(20) < 12
    figure = figures.staying(CURVES[0], CURVES[1], stays, "6")
    (axes,) = figure.axes
    for group, members in ((axes.lines[:4], slice(None)), (axes.lines[4:], slice(12))):
        solid, dashed, *points = group
        means = [CURVES[1][:, members].mean(1), CURVES[0][:, members].mean(1)]
        np.testing.assert_allclose([dashed.get_ydata(), solid.get_ydata()], means)
        assert (dashed.get_linestyle(), solid.get_linestyle()) == ("--", "-")
        for point, mean in zip(points, means, strict=True):
            np.testing.assert_allclose(point.get_xydata(), [[mean.argmin(), mean.min()]])
        assert points[0].get_markerfacecolor() == "white"
    assert axes.lines[1].get_color() == axes.lines[5].get_color() == CONTROL
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["all 20 trials", "the 12 that stay '6'", "straight line of each"]
    (alone,) = figures.staying(CURVES[0], CURVES[1], np.zeros(20, bool), "6").axes
    assert len(alone.lines) == 4


def counts_above(axes):
    """At the upper edge, by latent dimension."""
    return {text.xy[0]: text.get_text() for text in axes.texts if text.xy[1] == 1}


def test_the_best_setting_of_each_dimension_is_the_curve_and_what_lies_above_is_counted():
    figure = figures.best_of_settings([2, 10, 100], ERRORS, (10, 20))
    (axes,) = figure.axes
    every, best, circle = axes.lines
    assert sorted(map(tuple, every.get_xydata())) == sorted(
        (n_z, error)
        for n_z, of_n_z in zip([2, 10, 100], ERRORS, strict=True)
        for error in of_n_z.flat
    )
    assert best.get_xydata().tolist() == [[2, 330], [10, 305], [100, 308]]
    assert circle.get_xydata().tolist() == [[10, 305]]
    assert every.get_zorder() > best.get_zorder()  # no dot hidden by a diamond
    assert best.get_markerfacecolor() == "white"
    assert "$N_z^* = 10$" in texts(figure)
    assert counts_above(axes) == {10: "2"}
    low, high = axes.get_ylim()
    assert low < 305
    assert 350 < high < 360  # just above the highest of those near the best


def test_the_end_of_the_fall_is_magnified_by_the_criterion_of_flatness():
    errors = np.array([150, 112, 104.8, 100, 102, 120.0])[:, None, None] + np.array([[[0, 3]]])
    whole, below = figures.best_of_settings([2, 5, 8, 10, 20, 100], errors, (10, 20)).axes
    assert below.get_ylim() == pytest.approx((98.5, 105))  # of a fall of 50
    low, high = below.get_xlim()
    assert 5 < low < 8
    assert high > 100  # what rises again is seen to leave it
    for upper, lower in zip(whole.lines, below.lines, strict=True):
        assert upper.get_xydata().tolist() == lower.get_xydata().tolist()


def test_where_nothing_is_cut_off_the_scale_ends_just_above_the_highest_point():
    (axes,) = figures.best_of_settings([2, 10, 100], ERRORS[:, :, :1] * 0 + 300, (10, 20)).axes
    assert axes.get_ylim()[1] == 301
    assert counts_above(axes) == {}


def test_each_setting_has_its_own_curve_colour_and_marker():
    (axes,) = figures.by_setting([2, 10, 100], OF_RATES).axes
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
    failed[1] = np.inf
    (axes,) = figures.best_of_settings([2, 10, 100], failed, (10, 20)).axes
    assert np.isinf(axes.lines[1].get_ydata()[1])
    assert axes.get_ylim()[1] < 9000
    assert "$N_z^* = 100$" in texts(axes)
    assert counts_above(axes) == {2: "1", 10: "4"}


def test_the_band_is_one_standard_error_and_each_dot_the_minimum_of_its_own_curve():
    distances, lines = RANDOM.random((6, 5)), RANDOM.random((6, 5))
    (axes,) = figures.staying(distances, lines, np.array([True] * 3 + [False] * 2), "6").axes
    band = axes.collections[0].get_paths()[0].vertices
    sem = distances[2].std(ddof=1) / 5**0.5
    assert max(y for x, y in band if x == 2) == pytest.approx(distances[2].mean() + sem)
    dots = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"]
    of_line = lines.mean(1)
    assert dots[0] == pytest.approx([of_line.argmin(), of_line.min()])


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
DRAWN = ("against_dimension", "architecture", "concepts_by_latent", "label_map", "distance_panels")


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
