"""A module in a few words: ``Conv2d 3 → 64, 7×7, stride 2, padding 3``.

The arguments are those of ``extra_repr``; what is as it would be by default is not said.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

from microtorch import nn

PLAIN = ("in_features", "normalized_shape", "p", "kernel_size", "output_size")  # need no name
TOLD = ("bias", "inplace", "batch_first")  # by a shape or a number, or nothing changes


def spelled(module: nn.Module) -> str:
    """The class, and the arguments that are worth a word."""
    kind = type(module).__name__
    if isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
        return kind
    words = _arguments(module)
    return f"{kind} {', '.join(words)}" if words else kind


def arguments(module: nn.Module) -> str:
    """``3, 64, 7, padding=3``: those of the call that makes it."""
    parts = []
    for key, value in _unusual(module):
        text = str(_one(value))
        plain = key in ("", "in_features", "out_features", *PLAIN)
        parts.append(text if plain else f"{key}={text}")
    text = ", ".join(parts)
    return text if len(text) <= 40 else text[:39] + "…"


def _arguments(module: nn.Module) -> list[str]:
    said: list[str] = []
    given = {}
    for position, (key, value) in enumerate(_unusual(module)):
        if not key:
            arrow = position == 1 and said and isinstance(value, int)
            said[-1:] = [f"{said[-1]} → {value}"] if arrow else [*said[-1:], _plain(value)]
            continue
        given[key] = value
        if key in TOLD:
            continue
        if key == "padding" and _half(value, given.get("kernel_size")):
            continue  # the shape stays; that it does is seen
        if key == "out_features" and said:
            said[-1] = f"{said[-1]} → {value}"
        elif key in PLAIN:
            said.append(_plain(value))
        elif value is True:
            said.append(key.replace("_", " "))
        else:
            said.append(f"{key.replace('_', ' ')} {_plain(_one(value))}")
    channels = len(said) == 1 and "Norm" in type(module).__name__  # the shape tells them
    return [] if channels else said


def _unusual(module: nn.Module) -> Iterator[tuple[str, object]]:
    """The names ("" for the first ones) and values that ``extra_repr`` tells, without defaults."""
    kind = type(module)
    usual = {n: p.default for n, p in inspect.signature(kind.__init__).parameters.items()}
    for part in _split(module.extra_repr()):
        key, equals, text = part.partition("=")
        value = _value(text if equals else part)
        if key == "kernel_size" and "Pool" in kind.__name__:
            usual["stride"] = value
        if not equals or key not in usual or not _same(value, usual[key]):
            yield key if equals else "", value


def _split(text: str) -> list[str]:
    """At the commas that stand in no brackets."""
    return [part.strip() for part in re.split(r",(?![^(\[]*[)\]])", text) if part.strip()]


def _value(text: str) -> object:
    try:
        value: object = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text.strip()
    return value


def _plain(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return "×".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one(value: object) -> object:
    """2 for (2, 2)."""
    several = isinstance(value, (tuple, list)) and len(value) and len(set(value)) == 1
    return value[0] if several and isinstance(value, (tuple, list)) else value


def _same(a: object, b: object) -> bool:
    return _one(a) == _one(b)


def _half(padding: object, kernel: object) -> bool:
    """Is it half of the kernel on each side?"""
    one, size = _one(padding), _one(kernel)
    return isinstance(one, int) and isinstance(size, int) and size % 2 == 1 and one == size // 2
