"""``torch.autograd.forward_ad``: derivatives that travel with the values.

    with forward_ad.dual_level():
        x = forward_ad.make_dual(primal, tangent)
        y = f(x)
        primal_out, tangent_out = forward_ad.unpack_dual(y)     # f(x) and J · tangent

Every op inside computes with dual numbers (kinds/dual.py). One pass gives the derivative in *one
direction of the inputs*, of all outputs; backward gives that of one output, in all directions.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ..base.errors import describe, message
from ..graph import Node
from ..handles.tensor import Tensor
from ..kinds.borders import dual, part
from ..kinds.dual import Dual, has_tangent
from ..kinds.level import Level, entered, frames, levels_in, lift

_open: list[tuple[Level, ExitStack]] = []  # the dual level that enter_dual_level opened
# the tangents that make_dual was given: unpack_dual hands out the very same
_given: WeakKeyDictionary[Node, Tensor] = WeakKeyDictionary()


class UnpackedDualTensor(NamedTuple):
    """What ``unpack_dual`` returns; ``tangent`` is None where there is none."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Begin a level; returns its number. Forward mode does not nest (torch.func.jvp does)."""
    if _open:
        raise RuntimeError(
            message(
                "Nested forward mode AD is not supported at the moment",
                fix="torch.func.jvp may be nested",
            )
        )
    stack = ExitStack()
    _open.append((stack.enter_context(entered(Dual)), stack))
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: its tensors have no tangents from then on."""
    if not _open:
        raise RuntimeError(
            message(
                "Trying to exit a forward AD level that was not the last one that was created. "
                "This is not supported."
            )
        )
    ended, stack = _open.pop()
    stack.close()
    # what was recorded in it keeps its tangents, for a backward through one that was unpacked
    ended.ended = True


class dual_level:
    """A context manager: forward mode inside of the block."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()


def current() -> Level | None:
    """The level of dual numbers that was begun last; None if there is none."""
    return next((f.level for f in reversed(frames.get()) if f.level.kind is Dual), None)


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """``tensor`` with ``tangent``, of the same shape, as its derivative, in the tensor's dtype."""
    now = current()
    if now is None:
        raise RuntimeError(
            message(
                "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
                "enter_dual_level() first.",
                fix="with torch.autograd.forward_ad.dual_level():",
            )
        )
    if isinstance(tangent, Tensor) and isinstance(tensor, Tensor):
        if tangent.array.dtype.kind in "fVc":
            tangent = tangent.to(tensor.dtype)
        if has_tangent(tangent.array, now):
            raise RuntimeError(
                message(
                    "Setting a forward grad that itself has a forward gradient at the same level "
                    "is not supported.",
                    fix="unpack_dual(tangent).primal, or torch.func.jvp, which nests",
                )
            )
    return paired(tensor, tangent, now)


def paired(tensor: Tensor, tangent: Tensor, level: Level) -> Tensor:
    """The dual tensor of a primal value and a tangent, checked as PyTorch does."""
    for t, name in ((tensor, "tensor"), (tangent, "tangent")):
        if not isinstance(t, Tensor):
            raise ValueError(
                message(f"Expected {name} to be a Tensor, but got {type(t).__name__}")
            )
        if t.array.dtype.kind not in "fVc":
            raise ValueError(
                message(f"Expected {name} to be floating point or complex, but got: {t.dtype}")
            )
    if tensor.array.shape != tangent.array.shape:
        raise RuntimeError(
            message(
                "Expected tensor and tangent to have the same shape, but got "
                f"{list(tensor.shape)} and {list(tangent.shape)}",
                f"make_dual({describe(tensor)}, {describe(tangent)})",
            )
        )
    if tensor.array.dtype != tangent.array.dtype:
        raise RuntimeError(
            message(
                "Expected tangent to be the same dtype as primal: "
                f"{tangent.dtype} and {tensor.dtype}",
                fix="tangent.to(tensor.dtype)",
            )
        )
    if level in levels_in(tensor.array):
        raise RuntimeError(
            message(
                "make_dual() of a tensor that is a dual tensor already",
                fix="unpack_dual(x).primal is the tensor without its tangent",
            )
        )
    union = {*levels_in(tensor.array), *levels_in(tangent.array)}
    out = dual(lift(tensor, union), lift(tangent, union), level, entry=True)
    _given[out.node] = tangent
    return out


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The primal value and the tangent of ``tensor``; after the level's end there is no tangent."""
    now = current()
    own = [x for x in levels_in(tensor.array) if x.kind is Dual]
    if not own:
        return UnpackedDualTensor(tensor, None)
    if now not in own:  # its level has ended
        return UnpackedDualTensor(part(tensor, own[0], 0), None)
    return unpacked(tensor, now)


def unpacked(tensor: Tensor, level: Level) -> UnpackedDualTensor:
    """The parts of ``tensor`` in a level."""
    if not has_tangent(tensor.array, level):
        inside = level in levels_in(tensor.array)
        return UnpackedDualTensor(part(tensor, level, 0) if inside else tensor, None)
    given = _given.get(tensor.node)
    tangent = part(tensor, level, 1) if given is None else given
    return UnpackedDualTensor(part(tensor, level, 0), tangent)


@contextmanager
def set_fwd_grad_enabled(mode: bool) -> Iterator[None]:
    """Accepted: forward mode is on wherever a dual tensor is."""
    yield


_set_fwd_grad_enabled = set_fwd_grad_enabled
