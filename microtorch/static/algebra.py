"""Small matrices, and sums over readings, as calls of c/algebra.c and c/readings.c.

``algebra`` is a table like that of calls.py, for exported programs: elsewhere numpy's LAPACK is
there.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .look import Look, Table
from .parts import new
from .statements import Call, Copy, Lowered, Place
from .templates import Ref, Value

if TYPE_CHECKING:
    from ..base.types import Operand, Shape

algebra = Table()


def _room(s: Look, x: Operand, *shape: int) -> Ref:
    """A new array of numbers like those of x."""
    return Ref(new(s.program, shape, x.number))


def _whole_numbers(s: Look, shape: Shape, dtype: str) -> Ref:
    d = np.dtype(dtype)
    s.program.values.append(Value((math.prod(shape),), d, (d.itemsize,)))
    return Ref(len(s.program.values) - 1)


def _call(s: Look, function: str, *operands: Operand, checks: int = 0) -> list[Lowered]:
    """A call in which all that the step is not given is new."""
    given = {x.number for x in s.given if type(x) is Ref}
    makes = [x.number for x in operands if type(x) is Ref and x.number not in given]
    return [Call(s.step, function, [*operands], [*dict.fromkeys(makes)], [], checks)]


def _factored(s: Look, function: str, *given: Operand, out: Operand = None) -> list[Lowered] | None:
    """What takes P L U of its matrices first, with room for that."""
    out = s.step.result if out is None else out
    outs = out if type(out) is tuple else (out,)
    a = given[0]
    if not s.rows(*given, outs[0]) or not all(map(s.lies_in_rows, outs)):
        return None
    *batch, n, _ = s.shape(a)
    sizes = [math.prod(batch), n, *([s.shape(given[1])[-1]] if len(given) > 1 else [])]
    room = _room(s, a, *s.shape(a)), _whole_numbers(s, (*batch, n), "int32")
    return _call(s, function, *sizes, *given, *room, *outs)


@algebra.entry("whole inv", "whole inv_ex")
def _inverse(s: Look) -> list[Lowered] | None:
    return _factored(s, "inverse", s.given[0])


@algebra.entry("whole solve", "whole solve_ex")
def _solve(s: Look) -> list[Lowered] | None:
    return _factored(s, "solve", *s.given)


@algebra.entry("whole det", "whole slogdet")
def _determinant(s: Look) -> list[Lowered] | None:
    return _factored(s, s.step.name, s.given[0])


@algebra.entry("whole det_derivative")
def _derivative(s: Look) -> list[Lowered] | None:
    (a, d), out = s.given, s.step.result
    *batch, n, _ = s.shape(a)
    if not s.rows(a, d, out):
        return None
    room = _room(s, a, n, n), _whole_numbers(s, (n,), "int32")
    return _call(s, "det_derivative", math.prod(batch), n, a, d, *room, out)


@algebra.entry("whole cholesky", "whole cholesky_ex")
def _cholesky(s: Look) -> list[Lowered] | None:
    a, (out, info) = s.given[0], s.step.result
    *batch, n, _ = s.shape(a)
    if not s.rows(a, out) or not s.lies_in_rows(info):
        return None
    return _call(s, "cholesky", math.prod(batch), n, a, out, info)


@algebra.entry("whole lu_factor", "whole lu_factor_ex")
def _lu_factor(s: Look) -> list[Lowered] | None:
    a, (lu, *others) = s.given[0], s.step.result
    *batch, m, n = s.shape(a)
    if not s.rows(a, lu) or not all(map(s.lies_in_rows, others)):
        return None
    return _call(s, "lu_factor", math.prod(batch), m, n, a, lu, *others)


@algebra.entry("whole permutation")
def _permutation(s: Look) -> list[Lowered] | None:
    pivots, out = s.given[0], s.step.result
    if not s.rows(pivots, kind="int32") or not s.rows(out):
        return None
    *batch, k = s.shape(pivots)
    return _call(s, "permutation_of", math.prod(batch), k, s.attr("m"), pivots, out)


@algebra.entry("whole solve_triangular")
def _solve_triangular(s: Look) -> list[Lowered] | None:
    (a, b), out = s.given, s.step.result
    if not s.rows(a, b, out):
        return None
    *batch, n, k = s.shape(b)
    how = s.attr("upper"), s.attr("unit")
    return _call(s, "solve_triangular", math.prod(batch), n, k, *how, a, b, out)


@algebra.entry("whole qr")
def _qr(s: Look) -> list[Lowered] | None:
    a, (q, r) = s.given[0], s.step.result
    if not s.rows(a, q, r):
        return None
    *batch, m, n = s.shape(a)
    room = _room(s, a, m, n), _room(s, a, min(m, n))
    return _call(s, "qr", math.prod(batch), m, n, s.shape(r)[-2], a, *room, q, r)


@algebra.entry("whole eigh", "whole eigvalsh")
def _eigh(s: Look) -> list[Lowered] | None:
    a, out = s.given[0], s.step.result
    values, vectors = out if type(out) is tuple else (out, _room(s, a, *s.shape(a)))
    if not s.rows(a, values, vectors):
        return None
    *batch, n, _ = s.shape(a)
    upper = s.attr("UPLO") == "U"
    return _call(s, "eigh", math.prod(batch), n, upper, a, _room(s, a, n, n), values, vectors)


@algebra.entry("whole svd", "whole svdvals")
def _svd(s: Look) -> list[Lowered] | None:
    a, out = s.given[0], s.step.result
    *batch, m, n = s.shape(a)
    k, most = min(m, n), max(m, n)
    if type(out) is tuple:
        u, sizes, v = out
    else:
        u, sizes, v = _room(s, a, *batch, m, k), out, _room(s, a, *batch, k, n)
    if not s.rows(a, u, sizes, v):
        return None
    room = _room(s, a, most, most), _room(s, a, k, k)
    shape = math.prod(batch), m, n, s.shape(u)[-1], s.shape(v)[-2]
    return _call(s, "svd", *shape, a, *room, u, sizes, v)


def _by_values(s: Look, atol: float, rtol: float | None) -> list[Operand]:
    """What the functions that ask for singular values are told and given."""
    a = s.given[0]
    *batch, m, n = s.shape(a)
    k, most = min(m, n), max(m, n)
    if rtol is None:  # the rounding error of the larger size
        rtol = 0.0 if atol > 0 else most * float(np.finfo(s.program.values[a.number].dtype).eps)
    room = (most, most), (k, k), (m, k), (k,), (k, n)
    return [math.prod(batch), m, n, atol, rtol, a, *[_room(s, a, *shape) for shape in room]]


@algebra.entry("whole pinv", "whole matrix_rank")
def _pinv(s: Look) -> list[Lowered] | None:
    """Not of the eigenvalues of symmetric matrices."""
    a, out, rank = s.given[0], s.step.result, s.step.name == "matrix_rank"
    if not s.rows(a) or not s.rows(out, kind="int64" if rank else "") or s.attr("hermitian"):
        return None
    atol, rtol = s.attr("atol"), s.attr("rtol")
    if not all(type(x) in (int, float, type(None)) for x in (atol, rtol)):
        return None
    given = _by_values(s, float(atol or 0), rtol)
    return _call(s, s.step.name, *given, out)


@algebra.entry("whole lstsq")
def _lstsq(s: Look) -> list[Lowered] | None:
    (a, b), (x, rank, values) = s.given, s.step.result
    if not s.rows(a, b, x, values) or not s.rows(rank, kind="int64"):
        return None
    given = _by_values(s, 0.0, s.attr("rcond"))
    inverse = _room(s, a, s.shape(a)[-1], s.shape(a)[-2])
    return _call(s, "lstsq", s.shape(b)[-1], *given, inverse, b, x, rank, values)


# ---- readings ------------------------------------------------------------------------------------
@algebra.entry("whole ctc_operands")
def _ctc_operands(s: Look) -> list[Lowered] | None:
    """Lengths are numbers, or tensors of int64."""
    lp, targets, *lengths = s.given
    labels, *made, share = s.step.result
    steps, n, classes = s.shape(lp)
    if not s.rows(targets, labels, *made, kind="int64") or not s.rows(share):
        return None
    done: list[Lowered] = []
    for i, (x, to) in enumerate(zip(lengths, made, strict=True)):
        if x is not None and not s.rows(x, kind="int64"):
            return None
        numbers = _whole_numbers(s, (n,), "int64") if x is None else x
        if x is None:
            given = np.array(s.attr("numbers")[i], np.int64)
            s.program.later[numbers.number] = given.copy
        place = Place(to.number, 0, (1,), (n,))
        done.append(Copy(s.step, to.number, None, [(numbers.number, place)]))
    row = s.shape(targets)[1] if len(s.shape(targets)) == 2 else 0
    sizes = steps, n, classes, row, s.size(targets), s.shape(labels)[1], s.attr("blank")
    makes = [labels.number, share.number]
    operands = [*sizes, targets, *made, labels, share]
    return [*done, Call(s.step, "ctc_operands", operands, makes, [], 2)]


@algebra.entry("kernel ctc_loss", "kernel ctc_gradient")
def _ctc(s: Look) -> list[Lowered] | None:
    *g, lp, targets, lengths, sizes = s.given
    out = s.step.result
    if not s.rows(*g, lp, out) or not s.rows(targets, lengths, sizes, kind="int64"):
        return None
    steps, n, classes = s.shape(lp)
    labels = s.shape(targets)[1]
    room = [_room(s, lp, steps, 2 * labels + 1) for _ in range(1 + len(g))]
    shape = [*([steps] if g else []), n, classes, labels, s.attr("blank"), s.attr("zero_infinity")]
    return _call(s, s.step.name, *shape, *g, lp, targets, lengths, sizes, *room, out)
