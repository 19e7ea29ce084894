"""Functions for the tests of pages: a page's numbers, and the same numbers computed independently.

The independent ones are computed from the stored weights and the same random draws, in plain numpy
and float64.
"""

import json
from pathlib import Path

import nbformat
import numpy as np
import papermill
import references
import torch
from safetensors import safe_open

from repinf_core import data, profiles
from repinf_core.models.classifier import ClassifierSpec
from repinf_core.models.mlp import VAESpec

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
SMOKE = profiles.PROFILES["smoke"]
TRAIN = data.load("digits", "train")
TEST = data.load("digits", "test")


def results(folder, page):
    return json.loads((folder / "results" / f"{page}.json").read_text())


def executed(tmp_path, name, **parameters):
    """Execute a page; returns its outputs, as text, and its numbers."""
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        NOTEBOOKS / f"{name}.ipynb",
        out,
        {"profile": "smoke"} | parameters,
        cwd=tmp_path,
        progress_bar=False,
    )
    return outputs_of(out), results(tmp_path, name)["results"]


def outputs_of(page):
    """The outputs of a page's cells, as text."""
    return json.dumps([cell.get("outputs", []) for cell in nbformat.read(page, 4).cells])


def distances(z, target):
    return np.linalg.norm(z - target, axis=-1)


def closest_steps(curves):
    """Each trial's step of smallest distance in ``[T+1, trials]``, and the range of near ties.

    float32 distances have a relative error of up to 1e-4, so float32 may find another step between
    the first and the last near tie.  Returns the three steps, ``[trials]`` each.
    """
    close = curves <= curves.min(0) * (1 + 2e-4)
    return curves.argmin(0), close.argmax(0), len(curves) - 1 - close[::-1].argmax(0)


def stored_weights(spec, models):
    """Weights by name, in float64, read without the code of the store."""
    with safe_open(models / spec.name / "model.safetensors", "pt") as file:
        names = [name for name in file.keys() if name.startswith("weights.")]  # noqa: SIM118
        tensors = {name.removeprefix("weights."): file.get_tensor(name) for name in names}
    return {name: references.array(tensor) for name, tensor in tensors.items()}


def model_of(experiment, models):
    """Weights of an experiment's network, by name, in float64."""
    return stored_weights(VAESpec.of(experiment), models)


def stored_history(spec, models):
    with safe_open(models / spec.name / "model.safetensors", "pt") as file:
        return json.loads(file.metadata()["history"])


def judge_of(experiment, models):
    """Weights of an experiment's classifier, by name, in float64."""
    return stored_weights(ClassifierSpec.of(experiment), models)


def trials(label_list, n, experiment, by_label=False):
    """The same random draws as a page makes: rows of the training set, and their noisy images.

    The noise is added in a plain loop over the images.  With ``by_label`` the seed depends on the
    label, as on a page that draws each label separately.
    """
    seed = experiment.trial_seed
    if by_label:
        (label,) = label_list
        (seed,) = np.random.SeedSequence([seed, label]).generate_state(1).tolist()
    generator = torch.Generator().manual_seed(seed)
    of_labels = [np.flatnonzero(TRAIN.labels.numpy() == k) for k in label_list]
    orders = [torch.randperm(len(rows), generator=generator).numpy()[:n] for rows in of_labels]
    rows = np.concatenate([r[order] for r, order in zip(of_labels, orders, strict=True)])
    uniform = torch.rand(len(rows), 784, generator=generator).numpy()
    noisy = references.array(TRAIN.images)[rows]
    for image, u in zip(noisy, uniform, strict=True):
        selected = np.flatnonzero(u < experiment.p)
        if experiment.noise == "permute":
            image[selected] = image[selected[u[selected].argsort(kind="stable")]]
        else:
            image[selected] = 1 - image[selected]
    return rows, noisy


def approach(weights, concepts, experiment):
    """Mean distance to the concept, ``[T+1, 10]``, the same for the chord, and the approaches.

    The approaches are two lists of ten: below the whole chord, and below it at the same time.
    """
    rows, x0 = trials(range(10), experiment.trials, experiment)
    _, z = references.rollout(weights, x0, experiment.steps)
    fractions = np.linspace(0, 1, experiment.steps + 1)[:, None, None]
    line = z[0] * (1 - fractions) + z[-1] * fractions
    target = concepts[TRAIN.labels.numpy()[rows]]
    mean, control = (
        distances(path, target).reshape(experiment.steps + 1, 10, -1).mean(2) for path in (z, line)
    )
    whole_chord = [references.approaches(mean[:, k], control[:, k].min()) for k in range(10)]
    same_time = [
        references.approaches(mean[:, k], control[mean[:, k].argmin(), k]) for k in range(10)
    ]
    return mean, control, whole_chord, same_time
