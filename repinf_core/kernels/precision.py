"""The precision of the matrix products of a training on the available device."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


def multiplies_bfloat16(device: torch.device | str, hardware: Any = torch) -> bool:
    """Whether the device multiplies in bfloat16 itself; others emulate it, many times slower.

    Args:
        device: device that computes the products.
        hardware: the module that is asked, with torch's names; if it does not know, the answer
            is no.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return hardware.cuda.get_device_capability(device) >= (8, 0)
    names = "_is_avx512_bf16_supported", "_is_amx_tile_supported"
    return device.type == "cpu" and any(getattr(hardware.cpu, name, bool)() for name in names)


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """Make cuDNN compute float32 products in float32; by default it rounds them to TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
