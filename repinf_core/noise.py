"""Noise on images, and the noisy images from which repeated inference starts.

:data:`NOISES` is the only list of the kinds of noise.
"""

from collections.abc import Callable, Iterable, Sequence

import torch

from repinf_core.data import LabelledImages


def _permute(images: torch.Tensor, p: float, generator: torch.Generator) -> torch.Tensor:
    """Permute the intensities of an image's selected pixels among themselves."""
    uniform = torch.rand(images.shape, generator=generator, device=images.device)
    selected = uniform < p
    # The uniforms of the selected pixels, all below p, are independent and identically
    # distributed, so their ranks are a random permutation: one draw selects and shuffles.  In
    # both orders the unselected pixels come last and keep their order.
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
"""Every noise by name, the value of the parameter ``noise``.

Each takes the arguments of :func:`corrupt`.  With the same state of the generator, a pixel that is
selected at one p is also selected at every larger p.
"""


def corrupt(
    images: torch.Tensor, p: float, generator: torch.Generator, noise: str = "permute"
) -> torch.Tensor:
    """Noise of the paper (Methods, "Inference procedure and noise injection").

    Each of the 784 pixels is selected with probability ``p``.  The paper says only that "the
    image intensities of the selected pixels were swapped"; both readings are available.

    Args:
        images: ``[N, 784]``, intensities in [0, 1]; unchanged.
        p: probability in [0, 1] that a pixel is selected; 0 is the identity.
        generator: source of all randomness, on the device of ``images``.
        noise: one of :data:`NOISES`.  ``"permute"`` permutes the intensities of an image's selected
            pixels among themselves, so their multiset is kept; ``"invert"`` maps x to 1 - x.

    Returns:
        ``[N, 784]``, with the type and on the device of ``images``.

    Raises:
        ValueError: ``p`` is outside [0, 1], or the noise is unknown.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"Noise fraction p is {p!r}; allowed is a number from 0 to 1.")
    if noise not in NOISES:
        raise ValueError(f"Noise is {noise!r}; allowed is one of {', '.join(NOISES)}.")
    return NOISES[noise](images, p, generator)


def gaussian(images: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
    """Gaussian noise on every pixel, clipped to [0, 1] (the companion's noise).

    Args:
        images: ``[N, 784]``, intensities in [0, 1]; unchanged.
        level: standard deviation before clipping, 0 or more.
        generator: source of all randomness, on the device of ``images``.

    Returns:
        ``[N, 784]``, with the type and on the device of ``images``.

    Raises:
        ValueError: ``level`` is below 0.
    """
    if not level >= 0:
        raise ValueError(f"Noise level is {level!r}; allowed is a number from 0.")
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + level * noise.to(images.dtype)).clamp(0, 1)


def psnr(images: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio of images to the clean ones, -10 log10 of the mean squared error.

    Args:
        images: ``[N, 784]``, intensities in [0, 1].
        clean: likewise, on the same device.

    Returns:
        dB, float64 ``[N]``; infinite where the two are equal.
    """
    return -10 * (images - clean).double().square().mean(1).log10()


def draw_trials(
    labels: torch.Tensor, label: int, trials: int, generator: torch.Generator
) -> torch.Tensor:
    """Indices ``[trials]`` of images of one label, in random order.

    An image is drawn again only after all images of its label have been drawn equally often; its
    noise then differs.  If there are enough images, all trials are different images, as in the
    paper.

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
    """Images of the labels, each with its own noise: the initial images of repeated inference.

    The same seed gives the same images at every ``p``, and a pixel that is selected at one ``p`` is
    also selected at every larger one.  The labels of one call have independent noise.  Two calls
    with the same seed use the same random numbers, so a page that draws its labels in separate
    calls gives each label the seed of
    :func:`repinf_core.streams.stream_seed`.

    Args:
        train: the images to draw from.
        labels: labels; each gives a block of trials, in this order.
        trials: number of trials of each label, drawn by :func:`draw_trials`.
        p: noise fraction.
        noise: one of :data:`NOISES`.
        seed: seed of the images and of the noise.

    Returns:
        indices of the clean images, ``[labels * trials]``; x(0), ``[labels * trials, 784]``.

    Raises:
        ValueError: no image has one of the labels, or as :func:`corrupt`.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.cat([draw_trials(train.labels, label, trials, generator) for label in labels])
    return rows, corrupt(train.images[rows], p, generator, noise)


def until_failure(
    p_grid: Sequence[float], holds: Sequence[bool]
) -> tuple[float | None, float | None]:
    """Up to which noise fraction something holds, and where it first fails.

    Args:
        p_grid: noise fractions, rising.
        holds: whether it holds at each.

    Returns:
        the last p before the first at which it does not hold, None if that is the first of all;
        and that p, None if it holds at every p.
    """
    first = next((i for i, so in enumerate(holds) if not so), len(p_grid))
    return (
        p_grid[first - 1] if first else None,
        p_grid[first] if first < len(p_grid) else None,
    )
