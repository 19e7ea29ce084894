"""Where trajectories end when the network has seen few images or many (chapter 20).

A fixed small experiment on the bundled digits, with the network of profile ``quick`` but fewer
hidden units.  It follows Pham et al. (arXiv:2505.21777), who find that a diffusion model first
memorises its training images, then has spurious states, and at last generalises, the more images
it is trained on.
"""

import dataclasses
import itertools

import pandas as pd
import torch

from repinf_core import data
from repinf_core.data import LabelledImages
from repinf_core.dynamics import fixed_points, settling
from repinf_core.models.mlp import VAE, VAESpec
from repinf_core.profiles import PROFILES, Experiment
from repinf_core.studies.end_points import ONE_END
from repinf_core.training.fit import fit
from repinf_core.training.run import TrainingRun

SIZES = (10, 30, 100, 300, 1000)
"""Images in the training sets; each set contains the smaller ones."""
KINDS = ("memorised", "spurious", "generalised", "not at rest")
"""How a trajectory can end."""
HIDDEN = 128
"""Units of each hidden layer: few, so that a step of training takes milliseconds."""
TRAINING_STEPS = 6000
"""Steps of training of every network, at most.

Chosen by their time alone, before the ends of any network so trained were seen: with the inference
all sizes take about 80 seconds of one core.
"""
_EPOCH = 3000  # images; a multiple of every size, so that all networks take as many steps
_MINIBATCH = 20  # images
_RATES = (2e-3, 1e-3, 5e-4)  # larger than the profile's, whose network is larger too
_STARTS = 100  # of each kind, at most
_STEPS = 3000  # of inference, at most


def ends_by_size(experiment: Experiment) -> pd.DataFrame:
    """Train on sets of several sizes, and tell how trajectories of each network end.

    All networks take the same number of optimisation steps: a small set is repeated.

    Args:
        experiment: makes the experiment smaller for tests: sizes up to ten times ``trials``, steps
            of training up to twice ``settling_steps``, starts up to ten times ``census_trials``,
            and at most ``settling_steps`` steps of inference.

    Returns:
        the table ``sizes`` of the study.
    """
    quick = PROFILES["quick"]
    train = data.load(quick.dataset, "train")
    generator = torch.Generator().manual_seed(quick.seed)
    order = torch.randperm(len(train.images), generator=generator)
    steps = min(TRAINING_STEPS, 2 * experiment.settling_steps)
    starts = min(_STARTS, 10 * experiment.census_trials)
    prior = torch.randn(starts, quick.n_z, generator=generator)
    rows = []
    for size in (size for size in SIZES if size <= 10 * experiment.trials):
        images = LabelledImages(*(part[order[:size]] for part in train))
        model = _trained(images, steps)
        with torch.no_grad():
            from_images = model.encode_mean(images.images[:starts])
        for start, z0 in (("image", from_images), ("prior", prior)):
            settled = settling.settle(model, z0, min(_STEPS, experiment.settling_steps))
            kinds = pd.Series(kinds_of_ends(model, settled, images.images))
            shares = kinds.value_counts(normalize=True).reindex(KINDS, fill_value=0.0)
            memorised = torch.tensor(kinds.eq("memorised").to_numpy())
            rows.append(
                {
                    "size": size,
                    "start": start,
                    "trajectories": len(z0),
                    "ends": _distinct(settled.z[settled.period == 1]),
                    "memories": _distinct(settled.z[memorised]),
                    **shares,
                }
            )
    return pd.DataFrame(rows).rename(columns={"not at rest": "not_at_rest"})


def _distinct(ends: torch.Tensor) -> int:
    return len(fixed_points.distinct(ends, ONE_END).unique())


def _trained(images: LabelledImages, steps: int) -> VAE:
    """The small network, trained on these images for ``steps`` steps, or one epoch if that is more.

    An epoch repeats the images until there are :data:`_EPOCH`.
    """
    spec = dataclasses.replace(
        VAESpec.of(PROFILES["quick"]),
        n_hidden=HIDDEN,
        epochs=max(1, steps * _MINIBATCH // _EPOCH),
        minibatch=_MINIBATCH,
        learning_rates=_RATES,
    )
    times = -(-_EPOCH // len(images.images))
    repeated = LabelledImages(images.images.repeat(times, 1), images.labels.repeat(times))
    run = TrainingRun(spec)
    for _ in fit(run, repeated, images):
        pass
    assert isinstance(run.model, VAE)
    return run.model


def kinds_of_ends(model: VAE, settled: settling.Settled, images: torch.Tensor) -> list[str]:
    """Tell of each trajectory which of :data:`KINDS` its end is.

    Memorised: the image decoded from the end is nearer to one training image than a third of its
    distance to the second nearest (Euclidean, in pixels; the ratio is that of Yoon et al. 2023).
    Spurious: not memorised, and another of these trajectories ends at the same point, within
    :data:`repinf_core.studies.end_points.ONE_END` in latent space.  Generalised: neither; no other
    trajectory ends there.  A trajectory that has not come to rest has no end, and is counted as
    such.  The three kinds are those of Pham et al., who set thresholds by hand for both distances.

    Args:
        model: the network.
        settled: how the trajectories ended.
        images: all that the network was trained on, ``[n, 784]``, n >= 2.
    """
    with torch.no_grad():
        decoded = model.decode_mean(settled.z)
    nearest = torch.cdist(decoded, images).topk(2, largest=False).values
    memorised = nearest[:, 0] < nearest[:, 1] / 3
    at_rest = settled.period == 1
    point = fixed_points.distinct(settled.z, ONE_END)
    shared = torch.bincount(point[at_rest], minlength=len(point))[point] > 1
    kind = torch.where(memorised, 0, torch.where(shared, 1, 2)).masked_fill(~at_rest, 3)
    return [KINDS[k] for k in kind.tolist()]


def order_in_words(sizes: pd.DataFrame) -> str:
    """Which ends are the most frequent at each size, and whether that is the order of Pham et al.

    Trajectories from training images are counted.  The order is theirs if most are memorised at the
    smallest size and generalised at the largest, and no kind comes back in between.

    Args:
        sizes: the study's table of this name.
    """
    from_images = sizes[sizes.start == "image"].rename(columns={"not_at_rest": "not at rest"})
    kinds = from_images[[*KINDS]].idxmax(axis=1).tolist()
    stages = [
        (kind, [f"{size:,}" for size, _ in of_kind])
        for kind, of_kind in itertools.groupby(
            zip(from_images["size"], kinds, strict=True), key=lambda pair: pair[1]
        )
    ]
    told = "; ".join(f"{kind} at n = {', '.join(at)}" for kind, at in stages)
    return f"The most frequent end from a training image is {told}. {_verdict(kinds)}"


def _verdict(kinds: list[str]) -> str:
    if len({*kinds}) == 1:
        return "It is the same at every size: the comparison decides nothing."
    begins = kinds[0] == "memorised" and kinds == sorted(kinds, key=KINDS.index)
    if begins and kinds[-1] == "generalised":
        return "This is the order of Pham et al."
    if begins and kinds[-1] == "spurious":
        return (
            "The order of Pham et al. begins so; most ends are generalised at none of these sizes."
        )
    return "This is not the order of Pham et al."
