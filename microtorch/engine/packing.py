"""Saved tensors in another form: what ``saved_tensors_hooks`` asks for.

While such hooks are set, every op is recorded by ``record`` (the hot paths step aside), which
calls ``pack`` for what the derivatives of a new node will read. Backward asks ``opened``. Where no
hooks are set, nothing of this runs.
"""
from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from ..backends.table import BackendTable, HotTable
from ..base.errors import message
from ..graph import Mode, Node, hooks_of, mode, storage_of
from . import short
from .handle import Handle
from .record import handle, packers

if TYPE_CHECKING:
    from ..base.types import Array
    from ..handles.tensor import Tensor

Pack = Callable[[Any], Any]


class Pair:
    """Two hooks of the user's: a tensor -> anything, and back."""

    __slots__ = ("pack", "unpack")  # to make a class of named tuples takes six times as long

    def __init__(self, pack: Pack, unpack: Pack):
        self.pack, self.unpack = pack, unpack


class Packed:
    """What ``pack`` made of a tensor, and who makes the tensor of it again."""

    __slots__ = ("thing", "unpack")

    def __init__(self, thing: object, unpack: Pack):
        self.thing, self.unpack = thing, unpack

    def open(self) -> Tensor:
        """The tensor."""
        t = self.unpack(self.thing)
        if not isinstance(t, Handle):
            raise TypeError(
                message(
                    "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
                    f"type {type(t).__name__}"
                )
            )
        return cast("Tensor", t)


_pairs: ContextVar[tuple[Pair, ...]] = ContextVar("microtorch.packing", default=())
_refusals: ContextVar[tuple[str, ...]] = ContextVar("microtorch.no_packing", default=())
_lock, _users = allocate_lock(), [0]  # how many blocks with hooks run, in all threads


# ---- packing -------------------------------------------------------------------------------------
def packed(pair: Pair, t: Tensor) -> Packed:
    """A tensor in the user's form, which records no gradient.

    RuntimeError for a hook that writes to what it is given.
    """
    storage, now = storage_of(t.node), mode.get()
    version = storage.version
    try:
        mode.set(Mode(False, now.scope, now.inference))
        thing = pair.pack(t)
    finally:
        mode.set(now)
    if storage.version != version:
        raise RuntimeError(
            message(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as "
                "input to pack hook cannot be modified by in-place operations as this can lead to "
                "unexpected side-effects. Please open an issue if you need to perform in-place "
                "operations on the input to a pack hook."
            )
        )
    return Packed(thing, pair.unpack)


def pack_node(node: Node) -> None:
    """Pack what the derivatives of a new node read, if hooks are set here."""
    pairs = _pairs.get()
    if not pairs or node.op.joint is not None:
        return
    op, places = node.op, list[int]()
    for i, x in enumerate(node.inputs):
        if x.needs:
            places += [j for j in op.reads[i] if j not in places and j < len(node.inputs)]
            places += [-1] if op.reads_out[i] and -1 not in places else []
    for j in places:
        if j < 0 or node.inputs[j].op is not None or node.inputs[j].shape or node.inputs[j].needs:
            pack_one(node, j, pairs[-1])  # but no Python numbers


def pack_one(node: Node, place: int, pair: Pair) -> None:
    """Pack input number ``place`` of a node (-1: its output)."""
    saved = list(node.saved or ())
    source = node if place < 0 else node.inputs[place]
    held = hooks_of(node)
    held.packed = held.packed or {}
    held.packed[place] = packed(pair, handle(node.value if place < 0 else saved[place], source))
    if place >= 0:
        saved[place] = source  # the array is the user's to keep
        node.saved = tuple(saved)


def opened(node: Node) -> tuple[tuple[Any, ...] | None, Array]:
    """A node's saved inputs and its value, unpacked."""
    saved, value = node.saved, node.value
    if node.hooks is None or node.hooks.packed is None or saved is None:
        return saved, value
    out = list(saved)
    for place, one in node.hooks.packed.items():
        if place < 0:
            value = one.open().array
        else:
            out[place] = one.open().array
    return tuple(out), value


# ---- setting hooks -------------------------------------------------------------------------------
@contextmanager
def packing(pack: Pack, unpack: Pack) -> Iterator[None]:
    """In the block, what is saved is packed by these hooks."""
    if _refusals.get():
        raise RuntimeError(message(_refusals.get()[-1]))
    before = _pairs.get()
    _pairs.set((*before, Pair(pack, unpack)))
    _use(1)
    try:
        yield
    finally:
        _use(-1)
        _pairs.set(before)


def current() -> Pair | None:
    """The hooks that are set here."""
    pairs = _pairs.get()
    return pairs[-1] if pairs else None


@contextmanager
def refused(text: str) -> Iterator[None]:
    """In the block, hooks cannot be set: RuntimeError with this text."""
    before = _refusals.get()
    if _pairs.get():
        raise RuntimeError(message(text))
    _refusals.set((*before, text))
    try:
        yield
    finally:
        _refusals.set(before)


def _use(n: int) -> None:
    with _lock:
        _users[0] += n
        if n > 0 and _users[0] == 1:
            packers.append(pack_node)
        elif not _users[0]:
            packers.clear()
        else:
            return
        short.step_aside(bool(packers))
        HotTable.aside = bool(packers)
        for table in BackendTable.filled():
            if isinstance(table, HotTable):
                table.clear()
