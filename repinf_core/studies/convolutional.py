"""The convolutional networks that the chapters on the companion share (arXiv:2412.04755)."""

from collections.abc import Mapping
from typing import NamedTuple, cast

from repinf_core import data
from repinf_core.data import LabelledImages
from repinf_core.models.conv import ConvAutoencoder, ConvSpec, variants
from repinf_core.profiles import Experiment
from repinf_core.studies.study import default_device
from repinf_core.training import progress, store
from repinf_core.training.run import TrainingRun


class Convolutional(NamedTuple):
    """Trained convolutional networks, and the images that they know.

    Attributes:
        runs: the trainings by name, with their histories and the epochs reached.
        device: device of the networks.
        train: training set, on the CPU.
        test: test set, on the CPU.
    """

    runs: Mapping[str, TrainingRun]
    device: str
    train: LabelledImages
    test: LabelledImages

    @property
    def models(self) -> dict[str, ConvAutoencoder]:
        """The networks by name."""
        return {name: cast(ConvAutoencoder, run.model) for name, run in self.runs.items()}

    @property
    def epochs(self) -> int:
        """The fewest epochs that one of them was trained for."""
        return min(run.epoch for run in self.runs.values())


def trained(
    experiment: Experiment,
    device: str | None = None,
    specs: Mapping[str, ConvSpec] | None = None,
) -> Convolutional:
    """The CAE, the DAE and the VAE: from the store, shipped, or trained now.

    It prints where the networks come from and how long a training takes, and shows its progress.

    Args:
        experiment: its ``dataset`` and what shapes the networks.
        device: device of the networks; by default a GPU if there is one, else the CPU.
        specs: other networks by name.

    Raises:
        DataError, StoreError, CheckpointError, TrainingDiverged, BelowFloor: as
            :func:`repinf_core.training.store.load_or_train`.
    """
    device = device or default_device()
    specs = variants(experiment) if specs is None else specs
    train, test = (data.load(experiment.dataset, split) for split in ("train", "test"))
    print(progress.estimate_runtime(list(specs.values()), device, len(train.images)))
    runs = {}
    for name, spec in specs.items():
        with progress.bar(spec) as report:
            runs[name] = store.load_or_train(spec, device, report)
    return Convolutional(runs, device, train, test)


def untrained(specs: Mapping[str, ConvSpec], device: str) -> dict[str, ConvAutoencoder]:
    """The networks with their initial weights: a control of what training does."""
    return {
        name: cast(ConvAutoencoder, TrainingRun(spec, device).model) for name, spec in specs.items()
    }
