"""Functions and methods that make a node where they are given a proxy, and compute where not.

They stand in the place of ``torch.relu``, ``F.conv2d``, ``Tensor.add`` and the rest while anyone
wants them: for the time of a trace, and as long as a proxy lives that was made of a node by hand.
At other times nobody pays for them. The node is made by the proxy's own tracer, so one exchange
serves all who want it at a time, in whatever order they end.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import update_wrapper, wraps
from typing import Any

from ..handles.protocols import Protocols
from ..handles.tensor import Tensor
from .names import functions, module
from .node import EXCHANGED, Value

# of torch.nn.functional: those whose arguments PyTorch records as they were given
AS_GIVEN = frozenset(
    "adaptive_avg_pool1d avg_pool1d avg_pool2d avg_pool3d bilinear celu_ conv1d conv2d conv3d "
    "conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity gelu linear "
    "logsigmoid one_hot pairwise_distance pdist pixel_shuffle pixel_unshuffle prelu "
    "scaled_dot_product_attention softplus softshrink channel_shuffle native_channel_shuffle "
    "hardshrink".split()
)
# operators of Tensor, whose other operand may be a proxy, and the methods that do the same
METHODS = {f"__{n}__": n for n in ("add", "sub", "mul", "pow", "matmul", "lt", "le", "gt", "ge",
                                   "eq", "ne")}  # fmt: skip
METHODS |= {"__truediv__": "div", "__mod__": "remainder", "__floordiv__": "floor_divide"}
METHODS |= {name: name for name in ("__and__", "__or__", "__xor__")}


class Recorded:
    """What functions make nodes of: a proxy, by its own ``tracer``."""

    tracer: Value


def proxy_among(values: Iterable[Value]) -> Recorded | None:
    """A proxy among the values, also in lists and dicts."""
    for a in values:
        if isinstance(a, Recorded):
            return a
        inner: Iterable[Value] = ()
        if isinstance(a, (tuple, list)):
            inner = a
        elif isinstance(a, dict):
            inner = a.values()
        elif isinstance(a, slice):
            inner = (a.start, a.stop, a.step)
        if inner and (found := proxy_among(inner)) is not None:
            return found
    return None


class Exchanged:
    """A function in the place of ``f``, and equal to it: a pass may ask for what is called."""

    def __init__(self, f: Callable[..., Any], called: Callable[..., Any]) -> None:
        update_wrapper(self, f)
        self.exchanged_for, self.called = f, called

    def __call__(self, *args: Value, **kwargs: Value) -> Value:
        return self.called(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return getattr(other, "exchanged_for", other) is self.exchanged_for

    def __hash__(self) -> int:
        return hash(self.exchanged_for)


class Exchanges:
    """Attributes of modules, classes and namespaces that have another value for a while."""

    def __init__(self) -> None:
        self.before: list[tuple[Any, str, Any]] = []

    def put(self, owner: Value, name: str, new: Value) -> None:
        own = owner if isinstance(owner, dict) else vars(owner)
        self.before.append((owner, name, own.get(name, Exchanges)))  # itself: there was none
        if isinstance(owner, dict):
            owner[name] = new
        else:
            setattr(owner, name, new)

    def undo(self) -> None:
        for owner, name, old in reversed(self.before):
            if isinstance(owner, dict):
                if old is Exchanges:
                    owner.pop(name, None)
                else:
                    owner[name] = old
            elif old is Exchanges:
                delattr(owner, name)
            else:
                setattr(owner, name, old)


def recorder(f: Value, whole: bool = False) -> Callable[..., Any]:
    """``f``, which becomes a node where it is given a proxy."""

    def called(*args: Value, **kwargs: Value) -> Value:
        if (proxy := proxy_among((*args, *kwargs.values()))) is None:
            return f(*args, **kwargs)
        if whole:
            args, kwargs = _as_pytorch_does(f, args, kwargs)
        return proxy.tracer.create_proxy("call_function", f, args, kwargs)

    return Exchanged(f, called)


def _method(name: str, f: Value) -> Callable[..., Any]:
    """The method ``f``, which becomes a node of a call of ``name``."""

    @wraps(f)
    def called(*args: Value, **kwargs: Value) -> Value:
        if (proxy := proxy_among((*args, *kwargs.values()))) is None:
            return f(*args, **kwargs)
        return proxy.tracer.create_proxy("call_method", name, args, kwargs)

    return called


class Recorders:
    """The exchange that all share, from the first who wants it to the last."""

    def __init__(self) -> None:
        self.wanted, self.exchanges = 0, Exchanges()

    def begin(self) -> None:
        """Somebody wants it."""
        self.wanted += 1
        if self.wanted > 1:
            return
        self.exchanges = Exchanges()
        for place, names in functions().items():
            owner = module(place)
            for name in names:
                f = getattr(owner, name)
                whole = place == "torch.nn.functional" and name not in AS_GIVEN
                EXCHANGED[id(f)] = recorder(f, whole)
                self.exchanges.put(owner, name, EXCHANGED[id(f)])
        for name in METHODS:
            getattr(Tensor, name, None)  # which makes an operator that was not used yet
        for kind in (Protocols, Tensor):
            for name, f in list(vars(kind).items()):
                if name in METHODS or (inspect.isfunction(f) and not name.startswith("_")):
                    self.exchanges.put(kind, name, _method(METHODS.get(name, name), f))

    def end(self) -> None:
        """They do no longer."""
        self.wanted -= 1
        if not self.wanted:
            self.exchanges.undo()
            EXCHANGED.clear()


RECORDERS = Recorders()


def _as_pytorch_does(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What has a default by its name, also where it was not given; the rest by place.

    So a node of ``F.relu(x)`` has ``kwargs == {"inplace": False}``, as in PyTorch.
    """
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return args, kwargs
    bound.apply_defaults()
    parameters = bound.signature.parameters
    needed = [k for k, p in parameters.items() if p.default is p.empty]
    named = {k: v for k, v in bound.arguments.items() if k not in needed and k[0] != "_"}
    return tuple(bound.arguments[k] for k in needed), named
