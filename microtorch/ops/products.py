"""Products of matrices and vectors.

``matmul`` is numpy's and PyTorch's: 1-d operands are vectors, and the dimensions before the last
two are batches, which broadcast. Its derivative is the one rule to remember: for ``out = x @ y``,

    x̄ = g @ yᵀ        ȳ = xᵀ @ g

``linear`` (a layer) is one op: one node in the picture, and the gradient of its weight comes out in
the weight's own layout.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays.dtypes import OBJECT
from ..base.errors import ShapeError, describe, matmul_error, message
from ..base.naming import named
from ..engine.hot import made, several
from ..engine.op import Op
from ..engine.out import into
from .arguments import rows, variadic
from .surface import METHODS, public

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, Gradient, Namespace, Number, Operand, Shape, Slices, Vjp
    from ..handles.tensor import Tensor

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "int64": "long",
}  # as PyTorch's message has them


def explain_matmul(op: Op, tensors: Sequence[Tensor], attrs: Attrs, e: Exception) -> Exception:
    if tensors[0].array.dtype != tensors[1].array.dtype:
        return dtype_mismatch(op.name, tensors)
    return matmul_error(tensors[0], tensors[1])


def dtype_mismatch(name: str, tensors: Sequence[Tensor]) -> Exception:
    given = [t.array.dtype.name for t in tensors[:2]]
    return RuntimeError(
        message(
            "expected m1 and m2 to have the same dtype, but got: "
            + " != ".join(C_TYPES.get(d, d) for d in given),
            f"{name}: " + ", ".join(describe(t) for t in tensors),
            fix="convert one: x.to(y.dtype)",
        )
    )


# ---- matmul --------------------------------------------------------------------------------------
def _matmul(F: Namespace, x: Array, y: Array) -> Array:
    # dot has half the overhead
    return np.dot(x, y) if x.ndim == 2 and y.ndim == 2 else np.matmul(x, y)


def mT(F: Namespace, x: Operand) -> Operand:
    """The matrices of ``x``, transposed."""
    return F.transpose(x, dim0=-1, dim1=-2)


def _matmul_vjp_x(F: Namespace, g: Gradient, out: Operand, x: Operand, y: Operand) -> Gradient:
    if x.ndim == 1:  # a row vector: as a matrix of one row
        g = F.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1]) if y.ndim > 1 else (1, 1))
        y = y if y.ndim > 1 else F.reshape(y, shape=(-1, 1))
        d = F.matmul(g, mT(F, y))
        return F.reshape(d, shape=(*d.shape[:-2], d.shape[-1]))
    if y.ndim == 1:
        return F.matmul(F.reshape(g, shape=(*g.shape, 1)), F.reshape(y, shape=(1, -1)))
    return F.matmul(g, mT(F, y))


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
        flat_x, flat_g = (F.reshape(v, shape=(-1, v.shape[-1])) for v in (x, g))
        return F.matmul(F.t(flat_x), flat_g)
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
    formula="x @ y",
    rule=("g @ yᵀ", "xᵀ @ g"),
    terms=lambda x, y: x[-1] if x else 1,
    part=_matmul_part,
    torch_name="Mm",
    explain=explain_matmul,
    attributes=False,
)


# ---- linear --------------------------------------------------------------------------------------
def _linear(F: Namespace, x: Array, w: Array, b: Array | None = None) -> Array:
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


def _linear_vjp_w(
    F: Namespace, g: Gradient, out: Operand, x: Operand, w: Operand, b: Operand = None
) -> Gradient:
    if x.ndim != 2:
        g, x = F.reshape(g, shape=(-1, g.shape[-1])), F.reshape(x, shape=(-1, x.shape[-1]))
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
    vjps=(lambda F, g, out, x, w, b=None: F.matmul(g, w), _linear_vjp_w, _linear_vjp_b),
    saves=("y", "x", ""),
    formula="x @ wᵀ + b",
    rule=("g @ w", "gᵀ @ x", "Σ g over the batch"),
    terms=lambda x, *_: x[-1] if x else 1,
    part=_linear_part,
    torch_name="Addmm",
    explain=explain_linear,
)


@public(method=False)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: input (..., in), weight (out, in), bias (out) or None."""
    operands = (input, weight) if bias is None else (input, weight, bias)
    if len({t.array.dtype for t in operands}) > 1:
        raise dtype_mismatch("linear", operands)
    return several(linear_op, operands)


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
        if (input.array.ndim, mat2.array.ndim) != ranks:
            raise RuntimeError(
                message(
                    f"{name}: expected {words}, but got {input.array.ndim}D and {mat2.array.ndim}D",
                    f"{describe(input)}, {describe(mat2)}",
                    fix="matmul takes any ranks",
                )
            )
        if name == "bmm" and input.array.shape[0] != mat2.array.shape[0]:
            raise matmul_error(input, mat2)
        return matmul(input, mat2)

    public()(named(product, name, f"Matrix product of {words}."))


_publish("mm", (2, 2), "two matrices")
_publish("bmm", (3, 3), "two batches of matrices")
_publish("mv", (2, 1), "a matrix and a vector")
_publish("dot", (1, 1), "two vectors")
_publish("inner", (1, 1), "two vectors")


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
    return input.reshape(-1, 1) * vec2


@public()
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2)."""
    product = METHODS["mm"](mat1, mat2)
    return (input if beta == 1 else input * beta) + (product if alpha == 1 else product * alpha)


@public()
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * bmm(batch1, batch2)."""
    product = METHODS["bmm"](batch1, batch2)
    return (input if beta == 1 else input * beta) + (product if alpha == 1 else product * alpha)


# ---- einsum --------------------------------------------------------------------------------------
def _einsum_vjp(i: int) -> Vjp:
    """The derivative for operand i: the same contraction with g in its place.

    Over the letters that only operand i has, the result is spread.
    """

    def vjp(F: Namespace, g: Gradient, out: Operand, *xs: Operand, equation: str) -> Gradient:
        terms, result = equation.split("->")
        names = terms.split(",")
        others = [n for j, n in enumerate(names) if j != i]
        known = set(result).union(*others)
        kept = "".join(c for c in names[i] if c in known)
        equation = f"{','.join([result, *others])}->{kept}"
        d = F.einsum(g, *(x for j, x in enumerate(xs) if j != i), equation=equation)
        if kept != names[i]:
            shape = tuple(
                n if c in known else 1 for c, n in zip(names[i], xs[i].shape, strict=True)
            )
            d = F.expand(F.reshape(d, shape=shape), shape=xs[i].shape)
        return d

    return vjp


einsum_op = variadic(
    "einsum",
    lambda F, *xs, equation: rows(
        np.einsum(equation, *xs, optimize=len(xs) > 1 and xs[0].dtype is not OBJECT)
    ),
    _einsum_vjp,
    "the same contraction with g in the operand's place",
    saves=True,
)


@public(method=False)
def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Einstein summation, such as ``einsum("bij,bjk->bik", a, b)``.

    One letter per dimension; "..." is supported.
    """
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    equation = _explicit(equation.replace(" ", ""), [x.array.ndim for x in operands])
    names = equation.split("->")[0].split(",")
    operands = tuple(_without_repeats(x, n) for x, n in zip(operands, names, strict=True))
    equation = ",".join("".join(dict.fromkeys(n)) for n in names) + "->" + equation.split("->")[1]
    return several(einsum_op, operands, {"equation": equation})


def _explicit(equation: str, ranks: list[int]) -> str:
    """The equation with "..." spelled out in capital letters and the result named."""
    terms, arrow, result = equation.partition("->")
    names = terms.split(",")
    if len(names) != len(ranks):
        raise RuntimeError(
            message(
                f"einsum(): the number of subscripts in the equation ({len(names)}) does not match "
                f"the number of operands ({len(ranks)})",
                f"equation '{equation}'",
            )
        )
    spare = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in equation]
    hidden = [r - len(n) + 3 for n, r in zip(names, ranks, strict=True) if "..." in n]
    extra = max(hidden, default=0)
    dots = "".join(spare[:extra])
    for k, (n, r) in enumerate(zip(names, ranks, strict=True)):
        if "..." in n:
            m = r - (len(n) - 3)
            n = n.replace("...", dots[len(dots) - m :] if m else "")
        if len(n) != r:
            raise RuntimeError(
                message(
                    f"einsum(): the number of subscripts in the equation ({len(n)}) does not match "
                    f"the number of dimensions ({r}) for operand {k} and no ellipsis was given",
                    f"equation '{equation}'",
                )
            )
        names[k] = n
    if not arrow:
        letters = "".join(names)
        result = ("..." if extra else "") + "".join(
            sorted(c for c in set(letters) - set(dots) if letters.count(c) == 1)
        )
    return ",".join(names) + "->" + result.replace("...", dots)


def _without_repeats(x: Tensor, names: str) -> Tensor:
    """An operand with dimensions such as "ii", reduced to its diagonal."""
    for c in dict.fromkeys(names):
        while names.count(c) > 1:
            a = names.index(c)
            b = names.index(c, a + 1)
            x = x.diagonal(0, a, b).movedim(-1, a)
            names = names[:b] + names[b + 1 :]
    return x


@public(method=False)
def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """Sum of products over the last ``dims`` dimensions of a and the first of b.

    ``dims`` may also be two lists of dimensions.
    """
    if isinstance(dims, int):
        dims = (list(range(a.array.ndim - dims, a.array.ndim)), list(range(dims)))
    left, right = [d % a.array.ndim for d in dims[0]], [d % b.array.ndim for d in dims[1]]
    free_a = [d for d in range(a.array.ndim) if d not in left]
    free_b = [d for d in range(b.array.ndim) if d not in right]
    n = int(np.prod([a.array.shape[d] for d in left]))
    rows_a = a.permute(*free_a, *left).reshape(-1, n)
    out = matmul(rows_a, b.permute(*right, *free_b).reshape(n, -1))
    return out.reshape([a.array.shape[d] for d in free_a] + [b.array.shape[d] for d in free_b])
