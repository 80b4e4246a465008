"""Scalar: one Python float in the graph, for blackboards.

A ``Scalar`` *is* a node (a float never changes, so it needs no handle), and the arithmetic is
micrograd's: operators, ``**``, ``relu tanh exp log sigmoid sin cos ...``, ``.data``, ``.grad``,
``.backward()``. Gradient flows by default, and every Scalar, not only the leaves, keeps its
``.grad``; it is None until backward has computed it.

Values and derivatives come from the same rows of formulas.py as the tensor ops. ``Scalar.stack``
and ``Tensor.scalars`` lead from one world to the other, within one graph.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..base import errors
from ..base.naming import named
from ..engine.op import Op
from ..engine.operands import COERCE
from ..engine.record import constant, fill
from ..engine.registry import REGISTRY
from ..graph import Node, last_user_code, last_write, mode, storage_of, tick, user_frame, users
from ..notation import expr, formulas
from .methods import bind_methods
from .scalar_text import backward_source, method_source
from .tensor import Tensor

new = object.__new__


class Scalar(Node):
    """A number with a gradient:

    ``Scalar(2.0)``, ``Scalar(2.0, label="x")``, ``Scalar(2.0, requires_grad=False)``.
    """

    __slots__ = ("_label", "op")

    if TYPE_CHECKING:  # the operators, which are generated below; and all other methods

        def _operator(self, other: Any) -> Scalar: ...

        def __getattr__(self, name: str) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = (
            __rtruediv__
        ) = _operator
        __pow__ = __rpow__ = _operator
        __neg__ = __abs__ = lambda self: self

    # constants of the class, in place of two stores per node: a float lies in no backend's memory
    # ...
    dev = None
    saved = ()  # ... and is never freed, so backward can run again

    def __init__(self, data: Any, label: str = "", requires_grad: bool = True):
        if isinstance(data, (str, bytes)) or not hasattr(data, "__float__"):
            raise TypeError(
                errors.message(
                    f"Scalar() takes a number, not {type(data).__name__}", fix="Scalar(2.0)"
                )
            )
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
        """The value.

        A leaf's may be set (``p.data -= lr * p.grad``); backward notices if it needed the old one.
        """
        return self.value

    @data.setter
    def data(self, value: Any) -> None:
        if self.op is not None:
            raise RuntimeError(
                errors.message(
                    f"only a leaf Scalar's data can be set, and this one is the result of "
                    f"{self.op.name}",
                    fix="change the leaves and compute it again",
                )
            )
        self.value = float(value)
        storage_of(self).wrote("data =")

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

    def contributions(self, g: Any, graph: Any) -> list[Any]:
        """What each input receives of ``g`` (engine/backward.contributions, on floats)."""
        op, inputs, out = self.op, self.inputs, self.value
        check_fresh(self)
        F, vjps, values = None, op.scalar_derivatives, [x.value for x in inputs]
        if graph is not None:
            F, vjps, out, values = RECORDED_SCALARS, op.derivatives, self, inputs
        attrs = self.attrs or {}
        pairs = zip(inputs, vjps, strict=True)
        given = [vjp(F, g, out, *values, **attrs) if vjp and x.needs else None for x, vjp in pairs]
        return given if graph is None else [d if d is None else _scalar(d) for d in given]

    # ---- Python's number protocol ----------------------------------------------------------------
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
        nodes = tuple([_scalar(s) for s in scalars])
        d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
        t = constant(np.array([s.value for s in nodes], d))
        m = mode.get()
        if m.grad and any(s.needs for s in nodes):
            frame = user_frame(sys._getframe(1))
            t.node = fill(
                stack_op.node(), nodes, nodes, t.array, t.node.dev, None, m.scope, frame
            )
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


def _scalar(x: Any) -> Scalar:
    """A Scalar, or a Python number as one through which no gradient flows."""
    return x if type(x) is Scalar else _number(x)


# ---- arithmetic: a method and a backward step per op, generated when the op is first used --------
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
                    f"the data of a Scalar was changed after {node.op.name}, made at "
                    f"{node.where()}, had used it",
                    f"it is {x.value} now",
                    fix="set .data after backward(), and compute the result again",
                )
            )


def _make(op: Op) -> Callable[..., Any]:
    """The Scalar method of an op: generates the real one when first called, and puts it in its own
    place.
    """

    def method(self: Scalar, *args: Any, **kwargs: Any) -> Any:
        made = named(_generate(method_source(op), "method", op), op.name, op.formula)
        op.scalar_backward = _generate(backward_source(op), "backward", op)
        for name, value in list(vars(Scalar).items()):
            if value is method:
                setattr(Scalar, name, made)
        return made(self, *args, **kwargs)

    return method


class RecordedScalars:
    """The namespace F of derivatives on Scalars under create_graph: methods, recorded in turn."""

    @staticmethod
    def where(condition: Any, x: Any, y: Any) -> Any:
        return x if condition else y

    def __getattr__(self, name: str) -> Any:
        method = getattr(Scalar, name)
        return lambda x, *rest: method(_scalar(x), *rest)


RECORDED_SCALARS = RecordedScalars()


def _reflected(name: str) -> Callable[..., Any]:
    def reflected(self: Scalar, other: Any) -> Any:
        return (
            getattr(Scalar, name)(_number(other), self)
            if isinstance(other, (int, float, np.number))
            else NotImplemented
        )

    return reflected


for _name in formulas.TABLE:
    if _name != "where":
        setattr(Scalar, _name, _make(REGISTRY[_name]))
for _name, _sign in {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "div": "truediv",
    "pow": "pow",
}.items():
    setattr(Scalar, f"__{_sign}__", getattr(Scalar, _name))
    setattr(Scalar, f"__r{_sign}__", _reflected(_name))
Scalar.__neg__ = Scalar.neg  # type: ignore[attr-defined]
Scalar.__abs__ = Scalar.abs  # type: ignore[attr-defined]


# ---- between the two worlds ----------------------------------------------------------------------
def _unstack_gradient(F: Any, g: Any, node: Node) -> list[Any]:
    return elements(g) if hasattr(g, "node") else g.tolist()


def _element_gradient(F: Any, g: Any, node: Any) -> list[Any]:
    """Zeros in the tensor's shape, with g at the element."""
    x, index = node.inputs[0], node.attrs["index"]
    if type(g) is Scalar:
        g = Scalar.stack([g], dtypes.FROM_NUMPY[x.dtype]).reshape(())
        return [REGISTRY["place"](g, index=index, shape=x.shape)]
    out = np.zeros(x.shape, x.dtype)
    out[index] = g
    return [out]


stack_op = Op(
    "stack_scalars",
    lambda F, *x: np.array(x),
    joint=_unstack_gradient,
    rule=("its element of g",),
    reads_nothing=True,
)
element_op = Op(
    "element",
    lambda F, x, index: x[index],
    joint=_element_gradient,
    rule=("g at the element, 0 elsewhere",),
)


def elements(t: Tensor) -> Any:
    """The elements of a tensor as (nested lists of) Scalars in the same graph; gradient flows back
    to the tensor.
    """
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


bind_methods({"scalars": elements})


COERCE[Scalar] = lambda s: Scalar.stack([s]).reshape(())
