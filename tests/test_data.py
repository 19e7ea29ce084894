import hashlib
import itertools
import math
import os
import struct

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.datasets import load_digits

from repinf_core import data
from repinf_core.models.mlp import reconstruction_floor

# Statistical tests have fixed seeds; each would fail a correct program once in a thousand seeds.
SMALLEST_P_VALUE = 1e-3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- digits ---------------------------------------------------------------------------------


def test_digits_are_1500_images_to_train_on_and_297_to_test_on():
    for split, n in (("train", 1500), ("test", 297)):
        images, labels = data.load("digits", split)
        assert images.shape == (n, 784)
        assert labels.shape == (n,)
        assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
        assert images.min() == 0  # the background is black
        assert images.max() == 1  # and intensities are divided by the largest, 16


def test_digits_are_the_enlarged_originals_each_once_with_its_label():
    small = load_digits()
    expected = references.upsample(small.images / 16, 28).reshape(-1, 784)
    splits = [data.load("digits", split) for split in ("train", "test")]
    images = np.concatenate([references.array(split.images) for split in splits])
    labels = np.concatenate([split.labels.numpy() for split in splits])
    squared = (images**2).sum(1)[:, None] + (expected**2).sum(1) - 2 * images @ expected.T
    original = squared.argmin(1)
    assert sorted(original) == list(range(1797))  # none twice, none left out: splits are disjoint
    # In float32 a place between 4 and 8 is known to 2.4e-7, along either side, and intensities
    # up to 1 differ by up to 1 from one sample to the next.
    np.testing.assert_allclose(images, expected[original], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(labels, small.target[original])


def test_digits_are_stratified():
    train, test = (data.load("digits", split).labels.bincount() for split in ("train", "test"))
    share = (train + test) * 297 / 1797
    assert (test - share).abs().max() < 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_are_the_same_in_every_call(split):
    torch.manual_seed(0)
    first = data.load("digits", split)
    torch.manual_seed(1)
    np.random.seed(1)
    again = data.load("digits", split)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)


def test_every_dataset_has_a_title_and_ten_class_names():
    assert data.TITLES.keys() == data.CLASS_NAMES.keys()
    assert {name: len(set(names)) for name, names in data.CLASS_NAMES.items()} == {
        "digits": 10,
        "mnist": 10,
        "fashion_mnist": 10,
    }


@pytest.mark.parametrize(
    ("dataset", "split", "got", "allowed"),
    [
        ("cifar", "train", "'cifar'", "digits, mnist, fashion_mnist"),
        ("MNIST", "train", "'MNIST'", "digits, mnist, fashion_mnist"),
        ("digits", "validation", "'validation'", "train, test"),
        ("mnist", "t10k", "'t10k'", "train, test"),
    ],
)
def test_an_unknown_dataset_or_split_is_refused(dataset, split, got, allowed):
    with pytest.raises(ValueError, match="allowed is one of") as error:
        data.load(dataset, split)
    assert got in str(error.value)
    assert allowed in str(error.value)


# --- MNIST's files --------------------------------------------------------------------------


def write_idx(path, array):
    """The published format: a magic number, the sizes, the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


def write_dataset(raw):
    """Twelve images to train on and five to test on; their arrays, and the files' md5."""
    random, arrays, md5 = np.random.default_rng(0), {}, {}
    for prefix, split, n in (("train", "train", 12), ("t10k", "test", 5)):
        images = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = random.integers(0, 10, n, dtype=np.uint8)
        arrays[split] = images, labels
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = raw / f"{prefix}-{kind}-ubyte"
            write_idx(path, array)
            md5[path.name] = hashlib.md5(path.read_bytes()).hexdigest()
    return arrays, md5


@pytest.fixture(params=["mnist", "fashion_mnist"])
def small_dataset(request, tmp_path, monkeypatch):
    """A small dataset in torchvision's layout: its name, its folder, its arrays by split."""
    folder = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}[request.param]
    raw = tmp_path / "data" / folder / "raw"
    arrays, md5 = write_dataset(raw)
    monkeypatch.setenv("REPINF_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(data._MD5, request.param, md5)
    return request.param, raw, arrays


@pytest.mark.parametrize("split", ["train", "test"])
def test_idx_files_are_read_as_intensities_and_labels(small_dataset, split):
    name, _, arrays = small_dataset
    images, labels = arrays[split]
    found = data.load(name, split)
    assert (found.images.dtype, found.labels.dtype) == (torch.float32, torch.int64)
    expected = (images.reshape(-1, 784) / 255).astype(np.float32)
    np.testing.assert_array_equal(found.images.numpy(), expected)
    np.testing.assert_array_equal(found.labels.numpy(), labels)


def truncated(content):
    return content[:-1]


def altered(content):
    return content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]


def emptied(content):
    return b""


@pytest.mark.parametrize("damage", [truncated, altered, emptied])
@pytest.mark.parametrize(
    ("split", "name"),
    [("train", "train-images-idx3-ubyte"), ("test", "t10k-images-idx3-ubyte")],
)
def test_a_damaged_image_file_is_refused_by_name_and_left_alone(small_dataset, damage, split, name):
    dataset, raw, _ = small_dataset
    content = damage((raw / name).read_bytes())
    (raw / name).write_bytes(content)
    with pytest.raises(data.DataError, match="truncated or altered") as error:
        data.load(dataset, split)
    assert str(raw / name) in str(error.value)
    assert (raw / name).read_bytes() == content


@pytest.mark.parametrize(
    ("split", "name"),
    [("train", "train-labels-idx1-ubyte"), ("test", "t10k-labels-idx1-ubyte")],
)
def test_an_altered_label_is_refused(small_dataset, split, name):
    dataset, raw, _ = small_dataset
    content = (raw / name).read_bytes()
    (raw / name).write_bytes(content[:-1] + bytes([(content[-1] + 1) % 10]))
    with pytest.raises(data.DataError, match=name):
        data.load(dataset, split)


def test_files_other_than_the_published_ones_are_refused(tmp_path, monkeypatch):
    write_dataset(tmp_path / "MNIST" / "raw")
    monkeypatch.setenv("REPINF_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match="published is 6bbc9ace898e44ae57da46a324031adb"):
        data.load("mnist", "train")


def test_unchecked_copies_beside_the_checked_files_are_not_read(small_dataset):
    # Old versions of torchvision kept copies in processed/, which are of no published checksum,
    # and today's still prefers them where they exist.
    dataset, raw, arrays = small_dataset
    processed = raw.parent / "processed"
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        wrong = torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)
        torch.save(wrong, processed / name)
    np.testing.assert_array_equal(data.load(dataset, "train").labels.numpy(), arrays["train"][1])


@pytest.mark.parametrize("failure", [OSError("unreachable"), RuntimeError("Error downloading")])
def test_without_data_and_network_both_ways_out_are_named(tmp_path, monkeypatch, failure):
    def MNIST(root, train=True, download=False):
        raise failure

    monkeypatch.setenv("REPINF_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setitem(data._TORCHVISION, "mnist", MNIST)
    with pytest.raises(data.DataError, match="could not be downloaded") as error:
        data.load("mnist", "train")
    message = str(error.value)
    for part in ("mnist", str(tmp_path / "nowhere"), str(failure), "REPINF_DATA", "dataset=digits"):
        assert part in message
    assert error.value.__cause__ is failure


def test_a_folder_that_cannot_be_made_is_missing_data(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REPINF_DATA", str(tmp_path / "file"))
    with pytest.raises(data.DataError, match="REPINF_DATA"):
        data.load("mnist", "train")


def test_missing_data_are_downloaded_once_and_then_checked_and_read(tmp_path, monkeypatch):
    downloads, torchvisions = [], data._TORCHVISION["mnist"]
    arrays, md5 = write_dataset(tmp_path / "remote")
    local = tmp_path / "local" / "MNIST" / "raw"

    def MNIST(root, train=True, download=False):
        if download:
            downloads.append(root)
            write_dataset(local)
        return torchvisions(root, train=train)

    monkeypatch.setenv("REPINF_DATA", str(tmp_path / "local"))
    monkeypatch.setitem(data._MD5, "mnist", md5)
    monkeypatch.setitem(data._TORCHVISION, "mnist", MNIST)
    for split in ("train", "test", "train"):
        labels = data.load("mnist", split).labels
        np.testing.assert_array_equal(labels.numpy(), arrays[split][1])
    assert downloads == [tmp_path / "local"]


@pytest.mark.skipif(
    not os.environ.get("REPINF_DATA"),
    reason="REPINF_DATA names no folder with the real MNIST and Fashion-MNIST",
)
@pytest.mark.parametrize(
    ("dataset", "train_counts", "mean", "floor"),
    [
        ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 0.1307, 45.5),
        ("fashion_mnist", [6000] * 10, 0.2860, 189.9),
    ],
)
def test_the_real_data_are_the_published_ones(dataset, train_counts, mean, floor):
    train, test = data.load(dataset, "train"), data.load(dataset, "test")
    assert train.images.shape == (60_000, 784)
    assert test.images.shape == (10_000, 784)
    assert train.labels.bincount().tolist() == train_counts
    assert (train.images.min(), train.images.max()) == (0, 1)
    # Known to four digits, as the constant that is everywhere used to normalise the images.
    assert train.images.double().mean().item() == pytest.approx(mean, abs=5e-5)
    # As the documentation of the floor says, to one digit.
    x = test.images.double()
    assert reconstruction_floor(x).item() == pytest.approx(floor, abs=0.05)


# --- trials ---------------------------------------------------------------------------------


@given(n_labels=st.integers(1, 4), trials=st.integers(1, 40), seed=st.integers(0, 1000))
def test_trials_are_of_the_label_and_all_images_come_equally_often(n_labels, trials, seed):
    labels = torch.randint(0, n_labels, (20,), generator=generator(seed))
    label = int(labels[0])
    drawn = data.draw_trials(labels, label, trials, generator(seed + 1))
    assert drawn.shape == (trials,)
    assert drawn.dtype == torch.int64
    assert (labels[drawn] == label).all()
    counts = drawn.bincount(minlength=20)[labels == label]
    assert counts.max() - counts.min() <= 1  # so none twice before all once
    first = drawn[: len(counts)]
    assert len(first.unique()) == len(first)
    assert torch.equal(drawn, data.draw_trials(labels, label, trials, generator(seed + 1)))


def test_trials_are_in_random_order():
    # Every ordered pair of three images is equally likely to come first.
    labels, source = torch.tensor([1, 0, 1, 1]), generator(8)
    pairs = [tuple(data.draw_trials(labels, 1, 2, source).tolist()) for _ in range(1200)]
    counts = [pairs.count(pair) for pair in itertools.permutations([0, 2, 3], 2)]
    assert sum(counts) == 1200
    assert stats.chisquare(counts).pvalue > SMALLEST_P_VALUE


def test_a_label_that_no_image_has_is_refused():
    with pytest.raises(ValueError, match="Label is 7; allowed are those of the data"):
        data.draw_trials(torch.tensor([0, 1, 2]), 7, 3, generator())


@pytest.mark.parametrize("noise", ["swap", "invert"])
def test_noisy_trials_are_the_labels_in_turn_each_with_its_noise(noise):
    images = torch.rand(30, 784, generator=generator(1))
    train = data.LabelledImages(images, torch.arange(30) % 3)
    rows, x0 = data.noisy_trials(train, [2, 0], 7, 0.4, noise, 5)
    source = generator(5)
    drawn = [data.draw_trials(train.labels, label, 7, source) for label in (2, 0)]
    assert rows.tolist() == [*drawn[0].tolist(), *drawn[1].tolist()]
    assert torch.equal(x0, data.swap_pixels(images[rows], 0.4, source, noise))
    changed = (x0 != images[rows]).float().mean()
    assert 0.37 < changed < 0.43  # of 10,976 pixels, six standard deviations
    again, clean = data.noisy_trials(train, [2, 0], 7, 0.0, noise, 5)
    assert torch.equal(again, rows)
    assert torch.equal(clean, images[rows])


@given(p=st.floats(0, 1), q=st.floats(0, 1), seed=st.integers(0, 1000))
def test_a_pixel_selected_at_one_p_is_selected_at_every_larger_one(p, q, seed):
    train = data.LabelledImages(torch.zeros(30, 784), torch.arange(30) % 3)
    (few_rows, few), (many_rows, many) = (
        data.noisy_trials(train, [2, 0], 7, level, "invert", seed) for level in sorted((p, q))
    )
    assert torch.equal(few_rows, many_rows)
    assert (few <= many).all()  # inverted, a pixel of these images is 1


# --- noise ----------------------------------------------------------------------------------


@given(
    rows=st.integers(1, 5),
    width=st.integers(1, 30),
    p=st.floats(0, 1),
    mode=st.sampled_from(["swap", "invert"]),
    seed=st.integers(0, 1000),
)
def test_noise_is_reproducible_and_keeps_its_input(rows, width, p, mode, seed):
    images = torch.rand(rows, width, generator=generator(seed))
    before = images.clone()
    noisy = data.swap_pixels(images, p, generator(seed + 1), mode)
    assert torch.equal(images, before)
    assert (noisy.shape, noisy.dtype) == (images.shape, images.dtype)
    assert torch.equal(noisy, data.swap_pixels(images, p, generator(seed + 1), mode))


@given(
    rows=st.integers(1, 5), width=st.integers(1, 30), p=st.floats(0, 1), seed=st.integers(0, 1000)
)
def test_swapping_keeps_the_intensities_of_each_image(rows, width, p, seed):
    # Few grey levels, so that equal intensities are met as in real images.
    images = torch.randint(0, 5, (rows, width), generator=generator(seed)) / 4
    noisy = data.swap_pixels(images, p, generator(seed + 1))
    assert torch.equal(noisy.sort(1).values, images.sort(1).values)


@pytest.mark.parametrize("mode", ["swap", "invert"])
def test_without_noise_nothing_changes(mode):
    images = torch.rand(20, 784, generator=generator())
    assert torch.equal(data.swap_pixels(images, 0, generator(1), mode), images)


def test_inverting_everything_is_the_negative():
    images = torch.rand(20, 784, generator=generator())
    assert torch.equal(data.swap_pixels(images, 1, generator(1), "invert"), 1 - images)


@given(p=st.floats(0, 1), seed=st.integers(0, 1000))
def test_inverting_the_same_pixels_twice_is_the_identity(p, seed):
    # Sixteenths, as in the digits, are exact in float32, and so are their complements.
    images = torch.randint(0, 17, (4, 50), generator=generator(seed)) / 16
    once = data.swap_pixels(images, p, generator(seed + 1), "invert")
    assert torch.equal(data.swap_pixels(once, p, generator(seed + 1), "invert"), images)


def test_swap_is_the_default():
    images = torch.rand(3, 784, generator=generator())
    default = data.swap_pixels(images, 0.4, generator(1))
    assert torch.equal(default, data.swap_pixels(images, 0.4, generator(1), "swap"))
    assert not torch.equal(default, images)


@pytest.mark.parametrize("p", [0.05, 0.2, 0.8])
def test_each_pixel_is_inverted_with_probability_p_on_its_own(p):
    n = 2000
    inverted = data.swap_pixels(torch.zeros(n, 784), p, generator(3), "invert").numpy()
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
def test_swapping_moves_the_selected_pixels_but_one(p):
    # A uniform permutation of any number of pixels keeps, on average, one in its place, with
    # variance 1; the number selected is binomial.
    n, images = 2000, torch.arange(784.0).expand(2000, 784)
    moved = (data.swap_pixels(images, p, generator(4)) != images).sum(1).double()
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
    noisy = data.swap_pixels(torch.arange(4.0).expand(n, 4), p, generator(5))
    outcomes, found = np.unique(noisy.int().numpy(), axis=0, return_counts=True)
    counts = dict(zip(map(tuple, outcomes.tolist()), found, strict=True))
    expected = permutation_probabilities(4, p)
    assert sum(expected.values()) == pytest.approx(1)
    observed = [counts.get(outcome, 0) for outcome in expected]
    test = stats.chisquare(observed, [n * share for share in expected.values()])
    assert test.pvalue > SMALLEST_P_VALUE


def test_with_p_1_a_pixel_goes_anywhere():
    n = 7840
    noisy = data.swap_pixels(torch.arange(784.0).expand(n, 784), 1, generator(6))
    for intensity in (0, 400, 783):
        place = (noisy == intensity).nonzero()[:, 1]
        counts = torch.bincount(place, minlength=784).numpy()  # ten expected in each
        assert counts.sum() == n
        assert stats.chisquare(counts).pvalue > SMALLEST_P_VALUE


def test_equal_images_get_independent_noise():
    # All pairs of permutations of three pixels, in neighbouring images, are equally likely.
    n = 14_400
    noisy = data.swap_pixels(torch.arange(3.0).expand(2 * n, 3), 1, generator(7))
    pairs = noisy.int().view(n, 6).numpy()
    _, counts = np.unique(pairs, axis=0, return_counts=True)
    assert len(counts) == 36
    assert stats.chisquare(counts).pvalue > SMALLEST_P_VALUE


@pytest.mark.parametrize("p", [-0.1, 1.5, math.nan, math.inf])
def test_a_fraction_outside_0_to_1_is_refused(p):
    with pytest.raises(ValueError, match="allowed is a number from 0 to 1") as error:
        data.swap_pixels(torch.zeros(1, 4), p, generator())
    assert repr(p) in str(error.value)


def test_an_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="'salt'; allowed is one of swap, invert"):
        data.swap_pixels(torch.zeros(1, 4), 0.2, generator(), "salt")


def test_without_noise_no_pixel_is_selected_whatever_is_drawn(monkeypatch):
    images = torch.rand(3, 784, generator=generator())
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.zeros(shape))  # which may come
    assert torch.equal(data.swap_pixels(images, 0, generator(), "invert"), images)


def test_images_that_come_again_come_in_another_order():
    drawn = data.draw_trials(torch.zeros(20, dtype=torch.int64), 0, 40, generator())
    assert not torch.equal(drawn[:20], drawn[20:])


def test_what_lacks_of_a_dataset_is_downloaded(tmp_path, monkeypatch):
    raw = tmp_path / "MNIST" / "raw"
    _, md5 = write_dataset(raw)
    monkeypatch.setitem(data._MD5, "mnist", md5)
    monkeypatch.setenv("REPINF_DATA", str(tmp_path))
    (raw / "t10k-labels-idx1-ubyte").unlink()
    monkeypatch.setattr(data, "_download", lambda dataset, root: write_dataset(raw))
    assert len(data.load("mnist", "test").labels) == 5
