"""Adam, a layer at a time, its gradient still in the processor's cache: speed, not meaning.

The same update as ``torch.optim.Adam`` (a test holds it to that).
"""

from collections.abc import Mapping

import torch

from repinf_core.training.fast.backprop import FlatParameters

BETAS = 0.9, 0.999
"""Decay of the moments' running means; as the next, of Adam's authors: the paper gives none."""
EPSILON = 1e-8


class Adam:
    """Adam of one model's parameters, with the same names of its state as ``torch.optim.Adam``'s.

    A step is :meth:`begin`, then :meth:`update` with the gradient of every layer.

    Args:
        flat: the parameters ``[P]``.

    Attributes:
        state: ``step``, a number; ``exp_avg`` and ``exp_avg_sq``, the moments ``[P]``.
    """

    def __init__(self, flat: FlatParameters) -> None:
        vector = flat.vector.data
        self.state = {
            "step": torch.zeros((), device=vector.device),
            "exp_avg": torch.zeros_like(vector),
            "exp_avg_sq": torch.zeros_like(vector),
        }
        self._flat = flat
        self._moments = [flat.views(self.state[name]) for name in ("exp_avg", "exp_avg_sq")]
        self._learning_rate = 0.0

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from another's ``state``."""
        for name, value in self.state.items():
            value.copy_(state[name])

    def begin(self, learning_rate: float) -> None:
        """Begin a step of this size."""
        self._learning_rate = learning_rate
        self.state["step"] += 1

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
            [self.state["step"]] * 2,
            lr=self._learning_rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=0.0,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
        self._flat.round_layer(layer)
