"""In what the matrix products of a training are computed on the device at hand."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


def multiplies_bfloat16(device: torch.device | str, hardware: Any = torch) -> bool:
    """Whether the device multiplies in bfloat16 itself; others emulate it, many times slower.

    Args:
        device: where the products are to be computed.
        hardware: of whom it is asked, by torch's names; of what torch does not know the answer
            is no.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return hardware.cuda.get_device_capability(device) >= (8, 0)
    names = "_is_avx512_bf16_supported", "_is_amx_tile_supported"
    return device.type == "cpu" and any(getattr(hardware.cpu, name, bool)() for name in names)


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """Within it cuDNN does not round what is said to be float32, as by default it does."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
