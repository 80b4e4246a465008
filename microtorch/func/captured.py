"""What a transformed function may write to: tensors that it made, or was given.

A tensor from outside would keep a value, and a graph, of the transform that has ended. PyTorch
refuses it, and so do we: while a transform runs, ``Storage.wrote`` asks whether the memory is older
than the transform. While none runs, ``wrote`` is what it was, and costs what it did.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, NamedTuple

from ..base.errors import message
from ..graph import Storage, storage_of, tick
from ..handles.put import watchers
from ..handles.tensor import Tensor
from ..kinds import trees


class Inside(NamedTuple):
    """A running transform: when it began, and the memory that its function was given."""

    start: int
    given: frozenset[Storage]


_inside: ContextVar[Inside | None] = ContextVar("microtorch.inside", default=None)
_lock, _plain = Lock(), Storage.wrote


@contextmanager
def own_memory(given: Iterable[Any]) -> Iterator[None]:
    """In the block, in-place operations are refused on tensors that are older than it.

    ``given``: arguments, in containers or not, whose tensors may be written all the same.
    """
    tensors = [t for t in trees.flatten(tuple(given))[0] if isinstance(t, Tensor)]
    before = _inside.get()
    _inside.set(Inside(tick(), frozenset([storage_of(t.node) for t in tensors])))
    _use(1)
    try:
        yield
    finally:
        _use(-1)
        _inside.set(before)


def _use(n: int) -> None:
    with _lock:
        watchers[0] += n
        type.__setattr__(Storage, "wrote", _asked if watchers[0] else _plain)


def _asked(storage: Storage, writer: str) -> None:
    inside = _inside.get()
    # PyTorch's batch_norm writes its averages by no in-place operation
    if inside is not None and storage.born < inside.start and writer != "batch_norm":
        if storage not in inside.given:
            raise RuntimeError(
                message(
                    "During a grad (vjp, jvp, grad, etc) transform, the function provided "
                    f"attempted to call in-place operation (aten::{writer}_) that would mutate a "
                    "captured Tensor. This is not supported; please rewrite the function being "
                    "transformed to explicitly accept the mutated Tensor(s) as inputs.",
                    "what the function is differentiated by counts as captured, too: it is a leaf",
                    fix="x = x.clone(), and write to that; or return the new value, by has_aux",
                )
            )
    _plain(storage, writer)
