"""Where noise moves the latents of convolutional networks: planes to look at, and neighbours."""

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from repinf_core import data, models
from repinf_core.profiles import Experiment
from repinf_core.studies.convolutional import Convolutional
from repinf_core.studies.study import stacked

CLEAN, NOISY = "clean", "noisy"
"""The two states of an image."""
_IMAGES = 300  # few enough to tell the points apart
_PERPLEXITY = 30.0  # scikit-learn's own, less for fewer than 91 points


def measured(
    networks: Convolutional,
    clean: torch.Tensor,
    noisy: torch.Tensor,
    labels: torch.Tensor,
    experiment: Experiment,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables ``places`` and ``latents`` of the study, of the first few hundred images.

    Args:
        networks: their latent means are compared.
        clean: images ``[n, 784]``, on the CPU.
        noisy: the same images with noise.
        labels: of them, ``[n]``.
        experiment: its ``dataset`` names the labels, its ``trial_seed`` starts t-SNE.
    """
    labels = labels[:_IMAGES]
    names = [data.DATASETS[experiment.dataset].class_names[label] for label in labels.tolist()]
    places, latents = {}, []
    for name, model in networks.models.items():
        z, z_noisy = (
            models.memories(model, images[:_IMAGES].to(networks.device)).cpu()
            for images in (clean, noisy)
        )
        both = torch.cat([z, z_noisy]).numpy()
        in_planes = {
            "PCA": _principal(both, len(z)),
            "t-SNE": _tsne(both, experiment.trial_seed),
        }
        for method, points in in_planes.items():
            for state, plane in zip((CLEAN, NOISY), np.split(points, 2), strict=True):
                x, y = plane.T
                places[name, method, state] = pd.DataFrame(
                    {"label": labels, "name": names, "x": x, "y": y}
                )
        latents.append({"network": name, **_neighbours(z.double(), z_noisy.double(), labels)})
    return stacked(places, "network", "method", "state"), pd.DataFrame(latents)


def _principal(latents: np.ndarray, clean: int) -> np.ndarray:
    """Places ``[n, 2]`` in the plane of the two leading components of the first ``clean`` ones."""
    with np.errstate(invalid="ignore"):  # latents that are all equal have no shares of variance
        return PCA(2, svd_solver="full").fit(latents[:clean]).transform(latents)


def _tsne(latents: np.ndarray, seed: int) -> np.ndarray:
    """Places ``[n, 2]``; it begins with the principal components, if the latents differ at all."""
    perplexity = min(_PERPLEXITY, (len(latents) - 1) / 3)
    start = "pca" if latents.std(0).any() else "random"
    return TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(latents)


def _neighbours(z: torch.Tensor, noisy: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    among_clean, to_clean = torch.cdist(z, z), torch.cdist(noisy, z)
    spread = among_clean.sum() / (len(z) * (len(z) - 1))
    moved = to_clean.diagonal().mean()
    itself = torch.eye(len(z), dtype=torch.bool)
    others, from_noisy = (
        distances.masked_fill(itself, torch.inf).argmin(1) for distances in (among_clean, to_clean)
    )
    return {
        "displacement": float(moved / spread) if spread > 0 else float("nan"),
        "own_image": float((to_clean.argmin(1) == torch.arange(len(z))).double().mean()),
        "noisy_own_label": float((labels[from_noisy] == labels).double().mean()),
        "clean_own_label": float((labels[others] == labels).double().mean()),
    }
