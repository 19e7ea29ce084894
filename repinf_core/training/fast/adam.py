"""Adam, one layer at a time while its gradient is in the processor's cache, for speed.

The update is the same as in ``torch.optim.Adam``, and both share one state.
"""

import torch

from repinf_core.training.fast.backprop import FlatParameters
from repinf_core.training.run import BETAS, EPSILON


class Adam:
    """Adam for one model's parameters.

    A step is :meth:`begin`, followed by :meth:`update` with the gradient of every layer.

    Args:
        flat: the model's parameters.
        optimiser: torch's optimiser of the same parameters; its state is changed, and its moments
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
        """Begin a step with this learning rate."""
        self._learning_rate = learning_rate
        torch._foreach_add_(self._steps, 1)

    @torch.no_grad()
    def update(self, layer: int, d_weight: torch.Tensor, d_bias: torch.Tensor) -> None:
        """Update the parameters of a layer, and their copies in the products' dtype."""
        of_layer = slice(2 * layer, 2 * layer + 2)
        first, second = (moments[of_layer] for moments in self._moments)
        # torch.optim.Adam(fused=True) calls this, after other work that is not needed here.
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
