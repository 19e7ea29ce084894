"""Images as one tensor in memory, and the pixel noise of the paper.

MNIST and Fashion-MNIST come through torchvision (downloaded once, or read from the folder
that ``REPINF_DATA`` names); ``digits`` are the 1,797 handwritten digits that scikit-learn
carries, enlarged from 8x8 to 28x28, and need no network.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import filelock
import platformdirs
import torch
import torch.nn.functional as F
import torchvision
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torchvision.datasets.mnist import read_image_file, read_label_file

from repinf_core.errors import ReaderError

N_PIXELS = 28 * 28
_DIGITS_TEST = 297  # leaves 1,500 images to train on

TITLES = {"digits": "scikit-learn's digits", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}

CLASS_NAMES = {
    "digits": tuple("0123456789"),
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "boot",
    ),
}  # fmt: skip

_TORCHVISION = {
    "mnist": torchvision.datasets.MNIST,
    "fashion_mnist": torchvision.datasets.FashionMNIST,
}

# md5 of the uncompressed IDX files: torchvision checks the archives it downloads, not these.
_MD5 = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}


class DataError(ReaderError, RuntimeError):
    """Data that cannot be had, or that is not what was published."""


class LabelledImages(NamedTuple):
    """One split of a dataset.

    Attributes:
        images: ``[N, 784]`` float32, intensities in [0, 1].
        labels: ``[N]`` int64, 0 to 9.
    """

    images: torch.Tensor
    labels: torch.Tensor


def load(dataset: str, split: str) -> LabelledImages:
    """The ``"train"`` or ``"test"`` split of ``"digits"``, ``"mnist"`` or ``"fashion_mnist"``.

    Raises:
        ValueError: an unknown dataset or split.
        DataError: a file is truncated or altered, or is missing and cannot be downloaded.
    """
    if dataset not in CLASS_NAMES:
        raise ValueError(f"Dataset is {dataset!r}; allowed is one of {', '.join(CLASS_NAMES)}.")
    if split not in ("train", "test"):
        raise ValueError(f"Split is {split!r}; allowed is one of train, test.")
    return _digits(split) if dataset == "digits" else _idx(dataset, split)


def _digits(split: str) -> LabelledImages:
    small = load_digits()
    train, test = train_test_split(
        range(len(small.target)), test_size=_DIGITS_TEST, stratify=small.target, random_state=0
    )
    rows = train if split == "train" else test
    images = torch.from_numpy(small.images[rows]).float().div_(16).unsqueeze(1)
    images = F.interpolate(images, size=(28, 28), mode="bilinear", align_corners=False)
    return LabelledImages(images.reshape(-1, N_PIXELS), torch.from_numpy(small.target[rows]).long())


def _idx(dataset: str, split: str) -> LabelledImages:
    folder = os.environ.get("REPINF_DATA") or platformdirs.user_cache_path("repinf") / "data"
    root = Path(folder).expanduser()
    raw = root / _TORCHVISION[dataset].__name__ / "raw"
    if not all((raw / name).exists() for name in _MD5[dataset]):
        _download(dataset, root)
    prefix = "train" if split == "train" else "t10k"
    for name, published in _MD5[dataset].items():
        if name.startswith(prefix):
            _check(raw / name, published)
    images = read_image_file(str(raw / f"{prefix}-images-idx3-ubyte"))
    labels = read_label_file(str(raw / f"{prefix}-labels-idx1-ubyte"))
    return LabelledImages(images.reshape(-1, N_PIXELS).float().div_(255), labels.long())


def _download(dataset: str, root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(root / f"{dataset}.lock"):
            _TORCHVISION[dataset](root, download=True)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())  # torchvision's has several lines
        raise DataError(
            f"{dataset} is not in {root} and could not be downloaded ({reason}); set REPINF_DATA "
            f"to a folder that holds it in torchvision's layout, or use dataset=digits."
        ) from error


def _check(path: Path, published: str) -> None:
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != published:
        raise DataError(
            f"{path} is truncated or altered: its md5 is {found}, published is {published}; "
            f"delete it and it is downloaded again."
        )


def draw_trials(
    labels: torch.Tensor, label: int, trials: int, generator: torch.Generator
) -> torch.Tensor:
    """Indices ``[trials]`` of images of one label, in random order.

    An image is drawn again only when all of its label have been drawn as often (its noise
    will differ), so up to their number the trials are different images, as in the paper.

    Raises:
        ValueError: no image has this label.
    """
    of_label = (labels == label).nonzero()[:, 0]
    if len(of_label) == 0:
        raise ValueError(f"Label is {label}; allowed are those of the data.")
    rounds = -(-trials // len(of_label))
    orders = [torch.randperm(len(of_label), generator=generator) for _ in range(rounds)]
    return of_label[torch.cat(orders)[:trials]]


def noisy_trials(
    train: LabelledImages,
    labels: Iterable[int],
    trials: int,
    p: float,
    noise: str,
    seed: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of the labels, each with its own noise: where repeated inference starts.

    The same seed gives the same images at every ``p``, and a pixel selected at one ``p`` is
    selected at every larger one.

    Args:
        train: the images to draw from.
        labels: as many blocks of trials, in this order.
        trials: of each label, drawn by :func:`draw_trials`.
        p: noise fraction.
        noise: mode of :func:`swap_pixels`.
        seed: of the images and of the noise.

    Returns:
        indices of the clean images, ``[labels * trials]``; x(0), ``[labels * trials, 784]``.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.cat([draw_trials(train.labels, label, trials, generator) for label in labels])
    return rows, swap_pixels(train.images[rows], p, generator, noise)


def swap_pixels(
    images: torch.Tensor, p: float, generator: torch.Generator, mode: str = "swap"
) -> torch.Tensor:
    """Noise of the paper (Methods, "Inference procedure and noise injection").

    Each of the 784 pixels is selected with probability ``p``.  The paper says only that "the
    image intensities of the selected pixels were swapped"; both readings are here.

    Args:
        images: ``[N, 784]``, intensities in [0, 1]; unchanged.
        p: probability in [0, 1] that a pixel is selected; 0 is the identity.
        generator: source of all randomness, on the device of ``images``.
        mode: ``"swap"`` permutes the intensities of an image's selected pixels among
            themselves, so their multiset is kept; ``"invert"`` maps x to 1 - x on them.

    Raises:
        ValueError: ``p`` outside [0, 1] or an unknown mode.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"Noise fraction p is {p!r}; allowed is a number from 0 to 1.")
    uniform = torch.rand(images.shape, generator=generator, device=images.device)
    selected = uniform < p
    if mode == "invert":
        return torch.where(selected, 1 - images, images)
    if mode != "swap":
        raise ValueError(f"Noise mode is {mode!r}; allowed is one of swap, invert.")
    # Given that they lie below p, the selected pixels' uniforms are independent and identically
    # distributed, so their ranks are a random permutation: one draw selects and shuffles.  In
    # both orders the unselected pixels come last and in place.
    shuffled = uniform.masked_fill(~selected, torch.inf).argsort(dim=1, stable=True)
    in_place = (~selected).byte().argsort(dim=1, stable=True)
    return torch.empty_like(images).scatter_(1, in_place, images.gather(1, shuffled))
