"""Figures show the arrays they are given, legibly, on an opaque ground."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from repinf_core import data, figures
from repinf_core.figures.style import LABELS

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((31, 784))


def record(epoch):
    return SimpleNamespace(
        epoch=epoch,
        train_negative_elbo=100 + 50 / epoch,
        test_negative_elbo=101 + 50 / epoch,
        test_reconstruction=80 + 50 / epoch,
        test_kl=21.0,
        active_latents=100 // epoch,
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
FASHION = data.CLASS_NAMES["fashion_mnist"]
# A map of three labels: 6 below; above it 2, then 9; half of the trials agree, all on 9.
MODAL = np.full((11, 31), 6)
MODAL[6:, :15], MODAL[6:, 15:] = 2, 9
SHARE = np.where(MODAL == 9, 1, 0.5)
PROBABILITIES = RANDOM.dirichlet(np.full(10, 0.1), 40)
ERRORS = np.array(
    [[[330.0, 340], [350, 345]], [[310, 305], [9000, np.inf]], [[308, 311], [325, 320]]]
)
LEAST = np.linspace(6.3, 0, 99)  # at every N_z from 2 to 100
TIMES = {
    (noise, beta): {"memory": RANDOM.random(3), "concept": RANDOM.random(3)}
    for noise in ("swap", "invert")
    for beta in (0.5, 1, 4)
}
FIGURES = {
    "best_of_settings": lambda: figures.best_of_settings([2, 10, 100], ERRORS, (10, 20)),
    "by_rate": lambda: figures.by_rate([2, 10, 100], [0.1, 0.01], ERRORS),
    "against_dimension": lambda: figures.against_dimension(
        [2, 8, 20, 100], np.array([7, 5, 2, 1]), LEAST, INSETS
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
    "schematic": lambda: figures.schematic(POINTS[0], POINTS, POINTS[0, 0], POINTS[0, 1]),
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
    "staying": lambda: figures.staying(CURVES[0], np.arange(20) < 12, "6"),
    "none stays": lambda: figures.staying(CURVES[0], np.zeros(20, bool), "6"),
    "one stays": lambda: figures.staying(CURVES[0], np.arange(20) == 3, "6"),
    "distance_panels": lambda: figures.distance_panels(CURVES, CURVES, NAMES, "concept"),
    "times_by_reading": lambda: figures.times_by_reading([0, 0.5, 1], TIMES, (20, 30)),
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
        one.train_negative_elbo -= one.epoch / 20
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


def test_a_strip_shows_every_step_in_order_and_outlines_two():
    figure = figures.strip(IMAGES, IMAGES[5], concept_step=4, memory_step=2)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert np.array_equal(np.reshape(shown[:31], (31, 784)), IMAGES)
    assert np.array_equal(shown[31].ravel(), IMAGES[5])
    outlined = {i for i, axes in enumerate(figure.axes) if axes.patches}
    assert outlined == {2, 4, 31}


def test_a_strip_shows_no_more_than_a_hundred_steps():
    figure = figures.strip(np.tile(IMAGES, (5, 1)), IMAGES[0], 4, 2)
    assert len(figure.axes) == 101


@pytest.mark.parametrize("target", ["concept", "memory", "wrong concept"])
def test_distance_panels_show_mean_band_control_and_minimum(target):
    control = CURVES[:, ::-1]
    figure = figures.distance_panels(CURVES, control, NAMES, target)
    assert [axes.get_title(loc="left") for axes in figure.axes] == NAMES
    for axes, curves, line in zip(figure.axes, CURVES, control, strict=True):
        dashed, solid, point = axes.lines
        mean = curves.mean(1)
        np.testing.assert_allclose(solid.get_ydata(), mean)
        np.testing.assert_allclose(dashed.get_ydata(), line.mean(1))
        assert point.get_xydata().tolist() == [[mean.argmin(), mean.min()]]
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
    assert set(threshold.get_ydata()) == {0.01}


def test_the_contribution_reaches_its_share_at_the_named_component():
    figure = figures.contribution(np.array([0.5, 0.3, 0.15, 0.05]), 0.7, 2, 3)
    curve, corner, active = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_xydata().T, [[1, 2, 3, 4], [0.5, 0.8, 0.95, 1]])
    assert corner.get_xydata().tolist() == [[0, 0.7], [2, 0.7], [2, 0]]
    assert set(active.get_xdata()) == {3}
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
    assert dashes == [[[1, 0], [0, 1]], []]


def test_orthogonality_is_drawn_over_its_bound_with_three_insets():
    roots = np.array([7, 5, 2, 1])
    figure = figures.against_dimension([2, 8, 20, 100], roots, LEAST, INSETS)
    main, *panels = figure.axes
    concepts, bound = main.lines
    np.testing.assert_allclose(concepts.get_xydata().T, [[2, 8, 20, 100], roots])
    np.testing.assert_allclose(bound.get_xydata().T, [range(2, 101), LEAST])
    lettered = {text.get_text(): text.xy for text in main.texts}
    assert lettered == {"(A)": (2, 7), "(B)": (8, 5), "(C)": (100, 1)}
    for axes, (_, curves, line) in zip(panels, INSETS, strict=True):
        dashed, solid, _ = axes.lines
        np.testing.assert_allclose(solid.get_ydata(), curves.mean(1))
        np.testing.assert_allclose(dashed.get_ydata(), line.mean(1))


def test_the_times_of_every_reading_are_in_the_panel_of_their_centre_and_noise():
    p = [0, 0.5, 1]
    axes = figures.times_by_reading(p, TIMES, (20, 30)).axes
    panels = [(centre, noise) for centre in ("memory", "concept") for noise in ("swap", "invert")]
    for panel, (centre, noise) in zip(axes, panels, strict=True):
        assert panel.get_title(loc="left") == f"{centre}, {noise}"
        for line, beta in zip(panel.lines, (0.5, 1, 4), strict=True):
            np.testing.assert_allclose(line.get_xydata().T, [p, TIMES[noise, beta][centre]])
            assert line.get_label() == rf"$\beta={beta:g}$"
        assert len({(line.get_linestyle(), line.get_marker()) for line in panel.lines}) == 3
        printed = [(band.get_y(), band.get_y() + band.get_height()) for band in panel.patches]
        assert printed == ([(20, 30)] if centre == "concept" else [])


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
        for i in range(10):
            for j in range(i):
                assert (np.abs(centres[i] - centres[j]) > 0.9 * sizes[i]).any()


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
    np.testing.assert_allclose(colours[10, 30], to_rgb(LABELS[9]))  # all agree: its very colour
    half = figures.label_map(p, [(6, MODAL, 0 * SHARE + 0.5)], FASHION).axes[0]
    paler = np.asarray(half.collections[0].get_array())[10, 30]
    assert (paler > colours[10, 30]).all()


def test_a_label_map_draws_a_border_wherever_labels_change_and_a_strong_one_around_the_own():
    axes = figures.label_map(np.linspace(0, 1, 11), [(6, MODAL, SHARE)], FASHION).axes[0]
    thin, thick = axes.collections[1:]
    own = {((t - 0.5, 0.55), (t + 0.5, 0.55)) for t in range(31)}
    other = {((14.5, k / 10 - 0.05), (14.5, k / 10 + 0.05)) for k in range(6, 11)}

    def segments(lines):
        return {tuple(map(tuple, segment.round(9))) for segment in np.array(lines.get_segments())}

    rounded = lambda lines: {tuple(map(tuple, np.round(line, 9))) for line in lines}  # noqa: E731
    assert segments(thick) == rounded(own)
    assert segments(thin) == rounded(own | other)
    assert thick.get_linewidth()[0] > 2 * thin.get_linewidth()[0]


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


def test_curves_of_all_and_of_those_that_stay():
    stays = np.arange(20) < 12
    (axes,) = figures.staying(CURVES[0], stays, "6").axes
    dashed, first, solid, second = axes.lines
    for line, point, curves in ((dashed, first, CURVES[0]), (solid, second, CURVES[0][:, :12])):
        mean = curves.mean(1)
        np.testing.assert_allclose(line.get_ydata(), mean)
        assert point.get_xydata().tolist() == [[mean.argmin(), mean.min()]]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["all 20 trials", "the 12 that stay '6'"]
    (alone,) = figures.staying(CURVES[0], np.zeros(20, bool), "6").axes
    assert len(alone.lines) == 2


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
    assert "$N_z^* = 10$" in texts(figure)
    assert counts_above(axes) == {10: "2"}
    low, high = axes.get_ylim()
    assert low < 305
    assert 350 < high < 9000


def test_each_rate_has_its_own_curve_colour_and_marker():
    (axes,) = figures.by_rate([2, 10, 100], [0.1, 0.01], ERRORS).axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [
        [330, 305, 308],
        [345, 9000, 320],
    ]
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
