"""What backward refuses to read: values that were overwritten, and values that were freed."""
from __future__ import annotations

from ..base import errors
from ..graph import Node, storage_of


def check_fresh(node: Node, wanted: set[Node] | None) -> None:
    """Raise if a value that the derivatives will read was overwritten, and cannot be renewed."""
    for i, x in enumerate(node.inputs):
        if x.needs and (wanted is None or x in wanted):
            for j in node.op.reads[i]:
                source = node.inputs[j]
                if source.storage is not None and source.storage.written > node.seq:
                    raise stale_error(node, source, j)
            if (
                node.op.reads_out[i]
                and node.storage is not None
                and node.storage.written > node.seq
            ):
                if not node.op.renews:
                    raise stale_error(node, node, -1)
                node.value = node.op.kernels[node.dev](*(node.saved or ()), **(node.attrs or {}))


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
    return errors.InplaceError(
        errors.message(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: [torch.{x.dtype} {list(x.shape)}]{origin} is at version {storage.version}",
            f"{node.name()}, made at {node.where()}, reads {which}{made}",
            f"but {storage.writer or 'an in-place write'} overwrote it afterwards",
            fix="write the operation out of place (y = y + 1, not y += 1), or .clone() the value "
            "before overwriting it",
        )
    )
