"""The experiment at hand, on another data set."""

import dataclasses

from repinf_core import data
from repinf_core.models.mlp import VAESpec
from repinf_core.profiles import PROFILES, Experiment
from repinf_core.training import store


def on_dataset(experiment: Experiment, dataset: str) -> Experiment | None:
    """The same experiment on another data set; None without its images.

    It asks for the shipped network where there is one, and otherwise for as many steps of training
    as on the experiment's own data set.

    Raises:
        DataError: the experiment's own images cannot be had.
    """
    n_images = len(data.load(experiment.dataset, "train").images)
    try:
        share = n_images / len(data.load(dataset, "train").images)
    except data.DataError:
        return None
    paper = PROFILES["paper"]
    shipped = dataclasses.replace(
        experiment, dataset=dataset, epochs=paper.epochs, precision=paper.precision
    )
    epochs = max(1, round(experiment.epochs * share))
    alike = dataclasses.replace(experiment, dataset=dataset, epochs=epochs)
    return shipped if store.is_available(VAESpec.of(shipped)) else alike
