"""Einstein summation: any product of tensors, summed over any of their dimensions."""
from __future__ import annotations

import functools
import math
import string
from collections import Counter
from collections.abc import Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..arrays.dtypes import BOOL, FROM_NUMPY, I64, OBJECT, TORCH_TYPES, promote
from ..base.errors import describe, message
from ..engine import autocast
from ..engine.handle import Handle
from ..engine.short import several
from .arguments import dim_of, rows, variadic
from .elementwise import ELEMENTWISE
from .permute import permute
from .products import matmul
from .shape import reshape, unsqueeze
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand, Shape, Vjp
    from ..handles.tensor import Tensor

LETTERS = string.ascii_uppercase + string.ascii_lowercase  # PyTorch's numbering of subscripts


# ---- the op --------------------------------------------------------------------------------------
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


def _einsum(F: Namespace, *xs: Array, equation: str) -> Array:
    """numpy's for a few products, else two operands at a time."""
    shapes = tuple([x.shape for x in xs])
    if len(xs) == 1 or xs[0].dtype is OBJECT or _products(equation, shapes) <= FEW:
        return rows(np.einsum(equation, *xs))
    pool = list(xs)
    for (i, j), step, orders in _plan(equation, shapes):
        x, y = pool[i], pool[j]
        pool = [z for k, z in enumerate(pool) if k not in (i, j)]
        if orders and x.dtype.kind == "f":
            pool.append(F.mul(*(_spread(z, o) for z, o in zip((x, y), orders, strict=True))))
        else:
            pool.append(np.einsum(step, x, y, optimize=PAIR))
    return rows(pool[0])


FEW = 1 << 12
PAIR = ["einsum_path", (0, 1)]  # numpy need not plan; it calls BLAS
# of each dimension of the result: which one of the operand it is, or None
Order = tuple[int | None, ...]
Step = tuple[tuple[int, int], str, tuple[Order, ...]]


@functools.lru_cache(maxsize=1024)
def _plan(equation: str, shapes: tuple[Shape, ...]) -> list[Step]:
    """Which two operands meet, one pair after the other; what they make comes last in the row.

    numpy's path, in which it multiplies three operands in one loop where that takes the fewest
    products: slowly. They are then taken from left to right. A step that sums over nothing is a
    product of the operands as they are spread by the orders; for other steps these are empty.
    """
    left, _, result = equation.partition("->")
    terms = left.split(",")
    empty = [np.broadcast_to(np.float32(0), shape) for shape in shapes]
    steps: list[Step] = []
    for group in np.einsum_path(equation, *empty, optimize="greedy")[0][1:]:
        chosen = sorted(group)
        while len(chosen) > 1:
            i, j, *more = chosen
            one, two = terms[i], terms[j]
            terms = [t for k, t in enumerate(terms) if k not in (i, j)]
            needed = set(result).union(*terms)
            made = "".join(c for c in dict.fromkeys(one + two) if c in needed) if terms else result
            orders: tuple[Order, ...] = ()
            if set(made) == set(one + two):
                orders = tuple([
                    tuple([t.index(c) if c in t else None for c in made]) for t in (one, two)
                ])
            steps.append(((i, j), f"{one},{two}->{made}", orders))
            terms.append(made)
            chosen = [len(terms) - 1, *(k - (k > i) - (k > j) for k in more)]
    return steps


def _spread(x: Array, order: Order) -> Array:
    """The dimensions in another order, with one of size 1 for each None."""
    view = x.transpose([d for d in order if d is not None])
    return view[tuple([None if d is None else slice(None) for d in order])]


@functools.lru_cache(maxsize=1024)
def _products(equation: str, shapes: tuple[Shape, ...]) -> int:
    """How many products of one element of each operand there are."""
    sizes: dict[str, int] = {}
    for term, shape in zip(equation.partition("->")[0].split(","), shapes, strict=True):
        sizes.update(zip(term, shape, strict=True))
    return math.prod(sizes.values())


einsum_op = variadic(
    "einsum",
    _einsum,
    _einsum_vjp,
    "the same contraction with g in the operand's place",
    saves=True,
)


# ---- reading an equation -------------------------------------------------------------------------
def _fail(what: str, equation: str) -> NoReturn:
    raise RuntimeError(message(f"einsum(): {what}", f"equation '{equation}'"))


def _checked(term: str, who: str, equation: str) -> str:
    """A term without blanks. Raises unless it is letters and at most one ellipsis."""
    rest = term.replace("...", "", 1)
    if "." in rest:  # with the blanks: an ellipsis is one sign
        _fail(f"found '.' for {who} that is not part of any ellipsis", equation)
    term = term.replace(" ", "")
    for c in term.replace("...", ""):
        if c not in LETTERS:
            at = equation.index(c)
            _fail(
                f"invalid subscript given at index {at} in the equation string, subscripts must be "
                "in [a-zA-Z]",
                equation,
            )
    return term


@functools.lru_cache(maxsize=256)
def _parsed(equation: str, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The terms and the result: one letter for each dimension, those of "..." in spare letters."""
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        amount = "more" if len(ranks) > len(terms) else "fewer"
        _fail(
            f"{amount} operands were provided than specified in the equation: {len(ranks)}, not "
            f"{len(terms)}",
            equation,
        )
    terms = [_checked(t, f"operand {i}", equation) for i, t in enumerate(terms)]
    spare = [c for c in reversed(LETTERS) if c not in equation]
    hidden = [r - len(t) + 3 for t, r in zip(terms, ranks, strict=True) if "..." in t]
    dots = "".join(spare[: max(hidden, default=0)])
    for i, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        m = rank - len(term) + 3
        if "..." in term and m >= 0:
            terms[i] = term.replace("...", dots[len(dots) - m :])
        elif len(term) != rank:
            which = "and no ellipsis was given" if "..." not in term else "or is less than it"
            _fail(
                f"the number of subscripts in the equation ({len(term.replace('...', ''))}) does "
                f"not match the number of dimensions ({rank}) for operand {i} {which}",
                equation,
            )
    used = "".join(terms)
    if not arrow:
        return tuple(terms), dots + "".join(
            sorted(c for c in set(used) - set(dots) if used.count(c) == 1)
        )
    result = _checked(right, "the output", equation).replace("...", dots)
    for c in result:
        if result.count(c) > 1:
            _fail(f"output subscript {c} appears more than once in the output", equation)
        if c not in used:
            _fail(
                f"output subscript {c} does not appear in the equation for any input operand",
                equation,
            )
    return tuple(terms), result


def _without_repeats(x: Tensor, names: str, i: int, equation: str) -> tuple[Tensor, str]:
    """An operand with dimensions such as "ii", reduced to its diagonal."""
    for c in dict.fromkeys(names):
        while names.count(c) > 1:
            a = names.index(c)
            b = names.index(c, a + 1)
            one, two = x.array.shape[a], x.array.shape[b]
            if one != two:
                _fail(
                    f"subscript {c} is repeated for operand {i} but the sizes don't match, {two} "
                    f"!= {one}",
                    equation,
                )
            x = x.diagonal(0, a, b).movedim(-1, a)
            names = names[:b] + names[b + 1 :]
    return x, names


def _without_ones(
    operands: list[Tensor], names: list[str], equation: str
) -> tuple[list[Tensor], list[str]]:
    """Operands without the dimensions of size 1 that broadcast against a larger one elsewhere."""
    sizes: dict[str, int] = {}
    for i, (x, name) in enumerate(zip(operands, names, strict=True)):
        for c, n in zip(name, x.array.shape, strict=True):
            seen = sizes.setdefault(c, n)
            if seen == 1:
                sizes[c] = n
            elif n not in (1, seen):
                _fail(
                    f"subscript {c} has size {n} for operand {i} which does not broadcast with "
                    f"previously seen size {seen}",
                    equation,
                )
    for i, (x, name) in enumerate(zip(operands, names, strict=True)):
        pairs = zip(name, x.array.shape, strict=True)
        ones = [d for d, (c, n) in enumerate(pairs) if n == 1 != sizes[c]]
        if ones:
            operands[i] = x.squeeze(tuple(ones))
            names[i] = "".join(c for d, c in enumerate(name) if d not in ones)
    return operands, names


def _of_one_dtype(
    operands: Sequence[Tensor], names: Sequence[str], result: str, equation: str
) -> list[Tensor]:
    """Operands of the dtype in which they are multiplied, promoted if nothing is contracted.

    Whole numbers and masks that are added up alone become int64, as in ``sum``.
    """
    first = operands[0].array.dtype
    if first.kind not in "biu" and all([x.array.dtype is first for x in operands]):
        return list(operands)
    added = [
        {c for c, n in zip(term, x.array.shape, strict=True) if n != 1 and c not in result}
        for x, term in zip(operands, names, strict=True)
    ]
    met = Counter(c for letters in added for c in letters)
    types = [
        I64 if x.array.dtype.kind in "biu" and any([met[c] == 1 for c in letters])
        else x.array.dtype
        for x, letters in zip(operands, added, strict=True)
    ]  # fmt: skip
    if any([n > 1 for n in met.values()]):
        other = next((d for d in types if d != types[0]), types[0])
        if other != types[0] or other == BOOL:
            one, two = TORCH_TYPES[types[0].name], TORCH_TYPES[other.name]
            raise RuntimeError(
                message(
                    f"expected scalar type {one} but found {two}" if one != two
                    else f"products of masks are not added up: {one}",
                    f"einsum('{equation}')",
                    fix="x.to(dtype)",
                )
            )
    common = FROM_NUMPY[promote([(d, 0) for d in types])]
    return [x.to(common) for x in operands]


def _from_sublists(given: Sequence[Any]) -> tuple[str, list[Tensor]]:
    """The form ``einsum(x, [0, 1], y, [1, 2], [0, 2])`` as an equation and operands."""

    def term(numbers: Sequence[int | EllipsisType]) -> str:
        for n in numbers:
            if n is not ... and not 0 <= n < len(LETTERS):
                raise ValueError(
                    message(
                        "einsum(): subscript in subscript list is not within the valid range "
                        f"[0, {len(LETTERS)}): {n}"
                    )
                )
        return "".join("..." if n is ... else LETTERS[n] for n in numbers)

    pairs = len(given) // 2
    equation = ",".join(term(given[2 * i + 1]) for i in range(pairs))
    if len(given) % 2:
        equation += "->" + term(given[-1])
    return equation, list(given[0 : 2 * pairs : 2])


@public(method=False)
def einsum(*args: Any) -> Tensor:
    """Einstein summation, such as ``einsum("bij,bjk->bik", a, b)``.

    One letter per dimension; "..." stands for any number of them. A letter that the result lacks is
    summed over; one that an operand repeats takes its diagonal. Without "->" the result has the
    letters that occur once, in order. Also ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.
    """
    if len(args) < 2 and not (args and isinstance(args[0], str)):
        raise ValueError(
            message("einsum(): must specify the equation string and at least one operand, or at "
                    "least one operand and its subscripts list")
        )  # fmt: skip
    if isinstance(args[0], Handle):
        equation, operands = _from_sublists(args)
    else:
        equation, operands = args[0], list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
            operands = list(operands[0])
    if not operands:
        raise ValueError(message("einsum(): must provide at least one operand"))
    terms, result = _parsed(equation, tuple([x.array.ndim for x in operands]))
    letters = "".join("".join(set(term)) for term in terms)
    if any(letters.count(c) > 1 for c in set(letters) - set(result)):  # products are added up
        operands = list(autocast.operands(operands))
    names = list(terms)
    for i, name in enumerate(names):
        if len(set(name)) < len(name):
            operands[i], names[i] = _without_repeats(operands[i], name, i, equation)
    if len(names) == 1 and sorted(names[0]) == sorted(result):  # a view
        return permute(operands[0], [names[0].index(c) for c in result])
    operands, names = _without_ones(operands, names, equation)
    operands = _of_one_dtype(operands, names, result, equation)
    if len(names) > 1 and set(result).issuperset("".join(names)):  # products that nobody adds up
        spread = [_along(x, name, result) for x, name in zip(operands, names, strict=True)]
        return functools.reduce(ELEMENTWISE["mul"], spread)
    out = several(einsum_op, operands, {"equation": f"{','.join(names)}->{result}"})
    # products that are added up are in PyTorch a product of matrices, seen in another shape
    return reshape(out, out.shape) if len(names) > 1 else out


def _along(x: Tensor, name: str, result: str) -> Tensor:
    """A view of the operand with the result's dimensions, of size 1 where it has none."""
    order = [name.index(c) for c in result if c in name]
    if order != sorted(order):
        x = permute(x, order)
    for d, c in enumerate(result):
        if c not in name:
            x = unsqueeze(x, d)
    return x


# ---- tensordot -----------------------------------------------------------------------------------
def _contracted(a: Tensor, b: Tensor, dims: Any) -> tuple[list[int], list[int]]:
    """The dimensions of a and of b that tensordot sums over."""
    if isinstance(dims, Handle):
        dims = dims.array.tolist()
    if isinstance(dims, (int, np.integer)):
        if dims < 0:
            raise RuntimeError(message(f"tensordot expects dims >= 0, but got dims={dims}"))
        if dims > min(a.array.ndim, b.array.ndim):
            raise RuntimeError(
                message(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
            )
        return list(range(a.array.ndim - dims, a.array.ndim)), list(range(dims))
    left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(left) != len(right):
        raise RuntimeError(message("both dimension lists should have same length", f"dims={dims}"))
    return (
        [dim_of(d, a.array.ndim, "tensordot") for d in left],
        [dim_of(d, b.array.ndim, "tensordot") for d in right],
    )


@public(method=False)
def tensordot(
    a: Tensor, b: Tensor, dims: int | Tensor | Sequence[Sequence[int]] = 2
) -> Tensor:
    """Sum of products over the last ``dims`` dimensions of a and the first of b.

    ``dims`` may also be two lists of dimensions.
    """
    left, right = _contracted(a, b, dims)
    for p, q in zip(left, right, strict=True):
        one, two = a.array.shape[p], b.array.shape[q]
        if one != two:
            if 1 not in (one, two):
                raise RuntimeError(
                    message(
                        f"contracted dimensions need to match, but first has size {one} in dim {p} "
                        f"and second has size {two} in dim {q}",
                        f"tensordot: {describe(a)}, {describe(b)}",
                    )
                )
            # a 1 broadcasts: what meets it can be summed first
            a, b = (a.sum(p, True), b) if two == 1 else (a, b.sum(q, True))
    free_a = [d for d in range(a.array.ndim) if d not in left]
    free_b = [d for d in range(b.array.ndim) if d not in right]

    def size(x: Tensor, kept: list[int]) -> Shape:
        return tuple(x.array.shape[d] for d in kept)

    n, p, q = (math.prod(size(*v)) for v in ((a, left), (a, free_a), (b, free_b)))
    rows_a = _as_matrix(a, (*free_a, *left), (p, n))
    out = matmul(rows_a, _as_matrix(b, (*right, *free_b), (n, q)))
    return out.reshape(size(a, free_a) + size(b, free_b))


def _as_matrix(x: Tensor, order: Shape, shape: Shape) -> Tensor:
    """``x`` with its dimensions in this order, in this shape; itself where it is so already."""
    if order != (0, 1):
        x = x.permute(*order)
    return x if x.array.shape == shape and len(order) == 2 else x.reshape(shape)
