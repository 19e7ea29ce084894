"""Training of several small models at once, because a single one leaves a large GPU idle.

The models are the rows of one matrix of parameters, and each product of a step is one batched
product for all of them.  A model with fewer latents than the widest is padded with latents that
have zero weights and no noise; their gradients are zero, so they do not change.  On a GPU the step
is one CUDA graph, also for a single model.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, cast

import torch

from repinf_core.data import LabelledImages
from repinf_core.kernels.cuda_graph import Captured
from repinf_core.models.mlp import TERMS, VAE, VAESpec
from repinf_core.training.fast.backprop import FlatParameters, flattened, negative_elbo_gradient
from repinf_core.training.fast.hand_written import evaluate
from repinf_core.training.run import BETAS, EPSILON, TrainingRun

_SHARED = ("n_hidden", "beta", "n_samples", "minibatch", "precision")
"""Fields of the specs that must be equal for runs that train together."""


class Ensemble:
    """Runs that are trained together, each as it would be alone.

    A batched product may add its terms in another order than a single one, and in bfloat16 a hidden
    unit may also be rounded before its tanh.  Everything else, including the random numbers, is the
    same as if each run were alone.

    Args:
        runs: runs on one device, with equal values of the fields that must be equal.
        train: training set on that device.

    Raises:
        ValueError: the runs differ in one of these fields.
    """

    name: ClassVar[str] = "several at once"

    def __init__(self, runs: Sequence[TrainingRun], train: LabelledImages) -> None:
        images = train.images
        alike = {tuple(getattr(run.spec, name) for name in _SHARED) for run in runs}
        if len(alike) != 1:
            raise ValueError(
                f"Runs that train together share {', '.join(_SHARED)}; got {sorted(alike)}."
            )
        self._runs, self._images = runs, images
        self._spec = cast(VAESpec, runs[0].spec)
        self._widest = max(_latents(run) for run in runs)
        wide = VAE(self._widest, self._spec.n_hidden, torch.Generator())
        self._places = [_places(wide, _latents(run)).to(images.device) for run in runs]
        self._flat = FlatParameters(
            self._stacked([list(run.model.parameters()) for run in runs]),
            list(wide.parameters()),
            runs[0].product_dtype,
        )
        self._optimiser = self._adam()
        self._total = torch.zeros(3, len(runs), device=images.device)
        self._step = self._one_step()
        if images.is_cuda:
            states = self._optimiser.state.values()
            self._step = Captured(
                self._step,
                [self._flat.vector.data, self._total, *(t for s in states for t in s.values())],
                [run.generator for run in runs],
            )

    def epoch(self, learning_rates: Sequence[float]) -> list[dict[str, float]]:
        """One pass over the images, in each run's own random order.

        Args:
            learning_rates: Adam's learning rate of each run.

        Returns:
            the terms of the loss of each run, means over the epoch in nats per image.  They are not
            finite for a run that diverged, which does not affect the others.
        """
        for group, learning_rate in zip(self._optimiser.param_groups, learning_rates, strict=True):
            group["lr"].fill_(learning_rate)
        self._total.zero_()
        device, n_images = self._images.device, len(self._images)
        order = torch.stack(
            [torch.randperm(n_images, generator=run.generator, device=device) for run in self._runs]
        )
        for rows in order.split(self._spec.minibatch, dim=1):
            self._step(rows)
        self._write_back()
        return [dict(zip(TERMS, of_run, strict=True)) for of_run in self._total.T.tolist()]

    def evaluate(self, run: TrainingRun, test: LabelledImages) -> dict[str, float]:
        """As :func:`repinf_core.training.fast.hand_written.evaluate`."""
        return evaluate(run, test)

    def _one_step(self) -> Callable[[torch.Tensor], None]:
        """A step, as a function of each run's rows of the images ``[E, B]``.

        It is not a method: a reference to the ensemble would keep it, and its graphs, from being
        freed.
        """
        images, flat, optimiser, total = self._images, self._flat, self._optimiser, self._total
        spec, widest = self._spec, self._widest
        draws = [(_latents(run), run.generator) for run in self._runs]

        def step(rows: torch.Tensor) -> None:
            x, shape = images[rows], (spec.n_samples, rows.shape[1])
            epsilon = x.new_zeros(len(rows), *shape, widest)
            for of_run, (n_z, generator) in zip(epsilon, draws, strict=True):
                of_run[..., :n_z] = torch.randn(*shape, n_z, generator=generator, device=x.device)
            objective = negative_elbo_gradient(flat, x, epsilon, spec.beta)
            optimiser.step()
            total.add_(torch.stack(objective), alpha=rows.shape[1] / len(images))

        return step

    def _adam(self) -> torch.optim.Adam:
        """Adam with one parameter group per run, with the run's learning rate and moments."""
        vector, gradients = self._flat.vector, cast(torch.Tensor, self._flat.vector.grad)
        groups = []
        for row, gradient in zip(vector.data, gradients, strict=True):
            parameter = torch.nn.Parameter(row)
            parameter.grad = gradient
            # A tensor, which a captured step reads every time; a number would be a constant.
            groups.append({"params": [parameter], "lr": torch.zeros((), device=row.device)})
        optimiser = torch.optim.Adam(
            groups, betas=BETAS, eps=EPSILON, fused=True, capturable=vector.is_cuda
        )
        for group, run, place in zip(groups, self._runs, self._places, strict=True):
            (parameter,) = cast(list[torch.nn.Parameter], group["params"])
            states = list(run.optimiser.state.values())
            moments = {"step": states[0]["step"].clone()}
            for name in ("exp_avg", "exp_avg_sq"):
                moments[name] = torch.zeros_like(parameter)
                moments[name][place] = torch.cat([state[name].flatten() for state in states])
            optimiser.state[parameter] = moments
        return optimiser

    def _stacked(self, parameters: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
        stacked = parameters[0][0].new_zeros(len(parameters), len(self._places[0]))
        for row, place, of_run in zip(stacked, self._places, parameters, strict=True):
            row[place] = torch.cat([parameter.detach().flatten() for parameter in of_run])
        return stacked

    def _write_back(self) -> None:
        """Update the runs, which are evaluated and saved."""
        states = self._optimiser.state.values()
        rows = self._flat.vector.data
        for run, row, place, state in zip(self._runs, rows, self._places, states, strict=True):
            own = run.optimiser.state
            _spread(row[place], [parameter.data for parameter in own])
            for name in ("exp_avg", "exp_avg_sq"):
                _spread(state[name][place], [of_parameter[name] for of_parameter in own.values()])
            for of_parameter in own.values():
                of_parameter["step"].copy_(state["step"])


def _latents(run: TrainingRun) -> int:
    return cast(VAESpec, run.spec).n_z


def _spread(vector: torch.Tensor, targets: Sequence[torch.Tensor]) -> None:
    """Fill ``targets`` with the numbers of ``vector``, in order."""
    pieces = vector.split([target.numel() for target in targets])
    for piece, target in zip(pieces, targets, strict=True):
        target.copy_(piece.view(target.shape))


def _places(wide: VAE, n_z: int) -> torch.Tensor:
    """Places ``[P]`` of the parameters of a model with ``n_z`` latents in the vector of ``wide``.

    The order is the same in both.
    """
    latents = torch.arange(wide.n_z) < n_z
    masks = {name: torch.ones_like(p, dtype=torch.bool) for name, p in wide.named_parameters()}
    masks["encoder_out.weight"] &= latents.repeat(2)[:, None]
    masks["encoder_out.bias"] &= latents.repeat(2)
    masks["decoder_hidden.weight"] &= latents
    return flattened(list(masks.values()))
