"""What network is trained, and how well?  Methods and Fig. 10."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from repinf_core import agreement, data, geometry, profiles
from repinf_core.models import mlp
from repinf_core.profiles import Experiment
from repinf_core.streams import Stream, generator
from repinf_core.studies.study import Study, Trained, trained
from repinf_core.training import general

_SAMPLES = 20  # images decoded from the prior


@dataclass(frozen=True)
class Model(Study):
    """The training of the network, its results, and images that it generates.

    Attributes:
        history: a row for each ``epoch``: ``train_negative_elbo``, the objective of the training
            images (mean over the epoch, while the weights change); and for the test images after
            the epoch ``test_negative_elbo``, ``test_kl``, ``test_reconstruction`` (nats per
            image) and the number of ``active_latents``.
        objective: a row for the training and for the test images (``split``) with the final
            weights: ``negative_elbo`` = beta ``kl`` + ``reconstruction``, the ``floor`` of the
            reconstruction, and the difference ``above_floor``, in nats per image.
        dimension: a row for each ``quantity`` that measures how many dimensions are used: its
            value ``here``, and in the ``paper`` (missing if the paper gives none).
        settings: a row for each ``parameter`` of the network and its training, with its
            ``meaning``, its value ``here`` and the one that the ``paper`` states (missing if it
            states none).  Epochs and learning rates are those that the training reached.
        test_images: the first test image of each label, ``[10, 784]``.
        reconstructions: their reconstructions E_p(x|z)[x] at z = mu(x), ``[10, 784]``.
        samples: E_p(x|z)[x] at z drawn from the prior N(0, I), ``[20, 784]``.
    """

    history: pd.DataFrame
    objective: pd.DataFrame
    dimension: pd.DataFrame
    settings: pd.DataFrame
    test_images: np.ndarray
    reconstructions: np.ndarray
    samples: np.ndarray


def run(experiment: Experiment, device: str | None = None) -> Model:
    """Train the network, or take it from the store, and examine what it has learnt.

    Args:
        experiment: uses the parameters of the network; its ``seed`` also draws the samples from
            the prior.
        device: as in :func:`repinf_core.studies.study.trained`, whose errors it raises.
    """
    network = trained(experiment, device)
    test = data.load(experiment.dataset, "test")
    history = _history(network)
    objective = _objective(network, test)
    numbers = _numbers(network, history, objective)
    test_images, reconstructions, samples = _images(network, test, experiment.seed)
    return Model(
        experiment=experiment,
        device=network.device,
        numbers=numbers,
        finding=_finding(experiment, numbers),
        history=history,
        objective=objective,
        dimension=_dimension(numbers),
        settings=_settings(network),
        test_images=test_images,
        reconstructions=reconstructions,
        samples=samples,
    )


def _history(network: Trained) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": record.epoch,
            "train_negative_elbo": record.train["negative_elbo"],
            **{f"test_{term}": record.test[term] for term in mlp.TERMS},
            "active_latents": record.test["active_latents"],
        }
        for record in network.run.history
    )


def _objective(network: Trained, test: data.LabelledImages) -> pd.DataFrame:
    rows = []
    for split, images in (("training", network.train), ("test", test)):
        terms = general.evaluate(network.run, images)
        floor = float(mlp.reconstruction_floor(images.images))
        rows.append({"split": split, **{term: terms[term] for term in mlp.TERMS}, "floor": floor})
    table = pd.DataFrame(rows)
    return table.assign(above_floor=table.reconstruction - table.floor)


def _images(
    network: Trained, test: data.LabelledImages, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first = torch.cat([(test.labels == label).nonzero()[:1, 0] for label in range(10)])
    originals = test.images[first]
    model = network.model
    prior = torch.randn(_SAMPLES, model.n_z, generator=generator(seed, Stream.SAMPLES))
    with torch.no_grad():
        latents = model.encode_mean(originals.to(network.device))
        reconstructions = model.decode_mean(latents).cpu()
        samples = model.decode_mean(prior.to(network.device)).cpu()
    return originals.numpy(), reconstructions.numpy(), samples.numpy()


def _numbers(network: Trained, history: pd.DataFrame, objective: pd.DataFrame) -> dict[str, Any]:
    last = network.run.history[-1]
    on_test = history.active_latents
    changed = history.epoch[on_test != on_test.shift(fill_value=on_test[0])]
    of_split = objective.set_index("split")
    return {
        "epochs_trained": last.epoch,
        "test_negative_elbo": last.test["negative_elbo"],
        "test_kl": last.test["kl"],
        "test_reconstruction": last.test["reconstruction"],
        "train_negative_elbo": last.train["negative_elbo"],
        "train_negative_elbo_with_final_weights": float(of_split.negative_elbo["training"]),
        "reconstruction_floor": float(of_split.floor["test"]),
        "active_latents": int(geometry.active_latents(network.memories).sum()),
        "active_latents_on_test_images": int(on_test.iloc[-1]),
        "active_latents_on_test_images_half_way": int(on_test[(len(on_test) - 1) // 2]),
        "active_latents_on_test_images_since_epoch": int(
            changed.iloc[-1] if len(changed) else history.epoch[0]
        ),
        "components_for_70_percent": geometry.components(network.memories, 0.70),
    }


def _dimension(found: dict[str, Any]) -> pd.DataFrame:
    on_test = "active_latents_on_test_images"
    rows = (
        ("active latent variables", found["active_latents"], 14),
        ("active on the test images", found[on_test], None),
        ("active on these half way through training", found[f"{on_test}_half_way"], None),
        ("this number is unchanged since epoch", found[f"{on_test}_since_epoch"], None),
        ("components for 70% of the memories' variance", found["components_for_70_percent"], 9),
    )
    return pd.DataFrame(rows, columns=["quantity", "here", "paper"]).astype({"paper": "Int64"})


def _settings(network: Trained) -> pd.DataFrame:
    run = network.run
    rates = dict.fromkeys(record.learning_rate for record in run.history)
    here = asdict(run.spec) | {"epochs": run.epoch, "learning_rates": tuple(rates)}
    stated = {name: getattr(profiles.PROFILES["paper"], name) for name in agreement.NETWORK}
    return pd.DataFrame(
        {
            "parameter": row["parameter"],
            "meaning": row["meaning"],
            "here": _told(here[row["parameter"]]),
            "paper": _told(stated[row["parameter"]]) if row["parameter"] in stated else None,
        }
        for row in profiles.table()
        if row["parameter"] in here
    )


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_told, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _finding(experiment: Experiment, found: dict[str, Any]) -> str:
    title = data.DATASETS[experiment.dataset].title
    active = found["active_latents"]
    return (
        f"The network trained on {title} with $N_z = {experiment.n_z}$ and "
        f"$\\beta = {experiment.beta:g}$ reaches an objective of "
        f"{found['test_negative_elbo']:.1f} nats per test image; {active} of its latent variables "
        f"{'is' if active == 1 else 'are'} active."
    )
