"""What every test shares: a store of its own, one thread, reproducible random examples."""

import pytest
import torch
from hypothesis import settings

# derandomize: the same examples in every run, so that a failure is never a matter of luck.
settings.register_profile("repinf", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("repinf")

# One thread: small matrices are slower on several, and bit-for-bit tests need a fixed order.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def model_store(tmp_path, monkeypatch):
    """An empty model store; no test reads or writes the user's."""
    folder = tmp_path / "models"
    monkeypatch.setenv("REPINF_MODELS", str(folder))
    return folder
