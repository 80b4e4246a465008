"""Hot paths: ``apply`` written out, so that a small op costs less than PyTorch's.

``unary`` and ``binary`` make the methods and functions of elementwise ops: they do what ``apply``
does for the common case (float operands of one dtype on one device) with everything inline, and
hand every other case to it. ``viewing``, ``whole`` and ``layer`` make those of views, of sums and
of linear layers. A made function keeps the text that it replaces as ``written``; tests run both on
many operands and compare all that can be seen. Functions of other ops call those of short.py.

``no_more`` is never given. It keeps ``out`` out of the reach of positions: a keyword-only parameter
costs 40 ns, because CPython does not specialise calls of functions that have one. Both default to
NOT_GIVEN, so that a None too many is seen.

The user's frame is usually the one that it was last time.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import BOOL, I64
from ..arrays.memory_order import plainly
from ..backends import cpu
from ..backends.table import HotTable, layouts
from ..base.errors import FAILED
from ..base.naming import named
from ..graph import last_user_code, mode, users
from . import record as recording
from . import short
from .handle import Handle
from .mixed import unlike
from .operands import exponent, numbers_of, taken_by
from .out import NOT_GIVEN, by_keyword
from .record import check_whole, constant_of, note_order, recorded_of
from .short import several, single
from .views import link_view, viewer

if TYPE_CHECKING:
    from ..base.types import Argument
    from ..handles.tensor import Tensor
    from .op import Op
else:
    Tensor = Handle

ndarray = np.ndarray


def bind(tensor: type[Tensor]) -> None:
    """Announce the class that handles are made of. Called once, by handles/tensor.py."""
    globals()["Tensor"] = vars(short)["Tensor"] = tensor
    recording.bind(tensor)


def made(op: Op, written: Callable[..., Tensor], numbers: bool = True) -> Callable[..., Tensor]:
    """The function of an op of one or two operands, written out; ``written`` defines it.

    ``numbers``: may the second operand be a Python number?
    """
    if not op.vjps:
        function = without_derivative(op, written, numbers)
    elif len(op.vjps) == 1:
        function = unary(op, written)
    else:
        function = binary(op, unlike(op, written, numbers), numbers)
    return named(function, op.name, written=written)


def unary(op: Op, written: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method ``input.op()`` and function ``op(input)``."""
    kernels = HotTable(op.name, "any")
    node_type, getframe, now = op.node, sys._getframe, mode.get
    saves_x, run = 0 in op.saved_inputs, layouts[op.name]

    def method(input: Argument, no_more: object = NOT_GIVEN, out: Argument = NOT_GIVEN) -> Tensor:
        if out is not no_more:
            return by_keyword(method, (input,), no_more, out)
        try:
            x, a = input.array, input.node
        except AttributeError:  # not a tensor
            return written(input)
        dev = a.dev
        kernel = kernels[dev]
        if kernel is None:  # integers and bools need promotion
            return written(input)
        turned = (s := a.storage) is not None and s.turned
        try:
            value = run(kernel, (x,)) if turned else kernel(x)
        except (MemoryError, RuntimeWarning):  # the general way says why, or that all is well
            return written(input)
        if type(value) is not ndarray:
            value = dev.array(value)
        if a.needs and (m := now()).grad:
            code = (f := getframe(1)).f_code
            if code is not last_user_code[0]:
                f, code = users(f, code)
            nodes = (a,)
            t = recorded_of(
                node_type, nodes, (x,) if saves_x else nodes, value, dev, None, m.scope, code,
                f.f_lasti,
            )  # fmt: skip
        else:
            t = constant_of(value, dev)
        return note_order(t) if turned else t

    return method


def not_implemented(x: object, y: object) -> object:
    """Stands for a kernel where there is none: to ask for that first would cost all that have one.
    """
    return NotImplemented


def binary(op: Op, written: Callable[..., Tensor], numbers: bool) -> Callable[..., Tensor]:
    """The method ``input.op(other)`` and function ``op(input, other)``."""
    taken = taken_by(op) if numbers else frozenset[type]()
    kernels = HotTable(op.name, "any", not_implemented)
    node_type, getframe, now = op.node, sys._getframe, mode.get
    saves_x, saves_y = 0 in op.saved_inputs, 1 in op.saved_inputs
    saves_any, floating = saves_x or saves_y, op.result == "float"
    number = exponent if op.name == "pow" else numbers_of(op)
    run = layouts.get(op.name, plainly)

    def method(
        input: Argument, other: Argument, no_more: object = NOT_GIVEN, out: Argument = NOT_GIVEN
    ) -> Tensor:  # fmt: skip
        if out is not no_more:
            return by_keyword(method, (input, other), no_more, out)
        try:
            if type(other) is not Tensor and type(other) in taken and isinstance(input, Tensor):
                other = number(other, input, floating)
            x, a = input.array, input.node
            y, b = other.array, other.node
        except AttributeError:  # not tensors
            return written(input, other)
        dev = a.dev
        kernel: Argument = kernels[dev]
        if dev is not b.dev:  # device or dtype differ
            return written(input, other)
        s, r = a.storage, b.storage
        turned = (s is not None and s.turned) or (r is not None and r.turned)
        try:
            value = run(kernel, (x, y)) if turned else kernel(x, y)
        except (MemoryError, RuntimeWarning, ValueError):
            return written(input, other)
        if type(value) is not ndarray:
            if value is NotImplemented:  # they need promotion
                return written(input, other)
            value = dev.array(value)
        # both are asked: a view of which the base was overwritten raises
        if ((a.needs and (b.needs or True)) or b.needs) and (m := now()).grad:
            code = (f := getframe(1)).f_code
            if code is not last_user_code[0]:
                f, code = users(f, code)
            saved = nodes = (a, b)
            if saves_any:
                saved = (x if saves_x else a, y if saves_y else b)
            t = recorded_of(
                node_type, nodes, saved, value, dev, None, m.scope, code, f.f_lasti
            )
        else:
            t = constant_of(value, dev)
        return note_order(t) if turned else t

    return method


def without_derivative(
    op: Op, written: Callable[..., Tensor], numbers: bool
) -> Callable[..., Tensor]:
    """``input.op(other)`` and ``op(input, other)`` of comparisons, of ``&`` and their like.

    Nothing is recorded. Whole numbers and bools need no promotion where both are of one dtype.
    """
    taken = taken_by(op) if numbers else frozenset[type]()
    kernels, cold = HotTable(op.name), op.kernels
    number, whole = numbers_of(op), {int: I64, bool: BOOL}

    def method(
        input: Argument, other: Argument, no_more: object = NOT_GIVEN, out: Argument = NOT_GIVEN
    ) -> Tensor:
        if out is not no_more:
            written_into: Tensor = by_keyword(method, (input, other), no_more, out)
            return written_into
        try:
            x, dev = input.array, input.node.dev
            kernel = kernels[dev]
            if (s := input.node.storage) is not None and s.turned:
                whole_numbers = kernel is None or not isinstance(other, Tensor)
                return written(input, other) if whole_numbers else several(op, (input, other))
            if type(other) in taken:
                if kernel is not None:
                    y = number(other, input).array
                elif x.dtype is whole.get(type(other)) and -1 << 31 < other < 1 << 31:
                    y = other
                else:
                    return written(input, other)
            else:
                y = other.array
                if other.node.dev is not dev or (kernel is None and x.dtype is not y.dtype):
                    return written(input, other)
                if (s := other.node.storage) is not None and s.turned:
                    return several(op, (input, other))
            if kernel is None:
                if dev is not cpu or HotTable.aside:
                    return written(input, other)
                kernel = cold[dev]
            value = kernel(x, y)
        except (AttributeError, MemoryError, RuntimeWarning, TypeError, ValueError):
            return written(input, other)  # not tensors, not of shapes that fit, or no room
        if type(value) is not ndarray:
            value = dev.array(value)
        return constant_of(value, dev.of(value.dtype))

    return method


def asking(op: Op, written: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``op(input)`` of an op without derivative, such as ``isnan``, for floats in rows."""
    kernels = HotTable(op.name)

    def method(input: Argument, no_more: object = NOT_GIVEN, out: Argument = NOT_GIVEN) -> Tensor:
        if out is not no_more:
            written_into: Tensor = by_keyword(method, (input,), no_more, out)
            return written_into
        try:
            x, a = input.array, input.node
            dev = a.dev
            kernel = kernels[dev]
            if kernel is None or ((s := a.storage) is not None and s.turned):
                return written(input)
            value = kernel(x)
        except (AttributeError, MemoryError):  # not a tensor, or no room
            return written(input)
        if type(value) is not ndarray:
            value = dev.array(value)
        return constant_of(value, dev.of(value.dtype))

    return named(method, op.name, written=written)


def viewing(op: Op, name: str | None = None) -> Callable[[Tensor, Any], Tensor]:
    """``single`` for a view with the one static argument ``name``; None: with a dict of several.

    A view saves nothing, so this need not step aside. What is no Tensor, or no array of numpy's, is
    for ``single``.
    """
    kernels, node_type, getframe, now = op.kernels, op.node, sys._getframe, mode.get

    def view(input: Argument, argument: Argument) -> Tensor:
        attrs = argument if name is None else {name: argument}
        try:
            x, a = input.array, input.node
        except AttributeError:  # not a tensor
            return op(input, **attrs)
        if type(x) is not ndarray:
            return single(op, input, attrs)
        dev = a.dev
        try:
            out = kernels[dev](x, **attrs) if name is None else kernels[dev](x, argument)
        except FAILED as e:
            raise op.explain(op, [input], attrs, e) from None
        if (m := now()).grad and a.needs and (dev is not cpu or check_whole(op, (a,))):
            code = (f := getframe(2)).f_code
            if code is not last_user_code[0]:
                f, code = users(f, code)
            nodes = (a,)
            t = recorded_of(node_type, nodes, nodes, out, dev, attrs, m.scope, code, f.f_lasti)
        else:
            t = constant_of(out, dev)
        return link_view(t, input, op, attrs)

    return viewer(view, op, kernels, name)


def whole(op: Op, written: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method ``input.op()`` of a reduction over all dimensions that saves no values.

    All else is for ``written``.
    """
    kernels, node_type, getframe, now = HotTable(op.name), op.node, sys._getframe, mode.get
    attrs = {"dim": None, "keepdim": False}

    def rest(input: Argument, *given: Argument) -> Tensor:
        dim, keepdim, more, dtype, axis, keepdims, out = given
        if more is not NOT_GIVEN:
            return written(input, dim, keepdim, more)  # which says so
        return written(input, dim, keepdim, dtype=dtype, axis=axis, keepdims=keepdims, out=out)

    def method(
        input: Argument, dim: Argument = None, keepdim: Argument = False,
        no_more: object = NOT_GIVEN,
        dtype: Argument = None, axis: Argument = None, keepdims: Argument = False,
        out: Argument = None,
    ) -> Tensor:  # fmt: skip
        if not (
            dim is dtype is axis is out is None and keepdim is keepdims is False
            and no_more is NOT_GIVEN
        ):  # fmt: skip
            return rest(input, dim, keepdim, no_more, dtype, axis, keepdims, out)
        try:
            x, a = input.array, input.node
        except AttributeError:  # not a tensor
            return written(input)
        dev = a.dev
        kernel = kernels[dev]
        if kernel is None or type(x) is not ndarray:
            return written(input)
        try:
            value = kernel(x, None, False)
        except RuntimeWarning:
            return written(input)
        if type(value) is not ndarray:
            value = dev.array(value)
        if a.needs and (m := now()).grad:
            code = (f := getframe(1)).f_code
            if code is not last_user_code[0]:
                f, code = users(f, code)
            nodes = (a,)
            t = recorded_of(node_type, nodes, nodes, value, dev, attrs, m.scope, code, f.f_lasti)
        else:
            t = constant_of(value, dev)
        return t

    return named(method, op.name, written=written, __wrapped__=written)


def layer(op: Op, written: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function ``op(input, weight, bias=None)``, whose derivatives read input and weight."""
    kernels, node_type, getframe, now = HotTable(op.name), op.node, sys._getframe, mode.get

    def method(
        input: Argument, weight: Argument, bias: Argument = None, no_more: object = NOT_GIVEN,
        out: Argument = NOT_GIVEN,
    ) -> Tensor:  # fmt: skip
        if out is not no_more:
            into_it: Tensor = by_keyword(method, (input, weight, bias), no_more, out)
            return into_it
        try:
            x, a, w, b = input.array, input.node, weight.array, weight.node
            z, c = (None, b) if bias is None else (bias.array, bias.node)
            dev = a.dev
            kernel = kernels[dev]
            if kernel is None or not dev is b.dev is c.dev or type(x) is not ndarray:
                return written(input, weight, bias)
            value = kernel(x, w) if z is None else kernel(x, w, z)
            needs = a.needs | b.needs | c.needs
        except (
            AttributeError, IndexError, MemoryError, RuntimeError, RuntimeWarning, TypeError,
            ValueError,
        ):  # fmt: skip
            return written(input, weight, bias)  # which says why
        if type(value) is not ndarray or value.dtype is not dev.dtype:
            return written(input, weight, bias)
        if needs and (m := now()).grad:
            code = (f := getframe(1)).f_code
            if code is not last_user_code[0]:
                f, code = users(f, code)
            nodes, saved = ((a, b), (x, w)) if z is None else ((a, b, c), (x, w, c))
            t = recorded_of(node_type, nodes, saved, value, dev, None, m.scope, code, f.f_lasti)
        else:
            t = constant_of(value, dev)
        return t

    return named(method, op.name, written=written)
