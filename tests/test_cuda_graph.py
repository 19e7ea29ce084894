"""Which captured step is used again: what needs no GPU to be asked."""

import copy
import gc
import weakref
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from repinf_core.kernels.cuda_graph import Captured, graphs_of
from repinf_core.models.mlp import VAE


class Recorded(Captured):
    """Captures as a GPU does: the tensors that the step read then, whatever the model has later."""

    def __init__(self, model):
        super().__init__(model, graphs=graphs_of(model))

    def _capture(self, x):
        static, (weight, bias) = x.clone(), (self._step.weight.data, self._step.bias.data)
        result = x.new_empty(len(x), len(weight))

        def replay():
            result.copy_(static @ weight.T + bias)

        return SimpleNamespace(replay=replay), static, result


def rows(n, seed=0):
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(seed))


def linear():
    return nn.Linear(3, 2).requires_grad_(False)


def change_in_place(model):
    model.weight.mul_(2)


def replace_parameter(model):
    model.weight = nn.Parameter(2 * model.weight, requires_grad=False)


def replace_data(model):
    model.bias.data = model.bias + 1


def assign(model):
    model.load_state_dict(
        {name: 3 * value for name, value in model.state_dict().items()}, assign=True
    )


@pytest.mark.parametrize("change", [change_in_place, replace_parameter, replace_data, assign])
def test_no_captured_step_is_of_weights_that_the_model_has_no_more(change):
    model = linear()
    for n in (4, 5, 4):
        torch.testing.assert_close(Recorded(model)(rows(n)), model(rows(n)))
    change(model)
    for n in (4, 5):
        torch.testing.assert_close(Recorded(model)(rows(n, 1)), model(rows(n, 1)))


def test_the_next_rollout_of_a_model_has_the_graphs_of_the_one_before():
    model = linear()
    first = Recorded(model)(rows(4))
    change_in_place(model)
    assert Recorded(model)(rows(4)) is first  # where the same graph writes
    assert Recorded(copy.deepcopy(model))(rows(4)) is not first
    replace_data(model)
    assert Recorded(model)(rows(4)) is not first


@pytest.mark.parametrize(
    "change", [nn.Module.double, nn.Module.half, nn.Module.eval, lambda model: model.to("meta")]
)
def test_another_dtype_device_or_mode_has_no_earlier_graphs(change):
    model = VAE(2, 4, torch.Generator().manual_seed(0), 6)
    graphs_of(model)["one"] = "captured"
    change(model)
    assert graphs_of(model) == {}


def test_buffers_count_as_parameters_do():
    model = nn.BatchNorm1d(3)
    graphs_of(model)["one"] = "captured"
    model.running_mean.add_(1)
    assert graphs_of(model) == {"one": "captured"}
    model.running_mean = model.running_mean.view(torch.int32)  # another dtype in the same place
    assert graphs_of(model) == {}
    graphs_of(model)["one"] = "captured"
    model.running_mean = torch.ones(3)
    assert graphs_of(model) == {}


def test_each_shape_dtype_and_precision_of_products_has_its_own_graph():
    model = linear()
    first = Recorded(model)(rows(4))
    assert Recorded(model)(rows(5)) is not first
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if before == "highest" else "highest")
    try:
        assert Recorded(model)(rows(4)) is not first
    finally:
        torch.set_float32_matmul_precision(before)
    assert Recorded(model)(rows(4)) is first


def test_graphs_go_with_their_model():
    model = linear()
    result = weakref.ref(Recorded(model)(rows(4)))
    assert result() is not None  # kept, though nobody here holds it
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert result() is None


def test_not_every_shape_that_ever_was_is_kept():
    """Each holds its arrays on the GPU."""
    model = linear()
    for n in range(1, 40):
        torch.testing.assert_close(Recorded(model)(rows(n)), model(rows(n)))
    assert len(graphs_of(model)) < 20


def test_of_what_is_no_module_nothing_is_kept():
    model = SimpleNamespace(encode_mean=None, decode_mean=None)
    graphs_of(model)["one"] = "captured"
    assert graphs_of(model) == {}
