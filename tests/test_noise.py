"""The noise against its exact distribution; the trials against what is promised of them."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from repinf_core.data import LabelledImages
from repinf_core.noise import (
    NOISES,
    corrupt,
    draw_trials,
    gaussian,
    noisy_trials,
    psnr,
)
from repinf_core.streams import Stream, stream_seed

# Statistical tests have fixed seeds; each would fail a correct program once in a thousand seeds.
SMALLEST_P_VALUE = 1e-3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- trials ---------------------------------------------------------------------------------


@given(n_labels=st.integers(1, 4), trials=st.integers(1, 40), seed=st.integers(0, 1000))
def test_trials_are_of_the_label_and_all_images_come_equally_often(n_labels, trials, seed):
    labels = torch.randint(0, n_labels, (20,), generator=generator(seed))
    label = int(labels[0])
    drawn = draw_trials(labels, label, trials, generator(seed + 1))
    assert drawn.shape == (trials,)
    assert drawn.dtype == torch.int64
    assert (labels[drawn] == label).all()
    counts = drawn.bincount(minlength=20)[labels == label]
    assert counts.max() - counts.min() <= 1  # so none twice before all once
    first = drawn[: len(counts)]
    assert len(first.unique()) == len(first)
    assert torch.equal(drawn, draw_trials(labels, label, trials, generator(seed + 1)))


def test_trials_are_in_random_order():
    # Every ordered pair of three images is equally likely to come first.
    labels, source = torch.tensor([1, 0, 1, 1]), generator(8)
    pairs = [tuple(draw_trials(labels, 1, 2, source).tolist()) for _ in range(1200)]
    counts = [pairs.count(pair) for pair in itertools.permutations([0, 2, 3], 2)]
    assert sum(counts) == 1200
    assert stats.chisquare(counts).pvalue > SMALLEST_P_VALUE


def test_a_label_that_no_image_has_is_refused():
    with pytest.raises(ValueError, match="Label is 7; allowed are those of the data"):
        draw_trials(torch.tensor([0, 1, 2]), 7, 3, generator())


@pytest.mark.parametrize("noise", NOISES)
def test_noisy_trials_are_the_labels_in_turn_each_with_its_noise(noise):
    images = torch.rand(30, 784, generator=generator(1))
    train = LabelledImages(images, torch.arange(30) % 3)
    rows, x0 = noisy_trials(train, [2, 0], 7, 0.4, noise, 5)
    source = generator(5)
    drawn = [draw_trials(train.labels, label, 7, source) for label in (2, 0)]
    assert rows.tolist() == [*drawn[0].tolist(), *drawn[1].tolist()]
    assert torch.equal(x0, corrupt(images[rows], 0.4, source, noise))
    changed = (x0 != images[rows]).float().mean()
    assert 0.37 < changed < 0.43  # of 10,976 pixels, six standard deviations
    again, clean = noisy_trials(train, [2, 0], 7, 0.0, noise, 5)
    assert torch.equal(again, rows)
    assert torch.equal(clean, images[rows])


@given(p=st.floats(0, 1), q=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_a_pixel_selected_at_one_p_is_selected_at_every_larger_one(p, q, seed):
    train = LabelledImages(torch.zeros(30, 784), torch.arange(30) % 3)
    (few_rows, few), (many_rows, many) = (
        noisy_trials(train, [2, 0], 7, level, "invert", seed) for level in sorted((p, q))
    )
    assert torch.equal(few_rows, many_rows)
    assert (few <= many).all()  # inverted, a pixel of these images is 1


def selected(labels, seed):
    """Which pixels of each label's trials are selected at p = 0.3, one row of 784 each."""
    train = LabelledImages(torch.zeros(200, 784), torch.arange(200) % 10)
    _, x0 = noisy_trials(train, labels, 20, 0.3, "invert", seed)
    return x0.bool().unflatten(0, (len(labels), 20))


def assert_independent(one, other):
    """Two fields of noise at p = 0.3 have as many pixels in common as chance gives them."""
    both = int((one & other).sum())
    assert stats.binomtest(both, one.numel(), 0.3**2).pvalue > SMALLEST_P_VALUE


def test_the_labels_of_one_call_have_independent_noise():
    six, one = selected([6, 1], 0)
    assert_independent(six, one)


def test_labels_of_separate_calls_have_independent_noise_by_their_own_seeds():
    fields = [selected([label], stream_seed(0, label))[0] for label in range(4)]
    for one, other in itertools.combinations(fields, 2):
        assert_independent(one, other)


def test_every_stream_of_every_seed_has_a_seed_of_its_own():
    streams = [*range(10), *Stream]
    seeds = {stream_seed(seed, stream) for seed in range(200) for stream in streams}
    assert len(seeds) == 200 * len(streams)
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert stream_seed(3, 4) != stream_seed(4, 3)
    stream_seed(2**31 - 1, 9)  # the largest that a page takes


def test_images_that_come_again_come_in_another_order():
    drawn = draw_trials(torch.zeros(20, dtype=torch.int64), 0, 40, generator())
    assert not torch.equal(drawn[:20], drawn[20:])


# --- noise ----------------------------------------------------------------------------------


@given(
    rows=st.integers(1, 5),
    width=st.integers(1, 30),
    p=st.floats(0, 1),
    noise=st.sampled_from(sorted(NOISES)),
    seed=st.integers(0, 1000),
)
def test_noise_is_reproducible_and_keeps_its_input(rows, width, p, noise, seed):
    images = torch.rand(rows, width, generator=generator(seed))
    before = images.clone()
    noisy = corrupt(images, p, generator(seed + 1), noise)
    assert torch.equal(images, before)
    assert (noisy.shape, noisy.dtype) == (images.shape, images.dtype)
    assert torch.equal(noisy, corrupt(images, p, generator(seed + 1), noise))


@given(
    rows=st.integers(1, 5), width=st.integers(1, 30), p=st.floats(0, 1), seed=st.integers(0, 1000)
)
def test_permuting_keeps_the_intensities_of_each_image(rows, width, p, seed):
    # Few grey levels, so that equal intensities are met as in real images.
    images = torch.randint(0, 5, (rows, width), generator=generator(seed)) / 4
    noisy = corrupt(images, p, generator(seed + 1))
    assert torch.equal(noisy.sort(1).values, images.sort(1).values)


@pytest.mark.parametrize("noise", NOISES)
def test_without_noise_nothing_changes(noise):
    images = torch.rand(20, 784, generator=generator())
    assert torch.equal(corrupt(images, 0, generator(1), noise), images)


@pytest.mark.parametrize("noise", ["permute", "invert"])
def test_noise_is_that_of_a_plain_loop_over_the_same_random_numbers(noise):
    """Which holds the published numbers: another use of the generator would change them."""
    images = torch.rand(5, 784, generator=generator())
    noisy = corrupt(images, 0.4, generator(1), noise).numpy()
    expected = images.numpy().copy()
    for image, uniform in zip(expected, torch.rand(5, 784, generator=generator(1)), strict=True):
        places = [i for i in range(784) if uniform[i] < 0.4]
        if noise == "invert":
            image[places] = 1 - image[places]
        else:
            image[places] = image[sorted(places, key=lambda i: uniform[i])]
    np.testing.assert_array_equal(noisy, expected)


def test_inverting_everything_is_the_negative():
    images = torch.rand(20, 784, generator=generator())
    assert torch.equal(corrupt(images, 1, generator(1), "invert"), 1 - images)


@given(p=st.floats(0, 1), seed=st.integers(0, 1000))
def test_inverting_the_same_pixels_twice_is_the_identity(p, seed):
    # Sixteenths, as in the digits, are exact in float32, and so are their complements.
    images = torch.randint(0, 17, (4, 50), generator=generator(seed)) / 16
    once = corrupt(images, p, generator(seed + 1), "invert")
    assert torch.equal(corrupt(once, p, generator(seed + 1), "invert"), images)


def test_permutation_is_the_default():
    images = torch.rand(3, 784, generator=generator())
    default = corrupt(images, 0.4, generator(1))
    assert torch.equal(default, corrupt(images, 0.4, generator(1), "permute"))
    assert not torch.equal(default, images)


@pytest.mark.parametrize("p", [0.05, 0.2, 0.8])
def test_each_pixel_is_inverted_with_probability_p_on_its_own(p):
    n = 2000
    inverted = corrupt(torch.zeros(n, 784), p, generator(3), "invert").numpy()
    assert set(np.unique(inverted)) == {0, 1}
    total = int(inverted.sum())
    assert stats.binomtest(total, n * 784, p).pvalue > SMALLEST_P_VALUE
    # Binomial in each position over images and in each image over positions, as no rule that
    # selects whole images, whole positions or a fixed number of pixels is.
    for counts, size in ((inverted.sum(0), n), (inverted.sum(1), 784)):
        chi2 = ((counts - size * p) ** 2 / (size * p * (1 - p))).sum()
        tail = min(stats.chi2.cdf(chi2, len(counts)), stats.chi2.sf(chi2, len(counts)))
        assert 2 * tail > SMALLEST_P_VALUE


@pytest.mark.parametrize("p", [0.05, 0.2, 0.8])
def test_permuting_moves_the_selected_pixels_but_one(p):
    # A uniform permutation of any number of pixels keeps, on average, one in its place, with
    # variance 1; the number selected is binomial.
    n, images = 2000, torch.arange(784.0).expand(2000, 784)
    moved = (corrupt(images, p, generator(4)) != images).sum(1).double()
    standard_error = math.sqrt((784 * p * (1 - p) + 1) / n)
    assert abs(moved.mean().item() - (784 * p - 1)) < 4 * standard_error
    assert not (moved == 1).any()  # nothing can move alone


def permutation_probabilities(width, p):
    """Exact: select each position with probability p, then permute the selected uniformly."""
    probability = dict.fromkeys(itertools.permutations(range(width)), 0.0)
    for selected in itertools.product([False, True], repeat=width):
        places = [i for i in range(width) if selected[i]]
        share = p ** len(places) * (1 - p) ** (width - len(places)) / math.factorial(len(places))
        for order in itertools.permutations(places):
            outcome = list(range(width))
            for place, source in zip(places, order, strict=True):
                outcome[place] = source
            probability[tuple(outcome)] += share
    return probability


@pytest.mark.parametrize("p", [0.3, 0.7, 1.0])
def test_every_permutation_has_its_exact_probability(p):
    n = 24_000
    noisy = corrupt(torch.arange(4.0).expand(n, 4), p, generator(5))
    outcomes, found = np.unique(noisy.int().numpy(), axis=0, return_counts=True)
    counts = dict(zip(map(tuple, outcomes.tolist()), found, strict=True))
    expected = permutation_probabilities(4, p)
    assert sum(expected.values()) == pytest.approx(1)
    observed = [counts.get(outcome, 0) for outcome in expected]
    test = stats.chisquare(observed, [n * share for share in expected.values()])
    assert test.pvalue > SMALLEST_P_VALUE


def test_with_p_1_a_pixel_goes_anywhere():
    n = 7840
    noisy = corrupt(torch.arange(784.0).expand(n, 784), 1, generator(6))
    for intensity in (0, 400, 783):
        place = (noisy == intensity).nonzero()[:, 1]
        counts = torch.bincount(place, minlength=784).numpy()  # ten expected in each
        assert counts.sum() == n
        assert stats.chisquare(counts).pvalue > SMALLEST_P_VALUE


def test_equal_images_get_independent_noise():
    # All pairs of permutations of three pixels, in neighbouring images, are equally likely.
    n = 14_400
    noisy = corrupt(torch.arange(3.0).expand(2 * n, 3), 1, generator(7))
    pairs = noisy.int().view(n, 6).numpy()
    _, counts = np.unique(pairs, axis=0, return_counts=True)
    assert len(counts) == 36
    assert stats.chisquare(counts).pvalue > SMALLEST_P_VALUE


@pytest.mark.parametrize("p", [-0.1, 1.5, math.nan, math.inf])
def test_a_fraction_outside_0_to_1_is_refused(p):
    with pytest.raises(ValueError, match="allowed is a number from 0 to 1") as error:
        corrupt(torch.zeros(1, 4), p, generator())
    assert repr(p) in str(error.value)


def test_an_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="Noise is 'salt'; allowed is one of permute, invert"):
        corrupt(torch.zeros(1, 4), 0.2, generator(), "salt")


def test_without_noise_no_pixel_is_selected_whatever_is_drawn(monkeypatch):
    images = torch.rand(3, 784, generator=generator())
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.zeros(shape))  # which may come
    assert torch.equal(corrupt(images, 0, generator(), "invert"), images)


# --- Gaussian noise, and how much noise there is ----------------------------------------------


@pytest.mark.parametrize("level", [0.0, 0.1, 1.0])
def test_gaussian_noise_is_numpys_sum_clipped(level):
    images = torch.rand(5, 784, generator=generator(1))
    drawn = torch.randn(5, 784, generator=generator(2)).numpy()
    expected = np.clip(images.numpy() + np.float32(level) * drawn, 0, 1)
    np.testing.assert_array_equal(gaussian(images, level, generator(2)), expected)


def test_on_grey_pixels_the_deviations_are_normal_with_the_level_as_standard_deviation():
    images = torch.full((20, 784), 0.5, dtype=torch.float64)
    deviations = (gaussian(images, 0.05, generator()) - images).flatten() / 0.05
    assert stats.kstest(deviations, "norm").pvalue > SMALLEST_P_VALUE


@pytest.mark.parametrize("level", [-0.1, math.nan])
def test_a_level_below_0_is_refused(level):
    with pytest.raises(ValueError, match=f"Noise level is {level}; allowed is a number from 0."):
        gaussian(torch.zeros(1, 784), level, generator())


def test_the_psnr_is_20_db_for_every_factor_10_of_the_error():
    clean = torch.full((4, 784), 0.2, dtype=torch.float64)
    images = clean + torch.tensor([1.0, 0.1, 0.01, 0.0])[:, None]
    found = psnr(images, clean)
    torch.testing.assert_close(
        found[:3], torch.tensor([0.0, 20.0, 40.0]).double(), atol=1e-5, rtol=0
    )
    assert found[3] == math.inf
