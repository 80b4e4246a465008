"""``out=``: the result of a function is written into a tensor that the caller gives.

A function that takes it calls ``into`` where ``out`` is given, and does nothing else for it: the
result is computed as ever, without gradient, and copied.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays import dtypes
from ..arrays.memory_order import in_memory_order, outermost_first
from ..base.errors import DeviceError, ShapeError, describe, message, warn
from ..graph import mode
from ..graph.mode import Mode
from ..notation.formulas import TABLE
from .record import constant, constant_node

if TYPE_CHECKING:
    from ..base.types import Argument, Array
    from ..handles.tensor import Tensor
else:
    from .handle import Handle as Tensor


# Functions whose out must have the dtype of the result. All others cast to it, as arithmetic does.
EXACT = frozenset(
    "addbmm addmm addmv amax amin aminmax argmax argmin avg_pool2d avg_pool3d baddbmm "
    "bitwise_not bmm bucketize ceil cholesky cholesky_ex complex conj_physical cross cummax "
    "cummin det diag diff dot eigh eigvalsh float_power floor frac frexp gather gelu hardshrink "
    "heaviside histc histogram index_add index_reduce index_select inner inv inv_ex inverse isin "
    "isneginf isposinf kthvalue ldl_factor ldl_factor_ex ldl_solve lerp linear log_softmax "
    "logcumsumexp logsigmoid lu lu_factor lu_factor_ex lu_solve lu_unpack masked_select matmul "
    "matrix_norm matrix_power median mm mode msort multi_dot multinomial mv nan_to_num nanmedian "
    "nanquantile neg negative nonzero norm ormqr polar qr quantile renorm round scatter "
    "scatter_add scatter_reduce searchsorted sgn sign signbit slice_scatter slogdet softmax "
    "softplus softshrink solve solve_ex solve_triangular sort svd svdvals take take_along_dim "
    "tensordot topk triangular_solve tril triu trunc vdot vecdot vector_norm where".split()
)
# These too, of one tensor. Of several they compute in a common dtype, and cast.
CLAMPS = frozenset({"clamp", "clamp_max", "clamp_min", "clip"})
# These too, of real numbers.
LENGTHS = frozenset({"abs", "absolute"})
# These raise TypeError where the result cannot become what out is.
JOINS = frozenset(
    "cat column_stack concat concatenate dstack hstack row_stack stack vstack".split()
)
# These compute in the dtype of out.
SUMS = frozenset({"cumprod", "cumsum", "mean", "nansum", "prod", "sum"})
# These, and elementwise ops, refuse an out that lies partly in the memory of an operand: PyTorch
# writes while it reads. (Others do so, too, and do not look. Here all is read before.)
LOOKING = frozenset(
    "addbmm addcdiv addcmul addmm addmv addr baddbmm clamp conj_physical cumprod cumsum index_add "
    "index_copy index_reduce kthvalue lerp logcumsumexp max min mode nan_to_num polygamma renorm "
    "round scatter scatter_add scatter_reduce sort topk".split()
)
# These refuse also one that is an operand.
MOVING = frozenset("cat cross gather index_select kron masked_select stack take".split())
# These fill an out of as many elements in its own shape: a part of a matrix, for example.
# in the order of out's memory
DRAWS = frozenset({"bernoulli", "normal", "rand", "randint", "randn"})
RANGES = frozenset({"arange", "linspace", "logspace", "range"})


def into(
    out: Any, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """``function(*args, **kwargs)`` written into ``out``: a tensor, or one for each result.

    Raises as PyTorch does: RuntimeError where a gradient would be lost, or where the result's dtype
    cannot become that of ``out``. A tensor of another shape is resized, with a warning unless it is
    empty.
    """
    targets = tuple(out) if isinstance(out, (tuple, list)) else (out,)
    for t in targets:
        if not isinstance(t, Tensor):
            raise TypeError(
                message(
                    f"{function.__name__}(): argument 'out' must be Tensor, "
                    f"not {type(t).__name__}"
                )
            )
    asked = kwargs.get("dtype")
    if function.__name__ in SUMS and asked is None:
        kwargs = {**kwargs, "dtype": targets[0].dtype}
    elif asked is not None and function.__name__ not in EXACT:
        if any(t.dtype != asked for t in targets):
            raise _wrong_dtype(function.__name__, asked, targets[0])
    now = mode.get()
    try:
        mode.set(Mode(False, now.scope, now.inference))
        given = _tensors((args, kwargs))
        if given and function.__name__ in DRAWS:
            result = _drawn(function, args, kwargs, given, targets[0].array)
        else:
            result = function(*args, **kwargs)
        results = result if isinstance(result, tuple) else (result,)
        if isinstance(result, tuple) is not isinstance(out, (tuple, list)):
            should = "tuple of Tensors" if isinstance(result, tuple) else "Tensor"
            what = f"argument 'out' must be {should}, not {type(out).__name__}"
            raise TypeError(message(f"{function.__name__}(): {what}"))
        if now.grad:
            _check_gradients(function.__name__, results, targets, given)
        _check_memory(function.__name__, results, targets, given)
        _write(function.__name__, results, targets, given)
    finally:
        mode.set(now)
    if not isinstance(result, tuple):
        return targets[0]
    return type(result)(*targets) if hasattr(result, "_fields") else targets


def _drawn(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any],
    given: Sequence[Tensor], out: Array,
) -> Any:  # fmt: skip
    """Random numbers for each element of ``given``, in the order of out's memory.

    The operands are turned until that is the order of rows, and the result is turned back.
    """
    sizes = {x.array.shape for x in given}
    if out.flags.c_contiguous or not sizes <= {out.shape, ()}:  # (else out is resized to rows)
        return function(*args, **kwargs)
    order = outermost_first(out)

    def turned(x: Argument) -> Argument:
        return x.permute(order) if isinstance(x, Tensor) and x.array.ndim else x

    result = function(*map(turned, args), **{k: turned(x) for k, x in kwargs.items()})
    return result.permute(sorted(range(out.ndim), key=order.__getitem__))


def _check_gradients(
    name: str, results: Sequence[Tensor], targets: Sequence[Tensor], given: Sequence[Tensor]
) -> None:
    """Raise where a gradient would be lost. (That a comparison has none is known without.)"""
    lost = any(t.node.needs for t in targets)
    if name in SUMS or any(r.array.dtype.kind in "fcV" for r in results):
        lost = lost or any(t.node.needs for t in given)
    if lost:
        raise RuntimeError(
            message(
                f"{name}(): functions with out=... arguments don't support automatic "
                "differentiation, but one of the arguments requires grad.",
                fix="call it without out=, or under torch.no_grad()",
            )
        )


# refuse operands in memory that is to be written (handles/overlaps.py)
refusing: list[Callable[..., None]] = []


def _check_memory(
    name: str, results: Sequence[Tensor], targets: Sequence[Tensor], given: Sequence[Tensor]
) -> None:
    """Raise where PyTorch would write to an operand that it still reads."""
    elementwise = name in TABLE
    if not (elementwise or name in LOOKING or name in MOVING):
        return
    for t in targets:
        for refuse in refusing:
            refuse(t.array, given, name, name in MOVING)
    for t, r in zip(targets, results, strict=False):
        if elementwise and t.array.shape != r.array.shape and any([x is t for x in given]):
            raise ShapeError(
                message(
                    f"output with shape {list(t.array.shape)} doesn't match the broadcast shape "
                    f"{list(r.array.shape)}",
                    f"{name}(out={describe(t)}), which is an operand, too",
                )
            )


def _write(
    name: str, results: Sequence[Tensor], targets: Sequence[Tensor], given: Sequence[Tensor]
) -> None:
    """Copy each result into its target, once all of them are seen to fit."""
    if len(results) != len(targets):
        raise TypeError(
            message(
                f"{name}(): argument 'out' must be {len(results)} tensors, not {len(targets)}"
            )
        )
    exact = _exact(name, given, len(results))
    for r, t in zip(results, targets, strict=True):
        _check(name, r, t, exact)
    for r, t in zip(results, targets, strict=True):
        if name in RANGES and t.array.size == r.array.size:
            r = r.reshape(t.shape)
        if t.array.shape != r.array.shape:
            _resize(t, r)
        elif name in DRAWS and not given:
            r = constant(in_memory_order(t.array, r.array.reshape), r.node.dev)
        t.copy_(r)


class NotGiven:
    """The default of what may not be given, not even as None: signatures write it as ``...``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "..."


NOT_GIVEN: Any = NotGiven()


def by_keyword(
    function: Callable[..., Any], args: Sequence[Any], more: Any, out: Any
) -> Any:
    """``into`` for a function whose ``out`` stands behind a parameter that nobody gives."""
    if more is not NOT_GIVEN:
        raise TypeError(
            message(
                f"{function.__name__}() takes {len(args)} positional argument"
                f"{'s' * (len(args) > 1)} but more were given"
            )
        )
    return function(*args) if out is None else into(out, function, args, {})


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in nested arguments."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return []
    return [t for v in value for t in _tensors(v)]


def _exact(name: str, given: Sequence[Tensor], results: int) -> bool:
    """Must an out have the dtype of the result?"""
    if name in ("max", "min"):  # over a dimension, with indices
        return results == 2
    if name in LENGTHS:
        return given[0].array.dtype.kind != "c"
    return name in EXACT or name.endswith("_copy") or (name in CLAMPS and len(given) == 1)


def _check(name: str, result: Tensor, out: Tensor, exact: bool) -> None:
    if result.node.dev.device is not out.node.dev.device:
        raise DeviceError(
            message(
                f"Expected all tensors to be on the same device, but out is on {out.device} and "
                f"other tensors are on {result.device}",
                f"{name}(out={describe(out)})",
            )
        )
    source, target = result.array.dtype, out.array.dtype
    if name in ("all", "any") and target.name not in ("bool", "uint8"):
        raise RuntimeError(
            message(
                f"{name} only supports bool tensor for result, got: {out.dtype}",
                f"{name}(out={describe(out)})",
                fix="out of torch.bool",
            )
        )
    if source != target and exact:
        raise _wrong_dtype(name, result.dtype, out)
    if name != "bernoulli" and not dtypes.can_cast(source, target):
        names = [dtypes.TORCH_TYPES.get(d.name, d.name) for d in (source, target)]
        raise (TypeError if name in JOINS else RuntimeError)(
            message(
                f"result type {names[0]} can't be cast to the desired output type {names[1]}",
                f"{name}(out={describe(out)})",
                fix="give an out of the result's dtype",
            )
        )


def _wrong_dtype(name: str, dtype: object, out: Tensor) -> RuntimeError:
    return RuntimeError(
        message(
            f"Expected out tensor to have dtype {dtype}, but got {out.dtype} instead",
            f"{name}(out={describe(out)})",
            fix="give an out of the result's dtype",
        )
    )


def _resize(out: Tensor, result: Tensor) -> None:
    """Give ``out`` memory of the result's shape."""
    if out.array.size:
        warn(
            f"An output with one or more elements was resized since it had shape "
            f"{list(out.array.shape)}, which does not match the required output shape "
            f"{list(result.array.shape)}. This behavior is deprecated, and in a future PyTorch "
            "release outputs will not be resized unless they have zero elements. You can "
            "explicitly reuse an out tensor t by resizing it, inplace, to zero elements with "
            "t.resize_(0).",
        )
    out.array = out.node.dev.empty(result.array.shape, out.array.dtype)
    out.origin = None
    out.node = constant_node(out.array, out.node.dev)
