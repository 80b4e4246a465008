"""``Node``: one value of the graph and how it was made."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clock import Storage
from .hooks import Hooks, RemovableHandle
from .source import Site

if TYPE_CHECKING:

    pass


class Node:
    """One value of the graph. Made by the factories in ``ops`` with plain stores and no
    ``__init__``.

    ``Node()`` and inline stores cost a fraction of what an ``__init__`` does, and most of a small
    op's time is spent on such things. Every attribute is always set, if not on the node then as a
    constant of its class.
    """

    __slots__ = (
        "__weakref__",
        "attrs",  # dict of the op's static arguments (dim, shape, index, ...), or None
        "code",  # code object of the user's frame that made the node, or None ...
        "dev",  # the backend whose memory `value` lies in (None for a Scalar)
        "grad",  # leaf, retained or Scalar gradient; None until computed
        "hooks",  # Hooks, or None
        "inputs",  # tuple of older Nodes, in the order of the user's code
        "lasti",  # ... and the bytecode offset in it: together, line and sub-expression
        "needs",  # does a gradient flow here?
        "saved",  # input arrays that the derivative reads; () if none, None once freed
        "scope",  # the Module call in which it was made, or None
        "seq",  # creation time: larger than that of every input
        "storage",  # Storage, or None
        "value",  # array or float; (shape, dtype) once freed
    )
    op: Any = None  # an Op on the subclasses that Op makes, None on leaves; Scalar has it as a slot

    inputs: tuple[Node, ...]
    attrs: dict[str, Any] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value; still known after backward dropped the value."""
        value = self.value
        return value[0] if type(value) is tuple else value.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        """Array dtype of the value; still known after backward dropped the value."""
        value = self.value
        return value[1] if type(value) is tuple else value.dtype

    @property
    def freed(self) -> bool:
        return self.saved is None

    # ---- PyTorch's view of a node (torch.autograd.graph.Node) ------------------------------------
    def name(self) -> str:
        """PyTorch's name of the backward function, such as ``'MulBackward0'``."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """``(node, output index)`` for each input; ``(None, 0)`` where no gradient flows."""
        return tuple(edge(x) for x in self.inputs)

    @property
    def metadata(self) -> dict[str, Any]:
        """A dictionary of the user's own (PyTorch's ``Node.metadata``)."""
        return hooks_of(self).metadata

    def register_hook(self, hook: Any) -> Any:
        """Call ``hook(grad_inputs, grad_outputs)`` after this node ran backward; a returned tuple
        replaces grad_inputs.
        """
        return RemovableHandle(hooks_of(self).post, hook)

    def register_prehook(self, hook: Any) -> Any:
        """Call ``hook(grad_outputs)`` before this node runs backward; a returned tuple replaces
        grad_outputs.
        """
        return RemovableHandle(hooks_of(self).pre, hook)

    def where(self) -> Site | None:
        """The user's code position that made this node."""
        return None if self.code is None else Site.of(self.code, self.lasti)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


def edge(x: Node) -> tuple[Node | None, int]:
    """How a consumer of ``x`` lists it in ``next_functions``: an output of a multi-output node is
    (that node, index).
    """
    if not x.needs:
        return (None, 0)
    return (x.inputs[0], x.attrs["index"]) if x.op is not None and x.op.projection else (x, 0)


def hooks_of(node: Node) -> Hooks:
    if node.hooks is None:
        node.hooks = Hooks()
    return node.hooks


def storage_of(node: Node) -> Storage:
    """The storage of the memory in which the node's value lies; made if there is none yet."""
    if node.storage is None:
        node.storage = Storage()
    return node.storage
