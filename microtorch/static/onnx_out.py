"""A program as an ONNX model: ``torch.onnx.export``. Needs the package onnx.

The steps are those of one run under ``no_grad``. An elementwise op becomes the nodes of its formula
(formulas.py), so that no op is written down a second time; the others stand in ``NODES``, by the
name of the step. What has no counterpart is named with its line.
"""
from __future__ import annotations

import ast
import math
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np

from ..autograd.grad_mode import no_grad
from ..base.errors import message
from ..handles.tensor import Tensor
from ..nn.modes import modes_kept
from ..nn.module import Module
from ..notation import expr, formulas
from .compiled import Compiled
from .lower import OPERATORS, expr_letters
from .program import Step
from .script import trace
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array, DType, Operand, Shape
    from .entry import Entry

Node: TypeAlias = "Callable[[Writer, Step], None]"
NODES: dict[str, Node] = {}
OPSET = 18
FUNCTIONS = {
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "tanh": "Tanh", "erf": "Erf", "abs": "Abs",
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan",
    "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh",
    "sigmoid": "Sigmoid", "softplus": "Softplus", "floor": "Floor", "ceil": "Ceil",
    "round": "Round", "sign": "Sign", "sgn": "Sign", "maximum": "Max", "minimum": "Min",
    "where": "Where",
}  # fmt: skip
BINARY = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Div: "Div", ast.Pow: "Pow"}
COMPARED = {
    ast.Lt: "Less", ast.LtE: "LessOrEqual", ast.Gt: "Greater", ast.GtE: "GreaterOrEqual",
    ast.Eq: "Equal", ast.NotEq: "Equal",
}  # fmt: skip
# functions of formulas that ONNX has no word for, as formulas
ALSO = {
    "expm1": "exp(x) - 1", "log1p": "log(1 + x)", "exp2": "exp(x * 0.6931471805599453)",
    "log2": "log(x) / 0.6931471805599453", "log10": "log(x) / 2.302585092994046",
    "erfc": "1 - erf(x)", "trunc": "sign(x) * floor(abs(x))",
    "remainder": "x - y * floor(x / y)",
}  # fmt: skip


def onnx_package() -> Operand:
    """The package onnx; ImportError says how to get it."""
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise ImportError(
            message("ONNX files need the package onnx", fix='pip install "microtorch[onnx]"')
        ) from None
    return onnx


class Writer:
    """The nodes of a program. A value is called after its number, a weight as the model does."""

    def __init__(
        self, entry: Entry, names: Mapping[int, str], inputs: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self.onnx = onnx_package()
        self.entry, self.program = entry, entry.program
        self.nodes: list[Operand] = []
        self.constants: dict[str, Array] = {}
        self.names: dict[int, str] = {}
        self.step: Step | None = None
        self.taken = {*inputs, *outputs, *names.values()}
        for leaf in entry.leaves:
            if leaf.kind == "argument":
                self.names[leaf.number] = inputs[leaf.place]
            else:
                name = names.get(id(leaf.tensor)) or self.fresh(f"tensor_{leaf.number}")
                self.names[leaf.number] = name
                self.constants[name] = leaf.array
        self.weights = {*self.constants}

    # ---- values ----------------------------------------------------------------------------------
    def fresh(self, name: str) -> str:
        """The name, or one like it that nothing has."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def name(self, x: Operand, like: DType | None = None) -> str:
        """What an operand is called; a number or a constant becomes an initializer."""
        if type(x) is Ref:
            constant = self.program.constants.get(x.number)
            if constant is None:
                if x.number not in self.names:
                    self.names[x.number] = self.fresh(f"v{x.number}")
                return self.names[x.number]
            return self.constant(constant)
        return self.constant(np.asarray(x, like))

    def constant(self, array: Array) -> str:
        for name, known in self.constants.items():
            if known.dtype == array.dtype and known.shape == array.shape and (
                known.size < 16 and known.tobytes() == array.tobytes()
            ) and name not in self.weights:  # which may be trained, and then differ  # fmt: skip
                return name
        name = self.fresh(f"constant_{len(self.constants)}")
        self.constants[name] = array
        return name

    def numbers(self, *values: int) -> str:
        """A list of integers, such as axes."""
        return self.constant(np.array(values, np.int64))

    def shape(self, x: Operand) -> Shape:
        return self.program.values[x.number].shape

    def dtype(self, x: Operand) -> DType:
        return self.program.values[x.number].dtype

    def out(self, step: Step) -> str:
        return self.name(step.result)

    def node(self, op: str, inputs: Sequence[str], output: str = "", **attrs: Operand) -> str:
        """A node, and the name of its output."""
        output = output or self.fresh(f"t{len(self.nodes) + 1}")
        step = self.step
        name = f"{step.name if step is not None else 'output'}_{len(self.nodes)}"
        site = str(step.site) if step is not None else ""
        made = self.onnx.helper.make_node(
            op, [*inputs], [output], name=name, doc_string=site, **attrs)  # fmt: skip
        self.nodes.append(made)
        return output

    def refuse(self, why: str = "") -> RuntimeError:
        step = self.step
        assert step is not None
        what = f"{step.name}, at {step.site}, has no ONNX form{why}"
        return RuntimeError(message(f"torch.onnx.export: {what}", fix="leave it out of the model"))

    # ---- steps -----------------------------------------------------------------------------------
    def write(self) -> None:
        for step in self.program.steps[: self.program.split]:
            self.step = step
            if step.name.startswith("check_"):
                continue
            if any(type(x) is Ref and x.number == step.result.number for x in step.arguments):
                if step.name != "astype":  # which returns an array of that dtype itself
                    raise self.refuse(": it writes into what it is given")
                continue
            write = NODES.get(step.name)
            if write is not None:
                write(self, step)
            elif not self.elementwise(step):
                raise self.refuse()

    def elementwise(self, step: Step) -> bool:
        """The nodes of a formula."""
        name = step.name
        attrs = {k: v for k, v in step.attrs.items() if k != "out"}
        letters: tuple[str, ...]
        if step.kind == "operator" and name in OPERATORS:
            formula, letters = OPERATORS[name], ("x", "y")
        elif step.kind == "kernel" and name in formulas.TABLE:
            formula, letters = formulas.TABLE[name][0], expr_letters(name)
            attrs = {**formulas.ARGUMENTS.get(name, {}), **attrs}
        elif step.kind == "kernel" and name in formulas.COMPARISONS:
            formula, letters = formulas.COMPARISONS[name], ("x", "y")
        elif name == "where":
            formula, letters = "where(x, y, z)", ("x", "y", "z")
        else:
            return False
        kinds = [self.dtype(x) for x in step.arguments if type(x) is Ref]
        like = next((k for k in kinds if k.kind != "b"), kinds[0])
        given = dict(zip(letters, step.arguments, strict=False)) | attrs
        words = {k: self.name(x, like) for k, x in given.items() if x is not None}
        found = self.formula(expr.parse(formula), words, like)
        self.node("Identity", [found], self.out(step))
        return True

    def formula(self, e: ast.expr, words: Mapping[str, str], like: DType) -> str:
        """The node of a part of a formula, after those of its parts."""
        if isinstance(e, ast.Name):
            return words[e.id]
        if isinstance(e, ast.Constant):
            return self.constant(np.asarray(e.value, like))
        if isinstance(e, ast.BinOp):
            sides = [self.formula(x, words, like) for x in (e.left, e.right)]
            return self.node(BINARY[type(e.op)], sides)
        if isinstance(e, ast.UnaryOp):
            return self.node("Neg", [self.formula(e.operand, words, like)])
        if isinstance(e, ast.Compare):
            sides = [self.formula(x, words, like) for x in (e.left, e.comparators[0])]
            found = self.node(COMPARED[type(e.ops[0])], sides)
            return self.node("Not", [found]) if isinstance(e.ops[0], ast.NotEq) else found
        if not isinstance(e, ast.Call) or not isinstance(e.func, ast.Name):
            raise self.refuse()
        given = [self.formula(x, words, like) for x in e.args]
        if e.func.id in FUNCTIONS:
            return self.node(FUNCTIONS[e.func.id], given)
        if e.func.id == "fmod" or (e.func.id == "remainder" and like.kind in "iu"):
            return self.node("Mod", given, fmod=int(e.func.id == "fmod"))
        if e.func.id not in ALSO:
            raise self.refuse(f": it calls {e.func.id}")
        return self.formula(expr.parse(ALSO[e.func.id]), dict(zip("xy", given, strict=False)), like)


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


@node("conv2d")
def _conv2d(w: Writer, s: Step) -> None:
    a = s.attrs
    (top, bottom), (left, right) = a["padding"]
    w.node("Conv", [w.name(x) for x in s.arguments if x is not None], w.out(s),
           strides=a["stride"], dilations=a["dilation"], group=a["groups"],
           pads=[top, left, bottom, right])  # fmt: skip


@node("max_pool2d", "avg_pool2d")
def _pool(w: Writer, s: Step) -> None:
    a = s.attrs
    (top, bottom), (left, right) = a["padding"]
    more: dict[str, Operand] = {}
    if s.name == "max_pool2d":
        more["dilations"] = a["dilation"]
    elif a["divisor"] != math.prod(a["kernel"]):
        raise w.refuse(": its divisor is not the size of the window")
    else:
        more["count_include_pad"] = 1
    w.node("MaxPool" if s.name == "max_pool2d" else "AveragePool", [w.name(s.arguments[0])],
           w.out(s), kernel_shape=a["kernel"], strides=a["stride"],
           pads=[top, left, bottom, right], **more)  # fmt: skip


@node("adaptive_avg_pool2d")
def _adaptive(w: Writer, s: Step) -> None:
    x, (h, v) = s.arguments[0], s.attrs["size"]
    height, width = w.shape(x)[2:]
    if height % h or width % v:
        raise w.refuse(": its windows are of different sizes")
    k = [height // h, width // v]
    w.node("AveragePool", [w.name(x)], w.out(s), kernel_shape=k, strides=k)


# ---- norms, softmax, reductions ------------------------------------------------------------------
@node("fixed_norm")
def _fixed_norm(w: Writer, s: Step) -> None:
    x, mean, variance, *affine = s.arguments
    n, like = w.shape(mean)[0], w.dtype(x)
    weight = w.name(affine[0]) if affine else w.constant(np.ones(n, like))
    bias = w.name(affine[1]) if len(affine) > 1 else w.constant(np.zeros(n, like))
    w.node("BatchNormalization", [w.name(x), weight, bias, w.name(mean), w.name(variance)],
           w.out(s), epsilon=s.attrs["eps"])  # fmt: skip


@node("layer_norm")
def _layer_norm(w: Writer, s: Step) -> None:
    x, *affine = s.arguments
    n = s.attrs["ndim"]
    weight = w.name(affine[0]) if affine else w.constant(np.ones(w.shape(x)[-n:], w.dtype(x)))
    w.node("LayerNormalization", [w.name(x), weight, *map(w.name, affine[1:])], w.out(s),
           axis=-n, epsilon=s.attrs["eps"])  # fmt: skip


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
    dims = [] if dim is None else [w.numbers(*((dim,) if isinstance(dim, int) else dim))]
    keep = len(w.shape(s.result)) == len(w.shape(s.arguments[0]))
    w.node(op, [w.name(s.arguments[0]), *dims], w.out(s), keepdims=int(keep))


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
    if axis is None:
        raise w.refuse(" without a dimension")
    w.node(s.name.replace("arg", "Arg").replace("max", "Max").replace("min", "Min"),
           [w.name(s.arguments[0])], w.out(s), axis=axis,
           keepdims=int(len(w.shape(s.result)) == len(w.shape(s.arguments[0]))))  # fmt: skip


@node("logsumexp", "cumsum")
def _along(w: Writer, s: Step) -> None:
    x, dim = s.arguments[0], s.attrs.get("dim")
    if type(dim) is tuple and len(dim) == 1:
        (dim,) = dim
    if type(dim) is not int:
        raise w.refuse(" over several dimensions")
    if s.name == "cumsum":
        w.node("CumSum", [w.name(x), w.constant(np.asarray(dim, np.int64))], w.out(s))
        return
    keep = int(len(w.shape(s.result)) == len(w.shape(x)))
    w.node("ReduceLogSumExp", [w.name(x), w.numbers(dim)], w.out(s), keepdims=keep)


LOGICAL = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not",
           "isnan": "IsNaN", "isinf": "IsInf"}  # fmt: skip


@node(*LOGICAL)
def _logical(w: Writer, s: Step) -> None:
    if s.name.startswith("logical") and any(w.dtype(x).kind != "b" for x in s.arguments):
        raise w.refuse(" for what is not bool")
    w.node(LOGICAL[s.name], [w.name(x) for x in s.arguments], w.out(s))


# ---- shapes --------------------------------------------------------------------------------------
@node("reshape", "squeeze", "unsqueeze", "view", "ravel", "flatten")
def _reshape(w: Writer, s: Step) -> None:
    x, to = s.arguments[0], w.shape(s.result)
    own = w.shape(x)
    # the first dimension, which may be dynamic, is what is left over or what it was
    first = 0 if own and to and own[0] == to[0] else -1
    shape = w.numbers(*([first, *to[1:]] if to and 0 not in to else to))
    w.node("Reshape", [w.name(x), shape], w.out(s))


@node("transpose", "permute", "t", "swapaxes")
def _transpose(w: Writer, s: Step) -> None:
    n, a = len(w.shape(s.arguments[0])), s.attrs
    perm = [*range(n)]
    if "dims" in a:
        perm = [i % n for i in a["dims"]]
    elif "dim0" in a:
        i, j = a["dim0"] % n, a["dim1"] % n
        perm[i], perm[j] = j, i
    elif len(s.arguments) == 1 or s.arguments[1] is None:
        perm.reverse()
    else:
        raise w.refuse()
    w.node("Transpose", [w.name(s.arguments[0])], w.out(s), perm=perm)


@node("expand")
def _expand(w: Writer, s: Step) -> None:
    w.node("Expand", [w.name(s.arguments[0]), w.numbers(*w.shape(s.result))], w.out(s))


@node("slice", "select", "getitem")
def _slice(w: Writer, s: Step) -> None:
    x = s.arguments[0]
    index = s.attrs["index"] if "index" in s.attrs else s.arguments[1]
    parts = [*index] if type(index) is tuple else [index]
    if any(type(i) not in (int, slice, type(Ellipsis)) for i in parts):
        raise w.refuse(" for this index")
    shape = w.shape(x)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    found, gone = w.name(x), []
    for axis, (part, n) in enumerate(zip(parts, shape, strict=False)):
        if type(part) is int:
            gone.append(axis)
            part = slice(part % n, part % n + 1)
        start, stop, step = part.indices(n)
        if (start, stop, step) != (0, n, 1):
            given = [found, *(w.numbers(i) for i in (start, stop, axis, step))]
            found = w.node("Slice", given)
    if gone:
        w.node("Squeeze", [found, w.numbers(*gone)], w.out(s))
    else:
        w.node("Identity", [found], w.out(s))


@node("cat", "stack")
def _cat(w: Writer, s: Step) -> None:
    dim = s.attrs.get("dim", 0)
    parts = [w.name(x) for x in s.arguments]
    if s.name == "stack":
        parts = [w.node("Unsqueeze", [x, w.numbers(dim)]) for x in parts]
    w.node("Concat", parts, w.out(s), axis=dim)


@node("tril", "triu")
def _triangle(w: Writer, s: Step) -> None:
    k = w.constant(np.asarray(s.attrs["diagonal"], np.int64))
    w.node("Trilu", [w.name(s.arguments[0]), k], w.out(s), upper=int(s.name == "triu"))


@node("gather")
def _gather(w: Writer, s: Step) -> None:
    w.node("GatherElements", [w.name(x) for x in s.arguments], w.out(s), axis=s.attrs["dim"])


@node("clone", "copy", "asarray")
def _clone(w: Writer, s: Step) -> None:
    x = s.arguments[1] if s.name == "copy" and len(s.arguments) > 1 else s.arguments[0]
    w.node("Identity", [w.name(x)], w.out(s))


@node("cast", "astype")
def _cast(w: Writer, s: Step) -> None:
    kind = w.onnx.helper.np_dtype_to_tensor_dtype(w.dtype(s.result))
    w.node("Cast", [w.name(s.arguments[0])], w.out(s), to=kind)


@node("embedding")
def _embedding(w: Writer, s: Step) -> None:
    w.node("Gather", [w.name(x) for x in s.arguments[:2]], w.out(s), axis=0)


@node("zeros", "ones", "full")
def _filled(w: Writer, s: Step) -> None:
    value = {"zeros": 0, "ones": 1}.get(s.name, s.arguments[1])
    if isinstance(value, Ref):
        raise w.refuse()
    filled = np.full(w.shape(s.result), value, w.dtype(s.result))
    w.node("Identity", [w.constant(filled)], w.out(s))


# ---- export --------------------------------------------------------------------------------------
def export(
    model: Operand, args: Operand = (), f: str | os.PathLike[str] | IO[bytes] | None = None,
    kwargs: Mapping[str, Operand] | None = None, *, export_params: bool = True,
    verbose: bool | None = None, input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None, opset_version: int | None = None,
    dynamic_axes: Mapping[str, Operand] | None = None, **more: Operand,
) -> None:  # fmt: skip
    """Write a Module, or a function, as it computes on ``args`` (a tensor, or a tuple of them).

    A Module is put in eval mode for it. ``dynamic_axes`` {name: [axes] or {axis: name}} says which
    sizes may differ; the model is then also run on other sizes, by onnx's own evaluator, and must
    agree. ``opset_version`` is 18 or later; for an earlier one 18 is written, with a warning. The
    other arguments of PyTorch's are accepted without effect. RuntimeError names an operation that
    ONNX does not have, or not for these dtypes, with its line; ValueError, names that do not fit.
    """
    given = (args,) if isinstance(args, Tensor) else tuple(args)
    if kwargs or not all(isinstance(x, Tensor) for x in given):
        raise TypeError(message("torch.onnx.export takes tensors, as positional arguments"))
    given = tuple(x.detach().clone() for x in given)  # one given twice is still two inputs
    if f is None:
        raise TypeError(message("torch.onnx.export needs a file: f='model.onnx'"))
    with no_grad(), modes_kept(model) if isinstance(model, Module) else nullcontext():
        if isinstance(model, Module):
            model.eval()
        made = built(model, given, input_names, output_names, opset_version, dynamic_axes or {})
        if dynamic_axes:
            agree(made, model, given, dynamic_axes)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "wb") as file:
            file.write(made.SerializeToString())
    else:
        f.write(made.SerializeToString())


def built(
    model: Operand, given: tuple[Tensor, ...], input_names: Sequence[str] | None,
    output_names: Sequence[str] | None, opset: int | None, dynamic: Mapping[str, Operand],
) -> Operand:  # fmt: skip
    """The model, as an object of the package onnx, checked."""
    onnx = onnx_package()
    traced = trace(model, given)
    compiled: Compiled = vars(traced)["_compiled"] if isinstance(traced, Module) else traced
    entry = next(reversed(compiled.entries.values()))[-1][0]
    if entry.written or any(o.kind == "number" for o in entry.outputs):
        raise RuntimeError(message("torch.onnx.export: the model writes to its memory",
                                   fix="call model.eval() first"))  # fmt: skip
    named: dict[int, str] = {}
    if isinstance(model, Module):
        named = {id(t): n for n, t in [*model.named_parameters(), *model.named_buffers()]}
    inputs, outputs = called("input", input_names, given), called("output", output_names,
                                                                  entry.outputs)  # fmt: skip
    every = [*inputs, *outputs, *named.values()]
    if twice := [n for n in {*inputs, *outputs} if every.count(n) > 1]:
        raise ValueError(message(
            f"torch.onnx.export: {twice[0]!r} names more than one value",
            "inputs, outputs and the tensors of the model are called by different names",
            fix="other input_names and output_names"))  # fmt: skip
    for key in dynamic:
        if key not in inputs and key not in outputs:
            warnings.warn(
                f"Provided key {key} for dynamic axes is not a valid input/output name: "
                f"the inputs are {inputs}, the outputs {outputs}", stacklevel=3)  # fmt: skip
    if opset is not None and opset < OPSET:
        warnings.warn(f"torch.onnx.export: opset {OPSET} is written, not {opset}", stacklevel=3)
    if opset is not None and opset > (newest := onnx.defs.onnx_opset_version()):
        raise ValueError(message(
            f"torch.onnx.export: opset_version={opset}, but this package onnx has {newest} at most",
            fix=f"opset_version={OPSET}"))  # fmt: skip
    w = Writer(entry, named, inputs, outputs)
    w.write()
    w.step = None
    for name, o in zip(outputs, entry.outputs, strict=True):
        w.node("Identity", [w.name(Ref(o.number))], name)
    helper, values = onnx.helper, entry.program.values

    def info(name: str, shape: Shape, dtype: DType) -> Operand:
        axes = dynamic.get(name, {})
        words = axes if isinstance(axes, Mapping) else {a: f"{name}_{a}" for a in axes}
        sizes = [words.get(i, words.get(i - len(shape), n)) for i, n in enumerate(shape)]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), sizes)

    kept = [onnx.numpy_helper.from_array(np.asarray(a, order="C"), n)
            for n, a in w.constants.items()]  # fmt: skip
    graph = helper.make_graph(
        w.nodes, entry.program.name,
        [info(n, t.array.shape, t.array.dtype) for n, t in zip(inputs, given, strict=True)],
        [info(n, values[o.number].shape, values[o.number].dtype)
         for n, o in zip(outputs, entry.outputs, strict=True)],
        kept,
    )  # fmt: skip
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", max(opset or OPSET, OPSET))],
        producer_name="microtorch", ir_version=9,
    )  # fmt: skip
    try:
        onnx.checker.check_model(made, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        said = str(e)
        at = [n for n in w.nodes if re.search(rf"\b{re.escape(n.name)}\b", said)]
        where = f"{at[0].name}, at {at[0].doc_string}, makes " if at else ""
        raise RuntimeError(message(
            f"torch.onnx.export: {where}no valid ONNX model", said,
            fix="leave it out of the model, or give it other dtypes")) from None  # fmt: skip
    return made


def called(what: str, names: Sequence[str] | None, values: Sequence[object]) -> list[str]:
    """The names of the inputs or outputs: those given, and numbers for the rest."""
    found = [*(names or ())]
    if len(found) > len(values):
        raise ValueError(message(
            f"torch.onnx.export: {len(found)} {what}_names {found} for {len(values)} {what}s",
            fix=f"at most one name for each {what}"))  # fmt: skip
    return found + [f"{what}_{i}" for i in range(len(found), len(values))]


def agree(
    made: Operand, model: Operand, given: tuple[Tensor, ...], dynamic: Mapping[str, Operand]
) -> None:
    """RuntimeError if the model computes something else where the dynamic sizes are others."""
    from onnx.reference import ReferenceEvaluator

    names = [i.name for i in made.graph.input]
    other: list[Tensor] = []
    for name, t in zip(names, given, strict=True):
        axes = dynamic.get(name, ())
        for axis in axes:
            t = t.index_select(axis, _more(t, axis))
        other.append(t)
    wanted = model(*other)
    wanted = wanted if isinstance(wanted, (tuple, list)) else (wanted,)
    feeds = {n: t.detach().numpy() for n, t in zip(names, other, strict=True)}
    why = "its numbers are others"
    try:
        got = ReferenceEvaluator(made).run(None, feeds)
        same = len(got) == len(wanted) and all(
            np.allclose(g, x.detach().numpy(), rtol=1e-3, atol=1e-4)
            for g, x in zip(got, wanted, strict=True)
        )
    except Exception as e:  # whatever the evaluator or a comparison of shapes raises
        same, why = False, f"{type(e).__name__}: {e}"
    if not same:
        raise RuntimeError(
            message("torch.onnx.export: the model does not compute the same for other sizes of "
                    f"the dynamic axes {dict(dynamic)}", why,
                    fix="export it without dynamic_axes, once for each size")
        )  # fmt: skip


def _more(t: Tensor, axis: int) -> Tensor:
    """Indices that make a dimension one longer."""
    from ..create.counted import arange

    n = t.array.shape[axis]
    return arange(n + 1) % n
