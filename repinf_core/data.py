"""Data sets as tensors in memory; :data:`DATASETS` is the only list of them.

torchvision provides MNIST and Fashion-MNIST: they are read from the folder that ``REPINF_DATA``
names, or downloaded once into the user's cache folder.  ``digits`` are scikit-learn's 1,797
handwritten digits, enlarged from 8x8 to 28x28 pixels; they need no network.
"""

import contextlib
import hashlib
import http.client
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
import torch
import torch.nn.functional as F

from repinf_core import locks
from repinf_core.errors import ReaderError

N_PIXELS = 28 * 28
_DIGITS_TEST = 297  # leaves 1,500 images to train on
_SILENT_SECONDS = 30.0  # without an answer, after which a download is given up


class DataError(ReaderError, RuntimeError):
    """Data are not available, or differ from the published files."""


class LabelledImages(NamedTuple):
    """One split of a data set.

    Attributes:
        images: ``[N, 784]`` float32, intensities in [0, 1].
        labels: ``[N]`` int64, 0 to 9.
    """

    images: torch.Tensor
    labels: torch.Tensor


def _digits(split: str) -> LabelledImages:
    from sklearn.datasets import load_digits  # here, because it is slow to import
    from sklearn.model_selection import train_test_split

    small = load_digits()
    train, test = train_test_split(
        range(len(small.target)), test_size=_DIGITS_TEST, stratify=small.target, random_state=0
    )
    rows = train if split == "train" else test
    images = torch.from_numpy(small.images[rows]).float().div_(16).unsqueeze(1)
    images = F.interpolate(images, size=(28, 28), mode="bilinear", align_corners=False)
    return LabelledImages(images.reshape(-1, N_PIXELS), torch.from_numpy(small.target[rows]).long())


@dataclass(frozen=True)
class IdxFiles:
    """A data set in torchvision's layout: the four files of :data:`FILES` in ``<its name>/raw``.

    Attributes:
        torchvision: name of the class in ``torchvision.datasets``, and of the folder.
        md5: checksums of the uncompressed files, in the order of :data:`FILES`.  torchvision
            checks only the archives that it downloads.
    """

    torchvision: str
    md5: tuple[str, str, str, str]

    FILES = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )

    def __call__(self, split: str) -> LabelledImages:
        """The ``"train"`` or ``"test"`` split, downloaded first if a file is missing.

        Raises:
            DataError: as :func:`load`.
        """
        root = folder()
        if self._missing(root):
            self.download(root)
        of_split = slice(0, 2) if split == "train" else slice(2, 4)
        images, labels = (
            _published(self._raw(root) / name, md5)
            for name, md5 in zip(self.FILES[of_split], self.md5[of_split], strict=True)
        )
        # The data follow a header: a magic number and the size of each dimension.
        pixels = np.frombuffer(images, np.uint8, offset=16).astype(np.float32)
        classes = np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)
        return LabelledImages(
            torch.from_numpy(pixels).div_(255).reshape(-1, N_PIXELS), torch.from_numpy(classes)
        )

    def download(self, root: Path, silent_seconds: float = _SILENT_SECONDS) -> None:
        """Download missing files with torchvision, one process at a time.

        Args:
            root: folder, created if it does not exist.
            silent_seconds: seconds without an answer after which a server is given up.

        Raises:
            DataError: the download fails, or ``root`` cannot be locked.
        """
        import torchvision  # here, because it is slow to import

        try:
            root.mkdir(parents=True, exist_ok=True)
            path, what = root / f"{self.torchvision}.lock", f"the download of {self.torchvision}"
            with locks.lock(path, what, "set REPINF_DATA to"), _socket_timeout(silent_seconds):
                if self._missing(root):  # another process may have downloaded it meanwhile
                    print(f"Downloading {self.torchvision} into {root}.", file=sys.stderr)
                    getattr(torchvision.datasets, self.torchvision)(root, download=True)
        except locks.LockError as error:
            raise DataError(str(error)) from error
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            reason = " ".join(str(error).split())  # torchvision's text has several lines
            raise DataError(
                f"{self._raw(root)} lacks {', '.join(self._missing(root))}, and "
                f"{self.torchvision} could not be downloaded ({reason}); set REPINF_DATA to a "
                f"folder that holds it in torchvision's layout, or use dataset=digits."
            ) from error

    def _raw(self, root: Path) -> Path:
        return root / self.torchvision / "raw"

    def _missing(self, root: Path) -> list[str]:
        return [name for name in self.FILES if not (self._raw(root) / name).exists()]


@dataclass(frozen=True)
class DataSet:
    """A data set: its names, and how it is read.

    Attributes:
        title: name in a sentence or above a figure.
        attribution: who made the images, and their licence.
        class_names: names of the labels 0 to 9.
        read: function that reads the ``"train"`` or ``"test"`` split; raises DataError.
    """

    title: str
    attribution: str
    class_names: tuple[str, ...]
    read: Callable[[str], LabelledImages]


DATASETS = {
    "digits": DataSet(
        "scikit-learn's digits",
        "Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak; CC BY 4.0), as in "
        "scikit-learn, enlarged to 28×28",
        tuple("0123456789"),
        _digits,
    ),
    "mnist": DataSet(
        "MNIST",
        "MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0)",
        tuple("0123456789"),
        IdxFiles(
            "MNIST",
            (
                "6bbc9ace898e44ae57da46a324031adb",
                "a25bea736e30d166cdddb491f175f624",
                "2646ac647ad5339dbf082846283269ea",
                "27ae3e4e09519cfbb04c329615203637",
            ),
        ),
    ),
    "fashion_mnist": DataSet(
        "Fashion-MNIST",
        "Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf, Zalando SE; MIT)",
        (
            "T-shirt", "trouser", "pullover", "dress", "coat",
            "sandal", "shirt", "sneaker", "bag", "boot",
        ),
        IdxFiles(
            "FashionMNIST",
            (
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
        ),
    ),
}  # fmt: skip
"""All data sets by name, the value of the parameter ``dataset``."""


def load(dataset: str, split: str) -> LabelledImages:
    """The ``"train"`` or ``"test"`` split of one of :data:`DATASETS`.

    Raises:
        ValueError: the data set or the split is unknown.
        DataError: ``REPINF_DATA`` names no folder; a file is truncated or altered, or is missing
            and cannot be downloaded.
    """
    if dataset not in DATASETS:
        raise ValueError(f"Dataset is {dataset!r}; allowed is one of {', '.join(DATASETS)}.")
    if split not in ("train", "test"):
        raise ValueError(f"Split is {split!r}; allowed is one of train, test.")
    return DATASETS[dataset].read(split)


def folder() -> Path:
    """The folder of the data sets, which ``REPINF_DATA`` names, or one in the user's cache.

    Raises:
        DataError: ``REPINF_DATA`` names no folder.  None is created: the name may be a mistake.
    """
    named = os.environ.get("REPINF_DATA")
    if not named:
        return platformdirs.user_cache_path("repinf") / "data"
    path = os.path.expanduser(named)  # keeps the ~ of an unknown user; pathlib would raise
    if not os.path.isdir(path):
        raise DataError(
            f"REPINF_DATA is {named!r}, which is not a folder; set REPINF_DATA to a folder that "
            f"exists, unset it (data sets are then in your cache folder), or use dataset=digits."
        )
    return Path(path)


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Make a silent server raise TimeoutError; torchvision sets no timeout itself."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _published(path: Path, md5: str) -> bytes:
    """The content of a file.

    Raises:
        DataError: the content differs from the published file.
    """
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(
            f"{path} is truncated or altered: its md5 is {found}, published is {md5}; "
            f"delete it and it is downloaded again."
        )
    return content
