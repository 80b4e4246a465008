"""What the transforms share: which arguments are differentiated, and what may leave a transform."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import message
from ..engine.op import Op
from ..engine.record import constant, record
from ..graph import Node, reachable, storage_of, tick
from ..handles.tensor import Tensor
from ..kinds.level import lifted_to_all

if TYPE_CHECKING:
    from ..base.types import Tree

Argnums = int | tuple[int, ...]

# the input of a transformed function: the same value, whose gradient is asked for
track_op = Op(
    "track", None, vjps=(lambda F, g, out, x: g,), rule=("g",), torch_name="Alias", register=False
)


class Leaves(set[Node]):
    """The leaves that a transform made since it began.

    Transforms and Functions inside of it make others, of which no handle is left in the end: nobody
    can ask for their gradients.
    """

    def __init__(self) -> None:
        super().__init__()
        self.began = tick()

    def outside(self, n: Node) -> bool:
        """Is ``n`` a leaf whose gradient may be asked for when the transform has ended?"""
        if n.op is not None or n in self:
            return False
        held = getattr(n, "handle", None)  # a Scalar has none
        return n.seq < self.began or held is None or held() is not None


def tracked(x: Tree, leaves: Leaves) -> Tree:
    """``x`` as an input to differentiate with respect to, on all levels in use.

    The leaf that it begins with, if it does, is added to ``leaves``. Numbers stay as they are.
    """
    if not isinstance(x, Tensor):
        return x
    t = lifted_to_all(x)
    if t.array.dtype.kind not in "fVc":
        raise RuntimeError(
            message(
                "only Tensors of floating point and complex dtype can require gradients",
                f"got {t.dtype}",
                fix="x.float()",
            )
        )
    source = t
    if not t.node.needs:
        source = constant(t.array, t.node.dev).requires_grad_()  # detach() would drop tangents
        leaves.add(source.node)
    out = record(track_op, [source], t.array, t.node.dev, None)
    out.node.storage = storage_of(t.node)
    return out


def depends_on_more(tensors: Sequence[Tensor], leaves: Leaves) -> bool:
    """Does a leaf outside of the transform lie below?"""
    nodes = [t.node for t in tensors if t.node.needs]
    return any(map(leaves.outside, reachable(nodes)))


def released(value: Tree, leaves: Leaves, recording: bool) -> Tree:
    """A result without its graph, unless this leads out of the transform."""
    if not isinstance(value, Tensor) or not value.node.needs:
        return value
    more = recording and depends_on_more([value], leaves)
    return value if more else constant(value.array, value.node.dev)


def zeros_like(x: Tensor) -> Tensor:
    """The gradient of what does not depend on ``x``."""
    return constant(x.node.dev.array(np.zeros(x.array.shape, x.array.dtype)), x.node.dev)


def chosen(argnums: Argnums, n: int) -> tuple[int, ...]:
    """The numbers of the arguments that are differentiated, of ``n``. Raises as PyTorch does."""
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(
            message(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
        )
    given = argnums if isinstance(argnums, tuple) else (argnums,)
    out = []
    for i in given:
        if not isinstance(i, int):
            raise RuntimeError(message(f"argnum must be int, got: {type(i)}"))
        if not -n <= i < n:
            raise RuntimeError(message(f"Got argnum={i}, but only {n} positional inputs"))
        out.append(i % n)
    if not out:
        raise RuntimeError(message("argnums must be non-empty"))
    if len(set(out)) != len(out):
        raise RuntimeError(message(f"argnums elements must be unique, got {argnums}"))
    return tuple(out)


def with_aux(result: Tree, has_aux: bool, start: str) -> tuple[Any, Any]:
    """The output of a function, and what it returns besides."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            message(
                f"{start}: output of function f should be a tuple: (output, aux) if has_aux is True"
            )
        )
    return result


def only_tensors(outputs: Sequence[Any], start: str) -> None:
    """Raise unless there are outputs, and all are tensors."""
    if not outputs or (len(outputs) == 1 and outputs[0] is None):
        raise RuntimeError(
            message(
                f"{start}: Expected f to be a function that has non-empty output (got output = "
                f"{list(outputs)})"
            )
        )
    for y in outputs:
        if not isinstance(y, Tensor):
            raise RuntimeError(
                message(
                    f"{start}: expected f(*primals) to return only tensors, got unsupported type "
                    f"{type(y)}"
                )
            )


def only_tensors_given(inputs: Sequence[Any]) -> None:
    """Raise unless all that is differentiated by are tensors."""
    for x in inputs:
        if not isinstance(x, Tensor):
            raise ValueError(
                message(
                    f"Thing passed to transform API must be Tensor, got {type(x)}",
                    fix="torch.tensor(x)",
                )
            )


def only_real(name: str, what: str, tensors: Sequence[Tensor]) -> None:
    """Raise for a complex number, of which a Jacobian is no matrix of complex numbers."""
    for i, t in enumerate(tensors):
        if t.array.dtype.kind == "c":
            raise RuntimeError(
                message(
                    f"{name}: Expected all {what} to be real but received complex tensor at "
                    f"flattened input idx: {i}",
                    fix="torch.view_as_real(z)",
                )
            )


def basis(tensors: Sequence[Tensor]) -> list[Tensor]:
    """For each tensor, n rows in its shape: together they are the n unit vectors of all elements.
    """
    n = sum(t.array.size for t in tensors)
    out, start = [], 0
    for t in tensors:
        size = t.array.size
        rows = np.zeros((n, size), t.array.dtype)
        rows[np.arange(start, start + size), np.arange(size)] = 1
        start += size
        out.append(constant(rows.reshape((n, *t.array.shape))))
    return out


Transform = Callable[..., Any]
