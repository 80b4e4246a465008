"""``torch.vmap``: one function on all samples at once.

The arguments become batches, the function runs once, and what it returns becomes whole tensors
again. Between the two, every op computes as rules.py says.
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ..arrays.generator import default_generator
from ..base.errors import message
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS
from . import draws, trees
from .batched import Batch
from .borders import into_batch, out_of_batch
from .level import Level, entered, levels_in

if TYPE_CHECKING:
    from ..base.types import Tree

Dims = Any  # an int, None, or nested containers of them


def vmap(
    func: Callable[..., Any],
    in_dims: Dims = 0,
    out_dims: Dims = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that computes ``func`` for each slice of its arguments, and stacks the results.

    ``in_dims``: the dimension of each argument that is mapped over, None for an argument that all
    share. An int for all, or a tuple, whose entries may be containers in the form of the arguments.
    ``out_dims``: where the mapped dimension stands in the results; None for a result that is the
    same for all. ``randomness``: what random functions inside do: "error", "same" numbers for
    all, or "different" ones. ``chunk_size``: so many slices at a time, to save memory.

    Inside, a tensor has the shape of one slice. What depends on its numbers (``.item()``, ``if
    x > 0``) raises RuntimeError. Raises ValueError for dimensions that do not fit the arguments.
    Calls may be nested.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            message(
                "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
                f"{randomness}"
            )
        )
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(
            message(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
        )

    @functools.wraps(func)
    def mapped(*args: Tree, **kwargs: Tree) -> Tree:
        _check_out_dims(func, out_dims)
        leaves, dims, structure = _arguments(func, in_dims, args)
        sizes = [x.array.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None]
        if not sizes:
            raise ValueError(message("vmap: Expected at least one Tensor to vmap over"))
        if len(set(sizes)) > 1:
            raise ValueError(
                message(
                    "vmap: Expected all tensors to have the same size in the mapped dimension, got "
                    f"sizes {sizes} for the mapped dimension"
                )
            )
        size = sizes[0]
        if chunk_size is None or chunk_size >= size:
            return _run(func, leaves, dims, structure, size, out_dims, randomness, kwargs)
        parts = []
        state = default_generator.get_state() if randomness == "same" else None
        for start in range(0, size, chunk_size):
            if state is not None:  # of all chunks
                default_generator.set_state(state)
            n = min(chunk_size, size - start)
            chunk = [
                x if d is None else x.narrow(d, start, n) for x, d in zip(leaves, dims, strict=True)
            ]
            parts.append(_run(func, chunk, dims, structure, n, out_dims, randomness, kwargs))
        return _joined(parts, out_dims)

    return mapped


def _run(
    func: Callable[..., Any], leaves: Sequence[Any], dims: Sequence[int | None],
    structure: trees.Structure, size: int, out_dims: Dims, randomness: str, kwargs: dict[str, Any],
) -> Tree:  # fmt: skip
    with entered(Batch, size, randomness) as level, draws.watched():
        inputs = []
        for x, d in zip(leaves, dims, strict=True):
            if d is not None:
                x = into_batch(x, level, d)
            inputs.append(x)
        result = func(*trees.unflatten(inputs, structure), **kwargs)
        return _whole(func, result, out_dims, level)


def _whole(func: Callable[..., Any], result: Tree, out_dims: Dims, level: Level) -> Tree:
    """What ``func`` returned, as whole tensors."""
    outputs, structure = trees.flatten(result)
    if isinstance(result, Tensor):
        one = isinstance(out_dims, tuple) and len(out_dims) == 1
        dims = [out_dims[0] if one else out_dims]
        fits = isinstance(dims[0], int) or dims[0] is None
    else:
        spread = trees.spread_over(out_dims, structure)
        dims, fits = spread or [], spread is not None
    if not fits:
        raise ValueError(
            message(
                f"vmap({name_of(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not "
                "compatible with the structure of `outputs`. out_dims has structure "
                f"{trees.flatten(out_dims)[1]} but outputs has structure {structure}."
            )
        )
    whole = [_out(func, y, d, level) for y, d in zip(outputs, dims, strict=True)]
    return trees.unflatten(whole, structure)


def _out(func: Callable[..., Any], y: Tree, dim: int | None, level: Level) -> Tree:
    name = name_of(func)
    if dim is None:
        if isinstance(y, Tensor) and level in levels_in(y.array):
            raise ValueError(
                message(
                    f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is "
                    "None"
                )
            )
        return y
    if not isinstance(y, Tensor):
        raise ValueError(
            message(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(y)}. Did "
                "you mean to set out_dims= to None for output?"
            )
        )
    n = y.array.ndim + 1
    if not -n <= dim < n:
        raise IndexError(
            message(
                f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got "
                f"{dim})",
                f"vmap({name}, out_dims={dim})",
            )
        )
    return out_of_batch(y, level, dim % n)


def _arguments(
    func: Callable[..., Any], in_dims: Dims, args: tuple[Any, ...]
) -> tuple[list[Any], list[int | None], trees.Structure]:
    """The leaves of the arguments, and the dimension that each is mapped over."""
    name = name_of(func)
    start = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): "

    def refuse(text: str) -> NoReturn:
        raise ValueError(message(start + text))

    if not isinstance(in_dims, (int, tuple)):
        refuse(
            "expected `in_dims` to be int or a (potentially nested) tuple matching the structure "
            f"of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            message(
                f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you "
                "are trying to vmap over a function with no inputs. The latter is unsupported."
            )
        )
    leaves, structure = trees.flatten(args)
    dims = trees.spread_over(in_dims, structure)
    if dims is None:
        refuse(
            f"in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{trees.flatten(in_dims)[1]} but inputs has structure {structure}."
        )
    for i, (x, d) in enumerate(zip(leaves, dims, strict=True)):
        if d is None:
            continue
        if not isinstance(d, int):
            refuse(
                f"Got in_dim={d} for an input but in_dim must be either an integer dimension or "
                "None."
            )
        if not isinstance(x, Tensor):
            refuse(
                f"Got in_dim={d} for an input but the input is of type {type(x)}. We cannot vmap "
                "over non-Tensor arguments, please use None as the respective in_dim"
            )
        n = x.array.ndim
        if not -n <= d < n:
            refuse(
                f"Got in_dim={d} for some input, but that input is a Tensor of dimensionality {n} "
                f"so expected in_dim to satisfy -{n} <= in_dim < {n}."
            )
        dims[i] = d % n
    return leaves, dims, structure


def _check_out_dims(func: Callable[..., Any], out_dims: Dims) -> None:
    for d in trees.flatten(out_dims)[0]:
        if d is not None and not isinstance(d, int):
            raise ValueError(
                message(
                    f"vmap({name_of(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, "
                    "None or a python collection of ints representing where in the outputs the "
                    "vmapped dimension should appear."
                )
            )


def _joined(parts: Sequence[Any], out_dims: Dims) -> Tree:
    """The results of chunks, joined along the mapped dimension."""
    flat = [trees.flatten(part) for part in parts]
    structure = flat[0][1]
    if structure.kind is None and isinstance(out_dims, tuple):
        out_dims = out_dims[0]
    dims = trees.spread_over(out_dims, structure) or []
    columns = zip(*[leaves for leaves, _ in flat], strict=True)
    joined = [
        column[0] if d is None else FUNCTIONS["cat"](column, d)
        for column, d in zip(columns, dims, strict=True)
    ]
    return trees.unflatten(joined, structure)


def name_of(func: Callable[..., Any]) -> str:
    """A function's name, for messages."""
    if isinstance(func, functools.partial):
        return f"functools.partial({name_of(func.func)}, ...)"
    return getattr(func, "__name__", repr(func))
