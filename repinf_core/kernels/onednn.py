"""A layer by oneDNN, a library of neural networks that torch brings along: speed, not meaning.

On x86 processors torch's float32 products are MKL's, which leaves AVX-512 unused on AMD's; oneDNN
does not, and applies the nonlinearity to a layer's outputs while they are still at hand.  The
operators used here are those of torch's own compiler and not documented: so whether they are
there is asked first.
"""

import functools
import platform

import torch

_OPERATORS = "_linear_pointwise", "_is_mkldnn_bf16_supported"


def supports(inputs: torch.Tensor) -> bool:
    """Whether :func:`linear` is there for these inputs: ``[n, k]`` on an x86 processor."""
    return inputs.dim() == 2 and inputs.device.type == "cpu" and _has_linear(inputs.dtype)


def linear(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    nonlinearity: str = "none",
) -> torch.Tensor:
    """f(x W' + b), without a graph for autograd; ``[m, k]`` times the transpose of ``[n, k]``.

    Args:
        inputs: x, of a kind that oneDNN :func:`supports`; it and W may be transposed views.
        weight: W, of the same dtype.
        bias: b ``[n]``, likewise.
        nonlinearity: f; ``none``, ``tanh`` or ``sigmoid``.
    """
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, nonlinearity, [], "")


@functools.cache
def _has_linear(dtype: torch.dtype) -> bool:
    if not (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()
        and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS)
    ):
        return False
    if dtype == torch.bfloat16:  # some processors lack the instructions
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return dtype == torch.float32
