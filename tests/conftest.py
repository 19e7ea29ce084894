"""Common set-up of all tests: an empty model store, one thread, reproducible random examples."""

import dataclasses
import os
import signal
import subprocess
import sys
import warnings
from collections import namedtuple
from pathlib import Path

import pages
import pytest
import references
import torch
from hypothesis import settings

from repinf_core import data

# derandomize: the same examples in every run, so failures are reproducible.
settings.register_profile("repinf", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("repinf")

# One thread: small matrices are slower on several, and bit-for-bit tests need a fixed order.
torch.set_num_threads(1)

# A shell's background job ignores SIGINT, and so would the tests that interrupt a training.
signal.signal(signal.SIGINT, signal.default_int_handler)


_SLOW_FIXTURES = {"smoke_book", "cluster"}


def pytest_collection_modifyitems(items):
    """Skip the tests marked ``cuda`` if there is no GPU; mark slow tests.

    Tests that need the whole smoke book or a cluster are slow.
    """
    for item in items:
        if _SLOW_FIXTURES & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a GPU's driver that is too old for this torch
        available = torch.cuda.is_available()
    if not available:
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def only_tests_of_a_gpu_see_one(request, monkeypatch):
    """Hide the GPU from all other tests and their subprocesses: they test results of a CPU."""
    if not request.node.get_closest_marker("cuda"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(autouse=True)
def model_store(tmp_path, monkeypatch):
    """An empty model store, so that no test reads or writes the user's store."""
    folder = tmp_path / "models"
    monkeypatch.setenv("REPINF_MODELS", str(folder))
    return folder


Book = namedtuple("Book", ["out", "models", "printed"])


@pytest.fixture(scope="session")
def smoke_book(tmp_path_factory):
    """The whole book at profile smoke, built once with the command that users run."""
    root = Path(__file__).parents[1]
    out, models = tmp_path_factory.mktemp("book"), tmp_path_factory.mktemp("models")
    done = subprocess.run(
        [sys.executable, root / "book" / "build.py", "--profile", "smoke", "--out", out],
        env=os.environ | {"REPINF_MODELS": str(models), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Book(out, models, done.stdout)


@pytest.fixture(scope="session")
def weights(smoke_book):
    """Weights of the smoke book's network, in float64."""
    return pages.model_of(pages.SMOKE, smoke_book.models)


@pytest.fixture(scope="session")
def memories(weights):
    """Memories of the network's training images, ``[N, N_z]``."""
    return references.encode(weights, references.array(pages.TRAIN.images))[0]


@pytest.fixture(scope="session")
def judge(smoke_book):
    """Weights of the smoke book's classifier, in float64."""
    return pages.judge_of(pages.SMOKE, smoke_book.models)


@pytest.fixture
def no_clothes(monkeypatch):
    """Fashion-MNIST cannot be had."""

    def read(split):
        raise data.DataError("There is no copy of it.")

    of_clothes = dataclasses.replace(data.DATASETS["fashion_mnist"], read=read)
    monkeypatch.setitem(data.DATASETS, "fashion_mnist", of_clothes)
