"""Noise on images, and the noisy images from which repeated inference starts.

:data:`NOISES` is the only list of the kinds of noise.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch

from repinf_core.data import LabelledImages


def _permute(images: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    """Permute the intensities of an image's selected pixels among themselves."""
    uniform = torch.rand(images.shape, generator=generator, device=images.device)
    selected = uniform < p
    # Given that they lie below p, the selected pixels' uniforms are independent and identically
    # distributed, so their ranks are a random permutation: one draw selects and shuffles.  In
    # both orders the unselected pixels come last and in place.
    shuffled = uniform.masked_fill(~selected, torch.inf).argsort(dim=1, stable=True)
    in_place = (~selected).byte().argsort(dim=1, stable=True)
    return torch.empty_like(images).scatter_(1, in_place, images.gather(1, shuffled))


def _invert(images: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    """Map x to 1 - x on the selected pixels."""
    uniform = torch.rand(images.shape, generator=generator, device=images.device)
    return torch.where(uniform < p, 1 - images, images)


NOISES: dict[str, Callable[[torch.Tensor, float, torch.Generator], torch.Tensor]] = {
    "permute": _permute,
    "invert": _invert,
}
"""Every noise by the name that the parameter ``noise`` takes.

Each takes the arguments of :func:`corrupt`.  From the same state of the generator it selects a
pixel at every p that is larger than one at which it selects it.
"""


def corrupt(
    images: torch.Tensor, p: float, generator: torch.Generator, noise: str = "permute"
) -> torch.Tensor:
    """Noise of the paper (Methods, "Inference procedure and noise injection").

    Each of the 784 pixels is selected with probability ``p``.  The paper says only that "the
    image intensities of the selected pixels were swapped"; both readings are here.

    Args:
        images: ``[N, 784]``, intensities in [0, 1]; unchanged.
        p: probability in [0, 1] that a pixel is selected; 0 is the identity.
        generator: source of all randomness, on the device of ``images``.
        noise: one of :data:`NOISES`.  ``"permute"`` permutes the intensities of an image's selected
            pixels among themselves, so their multiset is kept; ``"invert"`` maps x to 1 - x.

    Returns:
        ``[N, 784]``, with the type and on the device of ``images``.

    Raises:
        ValueError: ``p`` outside [0, 1] or an unknown noise.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"Noise fraction p is {p!r}; allowed is a number from 0 to 1.")
    if noise not in NOISES:
        raise ValueError(f"Noise is {noise!r}; allowed is one of {', '.join(NOISES)}.")
    return NOISES[noise](images, p, generator)


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
    selected at every larger one.  The labels of one call have independent noise.  Two calls
    with one seed have the same random numbers, so a page that draws its labels by separate
    calls gives each the seed of :func:`label_seed`.

    Args:
        train: the images to draw from.
        labels: as many blocks of trials, in this order.
        trials: of each label, drawn by :func:`draw_trials`.
        p: noise fraction.
        noise: one of :data:`NOISES`.
        seed: of the images and of the noise.

    Returns:
        indices of the clean images, ``[labels * trials]``; x(0), ``[labels * trials, 784]``.

    Raises:
        ValueError: a label that no image has, or as :func:`corrupt`.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.cat([draw_trials(train.labels, label, trials, generator) for label in labels])
    return rows, corrupt(train.images[rows], p, generator, noise)


def label_seed(seed: int, label: int) -> int:
    """A seed for the trials of one label, so that each label has images and noise of its own.

    Derived from both numbers by numpy's ``SeedSequence``, which mixes them into 32 bits: all
    that torch's generator on the CPU takes of a seed.
    """
    return int(np.random.SeedSequence((seed, label)).generate_state(1)[0])
