"""Training of several small models at once, because one of them leaves a large GPU idle.

The models are the rows of one matrix of parameters, and each product of a step is one batched
product for all of them.  A model with fewer latents than the widest is padded with latents
whose weights are zero and which get no noise: their gradients are zero, so they stay as they are.
On a GPU the step is one CUDA graph, of a single model too.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from repinf_core.kernels.cuda_graph import Captured
from repinf_core.models.mlp import VAE
from repinf_core.training.fast import adam
from repinf_core.training.fast.backprop import FlatParameters, negative_elbo_gradient

SHARED = ("dataset", "n_hidden", "beta", "n_samples", "minibatch", "precision")
"""What runs that train together have in common: the names in their specs."""


def shared(spec: Any) -> tuple:
    """Those values of a :class:`~repinf_core.training.Spec`."""
    return tuple(getattr(spec, name) for name in SHARED)


class Ensemble:
    """Runs that are trained together, each as it would be alone.

    The sums of a batched product may come in another order than those of a single one, and in
    bfloat16 a hidden unit may be rounded before its tanh too; all else, the random numbers too, is
    what each run alone would see.

    Args:
        runs: :class:`~repinf_core.training.TrainingRun`s on one device, alike in ``SHARED``.
        images: ``[N, 784]`` on that device.

    Raises:
        ValueError: the runs differ in what all must share.
    """

    def __init__(self, runs: Sequence[Any], images: torch.Tensor) -> None:
        alike = {shared(run.spec) for run in runs}
        if len(alike) != 1:
            raise ValueError(
                f"Runs that train together share {', '.join(SHARED)}; got {sorted(alike)}."
            )
        self._runs, self._images = runs, images
        self._spec = runs[0].spec
        self._widest = max(run.spec.n_z for run in runs)
        wide = VAE(self._widest, self._spec.n_hidden, torch.Generator())
        self._places = [_places(wide, run.spec.n_z).to(images.device) for run in runs]
        self._flat = FlatParameters(
            self._stacked([run.flat.vector.detach() for run in runs]),
            list(wide.parameters()),
            getattr(torch, self._spec.precision),
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

    def epoch(self, learning_rates: Sequence[float]) -> list[list[float]]:
        """One pass over the images, in each run's own random order.

        Args:
            learning_rates: Adam's, of each run.

        Returns:
            of each run -ELBO, KL and reconstruction, means over the epoch in nats per image; not
            finite of a run that diverged, which changes nothing of the others.
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
        return self._total.T.tolist()

    def _one_step(self) -> Callable[[torch.Tensor], None]:
        """A step, given each run's rows of the images ``[E, B]``.

        No method: one that knows the ensemble would keep it, and its graphs, from being freed.
        """
        images, flat, optimiser, total = self._images, self._flat, self._optimiser, self._total
        spec, widest = self._spec, self._widest
        draws = [(run.spec.n_z, run.generator) for run in self._runs]

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
        """One parameter group per run, for its own learning rate, going on from its moments."""
        vector = self._flat.vector
        groups = []
        for row, gradient in zip(vector.data, vector.grad, strict=True):
            parameter = torch.nn.Parameter(row)
            parameter.grad = gradient
            # A tensor, which a captured step reads anew: a number would be captured as it is.
            groups.append({"params": [parameter], "lr": torch.zeros((), device=row.device)})
        optimiser = torch.optim.Adam(
            groups, betas=adam.BETAS, eps=adam.EPSILON, fused=True, capturable=vector.is_cuda
        )
        for group, run, place in zip(groups, self._runs, self._places, strict=True):
            (parameter,) = group["params"]
            moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
            for name, moment in moments.items():
                moment[place] = run.adam.state[name]
            optimiser.state[parameter] = {"step": run.adam.state["step"].clone(), **moments}
        return optimiser

    def _stacked(self, vectors: Sequence[torch.Tensor]) -> torch.Tensor:
        stacked = vectors[0].new_zeros(len(vectors), len(self._places[0]))
        for row, place, vector in zip(stacked, self._places, vectors, strict=True):
            row[place] = vector
        return stacked

    def _write_back(self) -> None:
        """Bring the runs themselves, which are evaluated and saved, up to date."""
        states = self._optimiser.state.values()
        rows = self._flat.vector.data
        for run, row, place, state in zip(self._runs, rows, self._places, states, strict=True):
            run.flat.vector.data.copy_(row[place])
            run.adam.load(
                {name: value[place] if value.dim() else value for name, value in state.items()}
            )


def _places(wide: VAE, n_z: int) -> torch.Tensor:
    """Where the parameters of a model with ``n_z`` latents are among those of ``wide``: ``[P]``.

    Their order is the same in both.
    """
    latents = torch.arange(wide.n_z) < n_z
    masks = {name: torch.ones_like(p, dtype=torch.bool) for name, p in wide.named_parameters()}
    masks["encoder_out.weight"] &= latents.repeat(2)[:, None]
    masks["encoder_out.bias"] &= latents.repeat(2)
    masks["decoder_hidden.weight"] &= latents
    return torch.cat([mask.flatten() for mask in masks.values()])
