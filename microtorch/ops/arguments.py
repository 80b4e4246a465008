"""Reading arguments: dimensions, shapes, and tensors given one by one or as a list."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import I64, TORCH_TYPES
from ..backends.complex import CHECKED
from ..backends.reference import Reference
from ..base.errors import NoTensor, describe, dim_error, message
from ..engine import operands
from ..engine.argument_types import check_type, is_int
from ..engine.handle import Handle
from ..engine.op import Op
from ..engine.record import constant
from ..graph import ABSENT, mode
from ..notation.formulas import LETTERS

if TYPE_CHECKING:
    from ..base.types import AnyNumber, Array, Dims, DTypeLike, Shape, Vjp
    from ..handles.tensor import Tensor


# ---- values --------------------------------------------------------------------------------------
def everywhere(condition: Tensor) -> bool:
    """Is it true of all elements, inside of vmap of those of all samples?"""
    if hasattr(condition.array, "level"):  # an array of samples, unlike a Tensor, may be asked
        return bool(condition.array.all())
    return bool(condition.all())


# ---- dimensions and shapes -----------------------------------------------------------------------
def dim_of(dim: Any, ndim: int, op: str) -> int:
    """One dimension as a number in [0, ndim). Raises IndexError as PyTorch does."""
    if type(dim) is int and -ndim <= dim < ndim:
        return dim % ndim
    if type(dim) is not int:
        if not is_int(dim):
            raise TypeError(
                message(f"{op}(): argument 'dim' must be int, not {type(dim).__name__}")
            )
        dim = int(dim)
    limit = ndim or 1
    if not -limit <= dim < limit:
        raise dim_error(dim, ndim, op)
    return dim % limit


def dim_of_some(dim: Any, ndim: int, op: str) -> int:
    """`dim_of`, where a tensor of no dimensions has none that could be named."""
    if not ndim:
        raise IndexError(
            message(f"Dimension specified as {dim} but tensor has no dimensions", f"in {op}()")
        )
    return dim_of(dim, ndim, op)


def dims_of(dim: Dims, ndim: int, op: str) -> Shape:
    """One dimension, several, or None for all, as a tuple of numbers in the order given.

    Raises RuntimeError for one that is given twice.
    """
    if dim is None:
        return tuple(range(ndim))
    if type(dim) is tuple and len(dim) == 1:
        dim = dim[0]
    if type(dim) is int and -ndim <= dim < ndim:  # the common case, at half of the time
        return (dim % ndim,)
    given = dim if isinstance(dim, (tuple, list)) else (dim,)
    out = tuple([dim_of(d, ndim, op) for d in given])
    if len(set(out)) < len(out):
        raise RuntimeError(
            message(f"dim {out[-1]} appears multiple times in the list of dims", f"{op}(dim={dim})")
        )
    # a 0-d tensor has, for this purpose, one dimension over which nothing is done
    return out if ndim else ()


def given_once(op: str, parameter: str, sizes: Any, named: Any) -> Any:
    """``*sizes``, or the list that was given by name. TypeError for both, and for neither."""
    if named is None and sizes:
        return sizes
    if sizes:
        raise TypeError(message(f"{op}() got multiple values for argument '{parameter}'"))
    if named is None:
        what = f'{op}() missing 1 required positional arguments: "{parameter}"'
        raise TypeError(message(what, fix=f"{op}(2, 3), or {op}((2, 3))"))
    return (named,)


def shape_of(shape: Any, op: str) -> Shape:
    """Sizes given as ``(2, 3)``, ``[2, 3]`` or ``2, 3``."""
    if len(shape) == 1 and type(shape[0]) is not int and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    if type(shape) is tuple:
        for s in shape:
            if type(s) is not int:
                break
        else:
            return shape
    try:
        if shape and type(shape[0]) is bool:  # as in PyTorch, which looks at the first
            raise TypeError
        return tuple([s if type(s) is int else s.__index__() for s in shape])
    except (AttributeError, TypeError):
        kinds = ", ".join(type(s).__name__ for s in shape)
        raise TypeError(
            message(
                f"{op}(): argument 'size' must be tuple of ints, but got ({kinds})",
                fix="int(size), or n // 2" if "float" in kinds else "",
            )
        ) from None


# ---- dtypes --------------------------------------------------------------------------------------
def not_floating(kernel: str, x: Tensor) -> NotImplementedError:
    """The error for an ``x`` that is not floating; PyTorch names the ``kernel`` that it misses."""
    kind = TORCH_TYPES[x.array.dtype.name]
    return NotImplementedError(
        message(f"\"{kernel}\" not implemented for '{kind}'", describe(x), fix="x.float()")
    )


def element(value: Any, like: Tensor) -> Tensor:
    """A Python number as a 0-d constant of the dtype of ``like``: what is to be written into it.

    A fraction is cut off for integers. RuntimeError for a number that the dtype does not hold.
    """
    return constant(operands.element(value, like.array.dtype), like.node.dev)


def as_element(value: Tensor, like: Tensor) -> Tensor:
    """A tensor of one element, in the dtype of ``like``: what is to be written into it.

    RuntimeError for a number that the dtype does not hold; a fraction is cut off for integers.
    """
    if value.array.dtype == like.array.dtype:
        return value
    known = type(value.array) is np.ndarray
    if known and (not value.node.needs or (value.is_complex() and not like.is_complex())):
        return element(value.item(), like)
    return value.to(like.dtype)


def tensors_only(name: str, **operands: object) -> None:
    """Raise TypeError unless all are Tensors."""
    for argument, x in operands.items():
        if not isinstance(x, Handle):
            what = f"{name}(): argument '{argument}' must be Tensor, not {type(x).__name__}"
            raise NoTensor(message(what, fix="torch.tensor(...) makes a tensor of a number"))


def no_gradient_of(name: str, **arguments: object) -> None:
    """RuntimeError for an argument that requires gradient, where ``name`` has no derivative for it.

    As if it were a constant, its gradient would be dropped in silence.
    """
    for argument, x in arguments.items():
        if isinstance(x, Handle) and x.node.needs and mode.get().grad:
            raise RuntimeError(
                message(
                    f"the function '{name}' is not differentiable with respect to argument "
                    f"'{argument}'. This input cannot have requires_grad True.",
                    fix=f"{argument}.detach()",
                )
            )


def no_tensor(name: str, x: object) -> NoTensor:
    """The error for what stands in the place of a function's first operand."""
    kind = type(x).__name__
    fix = "torch.tensor(...) makes a tensor" if isinstance(x, (list, tuple)) else ""
    what = f"{name}(): argument 'input' (position 1) must be Tensor, not {kind}"
    return NoTensor(message(what, fix=fix))


def within(index: Array, n: int) -> bool:
    """Are all int64 numbers from 0 to n - 1? In one pass: as unsigned, negative ones are large.

    False for what is not an array of numpy's int64 numbers.
    """
    if type(index) is not np.ndarray or index.dtype is not I64:
        return False
    if index.size <= FEW:  # a list takes a fifth of the time
        numbers = index.tolist() if index.ndim == 1 else index.ravel().tolist()
        return not numbers or (min(numbers) >= 0 and max(numbers) < n)
    return bool(index.view(np.uint64).max() < n)


FEW = 16


def refuse_complex(kernel: str, *operands: object) -> None:
    """Raise where a function that is no op orders its operands, and they are complex."""
    for x in operands:
        d = getattr(getattr(x, "array", x), "dtype", None)
        if d is not None and d.kind == "c":
            kind = TORCH_TYPES[d.name]
            raise (RuntimeError if kernel in CHECKED else NotImplementedError)(
                message(
                    f"\"{kernel}\" not implemented for '{kind}'",
                    "complex numbers have no order",
                    fix="x.abs(), x.real and x.imag are real",
                )
            )


# ---- results -----------------------------------------------------------------------------------
def owned(t: Tensor) -> Tensor:
    """``t``, a view of a tensor that nobody else knows, as no view: PyTorch's result is none."""
    t.origin = None
    return t


# ---- declarations --------------------------------------------------------------------------------
def rows(out: Array) -> Array:
    """``out`` in row-major order, as PyTorch lays out the results of all but elementwise ops.

    numpy follows its operands' layout instead, and a reshape would be a copy where PyTorch's is a
    view.
    """
    return out if out.ndim < 2 or out.flags.c_contiguous else copied(out)


def copied(x: Array) -> Array:
    """A copy in row-major order, by several threads if it is large."""
    if type(x) is not np.ndarray or x.nbytes < LARGE:
        return x.copy()
    out = np.empty(x.shape, x.dtype)
    Reference.fill(out, x)
    return out


LARGE = 1 << 17  # bytes


MANY = 16


def variadic(
    name: str, forward: Callable[..., Any], vjp: Callable[[int], Vjp], rule: str,
    explain: Callable[..., Exception] = ABSENT, saves: bool = False,
    joint: Callable[..., Any] | None = None,
) -> Op:  # fmt: skip
    """An op of any number of inputs; ``vjp(i)`` is the derivative for input i.

    ``saves``: each derivative reads all inputs but its own, as that of a product does. ``joint``:
    all derivatives in one call, for many inputs: n calls of a vjp with n inputs each take n² steps.
    """

    @cache
    def family(n: int) -> Op:
        vjps, all_inputs = [vjp(i) for i in range(n)], LETTERS[:n]
        reads = [" ".join(all_inputs.replace(x, "")) for x in all_inputs] if saves else ()
        return Op(
            name, forward, vjps, saves=reads, rule=(rule,) * n, explain=explain, register=False,
            joint=joint if n > MANY else None, reads_nothing=not saves,
            complex="holomorphic" if saves else "own",
        )  # fmt: skip

    return Op(name, forward, (vjp(0),), rule=(rule,), explain=explain, family=family)


def whole_or_not(input: Tensor, dtype: DTypeLike) -> Tensor:
    """``input`` in the dtype that a function of it was asked for.

    RuntimeError if that is one of whole numbers and a gradient would be lost.
    """
    out = input.to(dtype=dtype)
    if input.node.needs and out.array.dtype.kind not in "fcV" and mode.get().grad:
        raise RuntimeError(
            message(
                f"Autograd not support dtype: {TORCH_TYPES[out.array.dtype.name]}",
                f"{describe(input)} requires gradient, which whole numbers do not carry",
                fix="x.detach(), or ask for a floating dtype",
            )
        )
    return out


def factor(name: str, word: str, value: Any) -> Any:
    """A factor as Python's number. TypeError for what is none, a Tensor that requires gradient."""
    check_type(name, word, "Number", value, f"multiply by it: {name}(x, {word} * y)")
    return value.item() if hasattr(value, "item") else value


def check_factor(word: str, factor: AnyNumber, kinds: Sequence[str]) -> None:
    """RuntimeError for a factor of a higher kind than the tensors, whose ``kinds`` are numpy's."""
    what = ""
    if isinstance(factor, bool) and {*kinds} != {"b"}:
        what = f"Boolean {word} only supported for Boolean results."
    elif isinstance(factor, complex) and "c" not in kinds:
        what = f"For non-complex input tensors, argument {word} must not be a complex number."
    elif isinstance(factor, float) and not {"f", "V", "c"} & {*kinds}:
        what = f"For integral input tensors, argument {word} must not be a floating point number."
    if what:
        raise RuntimeError(message(what, f"{word} = {factor}", fix="input.float()"))
