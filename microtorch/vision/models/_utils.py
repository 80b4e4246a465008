"""The outputs of a model's inner layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor

Outputs = OrderedDict[str, Tensor]


class IntermediateLayerGetter(nn.ModuleDict):
    """The children of a model up to the last one that is asked for.

    `return_layers`: the names of children, and what their outputs are called. ValueError for a
    child that is not there.
    """

    def __init__(self, model: nn.Module, return_layers: Mapping[str, str]) -> None:
        names = dict(model.named_children())
        if not set(return_layers) <= set(names):
            raise ValueError(message("return_layers are not present in model"))
        last = max(list(names).index(name) for name in return_layers)
        super().__init__(dict(list(names.items())[: last + 1]))
        self.return_layers = dict(return_layers)

    def forward(self, x: Tensor) -> Outputs:
        found: Outputs = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                found[self.return_layers[name]] = x
        return found
