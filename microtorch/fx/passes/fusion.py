"""Batch norms folded into the layers before them."""
from __future__ import annotations

import copy

from ...nn.layers import BatchNorm1d, BatchNorm2d, BatchNorm3d, Conv1d, Conv2d, Conv3d, Linear
from ...nn.module import Module
from ...nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from ..graph_module import GraphModule
from ..node import Node, Value
from ..tracing import symbolic_trace

PAIRS = ((Conv1d, BatchNorm1d), (Conv2d, BatchNorm2d), (Conv3d, BatchNorm3d), (Linear, BatchNorm1d))


def fuse(model: Module, inplace: bool = False, no_trace: bool = False) -> GraphModule:
    """``model``, in eval mode, with batch norms folded into the layers before them."""
    held = model if inplace else copy.deepcopy(model)
    gm = held if isinstance(held, GraphModule) else symbolic_trace(held)
    modules = dict(gm.named_modules())
    for node in gm.graph.nodes:
        before = node.args[0] if node.args else None
        if node.op != "call_module" or not isinstance(before, Node) or before.op != "call_module":
            continue
        layer, norm = modules[str(before.target)], modules[str(node.target)]
        if (type(layer), type(norm)) not in PAIRS or len(before.users) > 1:
            continue
        if not getattr(norm, "track_running_stats", False):
            continue
        together: Value = fuse_linear_bn_eval if isinstance(layer, Linear) else fuse_conv_bn_eval
        gm.add_submodule(str(before.target), together(layer, norm))
        node.replace_all_uses_with(before)
        gm.graph.erase_node(node)
    gm.delete_all_unused_submodules()
    gm.recompile()
    return gm
