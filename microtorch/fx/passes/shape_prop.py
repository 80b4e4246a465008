"""Shapes written on the nodes of a graph, by running it."""
from __future__ import annotations

from typing import Any, NamedTuple

from ...arrays.memory_format import contiguous_format
from ...handles.tensor import Tensor
from ..interpreter import Interpreter
from ..node import Node, Value, map_aggregate


class TensorMetadata(NamedTuple):
    """What is known of a value."""

    shape: Value
    dtype: Value
    requires_grad: bool
    stride: tuple[int, ...]
    memory_format: Value
    is_quantized: bool
    qparams: dict[str, Any]


def _extract_tensor_metadata(result: Tensor) -> TensorMetadata:
    layout = contiguous_format if result.is_contiguous() else None
    return TensorMetadata(
        result.shape, result.dtype, result.requires_grad, tuple(result.stride()), layout, False, {}
    )


class ShapeProp(Interpreter):
    """Runs a graph, and writes ``meta["tensor_meta"]`` and ``meta["type"]`` on its nodes."""

    def run_node(self, n: Node) -> Value:
        result = super().run_node(n)
        found = []

        def look(x: Value) -> Value:
            if not isinstance(x, Tensor):
                return x
            found.append(x)
            return _extract_tensor_metadata(x)

        meta = map_aggregate(result, look)
        if found:
            n.meta["tensor_meta"] = meta
        n.meta["type"] = type(result)
        return result

    def propagate(self, *args: Value) -> Value:
        """Run it on ``args``; returns the result."""
        return super().run(*args)
