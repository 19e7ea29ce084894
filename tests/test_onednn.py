"""oneDNN's layers against numpy in float64."""

import platform

import numpy as np
import pytest
import references
import torch
from hypothesis import given
from hypothesis import strategies as st
from processor import HAS_ONEDNN, needs_onednn

from repinf_core.kernels import onednn

NONLINEARITIES = {
    "none": lambda a: a,
    "tanh": np.tanh,
    "sigmoid": lambda a: 0.5 * (1 + np.tanh(0.5 * a)),
}
SIZES = st.integers(1, 40)


@needs_onednn
@given(
    m=SIZES,
    k=SIZES,
    n=SIZES,
    nonlinearity=st.sampled_from(sorted(NONLINEARITIES)),
    biased=st.booleans(),
    transposed=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 1000),
)
def test_a_layer_is_its_definition(m, k, n, nonlinearity, biased, transposed, seed):
    generator = torch.Generator().manual_seed(seed)

    def matrix(rows, columns, of_transposed):
        if of_transposed:
            return torch.randn(columns, rows, generator=generator).T
        return torch.randn(rows, columns, generator=generator)

    x, weight = matrix(m, k, transposed[0]), matrix(n, k, transposed[1])
    bias = torch.randn(n, generator=generator) if biased else None
    found = onednn.linear(x, weight, bias, nonlinearity)
    sums = references.array(x) @ references.array(weight).T
    sums += references.array(bias) if biased else 0
    # Sums of up to 40 products of normal numbers: float32 roundings, 6e-8 each, of numbers of ten.
    np.testing.assert_allclose(found, NONLINEARITIES[nonlinearity](sums), rtol=1e-5, atol=1e-5)
    assert found.is_contiguous()


@needs_onednn
def test_the_ends_of_the_nonlinearities():
    x = torch.tensor([[-200.0], [-20.0], [0.0], [20.0], [200.0]])
    one = torch.ones(1, 1)
    for name in ("tanh", "sigmoid"):
        exact = NONLINEARITIES[name](references.array(x))
        np.testing.assert_allclose(onednn.linear(x, one, None, name), exact, rtol=0, atol=1e-7)


@needs_onednn
def test_what_is_not_a_number_stays_so():
    found = onednn.linear(torch.tensor([[np.nan], [1.0]]), torch.ones(3, 1), None, "tanh")
    assert found[0].isnan().all()
    assert found[1].isfinite().all()


def test_it_multiplies_matrices_of_float32_on_x86_processors():
    assert onednn.supports(torch.zeros(2, 3)) == HAS_ONEDNN
    assert not onednn.supports(torch.zeros(2, 3, dtype=torch.float64))
    assert not onednn.supports(torch.zeros(4, 2, 3))
    assert not onednn.supports(torch.zeros(2, 3, device="meta"))


@pytest.fixture
def ask_again():
    """That the answers of this process are neither used nor kept."""
    onednn._has_linear.cache_clear()
    yield
    onednn._has_linear.cache_clear()


@pytest.mark.usefixtures("ask_again")
@pytest.mark.parametrize("machine", ["arm64", "aarch64"])
def test_elsewhere_it_multiplies_nothing(monkeypatch, machine):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert not onednn.supports(torch.zeros(2, 3))


@pytest.mark.usefixtures("ask_again")
def test_without_its_operators_it_multiplies_nothing(monkeypatch):
    monkeypatch.setattr(onednn, "_OPERATORS", ("_no_such_operator",))
    assert not onednn.supports(torch.zeros(2, 3))


@needs_onednn
@pytest.mark.usefixtures("ask_again")
@pytest.mark.parametrize("supported", [True, False])
def test_in_bfloat16_it_multiplies_where_the_processor_does(monkeypatch, supported):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    assert onednn.supports(torch.zeros(2, 3, dtype=torch.bfloat16)) == supported
    assert onednn.supports(torch.zeros(2, 3))
