"""``torch.fx``: a module's forward as a graph that can be read, changed, and run again.

    gm = symbolic_trace(net)
    for node in gm.graph.nodes: print(node.op, node.target, node.args)

tracing.py records, graph.py and node.py hold, graph_module.py and interpreter.py run. The interface
is PyTorch's: https://docs.pytorch.org/docs/stable/fx.html
"""
from __future__ import annotations

from ..base.errors import missing
from .graph import Graph
from .graph_module import GraphModule
from .interpreter import Interpreter, Transformer
from .node import Node, map_arg
from .proxy import Proxy
from .rewriting import replace_pattern
from .tracing import Tracer, symbolic_trace, wrap

__all__ = [
    "Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer", "map_arg",
    "replace_pattern", "symbolic_trace", "wrap",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
