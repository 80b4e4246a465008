"""An ONNX model as a Module: ``microtorch.onnx.load``. Needs the package onnx.

Each node is a call of microtorch's own functions, so that the model runs on any device, trains and
draws like one written by hand. ``CALLS`` is the table, by ONNX's name of an operation; an operation
that is not in it is named when the file is loaded, before anything runs.
"""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np

from ..base.errors import message
from ..create.data import from_numpy
from ..create.filled import full, zeros
from ..handles.tensor import Tensor
from ..nn import functional as F
from ..nn.module import Module
from ..nn.parameter import Parameter
from ..ops.join import cat
from ..ops.select import where
from .onnx_out import onnx_package

if TYPE_CHECKING:
    from ..base.types import Operand

Given: TypeAlias = "Sequence[Operand]"  # tensors; None stands for an input that is left out
Attrs: TypeAlias = "Mapping[str, Operand]"
Call: TypeAlias = "Callable[[Given, Attrs], Operand]"
CALLS: dict[str, Call] = {}


class OnnxModule(Module):
    """A graph of ONNX. Its weights are parameters, under their names with _ for what is no letter.

    ``forward`` takes the graph's inputs in order and returns its output, or a tuple of them.
    """

    def __init__(self, model: Operand):
        super().__init__()
        onnx = onnx_package()
        graph = model.graph
        opsets = {o.domain: o.version for o in model.opset_import}
        self.opset: int = opsets.get("", opsets.get("ai.onnx", 1))
        self.names: dict[str, str] = {}  # of ONNX -> of a parameter or buffer
        for array in graph.initializer:
            attribute = re.sub(r"\W", "_", array.name) or "_"
            while hasattr(self, attribute):
                attribute = f"{attribute}_"
            self.names[array.name] = attribute
            values = from_numpy(onnx.numpy_helper.to_array(array).copy())
            if values.is_floating_point() and values.numel() > 1:
                self.register_parameter(attribute, Parameter(values))
            else:
                self.register_buffer(attribute, values)
        self.inputs = [i.name for i in graph.input if i.name not in self.names]
        self.outputs = [o.name for o in graph.output]
        self.nodes: list[tuple[str, list[str], list[str], dict[str, Operand]]] = []
        for node in graph.node:
            if node.domain not in ("", "ai.onnx") or node.op_type not in (*CALLS, "Constant"):
                raise NotImplementedError(
                    message(
                        f"onnx.load: the operation {node.op_type} is not known",
                        f"node {node.name!r}, which gives {', '.join(node.output)}",
                        fix="the table of operations is CALLS in microtorch/static/onnx_in.py",
                    )
                )
            attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            attrs = {k: v.decode() if isinstance(v, bytes) else v for k, v in attrs.items()}
            if node.op_type == "Constant":
                value = attrs.get("value")
                array = onnx.numpy_helper.to_array(value) if value is not None else np.asarray(
                    next(iter(attrs.values()))
                )  # fmt: skip
                attrs = {"tensor": from_numpy(np.array(array))}
            self.nodes.append((node.op_type, [*node.input], [*node.output], attrs))

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The graph's outputs; TypeError for another number of inputs."""
        if len(inputs) != len(self.inputs):
            raise TypeError(message(f"the model takes {', '.join(self.inputs)}, but was given "
                                    f"{len(inputs)} inputs"))  # fmt: skip
        values: dict[str, Operand] = {"": None}
        values.update(zip(self.inputs, inputs, strict=True))
        values.update({n: getattr(self, a) for n, a in self.names.items()})
        for op, given, made, attrs in self.nodes:
            if op == "Constant":
                values[made[0]] = attrs["tensor"]
                continue
            more = {"opset": self.opset, "outputs": len(made)}
            found = CALLS[op]([values[n] for n in given], {**attrs, **more})
            found = found if isinstance(found, (tuple, list)) else (found,)
            values.update(zip(made, found, strict=False))
        outputs = tuple([values[n] for n in self.outputs])
        return outputs[0] if len(outputs) == 1 else outputs


def load(f: str | os.PathLike[str] | IO[bytes]) -> OnnxModule:
    """The Module of a file. NotImplementedError names an operation that is not known."""
    onnx = onnx_package()
    model = onnx.load(f)
    onnx.checker.check_model(model)
    return OnnxModule(model)


# ---- the table -----------------------------------------------------------------------------------
def call(*names: str) -> Callable[[Call], Call]:
    def keep(function: Call) -> Call:
        CALLS.update(dict.fromkeys(names, function))
        return function

    return keep


def _plain(name: str) -> Call:
    function = getattr(Tensor, name)
    return lambda given, attrs: function(*given)


for _onnx, _ours in {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Neg": "neg", "Abs": "abs", "Exp": "exp",
    "Log": "log", "Sqrt": "sqrt", "Tanh": "tanh", "Sigmoid": "sigmoid", "Erf": "erf",
    "Relu": "relu", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos",
    "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh",
    "Atanh": "atanh", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sign": "sign",
    "MatMul": "matmul", "Less": "lt", "LessOrEqual": "le", "Greater": "gt",
    "GreaterOrEqual": "ge", "Equal": "eq", "And": "logical_and", "Or": "logical_or",
    "Xor": "logical_xor", "Not": "logical_not", "IsNaN": "isnan", "IsInf": "isinf",
    "Pow": "pow", "Reciprocal": "reciprocal", "Identity": "clone",
}.items():  # fmt: skip
    CALLS[_onnx] = _plain(_ours)
CALLS["Mod"] = lambda given, attrs: (
    given[0].fmod(given[1]) if attrs.get("fmod") else given[0].remainder(given[1])
)
CALLS["Where"] = lambda given, attrs: where(*given)
CALLS["Softplus"] = lambda given, attrs: F.softplus(given[0])
CALLS["Softsign"] = lambda given, attrs: F.softsign(given[0])
CALLS["HardSwish"] = lambda given, attrs: F.hardswish(given[0])
CALLS["Mish"] = lambda given, attrs: F.mish(given[0])
CALLS["Dropout"] = lambda given, attrs: given[0]
CALLS["Elu"] = lambda given, attrs: F.elu(given[0], attrs.get("alpha", 1.0))
CALLS["Celu"] = lambda given, attrs: F.celu(given[0], attrs.get("alpha", 1.0))
CALLS["LeakyRelu"] = lambda given, attrs: F.leaky_relu(given[0], attrs.get("alpha", 0.01))
CALLS["Gelu"] = lambda given, attrs: F.gelu(given[0], approximate=attrs.get("approximate", "none"))
CALLS["Shape"] = lambda given, attrs: from_numpy(np.array(given[0].shape, np.int64))
CALLS["Size"] = lambda given, attrs: from_numpy(np.array(given[0].numel(), np.int64))


def ints(x: Operand) -> list[int]:
    """An operand, or an attribute, that lists integers."""
    return [int(i) for i in (x.tolist() if isinstance(x, Tensor) else x)]


@call("Div")
def _div(given: Given, attrs: Attrs) -> Operand:
    x, y = given
    return x / y if x.is_floating_point() else x.div(y, rounding_mode="trunc")


def _folded(pair: Callable[[Operand, Operand], Operand], given: Given, attrs: Attrs) -> Operand:
    found = given[0]
    for x in given[1:]:
        found = pair(found, x)
    return found


CALLS["Max"] = partial(_folded, lambda a, b: a.maximum(b))
CALLS["Min"] = partial(_folded, lambda a, b: a.minimum(b))
CALLS["Sum"] = partial(_folded, lambda a, b: a + b)
CALLS["Mean"] = lambda given, attrs: CALLS["Sum"](given, attrs) / len(given)


@call("PRelu")
def _prelu(given: Given, attrs: Attrs) -> Operand:
    x, slope = given
    if attrs["opset"] < 9 and slope.ndim == 1 and x.ndim > 1:  # one for each channel
        slope = slope.reshape(-1, *[1] * (x.ndim - 2))
    return where(x < 0, x * slope, x)


@call("Clip")
def _clip(given: Given, attrs: Attrs) -> Operand:
    x, low, high = (*given, None, None)[:3]
    low = attrs.get("min") if low is None else low.item()
    high = attrs.get("max") if high is None else high.item()
    return x.clone() if low is None and high is None else x.clamp(low, high)


@call("Gemm")
def _gemm(given: Given, attrs: Attrs) -> Operand:
    a, b, c = (*given, None)[:3]
    a = a.t() if attrs.get("transA") else a
    b = b.t() if attrs.get("transB") else b
    out = a @ b * attrs["alpha"] if attrs.get("alpha", 1.0) != 1 else a @ b
    if c is None:
        return out
    return out + (c * attrs["beta"] if attrs.get("beta", 1.0) != 1 else c)


def _pads(attrs: Attrs, n: int) -> list[int]:
    if attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise NotImplementedError(message(f"onnx: auto_pad={attrs['auto_pad']} is not known"))
    return ints(attrs.get("pads", [0] * 2 * n))


def _padded(x: Tensor, pads: list[int], value: float) -> Tensor:
    n = len(pads) // 2
    around = [p for i in reversed(range(n)) for p in (pads[i], pads[i + n])]
    return F.pad(x, around, value=value) if any(around) else x


@call("Conv")
def _conv(given: Given, attrs: Attrs) -> Operand:
    x, w, b = (*given, None)[:3]
    n = w.ndim - 2
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[n]
    pads, one = _pads(attrs, n), [1] * n
    even = pads[:n] == pads[n:]
    return conv(x if even else _padded(x, pads, 0.0), w, b, ints(attrs.get("strides", one)),
                pads[:n] if even else 0, ints(attrs.get("dilations", one)),
                attrs.get("group", 1))  # fmt: skip


def _pool(largest: bool, given: Given, attrs: Attrs) -> Operand:
    x, kernel = given[0], ints(attrs["kernel_shape"])
    n = len(kernel)
    stride, pads = ints(attrs.get("strides", [1] * n)), _pads(attrs, n)
    ceil = bool(attrs.get("ceil_mode", 0))
    even = pads[:n] == pads[n:]
    if largest:
        pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[n]
        x = x if even else _padded(x, pads, -float("inf"))
        return pool(x, kernel, stride, pads[:n] if even else 0,
                    ints(attrs.get("dilations", [1] * n)), ceil)  # fmt: skip
    if not even:
        raise NotImplementedError(message("onnx: AveragePool with uneven pads is not known"))
    mean = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[n]
    return mean(x, kernel, stride, pads[:n], ceil, bool(attrs.get("count_include_pad", 0)))


CALLS["MaxPool"], CALLS["AveragePool"] = partial(_pool, True), partial(_pool, False)
CALLS["GlobalAveragePool"] = lambda given, attrs: given[0].mean(
    [*range(2, given[0].ndim)], keepdim=True
)
CALLS["GlobalMaxPool"] = lambda given, attrs: given[0].amax([*range(2, given[0].ndim)], True)


@call("BatchNormalization")
def _batch_norm(given: Given, attrs: Attrs) -> Operand:
    if attrs.get("training_mode"):
        raise NotImplementedError(message("onnx: BatchNormalization in training mode"))
    x, weight, bias, mean, variance = given
    return F.batch_norm(x, mean.detach(), variance.detach(), weight, bias, False, 0.0,
                        attrs.get("epsilon", 1e-5))  # fmt: skip


@call("LayerNormalization")
def _layer_norm(given: Given, attrs: Attrs) -> Operand:
    x, weight, bias = (*given, None)[:3]
    return F.layer_norm(x, x.shape[attrs.get("axis", -1) % x.ndim :], weight, bias,
                        attrs.get("epsilon", 1e-5))  # fmt: skip


def _soft(function: Operand, given: Given, attrs: Attrs) -> Operand:
    x = given[0]
    if attrs["opset"] >= 13:
        return function(x, dim=attrs.get("axis", -1))
    axis = attrs.get("axis", 1) % x.ndim  # before 13: over all dimensions from there on
    return function(x.flatten(axis), dim=-1).reshape(x.shape)


CALLS["Softmax"], CALLS["LogSoftmax"] = partial(_soft, F.softmax), partial(_soft, F.log_softmax)


def _reduce(name: str, given: Given, attrs: Attrs) -> Operand:
    x = given[0]
    axes = given[1] if len(given) > 1 and given[1] is not None else attrs.get("axes")
    keep = bool(attrs.get("keepdims", 1))
    dims = [*range(x.ndim)] if axes is None else ints(axes)
    if axes is not None and not dims:
        return x if attrs.get("noop_with_empty_axes") else _reduce(name, [x], attrs)
    if name == "prod":
        for d in sorted((d % x.ndim for d in dims), reverse=True):
            x = x.prod(d, keepdim=keep)
        return x
    if name == "norm":
        return (x * x).sum(dims, keepdim=keep).sqrt()
    if name == "logsumexp":
        return x.logsumexp(dims, keepdim=keep)
    return getattr(x, name)(dims, keepdim=keep)


for _onnx, _ours in {
    "ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "amax", "ReduceMin": "amin",
    "ReduceProd": "prod", "ReduceL2": "norm", "ReduceLogSumExp": "logsumexp",
}.items():  # fmt: skip
    CALLS[_onnx] = partial(_reduce, _ours)
CALLS["ArgMax"] = lambda given, attrs: given[0].argmax(
    attrs.get("axis", 0), keepdim=bool(attrs.get("keepdims", 1))
)
CALLS["ArgMin"] = lambda given, attrs: given[0].argmin(
    attrs.get("axis", 0), keepdim=bool(attrs.get("keepdims", 1))
)
CALLS["CumSum"] = lambda given, attrs: given[0].cumsum(int(given[1].item()))


@call("Reshape")
def _reshape(given: Given, attrs: Attrs) -> Operand:
    x, shape = given[0], ints(given[1])
    if not attrs.get("allowzero"):
        shape = [x.shape[i] if n == 0 else n for i, n in enumerate(shape)]
    return x.reshape(shape)


@call("Flatten")
def _flatten(given: Given, attrs: Attrs) -> Operand:
    x, axis = given[0], attrs.get("axis", 1)
    rows = int(np.prod(x.shape[: axis if axis >= 0 else x.ndim + axis], dtype=int))
    return x.reshape(rows, -1)


@call("Transpose")
def _transpose(given: Given, attrs: Attrs) -> Operand:
    return given[0].permute(*ints(attrs.get("perm", reversed(range(given[0].ndim)))))


def _sized(more: bool, given: Given, attrs: Attrs) -> Operand:
    x = given[0]
    axes = given[1] if len(given) > 1 else attrs.get("axes")
    if more:
        n = x.ndim + len(ints(axes))
        for d in sorted(d % n for d in ints(axes)):
            x = x.unsqueeze(d)
        return x
    if axes is None:
        return x.squeeze()
    for d in sorted((d % x.ndim for d in ints(axes)), reverse=True):
        x = x.squeeze(d)
    return x


CALLS["Squeeze"], CALLS["Unsqueeze"] = partial(_sized, False), partial(_sized, True)
CALLS["Concat"] = lambda given, attrs: cat([x for x in given if x is not None], attrs["axis"])


@call("Expand")
def _expand(given: Given, attrs: Attrs) -> Operand:
    x, shape = given
    return x.expand(np.broadcast_shapes(tuple(x.shape), tuple(ints(shape))))


@call("Slice")
def _slice(given: Given, attrs: Attrs) -> Operand:
    x = given[0]
    starts, ends = (ints(given[1]), ints(given[2])) if len(given) > 2 else (
        ints(attrs["starts"]), ints(attrs["ends"]))  # fmt: skip
    axes = given[3] if len(given) > 3 else attrs.get("axes")
    axes = [*range(len(starts))] if axes is None else ints(axes)
    steps = ints(given[4]) if len(given) > 4 and given[4] is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        n = x.shape[axis]
        taken = range(n)[slice(start, end if end >= -n else None, step)]
        if step < 0:
            x = x.index_select(axis, from_numpy(np.array(taken, np.int64)))
        else:
            x = x.narrow(axis, taken.start, n - taken.start) if len(taken) else x.narrow(axis, 0, 0)
            if len(taken):
                at = [slice(None)] * x.ndim
                at[axis] = slice(0, taken[-1] - taken.start + 1, step)
                x = x[tuple(at)]
    return x


@call("Gather")
def _gather(given: Given, attrs: Attrs) -> Operand:
    x, index = given
    axis = attrs.get("axis", 0) % x.ndim
    n = x.shape[axis]
    flat = where(index < 0, index + n, index).long().reshape(-1)
    return x.index_select(axis, flat).reshape(
        (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    )


@call("GatherElements")
def _gather_elements(given: Given, attrs: Attrs) -> Operand:
    x, index = given
    axis = attrs.get("axis", 0) % x.ndim
    return x.gather(axis, where(index < 0, index + x.shape[axis], index).long())


@call("Split")
def _split(given: Given, attrs: Attrs) -> Operand:
    x, axis = given[0], attrs.get("axis", 0)
    sizes = given[1] if len(given) > 1 else attrs.get("split")
    if sizes is None:
        n = attrs["outputs"]
        return x.split(-(-x.shape[axis] // n), axis)
    return x.split(ints(sizes), axis)


@call("Cast")
def _cast(given: Given, attrs: Attrs) -> Operand:
    kind = onnx_package().helper.tensor_dtype_to_np_dtype(attrs["to"])
    return given[0].to(from_numpy(np.zeros(1, kind)).dtype)


@call("ConstantOfShape")
def _constant_of_shape(given: Given, attrs: Attrs) -> Operand:
    value = attrs.get("value")
    if value is None:
        return zeros(ints(given[0]))
    one = from_numpy(onnx_package().numpy_helper.to_array(value).copy())
    return full(ints(given[0]), one.item(), dtype=one.dtype)


@call("Trilu")
def _trilu(given: Given, attrs: Attrs) -> Operand:
    k = int(given[1].item()) if len(given) > 1 and given[1] is not None else 0
    return given[0].triu(k) if attrs.get("upper", 1) else given[0].tril(k)
