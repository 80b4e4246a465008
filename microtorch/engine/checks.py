"""What backward refuses to read: values that were overwritten, and values that were freed.

A node whose turn has come is checked as a whole, as PyTorch's is: also what only derivatives read
that nobody asked for. Which values an op keeps is said by its declaration (``Op.watched``). What
PyTorch keeps besides, where a function is one kernel there, is said in kept.py, and stands in
``WATCHED`` for each node.
"""
from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from ..base import errors
from ..graph import Node, Storage, storage_of
from .record import Number

# node -> storages besides those of its op that must not have been written since; and the nodes that
# they are of, if these are in the graph (not the node itself, which would keep itself alive)
WATCHED: WeakKeyDictionary[Node, Sequence[tuple[Storage, int, Node | None]]] = WeakKeyDictionary()


def watch(
    node: Node, sources: Sequence[Node], since: int = 0, tensors: bool = True
) -> None:
    """Let backward refuse ``node`` if a value of ``sources`` is written after it was made.

    ``tensors``: or if one of them is detached in place.

    ``since``: the clock from which on a write counts; by default the node's own.
    """
    since = since or node.seq
    more = [
        (storage_of(x), since, x if tensors and x is not node and x.op is not None else None)
        for x in sources
    ]
    WATCHED[node] = (*WATCHED.get(node, ()), *more)


def check_fresh(node: Node) -> tuple[object, ...] | None:
    """Raise if a value that the derivatives keep was overwritten, and cannot be renewed.

    Returns what the node saves.
    """
    n = len(node.inputs)
    for i, x in enumerate(node.inputs):
        for j in node.op.watched[i] if x.needs else ():
            if j < 0:
                aside = node.op.renews and _written_aside(node, node)
                if (aside or _written(node, node.seq)) and (
                    node.op.reads_out[i] or _keeps_output(node)
                ):
                    if not node.op.renews:
                        raise stale_error(node, node, -1)
                    kernel = node.op.kernels[node.dev]
                    node.value = kernel(*(node.saved or ()), **(node.attrs or {}))
            elif j < n:
                source = node.inputs[j]
                if _written(source, node.seq) and not _divided(node, j):
                    raise stale_error(node, source, j)
                if node.op.looks and _written_aside(source, node):
                    raise _places_lost(node, j)
                if source.hooks is not None and source.hooks.left is not None:
                    _follow(node, source, j)
    for storage, since, kept in WATCHED.get(node, ()):
        if kept is not None and kept.hooks is not None and kept.hooks.left is not None:
            left, data = kept.hooks.left
            if left > since and data is None:
                raise _detached(f"{node.name()}, made at {node.where()}, keeps an operand")
        if storage.written > since:
            raise _overwritten(
                f"an operand or result of {node.name()}",
                f"{node.name()} was made at {node.where()}",
                storage,
            )
    return node.saved


def _written(source: Node, since: int) -> bool:
    return source.storage is not None and source.storage.written > since


def _written_aside(source: Node, node: Node) -> bool:
    """Was it written through .data after ``node`` was made?"""
    return source.storage is not None and source.storage.aside > node.seq


def _keeps_output(node: Node) -> bool:
    """Does the derivative for another input read the output? (A Python number asks for none.)"""
    reads = node.op.reads_out
    others = zip(reads, node.inputs, strict=False)
    return not any(reads) or any(r and type(x) is not Number for r, x in others)


def _divided(node: Node, j: int) -> bool:
    """Was it the divisor of a number? Then number / result has it back.

    PyTorch multiplies the number by the reciprocal, whose derivative reads its result only.
    """
    if node.op.name != "div" or j != 1 or type(node.inputs[0]) is not Number:
        return False
    if not node.inputs[0].value or node.saved is None or _written(node, node.seq):
        return False
    x, _ = node.saved
    node.saved = (x, node.op.kernels[node.dev](x, node.value))
    return True


def _follow(node: Node, source: Node, j: int) -> None:
    """The tensor that was saved has left its place in the graph: by detach_(), or for other data.

    As in PyTorch, which saves the tensor and not its memory, a derivative reads the new data.
    """
    assert source.hooks is not None and source.hooks.left is not None
    since, data = source.hooks.left
    if since < node.seq or node.saved is None:
        return
    if source.op is None if data is None else isinstance(node.saved[j], Node):
        return  # a detached leaf stays one; of other data, only the shape is read
    name = node.op.name
    if name == "linear" and j == 1:  # PyTorch saves the transpose, a tensor of its own
        return
    if name == "einsum" or (name == "matmul" and len(node.shape) > 2):  # and of these, views
        return
    if name == "logsigmoid":  # and of this, exp(-|x|)
        return
    if data is None:
        raise _detached(f"{node.name()}, made at {node.where()}, reads its input {j}")
    if data.shape != node.saved[j].shape:
        raise errors.InplaceError(
            errors.message(
                f"{node.name()}, made at {node.where()}, reads its input {j}, whose data was set "
                f"to another shape: it was {node.saved[j].shape}, and is {data.shape}",
                fix="set .data before the forward pass, or after backward",
            )
        )
    node.saved = (*node.saved[:j], data, *node.saved[j + 1 :])


def _detached(who: str) -> Exception:
    return errors.InplaceError(
        errors.message(
            "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_(). "
            "This is not supported, please use out-of-place `.detach()` instead",
            who,
        )
    )


def freed_error(node: Node) -> Exception:
    """``node`` is asked for its derivative a second time."""
    return errors.GraphError(
        errors.message(
            "Trying to backward through the graph a second time (or directly access saved tensors "
            "after they have already been freed). Saved intermediate values of the graph are freed "
            "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
            "to backward through the graph a second time or if you need to access saved tensors "
            "after calling backward.",
            f"{node.name()}, made at {node.where()}, has already been through backward",
            fix="backward(retain_graph=True) the first time; or, if the tensor was made outside "
            "the training loop, make it inside (or .detach() it)",
        )
    )


def stale_error(node: Node, x: Node, place: int) -> Exception:
    """``node`` reads ``x``, its input number ``place`` (-1: its output), which was overwritten."""
    which = "its output" if place < 0 else f"its input {place}"
    origin = made = ""
    if x.op is not None:
        origin = f", which is output 0 of {x.name()},"
        made = f", the output of {x.name()} made at {x.where()},"
    storage = storage_of(x)
    return _overwritten(
        f"[torch.{x.dtype} {list(x.shape)}]{origin}",
        f"{node.name()}, made at {node.where()}, reads {which}{made}",
        storage,
    )


def _places_lost(node: Node, j: int) -> Exception:
    return errors.InplaceError(
        errors.message(
            f"{node.name()}, made at {node.where()}, finds the places of its maxima again in its "
            f"input {j}, which was overwritten through .data afterwards",
            fix=".clone() the value before overwriting it, or write it before the forward pass",
        )
    )


def _overwritten(what: str, who: str, storage: Storage) -> Exception:
    return errors.InplaceError(
        errors.message(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: {what} is at version {storage.version}",
            who,
            f"but {storage.writer or 'an in-place write'} overwrote it afterwards",
            fix="write the operation out of place (y = y + 1, not y += 1), or .clone() the value "
            "before overwriting it",
        )
    )
