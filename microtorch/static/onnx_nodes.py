"""Steps that are no formula, as nodes of ONNX: the table ``NODES``, by the name of a step."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .onnx_images import as_resize

if TYPE_CHECKING:
    from ..base.types import Operand
    from .onnx_writer import Writer
    from .program import Step

    Node = Callable[["Writer", "Step"], None]

NODES: dict[str, Node] = {}


def node(*names: str) -> Callable[[Node], Node]:
    def keep(function: Node) -> Node:
        NODES.update(dict.fromkeys(names, function))
        return function

    return keep


# ---- products and convolutions -------------------------------------------------------------------
@node("linear")
def _linear(w: Writer, s: Step) -> None:
    x, weight, *bias = s.arguments
    if len(w.shape(x)) == 2:
        w.node("Gemm", [w.name(a) for a in s.arguments], w.out(s), transB=1)
        return
    turned = w.node("Transpose", [w.name(weight)], perm=[1, 0])
    if not bias:
        w.node("MatMul", [w.name(x), turned], w.out(s))
        return
    w.node("Add", [w.node("MatMul", [w.name(x), turned]), w.name(bias[0])], w.out(s))


@node("matmul")
def _matmul(w: Writer, s: Step) -> None:
    w.node("MatMul", [w.name(x) for x in s.arguments], w.out(s))


def listed(dim: Operand) -> list[int]:
    """One dimension, or several, as a list."""
    return [dim] if isinstance(dim, int) else [*dim]


def pads(a: dict[str, Operand]) -> list[int]:
    """ONNX's list: before along each dimension, then behind."""
    return [before for before, _ in a["padding"]] + [behind for _, behind in a["padding"]]


@node("conv2d", "conv3d")
def _conv(w: Writer, s: Step) -> None:
    a = s.attrs
    given = [w.name(x) for x in s.arguments if x is not None]
    w.node("Conv", given, w.out(s), strides=a["stride"], dilations=a["dilation"],
           group=a["groups"], pads=pads(a))  # fmt: skip


@node("conv_transpose2d", "conv_transpose3d")
def _conv_transpose(w: Writer, s: Step) -> None:
    a, x, weight = s.attrs, *s.arguments[:2]
    more = [
        size - ((m - 1) * step + d * (k - 1) + 1 - sum(pair))
        for size, m, k, step, d, pair in zip(
            a["size"], w.shape(x)[2:], w.shape(weight)[2:], a["stride"], a["dilation"],
            a["padding"], strict=True)
    ]  # fmt: skip
    w.node("ConvTranspose", [w.name(x) for x in s.arguments if x is not None], w.out(s),
           strides=a["stride"], dilations=a["dilation"], group=a["groups"], pads=pads(a),
           output_padding=more)  # fmt: skip


@node("max_pool2d", "max_pool3d")
def _max_pool(w: Writer, s: Step) -> None:
    a = s.attrs
    if "kernel" not in a:
        raise w.refuse(" here")
    w.node("MaxPool", [w.name(s.arguments[0])], w.out(s), kernel_shape=a["kernel"],
           strides=a["stride"], dilations=a["dilation"], pads=pads(a))  # fmt: skip


@node("avg_pool2d", "avg_pool3d")
def _avg_pool(w: Writer, s: Step) -> None:
    a, like = s.attrs, w.dtype(s.arguments[0])
    same = a["divisor"] == math.prod(a["kernel"])
    mean = w.node("AveragePool", [w.name(s.arguments[0])], w.out(s) if same else "",
                  kernel_shape=a["kernel"], strides=a["stride"], pads=pads(a),
                  count_include_pad=1)  # fmt: skip
    if not same:  # PyTorch counts other elements
        scale = math.prod(a["kernel"]) / np.asarray(a["divisor"], np.float64)
        w.node("Mul", [mean, w.constant(scale.astype(like))], w.out(s))


@node("adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _adaptive(w: Writer, s: Step) -> None:
    """Along each dimension a product with the matrix whose rows average one window."""
    found, shape = w.name(s.arguments[0]), w.shape(s.arguments[0])
    n, like = len(shape), w.dtype(s.arguments[0])
    if all(m == 1 for m in s.attrs["size"]):
        w.node("GlobalAveragePool", [found], w.out(s))
        return
    for d, m in enumerate(s.attrs["size"], 2):
        k = shape[d]
        matrix = np.zeros((k, m), np.float64)
        for j in range(m):
            first, last = j * k // m, -(-(j + 1) * k // m)
            matrix[first:last, j] = 1 / (last - first)
        perm = [*range(n)]
        perm[d], perm[-1] = perm[-1], perm[d]
        turned = w.node("Transpose", [found], perm=perm) if d != n - 1 else found
        found = w.node("MatMul", [turned, w.constant(matrix.astype(like))])
        found = w.node("Transpose", [found], perm=perm) if d != n - 1 else found
    w.node("Identity", [found], w.out(s))


@node("taps")
def _taps(w: Writer, s: Step) -> None:
    """Weighted sums of elements: images made larger or smaller."""
    a, x = s.attrs, s.arguments[0]
    index, weight = w.known(a["index"]), w.known(a["weight"])
    n, d = len(w.shape(x)), a["dim"]
    known = as_resize(index, weight, w.shape(x)[d]) if w.dtype(x).name == "float32" else None
    if known is not None:
        scales = np.array([known[0] if i == d % n else 1 for i in range(n)], np.float32)
        w.node("Resize", [w.name(x), "", w.constant(scales)], w.out(s), **known[1])
        return
    total = ""
    for places, factors in zip(index, weight, strict=True):
        part = w.node("Gather", [w.name(x), w.constant(places)], axis=d)
        if not (factors == 1).all():
            along = factors.astype(w.dtype(x)).reshape([-1 if i == d % n else 1 for i in range(n)])
            part = w.node("Mul", [part, w.constant(along)])
        total = w.node("Add", [total, part]) if total else part
    w.node("Identity", [total], w.out(s))


@node("unfold")
def _unfold(w: Writer, s: Step) -> None:
    """The windows of an image as columns: elements of the padded image, by their places."""
    a, x = s.attrs, s.arguments[0]
    _, c, *sizes = w.shape(x)
    around = [(0, 0), (0, 0), *a["padding"]]
    flat = [before for before, _ in around] + [behind for _, behind in around]
    wide = w.node("Pad", [w.name(x), w.numbers(*flat)]) if any(flat) else w.name(x)
    sizes = [m + sum(pair) for m, pair in zip(sizes, a["padding"], strict=True)]
    places = np.arange(math.prod(sizes)).reshape(sizes)
    rows, columns = (
        np.arange(k)[:, None] * d + np.arange((m - d * (k - 1) - 1) // step + 1) * step
        for m, k, step, d in zip(sizes, a["kernel"], a["stride"], a["dilation"], strict=True)
    )
    index = places[rows[:, None, :, None], columns[None, :, None, :]]
    index = index.reshape(math.prod(a["kernel"]), -1)
    flat_image = w.node("Reshape", [wide, w.numbers(0, c, -1)])
    found = w.node("Gather", [flat_image, w.constant(index)], axis=2)
    w.node("Reshape", [found, w.numbers(0, c * index.shape[0], -1)], w.out(s))


# ---- norms, softmax, reductions ------------------------------------------------------------------
@node("fixed_norm")
def _fixed_norm(w: Writer, s: Step) -> None:
    x, mean, variance, *affine = s.arguments
    n, like = w.shape(mean)[0], w.dtype(x)
    weight = w.name(affine[0]) if affine else w.constant(np.ones(n, like))
    bias = w.name(affine[1]) if len(affine) > 1 else w.constant(np.zeros(n, like))
    w.node("BatchNormalization", [w.name(x), weight, bias, w.name(mean), w.name(variance)],
           w.out(s), epsilon=s.attrs["eps"])  # fmt: skip


@node("batch_norm")
def _batch_norm(w: Writer, s: Step) -> None:
    """By the statistics of the batch itself; instance norms are such."""
    x, *affine = s.arguments
    shape, like = w.shape(x), w.dtype(x)
    axes = w.numbers(*[d for d in range(len(shape)) if d != 1])
    centred = w.node("Sub", [w.name(x), w.node("ReduceMean", [w.name(x), axes], keepdims=1)])
    spread = w.node("ReduceMean", [w.node("Mul", [centred, centred]), axes], keepdims=1)
    spread = w.node("Add", [spread, w.constant(np.asarray(s.attrs["eps"], like))])
    found = w.node("Div", [centred, w.node("Sqrt", [spread])])
    w.node("Identity", [_affine(w, found, affine, len(shape) - 2)], w.out(s))


def _affine(w: Writer, found: str, affine: Sequence[Operand], places: int) -> str:
    """``found`` times the weight, if there is one, plus the bias, per channel."""
    for op, v in zip(("Mul", "Add"), affine, strict=False):
        if v is not None:
            row = w.node("Reshape", [w.name(v), w.numbers(1, -1, *[1] * places)])
            found = w.node(op, [found, row])
    return found


@node("layer_norm")
def _layer_norm(w: Writer, s: Step) -> None:
    x, *affine = s.arguments
    n = s.attrs["ndim"]
    weight = w.name(affine[0]) if affine else w.constant(np.ones(w.shape(x)[-n:], w.dtype(x)))
    w.node("LayerNormalization", [w.name(x), weight, *map(w.name, affine[1:])], w.out(s),
           axis=-n, epsilon=s.attrs["eps"])  # fmt: skip


@node("group_norm")
def _group_norm(w: Writer, s: Step) -> None:
    x, *affine = s.arguments
    _, c, *places = w.shape(x)
    group, like = s.attrs["group"], w.dtype(x)
    size = c // group * math.prod(places)
    rows = w.node("Reshape", [w.name(x), w.numbers(0, group, size)])
    found = w.node("LayerNormalization", [rows, w.constant(np.ones(size, like))],
                   axis=-1, epsilon=s.attrs["eps"])  # fmt: skip
    found = w.node("Reshape", [found, w.numbers(0, c, *places)])
    w.node("Identity", [_affine(w, found, affine, len(places))], w.out(s))


@node("softmax", "log_softmax")
def _softmax(w: Writer, s: Step) -> None:
    op = "Softmax" if s.name == "softmax" else "LogSoftmax"
    w.node(op, [w.name(s.arguments[0])], w.out(s), axis=s.attrs["dim"])


@node("sum", "mean", "amax", "amin", "prod")
def _reduced(w: Writer, s: Step) -> None:
    op = {"sum": "ReduceSum", "mean": "ReduceMean", "amax": "ReduceMax", "amin": "ReduceMin",
          "prod": "ReduceProd"}[s.name]  # fmt: skip
    given = [*s.arguments, None, None, None]
    dim = s.attrs.get("dim", given[1])
    dims = [] if dim is None else [w.numbers(*listed(dim))]
    shape = w.shape(s.arguments[0])
    keep = len(w.shape(s.result)) == len(shape)
    if s.name == "mean" and not math.prod(shape):
        raise w.refuse(" of no elements")
    x = w.cast(s.arguments[0], w.dtype(s.result))  # the sum of bools is a number
    w.node(op, [x, *dims], w.out(s), keepdims=int(keep))


def _truth(w: Writer, x: Operand) -> str:
    """Is each element other than 0?"""
    if w.dtype(x).kind == "b":
        return w.name(x)
    zero = w.constant(np.zeros((), w.dtype(x)))
    return w.node("Not", [w.node("Equal", [w.name(x), zero])])


@node("any", "all")
def _any(w: Writer, s: Step) -> None:
    x, given = s.arguments[0], [*s.arguments, None]
    dim = s.attrs.get("axis", s.attrs.get("dim", given[1]))
    dims = [] if dim is None else [w.numbers(*listed(dim))]
    number = w.node("Cast", [_truth(w, x)], to=6)  # int32
    keep = int(len(w.shape(s.result)) == len(w.shape(x)))
    found = w.node("ReduceMax" if s.name == "any" else "ReduceMin", [number, *dims], keepdims=keep)
    w.node("Cast", [found], w.out(s), to=9)  # bool


@node("norm")
def _norm(w: Writer, s: Step) -> None:
    x, p, dim = s.arguments[0], s.attrs.get("p", 2.0), s.attrs["dim"]
    dims = [] if dim is None else [w.numbers(*dim)]
    keep, like = int(s.attrs["keepdim"]), w.dtype(x)
    simple = {1.0: "ReduceL1", 2.0: "ReduceL2"}.get(p)
    if simple is not None:
        w.node(simple, [w.name(x), *dims], w.out(s), keepdims=keep)
        return
    size = w.node("Abs", [w.name(x)])
    if math.isinf(p):
        op = "ReduceMax" if p > 0 else "ReduceMin"
        w.node(op, [size, *dims], w.out(s), keepdims=keep)
        return
    if p == 0:  # how many are not 0
        some = w.node("Not", [w.node("Equal", [size, w.constant(np.asarray(0, like))])])
        ones = w.node("CastLike", [some, size])
        w.node("ReduceSum", [ones, *dims], w.out(s), keepdims=keep)
        return
    power = w.node("Pow", [size, w.constant(np.asarray(p, like))])
    total = w.node("ReduceSum", [power, *dims], keepdims=keep)
    w.node("Pow", [total, w.constant(np.asarray(1 / p, like))], w.out(s))


@node("mse_loss")
def _mse(w: Writer, s: Step) -> None:
    gap = w.node("Sub", [w.name(x) for x in s.arguments[:2]])
    squares = w.node("Mul", [gap, gap])
    op = {"mean": "ReduceMean", "sum": "ReduceSum", "none": "Identity"}[s.attrs["reduction"]]
    w.node(op, [squares], w.out(s), **({} if op == "Identity" else {"keepdims": 0}))


@node("nll_loss")
def _nll(w: Writer, s: Step) -> None:
    given = [w.name(x) for x in s.arguments if x is not None]
    w.node("NegativeLogLikelihoodLoss", given, w.out(s), reduction=s.attrs["reduction"],
           ignore_index=s.attrs["ignore_index"])  # fmt: skip


@node("max", "min", "sort", "topk", "kthvalue", "median", "mode", "nanmedian", "cummax", "cummin")
def _picked(w: Writer, s: Step) -> None:
    """The elements at places that are known: where the largest lies, say."""
    if len(s.arguments) != 2 or "dim" not in s.attrs:
        raise w.refuse(" here")
    x, at = s.arguments
    dim, squeeze = s.attrs["dim"], s.attrs.get("squeeze")
    if not w.shape(x):
        w.node("Identity", [w.name(x)], w.out(s))
        return
    squeeze = squeeze and len(w.shape(s.result)) < len(w.shape(x))
    found = w.node("GatherElements", [w.name(x), w.name(at)], "" if squeeze else w.out(s), axis=dim)
    if squeeze:
        w.node("Squeeze", [found, w.numbers(dim)], w.out(s))


@node("argsort")
def _argsort(w: Writer, s: Step) -> None:
    x = s.arguments[0]
    last: Operand = s.arguments[1] if len(s.arguments) > 1 else -1
    axis: Operand = s.attrs.get("axis", last)
    n = w.shape(x)[axis] if w.shape(x) else 1
    w.several("TopK", [w.name(x), w.numbers(n)], w.fresh("sorted"), w.out(s), axis=axis, largest=0,
              sorted=1)  # fmt: skip


@node("var", "std")
def _var(w: Writer, s: Step) -> None:
    x, a = s.arguments[0], s.attrs
    shape = w.shape(x)
    dim = tuple(range(len(shape))) if a["dim"] is None else tuple(np.atleast_1d(a["dim"]).tolist())
    n = math.prod(shape[i] for i in dim)
    axes = w.numbers(*dim)
    centred = w.node("Sub", [w.name(x), w.node("ReduceMean", [w.name(x), axes], keepdims=1)])
    keep = int(len(w.shape(s.result)) == len(shape))
    total = w.node("ReduceSum", [w.node("Mul", [centred, centred]), axes], keepdims=keep)
    by = w.constant(np.asarray(n - a["correction"], w.dtype(x)))
    if s.name == "var":
        w.node("Div", [total, by], w.out(s))
    else:
        w.node("Sqrt", [w.node("Div", [total, by])], w.out(s))


@node("argmax", "argmin")
def _argmax(w: Writer, s: Step) -> None:
    axis = s.attrs.get("axis", s.arguments[1] if len(s.arguments) > 1 else None)
    op = {"argmax": "ArgMax", "argmin": "ArgMin"}[s.name]
    x, shape = s.arguments[0], w.shape(s.arguments[0])
    given = w.cast(x, np.dtype(np.int32)) if w.dtype(x).kind == "b" else w.name(x)
    keep = int(len(w.shape(s.result)) == len(shape))
    if axis is not None:
        w.node(op, [given], w.out(s), axis=axis, keepdims=keep)
        return
    found = w.node(op, [w.node("Reshape", [given, w.numbers(-1)])], axis=0, keepdims=0)
    w.node("Reshape", [found, w.numbers(*w.shape(s.result))], w.out(s))


@node("logsumexp", "cumsum")
def _along(w: Writer, s: Step) -> None:
    x, dim = s.arguments[0], s.attrs.get("dim")
    if s.name == "cumsum":
        axis = w.constant(np.asarray(dim, np.int64))
        w.node("CumSum", [w.cast(x, w.dtype(s.result)), axis], w.out(s))
        return
    keep = int(len(w.shape(s.result)) == len(w.shape(x)))
    w.node("ReduceLogSumExp", [w.name(x), w.numbers(*listed(dim))], w.out(s), keepdims=keep)


LOGICAL = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not",
           "isnan": "IsNaN", "isinf": "IsInf"}  # fmt: skip


@node(*LOGICAL)
def _logical(w: Writer, s: Step) -> None:
    logical = s.name.startswith("logical")
    given = [_truth(w, x) if logical else w.name(x) for x in s.arguments]
    w.node(LOGICAL[s.name], given, w.out(s))


@node("isin")
def _isin(w: Writer, s: Step) -> None:
    x, among = [w.cast(y, s.attrs["common"] or w.dtype(y)) for y in s.arguments]
    pairs = [w.node("Unsqueeze", [x, w.numbers(-1)]), w.node("Reshape", [among, w.numbers(-1)])]
    equal = w.node("Cast", [w.node("Equal", pairs)], to=6)  # int32
    found = w.node("ReduceMax", [equal, w.numbers(-1)], keepdims=0)
    if s.attrs["invert"]:
        found = w.node("Sub", [w.constant(np.ones((), np.int32)), found])
    w.node("Cast", [found], w.out(s), to=9)  # bool


@node("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not")
def _bitwise(w: Writer, s: Step) -> None:
    word, like = s.name.removeprefix("bitwise_").title(), w.dtype(s.result)
    given = [w.cast(x, like) for x in s.arguments]
    w.node(word if like.kind == "b" else f"Bitwise{word}", given, w.out(s))


@node("isfinite", "isposinf", "isneginf")
def _finite(w: Writer, s: Step) -> None:
    x = w.name(s.arguments[0])
    if s.name != "isfinite":
        up = int(s.name == "isposinf")
        w.node("IsInf", [x], w.out(s), detect_positive=up, detect_negative=1 - up)
        return
    w.node("Not", [w.node("Or", [w.node("IsInf", [x]), w.node("IsNaN", [x])])], w.out(s))


@node("floor_divide", "div_floor", "div_trunc")
def _divided(w: Writer, s: Step) -> None:
    like = w.dtype(s.result)
    x, y = (w.cast(a, like) for a in s.arguments[:2])
    if like.kind != "f":  # ONNX's Div of integers cuts off: one less where a rest is left, below 0
        if s.name == "div_trunc":
            w.node("Div", [x, y], w.out(s))
            return
        rest = w.node("Mod", [x, y])
        w.node("Div", [w.node("Sub", [x, rest]), y], w.out(s))
        return
    if s.name != "div_trunc":
        w.node("Floor", [w.node("Div", [x, y])], w.out(s))
        return
    quotient = w.node("Div", [x, y])
    down = w.node("Floor", [w.node("Abs", [quotient])])
    w.node("Mul", [w.node("Sign", [quotient]), down], w.out(s))


@node("clamp_max_tensor", "clamp_min_tensor")
def _clamped(w: Writer, s: Step) -> None:
    like = w.dtype(s.result)
    op = "Max" if s.name == "clamp_max_tensor" else "Min"  # the larger of the two
    w.node(op, [w.cast(x, like) for x in s.arguments], w.out(s))


@node("einsum")
def _einsum(w: Writer, s: Step) -> None:
    w.node("Einsum", [w.name(x) for x in s.arguments], w.out(s), equation=s.attrs["equation"])


@node("det")
def _det(w: Writer, s: Step) -> None:
    w.node("Det", [w.name(s.arguments[0])], w.out(s))
