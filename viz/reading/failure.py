"""What raised: the op, its operands and the user's line, found in the frames of a traceback.

What failed left no node. It gets one of its own here, on top of the graphs of the operands, and a
trace of all that.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import FrameType

import numpy as np

from microtorch import nn
from microtorch.base import errors
from microtorch.engine.op import Op
from microtorch.graph import ABSENT, Node, is_library, tick, user_frame
from microtorch.handles.scalar import Scalar
from microtorch.handles.tensor import Tensor

from .frames import local_variables
from .names import node_of
from .take import Drawable, take
from .trace import Trace

MOST = 6  # operands shown


@dataclass
class Failure:
    """The name of the op that raised, its operands, and the user's frame with the place in it."""

    op: str
    operands: list[Tensor | Scalar] = field(default_factory=list)
    frame: FrameType | None = None
    lasti: int = 0


class Failed(Node):
    """The node that would have been."""

    __slots__ = ()
    op = Op("failed", lambda F, *x: x[0], register=False)
    needs = False


def last_error(error: BaseException | None) -> BaseException:
    """The exception meant: ``error``, the one being handled, or the last that nobody handled."""
    error = error or sys.exc_info()[1] or getattr(sys, "last_value", None)
    if error is None:
        what = "draw_error(): no exception has been raised"
        fix = "call it after an exception, or pass one: except RuntimeError as e: viz.draw_error(e)"
        raise ValueError(errors.message(what, fix=fix))
    if not isinstance(error, BaseException):
        what = f"draw_error() takes an exception, but got {type(error).__name__}"
        raise TypeError(errors.message(what, fix="except RuntimeError as e: viz.draw_error(e)"))
    return error


def trace_of(error: BaseException) -> Trace:
    """The graph up to the op that raised; its last node, "failed", is that op.

    Raises ValueError where no frame of the traceback holds a tensor.
    """
    found = failure(error)
    if not found.operands or found.frame is None:
        what = f"draw_error(): no tensor is in the traceback of {type(error).__name__}"
        raise ValueError(errors.message(what, fix="a picture needs the operands of an op"))
    first = found.operands[0]
    node = Failed()
    node.inputs = node.saved = tuple([n for x in found.operands if (n := node_of(x)) is not None])
    node.value = np.zeros(())
    node.attrs = node.scope = node.grad = node.hooks = node.storage = None
    node.dev = first.node.dev if isinstance(first, Tensor) else ABSENT
    node.seq, node.code, node.lasti = tick(), found.frame.f_code, found.lasti
    trace = take(_Stub(node), "draw_error", found.frame)
    last = trace.nodes[-1]
    last.op, last.name, last.needs = found.op, "", False
    return trace


class _Stub(Drawable):
    """The root of a drawing: a handle on a node, without what a Tensor makes of it."""

    def __init__(self, node: Node):
        t = object.__new__(Tensor)
        t.node, t.array, t.origin = node, node.value, None
        self.root = t


def failure(error: BaseException) -> Failure:
    """Search the traceback, the innermost frame first."""
    frames = []
    step = error.__traceback__
    while step is not None:
        frames.append((step.tb_frame, step.tb_lasti))
        step = step.tb_next
    if not frames:
        return Failure("")
    own = [(f, k) for f, k in frames if user_frame(f) is f and not is_library[f.f_code.co_filename]]
    frame, lasti = own[-1] if own else frames[0]
    for f, _ in reversed(frames):
        name, found = _in_frame(f, f is frame)
        if found:
            return Failure(name, found[:MOST], frame, lasti)
        if f is frame:
            break
    function = frame.f_code.co_name
    held = [v for v in local_variables(frame).values() if isinstance(v, (Tensor, Scalar))]
    return Failure("error" if function == "<module>" else function, held[-MOST:], frame, lasti)


def _in_frame(f: FrameType, users: bool) -> tuple[str, list[Tensor | Scalar]]:
    """The op or function that a frame of the library ran, and what it was given."""
    values = local_variables(f)
    op, module = values.get("op"), values.get("self")
    if isinstance(op, Op):
        both = [values.get("input"), values.get("other")]
        given = values.get("inputs") or values.get("tensors") or both
        tensors: list[Tensor | Scalar] = [x for x in given if isinstance(x, Tensor)]
        if tensors:
            return op.name, tensors
    if users:
        return "", []
    found = [v for k, v in values.items() if isinstance(v, (Tensor, Scalar)) and k != "self"]
    if isinstance(module, nn.Module) and not module._modules and found:
        parameters = [p for p in module._parameters.values() if p is not None]
        return type(module).__name__, found + parameters
    if isinstance(module, Tensor):
        found.insert(0, module)
    return (f.f_code.co_name, found) if len(found) > 1 else ("", [])
