"""A graph as plain data, for pickle, and as a folder with a module's text.

What pickle reads of a graph is its nodes; a function is its name in ``torch``, or what pickle makes
of it. No text is run: the graph is written as a function anew. ``to_folder`` writes a text that a
program imports, as it imports any other.
"""
from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import nn
from ..base.errors import message
from ..files.save import save
from ..nn.module import Module
from .names import module, qualified
from .node import Argument, Node, map_aggregate

if TYPE_CHECKING:
    from .graph import Graph
    from .graph_module import GraphModule


@dataclass(frozen=True)
class Number:
    """A node, by its place in the graph."""

    node: int


@dataclass(frozen=True)
class Named:
    """A function that programs know as ``torch.<...>``, or another."""

    place: str
    name: str

    def found(self) -> Callable[..., Any]:
        """The function of that name."""
        function: Callable[..., Any] = getattr(module(self.place), self.name)
        return function


Row = tuple[str, str, Any, Any, Any, Any]


def rows(graph: Graph) -> list[Row]:
    """The nodes as plain data: kind, name, target, args, kwargs, type."""
    number = {n: Number(i) for i, n in enumerate(graph.nodes)}

    def plain(a: Argument) -> Argument:
        if isinstance(a, Node):
            return number[a]
        if callable(a) and not isinstance(a, type) and qualified(a).startswith("torch."):
            place, _, name = qualified(a).rpartition(".")
            return Named(place, name)
        return a

    return [(n.op, n.name, plain(n.target), map_aggregate(n.args, plain),
             map_aggregate(n.kwargs, plain), n.type) for n in graph.nodes]  # fmt: skip


def of_rows(made: Graph, given: list[Row]) -> Graph:
    """The nodes of ``rows``, in a graph that has none."""
    nodes: list[Node] = []

    def back(a: Argument) -> Argument:
        if isinstance(a, Number):
            return nodes[a.node]
        return a.found() if isinstance(a, Named) else a

    for op, name, target, args, kwargs, kind in given:
        filled = map_aggregate(args, back), map_aggregate(kwargs, back)
        nodes.append(made.create_node(op, back(target), *filled, name, kind))
    return made


# ---- a folder ------------------------------------------------------------------------------------
def to_folder(gm: GraphModule, folder: str | os.PathLike[str], name: str) -> None:
    """module.py with a class ``name``, its weights in state_dict.pt, and __init__.py."""
    known = gm.graph.python_code("self").globals
    lines = ["import operator", "import os", "from math import inf, nan", "",
             "import microtorch as torch", "from microtorch import device, nn"]  # fmt: skip
    for word, value in known.items():
        if word not in ("torch", "inf", "nan", "device", "operator"):
            lines += _imported(word, value)
    lines += ["", "", f"class {name}(nn.Module):", "    def __init__(self):",
              "        super().__init__()", *_members(gm, "self")]  # fmt: skip
    held = {**dict(gm.named_parameters()), **dict(gm.named_buffers()), **dict(gm.named_modules())}
    for node in gm.graph.nodes:
        if node.op == "get_attr" and node.target not in held:
            raise NotImplementedError(
                message(f"to_folder() writes tensors and layers, and {node.target} is neither")
            )
    lines += [f"        self.get_parameter({k!r}).requires_grad_(False)"
              for k, p in gm.named_parameters() if not p.requires_grad]  # fmt: skip
    lines += ['        here = os.path.join(os.path.dirname(__file__), "state_dict.pt")',
              "        self.load_state_dict(torch.load(here))",
              f"        self.train({gm.training})"]  # fmt: skip
    lines += [f"        self.get_submodule({k!r}).training = {m.training}"
              for k, m in gm.named_modules() if m.training is not gm.training]  # fmt: skip
    lines += ["", *[f"    {line}".rstrip() for line in gm.code.strip().splitlines()], ""]
    os.makedirs(folder, exist_ok=True)
    for file, text in (("module.py", "\n".join(lines)), ("__init__.py", "from .module import *\n")):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as out:
            out.write(text)
    save(gm.state_dict(), os.path.join(folder, "state_dict.pt"))


def _imported(word: str, value: Argument) -> list[str]:
    """The line that brings a name of the graph's text; NotImplementedError for a value without."""
    place, own = getattr(value, "__module__", None), getattr(value, "__qualname__", "<")
    place = (place or "").replace("_operator", "operator")
    if not place or place == "__main__" or not own.isidentifier():
        raise NotImplementedError(
            message(f"to_folder() cannot write {word}, which is {value!r}",
                    fix="a function of a module that the folder's text can import")
        )  # fmt: skip
    return [f"from {place} import {own}" + (f" as {word}" if own != word else "")]


def _members(owner: Module, path: str) -> list[str]:
    """The lines that make a module's parameters, buffers and layers; the weights come later."""
    lines = []
    for name, p in owner._parameters.items():
        if p is not None:
            made = f"nn.Parameter(torch.empty({list(p.shape)}, dtype={p.dtype}))"
            lines.append(f"        {path}.register_parameter({name!r}, {made})")
    for name, b in owner._buffers.items():
        if b is not None:
            kept = name not in owner._non_persistent_buffers_set
            if not kept:
                raise NotImplementedError(message(f"to_folder() writes no buffer without a place "
                                                  f"in state_dict(), such as {path}.{name}"))
            made = f"torch.empty({list(b.shape)}, dtype={b.dtype})"
            lines.append(f"        {path}.register_buffer({name!r}, {made})")
    for name, layer in owner._modules.items():
        if layer is None:
            continue
        plain = type(layer) is Module
        made = "nn.Module()" if plain else _text(layer)
        lines.append(f"        {path}.add_module({name!r}, {made})")
        if plain:
            at = f"{path}.{name}" if name.isidentifier() else f"{path}._modules[{name!r}]"
            lines += _members(layer, at)
    return lines


def _text(layer: Module) -> str:
    """A layer of torch.nn as its text. NotImplementedError for one whose text does not say it."""
    text = re.sub(r"\s+", " ", repr(layer))
    made = type(layer) is getattr(nn, type(layer).__name__, None) and not layer._modules
    same = _read(type(layer), text) if made and not layer._hooked else None
    if same is None or _settings(same) != _settings(layer):
        raise NotImplementedError(
            message(f"to_folder() cannot write {type(layer).__name__}, which its text does not say",
                    fix="pickle.dumps(graph_module); or trace into it: a Tracer whose "
                        "is_leaf_module returns False")
        )  # fmt: skip
    kinds = {t.dtype for t in layer.parameters()} - {t.dtype for t in same.parameters()}
    return f"nn.{text}" + "".join(f".to({d})" for d in kinds)


def _read(kind: type[Module], text: str) -> Module | None:
    """The layer that a text like ``Linear(2, 3, bias=True)`` makes; None where it is for readers
    only. Its arguments are literals: nothing else is evaluated.
    """
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        given = {k.arg or "": ast.literal_eval(k.value) for k in call.keywords}
        return kind(*map(ast.literal_eval, call.args), **given)
    except (SyntaxError, TypeError, ValueError):
        return None


def _settings(layer: Module) -> dict[str, Any]:
    """What a layer was made with, and the shapes of its weights. A text that says too little, as
    that of AvgPool2d(2, ceil_mode=True) does, makes a layer with others.
    """
    own = {k: v for k, v in vars(layer).items() if not k.startswith("_") and k != "training"}
    return {**own, **{f"{k}'s shape": v.shape for k, v in layer.state_dict().items()}}
