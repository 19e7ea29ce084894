"""Adam, a layer at a time, its gradient still in the processor's cache: speed, not meaning.

The same update as ``torch.optim.Adam``, on whose own state it works.
"""

import torch

from repinf_core.training.fast.backprop import FlatParameters
from repinf_core.training.run import BETAS, EPSILON


class Adam:
    """Adam of one model's parameters.

    A step is :meth:`begin`, then :meth:`update` with the gradient of every layer.

    Args:
        flat: the model's parameters.
        optimiser: torch's, of the same parameters; its state is changed, and the moments in it
            become views of one vector each.
    """

    def __init__(self, flat: FlatParameters, optimiser: torch.optim.Adam) -> None:
        self._flat = flat
        states = list(optimiser.state.values())
        self._moments = []
        for name in ("exp_avg", "exp_avg_sq"):
            views = flat.views(torch.zeros_like(flat.vector.data))
            for view, state in zip(views, states, strict=True):
                state[name] = view.copy_(state[name])
            self._moments.append(views)
        self._steps = [state["step"] for state in states]
        self._learning_rate = 0.0

    def begin(self, learning_rate: float) -> None:
        """Begin a step of this size."""
        self._learning_rate = learning_rate
        torch._foreach_add_(self._steps, 1)

    @torch.no_grad()
    def update(self, layer: int, d_weight: torch.Tensor, d_bias: torch.Tensor) -> None:
        """Move the parameters of a layer, and what the products use of them."""
        of_layer = slice(2 * layer, 2 * layer + 2)
        first, second = (moments[of_layer] for moments in self._moments)
        # What torch.optim.Adam(fused=True) calls, without what it does before it at every call.
        torch._fused_adam_(
            self._flat.parameters[of_layer],
            [d_weight.float(), d_bias.float()],
            first,
            second,
            [],
            self._steps[of_layer],
            lr=self._learning_rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=0.0,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
        self._flat.round_layer(layer)
