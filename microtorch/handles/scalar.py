"""Scalar: one Python float in the graph, for blackboards.

A ``Scalar`` *is* a node (a float never changes, so it needs no handle), and the arithmetic is
micrograd's: operators, ``**``, ``relu tanh exp log sigmoid sin cos ...``, ``.data``, ``.grad``,
``.backward()``. Gradient flows by default, and every Scalar, not only the leaves, keeps its
``.grad``; it is None until backward has computed it.

Values and derivatives come from the same rows of formulas.py as those of the tensor ops.
``Scalar.stack`` and ``Tensor.scalars`` lead from one world to the other, within one graph.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from ..arrays import dtypes
from ..backends.core.library import new
from ..base import errors
from ..base.naming import named
from ..engine.op import Op
from ..engine.operands import COERCE
from ..engine.record import constant, fill
from ..engine.registry import REGISTRY
from ..graph import (
    Node,
    RemovableHandle,
    hooks_of,
    last_user_code,
    last_write,
    mode,
    storage_of,
    tick,
    user_frame,
    users,
)
from ..graph.node import ABSENT
from ..notation import expr, formulas
from .methods import ScalarMethods, bind_methods
from .scalar_text import backward_source, method_source
from .tensor import Tensor

if TYPE_CHECKING:
    from types import CodeType

    from ..base.types import (
        Contribution,
        DType,
        DTypeLike,
        Frame,
        Gradient,
        Hook,
        Namespace,
        Number,
        Scalars,
    )  # fmt: skip
    from ..engine.recorded import Recorded
    from ..graph import Mode


class Scalar(ScalarMethods):
    """A number with a gradient: ``Scalar(2.0)``, ``Scalar(2.0, label="x")``.

    ``requires_grad=False`` makes one through which no gradient flows.
    """

    __slots__ = ("_label", "op")
    op: Op
    value: float

    # constants of the class, in place of two stores per node
    dev = ABSENT  # a float lies in no backend's memory ...
    saved = ()  # ... and is never freed, so backward can run again

    def __init__(self, data: SupportsFloat, label: str = "", requires_grad: bool = True):
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
    def data(self, value: SupportsFloat) -> None:
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
    def dtype(self) -> DType:
        return dtypes.F64

    def name(self) -> str:
        return "AccumulateGrad" if self.op is None else self.op.node.__name__

    def item(self) -> float:
        """The value as a Python float."""
        return self.value

    def detach(self) -> Scalar:
        """The same value as a leaf without gradient."""
        return Scalar(self.value, self.label, requires_grad=False)

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(grad)`` when the gradient is complete; a number that it returns replaces it.
        """
        return RemovableHandle(hooks_of(self).tensor, hook)

    def accumulate(self, g: Gradient) -> None:
        self.grad = g if self.grad is None else self.grad + g

    def contributions(self, g: Gradient, graph: Recorded | None) -> list[Contribution]:
        """What each input receives of ``g`` (as engine/backward.contributions, on floats)."""
        op, inputs, attrs = self.op, self.inputs, self.attrs or {}
        check_fresh(self)
        if graph is None:
            values = [x.value for x in inputs]
            return [
                vjp(None, g, self.value, *values, **attrs) if vjp and x.needs else None
                for x, vjp in zip(inputs, op.scalar_derivatives, strict=True)
            ]
        return [
            _scalar(vjp(RECORDED_SCALARS, g, self, *inputs, **attrs)) if vjp and x.needs else None
            for x, vjp in zip(inputs, op.derivatives, strict=True)
        ]

    # ---- Python's number protocol ----------------------------------------------------------------
    def __float__(self) -> float:
        return self.value

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        label = f"{self.label}: " if self.label else ""
        grad = None if self.grad is None else f"{float(self.grad):g}"
        return f"Scalar({label}data={self.value:g}, grad={grad})"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else repr(self)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self.value == _value(other) if _comparable(other) else NotImplemented

    def __lt__(self, other: Scalar | Number) -> bool:
        return self.value < _value(other) if _comparable(other) else NotImplemented

    def __le__(self, other: Scalar | Number) -> bool:
        return self.value <= _value(other) if _comparable(other) else NotImplemented

    def __gt__(self, other: Scalar | Number) -> bool:
        return self.value > _value(other) if _comparable(other) else NotImplemented

    def __ge__(self, other: Scalar | Number) -> bool:
        return self.value >= _value(other) if _comparable(other) else NotImplemented

    @staticmethod
    def stack(scalars: Iterable[Scalar | Number], dtype: DTypeLike | None = None) -> Tensor:
        """A 1-d tensor of Scalars (and numbers). Gradient flows back to each of them."""
        nodes = tuple([_scalar(s) for s in scalars])
        d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
        t = constant(np.array([s.value for s in nodes], d))
        m = mode.get()
        if m.grad and any(s.needs for s in nodes):
            frame = user_frame(sys._getframe(1))
            dev = t.node.dev
            t.node = fill(stack_op.node(), nodes, nodes, t.array, dev, None, m.scope, frame)
        return t


def _comparable(x: object) -> bool:
    return type(x) is Scalar or isinstance(x, (int, float, np.number))


def _value(x: Any) -> float:
    return x.value if type(x) is Scalar else x


def _fill(n: Scalar, value: float, needs: bool, code: CodeType | None, lasti: int) -> None:
    n.value, n.needs, n.code, n.lasti = value, needs, code, lasti
    n.inputs, n.seq = (), tick()
    n.op = ABSENT
    n.attrs = n.grad = n.hooks = n.storage = n.scope = None


def constant_scalar(value: SupportsFloat) -> Scalar:
    """A Scalar through which no gradient flows."""
    n = new(Scalar)
    _fill(n, float(value), False, None, 0)
    return n


def _scalar(x: Scalar | Number) -> Scalar:
    """``x`` itself, or a Python number as a constant."""
    return x if type(x) is Scalar else constant_scalar(x)


# ---- arithmetic: a method and a backward step per op, generated when the op is first used --------
def _generate(source: str, name: str, op: Op) -> Any:
    namespace: dict[str, Any] = {
        **expr.SCALAR_FUNCTIONS, "Scalar": Scalar, "number": np.number, "new": new, "tick": tick,
        "constant": constant_scalar, "mode": mode.get, "getframe": sys._getframe, "users": users,
        "last_user_code": last_user_code, "last_write": last_write, "check_fresh": check_fresh,
        "op": op,
    }  # fmt: skip
    exec(compile(source, f"<microtorch Scalar {op.name}>", "exec"), namespace)
    return namespace[name]


def check_fresh(node: Scalar) -> None:
    """Raise if the ``data`` of an input was set after the node had used it."""
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


def _make(name: str) -> Callable[..., Scalar]:
    """The Scalar method of an op: when first called, it puts the generated one in its own place."""

    def method(self: Scalar, *args: Any, **kwargs: Any) -> Scalar:
        op = REGISTRY[name]
        made = named(_generate(method_source(op), "method", op), name, op.formula, op=name)
        # engine/backward.py asks for it by this name, and takes contributions() where there is none
        op.scalar_backward = _generate(backward_source(op), "backward", op)
        for alias, value in list(vars(ScalarMethods).items()):
            if value is method:
                setattr(ScalarMethods, alias, made)
        return made(self, *args, **kwargs)

    vars(method)["op"] = name  # whose operands are its parameters (scripts/stubs.py)
    return method


class RecordedScalars:
    """The namespace F of derivatives on Scalars under create_graph: methods, recorded in turn."""

    @staticmethod
    def where(condition: bool, x: Scalar | Number, y: Scalar | Number) -> Scalar | Number:
        return x if condition else y

    @staticmethod
    def conj(x: Scalar | Number) -> Scalar:
        return _scalar(x)  # Scalars are real

    @staticmethod
    def zero(x: Scalar | Number) -> Scalar:
        return _scalar(0.0)

    def __getattr__(self, name: str) -> Callable[..., Scalar]:
        method = getattr(Scalar, name)
        return lambda x, *rest: method(_scalar(x), *rest)


RECORDED_SCALARS = RecordedScalars()


def _reflected(name: str) -> Callable[..., Scalar]:
    def reflected(self: Scalar, other: Number) -> Scalar:
        return (
            getattr(Scalar, name)(constant_scalar(other), self)
            if isinstance(other, (int, float, np.number))
            else NotImplemented
        )

    return reflected


_arithmetic = {name: _make(name) for name in formulas.TABLE if name != "where"}
for _sign, _name in [
    ("add", "add"), ("sub", "sub"), ("mul", "mul"), ("truediv", "div"), ("pow", "pow"),
]:  # fmt: skip
    _arithmetic |= {f"__{_sign}__": _arithmetic[_name], f"__r{_sign}__": _reflected(_name)}
_arithmetic |= {"__neg__": _arithmetic["neg"], "__abs__": _arithmetic["abs"]}
bind_methods(_arithmetic, ScalarMethods)


# ---- between the two worlds ----------------------------------------------------------------------
def _unstack_gradient(F: Namespace, g: Gradient, node: Node) -> list[Contribution]:
    return elements(g) if hasattr(g, "node") else g.tolist()


def _element_gradient(F: Namespace, g: Gradient, node: Node) -> list[Contribution]:
    """Zeros in the tensor's shape, with g at the element."""
    x, attrs = node.inputs[0], node.attrs or {}
    if type(g) is Scalar:
        one = Scalar.stack([g], dtypes.FROM_NUMPY[x.dtype]).reshape(())
        return [REGISTRY["place"](one, index=attrs["index"], shape=x.shape)]
    out = np.zeros(x.shape, x.dtype)
    out[attrs["index"]] = g
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
    """The elements of a tensor as Scalars in the same graph, in nested lists (a 0-d tensor is one
    Scalar). Gradient flows back to the tensor.
    """
    if t.is_complex():
        raise TypeError(
            errors.message(
                "Scalars are real, and the elements of this tensor are complex",
                errors.describe(t),
                fix="the Scalars of t.real and of t.imag",
            )
        )
    if t.node.dev.device.type != "cpu":
        t = t.cpu()
    return _elements(t, (), mode.get(), user_frame(sys._getframe(1)))


def _elements(t: Tensor, index: tuple[int, ...], m: Mode, frame: Frame) -> Scalars:
    if len(index) < t.array.ndim:
        return [_elements(t, (*index, i), m, frame) for i in range(t.array.shape[len(index)])]
    n = new(Scalar)
    _fill(n, float(t.array[index]), t.node.needs and m.grad, frame.f_code, frame.f_lasti)
    n.op, n.inputs, n.attrs, n.scope = element_op, (t.node,), {"index": index}, m.scope
    return n


bind_methods({"scalars": elements})
COERCE[Scalar] = lambda s: Scalar.stack([s]).reshape(())
