"""A small training, of which every test of training and of the store asks some variation."""

import dataclasses
import itertools

import torch

from repinf_core import data
from repinf_core.models.mlp import VAESpec
from repinf_core.training.fit import fit
from repinf_core.training.run import TrainingRun

SPEC = VAESpec(
    dataset="digits",
    n_z=3,
    n_hidden=16,
    beta=1.0,
    n_samples=2,
    epochs=4,
    learning_rates=(1e-2, 1e-3),
    minibatch=250,
    precision="float32",
    seed=3,
)


def spec(**changes):
    return dataclasses.replace(SPEC, **changes)


def digits(n):
    """The first n digits."""
    images, labels = data.load("digits", "train")
    return data.LabelledImages(images[:n], labels[:n])


def run_epochs(run, n, images):
    """Train for n epochs, or as many as are left."""
    return list(itertools.islice(fit(run, images, images), n))


def undisturbed(of):
    """The run of a spec on all its data, trained without the store."""
    run = TrainingRun(of)
    list(fit(run, data.load(of.dataset, "train"), data.load(of.dataset, "test")))
    return run


def vector(run):
    """All its weights as one vector, in the model's order."""
    return torch.cat([parameter.detach().flatten() for parameter in run.model.parameters()])


def bits(tensor):
    return tensor.detach().cpu().numpy().tobytes()


def flip(content, place):
    """The bytes with one bit altered."""
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


def without_times(history):
    return [
        {name: value for name, value in dataclasses.asdict(record).items() if "second" not in name}
        for record in history
    ]
