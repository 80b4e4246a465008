"""What backward starts from: the tensors as they are given, and their gradients, checked."""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import F32
from ..base import errors
from ..engine.record import constant, handle
from ..graph import Node
from ..handles.scalar import Scalar, constant_scalar
from ..handles.tensor import Tensor

if TYPE_CHECKING:
    from ..base.types import Array, Backend, Gradient, Operand, Root, Tree


def listed(x: Tree) -> list[Any]:
    """One thing or several, as a list: `model.parameters()`, too, which can be run through once."""
    if isinstance(x, (Node, Tensor, np.ndarray, str)) or not isinstance(x, Iterable):
        return [x]
    if hasattr(x, "output_nr"):
        return [_of_edge(x)]
    return [_of_edge(v) if hasattr(v, "output_nr") and isinstance(v, tuple) else v for v in x]


def _of_edge(edge: Tree) -> Tensor:
    """The tensor whose gradient arrives at an edge (autograd.graph.GradientEdge)."""
    node: Node = edge.node
    if edge.output_nr or type(node.value) is tuple:
        raise NotImplementedError(
            errors.message(
                "an edge to one of several outputs, or of a freed node, cannot be differentiated",
                node.name(),
                fix="give the tensor itself",
            )
        )
    return handle(node.value, node)


def node_of(x: Root) -> Node:
    """The node of a Tensor or Scalar, or the node that it is; TypeError for anything else."""
    if isinstance(x, Node):
        return x
    if not isinstance(x, Tensor):
        raise TypeError(errors.message(f"expected a Tensor or Scalar, but got {type(x).__name__}"))
    return x.node


# backend of float32 -> dL/dL = 1, the seed of most programs, made once: backward only reads it (a
# root that is itself a leaf, and would keep it, gets one of its own)
ONES: dict[Backend, Array] = {}


def seeds_of(roots: list[Root], given: Operand, create_graph: bool) -> list[Gradient]:
    """The gradients to start from, checked: 1 for one-element roots unless given."""
    gs = [None] * len(roots) if given is None else listed(given)
    if len(gs) != len(roots):
        raise RuntimeError(errors.message(f"got {len(roots)} tensors and {len(gs)} gradients"))
    return [seed_of(root, g, create_graph) for root, g in zip(roots, gs, strict=True)]


def seed_of(root: Root, g: Gradient, create_graph: bool) -> Gradient:
    """The gradient of a root to start from, checked; an array, unless backward is recorded."""
    node = node_of(root)
    if not node.needs or node.lost:
        raise _no_graph(root)
    if isinstance(root, Scalar):
        value = 1.0 if g is None else g
        if not create_graph:
            return float(value)
        return value if isinstance(value, Scalar) else constant_scalar(value)
    if g is None:
        if (
            root.array.ndim == 0
            and root.array.dtype is F32
            and not create_graph
            and node.op is not None
        ):
            one = ONES.get(node.dev)
            if one is None:
                one = ONES[node.dev] = node.dev.array(np.ones((), F32))
            return one
        if root.array.size != 1 or root.array.dtype.kind == "c":
            raise _no_gradient_given(root)
        g = constant(node.dev.array(np.ones(root.array.shape, root.array.dtype)), node.dev)
    elif not isinstance(g, Tensor):
        raise TypeError(
            errors.message(
                f"gradients can be either Tensors or None, but got {type(g).__name__}",
                fix="gradient=torch.tensor(...)",
            )
        )
    elif g.array.shape != root.array.shape:
        raise RuntimeError(
            errors.message(
                f"Mismatch in shape: grad_output[0] has a shape of {g.shape} and output[0] has a "
                f"shape of {root.shape}.",
                "the gradient of a tensor has the tensor's shape",
            )
        )
    if g.node.dev.device is not node.dev.device:
        from ..kinds.level import levels_in, lift

        mine, given = levels_in(root.array), levels_in(g.array)
        if mine or given:
            g = lift(g, mine)
            # one of more levels stays a Tensor, and so backward runs on Tensors
            return g.array if len(mine) == len(levels_in(g.array)) and not create_graph else g
        raise errors.DeviceError(
            errors.message(
                f"the gradient is on {g.device}, but the tensor is on {root.device}",
                fix=f"gradient.to('{root.device}')",
            )
        )
    if g.array.dtype != root.array.dtype:
        if g.is_complex() != root.is_complex():
            raise RuntimeError(
                errors.message(
                    "For complex Tensors, both grad_output and output are required to have the "
                    f"same dtype. Mismatch in dtype: grad_output[0] has a dtype of {g.dtype} and "
                    f"output[0] has a dtype of {root.dtype}.",
                    fix=f"gradient.to({root.dtype})",
                )
            )
        g = g.to(root.dtype)
    if create_graph:
        return g
    # a leaf keeps what it is given, and adds to it in place
    return g.node.dev.clone(g.array) if node.op is None else g.array


def _no_graph(root: Root) -> Exception:
    what = "element 0 of tensors does not require grad and does not have a grad_fn"
    why = "was not computed from anything with requires_grad=True, or was detached"
    return errors.GraphError(
        errors.message(
            what,
            f"{errors.describe(root)} {why}",
            fix="x = torch.tensor(..., requires_grad=True) before computing; check for "
            "torch.no_grad(), .detach(), .item(), and for comparisons and argmax, which have "
            "no derivative",
        )
    )


def _no_gradient_given(root: Tensor) -> Exception:
    """For a root of several elements, or a complex one: nobody said in which direction."""
    what = "grad can be implicitly created only for scalar outputs"
    fix = "reduce it first, loss.sum() or loss.mean(), or pass gradient=torch.ones_like(loss)"
    if root.array.size == 1:
        what = f"grad can be implicitly created only for real scalar outputs but got {root.dtype}"
        fix = "loss = z.abs() or z.real; or pass gradient=torch.ones_like(z)"
    made = f"the output of {root.node.name()}" if root.node.op is not None else "a leaf"
    return errors.GraphError(
        errors.message(what, f"backward on {errors.describe(root)}, {made}", fix=fix)
    )
