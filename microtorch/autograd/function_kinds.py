"""A custom Function of dual numbers (its ``jvp``) and of batches (its ``vmap``)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.errors import message
from ..engine.record import constant
from ..graph import mode
from ..handles.tensor import Tensor
from ..kinds import trees
from ..kinds.borders import dual, into_batch, out_of_batch, part
from ..kinds.dual import Dual, has_tangent
from ..kinds.level import Level, frames, levels_in, lift
from .grad_mode import enable_grad
from .gradients import grad

if TYPE_CHECKING:
    from ..base.types import Tree
    from .function import Function

PACKAGE = __name__.partition(".")[0] + "."


def apply_inside(cls: type[Function], args: tuple[Any, ...]) -> Tree:
    """``cls.apply(*args)`` where an argument is of some kind of numbers: one level is taken off.

    Tangents first: a Function may compute with arrays, which know of none.
    """
    levels = {level for a in args if isinstance(a, Tensor) for level in levels_in(a.array)}
    level = max(levels, key=lambda level: (level.kind is Dual, level.birth))
    if level.kind is Dual:
        return _forward_mode(cls, args, level)
    if cls.vmap is not None:
        return _mapped(cls, args, level)
    # forward and backward compute with batches. What all samples share becomes one, so that its
    # gradient is the sum of theirs
    needs = [isinstance(a, Tensor) and a.node.needs for a in args]
    given = [lift(a, levels) if n else a for a, n in zip(args, needs, strict=True)]
    return cls._applied(tuple(given))[0]


def _forward_mode(cls: type[Function], args: tuple[Any, ...], level: Level) -> Tree:
    def inside(a: Tree) -> bool:
        return isinstance(a, Tensor) and level in levels_in(a.array)

    primals = tuple([part(a, level, 0) if inside(a) else a for a in args])
    if not any(inside(a) and has_tangent(a.array, level) for a in args):
        return cls.apply(*primals)
    tangents = [
        part(a, level, 1) if inside(a) else _zeros(a) if isinstance(a, Tensor) else None
        for a in args
    ]
    if cls.__module__.startswith(PACKAGE) and "jvp" not in vars(cls):
        outputs, found = _by_backward(cls, primals, tangents)
    else:
        outputs, ctx = cls._applied(primals)
        ctx._forward = True
        try:
            found = cls.jvp(ctx, *tangents)
        finally:
            ctx._forward = False
    several = isinstance(outputs, tuple)
    found = found if isinstance(found, tuple) else (found,)
    ys = outputs if several else (outputs,)
    if len(found) != len(ys):
        raise RuntimeError(
            message(
                f"function {cls.__name__}.jvp returned an incorrect number of tangents (expected "
                f"{len(ys)}, got {len(found)})",
                fix="return one tangent for each output of forward, None for those without",
            )
        )
    out = []
    for y, t in zip(ys, found, strict=True):
        if isinstance(y, Tensor) and t is not None:
            if t.array.shape != y.array.shape:
                raise RuntimeError(
                    message(
                        f"{cls.__name__}.jvp returned a tangent of shape {list(t.shape)} for an "
                        f"output of shape {list(y.shape)}"
                    )
                )
            union = {*levels_in(y.array), *levels_in(t.array)}
            y = dual(lift(y, union), lift(t, union), level)
        out.append(y)
    return tuple(out) if several else out[0]


def _by_backward(
    cls: type[Function], primals: tuple[Any, ...], tangents: list[Any]
) -> tuple[Any, tuple[Any, ...]]:
    """The outputs of a Function of our own and their tangents, by two passes of its backward."""
    recording = mode.get().grad and any(
        isinstance(t, Tensor) and t.node.needs for t in (*primals, *tangents)
    )
    with enable_grad():
        tensors = [a for a in (*primals, *tangents) if isinstance(a, Tensor)]
        levels = {level for a in tensors for level in levels_in(a.array)}
        xs = [
            a if t is None else lift(a, levels).view_as(a) if a.node.needs
            else lift(_cut(a), levels).requires_grad_()
            for a, t in zip(primals, tangents, strict=True)
        ]  # fmt: skip
        outputs = cls.apply(*xs)
        ys = outputs if isinstance(outputs, tuple) else (outputs,)
        places = [i for i, y in enumerate(ys) if isinstance(y, Tensor) and y.node.needs]
        us = [lift(_zeros(ys[i]), levels).requires_grad_() for i in places]
        pairs = [(x, t) for x, t in zip(xs, tangents, strict=True) if t is not None]
        rows = grad(
            [lift(ys[i], levels) for i in places], [x for x, _ in pairs], us, create_graph=True,
            allow_unused=True,
        )  # fmt: skip
        ways = [
            (r, t) for r, (_, t) in zip(rows, pairs, strict=True) if r is not None and r.node.needs
        ]  # fmt: skip
        found: list[Any] = [None] * len(ys)
        if ways:
            given = grad(
                [r for r, _ in ways], us, [t for _, t in ways], create_graph=recording,
                allow_unused=True,
            )  # fmt: skip
            for i, t in zip(places, given, strict=True):
                found[i] = t
    if not recording:
        outputs = trees.mapped(_cut, outputs)
    return outputs, tuple(found)


def _cut(x: Tree) -> Tree:
    """A tensor without its graph, and with its tangents (which ``detach`` drops)."""
    return constant(x.array, x.node.dev) if isinstance(x, Tensor) else x


def _zeros(x: Tensor) -> Tree:
    if x.array.dtype.kind not in "fVc":
        return None
    return constant(x.node.dev.array(np.zeros(x.array.shape, x.array.dtype)), x.node.dev)


class VmapInfo(NamedTuple):
    """What a Function's ``vmap`` is told first."""

    batch_size: int
    randomness: str


def _mapped(cls: type[Function], args: tuple[Any, ...], level: Level) -> Tree:
    randomness = next((f.randomness for f in frames.get() if f.level is level), "error")
    leaves, structure = trees.flatten(args)
    mine = [isinstance(a, Tensor) and level in levels_in(a.array) for a in leaves]
    whole = [out_of_batch(a, level, 0) if m else a for a, m in zip(leaves, mine, strict=True)]
    dims = trees.unflatten([0 if m else None for m in mine], structure)
    given = trees.unflatten(whole, structure)
    assert cls.vmap is not None
    result = cls.vmap(VmapInfo(level.size, randomness), dims, *given)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            message(
                f"Expected the vmap staticmethod of {cls.__name__} to have two returns (output, "
                f"out_dims), got {type(result)}"
            )
        )
    output, out_dims = result
    ys, form = trees.flatten(output)
    places = trees.spread_over(out_dims, form)
    if places is None:
        raise RuntimeError(
            message(
                f"The vmap staticmethod of {cls.__name__} returned an incompatible (output, "
                f"out_dims) tuple: out_dims {out_dims} do not fit the outputs",
                fix="return (output, out_dims) of the same structure",
            )
        )
    out = [
        y if d is None else into_batch(y, level, d % y.array.ndim)
        for y, d in zip(ys, places, strict=True)
    ]
    return trees.unflatten(out, form)
