"""``Node``: one value of the graph and how it was made."""
from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from .clock import Storage
from .hooks import Hooks, RemovableHandle
from .source import Site

if TYPE_CHECKING:
    from types import CodeType

    from ..base.types import Attrs, Backend, DType, Gradient, Hook, Shape
    from ..engine.op import Op
    from .mode import Scope


# None, where mypy would ask for a test at every use of an attribute that mostly is there
ABSENT = cast("Any", None)
# names that PyTorch's Node.name() gives with their namespace
QUALIFIED = {
    name: f"torch::autograd::{name}"
    for name in ("AccumulateGrad", "CopyBackwards", "CopySlices", "NotImplemented")
}


class Node:
    """One value of the graph. ``engine/record.py`` makes it, by plain stores and no ``__init__``.

    ``Node()`` and inline stores cost a fraction of what an ``__init__`` does, and most of a small
    op's time is spent on such things. Every attribute is always set, if not on the node then as a
    constant of its class.
    """

    __slots__ = (
        "__weakref__", "attrs", "code", "dev", "grad", "hooks", "inputs", "lasti", "needs", "saved",
        "scope", "seq", "storage", "value",
    )  # fmt: skip

    # a constant of the classes that Op makes, a slot of Scalar, and None on leaves
    op: Op = ABSENT
    lost = False  # does it require gradient, and lead nowhere? (engine/leaf.py)
    inputs: tuple[Node, ...]  # older nodes, in the order of the user's code
    attrs: Attrs | None  # the op's static arguments: dim, shape, index, ...
    value: Any  # array or float; (shape, dtype) once freed
    dev: Backend  # whose memory the value lies in; None for a Scalar
    needs: bool  # does a gradient flow here?
    saved: tuple[Any, ...] | None  # inputs that the derivative reads, nodes else; None once freed
    seq: int  # creation time: larger than that of every input
    grad: Any  # gradient of a leaf, of a Scalar, or retained; None until computed
    hooks: Hooks | None
    storage: Storage | None
    scope: Scope | None  # the module call in which it was made
    code: CodeType | None  # the code object of the user's frame that made it ...
    lasti: int  # ... and the bytecode offset in it: together, line and sub-expression

    @property
    def shape(self) -> Shape:
        """Shape of the value; still known after backward dropped the value."""
        value = self.value
        return value[0] if type(value) is tuple else value.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> DType:
        """Array dtype of the value; still known after backward dropped the value."""
        value = self.value
        return value[1] if type(value) is tuple else value.dtype

    # What leaves and Scalars have besides; no other node is asked for it.
    def accumulate(self, g: Gradient) -> None:
        """Add ``g`` to ``.grad``."""
        raise NotImplementedError

    def contributions(self, g: Gradient, graph: Any) -> list[Any]:
        """What each input of a Scalar receives of its gradient ``g``."""
        raise NotImplementedError

    @property
    def freed(self) -> bool:
        return self.saved is None

    # ---- PyTorch's view of a node (torch.autograd.graph.Node) ------------------------------------
    def name(self) -> str:
        """PyTorch's name of the backward function, such as ``'MulBackward0'``."""
        name = type(shown(self)).__name__
        return name if "Backward0" in name else QUALIFIED.get(name, name)

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """``(node, output index)`` for each input; ``(None, 0)`` where no gradient flows."""
        op = self.op
        inputs = self.inputs if op is None or op.edges is None else op.edges(self.inputs)
        return tuple(edge(x) for x in inputs)

    @property
    def metadata(self) -> dict[str, Any]:
        """A dictionary of the user's own (PyTorch's ``Node.metadata``)."""
        return hooks_of(self).metadata

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(grad_inputs, grad_outputs)`` after this node ran backward.

        A tuple that it returns replaces grad_inputs.
        """
        return RemovableHandle(hooks_of(self).post, hook)

    def register_prehook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(grad_outputs)`` before this node runs backward.

        A tuple that it returns replaces grad_outputs.
        """
        return RemovableHandle(hooks_of(self).pre, hook)

    call: ClassVar[Callable[..., object]] = ABSENT  # what a call does: engine/one_step.py sets it

    def __call__(self, *grad_outputs: object) -> object:
        """What this one step of backward hands to the inputs, in the order of next_functions."""
        if Node.call is None:  # few programs call one
            importlib.import_module("..engine.one_step", __package__)
        return Node.call(self, *grad_outputs)

    def where(self) -> Site | None:
        """The user's code position that made this node."""
        return None if self.code is None else Site.of(self.code, self.lasti)

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} object at {id(self):#x}>"


def shown(node: Node) -> Node:
    """The node, of the class that has PyTorch's name for it: what users are given.

    Where the name depends on the node (a sum over all or over some dimensions), it is found when
    somebody looks, and costs nothing until then.
    """
    op = node.op
    if op is not None and op.names is not None and type(node) is op.node:
        node.__class__ = op.named(op.names(node))
    return node


def edge(x: Node) -> tuple[Node | None, int]:
    """How a consumer of ``x`` lists it in ``next_functions``: (node, number of its output)."""
    if not x.needs or x.lost:
        return (None, 0)
    if x.op is not None and x.op.projection and x.attrs is not None:
        return (shown(x.inputs[0]), x.attrs["index"])
    return (shown(x), 0)


def hooks_of(node: Node) -> Hooks:
    if node.hooks is None:
        node.hooks = Hooks()
    return node.hooks


def storage_of(node: Node) -> Storage:
    """The storage of the memory in which the node's value lies; made if there is none yet."""
    if node.storage is None:
        node.storage = Storage(node.seq)
    return node.storage
