"""``torch.autograd``: backward, grad, grad modes, custom functions, gradient checking.

This layer reads PyTorch's arguments, checks them, and runs ``engine.run``.
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import engine, errors
from ..graph import Mode, Node, mode
from ..ops import F32, REGISTRY, apply, constant
from ..scalar import Scalar, _number
from ..tensor import AccumulateGrad, Tensor
from . import grad_mode
from .grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .listening import listeners

__all__ = ["Function", "Variable", "backward", "detect_anomaly", "enable_grad", "functional", "grad", "grad_mode",
           "gradcheck", "gradgradcheck", "inference_mode", "is_grad_enabled", "no_grad", "set_detect_anomaly",
           "set_grad_enabled"]


class _Recording:
    """The namespace F of derivatives under ``create_graph=True``: ops on Tensors, recorded in turn."""

    def __getattr__(self, name: str) -> Any:
        op = REGISTRY[name]

        def recorded(*inputs: Any, **attrs: Any) -> Any:
            return apply(op, inputs, attrs or None)

        setattr(self, name, recorded)
        return recorded

    def lift(self, node: Node, saved: Sequence[Any]) -> tuple[Any, list[Any]]:
        """A node's output and saved inputs as Tensors on the nodes they came from (unsaved inputs stay nodes)."""
        out = _handle(node, node.value) if type(node.value) is not tuple else node
        return out, [s if isinstance(s, Node) else _handle(x, s) for x, s in zip(node.inputs, saved, strict=True)]


def _handle(node: Node, array: Any) -> Tensor:
    t = object.__new__(Tensor)
    t.array, t.origin, t.node = array, None, node
    return t


RECORDING = _Recording()
_anomaly: list[bool] = []
_RECORD, _QUIET = Mode(True), Mode(False)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradient of ``tensors`` to the ``.grad`` of all leaves below them, or only of ``inputs``.

    ``grad_tensors``: the gradient to start from, needed for tensors of more than one element. ``retain_graph`` (default:
    ``create_graph``) keeps the arrays for another backward. ``create_graph`` records the derivative itself.
    Raises RuntimeError as PyTorch does: no graph, non-scalar without gradient, graph already freed.
    """
    given = grad_tensors if grad_tensors is not None else grad_variables
    if isinstance(tensors, (tuple, list)):
        roots = list(tensors)
        seeds = _seeds(roots, given, create_graph)
    else:
        roots, seeds = [tensors], [_seed(tensors, given, create_graph)]
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        _run(roots, seeds, retain, create_graph, None)
    else:
        _into(inputs, roots, seeds, retain, create_graph)
    if listeners:
        for listener in list(listeners.values()):
            listener(roots)


def _into(inputs: Any, roots: list[Any], seeds: list[Any], retain: bool, create_graph: bool) -> None:
    """Backward to ``inputs`` alone."""
    inputs = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    if not inputs:
        raise RuntimeError(errors.message("`inputs` argument to `backward()` cannot be empty."))
    targets = [_node(x) for x in inputs]
    found = _run(roots, seeds, retain, create_graph, frozenset(targets))
    for node in dict.fromkeys(targets):
        if node in found:
            g = found[node]
            if isinstance(node, (AccumulateGrad, Scalar)):
                node.accumulate(g if isinstance(g, (Tensor, float, Scalar)) else g.copy())
            else:
                g = engine.as_tensor(g, node)
                node.grad = g if node.grad is None else node.grad + g


def _method(
    self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Compute the gradients of all leaves below (or of ``inputs``) and add them to their ``.grad``."""
    backward(self, gradient, retain_graph, create_graph, None, inputs)


_method.__name__, _method.__qualname__ = "backward", "Tensor.backward"
Tensor.backward = _method  # type: ignore[attr-defined]


def _scalar_method(
    self: Scalar, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Add the derivative of this Scalar to the ``.grad`` of every Scalar (and leaf tensor) it depends on."""
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


_scalar_method.__name__, _scalar_method.__qualname__ = "backward", "Scalar.backward"
Scalar.backward = _scalar_method  # type: ignore[attr-defined]


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, as a tuple; no ``.grad`` is touched.

    ``allow_unused``: None instead of an error for an input that the outputs do not depend on; ``materialize_grads``: zeros.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            errors.message("Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
                           "allow_unused=False.")
        )
    if is_grads_batched:
        raise NotImplementedError(
            errors.message("is_grads_batched=True is not supported", fix="call autograd.grad once per row of grad_outputs")
        )
    roots = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    wanted = list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]
    seeds = _seeds(roots, grad_outputs, create_graph)
    for x in wanted:
        if not _node(x).needs:
            raise RuntimeError(errors.message("One of the differentiated Tensors does not require grad", errors.describe(x),
                                              fix="make it with requires_grad=True, before it is used"))
    targets = [_node(x) for x in wanted]
    found = _run(roots, seeds, create_graph if retain_graph is None else retain_graph, create_graph, frozenset(targets))
    out: list[Any] = []
    for x, node in zip(wanted, targets, strict=True):
        if node in found:
            out.append(engine.as_tensor(found[node], node))
        elif materialize_grads:
            out.append(0.0 if isinstance(node, Scalar) else constant(np.zeros(node.shape, node.dtype), node.dev))
        elif allow_unused:
            out.append(None)
        else:
            raise RuntimeError(
                errors.message(
                    f"The differentiated Tensor at index {len(out)} appears to not have been used in the graph. Set "
                    "allow_unused=True if this is the desired behavior.",
                    f"input {len(out)} is {errors.describe(x)}",
                )
            )
    return tuple(out)


def _node(x: Any) -> Node:
    if isinstance(x, Node):
        return x
    if not isinstance(x, Tensor):
        raise TypeError(errors.message(f"expected a Tensor or Scalar, but got {type(x).__name__}"))
    return x.node


# dL/dL of most losses, made once: backward only reads it (a root that is itself a leaf, and would keep it, gets its own)
_ones: dict[Any, Any] = {}  # backend object of float32 -> the seed of most programs: 1


def _seeds(roots: list[Any], given: Any, create_graph: bool) -> list[Any]:
    """The gradients to start from, checked: 1 for one-element roots unless given."""
    given = [None] * len(roots) if given is None else list(given) if isinstance(given, (tuple, list)) else [given]
    if len(given) != len(roots):
        raise RuntimeError(errors.message(f"got {len(roots)} tensors and {len(given)} gradients"))
    return [_seed(root, g, create_graph) for root, g in zip(roots, given, strict=True)]


def _seed(root: Any, g: Any, create_graph: bool) -> Any:
    node = _node(root)
    if not node.needs:
        raise errors.GraphError(
            errors.message(
                "element 0 of tensors does not require grad and does not have a grad_fn",
                f"{errors.describe(root)} was not computed from anything with requires_grad=True, or was detached",
                fix="x = torch.tensor(..., requires_grad=True) before computing; check for torch.no_grad(), .detach(), .item()",
            )
        )
    if isinstance(node, Scalar):
        value = 1.0 if g is None else g
        return _number(value) if create_graph and not isinstance(value, Scalar) else value if create_graph else float(value)
    if g is None:
        if root.array.ndim == 0 and root.array.dtype is F32 and not create_graph and node.op is not None:
            one = _ones.get(node.dev)
            if one is None:
                one = _ones[node.dev] = node.dev.array(np.ones((), F32))
            return one
        if root.array.size != 1:
            raise errors.GraphError(
                errors.message(
                    "grad can be implicitly created only for scalar outputs",
                    f"backward on {errors.describe(root)}, the output of {node.name()}",
                    fix="reduce it first, loss.sum() or loss.mean(), or pass gradient=torch.ones_like(loss)",
                )
            )
        g = constant(node.dev.array(np.ones(root.array.shape, root.array.dtype)), node.dev)
    elif not isinstance(g, Tensor):
        raise TypeError(
            errors.message(f"gradients can be either Tensors or None, but got {type(g).__name__}", fix="gradient=torch.tensor(...)")
        )
    elif g.array.shape != root.array.shape:
        raise RuntimeError(
            errors.message(
                f"Mismatch in shape: grad_output[0] has a shape of {g.shape} and output[0] has a shape of {root.shape}.",
                "the gradient of a tensor has the tensor's shape",
            )
        )
    if g.node.dev.device is not node.dev.device:
        raise errors.DeviceError(errors.message(f"the gradient is on {g.device}, but the tensor is on {root.device}",
                                                fix=f"gradient.to('{root.device}')"))
    if g.array.dtype != root.array.dtype:
        g = g.to(root.dtype)
    if create_graph:
        return g
    return g.array.copy() if node.op is None else g.array  # a leaf keeps what it is given, and adds to it in place


def _run(roots: list[Any], seeds: list[Any], retain: bool, create_graph: bool, targets: Any) -> dict[Node, Any]:
    token = mode.set(_RECORD if create_graph else _QUIET)  # a custom backward's operations are recorded only if asked for
    try:
        return engine.run(
            [_node(r) for r in roots],
            seeds,
            retain=retain,
            graph=RECORDING if create_graph else None,
            targets=targets,
            observe=_check_nan if _anomaly and _anomaly[-1] else None,
        )
    finally:
        mode.reset(token)


# ---- anomaly detection ---------------------------------------------------------------------------------------------
def _check_nan(node: Node, g: Any, contributions: list[Any]) -> None:
    for i, d in enumerate(contributions):
        array = getattr(d, "array", d)
        if array is not None and bool(np.isnan(array).any() if hasattr(array, "shape") else math.isnan(float(array))):
            raise RuntimeError(
                errors.message(
                    f"Function '{node.name()}' returned nan values in its {i}th output.",
                    f"forward: {node.op.name} at {node.where()}",
                    f"gradient received: {errors.describe(g)}",
                )
            )


class set_detect_anomaly:
    """Let backward raise at the first NaN, naming the op and the line of its forward. A function and a context manager."""

    def __init__(self, mode: bool = True, check_nan: bool = True):
        _anomaly.append(mode and check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _anomaly.pop()


@contextmanager
def detect_anomaly(check_nan: bool = True) -> Iterator[None]:
    """``set_detect_anomaly(True)`` for a block."""
    with set_detect_anomaly(True, check_nan):
        yield


def is_anomaly_enabled() -> bool:
    """Is anomaly detection on?"""
    return bool(_anomaly) and _anomaly[-1]


def Variable(data: Any, requires_grad: bool = False) -> Tensor:
    """PyTorch's old name for a tensor with gradient."""
    return data.detach().requires_grad_(requires_grad) if requires_grad or data.requires_grad else data


from . import functional  # noqa: E402
from .function import Function  # noqa: E402
from .gradcheck import gradcheck, gradgradcheck  # noqa: E402

__getattr__ = errors.missing(__name__, [*__all__, "is_anomaly_enabled"])
