"""Record a module's forward as a graph: run it on proxies.

While it runs, the functions that a program calls (``torch.relu``, ``F.conv2d``, ...), the methods
of Tensor and the calls of modules are exchanged for ones that make a node where an argument is a
proxy. What is computed without proxies is computed, and its result is a constant of the graph.
"""
from __future__ import annotations

import builtins
import inspect
import math
import operator
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ..base.errors import message
from ..handles.tensor import Tensor
from ..nn.layers.containers import Sequential
from ..nn.module import Module
from .graph import Graph
from .graph_module import GraphModule
from .names import module
from .node import EXCHANGED, Argument, Value
from .proxy import Proxy, TracerBase
from .recorders import RECORDERS, Exchanges, proxy_among, recorder

Fn = TypeVar("Fn", bound=Callable[..., Any] | str)
_wrapped: list[tuple[dict[str, Any], str]] = []  # functions that become a node by themselves


def wrap(fn_or_name: Fn) -> Fn:
    """Record calls of a function of the calling module as one node, without looking inside.

    To be called at the top of a module, with the function or its name. Raises RuntimeError for what
    is neither, NotImplementedError elsewhere.
    """
    name = fn_or_name if isinstance(fn_or_name, str) else getattr(fn_or_name, "__name__", None)
    if not isinstance(name, str):
        raise RuntimeError(
            message("Unsupported type for global function! Must be either a callable or string")
        )
    frame = sys._getframe(1)
    if frame.f_code.co_name != "<module>":
        raise NotImplementedError(message("wrap must be called at the top level of a module"))
    _wrapped.append((frame.f_globals, name))
    return fn_or_name


class Tracer(TracerBase):
    """Records. What has ``fx_leaf = True``, a module or a function, becomes a node by itself.

    A subclass may say what is a leaf (``is_leaf_module``), and change each call.
    ``traced_func_name``: the method of a module that is followed.
    """

    root: Module
    traced_func_name = "forward"

    def __init__(
        self, autowrap_modules: tuple[Any, ...] = (math,),
        autowrap_functions: tuple[Callable[..., Any], ...] = (),
        param_shapes_constant: bool = False,
    ) -> None:  # fmt: skip
        self.autowrap_modules, self.autowrap_functions = autowrap_modules, autowrap_functions
        self.param_shapes_constant = param_shapes_constant

    # ---- what a subclass may change --------------------------------------------------------------
    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        """Is a call of ``m`` one node? Those of torch.nn are, but for Sequential."""
        ours = type(m).__module__.startswith(("microtorch.nn.", "torch.nn."))
        return (ours and not isinstance(m, Sequential)) or getattr(m, "fx_leaf", False)

    def call_module(
        self, m: Module, forward: Callable[..., Any], args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Value:  # fmt: skip
        """A module is called with proxies: a node, or what its ``forward`` does."""
        name = self.path_of_module(m)
        if self.is_leaf_module(m, name):
            return self.create_proxy("call_module", name, args, kwargs)
        return forward(*args, **kwargs)

    # ---- arguments -------------------------------------------------------------------------------
    def one_arg(self, a: Value) -> Argument:
        """Tensors and modules are members of the root."""
        if isinstance(a, Tensor):
            return self.create_node("get_attr", self._place_of(a), (), {})
        if isinstance(a, Module):
            return self.create_node("get_attr", self.path_of_module(a), (), {})
        return super().one_arg(a)

    def _place_of(self, a: Tensor) -> str:
        """The path of a tensor in the module; a constant gets one."""
        for name, member in (*self.root.named_parameters(), *self.root.named_buffers()):
            if member is a:
                return name
        for owner_name, owner in self.root.named_modules():
            for name, member in vars(owner).items():
                if member is a:
                    return f"{owner_name}.{name}".lstrip(".")
        number = 0
        while hasattr(self.root, f"_tensor_constant{number}"):
            number += 1
        setattr(self.root, f"_tensor_constant{number}", a)
        return f"_tensor_constant{number}"

    def path_of_module(self, mod: Module) -> str:
        """A submodule's path. NameError for a module that is not below the root."""
        for name, member in self.root.named_modules():
            if member is mod:
                return name
        raise NameError(message(f"module {type(mod).__name__} is not installed as a submodule"))

    # ---- the run ---------------------------------------------------------------------------------
    def trace(
        self, root: Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None
    ) -> Graph:
        """The graph of a module's forward, or of a function.

        ``concrete_args``: values for arguments that the function asks about; the graph is right for
        these alone, and asks at each call whether it is given them.
        """
        self.root = root if isinstance(root, Module) else Module()
        function = getattr(type(root), self.traced_func_name) if isinstance(root, Module) else root
        self.graph = Graph(tracer_cls=type(self))
        self._members: dict[str, Proxy] = {}
        bound = isinstance(root, Module)
        args = [*([root] if bound else []), *self._arguments(_ordered(function)[bound:])]
        names = [p.name for p in _ordered(function)]
        for name, value in (concrete_args or {}).items():
            self._asked(args[names.index(name)], name, value)
            args[names.index(name)] = value
        with recording(self, function):
            result = _plain(function)(*args)
        self.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    def _arguments(self, parameters: Sequence[inspect.Parameter]) -> list[Any]:
        """A proxy for each parameter."""
        empty = inspect.Parameter.empty
        stars: dict[object, str] = {_REST: "*", _NAMED: "**"}
        args: list[Any] = []
        for p in parameters:
            default = () if p.default is empty else (p.default,)
            kind = p.annotation if isinstance(p.annotation, type) else None
            kind = None if p.annotation is empty or p.kind in stars else kind
            name = stars.get(p.kind, "") + p.name
            args.append(self.create_proxy("placeholder", name, default, {}, type_expr=kind))
        return args

    def _asked(self, given: Proxy, name: str, value: Value) -> None:
        """A node that raises AssertionError for another argument than the one traced with."""
        what = f"{name} has been specialized to have value {value} but got another value"
        if value is None:
            self.create_proxy("call_function", _assert_is_none, (given, what), {})
        elif isinstance(value, (bool, int, float, str)):
            same = self.create_proxy("call_function", operator.eq, (given, value), {})
            self.create_proxy("call_function", module("torch")._assert, (same, what), {})

    def _member(self, value: Value) -> Value:
        """``self.weight`` within forward: a node, once."""
        if not isinstance(value, Tensor) or self.param_shapes_constant:
            return value
        for path, member in (*self.root.named_parameters(), *self.root.named_buffers()):
            if member is value:
                if path not in self._members:
                    self._members[path] = self.create_proxy("get_attr", path, (), {})
                return self._members[path]
        return value


def _assert_is_none(value: Value, message: str) -> None:
    """AssertionError unless ``value`` is None."""
    if value is not None:
        raise AssertionError(message)


_REST, _NAMED = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def _ordered(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters, with *args and **kwargs at the end; annotations that are text, evaluated."""
    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception:  # the text has names that only a type checker knows
        signature = inspect.signature(function)
    parameters = signature.parameters.values()
    return sorted(parameters, key=lambda p: (p.kind is _REST) + 2 * (p.kind is _NAMED))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, all of whose parameters are given by place: *args is one of them."""
    special = (_REST, _NAMED, inspect.Parameter.KEYWORD_ONLY)
    kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    if not inspect.isfunction(function) or not any(kind in special for kind in kinds):
        return function
    flags = function.__code__.co_flags & ~(inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    code = function.__code__.replace(
        co_flags=flags, co_argcount=len(kinds), co_posonlyargcount=0, co_kwonlyargcount=0
    )
    return types.FunctionType(code, function.__globals__, function.__name__, None,
                              function.__closure__)  # fmt: skip


@contextmanager
def recording(tracer: Tracer, function: Callable[..., Any]) -> Iterator[None]:
    """Functions, methods and modules that record, as long as the block runs."""
    RECORDERS.begin()
    exchanges = Exchanges()
    try:
        _record_more(tracer, function, exchanges)
        _record_modules(tracer, exchanges)
        yield
    finally:
        exchanges.undo()
        RECORDERS.end()


def _record_more(tracer: Tracer, function: Callable[..., Any], exchanges: Exchanges) -> None:
    """Functions where the program has them by name, and those that it asks for."""
    wrapped = [space[name] for space, name in _wrapped if name in space]
    for space in _spaces(tracer.root, function):  # what was imported by its name
        for name, value in list(space.items()):
            if id(value) in EXCHANGED and name != "__builtins__":
                exchanges.put(space, name, EXCHANGED[id(value)])
            elif getattr(value, "fx_leaf", False) or any(
                value is f for f in (*tracer.autowrap_functions, *wrapped)
            ):
                exchanges.put(space, name, recorder(value))
    for kind in {c for m in tracer.root.modules() for c in type(m).__mro__}:
        for name, value in list(vars(kind).items()):  # a function that a layer keeps
            kept = getattr(value, "__func__", value)
            if id(kept) in EXCHANGED and isinstance(value, staticmethod):
                exchanges.put(kind, name, staticmethod(EXCHANGED[id(kept)]))
    for owner in tracer.autowrap_modules:
        for name, f in list(vars(owner).items()):
            if not name.startswith("_") and callable(f):
                exchanges.put(owner, name, recorder(f))
    for space, name in _wrapped:
        f = space.get(name, getattr(builtins, name, None))
        exchanges.put(space, name, recorder(f))


def _record_modules(tracer: Tracer, exchanges: Exchanges) -> None:
    """Calls of modules, and what is read of them."""
    call, member = Module.__call__, Module.__getattr__

    def called(self: Module, *args: Value, **kwargs: Value) -> Value:
        if proxy_among((*args, *kwargs.values())) is None:
            return call(self, *args, **kwargs)
        return tracer.call_module(self, lambda *a, **k: call(self, *a, **k), args, kwargs)

    def got(self: Module, name: str) -> Value:
        return tracer._member(member(self, name))

    exchanges.put(Module, "__call__", called)
    exchanges.put(Module, "__getattr__", got)


def _spaces(root: Module, function: Callable[..., Any]) -> list[dict[str, Any]]:
    """The globals of the functions that may be followed: of the root, and of its modules."""
    forwards = [vars(c).get("forward") for m in root.modules() for c in type(m).__mro__]
    spaces = [getattr(f, "__globals__", None) for f in (function, *forwards)]
    return list({id(space): space for space in spaces if space is not None}.values())


def symbolic_trace(
    root: Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None
) -> GraphModule:
    """The graph of a module or function, as a module that runs it.

    Raises TraceError where the function asks for a value (``if x.sum() > 0``) or walks over one.
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, Module) else root.__name__
    return GraphModule(tracer.root, graph, name)
