"""The user's hooks on a node, and a gradient as a user sees it and as the engine needs it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import errors
from ..graph import Node
from .record import constant

if TYPE_CHECKING:
    from ..base.types import Contribution, Gradient, Hook


class Outputs(dict[int, "Gradient"]):
    """The gradient of a node of several outputs, by the outputs' numbers; ``+`` adds one by one."""

    def __add__(self, other: dict[int, Gradient]) -> Outputs:
        out = Outputs(self)
        for i, g in other.items():
            out[i] = out[i] + g if i in out else g
        return out


def before(node: Node, g: Gradient, last: bool = False) -> Gradient:
    """Run the hooks that see, and may replace, a node's complete gradient.

    If ``retain_grad`` asked for it, the gradient is kept. None: a hook took all of it away.
    ``last``: the walk ends here, before the hooks that belong to the node and not to the tensor.
    """
    hooks = node.hooks
    if hooks is None:
        return g
    for hook in list(hooks.tensor.values()):
        result = hook(as_tensor(g, node))
        if result is not None:
            g = as_gradient(hook, result, g)
    if hooks.retain and not isinstance(hooks.retain, Node):
        keeper = node if hooks.retain is True else hooks.retain()
        if keeper is not None:
            kept = as_tensor(g, node)
            keeper.grad = kept if keeper.grad is None else keeper.grad + kept
    for hook in () if last else list(hooks.pre.values()):
        given = grad_outputs(g, node)
        results = _replaced(hook, hook(given), len(given), node)
        if results is not None:
            parts = g if isinstance(g, Outputs) else {0: g}
            changed = {
                i: as_gradient(hook, results[i], d)
                for i, d in parts.items()
                if results[i] is not None
            }
            if not changed:
                return None
            g = Outputs(changed) if isinstance(g, Outputs) else changed[0]
    return g


def after(node: Node, g: Gradient, parts: list[Contribution]) -> list[Contribution]:
    """Run the hooks on a node's whole backward step: ``hook(grad_inputs, grad_outputs)``."""
    if node.hooks is None:
        return parts
    for hook in list(node.hooks.post.values()):
        grad_inputs = tuple(None if d is None else as_tensor(d, node) for d in parts)
        result = hook(grad_inputs, grad_outputs(g, node))
        results = _replaced(hook, result, len(parts), node)
        parts = parts if results is None else [
            None if d is None or r is None else as_gradient(hook, r, d)
            for r, d in zip(results, parts, strict=True)
        ]
    return parts


def _replaced(hook: Hook, result: object, n: int, node: Node) -> tuple[Any, ...] | None:
    """The ``n`` gradients that a hook on a node returned; None if it did not."""
    if result is None:
        return None
    if not isinstance(result, tuple):
        what = f"expected tuple, but hook returned '{type(result).__name__}'"
        raise TypeError(errors.message(what, f"hook '{name_of(hook)}'", fix="return (grad,)"))
    if len(result) != n:
        raise RuntimeError(
            errors.message(
                f"hook '{name_of(hook)}' has returned an incorrect number of values "
                f"(got {len(result)}, but expected {n})",
                f"on {node.name()}, made at {node.where()}",
            )
        )
    return result


def grad_outputs(g: Gradient, node: Node) -> tuple[Any, ...]:
    """The gradients of all outputs of a node as hooks see them; None where there is none."""
    if not isinstance(g, Outputs):
        return (as_tensor(g, node),)
    n = len((node.attrs or {})["outputs"])
    return tuple([as_tensor(g[i], node) if i in g else None for i in range(n)])


def as_tensor(g: Gradient, node: Node) -> Any:
    """A gradient as the user sees it: a Tensor on memory of its own (a float for a Scalar).

    A copy, because the engine's arrays may be shared (``x + y`` hands one array to both), and the
    user may write into theirs.
    """
    if node.dev is None or hasattr(g, "node"):
        return g
    if hasattr(g, "level"):  # of some kind of numbers (kinds/)
        return constant(g.copy())
    return constant(node.dev.array(node.dev.clone(g)), node.dev)


def as_gradient(hook: Hook, result: Any, like: Gradient) -> Gradient:
    """What a user's hook returned, checked, and as the engine needs it: of the kind of ``like``."""
    if isinstance(like, float) and isinstance(result, (int, float)):
        return float(result)
    if not hasattr(result, "shape"):
        raise TypeError(
            errors.message(
                f"expected Variable, but hook returned '{type(result).__name__}'",
                f"hook '{name_of(hook)}'",
            )
        )
    if tuple(result.shape) != tuple(getattr(like, "shape", ())):
        raise RuntimeError(
            errors.message(
                f"hook '{name_of(hook)}' has changed the size of value",
                f"the gradient is {errors.describe(like)}, the hook returned "
                f"{errors.describe(result)}",
            )
        )
    mine = getattr(getattr(like, "array", like), "dtype", None)
    if hasattr(result, "array") and result.array.dtype != mine:
        raise RuntimeError(
            errors.message(
                f"hook '{name_of(hook)}' has changed the type of value",
                f"the gradient is {errors.describe(like)}, the hook returned "
                f"{errors.describe(result)}",
                fix="return new.to(grad.dtype)",
            )
        )
    if hasattr(result, "array") and not hasattr(like, "array"):
        return result.array.copy()  # a leaf adds to it in place: it must not be the user's own
    return result


def name_of(hook: Hook) -> str:
    """A hook's name for a message."""
    return getattr(hook, "__name__", repr(hook))
