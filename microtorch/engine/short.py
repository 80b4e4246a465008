"""Short ways of ``apply`` for functions that a user calls, such as ``gather`` or ``cross_entropy``.

They do what ``apply`` does where the operands need no promotion, and hand every other case to it:
``single`` for views, reductions and casts, ``several`` for layers and losses, ``joined`` for cat
and stack, ``kept_dtype`` for what takes an index.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import cpu
from ..backends.core.library import taught
from ..base.errors import FAILED
from ..graph import last_user_code, mode, user_frame, users
from . import record as recording
from .handle import Handle, Unmet
from .record import constant_of, kept, note_order, recorded_of
from .views import link_view

if TYPE_CHECKING:
    from ..base.types import Argument, Attrs
    from ..handles.tensor import Tensor
    from .op import Op
else:
    Tensor = Handle  # until handles/tensor.py announces the class (hot.bind)

ndarray = np.ndarray
# What a kernel may raise here: `apply` says why, or has another way. It computes without numpy's
# warnings if the user's filter makes errors of them.
IN_GENERAL = (*FAILED, RuntimeWarning, Unmet)


def single(op: Op, input: Any, attrs: Attrs, *arguments: Any) -> Tensor:
    """``apply`` for one Tensor that needs no promotion: for a function that a user calls.

    ``arguments``: the same as ``attrs``, by position; names cost a small sum a tenth of its time.
    """
    try:
        x, a = input.array, input.node
        dev = a.dev
    except AttributeError:  # not a tensor
        return op(input, **attrs)
    try:
        if arguments and type(x) is ndarray:  # other kinds of numbers look at the names
            out = op.kernels[dev](x, *arguments)
        else:
            out = op.kernels[dev](x, **attrs)
    except IN_GENERAL:
        return op(input, **attrs)
    if type(out) is not ndarray:
        out = dev.array(out)
    flows = dev is not cpu
    if out.dtype is not x.dtype:
        dev, flows = dev.of(out.dtype), out.dtype.kind in "fcV"
    if flows and a.needs and (m := mode.get()).grad and op.differentiable:
        code = (f := sys._getframe(2)).f_code
        if code is not last_user_code[0]:
            f, code = users(f, code)
        nodes = (a,)
        saved = (x,) if op.saved_inputs else nodes
        t = recorded_of(op.node, nodes, saved, out, dev, attrs, m.scope, code, f.f_lasti)
    else:
        dev is not cpu or not a.needs or recording.check_whole(op, (a,))
        t = constant_of(out, dev)
    if op.view:
        return link_view(t, input, op, attrs)
    return t if (s := a.storage) is None or not s.turned else note_order(t)


def written_operands(tensors: Sequence[Any], recorded: bool) -> tuple[Any, ...] | None:
    """``operands_of`` where there is no C core."""
    arrays: list[Any] = []
    nodes: list[Any] = []
    needs, turned, ndim = False, False, -1
    try:
        dev = tensors[0].node.dev
        for t in tensors:
            x, n = t.array, t.node
            if n.dev is not dev:
                return None
            own = x.ndim if type(x) is ndarray and x.size else -1
            ndim = own if not nodes or own == ndim else -1
            arrays.append(x)
            nodes.append(n)
            needs = (recorded and n.needs) or needs
            turned = turned or ((s := n.storage) is not None and s.turned)
    except (AttributeError, IndexError):  # not a tensor, or none at all
        return None
    return tuple(arrays), tuple(nodes), dev, needs, turned, ndim


# Of Tensors on one device and of one dtype: their arrays, their nodes, the backend, whether a
# gradient is to be ``recorded``, whether one may lie otherwise than row by row, and the rank of all
# (-1: they differ, one is empty, or of another kind). None of what is not all this.
operands_of: Callable[..., tuple[Any, ...] | None] = taught(
    "operands_of", (written_operands,), (), written_operands
)


def unrecorded_arrays(*tensors: Tensor) -> tuple[Any, ...] | None:
    """The backend and the arrays of Tensors of one floating dtype and one rank, in rows, of which
    nothing is recorded; None of all others.

    A function made of several ops computes with these at once: nobody sees what is between.
    """
    if (found := operands_of(tensors, True)) is None:
        return None
    arrays, _, dev, needs, turned, ndim = found
    return None if needs or turned or ndim < 0 or dev is dev.rest else (dev, *arrays)


def several(op: Op, inputs: Sequence[Any], attrs: Attrs | None = None) -> Tensor:
    """``apply`` for Tensors of one floating dtype on one device: layers, losses, joins."""
    if (found := operands_of(inputs, op.differentiable)) is None:
        return op(*inputs, **(attrs or {}))
    arrays, nodes, dev, needs, turned, _ = found
    op = op if op.family is None else op.family(len(nodes))
    kernel = (op.hot_kernels if turned else op.row_kernels)[dev]
    if kernel is None:  # integers and bools need promotion
        return op(*inputs, **(attrs or {}))
    try:
        out = kernel(*arrays) if attrs is None else kernel(*arrays, **attrs)
    except IN_GENERAL:
        return op(*inputs, **(attrs or {}))
    out = out if type(out) is ndarray else dev.array(out)
    if out.dtype is not dev.dtype:
        return recording.record(op, inputs, out, dev.of(out.dtype), attrs)
    if needs and (m := mode.get()).grad:
        f = user_frame(sys._getframe(1))
        saved = kept(op, inputs) if op.saved_inputs else nodes
        t = recorded_of(op.node, nodes, saved, out, dev, attrs, m.scope, f.f_code, f.f_lasti)
    else:
        t = constant_of(out, dev)
    return note_order(t) if turned else t


def joined(op: Op, tensors: Argument, dim: Argument, more: int) -> Tensor | None:
    """``apply`` for tensors of one dtype, device and rank, none of them empty; else None.

    ``more``: so many dimensions more has the result than they.
    """
    if type(dim) is not int or (type(tensors) is not list and type(tensors) is not tuple):
        return None
    if (found := operands_of(tensors, True)) is None:
        return None
    arrays, nodes, dev, needs, _, ndim = found
    kernel = op.hot_kernels[dev]
    # whole numbers that require gradient are refused by the general way
    if kernel is None and not needs and dev is dev.rest and len({x.dtype for x in arrays}) == 1:
        kernel = None if op.hot_kernels.aside else op.hot_kernels.kernels[dev]
    if kernel is None or ndim < 0:
        return None
    ndim += more
    if not -ndim <= dim < ndim:
        return None
    dim %= ndim
    try:
        out = kernel(*arrays, dim=dim)
    except IN_GENERAL:
        return None
    if not needs or not (m := mode.get()).grad:
        return constant_of(out, dev)
    assert op.family is not None
    node_type, f = op.family(len(nodes)).node, user_frame(sys._getframe(1))
    return recorded_of(
        node_type, nodes, nodes, out, dev, {"dim": dim}, m.scope, f.f_code, f.f_lasti
    )


def kept_dtype(op: Op, attrs: Attrs, *inputs: Tensor) -> Tensor:
    """``apply`` for a Tensor, its index and more, whose dtypes stay: for gather and its like."""
    dev, arrays = inputs[0].node.dev, []
    for t in inputs:
        if type(x := t.array) is not ndarray:
            return op(*inputs, **attrs)
        arrays.append(x)
    try:
        out = op.kernels[dev](*arrays, **attrs)
    except IN_GENERAL:
        return op(*inputs, **attrs)
    if type(out) is not ndarray:
        out = dev.array(out)
    if op.differentiable and (m := mode.get()).grad and True in [t.node.needs for t in inputs]:
        # all are asked: a view that is not followed raises
        if recording.packers or inputs[0].array.dtype.kind not in "fc":
            return recording.record(op, inputs, out, dev, attrs)
        nodes, f = tuple([t.node for t in inputs]), user_frame(sys._getframe(1))
        saved = kept(op, inputs) if op.saved_inputs else nodes
        t = recorded_of(op.node, nodes, saved, out, dev, attrs, m.scope, f.f_code, f.f_lasti)
        return t if out.flags.c_contiguous else note_order(t)
    t = constant_of(out, dev)
    return t if out.flags.c_contiguous else note_order(t)


# ---- stepping aside ------------------------------------------------------------------------------
def _single_in_general(op: Op, input: Tensor, attrs: Attrs, *arguments: object) -> Tensor:
    return op(input, **attrs)


def _joined_in_general(op: Op, tensors: Argument, dim: Argument, more: int) -> Tensor | None:
    return None


def _several_in_general(op: Op, inputs: Sequence[Any], attrs: Attrs | None = None) -> Tensor:
    return op(*inputs, **(attrs or {}))


_CODES = {
    single: (single.__code__, _single_in_general.__code__),
    several: (several.__code__, _several_in_general.__code__),
    joined: (joined.__code__, _joined_in_general.__code__),
}


def step_aside(on: bool) -> None:
    """Let ``single``, ``several`` and ``joined`` go the general way, by ``apply``, or not.

    Their code is exchanged, not they: many modules hold them by name, and a test of a flag would
    cost every op.
    """
    for function, codes in _CODES.items():
        function.__code__ = codes[on]
