"""Products of matrices and vectors.

``matmul`` is numpy's and PyTorch's: 1-d operands are vectors, dimensions before the last two are batches and broadcast.
Its derivative for matrices is the one rule to remember: for ``out = x @ y``, ``x̄ = g @ yᵀ`` and ``ȳ = xᵀ @ g``.
``linear`` (a layer) is one op: one node in the picture, and its weight gradient comes out in the weight's own layout.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError, describe, matmul_error, message
from . import FUNCTIONS, METHODS, OBJECT, Op, apply, binary, named, operands, public
from .shape import rows, variadic


def explain_matmul(op: Op, tensors: Sequence[Any], attrs: dict[str, Any], e: Exception) -> Exception:
    if tensors[0].array.dtype != tensors[1].array.dtype:
        return dtype_mismatch(op.name, tensors)
    return matmul_error(tensors[0], tensors[1])


def dtype_mismatch(name: str, tensors: Sequence[Any]) -> Exception:
    return RuntimeError(
        message(
            "expected m1 and m2 to have the same dtype, but got: "
            + " != ".join({"float32": "float", "float64": "double", "int64": "long"}.get(d, d)
                          for d in (t.array.dtype.name for t in tensors[:2])),
            f"{name}: " + ", ".join(describe(t) for t in tensors),
            fix="convert one: x.to(y.dtype)",
        )
    )


def _matmul(F: Any, x: Any, y: Any) -> Any:
    return np.dot(x, y) if x.ndim == 2 and y.ndim == 2 else np.matmul(x, y)  # dot has half the overhead


def mT(F: Any, x: Any) -> Any:
    return F.transpose(x, dim0=-1, dim1=-2)


def _matmul_vjp_x(F: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    if x.ndim == 1:  # a row vector: as a matrix of one row
        g = F.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1])) if y.ndim > 1 else F.reshape(g, shape=(1, 1))
        y = y if y.ndim > 1 else F.reshape(y, shape=(-1, 1))
        d = F.matmul(g, mT(F, y))
        return F.reshape(d, shape=(*d.shape[:-2], d.shape[-1]))
    if y.ndim == 1:
        return F.matmul(F.reshape(g, shape=(*g.shape, 1)), F.reshape(y, shape=(1, -1)))
    return F.matmul(g, mT(F, y))


def _matmul_vjp_y(F: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    if y.ndim == 1:
        g = F.reshape(g, shape=(*g.shape, 1))
        x = x if x.ndim > 1 else F.reshape(x, shape=(1, -1))
        d = F.matmul(mT(F, x), g if g.ndim > 1 else F.reshape(g, shape=(1, 1)))
        return F.reshape(d, shape=d.shape[:-1])
    if x.ndim == 1:
        return F.matmul(F.reshape(x, shape=(-1, 1)), F.reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1])))
    if y.ndim == 2 and x.ndim > 2:  # one matrix used by a whole batch: one large product instead of a batch and a sum
        return F.matmul(F.t(F.reshape(x, shape=(-1, x.shape[-1]))), F.reshape(g, shape=(-1, g.shape[-1])))
    return F.matmul(mT(F, x), g)


def _matmul_part(place: tuple[int, ...], x: tuple[int, ...], y: tuple[int, ...]) -> list[tuple[slice, ...]] | None:
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


def _linear(F: Any, x: Any, w: Any, b: Any = None) -> Any:
    out = F.matmul(x, w.T)
    if b is not None:
        if b.shape != w.shape[:1]:
            raise ValueError("bias")
        out = out + b if x.dtype is OBJECT else np.add(out, b, out=out)
    return out


def _linear_vjp_w(F: Any, g: Any, out: Any, x: Any, w: Any, b: Any = None) -> Any:
    if x.ndim != 2:
        g, x = F.reshape(g, shape=(-1, g.shape[-1])), F.reshape(x, shape=(-1, x.shape[-1]))
    return F.matmul(F.t(g), x)


def explain_linear(op: Op, tensors: Sequence[Any], attrs: dict[str, Any], e: Exception) -> Exception:
    x, w = tensors[0].array, tensors[1].array
    if len({t.array.dtype for t in tensors}) > 1:
        return dtype_mismatch("linear", tensors)
    flat = (int(np.prod(x.shape[:-1])), x.shape[-1]) if x.ndim else ()
    fix = f"the layer expects {w.shape[-1]} input features"
    if x.ndim > 1 and int(np.prod(x.shape[1:])) == w.shape[-1]:
        fix += f": flatten the input first, x.flatten(1) has shape {(x.shape[0], w.shape[-1])}"
    elif x.ndim:
        fix += f", so make it with in_features={x.shape[-1]}, or give it x of shape (..., {w.shape[-1]})"
    sizes = f" ({flat[0]}x{flat[1]} and {w.shape[-1]}x{w.shape[0]})" if flat and w.ndim == 2 else ""
    return ShapeError(
        message(
            f"mat1 and mat2 shapes cannot be multiplied{sizes}",
            "linear: input {}, weight {}{}".format(
                describe(x), describe(w), f", bias {describe(tensors[2])}" if len(tensors) > 2 else ""
            ),
            fix=fix,
        )
    )


def _linear_part(place: tuple[int, ...], *shapes: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """A row of x, a row of the weight, an element of the bias."""
    *rows, own = [slice(i, i + 1) for i in place]
    return [(*rows, slice(None)), (own, slice(None)), (own,)][: len(shapes)]


linear_op = Op(
    "linear",
    _linear,
    vjps=(
        lambda F, g, out, x, w, b=None: F.matmul(g, w),
        _linear_vjp_w,
        lambda F, g, out, x, w, b=None: F.sum(g, dim=tuple(range(g.ndim - 1)) or None, keepdim=False) if g.ndim > 1 else g,
    ),
    saves=("y", "x", ""),
    formula="x @ wᵀ + b",
    rule=("g @ w", "gᵀ @ x", "Σ g over the batch"),
    terms=lambda x, *_: x[-1] if x else 1,
    part=_linear_part,
    torch_name="Addmm",
    explain=explain_linear,
)


@public(method=False)
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """input @ weight.T + bias: input (..., in), weight (out, in), bias (out) or None (torch.nn.functional.linear)."""
    operands = (input, weight) if bias is None else (input, weight, bias)
    if len({t.array.dtype for t in operands}) > 1:
        raise dtype_mismatch("linear", operands)
    return apply(linear_op, operands)


def make() -> None:
    """Build matmul's method, which shares the hot path of elementwise ops."""
    fast = binary(matmul_op)
    fast.__doc__ = "Matrix product of the last two dimensions; 1-d operands are vectors, the dimensions before broadcast."
    METHODS.update({"matmul": fast, "__matmul__": fast})
    METHODS["__rmatmul__"] = named(lambda self, other: fast(operands(matmul_op, (other,))[0], self), "__rmatmul__")
    FUNCTIONS["matmul"] = fast


def _of_rank(name: str, ranks: tuple[int, ...], words: str) -> None:
    def product(input: Any, mat2: Any) -> Any:
        if (input.array.ndim, mat2.array.ndim) != ranks:
            raise RuntimeError(message(f"{name}: expected {words}, but got {input.array.ndim}D and {mat2.array.ndim}D",
                                       f"{describe(input)}, {describe(mat2)}", fix="matmul takes any ranks"))
        if name == "bmm" and input.array.shape[0] != mat2.array.shape[0]:
            raise matmul_error(input, mat2)
        return METHODS["matmul"](input, mat2)

    product.__name__ = name
    product.__doc__ = f"Matrix product of {words}."
    public()(product)


_of_rank("mm", (2, 2), "two matrices")
_of_rank("bmm", (3, 3), "two batches of matrices")
_of_rank("mv", (2, 1), "a matrix and a vector")
_of_rank("dot", (1, 1), "two vectors")
_of_rank("inner", (1, 1), "two vectors")


@public(aliases=("ger",))
def outer(input: Any, vec2: Any) -> Any:
    """input[:, None] * vec2[None, :]."""
    if input.array.ndim != 1 or vec2.array.ndim != 1:
        raise RuntimeError(message(f"outer: Expected 1-D arguments, but got {input.array.ndim}-D and {vec2.array.ndim}-D."))
    return input.reshape(-1, 1) * vec2


@public()
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta * input + alpha * (mat1 @ mat2)."""
    product = METHODS["mm"](mat1, mat2)
    return (input if beta == 1 else input * beta) + (product if alpha == 1 else product * alpha)


@public()
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta * input + alpha * bmm(batch1, batch2)."""
    product = METHODS["bmm"](batch1, batch2)
    return (input if beta == 1 else input * beta) + (product if alpha == 1 else product * alpha)


# ---- einsum --------------------------------------------------------------------------------------------------------
def _einsum_vjp(i: int) -> Callable[..., Any]:
    """The derivative for operand i: the same contraction with g in its place; letters only it has are spread."""

    def vjp(F: Any, g: Any, out: Any, *xs: Any, equation: str) -> Any:
        terms, result = equation.split("->")
        names = terms.split(",")
        others = [n for j, n in enumerate(names) if j != i]
        known = set(result).union(*others)
        kept = "".join(c for c in names[i] if c in known)
        d = F.einsum(g, *(x for j, x in enumerate(xs) if j != i), equation=f"{','.join([result, *others])}->{kept}")
        if kept != names[i]:
            shape = tuple(n if c in known else 1 for c, n in zip(names[i], xs[i].shape, strict=True))
            d = F.expand(F.reshape(d, shape=shape), shape=xs[i].shape)
        return d

    return vjp


einsum_op = variadic(
    "einsum",
    lambda F, *xs, equation: rows(np.einsum(equation, *xs, optimize=len(xs) > 1 and xs[0].dtype is not OBJECT)),
    _einsum_vjp,
    "the same contraction with g in the operand's place",
    saves=True,
)


@public(method=False)
def einsum(equation: str, *operands: Any) -> Any:
    """Einstein summation, such as ``einsum("bij,bjk->bik", a, b)``. One letter per dimension; "..." is supported."""
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    equation = _explicit(equation.replace(" ", ""), [x.array.ndim for x in operands])
    names = equation.split("->")[0].split(",")
    operands = tuple(_without_repeats(x, n) for x, n in zip(operands, names, strict=True))
    equation = ",".join("".join(dict.fromkeys(n)) for n in names) + "->" + equation.split("->")[1]
    return apply(einsum_op, operands, {"equation": equation})


def _explicit(equation: str, ranks: list[int]) -> str:
    """The equation with "..." spelled out in capital letters and the result named."""
    terms, arrow, result = equation.partition("->")
    names = terms.split(",")
    if len(names) != len(ranks):
        raise RuntimeError(message(f"einsum(): the number of subscripts in the equation ({len(names)}) does not match the number "
                                   f"of operands ({len(ranks)})", f"equation '{equation}'"))
    spare = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in equation]
    extra = max((r - len(n.replace("...", "")) for n, r in zip(names, ranks, strict=True) if "..." in n), default=0)
    dots = "".join(spare[:extra])
    for k, (n, r) in enumerate(zip(names, ranks, strict=True)):
        if "..." in n:
            m = r - (len(n) - 3)
            n = n.replace("...", dots[len(dots) - m :] if m else "")
        if len(n) != r:
            raise RuntimeError(message(f"einsum(): the number of subscripts in the equation ({len(n)}) does not match the number "
                                       f"of dimensions ({r}) for operand {k} and no ellipsis was given", f"equation '{equation}'"))
        names[k] = n
    if not arrow:
        letters = "".join(names)
        result = ("..." if extra else "") + "".join(sorted(c for c in set(letters) - set(dots) if letters.count(c) == 1))
    return ",".join(names) + "->" + result.replace("...", dots)


def _without_repeats(x: Any, names: str) -> Any:
    """An operand such as "ii", reduced to its diagonal."""
    for c in dict.fromkeys(names):
        while names.count(c) > 1:
            a = names.index(c)
            b = names.index(c, a + 1)
            x = METHODS["movedim"](x.diagonal(0, a, b), -1, a)
            names = names[:b] + names[b + 1 :]
    return x


@public(method=False)
def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sum of products over the last ``dims`` dimensions of a and the first of b, or over the two lists of dimensions."""
    if isinstance(dims, int):
        dims = (list(range(a.array.ndim - dims, a.array.ndim)), list(range(dims)))
    left, right = [d % a.array.ndim for d in dims[0]], [d % b.array.ndim for d in dims[1]]
    free_a = [d for d in range(a.array.ndim) if d not in left]
    free_b = [d for d in range(b.array.ndim) if d not in right]
    n = int(np.prod([a.array.shape[d] for d in left]))
    out = METHODS["matmul"](a.permute(*free_a, *left).reshape(-1, n), b.permute(*right, *free_b).reshape(n, -1))
    return out.reshape([a.array.shape[d] for d in free_a] + [b.array.shape[d] for d in free_b])


