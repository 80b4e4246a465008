"""Scalar: one Python float in the graph, for blackboards.

A ``Scalar`` *is* a node (a float never changes, so it needs no handle), and the arithmetic is micrograd's: operators, ``**``,
``relu tanh exp log sigmoid sin cos ...``, ``.data``, ``.grad``, ``.backward()``. Gradient flows by default, and every Scalar,
not only the leaves, keeps its ``.grad``; it is None until backward has computed it.

Values and derivatives come from the same rows of formulas.py as the tensor ops. ``Scalar.stack`` and ``Tensor.scalars`` lead
from one world to the other, within one graph.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes, errors, expr, formulas, inplace, ops
from .graph import Node, last_user_code, last_write, mode, tick, user_frame, users
from .ops import REGISTRY, Op
from .tensor import Tensor

new = object.__new__


class Scalar(Node):
    """A number with a gradient: ``Scalar(2.0)``, ``Scalar(2.0, label="x")``, ``Scalar(2.0, requires_grad=False)``."""

    __slots__ = ("_label", "op")

    if TYPE_CHECKING:  # the operators, which are generated below; and all other methods

        def _operator(self, other: Any) -> Scalar: ...

        def __getattr__(self, name: str) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __pow__ = __rpow__ = _operator
        __neg__ = __abs__ = lambda self: self

    dev = None  # constants of the class, in place of two stores per node: a float lies in no backend's memory ...
    saved = ()  # ... and is never freed, so backward can run again

    def __init__(self, data: Any, label: str = "", requires_grad: bool = True):
        if isinstance(data, (str, bytes)) or not hasattr(data, "__float__"):
            raise TypeError(errors.message(f"Scalar() takes a number, not {type(data).__name__}", fix="Scalar(2.0)"))
        frame = user_frame(sys._getframe(1))
        _fill(self, float(data), requires_grad, frame.f_code, frame.f_lasti)
        self.label = label

    @property
    def label(self) -> str:
        """The name shown in pictures; empty if none was given."""
        try:
            return self._label
        except AttributeError:  # arithmetic leaves the slot unset
            return ""

    @label.setter
    def label(self, value: str) -> None:
        self._label = value

    @property
    def data(self) -> float:
        """The value. A leaf's may be set (``p.data -= lr * p.grad``); backward notices if it needed the old one."""
        return self.value

    @data.setter
    def data(self, value: Any) -> None:
        if self.op is not None:
            raise RuntimeError(
                errors.message(
                    f"only a leaf Scalar's data can be set, and this one is the result of {self.op.name}",
                    fix="change the leaves and compute it again",
                )
            )
        self.value = float(value)
        inplace.storage_of(self).wrote("data =")

    @property
    def requires_grad(self) -> bool:
        return self.needs

    @property
    def is_leaf(self) -> bool:
        return self.op is None

    @property
    def grad_fn(self) -> Scalar | None:
        """The node itself, or None for a leaf (as Tensor.grad_fn)."""
        return None if self.op is None else self

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def dtype(self) -> Any:
        return dtypes.F64

    def name(self) -> str:
        return "AccumulateGrad" if self.op is None else self.op.node.__name__

    def item(self) -> float:
        """The value as a Python float."""
        return self.value

    def detach(self) -> Scalar:
        """The same value as a leaf without gradient."""
        return Scalar(self.value, self.label, requires_grad=False)

    def accumulate(self, g: Any) -> None:
        self.grad = g if self.grad is None else self.grad + g

    def pull(self, g: Any, graph: Any) -> list[Any]:
        """The contributions of ``g`` to the inputs' gradients (the engine's inner step, on floats)."""
        op, inputs = self.op, self.inputs
        check_fresh(self)
        attrs = self.attrs or {}
        if graph is not None:
            given = [
                None if not x.needs or f is None else f(RECORDING, g, self, *inputs, **attrs)
                for x, f in zip(inputs, op.derivatives, strict=True)
            ]
            return [d if d is None or type(d) is Scalar else _number(d) for d in given]
        values = [x.value for x in inputs]
        out = self.value
        return [
            None if not x.needs or f is None else f(g, out, *values, **attrs)
            for x, f in zip(inputs, op.scalar_derivatives, strict=True)
        ]

    # ---- Python's number protocol --------------------------------------------------------------------------------------
    def __float__(self) -> float:
        return self.value

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        label = f"{self.label}: " if self.label else ""
        return f"Scalar({label}data={self.value:g}, grad={self.grad if self.grad is None else format(float(self.grad), 'g')})"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else repr(self)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return _value(other) == self.value if _comparable(other) else NotImplemented

    def __lt__(self, other: Any) -> Any:
        return self.value < _value(other) if _comparable(other) else NotImplemented

    def __le__(self, other: Any) -> Any:
        return self.value <= _value(other) if _comparable(other) else NotImplemented

    def __gt__(self, other: Any) -> Any:
        return self.value > _value(other) if _comparable(other) else NotImplemented

    def __ge__(self, other: Any) -> Any:
        return self.value >= _value(other) if _comparable(other) else NotImplemented

    @staticmethod
    def stack(scalars: Iterable[Any], dtype: Any = None) -> Tensor:
        """A 1-d tensor of Scalars (and numbers); gradient flows back to each."""
        nodes = tuple([s if type(s) is Scalar else _number(s) for s in scalars])
        d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
        t = ops.constant(np.array([s.value for s in nodes], d))
        m = mode.get()
        if m.grad and any(s.needs for s in nodes):
            n = stack_op.node()
            n.inputs, n.saved, n.value, n.dev, n.seq = nodes, nodes, t.array, t.node.dev, tick()
            n.attrs = n.grad = n.hooks = n.storage = None
            frame = user_frame(sys._getframe(1))
            n.scope, n.code, n.lasti = m.scope, frame.f_code, frame.f_lasti
            t.node = n
        return t


def _comparable(x: Any) -> bool:
    return type(x) is Scalar or isinstance(x, (int, float, np.number))


def _value(x: Any) -> float:
    return x.value if type(x) is Scalar else x


def _fill(n: Scalar, value: float, needs: bool, code: Any, lasti: int) -> None:
    n.value, n.needs, n.code, n.lasti = value, needs, code, lasti
    n.inputs, n.seq = (), tick()
    n.op = n.attrs = n.grad = n.hooks = n.storage = n.scope = None


def _number(value: Any) -> Scalar:
    """A Python number as a Scalar through which no gradient flows."""
    n = new(Scalar)
    _fill(n, float(value), False, None, 0)
    return n


# ---- hot path: Scalar arithmetic -----------------------------------------------------------------------------------
# A method and a backward step are generated for each op, with its formulas written into them, as dataclasses and attrs do: a
# call per formula would take as long as all the rest. Both are made when the op is first used.
METHOD = """
def method(self, {other}{keywords}):
    if type(other) is not Scalar:
        if not isinstance(other, (int, float, number)):
            return NotImplemented
        other = constant(other)
    n = new(Scalar)
    m = mode()
    x, y = self.value, other.value
    n.value = {formula}
    n.op = op
    n.inputs = (self, other)
    n.needs = (self.needs or other.needs) and m.grad
    n.scope = m.scope
    n.attrs = {attrs}
    n.grad = n.hooks = n.storage = None
    f = getframe(1)
    code = f.f_code
    if code is not last_user_code[0]:
        f, code = users(f, code)
    n.code = code
    n.lasti = f.f_lasti
    n.seq = tick()
    return n
"""
BACKWARD = """
def backward(node, g, grads):
    {unpack_attrs}
    {a}, = node.inputs
    if node.seq < last_write[0]:
        check_fresh(node)
    {values}
"""
VALUE = """
    {x} = {node}.value"""
ADD = """
    if {a}.needs:
        held = grads.get({a})
        grads[{a}] = {vjp} if held is None else held + ({vjp})"""


def _method_source(op: Op) -> str:
    """The source of an op's Scalar method: the template, with one or two operands and the formula in place."""
    arguments = formulas.ARGUMENTS.get(op.name, {})
    source = METHOD.format(
        other="other",
        keywords="".join(f", {k}" if v is None else f", {k}={v}" for k, v in arguments.items()),
        formula=expr.render(op.formula, expr.SCALAR),
        attrs="{" + ", ".join(f"'{k}': {k}" for k in arguments) + "}" if arguments else "None",
    )
    if len(op.vjps) == 1:  # drop what concerns the second operand
        head, tail = source.split("    n = new", 1)
        head = head.split("    if type(other)")[0].replace("self, other, ", "self, ").replace("self, other", "self")
        tail = tail.replace("x, y = self.value, other.value", "x = self.value")
        tail = tail.replace("(self, other)", "(self,)").replace("(self.needs or other.needs)", "self.needs")
        source = f"{head}    n = new{tail}"
    return source


def _backward_source(op: Op) -> str:
    """The source of an op's backward step: checks, values, and one addition per input."""
    n = len(op.vjps)
    nodes, letters = "abc"[:n], ops.LETTERS[:n]
    arguments = formulas.ARGUMENTS.get(op.name, {})
    unpack = f"({', '.join(arguments)},) = node.attrs.values()" if arguments else "pass"
    reads = frozenset().union(*(expr.names(v.text) for v in op.vjps if v is not None))
    holders = {**dict(zip(letters, nodes, strict=True)), "out": "node"}
    values = "".join(VALUE.format(x=x, node=node) for x, node in holders.items() if x in reads)
    values += "".join(
        ADD.format(a=a, vjp=expr.render(v.text, expr.SCALAR)) for a, v in zip(nodes, op.vjps, strict=True) if v is not None
    )
    return BACKWARD.format(unpack_attrs=unpack, a=", ".join(nodes), values=values)


def _generate(source: str, name: str, op: Op) -> Any:
    namespace: dict[str, Any] = {
        **expr.SCALAR_FUNCTIONS, "Scalar": Scalar, "number": np.number, "constant": _number, "new": new, "mode": mode.get,
        "getframe": sys._getframe, "last_user_code": last_user_code, "users": users, "tick": tick, "op": op,
        "last_write": last_write, "check_fresh": check_fresh,
    }  # fmt: skip
    exec(compile(source, f"<microtorch Scalar {op.name}>", "exec"), namespace)
    return namespace[name]


def check_fresh(node: Any) -> None:
    """Raise if the data of one of the node's inputs was set after the node had used it."""
    for x in node.inputs:
        if x.storage is not None and x.storage.written > node.seq:
            raise errors.InplaceError(
                errors.message(
                    f"the data of a Scalar was changed after {node.op.name}, made at {node.where()}, had used it",
                    f"it is {x.value} now",
                    fix="set .data after backward(), and compute the result again",
                )
            )


def _make(op: Op) -> Callable[..., Any]:
    """The Scalar method of an op: generates the real one when first called, and puts it in its own place."""

    def method(self: Scalar, *args: Any, **kwargs: Any) -> Any:
        made = ops.named(_generate(_method_source(op), "method", op), op.name, op.formula)
        op.scalar_backward = _generate(_backward_source(op), "backward", op)
        for name, value in list(vars(Scalar).items()):
            if value is method:
                setattr(Scalar, name, made)
        return made(self, *args, **kwargs)

    return method


def _choose(condition: Any, x: Any, y: Any) -> Any:
    return x if condition else y


class Recording:
    """The namespace F of derivatives on Scalars under create_graph: functions of Scalars that are recorded."""

    where = staticmethod(_choose)

    def __getattr__(self, name: str) -> Any:
        method = getattr(Scalar, name)
        return lambda x, *rest: method(x if type(x) is Scalar else _number(x), *rest)


RECORDING = Recording()


def _reflected(name: str) -> Callable[..., Any]:
    def reflected(self: Scalar, other: Any) -> Any:
        return getattr(Scalar, name)(_number(other), self) if isinstance(other, (int, float, np.number)) else NotImplemented

    return reflected


for _name in formulas.TABLE:
    if _name != "where":
        setattr(Scalar, _name, _make(REGISTRY[_name]))
for _name, _sign in {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv", "pow": "pow"}.items():
    setattr(Scalar, f"__{_sign}__", getattr(Scalar, _name))
    setattr(Scalar, f"__r{_sign}__", _reflected(_name))
Scalar.__neg__ = Scalar.neg  # type: ignore[attr-defined]
Scalar.__abs__ = Scalar.abs  # type: ignore[attr-defined]


# ---- between the two worlds ----------------------------------------------------------------------------------------
def _unstack_gradient(F: Any, g: Any, node: Node) -> list[Any]:
    return elements(g) if hasattr(g, "node") else g.tolist()


def _element_gradient(F: Any, g: Any, node: Any) -> list[Any]:
    """Zeros in the tensor's shape, with g at the element."""
    x, index = node.inputs[0], node.attrs["index"]
    if type(g) is Scalar:
        return [_place(Scalar.stack([g], dtypes.FROM_NUMPY[x.dtype]).reshape(()), index=index, shape=x.shape)]
    out = np.zeros(x.shape, x.dtype)
    out[index] = g
    return [out]


def _place(g: Any, **attrs: Any) -> Any:
    return ops.apply(REGISTRY["place"], (g,), attrs)


stack_op = Op("stack_scalars", lambda F, *x: np.array(x), joint=_unstack_gradient, rule=("its element of g",))
stack_op.reads_anything = False
element_op = Op("element", lambda F, x, index: x[index], joint=_element_gradient, rule=("g at the element, 0 elsewhere",))


def elements(t: Tensor) -> Any:
    """The elements of a tensor as (nested lists of) Scalars in the same graph; gradient flows back to the tensor."""
    if t.node.dev.device.type != "cpu":
        t = t.cpu()
    return _elements(t, (), mode.get(), user_frame(sys._getframe(1)))


def _elements(t: Tensor, index: tuple[int, ...], m: Any, frame: Any) -> Any:
    if len(index) < t.array.ndim:
        return [_elements(t, (*index, i), m, frame) for i in range(t.array.shape[len(index)])]
    n = new(Scalar)
    _fill(n, float(t.array[index]), t.node.needs and m.grad, frame.f_code, frame.f_lasti)
    n.op, n.inputs, n.attrs, n.scope = element_op, (t.node,), {"index": index}, m.scope
    return n


Tensor.scalars = elements  # type: ignore[attr-defined]
ops.COERCE[Scalar] = lambda s: Scalar.stack([s]).reshape(())
