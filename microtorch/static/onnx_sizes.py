"""Sizes that may differ, in an ONNX model that was written for one size.

A recording has the sizes of its example in it: a shape to be reshaped to, zeros for a hidden state,
positions, a mask. Written for two examples of other sizes, two models differ in those constants and
in nothing else. Each number that differs is one of the dynamic sizes, or some of them, times a
factor; in its place the model asks the inputs for their shape.
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from .onnx_in import FIXED

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from ..handles.tensor import Tensor

    Sizes = dict[str, tuple[str, int, int, int]]  # symbol -> an input, its axis, two sizes of it


def symbols(
    dynamic: Mapping[str, Operand], names: Sequence[str], given: Sequence[Tensor]
) -> dict[str, list[tuple[int, int]]]:
    """Which dynamic axes there are: each symbol, and the (input, axis) that it names."""
    found: dict[str, list[tuple[int, int]]] = {}
    for i, (name, t) in enumerate(zip(names, given, strict=True)):
        axes = dynamic.get(name, {})
        for axis in axes:
            word = axes[axis] if isinstance(axes, Mapping) else f"{name}_{axis}"
            found.setdefault(word, []).append((i, axis % t.ndim))
    return found


class Unlike(Exception):
    """Two models differ in more than sizes."""


class Sized:
    """``first``, made for any sizes: ``second`` is the same model for others."""

    def __init__(self, onnx: Operand, first: Operand, second: Operand, sizes: Sizes):
        self.onnx, self.sizes = onnx, sizes
        self.graph = first.graph
        self.made: list[Operand] = []  # nodes that come before all others
        self.count = 0
        a, b = ([(n.op_type, [*n.input], [*n.output], n.attribute) for n in m.graph.node]
                for m in (first, second))  # fmt: skip
        if [x[:3] for x in a] != [x[:3] for x in b] or any(
            str(x[3]) != str(y[3]) for x, y in zip(a, b, strict=True)
        ):
            raise Unlike
        of = onnx.numpy_helper.to_array
        others = {c.name: of(c) for c in second.graph.initializer}
        for c in [*self.graph.initializer]:
            x, y = of(c), others[c.name]
            if x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes():
                continue
            self.replace(c.name, x, y)
            self.graph.initializer.remove(c)
        for x, y in zip(self.graph.output, second.graph.output, strict=True):
            for d, e in zip(x.type.tensor_type.shape.dim, y.type.tensor_type.shape.dim,
                            strict=True):  # fmt: skip
                if d.dim_value != e.dim_value:
                    words = self.factors(d.dim_value, e.dim_value)[1]
                    d.dim_param = "*".join(words)
        nodes = [*self.made, *self.graph.node]
        del self.graph.node[:]
        self.graph.node.extend(nodes)

    # ---- nodes -----------------------------------------------------------------------------------
    def node(self, op: str, inputs: Sequence[str], out: str = "", **attrs: Operand) -> str:
        self.count += 1
        out = out or f"size_{self.count}"
        self.made.append(self.onnx.helper.make_node(op, inputs, [out], f"size {out}", **attrs))
        return out

    def constant(self, x: Array) -> str:
        self.count += 1
        name = f"size_{self.count}"
        tensor = self.onnx.numpy_helper.from_array(np.asarray(x), name)
        tensor.doc_string = FIXED
        self.graph.initializer.append(tensor)
        return name

    def factors(self, a: int, b: int) -> tuple[int, tuple[str, ...]]:
        """``a`` and ``b`` as a factor times dynamic sizes, of the two models."""
        for many in (1, 2, 3):
            for words in combinations_with_replacement(self.sizes, many):
                p = math.prod([self.sizes[w][2] for w in words])
                q = math.prod([self.sizes[w][3] for w in words])
                if p and q and a % p == 0 and a * q == b * p:
                    return a // p, words
        raise Unlike

    def number(self, a: int, b: int) -> str:
        """A node that gives a size, (1,)."""
        if a == b:
            return self.constant(np.array([a]))
        factor, words = self.factors(a, b)
        found = self.constant(np.array([factor]))
        for word in words:
            name, axis = self.sizes[word][:2]
            place = self.constant(np.array([axis]))
            size = self.node("Gather", [self.node("Shape", [name]), place])
            found = self.node("Mul", [found, size])
        return found

    def shape(self, a: Sequence[int], b: Sequence[int]) -> str:
        parts = [self.number(int(x), int(y)) for x, y in zip(a, b, strict=True)]
        return self.node("Concat", parts, axis=0)

    # ---- constants -------------------------------------------------------------------------------
    def replace(self, name: str, x: Array, y: Array) -> None:
        """A constant that differs becomes nodes of the same name. Unlike: no rule says how."""
        if x.ndim != y.ndim or x.dtype != y.dtype:
            raise Unlike
        if x.shape == y.shape:
            if x.dtype != np.int64 or x.ndim > 1:
                raise Unlike
            found = self.shape(x.reshape(-1).tolist(), y.reshape(-1).tolist())
            self.node("Reshape", [found, self.constant(np.array(x.shape, np.int64))], name)
            return
        for rule in (self.repeated, self.counted, self.triangle):
            if rule(name, x, y):
                return
        raise Unlike

    def repeated(self, name: str, x: Array, y: Array) -> bool:
        """The same along each size that differs: zeros, say."""
        first = tuple([slice(0, 1) if n != m else slice(None)
                       for n, m in zip(x.shape, y.shape, strict=True)])  # fmt: skip
        one = x[first]
        if not (np.array_equal(np.broadcast_to(one, x.shape), x)
                and np.array_equal(np.broadcast_to(y[first], y.shape), y)
                and np.array_equal(one, y[first])):  # fmt: skip
            return False
        self.node("Expand", [self.constant(one), self.shape(x.shape, y.shape)], name)
        return True

    def counted(self, name: str, x: Array, y: Array) -> bool:
        """Numbers with a step: positions."""
        line, other = x.reshape(-1), y.reshape(-1)
        if max(x.shape, default=0) != x.size or min(x.size, y.size) < 2 or x.dtype.kind not in "if":
            return False
        start, step = line[0], line[1] - line[0]
        if any(not np.array_equal(start + step * np.arange(z.size, dtype=z.dtype), z)
               for z in (line, other)):  # fmt: skip
            return False
        single = self.constant(np.zeros(0, np.int64))
        n = self.node("Reshape", [self.number(x.size, y.size), single])
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
        first, by = (self.constant(np.array(v, x.dtype)) for v in (start, step))
        last = self.node("Add", [first, self.node("Mul", [by, self.node("Cast", [n], to=kind)])])
        found = self.node("Range", [first, last, by])
        self.node("Reshape", [found, self.shape(x.shape, y.shape)], name)
        return True

    def triangle(self, name: str, x: Array, y: Array) -> bool:
        """One value on one side of a diagonal, another on the other: a causal mask."""
        if x.ndim < 2 or any(z.shape[:-2] != (1,) * (z.ndim - 2) for z in (x, y)):
            return False
        for k, upper, inside, outside in _sides(x):
            both = (np.triu if upper else np.tril)(np.ones(y.shape[-2:], bool), k)
            if np.array_equal(np.where(both, inside, outside), y.reshape(both.shape)):
                ones = self.node("Expand", [self.constant(np.array(1)),
                                            self.shape(x.shape[-2:], y.shape[-2:])])  # fmt: skip
                side = self.node("Trilu", [ones, self.constant(np.array(k))], upper=int(upper))
                where = self.node("Cast", [side], to=self.onnx.TensorProto.BOOL)
                values = [self.constant(np.asarray(v, x.dtype)) for v in (inside, outside)]
                if x.dtype == bool:  # of which onnxruntime makes no choice
                    found = where if inside else self.node("Not", [where])
                else:
                    found = self.node("Where", [where, *values])
                self.node("Reshape", [found, self.shape(x.shape, y.shape)], name)
                return True
        return False


def _sides(x: Array) -> Iterator[tuple[int, bool, Operand, Operand]]:
    """The diagonals that part a matrix into two values: (diagonal, is it the upper?, values)."""
    m = x.reshape(x.shape[-2:])
    for k in (-1, 0, 1):
        for upper in (False, True):
            side = (np.triu if upper else np.tril)(np.ones(m.shape, bool), k)
            parts = m[side], m[~side]
            if all(p.size and (p == p[0]).all() for p in parts):
                yield k, upper, parts[0][0], parts[1][0]
