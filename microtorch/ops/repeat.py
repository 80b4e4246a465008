"""Copies in which elements stand several times: repeat, tile, repeat_interleave."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import TORCH_TYPES
from ..base.errors import describe, message
from ..base.naming import named
from ..engine.argument_types import is_int
from ..engine.basic_ops import clone
from ..engine.handle import Handle
from ..engine.record import constant, constant_of
from ..engine.short import single
from ..engine.whole import known
from .arguments import dim_of, given_once, shape_of
from .shape import expand, ravel, reshape
from .surface import METHODS, one_list, public

if TYPE_CHECKING:
    from ..base.types import Array
    from ..handles.tensor import Tensor
    from .shape import Sizes


@public(function=False)
def repeat(
    input: Tensor, *sizes: Sizes, repeats: Sequence[int] | None = None
) -> Tensor:
    """The tensor tiled ``sizes`` times along each dimension (a copy)."""
    if repeats is not None:
        sizes = given_once("repeat", "repeats", sizes, repeats)
    times = shape_of(sizes, "repeat")
    if len(times) < (ndim := input.array.ndim):
        raise RuntimeError(
            message(
                "Number of dimensions of repeat dims can not be smaller than number of dimensions "
                "of tensor",
                f"{describe(input)}.repeat{times}".replace(",)", ")"),
                fix=f"one number for each dimension: x.repeat{(1,) * (ndim - len(times)) + times}",
            )
        )
    if any(n < 0 for n in times):
        raise RuntimeError(
            message(f"Trying to create tensor with negative dimension: repeat{times}")
        )
    shape = (1,) * (len(times) - input.array.ndim) + input.array.shape
    paired = [s for pair in zip(times, shape, strict=True) for s in pair]
    x = reshape(input, *(s for n in shape for s in (1, n)))
    out = reshape(expand(x, *paired), *(a * b for a, b in zip(times, shape, strict=True)))
    # repeated once in each dimension, it is a view until here
    return out if out.origin is None else single(clone, out, {"order": "C"})


@public(method=False)
def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """numpy's tile: as repeat, with missing dims taken as 1."""
    if is_int(dims):
        raise one_list("tile", "dims", dims)
    times = shape_of((dims,), "tile")
    return repeat(input, *((1,) * (input.array.ndim - len(times)) + times))


def _tile(self: Tensor, *sizes: Sizes, dims: Sequence[int] | None = None) -> Tensor:
    return tile(self, shape_of(given_once("tile", "dims", sizes, dims), "tile"))


METHODS["tile"] = named(_tile, "tile", tile.__doc__ or "")


@public()
def repeat_interleave(
    input: Tensor | None = None,
    repeats: Tensor | int | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each element repeated ``repeats`` times along ``dim`` (of the flattened tensor if None).

    ``repeats`` is a number, or a tensor with one per element. Alone, it is the one tensor given,
    and the result says which element each repetition belongs to.
    """
    if input is None and isinstance(repeats, Handle):
        input, repeats = repeats, None
    if input is None:
        raise TypeError(message("repeat_interleave() received an invalid combination of arguments"))
    if repeats is None:
        times = _repeats(input)
        index = constant(input.node.dev.array(np.repeat(np.arange(times.size), times)))
    else:
        if dim is None:
            input, dim = input if input.array.ndim == 1 else ravel(input), 0
        d = dim_of(dim, input.array.ndim, "repeat_interleave")
        n = input.array.shape[d] if input.array.ndim else 1
        plain = type(repeats) is int and repeats >= 0 and output_size is None
        times = _NONE if plain else _repeats(repeats)
        if isinstance(repeats, int) and output_size in (None, n * repeats):
            x = input.array
            if plain and not input.node.needs and type(x) is np.ndarray and x.ndim:
                # the copies, of which nothing is recorded
                sizes = (*x.shape[: d + 1], repeats, *x.shape[d + 1 :])
                copies = constant_of(np.repeat(x, repeats, d).reshape(sizes), input.node.dev)
                return copies.flatten(d, d + 1)
            column = (ravel(input) if not x.ndim else input).unsqueeze(d + 1)
            shape = [-1] * column.array.ndim
            shape[d + 1] = repeats
            copies = single(clone, column.expand(shape), {"order": "C"})
            return copies.flatten(d, d + 1)  # a view, as in PyTorch
        if times.size not in (1, n):
            raise RuntimeError(
                message(
                    "repeats must have the same size as input along dim, but got "
                    f"repeats.size(0) = {times.size} and input.size({d}) = {n}"
                )
            )
        index = constant(np.repeat(np.arange(n), times), input.node.dev)
    if output_size is not None and output_size != index.array.size:
        raise RuntimeError(
            message(
                "allocated size does not match required size",
                f"output_size={output_size}, but the repeats add up to {index.array.size}",
            )
        )
    return index if repeats is None else input.index_select(d, index)


_NONE = np.empty(0, np.int64)


def _repeats(given: Any) -> Array:
    """How often each element is repeated, as an array of one dimension."""
    times: Array = known(given) if hasattr(given, "node") else np.asarray(given)
    if not isinstance(given, int) and not hasattr(given, "node"):
        raise TypeError(
            message(
                "repeat_interleave(): argument 'repeats' must be Tensor or int, not "
                + type(given).__name__
            )
        )
    if times.ndim > 1:
        raise RuntimeError(message("repeats must be 0-dim or 1-dim tensor", describe(given)))
    if times.dtype.kind not in "iu":
        kind = TORCH_TYPES[times.dtype.name]
        raise NotImplementedError(
            message(f"\"repeat_interleave_cpu\" not implemented for '{kind}'", fix="repeats.long()")
        )
    if times.size and times.min() < 0:
        raise RuntimeError(message("repeats can not be negative", f"smallest: {times.min()}"))
    return times.reshape(-1)
