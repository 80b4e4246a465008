"""Scalars in a recording of Tensors: while it lasts, each number of theirs is a value of it.

A Scalar computes with Python's floats, of which no backend knows. In a function that has Tensors,
too, the floats are exchanged for arrays of no dimension, and the Scalars' methods and derivatives
for the kernels of float64 that have the same formulas. So one list has the steps of both. The
numbers of the Scalars that were there before come in as elements of two tensors, and those that the
function leaves go out the same way (mixed.py).
"""
from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...arrays import dtypes
from ...backends.reference import Reference
from ...engine.operands import COERCE
from ...engine.record import constant, fill
from ...engine.registry import REGISTRY
from ...graph import Node, mode, reachable, storage_of, user_frame
from ...handles import scalar as scalars
from ...handles.methods import ScalarMethods
from ...handles.scalar import Scalar, check_fresh, constant_scalar
from ...handles.tensor import Tensor
from ...notation import formulas
from ..recorded import Recorded
from ..templates import ATOMS, through

if TYPE_CHECKING:
    from ...base.types import Operand
    from ...engine.op import Op
    from ..recording import Recording

    Patch = tuple[Operand, Operand, Operand]  # an object, an attribute's name, what it becomes

GRAD, VALUE = vars(Node)["grad"], vars(Node)["value"]  # the slots
ABSENT = object()


class Spot(NamedTuple):
    """In a result, the place of a Scalar or a number: ``at`` among the Scalars, or the tensors.

    ``kind`` is "leaf", "number" or "made", of which ``how`` says whether it needs gradient, was
    computed, and where its gradient is among the tensors (-1: it has none).
    """

    kind: str
    at: int
    how: tuple[bool, bool, int] = (False, False, -1)


ATOMS.add(Spot)


class Lift:
    """The exchange, for Scalars ``leaves`` with the numbers ``data`` and the gradients ``grads``.

    ``graded``: which of them have a gradient.
    """

    def __init__(
        self, r: Recording, leaves: Sequence[Scalar], data: Tensor, grads: Tensor,
        graded: Sequence[bool],
    ):  # fmt: skip
        self.r, self.leaves = r, leaves
        self.graded = tuple(graded)
        self.known = {id(s) for s in leaves}
        self.lane: Operand = Reference.by_dtype[dtypes.F64]
        self.before: list[Patch] = []
        self.originals = (scalars._elements, Scalar.stack, COERCE[Scalar])
        r.undo.append(self.restore)
        r.later.append(self.unwrap)
        self.first = [(self.element(data, i), self.element(grads, i) if graded[i] else None)
                      for i in range(len(leaves))]  # fmt: skip
        for s, (value, g) in zip(leaves, self.first, strict=True):
            VALUE.__set__(s, value)
            GRAD.__set__(s, g)
        for x, name, made in self.patches():
            held = x.get(name, ABSENT) if type(x) is dict else vars(x).get(name, ABSENT)
            if held is ABSENT and type(x) is not dict and not isinstance(x, type):
                held = getattr(x, name, ABSENT)
            self.before.append((x, name, held))
            _set(x, name, made)

    def element(self, t: Tensor, i: int) -> Recorded:
        x: Operand = t.array
        found: Recorded = x[i : i + 1].reshape(())
        return found

    # ---- what is exchanged -----------------------------------------------------------------------
    def patches(self) -> Iterable[Patch]:
        for name, method in list(vars(ScalarMethods).items()):
            op = vars(method).get("op") if callable(method) else None
            if op is not None:
                yield ScalarMethods, name, self.method(REGISTRY[op])
        for name in formulas.TABLE:
            yield REGISTRY[name], "scalar_backward", self.backward
        yield scalars.stack_op, "joint", self.unstacked
        yield scalars.element_op, "joint", self.placed
        yield vars(scalars), "_elements", self.elements
        yield Scalar, "stack", staticmethod(self.stack)
        yield Scalar, "contributions", lambda s, g, graph: self.contributions(s, g, graph)
        yield Scalar, "data", property(self.number, self.set_data)
        yield Scalar, "item", lambda s: self.number(s)
        yield Scalar, "detach", lambda s: self.made(self.number(s))
        yield Scalar, "grad", property(self.grad, GRAD.__set__)
        yield COERCE, Recorded, self.refuse_number

    def method(self, op: Op) -> Callable[..., Scalar]:
        """An op's method, by the kernel of float64."""
        n, static = len(op.vjps), formulas.ARGUMENTS.get(op.name, {})

        def method(self_: Scalar, *given: Operand, **named: Operand) -> Scalar:
            operands = [self_]
            for x in given[: n - 1]:
                if isinstance(x, Scalar):
                    operands.append(x)
                elif isinstance(x, (int, float, np.number)):
                    operands.append(constant_scalar(x))
                elif isinstance(x, Recorded) and not x.shape:
                    operands.append(self.made(x))
                else:
                    return NotImplemented
            attrs = {**static, **dict(zip(static, given[n - 1 :], strict=False)), **named}
            values = [self.array(x) for x in operands]
            made = self.made(getattr(self.lane, op.name)(*values, **attrs))
            made.op, made.inputs, made.attrs = op, tuple(operands), attrs or None
            m = mode.get()
            made.needs, made.scope = m.grad and any(x.needs for x in operands), m.scope
            frame = user_frame(sys._getframe(1))
            made.code, made.lasti = frame.f_code, frame.f_lasti
            return made

        return method

    def made(self, value: Operand) -> Scalar:
        """A Scalar with a recorded number, without gradient."""
        s = constant_scalar(0.0)
        s.value = value
        return s

    def array(self, s: Operand) -> Operand:
        """A Scalar's number as a value of the recording."""
        x: Operand = VALUE.__get__(s)
        if type(x) is Recorded:
            return x
        if s.seq <= self.r.start:
            self.r.give_up("it reads a Scalar that no guard sees, or whose graph is older")
        x = self.r.constant(np.array(x))
        VALUE.__set__(s, x)
        return x

    def number(self, s: Scalar) -> Operand:
        """What ``.data`` gives: a number, which arithmetic in place does not change."""
        x: Operand = self.array(s)
        return +x

    def set_data(self, s: Scalar, value: Operand) -> None:
        given = self.array(value) if isinstance(value, Scalar) else value
        VALUE.__set__(s, given if type(given) is Recorded else float(given))
        storage_of(s).wrote("data =")

    def grad(self, s: Scalar) -> Operand:
        g = GRAD.__get__(s)
        if isinstance(g, Recorded):
            number: Operand = g.__pos__()
            return number
        if g is not None and s.seq <= self.r.start and id(s) not in self.known:
            self.r.give_up("it reads the gradient of a Scalar that no guard sees")
        return g

    def refuse_number(self, x: Recorded) -> Tensor:
        """A number of a Scalar beside a Tensor."""
        self.r.give_up("the number of a Scalar (x.data, x.grad) is combined with a Tensor")
        return constant(np.asarray(x.value))

    # ---- derivatives -----------------------------------------------------------------------------
    def contributions(self, s: Scalar, g: Operand, graph: Operand) -> list[Operand]:
        check_fresh(s)
        if graph is not None:
            self.r.give_up("derivatives of Scalars are recorded in turn (create_graph=True)")
        attrs = s.attrs or {}
        values = [self.array(x) for x in s.inputs]
        g = g if type(g) is Recorded else self.r.constant(np.array(float(g)))
        every = zip(s.inputs, s.op.vjp_kernels[self.lane], strict=True)
        return [
            None if vjp is None or not x.needs
            else vjp(self.lane, g, self.array(s), *values, **attrs) for x, vjp in every
        ]  # fmt: skip

    def backward(self, s: Scalar, g: Operand, grads: dict[Node, Operand]) -> None:
        for x, d in zip(s.inputs, self.contributions(s, g, None), strict=True):
            if d is not None:
                held = grads.get(x)
                grads[x] = d if held is None else held + d

    def unstacked(self, F: Operand, g: Operand, node: Node) -> list[Operand]:
        """The joint derivative of ``Scalar.stack``."""
        if type(g) is not Recorded:
            self.r.give_up("derivatives of Scalars are recorded in turn (create_graph=True)")
            found: list[Operand] = scalars._unstack_gradient(F, g, node)
            return found
        return [self.doubled(g.__getitem__(i)) for i in range(len(node.inputs))]

    def placed(self, F: Operand, g: Operand, node: Node) -> list[Operand]:
        """The joint derivative of an element of a tensor."""
        x, attrs = node.inputs[0], node.attrs or {}
        g = g if type(g) is Recorded else self.r.constant(np.array(float(g)))
        g = (g if g.dtype == x.dtype else g.astype(x.dtype)).reshape(())
        return [x.dev.place(g, index=attrs["index"], shape=tuple(x.shape))]

    # ---- between the two worlds ------------------------------------------------------------------
    @staticmethod
    def doubled(x: Operand) -> Operand:
        return x if x.dtype == dtypes.F64 else x.astype(np.float64)

    def elements(self, t: Tensor, index: tuple[int, ...], m: Operand, frame: Operand) -> Operand:
        x: Operand = t.array
        if len(index) < x.ndim:
            return [self.elements(t, (*index, i), m, frame) for i in range(x.shape[len(index)])]
        n = self.made(self.doubled(x[index]))
        n.needs, n.code, n.lasti = t.node.needs and m.grad, frame.f_code, frame.f_lasti
        n.op, n.inputs, n.attrs, n.scope = scalars.element_op, (t.node,), {"index": index}, m.scope
        return n

    def stack(self, given: Iterable[Operand], dtype: Operand = None) -> Tensor:
        nodes = tuple([x if isinstance(x, Scalar) else self.made(self.lane.array(x))
                       if type(x) is Recorded else constant_scalar(x) for x in given])  # fmt: skip
        d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
        x: Operand = self.lane.stack(*[self.lane.array(self.array(s)) for s in nodes], dim=0)
        t = constant(x if x.dtype == d else x.astype(d))
        m = mode.get()
        if m.grad and any(s.needs for s in nodes):
            frame = user_frame(sys._getframe(1))
            t.node = fill(scalars.stack_op.node(), nodes, nodes, t.array, t.node.dev, None,
                          m.scope, frame)  # fmt: skip
        return t

    # ---- what comes out --------------------------------------------------------------------------
    def result(self, found: Operand) -> Operand:
        """What a function returned, with Spots for Scalars and numbers; the tensors of those; and
        the numbers and gradients that the leaves have now, where they are others."""
        tensors: list[Tensor] = []
        made: list[Node] = []

        def tensor(x: Operand) -> int:
            x = x if type(x) is Recorded else self.r.constant(np.array(float(x)))
            tensors.append(constant(self.lane.array(x)))
            return len(tensors) - 1

        def spot(x: Operand) -> Operand:
            if isinstance(x, Tensor) and x.node.needs:
                made.append(x.node)
                if any(type(n) is Scalar for n in reachable([x.node])) and x.node.saved is not None:
                    self.r.give_up("backward from outside would lead to Scalars")
            if type(x) is Recorded:
                return Spot("number", tensor(x))
            if not isinstance(x, Scalar):
                return x
            if id(x) in self.known:
                return Spot("leaf", next(i for i, s in enumerate(self.leaves) if s is x))
            made.append(x)
            g = GRAD.__get__(x)
            if x.needs and x.op is not None and g is None:
                self.r.give_up("it returns a Scalar through which no backward() has gone")
            how = (x.needs, x.op is not None, -1 if g is None else tensor(g))
            return Spot("made", tensor(self.array(x)), how)

        template = through(found, spot)
        data = [(i, VALUE.__get__(s)) for i, s in enumerate(self.leaves)
                if VALUE.__get__(s) is not self.first[i][0]]  # fmt: skip
        grads = [(i, GRAD.__get__(s)) for i, s in enumerate(self.leaves)
                 if GRAD.__get__(s) is not self.first[i][1]]  # fmt: skip
        gone = tuple([i for i, g in grads if g is None])
        grads = [(i, g) for i, g in grads if g is not None]
        if self.kept(made):
            self.r.give_up("it keeps a Scalar that it made, in a list, dict or attribute")
        changed = tuple([(i, tensor(x)) for i, x in data])
        graded = tuple([(i, tensor(g)) for i, g in grads])
        return template, changed, graded, gone, tensors, self.graded

    def alive(self) -> list[Scalar]:
        return [x for x in gc.get_objects() if type(x) is Scalar and x.seq > self.r.start]

    def kept(self, made: list[Node]) -> bool:
        """Do Scalars live on that are not below the results?"""
        allowed = {id(n) for n in reachable(made, constants=True)}
        if all(id(x) in allowed for x in self.alive()):
            return False
        gc.collect()
        return any(id(x) not in allowed for x in self.alive())

    # ---- afterwards ------------------------------------------------------------------------------
    def restore(self) -> None:
        """Give Scalars their own methods back."""
        for x, name, held in reversed(self.before):
            _set(x, name, held)

    def unwrap(self) -> None:
        """Give Scalars Python's floats again."""
        for s in [*self.leaves, *self.alive()]:
            value, g = VALUE.__get__(s), GRAD.__get__(s)
            if type(value) is Recorded:
                VALUE.__set__(s, float(value.value))
            if type(g) is Recorded:
                GRAD.__set__(s, float(g.value))


def _set(x: Operand, name: str, held: Operand) -> None:
    if type(x) is dict:
        if held is ABSENT:
            x.pop(name, None)
        else:
            x[name] = held
    elif held is not ABSENT:
        setattr(x, name, held)
    else:
        with suppress(AttributeError):
            delattr(x, name)
