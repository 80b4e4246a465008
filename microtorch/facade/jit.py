"""``torch.jit``: what runs as a program (static/script.py), and what programs say around it.

Nothing is compiled from Python's source here, so the words that tell PyTorch's compiler what to
read leave a function as it is, and types are not asked.
"""
from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ..base.errors import missing
from ..distributed.futures import Future
from ..static.script import (
    Attribute,
    Error,
    LoadedProgram,
    RecursiveScriptModule,
    ScriptFunction,
    ScriptModule,
    TopLevelTracedModule,
    TracerWarning,
    freeze,
    load,
    optimize_for_inference,
    save,
    script,
    trace,
    trace_module,
)
from ..static.turns import recording_now

__all__ = [
    "Attribute", "Error", "Final", "Future", "LoadedProgram", "RecursiveScriptModule",
    "ScriptFunction", "ScriptModule", "TopLevelTracedModule", "TracerWarning", "annotate",
    "enable_onednn_fusion", "export", "fork", "freeze", "fuser", "ignore", "interface",
    "is_scripting", "is_tracing", "isinstance", "load", "onednn_fusion_enabled",
    "optimize_for_inference", "optimized_execution", "save", "script", "script_if_tracing",
    "script_method", "set_fusion_strategy", "strict_fusion", "trace", "trace_module", "unused",
    "wait",
]  # fmt: skip
__getattr__ = missing("microtorch.jit", __all__)

Value = typing.Any


def _as_it_is(f: Value = None, **options: Value) -> Value:
    """The function itself: nothing is compiled from its source."""
    return f if callable(f) else _as_it_is


ignore = unused = export = script_method = script_if_tracing = interface = _as_it_is


def annotate(the_type: Value, the_value: Value) -> Value:
    """The value: types are not asked here."""
    return the_value


def fork(func: Callable[..., Value], *args: Value, **kwargs: Value) -> Future[Value]:
    """A Future of what a function returns. It runs at once; an error in it is raised at once."""
    future: Future[Value] = Future()
    future.set_result(func(*args, **kwargs))
    return future


def wait(future: Future[Value]) -> Value:
    """What the function that was given to ``fork`` returned."""
    return future.wait()


_onednn = [False]


def enable_onednn_fusion(enabled: bool) -> None:
    """Accepted without effect: the program's own loops are fused always."""
    _onednn[0] = enabled


def onednn_fusion_enabled() -> bool:
    """What ``enable_onednn_fusion`` was given last."""
    return _onednn[0]


def set_fusion_strategy(strategy: Value) -> Value:
    """Accepted without effect; returns what it is given."""
    return strategy


@contextmanager
def fuser(name: str) -> Iterator[None]:
    """A block; accepted without effect, as ``optimized_execution`` and ``strict_fusion`` are."""
    yield


@contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """A block; accepted without effect."""
    yield


@contextmanager
def strict_fusion() -> Iterator[None]:
    """A block; accepted without effect."""
    yield


def is_scripting() -> bool:
    """False: functions run as Python, or as a program."""
    return False


def is_tracing() -> bool:
    """Is a function being recorded?"""
    return recording_now()


def _is_of(obj: Value, target_type: Value) -> bool:
    """Is a value of a type, also such as ``List[int]`` and ``Optional[Tensor]``? Of a list, a dict
    and a tuple each element is asked. ``target_type`` may be a tuple of types."""
    if type(target_type) is tuple:
        return any(_is_of(obj, t) for t in target_type)
    origin: Value = typing.get_origin(target_type)
    inner = typing.get_args(target_type)
    if target_type is typing.Any:
        return True
    if target_type is None:
        return obj is None
    if origin in (typing.Union, types.UnionType):
        return _is_of(obj, inner)
    if origin is None:
        return _is(obj, target_type)
    if not _is(obj, origin):
        return False
    if origin is dict:
        return all(_is_of(k, inner[0]) and _is_of(v, inner[1]) for k, v in obj.items())
    if origin is tuple and inner[-1] is not Ellipsis:
        return len(obj) == len(inner) and all(map(_is_of, obj, inner))
    return all(_is_of(x, inner[0]) for x in obj)


_is, isinstance = isinstance, _is_of
