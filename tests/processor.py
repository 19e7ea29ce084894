"""What this processor has, on which some tests depend."""

import platform

import pytest
import torch

HAS_ONEDNN = (
    torch.backends.mkldnn.is_available()
    and platform.machine() in ("x86_64", "AMD64")
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)
needs_onednn = pytest.mark.skipif(
    not HAS_ONEDNN, reason="torch has no oneDNN for an x86 processor here"
)
