"""In which order the dimensions of a new array lie in memory: PyTorch's rule, in one place.

What an elementwise op makes lies as its operands do (``in_order``), a copy as what is copied
(``laid_out``). numpy has nearly the same rule, but where operands differ its result lies in rows,
while PyTorch's lies as the first of them. It can be seen: by ``stride()``, by whether ``view``
is refused, and by whether ``reshape`` and ``contiguous`` give a view or a copy.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..base.types import Array, DType, Kernel, Operand, Shape

ndarray = np.ndarray


@lru_cache(1024)
def expanded_strides(have: Shape, strides: Shape, shape: Shape) -> Shape:
    """The strides of an array expanded to ``shape``: 0 where elements are shown several times."""
    new = len(shape) - len(have)
    found = [0 if n == 1 != m else s for n, s, m in zip(have, strides, shape[new:], strict=True)]
    for i in reversed(range(new)):
        found.insert(0, shape[i + 1] * found[0] if have and shape[i] == 1 else 0)
    return tuple(found)


@lru_cache(1024)
def row_strides(shape: Shape, step: int) -> Shape:
    """The strides of a new array, row by row, of elements of ``step`` bytes."""
    return tuple([step * math.prod(shape[i + 1 :]) for i in range(len(shape))])


@lru_cache(1024)
def viewed_strides(have: Shape, strides: Shape, shape: Shape) -> Shape:
    """The strides of a view in another shape, of what has a dimension and can be seen so.

    Source: PyTorch's computeStride. Dimensions that lie in memory as one, from the last one on, are
    divided as those of a new array would be. It counts those of one element, too.
    """
    found: list[int] = []
    at, base, size = len(shape) - 1, strides[-1], 1
    for d in reversed(range(len(have))):
        size *= have[d]
        if d and (have[d - 1] == 1 or strides[d - 1] == size * base):
            continue
        inner = 1
        while at >= 0 and (inner < size or shape[at] == 1):
            found.insert(0, inner * base)
            inner *= shape[at]
            at -= 1
        base, size = strides[d - 1], 1
    return tuple(found)


def start(array: Array) -> int:
    start: int = array.__array_interface__["data"][0]
    return start


def is_dense(array: Array) -> bool:
    """Do the elements fill a block of memory, in whatever order of dimensions?"""
    step = array.itemsize
    for s, n in sorted(zip(array.strides, array.shape, strict=True)):
        if n > 1:
            if s != step:
                return False
            step *= n
    return True


def overlaps_itself(array: Array) -> bool:
    """May two places of ``array`` show one element? False if surely none do."""
    reach = array.itemsize
    for s, n in sorted([(abs(s), n) for s, n in zip(array.strides, array.shape, strict=True)]):
        if n > 1:
            if s < reach:
                return array.size > 0
            reach += s * (n - 1)
    return False


@lru_cache(4096)
def memory_order(shape: Shape, steps: tuple[Shape, ...]) -> tuple[int, ...]:
    """The dimensions of a result, the outermost first, by the strides of its operands.

    Source: PyTorch's TensorIterator. It sorts by insertion from the last dimension on. The first
    operand that tells two dimensions apart decides; one that does not depend on both has no say.
    """
    places = [*reversed(range(len(shape)))]  # the innermost first
    for i in range(1, len(shape)):
        k = i
        for j in reversed(range(i)):
            inner, outer = places[j], places[k]
            for stride in steps:
                a, b = abs(stride[inner]), abs(stride[outer])
                if a and b and (a != b or shape[inner] > shape[outer]):
                    break
            else:
                continue
            if a < b:
                break
            places[j], places[k], k = outer, inner, j
    return tuple(places[::-1])


def outermost_first(x: Array) -> tuple[int, ...]:
    """The dimensions of ``x`` in the order in which an element's place in memory depends on them.

    Dimensions without a stride of their own (expanded ones) stay where they are.
    """
    return memory_order(x.shape, (x.strides,))


def in_memory_order(x: Array, make: Callable[[Shape], Array]) -> Array:
    """An array of x's shape: what ``make`` makes, in rows, for the shape that x has in memory.

    So random numbers go to a transposed array in the order in which they go to its base.
    """
    if x.flags.c_contiguous:
        return make(x.shape)
    order = outermost_first(x)
    back = sorted(range(x.ndim), key=order.__getitem__)
    return make(tuple([x.shape[i] for i in order])).transpose(back)


def laid_out(x: Array, d: DType) -> Array:
    """A copy in dtype ``d``, which lies in memory as ``x`` does, without gaps."""
    if type(x) is not ndarray:
        return x.astype(d) if x.dtype != d else x.copy("K")
    if x.flags.c_contiguous or (0 not in x.strides and 1 not in x.shape):
        return x.astype(d)  # numpy's order is the same
    out = in_memory_order(x, lambda shape: np.empty(shape, d))
    out[...] = x
    return out


def lying(x: Array, *steps: Sequence[int]) -> Array:
    """``x``, or a copy of it, in the order in memory of operands of these strides."""
    order = memory_order(x.shape, tuple(map(tuple, steps)))
    if x.transpose(order).flags.c_contiguous:
        return x
    out = np.empty([x.shape[i] for i in order], x.dtype)
    out[...] = x.transpose(order)
    return out.transpose(sorted(range(x.ndim), key=order.__getitem__))


def in_rows(x: Array) -> Array:
    """``x``, or a copy of it, row by row."""
    return x if type(x) is not ndarray or x.flags.c_contiguous else x.copy("C")


NO_OPTIONS: dict[str, Operand] = {}


def plainly(kernel: Kernel, operands: tuple[Operand, ...]) -> Operand:
    """The result of a kernel to which it does not matter how operands lie: of a product."""
    return kernel(*operands)


def giving_rows(
    kernel: Kernel, operands: tuple[Operand, ...], options: dict[str, Operand] = NO_OPTIONS
) -> Operand:
    """The result of an elementwise kernel, in rows whatever the operands are in."""
    return in_rows(kernel(*operands, **options))


def in_order(
    kernel: Kernel, operands: tuple[Operand, ...], options: dict[str, Operand] = NO_OPTIONS
) -> Operand:
    """The result of an elementwise kernel, which lies in memory as PyTorch's would.

    The kernel runs on operands that are turned so that the result lies in rows: for then numpy and
    C agree with PyTorch, nothing is copied, and the loop goes along memory.
    """
    for x in operands:
        if type(x) is ndarray and not x.flags.c_contiguous:
            break
    else:
        return kernel(*operands, **options)
    shape, steps = x.shape, x.strides
    if 0 not in steps and 1 not in shape:
        for y in operands:
            if y is not x and type(y) is ndarray and y.ndim:
                if y.strides != steps or y.shape != shape:
                    break
        else:
            return kernel(*operands, **options)  # in one order, which numpy keeps
    return _turned(kernel, operands, options)


def _turned(kernel: Kernel, operands: tuple[Operand, ...], options: dict[str, Operand]) -> Operand:
    arrays = [x for x in operands if type(x) is ndarray and x.ndim]
    plan = _plan(tuple([(x.shape, x.strides) for x in arrays]))
    if plan is None:  # they do not broadcast: the kernel says so; or the result lies in rows
        return in_rows(kernel(*operands, **options))
    order, back = plan
    rank, turned = len(order), list(operands)
    for i, x in enumerate(operands):
        if type(x) is ndarray and x.ndim:
            turned[i] = (x if x.ndim == rank else x[(None,) * (rank - x.ndim)]).transpose(order)
    out = in_rows(kernel(*turned, **options))
    return out.transpose(back) if np.ndim(out) == rank else out  # it may have been reduced


@lru_cache(4096)
def _plan(
    operands: tuple[tuple[Shape, Shape], ...]
) -> tuple[tuple[int, ...], list[int]] | None:
    """How to turn operands of these (shape, strides), and the result back."""
    try:
        shape = np.broadcast_shapes(*[own for own, _ in operands])
    except ValueError:
        return None
    steps = []
    for own, given in operands:
        sizes = zip(given, own, shape[len(shape) - len(own) :], strict=True)
        one = [0 if n == 1 and m != 1 else s for s, n, m in sizes]
        steps.append((*[0] * (len(shape) - len(own)), *one))
    order = memory_order(shape, tuple(steps))
    if order == tuple(range(len(shape))):
        return None
    return order, sorted(range(len(shape)), key=order.__getitem__)
