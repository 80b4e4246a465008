"""What ``explain_grad`` is asked about: a tensor, its name, and the loss in question."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from types import FrameType

import numpy as np

from microtorch import nn
from microtorch.backends import host
from microtorch.base import errors
from microtorch.graph import Node, in_order
from microtorch.handles.scalar import Scalar
from microtorch.handles.tensor import Tensor

from .frames import local_variables
from .held import own_gradient
from .measure import Data
from .names import Names, Pairs, node_of
from .take import Root, fill, skeleton, take
from .trace import Trace


@dataclass
class Subject:
    """Facts about a Tensor or Scalar. ``op`` made it, at ``where`` (both empty for a leaf)."""

    name: str
    tensor: bool  # else a Scalar
    op: str
    where: str
    written: bool  # did an in-place operation make it what it is?
    line: str  # the user's line that made it, if it is known
    needs: bool
    dtype: str
    grad: Data | None
    kept: bool  # does its node hold a gradient?
    loss: Root

    @property
    def floating(self) -> bool:
        return np.dtype(self.dtype).kind == "f"

    @property
    def state(self) -> str:
        """What is to be said of its gradient where this loss gives it none."""
        if self.grad is None or not np.any(self.grad):
            return "is None" if self.grad is None else "is zero"
        return "comes from an earlier backward()"

    @property
    def rebound(self) -> bool:
        """Did the line use a value of this name, and bind the name to the result: w = w - g?"""
        try:
            made = ast.parse(self.line).body
        except SyntaxError:  # a part of a longer statement
            return False
        for statement in made:
            if isinstance(statement, ast.Assign):
                bound = {ast.unparse(t) for t in statement.targets}
                inner = (n for n in ast.walk(statement.value) if isinstance(n, ast.expr))
                used = set(map(ast.unparse, inner))
                if self.name in bound & used:
                    return True
        return False

    @property
    def has_graph(self) -> bool:
        """Can something flow back from the loss?"""
        root = node_of(self.loss)
        return root is not None and root.op is not None

    def trace(self, frame: FrameType, given: Pairs | None) -> Trace:
        """The trace of the loss, with all gradients."""
        return take(self.loss, "explain_grad", frame, given, gradients=True)

    def bare(self) -> Trace | None:
        """The trace of the loss without names; None where the loss has no graph."""
        return fill(skeleton(self.loss)) if self.has_graph else None


def subject(p: object, loss: Root, frame: FrameType, given: Pairs | None) -> Subject:
    """Raises TypeError if ``p`` is no Tensor or Scalar.

    Without a loss it is the newest result among the caller's variables.
    """
    node = node_of(p)
    if node is None:
        what = f"explain_grad() takes a Tensor or a Scalar, not {type(p).__name__}"
        one = "one parameter at a time: explain_grad(net[0].weight, loss)"
        fix = one if isinstance(p, nn.Module) else "pass a tensor"
        raise TypeError(errors.message(what, fix=fix))
    op = "" if node.op is None else node.op.name
    storage = node.storage
    shown = node.op is None or node.grad is not None  # another has no .grad, and reading it warns
    grad = own_gradient(node) if shown and isinstance(p, (Tensor, Scalar)) else None
    return Subject(
        _name(p, node, frame, given),
        isinstance(p, Tensor),
        op,
        str(node.where()) if op else "",
        op in ("copy", "copy_slices") or (storage is not None and bool(storage.version)),
        linecache.getline(site.file, site.line).strip() if op and (site := node.where()) else "",
        node.needs,
        str(node.dtype),
        None if grad is None else np.asarray(host(grad)),
        node.grad is not None,
        _newest(frame) if loss is None else loss,
    )


def _name(p: object, node: Node, frame: FrameType, given: Pairs | None) -> str:
    below = in_order([node], constants=True) if node.op is not None else [node]
    names = Names(below, frame, given)
    last = len(below) - 1
    modules = names.variables.items() if last not in names.explicit else ()
    for module, path in modules:  # an optimizer holds it, too
        if isinstance(module, nn.Module):
            for inner, q in module.named_parameters():
                if q is p:
                    return f"{path}.{inner}"
    return names.name(last) or "this tensor"


def _newest(frame: FrameType) -> Root:
    """The youngest result with a graph among the caller's variables."""
    values = (frame.f_globals | local_variables(frame)).values()
    found = [(v, node) for v in values if (node := node_of(v)) is not None]
    results = [(v, node) for v, node in found if node.op is not None and node.needs]
    single = [(v, node) for v, node in results if not node.shape] or results
    return max(single, key=lambda pair: pair[1].seq, default=(None, None))[0]
