"""What the operations of ONNX compute, in microtorch's own functions: the table ``CALLS``.

A row is a function: its positional parameters are the operation's inputs, by keyword it takes
attributes, under ONNX's names and with the defaults of ONNX's schema. What the signature does not
name is not known, and a node that asks for it is refused when the file is loaded (``Call.bound``),
so no attribute is silently ignored. Two more keywords may be asked for: ``opset``, and ``outputs``,
the number of outputs that the node has. Others
enter theirs: onnx_indexing.py, onnx_layers.py, onnx_images.py, onnx_recurrent.py.
"""
from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..base.errors import message
from ..create.counted import arange
from ..create.data import from_numpy
from ..create.filled import full
from ..handles.tensor import Tensor
from ..nn import functional as F
from ..ops.join import cat
from ..ops.select import where
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import Operand

    Function = Callable[..., Operand]

CALLS: dict[str, Call] = {}
LEGACY = {"consumed_inputs"}  # of the first version, a hint for memory
EXTRA = {"opset", "outputs"}


class Call(NamedTuple):
    """A row of the table: the function, what it takes, and whether it gives several outputs."""

    function: Function
    keywords: frozenset[str]
    inputs: float

    @classmethod
    def of(cls, function: Function) -> Call:
        parameters = inspect.signature(function).parameters.values()
        several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        n = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
        names = frozenset(p.name for p in parameters if p.kind is not p.VAR_POSITIONAL)
        return cls(function, names, math.inf if several else n)

    def bound(
        self, given: int, outputs: int, attrs: dict[str, Operand], defaults: dict[str, Operand],
        opset: int,
    ) -> dict[str, Operand]:  # fmt: skip
        """The keywords of a node's call. ValueError says what of the node is not known."""
        if given > self.inputs:
            raise ValueError(f"{given} inputs")
        if outputs > 1 and "outputs" not in self.keywords:
            raise ValueError(f"{outputs} outputs")
        for name, value in attrs.items():
            if name not in self.keywords and value != defaults.get(name) and name not in LEGACY:
                raise ValueError(f"{name} = {value}")
        every = {**defaults, **attrs, "opset": opset, "outputs": outputs}
        return {
            k: v for k, v in every.items()
            if k in self.keywords and (k in attrs or k in EXTRA or v is not None)
        }  # fmt: skip


def op(*names: str) -> Callable[[Function], Function]:
    """Enter a function under these names."""

    def keep(function: Function) -> Function:
        CALLS.update(dict.fromkeys(names, Call.of(function)))
        return function

    return keep


def ints(x: Operand) -> list[int]:
    """An operand, or an attribute, that lists integers."""
    return [int(i) for i in (np.atleast_1d(x.numpy()) if isinstance(x, Tensor) else x)]


def refused(what: str) -> NotImplementedError:
    return NotImplementedError(message(f"onnx: {what} is not known"))


# ---- elementwise ---------------------------------------------------------------------------------
def _unary(name: str) -> Function:
    function = getattr(Tensor, name)
    return lambda x: function(x)


def _pair(name: str) -> Function:
    function = getattr(Tensor, name)

    def call(x: Operand, y: Operand, *, axis: Operand = None, broadcast: Operand = 0) -> Operand:
        if axis is not None:  # before version 7: where y's dimensions lie among x's
            y = y.reshape(*y.shape, *[1] * (x.ndim - axis - y.ndim))
        return function(x, y)

    return call


for _onnx, _ours in {
    "Neg": "neg", "Abs": "abs", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Tanh": "tanh",
    "Sigmoid": "sigmoid", "Erf": "erf", "Relu": "relu", "Sin": "sin", "Cos": "cos", "Tan": "tan",
    "Asin": "asin", "Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh",
    "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Floor": "floor", "Ceil": "ceil",
    "Round": "round", "Sign": "sign", "Not": "logical_not", "IsNaN": "isnan",
    "Reciprocal": "reciprocal", "BitwiseNot": "bitwise_not", "Det": "det",
}.items():  # fmt: skip
    op(_onnx)(_unary(_ours))
for _onnx, _ours in {
    "Add": "add", "Sub": "sub", "Mul": "mul", "MatMul": "matmul", "Less": "lt",
    "LessOrEqual": "le", "Greater": "gt", "GreaterOrEqual": "ge", "Equal": "eq",
    "And": "logical_and", "Or": "logical_or", "Xor": "logical_xor", "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor",
}.items():  # fmt: skip
    op(_onnx)(_pair(_ours))

op("Where")(lambda condition, x, y: where(condition, x, y))
op("Softplus")(lambda x: F.softplus(x, threshold=80.0))
op("Softsign")(lambda x: F.softsign(x))
op("HardSwish")(lambda x: F.hardswish(x))
op("Mish")(lambda x: F.mish(x))
op("Swish")(lambda x, *, alpha: x * (x * alpha).sigmoid())
op("Elu")(lambda x, *, alpha: F.elu(x, alpha))
op("Celu")(lambda x, *, alpha: F.celu(x, alpha))
op("Selu")(lambda x, *, alpha, gamma: F.elu(x, alpha) * gamma)
op("LeakyRelu")(lambda x, *, alpha: F.leaky_relu(x, alpha))
op("ThresholdedRelu")(lambda x, *, alpha: where(x > alpha, x, x * 0))
op("HardSigmoid")(lambda x, *, alpha, beta: (x * alpha + beta).clamp(0, 1))
op("Gelu")(lambda x, *, approximate: F.gelu(x, approximate=approximate))
op("Mod")(lambda x, y, *, fmod: x.fmod(y) if fmod else x.remainder(y))
op("Identity")(lambda x: x.clone() if isinstance(x, Tensor) else (x,))
op("Size")(lambda x: from_numpy(np.array(x.numel(), np.int64)))
op("Max")(lambda *xs: reduce(Tensor.maximum, xs).clone())
op("Min")(lambda *xs: reduce(Tensor.minimum, xs).clone())
op("Sum")(lambda *xs: reduce(Tensor.add, xs).clone())
op("Mean")(lambda *xs: reduce(Tensor.add, xs) / len(xs))
op("CastLike")(lambda x, target, *, saturate=1: x.to(target.dtype))
op("Einsum")(lambda *xs, equation: FUNCTIONS["einsum"](equation, *xs))


@op("Div")
def _div(x: Operand, y: Operand, *, axis: Operand = None, broadcast: Operand = 0) -> Operand:
    if axis is not None:
        y = y.reshape(*y.shape, *[1] * (x.ndim - axis - y.ndim))
    return x / y if x.is_floating_point() else x.div(y, rounding_mode="trunc")


@op("Pow")
def _pow(x: Operand, y: Operand, *, axis: Operand = None, broadcast: Operand = 0) -> Operand:
    if axis is not None:
        y = y.reshape(*y.shape, *[1] * (x.ndim - axis - y.ndim))
    return x.pow(y).to(x.dtype)  # the dtype of the base, whatever the exponent's


@op("IsInf")
def _isinf(x: Operand, *, detect_negative: int, detect_positive: int) -> Operand:
    found = x.isinf()
    return found & ((x < 0) & bool(detect_negative) | (x > 0) & bool(detect_positive))


@op("Shrink")
def _shrink(x: Operand, *, bias: float, lambd: float) -> Operand:
    return where(x < -lambd, x + bias, where(x > lambd, x - bias, x * 0)).to(x.dtype)


@op("PRelu")
def _prelu(x: Operand, slope: Operand, *, opset: int) -> Operand:
    if opset < 9 and slope.ndim == 1 and x.ndim > 1:  # one for each channel
        slope = slope.reshape(-1, *[1] * (x.ndim - 2))
    return where(x < 0, x * slope, x)


@op("Clip")
def _clip(x: Operand, min: Operand = None, max: Operand = None) -> Operand:
    out = x.clone()
    for bound, limit in ((min, Tensor.maximum), (max, Tensor.minimum)):
        if bound is not None:
            as_tensor = bound if isinstance(bound, Tensor) else full((), bound)
            out = limit(out, as_tensor.to(x.dtype))
    return out


@op("BitShift")
def _bit_shift(x: Operand, y: Operand, *, direction: str) -> Operand:
    return FUNCTIONS[f"bitwise_{direction.lower()}_shift"](x, y)


@op("Cast")
def cast(x: Operand, *, to: int, saturate: int = 1) -> Operand:
    import onnx

    kind = onnx.helper.tensor_dtype_to_np_dtype(to)
    try:
        return x.to(from_numpy(np.zeros(1, kind)).dtype)
    except TypeError:
        raise refused(f"Cast to {onnx.TensorProto.DataType.Name(to)}") from None


# ---- products, sums, places ----------------------------------------------------------------------
@op("Gemm")
def _gemm(
    a: Operand, b: Operand, c: Operand = None, *, alpha: float, beta: float, transA: int,
    transB: int, broadcast: int = 0,
) -> Operand:  # fmt: skip
    out = (a.t() if transA else a) @ (b.t() if transB else b)
    out = out * alpha if alpha != 1 else out
    if c is None:
        return out
    return out + (c * beta if beta != 1 else c)


def _reduction(name: str) -> Function:
    def call(
        x: Operand, axes: Operand = None, *, keepdims: int, noop_with_empty_axes: int = 0
    ) -> Operand:
        n, keep = x.ndim, bool(keepdims)
        dims = [] if axes is None else [d % n for d in ints(axes)]
        if not dims and noop_with_empty_axes:
            return _elements(name, x)
        dims = dims or [*range(n)]
        empty = not all(x.shape[d] for d in dims)
        if name in ("amax", "amin") and empty:
            shape = [1 if d in dims else m for d, m in enumerate(x.shape) if keep or d not in dims]
            kind = np.dtype(x.dtype.name)
            low, high = {"f": (-np.inf, np.inf), "b": (False, True)}.get(
                kind.kind
            ) or (np.iinfo(kind).min, np.iinfo(kind).max)
            return full(shape, low if name == "amax" else high, dtype=x.dtype)
        if name == "prod":
            for d in sorted(dims, reverse=True):
                x = x.prod(d, keepdim=keep)
            return x
        if name == "logsumexp":
            return x.to(x.dtype).logsumexp(dims, keepdim=keep)
        if name in ("amax", "amin", "mean"):
            return getattr(x, name)(dims, keepdim=keep)
        out = _elements(name, x).sum(dims, keepdim=keep)
        out = out.to(x.dtype) if not x.is_floating_point() else out
        return out.sqrt() if name == "norm" else out.log() if name == "log" else out

    return call


def _elements(name: str, x: Operand) -> Operand:
    """What a reduction adds up."""
    if name == "abs":
        return x.abs()
    return x * x if name in ("norm", "square") else x


for _onnx, _ours in {
    "Sum": "sum", "Mean": "mean", "Max": "amax", "Min": "amin", "Prod": "prod", "L1": "abs",
    "L2": "norm", "SumSquare": "square", "LogSum": "log", "LogSumExp": "logsumexp",
}.items():  # fmt: skip
    op(f"Reduce{_onnx}")(_reduction(_ours))


def _position(name: str) -> Function:
    def call(x: Operand, *, axis: int, keepdims: int, select_last_index: int = 0) -> Operand:
        n = x.shape[axis]
        found = getattr(x.flip(axis) if select_last_index else x, name)(axis, bool(keepdims))
        return n - 1 - found if select_last_index else found

    return call


op("ArgMax")(_position("argmax"))
op("ArgMin")(_position("argmin"))


def _running(name: str) -> Function:
    neutral = 0 if name == "cumsum" else 1

    def call(x: Operand, axis: Operand, *, exclusive: int, reverse: int) -> Operand:
        d = int(axis.item())
        x = x.flip(d) if reverse else x
        out = getattr(x, name)(d).to(x.dtype)
        if exclusive:
            n = x.shape[d]
            head = full_like_slice(x, d, neutral)
            out = cat([head, out.narrow(d, 0, n - 1)], d) if n else out
        return out.flip(d) if reverse else out

    return call


def full_like_slice(x: Operand, d: int, value: float) -> Tensor:
    """One slice of x along d, of equal numbers."""
    shape = [1 if i == d % x.ndim else n for i, n in enumerate(x.shape)]
    return full(shape, value, dtype=x.dtype)


op("CumSum")(_running("cumsum"))
op("CumProd")(_running("cumprod"))


@op("TopK")
def _topk(
    x: Operand, k: Operand, *, axis: int, largest: int = 1, sorted: int = 1, outputs: int = 2
) -> Operand:
    n = int(k.item()) if isinstance(k, Tensor) else k
    if x.is_floating_point() or largest:
        order = x.argsort(axis, descending=bool(largest), stable=True)
    else:
        order = x.argsort(axis, stable=True)
    order = order.narrow(axis, 0, n)
    return x.gather(axis, order), order


@op("Hardmax")
def _hardmax(x: Operand, *, axis: int, opset: int) -> Operand:
    flat = x.flatten(axis) if opset < 13 else x  # before 13: over all dimensions from there on
    d = -1 if opset < 13 else axis
    n, at = flat.shape[d], flat.argmax(d, keepdim=True)
    places = arange(n).reshape([-1 if i == d % flat.ndim else 1 for i in range(flat.ndim)])
    return (places == at).to(x.dtype).reshape(x.shape)


@op("NonZero")
def _nonzero(x: Operand) -> Operand:
    return x.nonzero().t().contiguous()


def values_of(attrs: dict[str, Operand]) -> Tensor:
    """The tensor of a node Constant. NotImplementedError for text and sparse tensors."""
    import onnx

    (name, value), = attrs.items()
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64,
             "value_ints": np.int64}  # fmt: skip
    if name == "value":
        return from_numpy(np.array(onnx.numpy_helper.to_array(value)))
    if name not in kinds:
        raise refused(f"Constant with {name}")
    return from_numpy(np.array(value, kinds[name]))


def lists(x: Sequence[Operand] | Operand) -> tuple[Operand, ...]:
    """The outputs of a call."""
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)
