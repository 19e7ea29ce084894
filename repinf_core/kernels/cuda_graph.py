"""Capture a step that is repeated many times on a GPU, which makes it faster.

A step of these small networks consists of dozens of kernels of a few microseconds each.  It takes
longer to launch them one by one than to run them.  A CUDA graph launches all of them at once.
"""

import itertools
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import nn

_WARM_UP = 3  # steps, as torch's notes on CUDA graphs ask: libraries initialise themselves in them
_MOST_KEPT = 8  # graphs; each holds its step's arrays, up to some hundred MB

Graphs = dict[Hashable, tuple[torch.cuda.CUDAGraph, torch.Tensor, Any]]
"""The captured graphs by kind of input: each with the tensor it reads and those it writes."""

_graphs_of: weakref.WeakKeyDictionary[nn.Module, tuple[Hashable, Graphs]] = (
    weakref.WeakKeyDictionary()
)


def graphs_of(model: object) -> Graphs:
    """The graphs captured so far of a model's repeated inference, for its next :class:`Captured`.

    A graph reads parameters and buffers in place, so it stays valid while training changes them.
    All graphs are dropped if one of these tensors is replaced, or changes its dtype or device, or
    if a module goes from training to evaluation.  No graphs are kept for an object that is not a
    module, because it is unknown what it reads.  The graphs are freed with the model.  Only one
    thread at a time may use them.
    """
    if not isinstance(model, nn.Module):
        return {}
    reads = (
        tuple(
            (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
            for tensor in itertools.chain(model.parameters(), model.buffers())
        ),
        tuple(module.training for module in model.modules()),
    )
    if model not in _graphs_of or _graphs_of[model][0] != reads:
        _graphs_of[model] = reads, {}
    return _graphs_of[model][1]


class Captured:
    """``step(x)``, replayed from the kernels that the first call with such an ``x`` launched.

    "Such" means the same shape and dtype, and the same setting of torch's float32 precision.  The
    next call overwrites the results of the previous one.  Tensors that the step changes in place
    are as if each call had run the step itself.

    Args:
        step: function of a tensor on the GPU that returns tensors on the GPU; it must not wait
            for the GPU.
        changes: the tensors that it changes in place, all made before.
        generators: the generators that it draws from, on the GPU.
        graphs: earlier graphs of the same step; new ones are added.
    """

    def __init__(
        self,
        step: Callable[[torch.Tensor], Any],
        changes: Sequence[torch.Tensor] = (),
        generators: Sequence[torch.Generator] = (),
        graphs: Graphs | None = None,
    ) -> None:
        self._step, self._changes, self._generators = step, changes, generators
        self._graphs = {} if graphs is None else graphs

    def __call__(self, x: torch.Tensor) -> Any:
        kind = x.shape, x.dtype, torch.get_float32_matmul_precision()
        if kind in self._graphs:
            graph, static, result = self._graphs[kind]
            static.copy_(x)
        else:  # the step may overwrite x itself, so the graph reads the copy of x
            if len(self._graphs) == _MOST_KEPT:
                del self._graphs[next(iter(self._graphs))]
            graph, static, result = self._graphs[kind] = self._capture(x)
        graph.replay()
        return result

    def _capture(self, x: torch.Tensor) -> tuple[torch.cuda.CUDAGraph, torch.Tensor, Any]:
        with torch.cuda.device(x.device):
            static = x.clone()
            before = [tensor.clone() for tensor in self._changes]
            drawn = [generator.get_state() for generator in self._generators]
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP):
                    self._step(static)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            if torch.__version__ < "2.14":  # later versions register generators themselves
                for generator in self._generators:
                    graph.register_generator_state(generator)
            # On the warm-up's own stream: on the default one, the end of one graph can free the
            # workspace of another.
            with torch.cuda.graph(graph, stream=stream):
                result = self._step(static)
            for tensor, value in zip(self._changes, before, strict=True):
                tensor.copy_(value)
            for generator, state in zip(self._generators, drawn, strict=True):
                generator.set_state(state)
        return graph, static, result
