import dataclasses
import gzip
import hashlib
import os
import shutil
import socket
import struct
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import references
import torch
import torchvision
from sklearn.datasets import load_digits

from repinf_core import data, profiles
from repinf_core.models.mlp import reconstruction_floor

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


# --- all data sets --------------------------------------------------------------------------


def test_every_data_set_has_a_title_and_ten_class_names():
    for one in data.DATASETS.values():
        assert one.title
        assert len(set(one.class_names)) == 10


def test_one_entry_adds_a_data_set(tmp_path, monkeypatch):
    arrays, md5 = write_dataset(tmp_path / "KMNIST" / "raw")
    names = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    entry = data.DataSet("Kuzushiji-MNIST", "CODH", names, data.IdxFiles("KMNIST", md5))
    monkeypatch.setitem(data.DATASETS, "kmnist", entry)
    monkeypatch.setenv("REPINF_DATA", str(tmp_path))
    for split, (images, labels) in arrays.items():
        found = data.load("kmnist", split)
        np.testing.assert_array_equal(found.labels.numpy(), labels)
        np.testing.assert_allclose(found.images.numpy() * 255, images.reshape(-1, 784), atol=1e-4)
    assert profiles.experiment("quick", {"dataset": "kmnist"}).dataset == "kmnist"
    with pytest.raises(ValueError, match="kmnist"):  # among those that are allowed
        data.load("cifar", "train")


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


# --- files of MNIST's kind ------------------------------------------------------------------

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def write_idx(path, array):
    """The published format: a magic number, the sizes, the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())


def write_dataset(raw):
    """Twelve images to train on and five to test on; their arrays, and the files' md5."""
    random, arrays = np.random.default_rng(0), {}
    for prefix, split, n in (("train", "train", 12), ("t10k", "test", 5)):
        images = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = random.integers(0, 10, n, dtype=np.uint8)
        arrays[split] = images, labels
        write_idx(raw / f"{prefix}-images-idx3-ubyte", images)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", labels)
    return arrays, tuple(hashlib.md5((raw / name).read_bytes()).hexdigest() for name in FILES)


def with_md5(name, md5):
    """A data set's entry, as if these were the published files."""
    entry = data.DATASETS[name]
    return dataclasses.replace(entry, read=data.IdxFiles(entry.read.torchvision, md5))


@pytest.fixture(params=["mnist", "fashion_mnist"])
def small_dataset(request, tmp_path, monkeypatch):
    """A small data set in torchvision's layout: its name, its folder, its arrays by split."""
    folder = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}[request.param]
    raw = tmp_path / "data" / folder / "raw"
    arrays, md5 = write_dataset(raw)
    monkeypatch.setenv("REPINF_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(data.DATASETS, request.param, with_md5(request.param, md5))
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


@pytest.mark.parametrize(
    ("dataset", "folder", "published"),
    [
        ("mnist", "MNIST", "6bbc9ace898e44ae57da46a324031adb"),
        ("fashion_mnist", "FashionMNIST", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    ],
)
def test_files_other_than_the_published_ones_are_refused(
    tmp_path, monkeypatch, dataset, folder, published
):
    write_dataset(tmp_path / folder / "raw")
    monkeypatch.setenv("REPINF_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match=f"published is {published}"):
        data.load(dataset, "train")


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


# --- the folder -----------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["nowhere", "file", "~nosuchuser/data"])
def test_a_folder_that_is_none_is_refused_and_not_made(tmp_path, monkeypatch, named):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPINF_DATA", named)
    with pytest.raises(data.DataError, match="REPINF_DATA") as error:
        data.load("mnist", "train")
    assert repr(named) in str(error.value)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_users_home_may_be_named_with_a_tilde(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REPINF_DATA", "~/mine")
    assert data.folder() == tmp_path / "mine"


def test_without_a_named_folder_it_is_one_of_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))  # where macOS has it
    monkeypatch.setenv("REPINF_DATA", "")
    assert data.folder().is_relative_to(tmp_path)


# --- downloads ------------------------------------------------------------------------------


@pytest.fixture
def mirror(monkeypatch):
    """Called with an address and archives' md5, it makes that all that KMNIST comes from."""
    monkeypatch.setenv("no_proxy", "*")

    def set_to(port, md5=("0" * 32,) * 4):
        archives = [(f"{name}.gz", one) for name, one in zip(FILES, md5, strict=True)]
        monkeypatch.setattr(torchvision.datasets.KMNIST, "mirrors", [f"http://127.0.0.1:{port}/"])
        monkeypatch.setattr(torchvision.datasets.KMNIST, "resources", archives)

    return set_to


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    """A server of the files in the folder ``remote``."""
    handler = partial(QuietHandler, directory=tmp_path / "remote")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def published(tmp_path, server, mirror, monkeypatch):
    """A small data set that can be downloaded, into the folder ``local``: its arrays."""
    arrays, md5 = write_dataset(tmp_path / "remote")
    archives = []
    for name in FILES:
        content = gzip.compress((tmp_path / "remote" / name).read_bytes())
        (tmp_path / "remote" / f"{name}.gz").write_bytes(content)
        archives.append(hashlib.md5(content).hexdigest())
    mirror(server.server_port, archives)
    entry = data.DataSet(
        "Kuzushiji-MNIST", "CODH", tuple("0123456789"), data.IdxFiles("KMNIST", md5)
    )
    monkeypatch.setitem(data.DATASETS, "kmnist", entry)
    (tmp_path / "local").mkdir()
    monkeypatch.setenv("REPINF_DATA", str(tmp_path / "local"))
    return arrays


def test_missing_data_are_downloaded_once_and_said_to_be(published, tmp_path, capsys):
    np.testing.assert_array_equal(data.load("kmnist", "train").labels, published["train"][1])
    assert f"Downloading KMNIST into {tmp_path / 'local'}" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "remote")
    for split in ("train", "test"):
        np.testing.assert_array_equal(data.load("kmnist", split).labels, published[split][1])
    assert capsys.readouterr().err == ""


def test_what_lacks_of_a_data_set_is_downloaded(published, tmp_path):
    data.load("kmnist", "train")
    for name in ("t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"):
        (tmp_path / "local" / "KMNIST" / "raw" / name).unlink()
    np.testing.assert_array_equal(data.load("kmnist", "test").labels, published["test"][1])


@pytest.fixture
def no_network(mirror):
    """To be called: from then on nothing answers."""

    def cut():
        with socket.create_server(("127.0.0.1", 0)) as closed:
            mirror(closed.getsockname()[1])

    return cut


def test_a_file_that_lacks_and_cannot_be_downloaded_is_named(published, no_network, tmp_path):
    data.load("kmnist", "train")
    no_network()
    raw = tmp_path / "local" / "KMNIST" / "raw"
    for name in ("t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"):
        (raw / name).unlink()
    with pytest.raises(data.DataError, match="could not be downloaded") as error:
        data.load("kmnist", "test")
    message = str(error.value)
    assert f"{raw} lacks t10k-labels-idx1-ubyte, and KMNIST could not be downloaded" in message
    for part in ("refused", "REPINF_DATA", "dataset=digits"):
        assert part in message
    assert "\n" not in message


def test_without_data_and_network_both_ways_out_are_named(published, no_network, tmp_path):
    no_network()
    with pytest.raises(data.DataError, match="refused") as error:
        data.load("kmnist", "train")
    for part in (*FILES, "KMNIST", str(tmp_path / "local"), "REPINF_DATA", "dataset=digits"):
        assert part in str(error.value)


def test_a_server_that_says_nothing_is_given_up(tmp_path, mirror):
    """The system accepts for it; nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror(silent.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(data.DataError, match="timed out"):
            data.IdxFiles("KMNIST", ("0" * 32,) * 4).download(tmp_path, silent_seconds=0.2)
    assert time.monotonic() - began < 20
    assert socket.getdefaulttimeout() is None


def test_a_folder_that_cannot_be_locked_is_refused(published, tmp_path):
    (tmp_path / "local" / "KMNIST.lock").mkdir()
    with pytest.raises(data.DataError, match=r"grants no lock .* REPINF_DATA"):
        data.load("kmnist", "train")


# --- the published files -------------------------------------------------------------------


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
