"""Sums of products over letters, of exported programs: einsum, and products of matrices that
broadcast or have vectors among them. A table like that of calls.py.

An operand is looked at as an array of all letters, on which those that it lacks are repeated. Its
products are one loop, and a sum goes over the letters that the result lacks.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .bodies import Body
from .look import Look, Table
from .statements import Lowered, row_major
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Operand, Shape

contracted = Table()
MOST = 1 << 24  # products


def contraction(
    s: Look, given: Sequence[tuple[Operand, str]], letters: str, sizes: dict[str, int]
) -> list[Lowered] | None:
    """The statements of an einsum. ``letters``: of the result; ``given``: operands and theirs."""
    out = s.step.result
    operands = [x for x, _ in given]
    if not s.rows(*operands, out) or not 1 <= len(given) <= 3:
        return None
    if tuple([sizes[name] for name in letters]) != s.shape(out):
        return None
    every = dict.fromkeys(letters + "".join(names for _, names in given))
    shape = tuple([sizes[name] for name in every])
    if math.prod(shape) > MOST or not math.prod(shape):
        return None
    body = Body(s)
    seen: dict[str, Operand] = {}
    for word, (x, names) in zip("xyz", given, strict=False):
        own = dict(zip(names, row_major(s.shape(x)), strict=True))
        seen[word] = body.seen(x, shape, tuple([own.get(name, 0) for name in every]))
    formula, summed = " * ".join(seen), tuple(range(len(letters), len(shape)))
    if not summed:
        body.each(formula, shape, out, **seen)
    else:
        body.sum(body.each(formula, shape, **seen), summed, s.shape(out), to=out)
    return body.done


@contracted.entry("kernel einsum", *(f"vjp einsum_vjp{i}" for i in range(3)))
def _einsum(s: Look) -> list[Lowered] | None:
    left, _, right = s.attr("equation").partition("->")
    terms = left.split(",")
    shapes = [s.shape(x) if type(x) is Ref else x.shape for x in s.given]
    if s.step.kind == "kernel":
        given, target = [*zip(s.given, terms, strict=True)], right
    else:
        i, shapes = int(s.step.name[-1]), shapes[2:]
        others = [*zip(s.given[2:], terms, strict=True)]
        given, target = [(s.given[0], right), *others[:i], *others[i + 1 :]], terms[i]
    sizes = {c: n for term, shape in zip(terms, shapes, strict=True)
             for c, n in zip(term, shape, strict=True)}  # fmt: skip
    return contraction(s, given, target, sizes)


@contracted.entry("kernel matmul", "operator matmul", "vjp matmul_vjp0", "vjp matmul_vjp1")
def _matmul(s: Look) -> list[Lowered] | None:
    vjp = s.step.kind == "vjp"
    pair = s.given[2:4] if vjp else s.given[:2]
    a, b = (s.shape(x) if type(x) is Ref else x.shape for x in pair)
    batch = max(len(a) - 2, len(b) - 2, 0)
    letters = "abcdefgh"[:batch]
    sizes: dict[str, int] = {}

    def named(shape: Shape, last: str, ones: str) -> str:
        """The letters of an operand; those of dimensions of size 1, which broadcast, are others."""
        lead = shape[: len(shape) - len(last)]
        names = ""
        for c, one, n in zip(letters[batch - len(lead) :], ones[batch - len(lead) :], lead,
                             strict=True):  # fmt: skip
            names += c if n > 1 else one
        sizes.update({c: max(n, sizes.get(c, 1)) for c, n in zip(names + last, shape, strict=True)})
        return names + last

    if batch > 8 or not a or not b:
        return None
    first = named(a, "mk" if len(a) > 1 else "k", "ABCDEFGH"[:batch])
    second = named(b, "kn" if len(b) > 1 else "k", "STUVWXYZ"[:batch])
    lead = "".join(
        c if c in first + second else next(o for o in ones if o in first + second)
        for c, *ones in zip(letters, "ABCDEFGH", "STUVWXYZ", strict=False)
    )
    third = lead + "m" * (len(a) > 1) + "n" * (len(b) > 1)
    if not vjp:
        return contraction(s, [(pair[0], first), (pair[1], second)], third, sizes)
    place = int(s.step.name[-1])
    other, names = (pair[1], second) if place == 0 else (pair[0], first)
    given = [(s.given[0], third), (other, names)]
    own = first if place == 0 else second
    last = own[-min(len((a, b)[place]), 2) :]
    # what was repeated is added up by a step after this one
    return contraction(s, given, own, sizes) or contraction(s, given, lead + last, sizes)
