"""A layer by oneDNN, a neural-network library that comes with torch, for speed.

On x86 processors torch computes float32 products with MKL, which does not use AVX-512 on AMD
processors.  oneDNN does, and it applies the nonlinearity to a layer's outputs while they are in the
cache.  The operators used here belong to torch's own compiler and are not documented, so
:func:`supports` checks whether they exist.
"""

import functools
import platform

import torch

_OPERATORS = "_linear_pointwise", "_is_mkldnn_bf16_supported"


def supports(inputs: torch.Tensor) -> bool:
    """Whether :func:`linear` works for these inputs: ``[n, k]`` on an x86 processor."""
    return inputs.dim() == 2 and inputs.device.type == "cpu" and _has_linear(inputs.dtype)


def linear(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    nonlinearity: str = "none",
) -> torch.Tensor:
    """f(x W' + b) for x ``[m, k]`` and W ``[n, k]``: ``[m, n]``, without a graph for autograd.

    Args:
        inputs: x, for which :func:`supports` is true; x and W may be transposed views.
        weight: W, with the dtype of x.
        bias: b ``[n]``, likewise.
        nonlinearity: f, one of ``none``, ``tanh`` and ``sigmoid``.
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
