"""A module whose forward is the text of a graph."""
from __future__ import annotations

import copy
import linecache
from collections.abc import Mapping
from itertools import count
from os import PathLike
from typing import Any

from ..base.errors import message
from ..handles.tensor import Tensor
from ..nn.module import Module
from ..nn.parameter import Parameter
from .files import to_folder
from .graph import Graph, PythonCode
from .node import Value

_numbers = count()


class GraphModule(Module):
    """Runs ``graph`` with the parameters and submodules of ``root``: a module, or a dict by path.

    After a change of the graph call ``recompile()``. ``code`` is the text that runs.
    """

    def __new__(cls, *args: Value, **kwargs: Value) -> GraphModule:
        # each has a class of its own, since forward is looked up there
        own = type(cls.__name__, (cls,), {"__module__": cls.__module__})
        made: GraphModule = super().__new__(own)
        return made

    def __init__(
        self, root: Module | Mapping[str, Any], graph: Graph, class_name: str = "GraphModule"
    ) -> None:
        super().__init__()
        type(self).__name__ = type(self).__qualname__ = class_name
        self.__dict__["_scope_label"] = class_name
        if isinstance(root, Module):
            self.training = root.training
        for node in graph.nodes:
            if node.op in ("get_attr", "call_module"):
                target = str(node.target)
                if isinstance(root, Mapping) and target not in root:
                    raise RuntimeError(
                        message(
                            f"Node {node} referenced target {target} but that target was not "
                            "provided in ``root``!"
                        )
                    )
                self._take(root, target)
        self.graph = graph

    def _take(self, root: Module | Mapping[str, Any], target: str) -> None:
        """What lies at a path of ``root``, at the same path."""
        if isinstance(root, Mapping):
            found: Value = root[target]
        else:
            found = root
            for part in target.split("."):
                found = getattr(found, part, None)
        if found is None:
            return
        *path, last = target.split(".")
        owner: Module = self
        for part in path:
            inner = owner._modules.get(part)
            if inner is None:
                inner = Module()
                owner.add_module(part, inner)
            owner = inner
        if isinstance(found, Tensor) and not isinstance(found, Parameter):
            owner.register_buffer(last, found)
        else:
            setattr(owner, last, found)

    @property
    def graph(self) -> Graph:
        """What runs; to set it compiles."""
        made: Graph = self.__dict__["_graph"]
        return made

    @graph.setter
    def graph(self, graph: Graph) -> None:
        self.__dict__["_graph"] = graph
        graph.owning_module = self
        self.recompile()

    @property
    def code(self) -> str:
        """The text of ``forward``."""
        text: str = self.__dict__["_code"]
        return text

    def recompile(self) -> PythonCode:
        """Write the graph as a function anew, after a change."""
        made = self.graph.python_code(root_module="self")
        file = f"<graph {next(_numbers)}>"
        linecache.cache[file] = (len(made.src), None, made.src.splitlines(True), file)
        names = dict(made.globals)
        exec(compile(made.src, file, "exec"), names)
        self.__dict__["_code"] = made.src
        setattr(type(self), "forward", names["forward"])  # noqa: B010 - the class is this one's
        return made

    # ---- submodules ------------------------------------------------------------------------------
    def add_submodule(self, target: str, m: Module) -> bool:
        """Put a module at a path; False where something else is on the way."""
        *path, last = target.split(".")
        owner: Value = self
        for part in path:
            inner = owner._modules.get(part)
            if inner is None:
                if hasattr(owner, part):
                    return False
                inner = Module()
                owner.add_module(part, inner)
            owner = inner
        owner.add_module(last, m)
        return True

    def delete_submodule(self, target: str) -> bool:
        """Take out the module at a path; False where there is none."""
        *path, last = target.split(".")
        owner: Value = self
        for part in path:
            owner = owner._modules.get(part)
            if owner is None:
                return False
        return owner._modules.pop(last, None) is not None

    def delete_all_unused_submodules(self) -> None:
        """Take out the modules that no node calls, or reads a member of."""
        used = {str(n.target) for n in self.graph.nodes if n.op in ("call_module", "get_attr")}
        for name, _ in list(self.named_modules()):
            below = any(u == name or u.startswith(f"{name}.") for u in used)
            inside = any(name.startswith(f"{u}.") for u in used)
            if name and not below and not inside:
                self.delete_submodule(name)

    def print_readable(self, print_output: bool = True, **kwargs: Value) -> str:
        """The text as a class; also printed, unless ``print_output=False``."""
        lines = self.code.strip().splitlines()
        text = "\n".join([f"class {type(self).__name__}(torch.nn.Module):",
                          *(f"    {line}".rstrip() for line in lines)])  # fmt: skip
        if print_output:
            print(text)
        return text

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphModule:
        base = type(self).__mro__[1]
        return restored(base, type(self).__name__, copy.deepcopy(self._held(), memo),
                        copy.deepcopy(self.graph))  # fmt: skip

    def _held(self) -> dict[str, Any]:
        """All that it has besides its graph."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_graph", "_code")}

    def __copy__(self) -> GraphModule:
        made: GraphModule = type(self).__mro__[1](self, self.graph, type(self).__name__)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (type(self).__mro__[1], type(self).__name__, self._held(), self.graph)

    def to_folder(self, folder: str | PathLike[str], module_name: str = "FxModule") -> None:
        """Write module.py with a class ``module_name``, and its weights (files.py).

        NotImplementedError for layers and functions that such a text cannot name.
        """
        to_folder(self, folder, module_name)

    def __str__(self) -> str:
        see = "# To see more debug info, please use `graph_module.print_readable()`"
        return "\n".join([super().__repr__(), self.code, see])


def restored(
    base: type[GraphModule], name: str, held: dict[str, Any], graph: Graph
) -> GraphModule:
    """A graph module with all that another one had: what pickle calls."""
    root = Module()
    root.__dict__.update(held)
    made = base(root, graph, name)
    for key, value in held.items():
        if key not in ("_parameters", "_buffers", "_modules"):
            made.__dict__[key] = value
    return made
