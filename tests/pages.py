"""What the tests of the pages share: their numbers, and the same computed from the stored weights.

In plain numpy and float64, from the same random draws.
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
    """A page's outputs, as text, and its numbers."""
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
    """The outputs of its cells, as text."""
    return json.dumps([cell.get("outputs", []) for cell in nbformat.read(page, 4).cells])


def distances(z, target):
    return np.linalg.norm(z - target, axis=-1)


def closest_steps(curves):
    """Of curves ``[T+1, trials]``: each one's closest step, the first and the last almost so.

    Between these two float32 may choose; its distances are good to 1e-4.
    """
    close = curves <= curves.min(0) * (1 + 2e-4)
    return curves.argmin(0), close.argmax(0), len(curves) - 1 - close[::-1].argmax(0)


def stored_weights(spec, models):
    """Weights by name, float64, read without the store's own code."""
    with safe_open(models / spec.name / "model.safetensors", "pt") as file:
        names = [name for name in file.keys() if name.startswith("weights.")]  # noqa: SIM118
        tensors = {name.removeprefix("weights."): file.get_tensor(name) for name in names}
    return {name: references.array(tensor) for name, tensor in tensors.items()}


def model_of(experiment, models):
    """Those of an experiment's network."""
    return stored_weights(VAESpec.of(experiment), models)


def stored_history(spec, models):
    with safe_open(models / spec.name / "model.safetensors", "pt") as file:
        return json.loads(file.metadata()["history"])


def judge_of(experiment, models):
    """Those of its classifier."""
    return stored_weights(ClassifierSpec.of(experiment), models)


def trials(label_list, n, experiment, by_label=False):
    """The same draws as the page makes: rows of the training set and their noisy images.

    By a plain loop over the images.  With ``by_label`` as a page that draws each label apart.
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
    """Mean distance to the concept [T+1, 10] and of the line; which labels approach, both ways."""
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
