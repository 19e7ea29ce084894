"""Where trajectories end when the network has seen few images or many (chapter 20).

A fixed small experiment on the bundled digits, with the network of profile ``quick``.  It follows
Pham et al. (arXiv:2505.21777), who find that a diffusion model first memorises its training images,
then has spurious states, and at last generalises, the more images it is trained on.
"""

import dataclasses

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

SIZES = (10, 30, 100, 300, 1500)
"""Images in the training sets; each set contains the smaller ones."""
KINDS = ("memorised", "spurious", "generalised", "not at rest")
"""How a trajectory can end."""
_EPOCHS = 6  # at most
_MINIBATCH = 20  # images; small, so that 450 steps take seconds
_RATES = (2e-3, 1e-3, 5e-4)  # larger than the profile's, because there are few steps
_STARTS = 100  # of each kind, at most
_STEPS = 1000  # at most


def ends_by_size(experiment: Experiment) -> pd.DataFrame:
    """Train on sets of several sizes, and tell how trajectories of each network end.

    A small set is repeated until it has as many images as the largest one, so that all networks
    take the same number of optimisation steps.

    Args:
        experiment: makes the experiment smaller for tests: sizes up to ten times ``trials``, epochs
            up to a fiftieth of ``epochs``, starts up to ten times ``census_trials``, and at
            most ``settling_steps`` steps.

    Returns:
        the table ``sizes`` of the study.
    """
    quick = PROFILES["quick"]
    train = data.load(quick.dataset, "train")
    generator = torch.Generator().manual_seed(quick.seed)
    order = torch.randperm(len(train.images), generator=generator)
    epochs = min(_EPOCHS, max(1, experiment.epochs // 50))
    starts = min(_STARTS, 10 * experiment.census_trials)
    prior = torch.randn(starts, quick.n_z, generator=generator)
    rows = []
    for size in (size for size in SIZES if size <= 10 * experiment.trials):
        images = LabelledImages(*(part[order[:size]] for part in train))
        model = _trained(images, len(train.images), epochs)
        with torch.no_grad():
            memories = model.encode_mean(images.images[:starts])
        for start, z0 in (("image", memories), ("prior", prior)):
            settled = settling.settle(model, z0, min(_STEPS, experiment.settling_steps))
            kinds = pd.Series(kinds_of_ends(model, settled, images.images))
            shares = kinds.value_counts(normalize=True).reindex(KINDS, fill_value=0.0)
            ends = fixed_points.distinct(settled.z[settled.period == 1], ONE_END)
            rows.append(
                {
                    "size": size,
                    "start": start,
                    "trajectories": len(z0),
                    "ends": len(ends.unique()),
                    **shares,
                }
            )
    return pd.DataFrame(rows).rename(columns={"not at rest": "not_at_rest"})


def _trained(images: LabelledImages, at_least: int, epochs: int) -> VAE:
    """The network of profile ``quick``, trained on these images, repeated to ``at_least``."""
    spec = dataclasses.replace(VAESpec.of(PROFILES["quick"]), epochs=epochs, minibatch=_MINIBATCH)
    times = -(-at_least // len(images.images))
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
