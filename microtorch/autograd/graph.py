"""``torch.autograd.graph``: what is saved in the graph, and hooks on it."""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ..base.errors import message, missing
from ..engine.backward import descend, run, run_loss
from ..engine.packing import packing, refused
from ..graph import Node, RemovableHandle, reachable, shown, storage_of
from ..handles.tensor import Tensor

if TYPE_CHECKING:
    from ..base.types import Gradient

__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks",
    "get_gradient_edge", "increment_version", "register_multi_grad_hook", "save_on_cpu",
    "saved_tensors_hooks",
]  # fmt: skip


# ---- saved tensors -------------------------------------------------------------------------------
class saved_tensors_hooks:
    """A context manager: ops in the block keep ``pack_hook(tensor)`` for their derivatives.

    Backward calls ``unpack_hook`` with what was kept, and needs a tensor of the same values. For
    tensors that are kept in a file, in half precision, or computed again. The innermost block
    counts.
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        self._blocks: list[ExitStack] = []

    def __enter__(self) -> None:
        block = ExitStack()
        block.enter_context(packing(self.pack_hook, self.unpack_hook))
        self._blocks.append(block)

    def __exit__(self, *exc: object) -> None:
        self._blocks.pop().close()


class save_on_cpu(saved_tensors_hooks):
    """A context manager: what the block saves lies in host memory until backward needs it."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__(
            lambda t: (t.device, t.detach().cpu()), lambda kept: kept[1].to(kept[0])
        )


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """In the block, ``saved_tensors_hooks`` raises RuntimeError with this message."""
    with refused(error_message):
        yield


def allow_mutation_on_saved_tensors() -> NoReturn:
    """Not available; raises NotImplementedError."""
    raise NotImplementedError(
        message(
            "allow_mutation_on_saved_tensors is not available in microtorch",
            fix=".clone() the tensor before it is written",
        )
    )


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Note that a tensor was written in a way that nobody could see: backward then refuses it."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        storage_of(t.node).wrote("increment_version")


# ---- places in the graph -------------------------------------------------------------------------
class GradientEdge(NamedTuple):
    """Where the gradient of a tensor arrives: a node, and the number of its output."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge of a tensor; for ``autograd.grad`` in its place."""
    if not tensor.node.needs:
        raise RuntimeError(
            message(
                "It is not possible to get the gradient edge for a Tensor that does not require "
                "gradients"
            )
        )
    return GradientEdge(shown(tensor.grad_fn or tensor.node), tensor.output_nr)


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all"
) -> RemovableHandles:
    """Call ``fn`` with the gradients of all tensors once they are there (None for those without).

    ``mode="any"``: with the first gradient of a backward. The gradients cannot be replaced.
    """
    if mode not in ("all", "any"):
        raise ValueError(message(f"Expects mode to be one of ('all', 'any') but got {mode}"))
    hook = _Collector(tensors, fn, mode)
    return RemovableHandles(
        [t.register_hook(lambda g, i=i: hook.arrived(i, g)) for i, t in enumerate(tensors)]
    )


class RemovableHandles(NamedTuple):
    """Several hooks that are taken away together."""

    handles: list[RemovableHandle]

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> RemovableHandles:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class _Collector:
    """The gradients of several tensors in one backward."""

    def __init__(self, tensors: Sequence[Tensor], fn: Callable[[Any], None], mode: str):
        self.fn, self.mode, self.n = fn, mode, len(tensors)
        self.nodes = [t.node for t in tensors]
        self.found: dict[int, Tensor] = {}
        self.walk: dict[Node, Gradient] | None = None

    def arrived(self, i: int, g: Tensor) -> None:
        walk, expected = _running()
        if walk is not self.walk:
            self.walk, self.found = walk, {}
        self.found[i] = g
        if self.mode == "any":
            if len(self.found) == 1:
                self.fn(g)
            return
        if len(self.found) == sum(node in expected for node in self.nodes):
            grads = [self.found.get(k) for k in range(self.n)]
            self.found = {}
            self.fn(grads)


def _running() -> tuple[dict[Node, Gradient], set[Node]]:
    """The backward that is running, as an object of its own, and the nodes that it may reach.

    It is found on the stack: so that it can be found costs a backward without hooks nothing.
    """
    walking, running = _caller(descend), _caller(run, run_loss)
    return walking.f_locals["walk"][0], set(reachable(running.f_locals["roots"]))


def _caller(*functions: Callable[..., Any]) -> FrameType:
    """The innermost running call of one of the functions."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and all(frame.f_code is not f.__code__ for f in functions):
        frame = frame.f_back
    assert frame is not None, "a gradient hook is called by backward"
    return frame


__getattr__ = missing(__name__, __all__)
