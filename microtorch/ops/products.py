"""Products of matrices and vectors.

``matmul`` is numpy's and PyTorch's: 1-d operands are vectors, and the dimensions before the last
two are batches, which broadcast. Its derivative is the one rule to remember: for ``out = x @ y``,

    x̄ = g @ yᵀ        ȳ = xᵀ @ g

``linear`` (a layer) is one op: one node in the picture, and the gradient of its weight comes out in
the weight's own layout.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays.dtypes import OBJECT, TORCH_TYPES
from ..base.errors import ShapeError, describe, matmul_error, message
from ..base.naming import named, with_parameters
from ..engine.handle import Handle, NotDense
from ..engine.hot import layer, made
from ..engine.op import Op
from ..engine.out import into
from ..engine.short import several
from .arguments import rows, tensors_only
from .complex import conj
from .elementwise import only
from .shape import unsqueeze
from .surface import FUNCTIONS, public

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, Gradient, Namespace, Operand, Shape, Slices, Vjp
    from ..handles.tensor import Tensor

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "int64": "long",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}  # as PyTorch's message has them


def explain_matmul(op: Op, tensors: Sequence[Tensor], attrs: Attrs, e: Exception) -> Exception:
    if tensors[0].array.dtype != tensors[1].array.dtype:
        return dtype_mismatch(op.name, tensors)
    return matmul_error(tensors[0], tensors[1])


def dtype_mismatch(name: str, tensors: Sequence[Tensor]) -> Exception:
    given = [t.array.dtype.name for t in tensors[:2]]
    dims = [t.array.ndim for t in tensors[:2]]
    kinds = [TORCH_TYPES[t.array.dtype.name] for t in tensors[:2]]
    if dims == [2, 1]:
        first, second = kinds
        what = (
            f"addmv input tensors must have the same dtype, but got {second}, {first}, and {second}"
        )
    elif name == "linear" and len(tensors) > 2:  # the message of addmm
        bias = TORCH_TYPES[tensors[2].array.dtype.name]
        left = ("self", bias) if bias != kinds[1] else ("mat1", kinds[0])
        what = f"{left[0]} and mat2 must have the same dtype, but got {left[1]} and {kinds[1]}"
    elif dims == [1, 1]:
        what = f"dot : expected both vectors to have same dtype, but found {' and '.join(kinds)}"
    else:
        what = "expected m1 and m2 to have the same dtype, but got: "
        what += " != ".join(C_TYPES.get(d, d) for d in given)
    return RuntimeError(
        message(
            what,
            f"{name}: " + ", ".join(describe(t) for t in tensors),
            fix="convert one: x.to(y.dtype)",
        )
    )


# ---- matmul --------------------------------------------------------------------------------------
def _matmul(F: Namespace, x: Array, y: Array) -> Array:
    # dot has half the overhead
    return np.dot(x, y) if 0 < x.ndim < 3 > y.ndim > 0 else rows(np.matmul(x, y))


def mT(F: Namespace, x: Operand) -> Operand:
    """The matrices of ``x``, transposed."""
    return F.transpose(x, dim0=-1, dim1=-2)


def _flat(F: Namespace, x: Operand) -> Operand:
    """A batch of matrices as one of all their rows, which may have no elements."""
    return F.reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


def one_product(vjp: Vjp) -> Vjp:
    """Mark a derivative that is one product: backends of 16 bits round it by themselves."""
    vars(vjp)["one_product"] = True
    return vjp


@one_product
def _matmul_vjp_x(F: Namespace, g: Gradient, out: Operand, x: Operand, y: Operand) -> Gradient:
    if x.ndim == 1:  # a row vector: as a matrix of one row
        g = F.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1]) if y.ndim > 1 else (1, 1))
        y = y if y.ndim > 1 else F.reshape(y, shape=(-1, 1))
        d = F.matmul(g, mT(F, y))
        return F.reshape(d, shape=(*d.shape[:-2], d.shape[-1]))
    if y.ndim == 1:
        return F.matmul(F.reshape(g, shape=(*g.shape, 1)), F.reshape(y, shape=(1, -1)))
    return F.matmul(g, mT(F, y))


@one_product
def _matmul_vjp_y(F: Namespace, g: Gradient, out: Operand, x: Operand, y: Operand) -> Gradient:
    if y.ndim == 1:
        g = F.reshape(g, shape=(*g.shape, 1))
        x = x if x.ndim > 1 else F.reshape(x, shape=(1, -1))
        d = F.matmul(mT(F, x), g if g.ndim > 1 else F.reshape(g, shape=(1, 1)))
        return F.reshape(d, shape=d.shape[:-1])
    if x.ndim == 1:
        row = F.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1]))
        return F.matmul(F.reshape(x, shape=(-1, 1)), row)
    # one matrix used by a whole batch: one large product instead of a batch and a sum
    if y.ndim == 2 and x.ndim > 2:
        return F.matmul(F.t(_flat(F, x)), _flat(F, g))
    return F.matmul(mT(F, x), g)


def _matmul_part(place: Shape, x: Shape, y: Shape) -> Slices | None:
    """A row of x and a column of y."""
    if len(x) != 2 or len(y) != 2:
        return None
    (i, j), every = place, slice(None)
    return [(slice(i, i + 1), every), (every, slice(j, j + 1))]


matmul_op = Op(
    "matmul",
    _matmul,
    vjps=(_matmul_vjp_x, _matmul_vjp_y),
    saves=("y", "x"),
    result="match",
    check=only("uifc", "addmm_impl_cpu_"),
    formula="x @ y",
    rule=("g @ yᵀ", "xᵀ @ g"),
    terms=lambda x, y: x[-1] if x else 1,
    part=_matmul_part,
    torch_name="Mm",
    explain=explain_matmul,
    attributes=False,
    complex="holomorphic",
)


# ---- linear --------------------------------------------------------------------------------------
def _linear(F: Namespace, x: Array, w: Array, b: Array | None = None) -> Array:
    if w.ndim != 2:
        raise ValueError("weight")
    out: Array = F.matmul(x, w.T)
    if b is not None:
        if b.shape != w.shape[:1]:
            raise ValueError("bias")
        out = out + b if x.dtype is OBJECT else np.add(out, b, out=out)
    return out


def _linear_vjp_b(
    F: Namespace, g: Gradient, out: Operand, x: Operand, w: Operand, b: Operand
) -> Gradient:
    return F.sum(g, dim=tuple(range(g.ndim - 1)), keepdim=False) if g.ndim > 1 else g


@one_product
def _linear_vjp_x(
    F: Namespace, g: Gradient, out: Operand, x: Operand, w: Operand, b: Operand = None
) -> Gradient:
    return F.matmul(g, w)


@one_product
def _linear_vjp_w(
    F: Namespace, g: Gradient, out: Operand, x: Operand, w: Operand, b: Operand = None
) -> Gradient:
    if x.ndim != 2:
        g, x = _flat(F, g), _flat(F, x)
    return F.matmul(F.t(g), x)


def explain_linear(op: Op, tensors: Sequence[Tensor], attrs: Attrs, e: Exception) -> Exception:
    x, w = tensors[0].array, tensors[1].array
    if len({t.array.dtype for t in tensors}) > 1:
        return dtype_mismatch("linear", tensors)
    flat = (int(np.prod(x.shape[:-1])), x.shape[-1]) if x.ndim else ()
    fix = f"the layer expects {w.shape[-1]} input features"
    if x.ndim > 1 and int(np.prod(x.shape[1:])) == w.shape[-1]:
        fix += f": flatten the input first, x.flatten(1) has shape {(x.shape[0], w.shape[-1])}"
    elif x.ndim:
        fix += f", so make it with in_features={x.shape[-1]}"
        fix += f", or give it x of shape (..., {w.shape[-1]})"
    sizes = f" ({flat[0]}x{flat[1]} and {w.shape[-1]}x{w.shape[0]})" if flat and w.ndim == 2 else ""
    return ShapeError(
        message(
            f"mat1 and mat2 shapes cannot be multiplied{sizes}",
            f"linear: input {describe(x)}, weight {describe(w)}"
            + (f", bias {describe(tensors[2])}" if len(tensors) > 2 else ""),
            fix=fix,
        )
    )


def _linear_part(place: Shape, *shapes: Shape) -> Slices:
    """A row of x, a row of the weight, an element of the bias."""
    *rows, own = [slice(i, i + 1) for i in place]
    return [(*rows, slice(None)), (own, slice(None)), (own,)][: len(shapes)]


linear_op = Op(
    "linear",
    _linear,
    vjps=(_linear_vjp_x, _linear_vjp_w, _linear_vjp_b),
    saves=("y", "x", ""),
    result="match",
    check=only("uifc", "addmm_impl_cpu_"),
    formula="x @ wᵀ + b",
    rule=("g @ w", "gᵀ @ x", "Σ g over the batch"),
    terms=lambda x, *_: x[-1] if x else 1,
    part=_linear_part,
    torch_name="Addmm",
    explain=explain_linear,
    complex="holomorphic",
)


def _as_product(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``linear`` of a weight that is a vector, or of a bias that is broadcast."""
    x, w = input.array, weight.array
    if not x.ndim or not w.ndim or w.ndim > 2 or (bias is not None and w.ndim == 1 < x.ndim):
        raise ShapeError(
            message(
                f"both arguments to linear need to be at least 1D, and the weight at most 2D, but "
                f"they are {x.ndim}D and {w.ndim}D",
                f"linear: input {describe(input)}, weight {describe(weight)}",
            )
        )
    out = matmul(input, weight.t())
    if bias is None:
        return out
    if np.broadcast_shapes(out.array.shape, bias.array.shape) != out.array.shape:
        raise ValueError("bias")
    return out + bias


def _general_linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    given = [x for x in (input, weight, bias) if isinstance(x, Handle)]
    if len(given) > 1 and input is given[0] and weight is given[1]:
        usual = weight.ndim == 2 and input.ndim  # of sparse ones, too
        if not usual or (bias is given[-1] and bias.shape != weight.shape[:1]):
            try:
                return _as_product(input, weight, bias)
            except ValueError as e:
                raise explain_linear(linear_op, given, {}, e) from None
    return several(linear_op, (input, weight) if bias is None else (input, weight, bias))


linear = public(method=False)(
    named(
        layer(linear_op, _general_linear),
        "linear",
        "input @ weight.T + bias: input (..., in), weight (out, in), bias (out) or None.",
    )
)


# ---- products of given ranks ---------------------------------------------------------------------
matmul = public()(
    named(
        made(matmul_op, matmul_op),
        "matmul",
        """Matrix product of the last two dimensions.

        1-d operands are vectors; the dimensions before the last two broadcast.
        """,
    )
)


def _publish(name: str, ranks: tuple[int, ...], words: str) -> None:
    def product(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
        if out is not None:
            return into(out, product, (input, mat2), {})
        if not isinstance(input, Handle) or not isinstance(mat2, Handle):
            tensors_only(name, input=input, mat2=mat2)
        try:
            given = input.array.ndim, mat2.array.ndim
        except NotDense:
            given = input.ndim, mat2.ndim
        if given != ranks:
            raise RuntimeError(
                message(
                    f"{name}: expected {words}, but got {given[0]}D and {given[1]}D",
                    f"{describe(input)}, {describe(mat2)}",
                    fix="matmul takes any ranks",
                )
            )
        if name == "bmm" and input.array.shape[0] != mat2.array.shape[0]:
            raise matmul_error(input, mat2)
        return matmul(input, mat2)

    if name == "mv":
        with_parameters(product, "input", "vec")
    public()(named(product, name, f"Matrix product of {words}."))


_publish("mm", (2, 2), "two matrices")
FUNCTIONS["spmm"] = FUNCTIONS["mm"]  # graph networks call it, of dense matrices too
_publish("bmm", (3, 3), "two batches of matrices")
_publish("mv", (2, 1), "a matrix and a vector")


def _same(name: str, input: Tensor, other: Tensor, words: str) -> None:
    """Raise unless both are of one dtype."""
    if input.array.dtype != other.array.dtype:
        kinds = [TORCH_TYPES[t.array.dtype.name] for t in (input, other)]
        raise RuntimeError(
            message(
                f"{name} : expected both {words} to have same dtype, but found {kinds[0]} and "
                f"{kinds[1]}",
                f"{describe(input)}, {describe(other)}",
                fix="convert one: x.to(y.dtype)",
            )
        )


@public()
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors."""
    one, two = input.array, tensor.array
    if one.ndim != 1 or two.ndim != 1:
        raise RuntimeError(
            message(
                f"1D tensors expected, but got {one.ndim}D and {two.ndim}D tensors",
                f"dot: {describe(input)}, {describe(tensor)}",
                fix="a @ b, the matrix product",
            )
        )
    _same("dot", input, tensor, "vectors")
    if one.size != two.size:
        raise RuntimeError(
            message(
                f"inconsistent tensor size, expected tensor [{one.size}] and src [{two.size}] to "
                f"have the same number of elements, but got {one.size} and {two.size} elements "
                "respectively"
            )
        )
    return matmul(input, tensor)


@public()
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The dot product, of complex vectors with the first conjugated."""
    return dot(conj(input), other)


@public()
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Products summed over the last dimensions of both; a 0-d tensor multiplies."""
    one, two = input.array, other.array
    if not one.ndim or not two.ndim:
        return input * other
    _same("inner", input, other, "tensors")
    if one.shape[-1] != two.shape[-1]:
        raise RuntimeError(
            message(
                "inner() the last dimension must match on both input tensors but got shapes "
                f"{list(one.shape)} and {list(two.shape)}"
            )
        )
    if one.ndim == two.ndim == 1:
        return dot(input, other)
    return FUNCTIONS["tensordot"](input, other, ([-1], [-1]))


@public(aliases=("ger",))
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """input[:, None] * vec2[None, :]."""
    if input.array.ndim != 1 or vec2.array.ndim != 1:
        raise RuntimeError(
            message(
                f"outer: Expected 1-D arguments, but got {input.array.ndim}-D and "
                f"{vec2.array.ndim}-D."
            )
        )
    return unsqueeze(input, 1) * vec2
