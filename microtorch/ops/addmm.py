"""Products added to a tensor: ``beta * input + alpha * product``.

PyTorch's rule for ``beta = 0``: the input is not read, so its NaN and inf do not pass on; its
gradient is 0. Integers take whole factors only, and PyTorch cuts others off without a word.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..base.errors import describe, message, warn
from ..engine.handle import Handle
from ..engine.operands import NUMBERS, element
from ..engine.record import constant, laid
from .arguments import check_factor
from .surface import METHODS, public

if TYPE_CHECKING:
    from ..base.types import AnyNumber, Shape
    from ..handles.tensor import Tensor


def _same_dtype(name: str, input: Tensor, one: Tensor, two: Tensor) -> None:
    """Raise unless all three are of one dtype, which is not bool."""
    kinds = input.array.dtype, one.array.dtype, two.array.dtype
    if kinds[1] != kinds[2] or kinds[0] != kinds[1]:
        who = "mat1 and mat2" if kinds[1] != kinds[2] else "self and mat2"
        wrong = kinds[1:] if kinds[1] != kinds[2] else kinds[::2]
        raise RuntimeError(
            message(
                f"{who} must have the same dtype, but got "
                + " and ".join(TORCH_TYPES[k.name] for k in wrong),
                f"{name}: " + ", ".join(map(describe, (input, one, two))),
                fix="convert one: x.to(y.dtype)",
            )
        )
    if kinds[0] == np.bool_:
        raise NotImplementedError(
            message(f"\"{name}_impl_cpu_\" not implemented for 'Bool'", fix="x.int()")
        )


def _whole(factor: AnyNumber, input: Tensor) -> AnyNumber:
    """A factor as the dtype of ``input`` can hold it. RuntimeError if it cannot."""
    d = input.array.dtype
    if isinstance(factor, Handle):
        factor = factor.item()
    if isinstance(factor, complex):
        return factor if d.kind == "c" else element(factor, d).item()
    whole = d.kind in "iu"
    if not -100 < factor < 100:
        element(int(factor) if whole else factor, d)
    return int(factor) if whole else factor


def _check_fits(name: str, input: Tensor, shape: Shape) -> None:
    """Raise unless ``input`` can be expanded to ``shape``."""
    if (own := input.array.shape) == shape:
        return
    last = shape[len(shape) - len(own) :] if len(own) <= len(shape) else ()
    if own != last and (len(own) != len(last) or any(
        n != m and n != 1 for n, m in zip(own, last, strict=True)
    )):
        raise RuntimeError(
            message(
                f"{name}: input of shape {list(input.array.shape)} cannot be expanded to the shape "
                f"{list(shape)} of the product",
                describe(input),
            )
        )


_EVERY = constant(np.ones((), np.bool_))


def added(
    name: str, input: Tensor, product: Tensor, beta: AnyNumber, alpha: AnyNumber,
    ignore: bool = True,
) -> Tensor:  # fmt: skip
    """beta * input + alpha * product. ``ignore``: of a matrix product, which is ignored with its
    NaN if alpha is 0, and gives rows.
    """
    if not (type(beta) is type(alpha) is int and beta == alpha == 1):
        beta, alpha = _whole(beta, input), _whole(alpha, input)
    _check_fits(name, input, product.array.shape)
    if input.array.dtype != product.array.dtype:  # a number would leave the product its dtype
        input = input.expand(product.array.shape)
    scaled = _times(alpha, product) if ignore else product * alpha
    if beta == 0 and not input.node.needs:
        return scaled
    out = _times(beta, input) + scaled
    return laid(out) if ignore else out


def _times(factor: AnyNumber, x: Tensor) -> Tensor:
    """factor * x, but 0 where the factor is 0 and x is inf or NaN: then x does not count."""
    if factor == 0:
        return x.masked_fill(_EVERY, 0)
    return x if factor == 1 else x * factor


def numbers_first(name: str, *given: Any) -> tuple[list[Any], AnyNumber, AnyNumber]:
    """The tensors, beta and alpha of PyTorch's old order: each number before what it multiplies.

    ``addmm(beta, input, alpha, mat1, mat2)``, where alpha may be left out. Still accepted there.
    """
    tensors = [x for x in given if isinstance(x, Handle)]
    numbers = [x for x in given if type(x) in NUMBERS]
    first = all(isinstance(x, Handle) for x in given[-2:])
    if len(tensors) != 3 or len(tensors) + len(numbers) != len(given) or not first:
        what = f"{name}() received an invalid combination of arguments - got "
        what += f"({', '.join(type(x).__name__ for x in given)})"
        raise TypeError(message(what, fix="beta and alpha are given by name: beta=..., alpha=..."))
    warn(
        f"This overload of {name} is deprecated: write {name}(input, ..., beta=, alpha=)",
    )
    return tensors, numbers[0], numbers[1] if len(numbers) > 1 else 1


def _check_rank(name: str, tensors: tuple[Tensor, Tensor], ranks: tuple[int, int]) -> None:
    given = tensors[0].array.ndim, tensors[1].array.ndim
    if given != ranks:
        raise RuntimeError(
            message(
                f"{name}: expected {ranks[0]}D and {ranks[1]}D tensors, but got {given[0]}D and "
                f"{given[1]}D",
                ", ".join(map(describe, tensors)),
            )
        )


@public()
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *old: Tensor, beta: AnyNumber = 1,
    alpha: AnyNumber = 1,
) -> Tensor:  # fmt: skip
    """beta * input + alpha * (mat1 @ mat2)."""
    if old:
        (input, mat1, mat2), beta, alpha = numbers_first("addmm", input, mat1, mat2, *old)
    _check_rank("addmm", (mat1, mat2), (2, 2))
    _same_dtype("addmm", input, mat1, mat2)
    return added("addmm", input, METHODS["mm"](mat1, mat2), beta, alpha)


@public()
def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *old: Tensor, beta: AnyNumber = 1,
    alpha: AnyNumber = 1,
) -> Tensor:  # fmt: skip
    """beta * input + alpha * (mat @ vec)."""
    if old:
        (input, mat, vec), beta, alpha = numbers_first("addmv", input, mat, vec, *old)
    _check_rank("addmv", (mat, vec), (2, 1))
    _same_dtype("addmv", input, mat, vec)
    return added("addmv", input, METHODS["mv"](mat, vec), beta, alpha)


@public()
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: AnyNumber = 1,
    alpha: AnyNumber = 1,
) -> Tensor:  # fmt: skip
    """beta * input + alpha * bmm(batch1, batch2)."""
    if old:
        (input, batch1, batch2), beta, alpha = numbers_first("baddbmm", input, batch1, batch2, *old)
    _check_rank("baddbmm", (batch1, batch2), (3, 3))
    _same_dtype("baddbmm", input, batch1, batch2)
    return added("baddbmm", input, METHODS["bmm"](batch1, batch2), beta, alpha)


@public()
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *old: Tensor, beta: AnyNumber = 1,
    alpha: AnyNumber = 1,
) -> Tensor:  # fmt: skip
    """beta * input + alpha * the sum of the products of the batch."""
    if old:
        (input, batch1, batch2), beta, alpha = numbers_first("addbmm", input, batch1, batch2, *old)
    _check_rank("addbmm", (batch1, batch2), (3, 3))
    _same_dtype("addbmm", input, batch1, batch2)
    product = METHODS["bmm"](batch1, batch2).sum(0)
    return added("addbmm", input, product.to(input.dtype), beta, alpha)


@public()
def addr(
    input: Tensor, vec1: Tensor, vec2: Tensor, *old: Tensor, beta: AnyNumber = 1,
    alpha: AnyNumber = 1,
) -> Tensor:  # fmt: skip
    """beta * input + alpha * outer(vec1, vec2). Unlike the others it takes any dtypes."""
    if old:
        (input, vec1, vec2), beta, alpha = numbers_first("addr", input, vec1, vec2, *old)
    _check_rank("addr", (vec1, vec2), (1, 1))
    product = METHODS["outer"](vec1, vec2)
    if input.array.dtype.kind in "biu" and product.array.dtype.kind in "fcV":
        input = input.to(product.dtype)  # the factors are numbers of the result's dtype
    kinds = [t.array.dtype.kind for t in (input, product)]
    check_factor("beta", beta, kinds)
    check_factor("alpha", alpha, kinds)
    if kinds == ["b", "b"]:
        _check_fits("addr", input, product.array.shape)
        input = input.expand(product.array.shape)
        nothing = input & False
        return (input if beta else nothing) | (product if alpha else nothing)
    if kinds[1] == "b":
        product = product.to(input.dtype)  # times a whole number it would be int64
    return added("addr", input, product, beta, alpha, ignore=False)
