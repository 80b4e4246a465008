"""Ops: one declaration each, from which methods, functions, nodes and backward are made.

    neg    = Op.elementwise("neg")                                # a row of formulas.py
    matmul = Op("matmul", forward, vjps=(..., ...), saves=("y", "x"))   # Python where strings stop

``op.py`` has the declaration, with the contract of a derivative; here is how an op runs. ``apply`` is the general way;
``unary`` and ``binary`` make the methods of elementwise ops: **hot paths**, where the general way is written out so that
a small op costs less than PyTorch's.
"""
from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref as weakref

import numpy as np

from .. import backends, dtypes, errors
from ..backends import LARGE, cpu
from ..backends.reference import HotTable
from ..graph import Node, Storage, last_user_code, mode, tick, user_frame, users
from .op import LETTERS, REGISTRY, SYMBOLS, Op

__all__ = ["COERCE", "F32", "F64", "FUNCTIONS", "LETTERS", "METHODS", "NUMBERS", "OBJECT", "REGISTRY", "SYMBOLS", "Constant", "Op",
           "apply", "apply_one", "binary", "constant", "constant_node", "install", "named", "number", "numpy_names", "operands",
           "public", "unary"]

METHODS: dict[str, Callable[..., Any]] = {}  # installed on Tensor
FUNCTIONS: dict[str, Callable[..., Any]] = {}  # exported as microtorch.<name>
COERCE: dict[type, Callable[[Any], Any]] = {}  # other types that may stand as operands (Scalar) -> Tensor
F32, F64, ndarray = dtypes.F32, dtypes.F64, np.ndarray
LARGE_BYTES = LARGE * F32.itemsize  # numpy tells an array's bytes faster (30 ns) than its elements (40 ns)
OBJECT = np.dtype(object)  # arrays of Scalars: compared by identity, because `== object` takes a third of a microsecond
Tensor: Any = None  # set by install(): ops do not import the layer above them


# ---- running an op -------------------------------------------------------------------------------------------------
def apply(op: Op, inputs: Sequence[Any], attrs: dict[str, Any] | None = None) -> Any:
    """Run ``op`` on ``inputs`` (Tensors, or what may stand for one) and record it if a gradient flows."""
    for x in inputs:
        if not isinstance(x, Tensor):
            inputs = operands(op, inputs)
            break
    if op.result == "keep" and len(inputs) == 1 and op.family is None:
        return apply_one(op, inputs[0], attrs or {})
    if op.family is not None:
        op = op.family(len(inputs))
    dev = inputs[0].node.dev
    for x in inputs:
        if x.node.dev.device is not dev.device:
            raise device_error(op, inputs)
    target = None
    if op.result != "keep":
        inputs, target = promoted(op, inputs)
    try:
        if attrs is None:
            out = op.kernels[dev](*[x.array for x in inputs])
        else:
            out = op.kernels[dev](*[x.array for x in inputs], **attrs)
    except (ValueError, TypeError, IndexError) as e:  # numpy's AxisError is both a ValueError and an IndexError
        raise op.explain(op, inputs, attrs or {}, e) from None
    if type(out) is not ndarray:
        out = dev.array(out)
    if op.result in PROMOTED and out.dtype != target:
        out = out.astype(target)  # numpy widens small types in a few ufuncs; PyTorch never does
    if out.dtype is not inputs[0].array.dtype:
        dev = dev.of(out.dtype)
    nodes = tuple([x.node for x in inputs])
    t = new(Tensor)
    t.array, t.origin = out, None
    m = mode.get()
    if m.grad and op.differentiable and any([x.needs for x in nodes]) and out.dtype.kind == "f":
        n = op.node()
        n.inputs = n.saved = nodes
        if op.saved_inputs:
            n.saved = tuple([x.array if i in op.saved_inputs else x.node for i, x in enumerate(inputs)])
        if op.attributes:
            n.attrs = attrs
        n.value, n.dev, n.seq, n.scope = out, dev, tick(), m.scope
        n.grad = n.hooks = n.storage = None
        f = user_frame(sys._getframe(1))
        n.code, n.lasti = f.f_code, f.f_lasti
        t.node = n
    else:
        t.node = constant_node(out, dev)
    if op.view:
        link_view(t, inputs[0], op, attrs)
    return t


PROMOTED = frozenset({"same", "float"})


def apply_one(op: Op, input: Any, attrs: dict[str, Any], *arguments: Any) -> Any:
    """``apply`` for one Tensor that needs no promotion: reductions, views, casts. A hot path, written out.

    ``arguments``: the same as ``attrs``, by position. Names cost a sum of few numbers a tenth of its time.
    """
    x, a = input.array, input.node
    dev = a.dev
    try:
        out = op.kernels[dev](x, *arguments) if arguments else op.kernels[dev](x, **attrs)
    except (ValueError, TypeError, IndexError) as e:
        raise op.explain(op, [input], attrs, e) from None
    if type(out) is not ndarray:
        out = dev.array(out)
    if out.dtype is not x.dtype:
        dev = dev.of(out.dtype)
    t = new(Tensor)
    t.array, t.origin = out, None
    if a.needs and (m := mode.get()).grad and op.differentiable and out.dtype.kind == "f":
        n = op.node()
        n.inputs = inputs = (a,)
        n.saved = (x,) if op.saved_inputs else inputs
        if op.attributes:
            n.attrs = attrs
        n.value, n.dev, n.seq, n.scope = out, dev, tick(), m.scope
        n.grad = n.hooks = n.storage = None
        f = sys._getframe(2)
        code = f.f_code
        if code is not last_user_code[0]:
            f, code = users(f, code)
        n.code, n.lasti = code, f.f_lasti
        t.node = n
    else:
        t.node = constant_node(out, dev)
    if op.view:
        link_view(t, input, op, attrs)
    return t


class Constant(Node):
    """A leaf through which no gradient flows: data, a Python number, anything made without gradient."""

    __slots__ = ()
    needs = False
    inputs = saved = ()
    attrs = code = scope = None
    lasti = 0


new = object.__new__


def constant_node(value: Any, dev: Any) -> Constant:
    n = Constant()
    n.grad = n.hooks = n.storage = None
    n.value = value
    n.dev = dev
    n.seq = tick()
    return n


def constant(array: Any, dev: Any = None) -> Any:
    """A Tensor on ``array`` without gradient: shared if it lies in the memory of ``dev``, else copied there.

    ``dev`` None: where the array lies.
    """
    if dev is None:
        dev = getattr(array, "dev", cpu)
    if dev.dtype is not array.dtype:
        dev = dev.of(array.dtype)
    if type(array) is not dev.memory:
        array = dev.array(array)
    t = new(Tensor)
    t.array, t.origin, t.node = array, None, constant_node(array, dev)
    return t


def transfer(t: Any, dev: Any) -> Any:
    """Tensor ``t`` in the memory of backend ``dev``: a copy, whose gradient is copied back."""
    out, source = new(Tensor), t.node
    out.array, out.origin = dev.array(backends.host(t.array)), None
    m = mode.get()
    if not (m.grad and source.needs):
        out.node = constant_node(out.array, dev)
        return out
    n = REGISTRY["transfer"].node()
    n.inputs = n.saved = (source,)
    n.attrs, n.value, n.dev, n.seq, n.scope = {"device": dev.device}, out.array, dev, tick(), m.scope
    n.grad = n.hooks = n.storage = None
    f = user_frame(sys._getframe(1))
    n.code, n.lasti = f.f_code, f.f_lasti
    out.node = n
    return out


backends.transfer = transfer


def link_view(t: Any, parent: Any, op: Op, attrs: dict[str, Any] | None) -> None:
    """If the op's result shares its input's memory, make both know it: one Storage, and the way from base to view."""
    out, source = t.array, parent.array
    if not (out is source or (out.base is not None and (out.base is source or out.base is source.base))):
        return
    node = parent.node
    if node.storage is None:
        node.storage = Storage()
    t.node.storage = node.storage
    base, chain = parent.origin if parent.origin is not None else (parent, ())
    t.origin = (base, (*chain, (op, attrs)))
    node.storage.add_view(weakref(t))


def operands(op: Op, inputs: Sequence[Any]) -> list[Any]:
    """The inputs as Tensors. Numbers take the dtype that PyTorch's promotion would give them beside the tensors."""
    like = next((x for x in inputs if isinstance(x, Tensor)), None)
    tensors = []
    for x in inputs:
        if isinstance(x, Tensor):
            tensors.append(x)
        elif type(x) in NUMBERS or isinstance(x, (bool, int, float)):
            tensors.append(weak_number(x, like, op.result == "float"))
        elif type(x) in COERCE:
            tensors.append(COERCE[type(x)](x))
        elif isinstance(x, (ndarray, np.generic)) or (like is not None and type(x) is like.node.dev.memory):
            dtypes.of(x)
            tensors.append(constant(x, like.node.dev if like is not None else cpu))
        else:
            raise TypeError(
                errors.message(
                    f"{op.name}(): argument 'input' must be Tensor, not {type(x).__name__}"
                    if like is None
                    else f"unsupported operand for {op.name}: {type(x).__name__}",
                    "operands: " + ", ".join(errors.describe(v) for v in inputs),
                    fix="torch.tensor(...) makes a tensor of numbers and lists",
                )
            )
    return tensors


NUMBERS = frozenset({bool, int, float})


def weak_number(value: Any, like: Any, floating: bool = False) -> Any:
    """A Python number as a 0-d constant: of ``like``'s dtype unless the number's category is higher.

    ``floating``: it is for an op whose result is floating. Negative numbers wrap around in unsigned types, as in PyTorch.
    """
    d = dtypes.of_number(value)
    dev = cpu
    if like is not None:
        dev = like.node.dev
        d = dtypes.promote([(like.array.dtype, 2), (d, 0)])
        if floating and d.kind != "f":
            d = dtypes.default_numpy()
        if d.kind in "iu":
            limits = np.iinfo(d)
            if not (limits.min or -limits.max) <= value <= limits.max:
                raise RuntimeError(errors.message(f"value cannot be converted to type {d.name} without overflow: {value}"))
            value = np.array(value).astype(d)
    return constant(dev.array(np.array(value, d)), dev)


def promoted(op: Op, tensors: list[Any]) -> tuple[list[Any], Any]:
    """The operands in their common dtype (through visible casts, which carry gradients back), and the result's dtype."""
    if op.name == "where":
        test, *choices = tensors
        choices, target = promoted(_CHOICE, choices)
        return [test, *choices], target
    target = tensors[0].array.dtype
    if op.result == "match":
        if any(t.array.dtype != target for t in tensors):
            raise op.explain(op, tensors, {}, TypeError("dtypes differ"))
        return tensors, target
    if op.name == "sub" and any(t.array.dtype.kind == "b" for t in tensors):
        raise RuntimeError(
            errors.message(
                "sub: Subtraction, the `-` operator, with a bool tensor is not supported.",
                "operands: " + ", ".join(errors.describe(t) for t in tensors),
                fix="~mask inverts a mask, a ^ b tells where they differ; or convert it: mask.int()",
            )
        )
    if any(t.array.dtype != target for t in tensors):
        target = dtypes.promote((t.array.dtype, 2 if t.array.ndim else 1) for t in tensors)
    if op.result == "float" and target.kind != "f":
        target = dtypes.default_numpy()
    cast = REGISTRY["cast"]
    return [t if t.array.dtype == target else apply(cast, (t,), {"dtype": target}) for t in tensors], target


# ---- hot path: the methods of elementwise ops with one and two inputs ----------------------------------------------
# Both do what `apply` does for the common case (float operands of one dtype on one device) with everything inline, and hand
# every other case to `apply`. Plain stores beat a constructor; a store to an attribute of a local is faster than one
# of several in a tuple assignment; the user's frame is usually the one that was it last time.
def unary(op: Op) -> Callable[..., Any]:
    """The method ``input.op()`` and function ``op(input)``."""
    kernels, large = HotTable(op.name), HotTable(op.name, large=True)
    node_type, getframe, now, plain = op.node, sys._getframe, mode.get, Tensor
    saves_x = 0 in op.saved_inputs

    def method(input: Any) -> Any:
        try:
            x, a = input.array, input.node
            dev = a.dev
        except AttributeError:  # not a tensor
            return apply(op, (input,))
        kernel = (kernels if x.nbytes < LARGE_BYTES else large)[dev]
        if kernel is None:  # the backend of integers, bools and halves
            return apply(op, (input,))
        out = kernel(x)
        if type(out) is not ndarray:
            out = dev.array(out)
        t = new(plain)
        t.array = out
        t.origin = None
        if a.needs and (m := now()).grad:
            t.node = n = node_type()
            n.inputs = n.saved = (a,)
            if saves_x:
                n.saved = (x,)
            n.value = out
            n.dev = dev
            n.seq = tick()
            n.scope = m.scope
            n.grad = n.hooks = n.storage = None
            f = getframe(1)
            code = f.f_code
            if code is not last_user_code[0]:
                f, code = users(f, code)
            n.code = code
            n.lasti = f.f_lasti
        else:
            t.node = constant_node(out, dev)
        return t

    return named(method, op.name)


def binary(op: Op) -> Callable[..., Any]:
    """The method ``input.op(other)`` and function ``op(input, other)``."""
    kernels, large = HotTable(op.name), HotTable(op.name, large=True)
    node_type, getframe, now, plain = op.node, sys._getframe, mode.get, Tensor
    saves_x, saves_y = 0 in op.saved_inputs, 1 in op.saved_inputs
    saves_any, floating = saves_x or saves_y, op.result == "float"

    def method(input: Any, other: Any) -> Any:
        if type(other) is not plain:
            if type(other) in NUMBERS and isinstance(input, plain):
                other = number(other, input, floating)
            elif not isinstance(other, plain):
                return apply(op, (input, other))
        try:
            a = input.node
            dev = a.dev
        except AttributeError:  # not a tensor
            return apply(op, (input, other))
        b = other.node
        x, y = input.array, other.array
        kernel = (kernels if x.nbytes < LARGE_BYTES else large)[dev]
        if dev is not b.dev or kernel is None:  # device or dtype differ, or it is the backend of integers, bools and halves
            return apply(op, (input, other))
        try:
            out = kernel(x, y)
        except ValueError as e:
            raise op.explain(op, [input, other], {}, e) from None
        if type(out) is not ndarray:
            out = dev.array(out)
        t = new(plain)
        t.array = out
        t.origin = None
        if (a.needs or b.needs) and (m := now()).grad:
            t.node = n = node_type()
            n.inputs = n.saved = (a, b)
            if saves_any:
                n.saved = (x if saves_x else a, y if saves_y else b)
            n.value = out
            n.dev = dev
            n.seq = tick()
            n.scope = m.scope
            n.grad = n.hooks = n.storage = None
            f = getframe(1)
            code = f.f_code
            if code is not last_user_code[0]:
                f, code = users(f, code)
            n.code = code
            n.lasti = f.f_lasti
        else:
            t.node = constant_node(out, dev)
        return t

    return named(method, op.name)


_numbers: dict[Any, dict[float, Any]] = {}  # backend of a float dtype -> constants made so far


def number(value: Any, like: Any, floating: bool = False) -> Any:
    """A Python number beside a float tensor, as a 0-d constant kept for the next time."""
    dev = like.node.dev
    cache = _numbers.get(dev)
    if cache is None and dev is not dev.rest:
        cache = _numbers[dev] = {}
    if cache is None:
        return weak_number(value, like, floating)
    key = value if value else str(value)  # -0.0 == 0.0
    t = cache.get(key)
    if t is None:
        if len(cache) > 1000:  # learning-rate schedules make ever new numbers
            cache.clear()
        t = cache[key] = weak_number(value, like)
    return t


# ---- making the public surface -------------------------------------------------------------------------------------
def named(function: Callable[..., Any], name: str, doc: str | None = None) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    if doc is not None:
        function.__doc__ = doc
    return function


def public(*, method: bool = True, function: bool = True, aliases: Sequence[str] = ()) -> Callable[[Any], Any]:
    """Export a function of Tensors as ``microtorch.<name>`` and as a Tensor method (its first parameter is self).

    One with a parameter ``dim`` also takes numpy's names, ``axis`` and ``keepdims``, as PyTorch's do.
    """

    def export(f: Any) -> Any:
        f.__qualname__ = f.__name__  # as Python's own messages show it
        if "dim" in f.__code__.co_varnames[: f.__code__.co_argcount] and "axis" not in f.__code__.co_varnames:
            f = numpy_names(f)
        for name in (f.__name__.rstrip("_") if f.__name__.endswith("__") else f.__name__, *aliases):
            if method:
                METHODS[name] = f
            if function:
                FUNCTIONS[name] = f
        return f

    return export


def numpy_names(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
            if theirs in kwargs and ours not in kwargs:
                kwargs[ours] = kwargs.pop(theirs)
        return f(*args, **kwargs)

    return function


def install(tensor: type) -> None:
    """Make ``tensor`` the handle class and give it the methods of all ops. Called once, by tensor.py."""
    global Tensor
    Tensor = tensor
    from . import conv, elementwise, embedding, index, linalg, loss, norm, pool, reduce, shape  # noqa: F401

    elementwise.make()
    linalg.make()
    for name, f in METHODS.items():
        if name not in tensor.__dict__:
            setattr(tensor, name, f)


def device_error(op: Op, tensors: Sequence[Any]) -> Exception:
    places = ", ".join(f"{errors.describe(t)} on {t.node.dev.device}" for t in tensors)
    return errors.DeviceError(
        errors.message(
            "Expected all tensors to be on the same device, but found at least two devices",
            f"{op.name}: {places}",
            fix="move one with .to(device) or .cpu()",
        )
    )


_CHOICE = Op("choice", lambda F, x, y: x, result="same", register=False)
