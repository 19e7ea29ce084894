"""A step that is repeated many times on a GPU, captured once: speed, not meaning.

A step of these small networks is dozens of kernels of a few microseconds each, less than it
takes to launch them one by one.  A CUDA graph launches all of them at once.
"""

import itertools
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import nn

_WARM_UP = 3  # steps, as torch's notes on CUDA graphs ask for: libraries set themselves up in them
_MOST_KEPT = 8  # graphs: each holds its step's arrays, up to some hundred MB

Graphs = dict[Hashable, tuple[torch.cuda.CUDAGraph, torch.Tensor, Any]]
"""What was captured: of each kind of input the graph, where it reads, and where it writes."""

_graphs_of: weakref.WeakKeyDictionary[nn.Module, tuple[Hashable, Graphs]] = (
    weakref.WeakKeyDictionary()
)


def graphs_of(model: object) -> Graphs:
    """What was captured of a model's repeated inference so far, for its next :class:`Captured`.

    A graph reads parameters and buffers in place, so it follows a training that goes on.  Once one
    of them is replaced or has another dtype or device, or a module goes from training to
    evaluation, no earlier graph is given.  Of what is no module none is ever kept, for nobody can
    tell what it reads.  The graphs are freed with the model; one thread at a time may use them.
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
    """``step(x)`` with the kernels that it launched the first time it saw such an ``x``.

    Such an x: of this shape and dtype, with torch's precision of float32 products as it is now.
    The next call overwrites what the one before it returned.  What the step changes in place is
    as if each call had run the step itself.

    Args:
        step: from a tensor on the GPU to tensors on the GPU; it must not wait for the GPU.
        changes: the tensors that it changes in place, all made before.
        generators: those from which it draws, on the GPU.
        graphs: of the same step captured before; what is captured now is added.
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
        else:  # x itself may be what the step overwrites: by now only its copy is what it was
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
            if torch.__version__ < "2.14":  # later ones register a generator when it draws
                for generator in self._generators:
                    graph.register_generator_state(generator)
            # The warm-up's own stream: on the default one, the end of one graph can take the
            # workspace of another with it.
            with torch.cuda.graph(graph, stream=stream):
                result = self._step(static)
            for tensor, value in zip(self._changes, before, strict=True):
                tensor.copy_(value)
            for generator, state in zip(self._generators, drawn, strict=True):
                generator.set_state(state)
        return graph, static, result
