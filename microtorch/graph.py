"""The computation graph: immutable nodes, one clock, one walk.

A ``Node`` is one value and how it was made (static single assignment, SSA): it names its ``op``, its ``inputs`` (in the
order of the user's code, constants included) and the ``value`` that came out. Nothing in a node changes once it is made,
except that backward may drop its arrays to free memory; an in-place operation makes a *new* node and rebinds the user's handle.

``seq`` is read from a single clock, so **inputs are always older than the node that uses them**. Everything follows:
no cycle can exist, sorting by ``seq`` *is* a topological order, and reference counting alone frees a graph.

Every reader (backward, pictures, stepper, capture) walks the graph with ``in_order``, which uses no recursion: a chain of a
million nodes is as good as a short one.

The same clock dates in-place writes (``Storage.written``). A value saved by a node has been overwritten exactly when its
storage was written after the node was made: ``storage.written > node.seq``.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextvars import ContextVar, Token
from itertools import count
from operator import attrgetter
from typing import Any, NamedTuple

tick = count(1).__next__  # the clock: every node creation and every in-place write reads it once


class Mode:
    """What new nodes are made under: is gradient recorded, and inside which module's ``forward``. Never changed."""

    __slots__ = ("grad", "inference", "scope")

    def __init__(self, grad: bool = True, scope: Scope | None = None, inference: bool = False):
        self.grad, self.scope, self.inference = grad, scope, inference


# a ContextVar: right in threads and in asyncio (B039 warns of a mutable default; a Mode is never changed)
mode: ContextVar[Mode] = ContextVar("microtorch.mode", default=Mode())  # noqa: B039


class Scope:
    """One running ``Module.__call__``; ``parent`` leads outwards. Holds the module weakly: modules may hold tensors.

    ``kind``, the module's class, is what a picture shows of it once the module is gone.
    """

    __slots__ = ("kind", "label", "module", "parent")

    def __init__(self, parent: Scope | None, module: Any, label: str, kind: type | None = None):
        self.parent, self.module, self.label, self.kind = parent, module, label, kind

    def path(self) -> tuple[Scope, ...]:
        """The scopes from the outermost module to this one."""
        chain: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            chain.append(scope)
            scope = scope.parent
        return tuple(reversed(chain))


def enter_scope(module: Any, label: str, kind: type | None = None) -> Token[Mode]:
    """Record that nodes made from now on belong to ``module`` (a weak reference), shown as ``label``."""
    now = mode.get()
    return mode.set(Mode(now.grad, Scope(now.scope, module, label, kind), now.inference))


leave_scope = mode.reset


last_write = [0]  # when anything was last written in place: nodes younger than that need no check at all


class Storage:
    """Identity of a block of memory shared by handles: when it was last written, how often, and which views live on it.

    Made only when a first view or in-place write exists; ``None`` on a node means "never shared, never written".
    """

    __slots__ = ("version", "views", "writer", "written")

    def __init__(self) -> None:
        self.written = 0  # clock of the last in-place write
        self.version = 0  # how many there were: PyTorch's tensor._version
        self.writer = ""  # name of the op that wrote last, for the error message
        self.views: list[Any] = []  # weak references to the handles of differentiable views

    def add_view(self, view: Any) -> None:
        if len(self.views) >= 8 and len(self.views) & (len(self.views) - 1) == 0:  # at 8, 16, 32...: forget the dead
            self.views = [v for v in self.views if v() is not None]
        self.views.append(view)

    def snapshot(self) -> Storage:
        """This moment, for a node whose value no longer lies here: stale for older readers, safe from later writes."""
        past = Storage()
        past.written, past.version, past.writer = self.written, self.version, self.writer
        return past

    def wrote(self, writer: str) -> None:
        self.written = last_write[0] = tick()
        self.version += 1
        self.writer = writer


class Node:
    """One value of the graph. Made by the factories in ``ops`` with plain stores and no ``__init__``.

    ``Node()`` and inline stores cost a fraction of what an ``__init__`` does, and most of a small op's time is
    spent on such things. Every attribute is always set, if not on the node then as a constant of its class.
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
    dev: Any
    grad: Any

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

    # ---- PyTorch's view of a node (torch.autograd.graph.Node) -------------------------------------------------
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
        """Call ``hook(grad_inputs, grad_outputs)`` after this node ran backward; a returned tuple replaces grad_inputs."""
        return Handle(hooks_of(self).post, hook)

    def register_prehook(self, hook: Any) -> Any:
        """Call ``hook(grad_outputs)`` before this node runs backward; a returned tuple replaces grad_outputs."""
        return Handle(hooks_of(self).pre, hook)

    def where(self) -> Site | None:
        """The user's code position that made this node."""
        return None if self.code is None else Site.of(self.code, self.lasti)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


def edge(x: Node) -> tuple[Node | None, int]:
    """How a consumer of ``x`` lists it in ``next_functions``: an output of a multi-output node is (that node, index)."""
    if not x.needs:
        return (None, 0)
    return (x.inputs[0], x.attrs["index"]) if x.op is not None and x.op.projection else (x, 0)


class Hooks:
    """The user's callbacks on one node, and whether its gradient is kept."""

    __slots__ = ("accumulated", "metadata", "post", "pre", "retain", "tensor")

    def __init__(self) -> None:
        self.tensor: dict[int, Any] = {}  # Tensor.register_hook: grad -> grad
        self.pre: dict[int, Any] = {}
        self.post: dict[int, Any] = {}
        self.accumulated: dict[int, Any] = {}  # Tensor.register_post_accumulate_grad_hook
        self.retain = False
        self.metadata: dict[str, Any] = {}


def hooks_of(node: Node) -> Hooks:
    if node.hooks is None:
        node.hooks = Hooks()
    return node.hooks


class Handle:
    """Returned by ``register_hook``; ``remove()`` takes the hook away again. Also a context manager, as in PyTorch."""

    _ids = count()

    def __init__(self, hooks: dict[int, Any], hook: Any):
        if not callable(hook):
            raise TypeError(f"a hook must be callable, but got {type(hook).__name__}")
        self.hooks, self.id = hooks, next(Handle._ids)
        hooks[self.id] = hook

    def remove(self) -> None:
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


# ---- walking -------------------------------------------------------------------------------------------------------
def reachable(roots: Iterable[Node], constants: bool = False) -> list[Node]:
    """The roots and all they depend on, each once: through nodes that need gradient, or through all with ``constants``."""
    found = list(roots)
    seen = set(found)
    if len(seen) < len(found):  # a root is named twice
        found = list(dict.fromkeys(found))
    for node in found:  # the list grows while it is walked
        for x in node.inputs:
            if (x.needs or constants) and x not in seen:
                seen.add(x)
                found.append(x)
    return found


def in_order(roots: Iterable[Node], constants: bool = False) -> list[Node]:
    """``reachable``, oldest first: a topological order, because inputs are older than what uses them."""
    found = reachable(roots, constants)
    found.sort(key=by_seq)
    return found


by_seq = attrgetter("seq")


def check(roots: Iterable[Node]) -> None:
    """Raise AssertionError unless the invariants hold below ``roots``. For tests; costs a full walk."""
    for node in reachable(roots, constants=True):
        assert type(node.inputs) is tuple, node
        assert all(x.seq < node.seq for x in node.inputs), f"{node} has an input younger than itself"
        assert node.needs or node.op is None or node.dev is None, f"{node} was recorded, but no gradient flows"
        assert node.needs == any(x.needs for x in node.inputs) or node.op is None, node


# ---- the user's line -----------------------------------------------------------------------------------------------
_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_VIZ = os.path.join(os.path.dirname(os.path.dirname(_PACKAGE)), "viz") + os.sep
_LESSONS = (_PACKAGE + "demo",)  # code in the package that is written as a user would, and shown as such


def _is_ours(file: str) -> bool:
    return (file.startswith((_PACKAGE, _VIZ)) and not file.startswith(_LESSONS)) or file.startswith("<microtorch")


# File name -> is it ours? Filled as files are met.
is_library: dict[str, bool] = {}


def user_frame(frame: Any) -> Any:
    """The nearest frame outwards from ``frame`` that is not the library's own."""
    while True:
        file = frame.f_code.co_filename
        if file not in is_library:
            is_library[file] = _is_ours(file)
        if not is_library[file] or frame.f_back is None:
            return frame
        frame = frame.f_back


last_user_code: list[Any] = [None]  # the code object in which the last op was called: mostly, so is the next one


def users(frame: Any, code: Any) -> tuple[Any, Any]:
    """The user's frame from ``frame`` outwards, and its code object, which is remembered if it is the frame itself."""
    outer = user_frame(frame)
    if outer is frame:
        last_user_code[0] = code
    return outer, outer.f_code


class Site(NamedTuple):
    """A place in the user's source. Columns are 0-based, end exclusive, None where Python (3.10) does not know them."""

    file: str
    line: int
    end_line: int | None
    column: int | None
    end_column: int | None
    function: str

    @classmethod
    def of(cls, code: Any, lasti: int) -> Site:
        line, end, start, stop = code.co_firstlineno, None, None, None
        if sys.version_info >= (3, 11):
            position = next((p for i, p in enumerate(code.co_positions()) if i == lasti // 2), None)
            if position is not None and position[0] is not None:
                line, end, start, stop = position
        else:
            for first, last, number in code.co_lines():
                if first <= lasti < last and number is not None:
                    line = number
        return cls(code.co_filename, line, end, start, stop, code.co_name)

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"


def here() -> Site:
    """The user's line that is running now: for error messages."""
    frame = user_frame(sys._getframe(1))
    return Site.of(frame.f_code, frame.f_lasti)
