"""A step that is repeated many times on a GPU, captured once: speed, not meaning.

A step of these small networks is dozens of kernels of a few microseconds each, less than it
takes to launch them one by one.  A CUDA graph launches all of them at once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

_WARM_UP = 3  # steps, as torch's notes on CUDA graphs ask for: libraries set themselves up in them


class Captured:
    """``step(x)`` with the kernels that it launched the first time it saw ``x``'s shape.

    The next call overwrites what the one before it returned.  What the step changes in place is
    as if each call had run the step itself.

    Args:
        step: from a tensor on the GPU to tensors on the GPU; it must not wait for the GPU.
        changes: the tensors that it changes in place, all made before.
        generators: those from which it draws, on the GPU.
    """

    def __init__(
        self,
        step: Callable[[torch.Tensor], Any],
        changes: Sequence[torch.Tensor] = (),
        generators: Sequence[torch.Generator] = (),
    ) -> None:
        self._step, self._changes, self._generators = step, changes, generators
        self._captured: dict[torch.Size, tuple[torch.cuda.CUDAGraph, torch.Tensor, Any]] = {}

    def __call__(self, x: torch.Tensor) -> Any:
        if x.shape in self._captured:
            graph, static, result = self._captured[x.shape]
            static.copy_(x)
        else:  # x itself may be what the step overwrites: by now only its copy is what it was
            with torch.cuda.device(x.device):
                graph, static, result = self._captured[x.shape] = self._capture(x)
        graph.replay()
        return result

    def _capture(self, x: torch.Tensor) -> tuple[torch.cuda.CUDAGraph, torch.Tensor, Any]:
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
        if torch.__version__ < (2, 14):  # later ones register a generator when it draws
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
