"""Backpropagation as in Karpathy's micrograd: a value keeps a closure that passes its gradient on.

A rival for the benchmarks, and a contrast for the reader: where the derivative is the body of a
closure, nothing can be drawn, checked or differentiated twice. Unlike micrograd's, the sort does
not recurse, so deep graphs work.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


class Value:
    def __init__(self, data: float, parents: tuple[Value, ...] = ()):
        self.data, self.parents = data, parents
        self.grad = 0.0
        self.push: Callable[[], None] = lambda: None

    def __add__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def push() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out.push = push
        return out

    def __mul__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def push() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.push = push
        return out

    def tanh(self) -> Value:
        out = Value(math.tanh(self.data), (self,))

        def push() -> None:
            self.grad += (1 - out.data**2) * out.grad

        out.push = push
        return out

    def relu(self) -> Value:
        out = Value(max(self.data, 0.0), (self,))

        def push() -> None:
            self.grad += (out.data > 0) * out.grad

        out.push = push
        return out

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Value:
        return self * -1.0

    def __sub__(self, other: Any) -> Value:
        return self + -other

    def __rsub__(self, other: Any) -> Value:
        return -self + other

    def backward(self) -> None:
        order: list[Value] = []
        seen: set[Value] = set()
        stack: list[tuple[Value, bool]] = [(self, False)]
        while stack:
            value, finished = stack.pop()
            if finished:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                stack.append((value, True))
                stack.extend((parent, False) for parent in value.parents)
        self.grad = 1.0
        for value in reversed(order):
            value.push()
