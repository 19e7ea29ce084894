"""Every number of an experiment, in one table, and the check of what a reader puts in.

A profile is a complete experiment: ``smoke`` (tests), ``quick`` (a fresh machine, no
network needed) and ``paper`` (the published edition).  A notebook parameter left at ``None`` takes
the profile's value; anything else must pass the check beside its field before work starts.
"""

import ast
import contextlib
import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from repinf_core import checks
from repinf_core.errors import ReaderError

PRECISIONS = ("float32", "bfloat16")


class ParameterError(ReaderError, ValueError):
    """A parameter that is unknown, of the wrong type or out of range; one sentence says so."""


# Imported only when a name is to be checked: with them comes torch, for which nobody waits who
# mistyped another parameter.
def _datasets() -> Collection[str]:
    from repinf_core.data import DATASETS

    return DATASETS


def _noises() -> Collection[str]:
    from repinf_core.noise import NOISES

    return NOISES


def _parameter(meaning: str, check: dict) -> Any:
    return dataclasses.field(metadata={"meaning": meaning, **check})


@dataclass(frozen=True)
class Experiment:
    """One experiment: what is trained, and what is then inferred repeatedly."""

    dataset: str = _parameter("images and labels", checks.one_of(_datasets))
    n_z: int = _parameter("latent variables N_z", checks.integer(1, 4096))
    n_hidden: int = _parameter("units of each hidden layer", checks.integer(1, 65536))
    beta: float = _parameter(
        "weight of the KL term; the paper's text is 1",
        checks.real(f"a number from 0 to {checks.LARGEST}", lambda b: b >= 0),
    )
    n_samples: int = _parameter("samples L of z per image in training", checks.integer(1, 1000))
    epochs: int = _parameter("passes over the training set", checks.integer(1, 1_000_000))
    learning_rates: tuple[float, ...] = _parameter(
        "Adam's, each for an equal share", checks.rates()
    )
    minibatch: int = _parameter(
        "images per step; stated only for Fig. 9", checks.integer(1, 60_000)
    )
    precision: str = _parameter(
        "of the matrix products in training", checks.one_of(lambda: PRECISIONS)
    )
    seed: int = _parameter("of training: weights, order, latents", checks.integer(0, 2**31 - 1))
    p: float = _parameter(
        "noise: probability that a pixel is selected",
        checks.real("a number from 0 to 1", lambda p: 0 <= p <= 1),
    )
    noise: str = _parameter("reading of 'swapped' pixels", checks.one_of(_noises))
    label: int = _parameter("label of the images of Figs. 1, 4, 5 and 8", checks.integer(0, 9))
    trials: int = _parameter("noisy images per label", checks.integer(3, 1_000_000))
    steps: int = _parameter("steps T of repeated inference", checks.integer(2, 100_000))
    p_grid: tuple[float, ...] = _parameter(
        "noise fractions p of Figs. 4 and 5",
        checks.grid("numbers from 0 to 1", checks.real("", lambda p: 0 <= p <= 1)),
    )
    trials_per_p: int = _parameter(
        "noisy images for each p of Fig. 4 and of the number of steps", checks.integer(2, 1_000_000)
    )
    window: int = _parameter("steps of the PCA window of Fig. 2", checks.integer(0, 100_000))
    trial_seed: int = _parameter("of the trials: images, noise", checks.integer(0, 2**31 - 1))
    classifier_epochs: int = _parameter("of the classifier of Fig. 5", checks.integer(1, 1_000_000))
    classifiers: int = _parameter(
        "that judge the readings of the open points by their median", checks.odd(1, 99)
    )
    classified_trials: int = _parameter(
        "noisy images per p of Fig. 5", checks.integer(1, 1_000_000)
    )
    final_step: int = _parameter("step judged in Suppl. F", checks.integer(2, 100_000))
    n_z_grid: tuple[int, ...] = _parameter(
        "latent dimensions of Figs. 8 and 9",
        checks.list_of(
            "one or more increasing integers from 1 to 4096", checks.integer(1, 4096), True
        ),
    )
    beta_grid: tuple[float, ...] = _parameter(
        "KL weights that are compared",
        checks.grid(f"numbers from 0 to {checks.LARGEST}", checks.real("", lambda b: b >= 0)),
    )
    grid_epochs: int = _parameter("of each model of these grids", checks.integer(1, 1_000_000))
    selection_rates: tuple[float, ...] = _parameter("Adam's, tried for Fig. 9", checks.rates())
    selection_minibatches: tuple[int, ...] = _parameter(
        "images per step tried for Fig. 9",
        checks.list_of("one or more integers from 1 to 60000", checks.integer(1, 60_000)),
    )
    selection_epochs: int = _parameter("of each model of Fig. 9", checks.integer(1, 1_000_000))
    denoiser_epochs: int = _parameter("of the denoising autoencoder", checks.integer(1, 1_000_000))
    inputs_per_kind: int = _parameter(
        "images of each kind, familiar or not; at most half the test images",
        checks.integer(2, 1_000_000),
    )
    census_trials: int = _parameter(
        "images per label whose end points are looked for", checks.integer(1, 100_000)
    )
    settling_steps: int = _parameter(
        "steps after which a trajectory counts as not at rest", checks.integer(2, 1_000_000)
    )
    channels: int = _parameter("of the convolutional latent tensor", checks.integer(1, 1024))
    conv_epochs: int = _parameter("of each convolutional network", checks.integer(1, 1_000_000))
    denoising_level: float = _parameter(
        "standard deviation of the Gaussian noise that the convolutional DAE learns to remove",
        checks.real("a number above 0 and at most 1", lambda level: 0 < level <= 1),
    )
    noise_levels: tuple[float, ...] = _parameter(
        "standard deviations of the Gaussian noise on images; the first is 0, the clean image",
        checks.grid("numbers from 0 to 1", checks.real("", lambda level: 0 <= level <= 1)),
    )
    manifold_images: int = _parameter(
        "test images whose latent tensors are compared; two halves span a subspace each",
        checks.integer(4, 1_000_000),
    )
    log_epsilon: float = _parameter(
        "added to the eigenvalues of a covariance before its logarithm",
        checks.real("a number above 0 and at most 1", lambda eps: 0 < eps <= 1),
    )


_PAPER = Experiment(
    dataset="mnist",
    n_z=100,
    n_hidden=1024,
    beta=1.0,
    n_samples=2,
    epochs=1500,
    learning_rates=(5e-4, 1e-4, 5e-5),
    minibatch=100,
    precision="bfloat16",
    seed=0,
    p=0.2,
    noise="permute",
    label=6,
    trials=300,
    steps=100,
    p_grid=tuple(i / 20 for i in range(21)),
    trials_per_p=500,
    window=5,
    trial_seed=0,
    classifier_epochs=12,
    classifiers=3,
    classified_trials=200,
    final_step=80,
    n_z_grid=(2, 5, 6, 7, 8, 10, 14, 20, 100),  # those that ship
    beta_grid=(1.0, 2.0, 3.0, 4.0),
    grid_epochs=1500,
    selection_rates=(0.01, 0.001, 0.0001),
    selection_minibatches=(50, 100, 200),
    selection_epochs=100,
    denoiser_epochs=10,
    inputs_per_kind=1000,
    census_trials=150,
    settling_steps=10_000,
    channels=64,
    conv_epochs=20,
    denoising_level=0.3,
    noise_levels=(0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0),
    manifold_images=1000,
    log_epsilon=1e-6,
)

# Float32 where the machine is unknown: many CPUs have no bfloat16 products and emulate them.
_DIGITS = dataclasses.replace(
    _PAPER,
    dataset="digits",
    precision="float32",
    epochs=300,
    p_grid=tuple(i / 10 for i in range(11)),
    trials_per_p=100,
    n_z_grid=(2, 5, 10, 20, 100),
    grid_epochs=30,
    classified_trials=50,
    selection_minibatches=(50, 200),
    selection_epochs=8,
    denoiser_epochs=60,
    census_trials=30,
    settling_steps=3000,
    conv_epochs=60,
    noise_levels=(0.0, 0.1, 0.2, 0.3, 0.5, 1.0),
    manifold_images=200,
)

PROFILES: dict[str, Experiment] = {
    "smoke": dataclasses.replace(
        _DIGITS,
        n_z=10,
        n_hidden=128,
        epochs=60,
        learning_rates=(5e-3, 1e-3, 5e-4),
        trials=20,
        steps=30,
        p_grid=(0.0, 0.25, 0.5, 0.75, 1.0),
        trials_per_p=20,
        classifier_epochs=3,
        classified_trials=20,
        final_step=30,
        n_z_grid=(2, 5, 10),
        beta_grid=(1.0, 4.0),
        grid_epochs=10,
        selection_rates=(0.01, 0.001),
        selection_epochs=2,
        denoiser_epochs=30,
        inputs_per_kind=100,
        census_trials=5,
        settling_steps=300,
        channels=16,
        conv_epochs=2,
        noise_levels=(0.0, 0.1, 0.5),
        manifold_images=30,
    ),
    "quick": _DIGITS,
    "paper": _PAPER,
}

_FIELDS = {field.name: field.metadata for field in dataclasses.fields(Experiment)}


def _refuse(name: str, got: Any, allowed: object) -> None:
    raise ParameterError(f"Parameter {name} is {got!r}; allowed is {allowed}.")


def experiment(profile: str, given: Mapping[str, Any]) -> Experiment:
    """The profile's experiment with the ``given`` values (those that are not None) in place.

    Raises:
        ParameterError: an unknown profile or name, or a value of the wrong type or range.
    """
    if not isinstance(profile, str) or profile not in PROFILES:
        _refuse("profile", profile, "one of " + ", ".join(PROFILES))
    changes = {}
    for name, value in given.items():
        if name not in _FIELDS:
            raise ParameterError(
                f"Parameter {name} (set to {value!r}) is unknown; "
                f"allowed are profile, {', '.join(_FIELDS)}."
            )
        if value is None:
            continue
        if not _FIELDS[name]["accepts"](value):
            _refuse(name, value, _FIELDS[name]["allowed"])
        changes[name] = _FIELDS[name]["to"](value)
    return dataclasses.replace(PROFILES[profile], **changes)


def value(text: str) -> Any:
    """A command line's ``7``, ``[1e-3, 1e-4]``, ``null`` or ``None`` as such, else the text."""
    for parse in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return parse(text)
    return text


def table() -> list[dict[str, Any]]:
    """One row per parameter: name, meaning, and its value in each profile."""
    return [
        {
            "parameter": name,
            "meaning": check["meaning"],
            **{profile: getattr(values, name) for profile, values in PROFILES.items()},
        }
        for name, check in _FIELDS.items()
    ]
