"""One step of a graph: what is called, with what."""
from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from ..base.errors import message
from ..handles.tensor import Tensor
from .names import qualified

if TYPE_CHECKING:
    from .graph import Graph

Target: TypeAlias = Callable[..., Any] | str
Argument: TypeAlias = Any  # of a call: what is no node stands for itself
Value: TypeAlias = Any  # what a function of the program is given, or gives
OPS = ("placeholder", "get_attr", "call_function", "call_method", "call_module", "output")
WITH_EFFECT = ("placeholder", "output")
# the id of a function -> what a program finds in its place now, so that `node.target is torch.relu`
# holds while functions are exchanged (recorders.py)
EXCHANGED: dict[int, Callable[..., Any]] = {}


class Node:
    """``op``, ``target``, ``args``, ``kwargs``; ``users`` are the nodes that read this one.

    placeholder    an argument of the function; ``target`` is its name, ``args`` its default
    get_attr       a parameter, buffer or other member of the module, by its path
    call_function  ``target(*args, **kwargs)``
    call_method    ``getattr(args[0], target)(*args[1:], **kwargs)``
    call_module    the submodule at the path ``target``
    output         what the function returns: ``args[0]``
    """

    def __init__(
        self, graph: Graph, name: str, op: str, target: Target, args: tuple[Argument, ...],
        kwargs: dict[str, Argument], return_type: object = None,
    ) -> None:  # fmt: skip
        if op not in OPS:
            raise AssertionError(message(f"{op!r} is no kind of node", f"there are {OPS}"))
        if (op == "call_function") != callable(target):
            kind = type(target).__name__
            wanted = "Callable" if op == "call_function" else "str"
            raise ValueError(
                message(
                    f"Node [name = {name!r}] target {target} has type {kind} but a {wanted} is "
                    "expected"
                )
            )
        self.graph, self.name, self.op = graph, name, op
        self.target = target
        self.type = return_type
        self.meta: dict[str, Any] = {}
        self.stack_trace: str | None = None
        self.users: dict[Node, None] = {}
        self._inputs: dict[Node, None] = {}
        self._args: tuple[Argument, ...] = ()
        self._kwargs: dict[str, Argument] = {}
        self._prev = self._next = self
        self._erased = False
        self._read(args, kwargs)

    # ---- what is called, with what ---------------------------------------------------------------
    @property
    def target(self) -> Target:
        """A function, or a name."""
        return EXCHANGED.get(id(self._target), self._target) if EXCHANGED else self._target

    @target.setter
    def target(self, target: Target) -> None:
        self._target = getattr(target, "exchanged_for", target)

    @property
    def args(self) -> tuple[Argument, ...]:
        """Positional arguments; nodes may stand in tuples, lists, dicts and slices."""
        return self._args

    @args.setter
    def args(self, args: tuple[Argument, ...]) -> None:
        self._read(args, self._kwargs)

    @property
    def kwargs(self) -> dict[str, Argument]:
        """Keyword arguments."""
        return self._kwargs

    @kwargs.setter
    def kwargs(self, kwargs: dict[str, Argument]) -> None:
        self._read(self._args, kwargs)

    def _read(self, args: tuple[Argument, ...], kwargs: dict[str, Argument]) -> None:
        self.graph.changes()
        for old in self._inputs:
            old.users.pop(self, None)
        self._inputs = {}
        self._args = tuple(map_arg(a, self._note) for a in args)
        self._kwargs = {k: map_arg(v, self._note) for k, v in kwargs.items()}

    def _note(self, node: Node) -> Node:
        self._inputs[node] = None
        node.users[self] = None
        return node

    def update_arg(self, idx: int, arg: Argument) -> None:
        """``args[idx] = arg``."""
        self.args = (*self.args[:idx], arg, *self.args[idx + 1 :])

    def insert_arg(self, idx: int, arg: Argument) -> None:
        """A further argument before ``args[idx]``."""
        self.args = (*self.args[:idx], arg, *self.args[idx:])

    def update_kwarg(self, key: str, arg: Argument) -> None:
        """``kwargs[key] = arg``."""
        self.kwargs = {**self.kwargs, key: arg}

    @property
    def all_input_nodes(self) -> list[Node]:
        """The nodes that this one reads, each once."""
        return list(self._inputs)

    def replace_input_with(self, old_input: Node, new_input: Node) -> None:
        """Read ``new_input`` where ``old_input`` was read."""
        change = {old_input: new_input}
        args = map_arg(self.args, lambda n: change.get(n, n))
        self._read(args, map_arg(self.kwargs, lambda n: change.get(n, n)))

    def replace_all_uses_with(
        self, replace_with: Node, delete_user_cb: Callable[[Node], bool] = lambda user: True,
        *, propagate_meta: bool = False,
    ) -> list[Node]:  # fmt: skip
        """Let all who read this node read ``replace_with``; returns them.

        ``delete_user_cb(user)``: False for one that is to stay.
        """
        if propagate_meta:
            replace_with.meta.update(self.meta)
        changed = [user for user in list(self.users) if delete_user_cb(user)]
        for user in changed:
            user.replace_input_with(self, replace_with)
        return changed

    # ---- place -----------------------------------------------------------------------------------
    @property
    def next(self) -> Node:
        """The node after this one."""
        return self._next

    @property
    def prev(self) -> Node:
        """The node before this one."""
        return self._prev

    def prepend(self, x: Node) -> None:
        """Move ``x`` to the place before this node."""
        self.graph.changes()
        if x.graph is not self.graph:
            raise AssertionError(message("Attempting to move a Node into a different Graph"))
        if x is self:
            return
        x._leave()
        before = self._prev
        before._next, x._prev, x._next, self._prev = x, before, self, x

    def append(self, x: Node) -> None:
        """Move ``x`` to the place after this node."""
        self._next.prepend(x)

    def _leave(self) -> None:
        self._prev._next, self._next._prev = self._next, self._prev

    # ---- words -----------------------------------------------------------------------------------
    def is_impure(self, impure_random: bool = True) -> bool:
        """May it not be left out, although nobody reads it?"""
        if self.op in WITH_EFFECT:
            return True
        if self.op == "call_method":
            return str(self.target).endswith("_") and not str(self.target).endswith("__")
        return self.op == "call_function" and (
            self.target in (setattr, operator.setitem)
            or getattr(self.target, "__name__", "").endswith(("_", "_assert"))
            or bool(self.kwargs.get("inplace"))
        )

    def format_node(self) -> str | None:
        """The line of this node in ``print(graph)``."""
        kind = f"{type_name(self.type)} " if self.type is not None else ""
        typed = f": {kind}[num_users={len(self.users)}]"
        if self.op == "placeholder":
            default = f"(default={self.args[0]})" if self.args else ""
            return f"%{self.name} {typed} = placeholder[target={self.target}]{default}"
        if self.op == "get_attr":
            return f"%{self.name} {typed} = get_attr[target={self.target}]"
        if self.op == "output":
            return f"return {self.args[0]}"
        name = self.called
        args = f"(args = {_shown(self.args)}, kwargs = {_shown(self.kwargs)})"
        return f"%{self.name} {typed} = {self.op}[target={name}]{args}"

    @property
    def called(self) -> str:
        """What the target is called where the node is printed."""
        return self.target if isinstance(self.target, str) else qualified(self.target)

    def __repr__(self) -> str:
        return self.name


def type_name(kind: object) -> str:
    """``int``, ``torch.Tensor``."""
    if kind is Tensor:
        return "torch.Tensor"
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _shown(a: Argument) -> str:
    """An argument with % before nodes, as PyTorch prints it."""
    if isinstance(a, Node):
        return f"%{a.name}"
    if isinstance(a, dict):
        return "{" + ", ".join(f"{k}: {_shown(v)}" for k, v in a.items()) + "}"
    if isinstance(a, (tuple, list)):
        inner = ", ".join(map(_shown, a))
        if isinstance(a, list):
            return f"[{inner}]"
        return f"({inner},)" if len(a) == 1 else f"({inner})"
    return str(a)


def map_arg(a: Argument, fn: Callable[[Node], Argument]) -> Argument:
    """``a`` with ``fn(node)`` in the place of each node, in tuples, lists, dicts and slices."""
    return map_aggregate(a, lambda x: fn(x) if isinstance(x, Node) else x)


def map_aggregate(a: Argument, fn: Callable[[Argument], Argument]) -> Argument:
    """``a`` with ``fn(x)`` in the place of each element."""
    if isinstance(a, (tuple, list)):
        parts = [map_aggregate(x, fn) for x in a]
        return type(a)(*parts) if hasattr(a, "_fields") else type(a)(parts)
    if isinstance(a, dict):
        return {k: map_aggregate(v, fn) for k, v in a.items()}
    if isinstance(a, slice):
        return slice(*(map_aggregate(x, fn) for x in (a.start, a.stop, a.step)))
    return fn(a)


def nodes_in(a: Argument) -> Iterator[Node]:
    """The nodes of an argument."""
    found: list[Node] = []
    map_arg(a, found.append)
    yield from found
