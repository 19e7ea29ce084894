"""What a training tells the person who waits: what lies ahead, and how far it has come."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from tqdm import tqdm

from repinf_core.data import load
from repinf_core.models.mlp import reconstruction_floor
from repinf_core.training import Spec, seconds_per_step, store
from repinf_core.weights import manifest


def outlook(spec: Spec, device: torch.device | str, n_images: int) -> str:
    """A few lines before the work starts: device, dataset, model, and the time it will take.

    Args:
        spec: of the model.
        device: on which it would be trained.
        n_images: of the training set.
    """
    threads = f", threads: {torch.get_num_threads()}" if str(device) == "cpu" else ""
    if store.model_file(spec).exists():
        time_needed = "trained before: no training now"
    elif spec.name in manifest():
        epochs = manifest()[spec.name]["epochs_trained"]
        time_needed = f"ships, trained for {epochs:,} of {spec.epochs:,} epochs: no training now"
    else:
        steps = -(-n_images // spec.minibatch) * spec.epochs
        minutes = steps * seconds_per_step([spec], n_images, device) / 60
        time_needed = (
            f"up to {spec.epochs:,} epochs to train, about {minutes:.1f} minutes; "
            f"kept in {store.models_folder()}"
        )
    return (
        f"device   {device}{threads}\n"
        f"dataset  {spec.dataset}, {n_images:,} training images\n"
        f"model    {spec.name}\n"
        f"         {time_needed}"
    )


@contextlib.contextmanager
def bar(spec: Any, until: int | None = None) -> Iterator[Callable[[Any], None]]:
    """Yield a ``report`` for a training: epochs, remaining time, the record and its floor.

    The floor, of a VAE only, is that of the reconstruction of the test images, in nats per image.

    Args:
        spec: of the VAE or of the classifier.
        until: the epoch after which the training stops for now; None: that of the spec.
    """
    with contextlib.ExitStack() as stack:
        shown, floor = None, ""  # made at the first record: a model from the store has none

        def report(record: Any) -> None:
            nonlocal shown, floor
            if shown is None:
                floor = _floor(spec) if isinstance(spec, Spec) else ""
                total = until or spec.epochs
                # Its clock starts now: the epochs before this moment are not of its rate.
                shown = tqdm(total=total, initial=record.epoch, desc=spec.name, unit="epoch")
                stack.enter_context(shown)
            shown.set_postfix_str(f"{record}{floor}", refresh=shown.n == shown.initial)
            shown.update(record.epoch - shown.n)

        yield report


def _floor(spec: Spec) -> str:
    return f", floor {float(reconstruction_floor(load(spec.dataset, 'test').images)):.1f}"
