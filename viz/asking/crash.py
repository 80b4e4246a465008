"""The picture of a crash: the graph up to the op that raised, with the shapes that disagree.

    viz.draw_error().save("crash.svg")         # after an exception in a notebook or an interactive session
    viz.draw_error(error)                      # of an exception that was caught
    viz.draw_errors("crash.svg")               # from now on: whenever the program ends with an exception

What failed left no node, but its frames are in the traceback: the op and its operands are found there. They get a
node of their own, in yellow, on top of the graphs of the operands.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from microtorch import errors, nn
from microtorch.graph import Node, tick, user_frame
from microtorch.graph import is_library as _is_library
from microtorch.ops import Op
from microtorch.scalar import Scalar
from microtorch.tensor import Tensor

from ..drawing import labels, style
from ..drawing.dot import Drawing, Options
from ..drawing.picture import Graph
from ..reading.names import node_of
from ..reading.trace import Trace, TraceNode
from ..telling.steps import INFIX

MOST = 6  # operands shown


class Failed(Node):
    """The node that would have been."""

    __slots__ = ()
    op = Op("failed", lambda F, *x: x[0], register=False)
    needs = False  # type: ignore[assignment]


def draw_error(error: BaseException | None = None, **look: Any) -> Graph:
    """The graph up to the op that raised ``error``; by itself the exception being handled, or the last one not handled.

    ``look`` is that of ``draw``: theme, rankdir, depth, ... Raises ValueError where there is no exception, or none of
    its frames holds a tensor.
    """
    error = error or sys.exc_info()[1] or getattr(sys, "last_value", None)
    if error is None:
        fix = "call it after an exception, or pass one: except RuntimeError as e: viz.draw_error(e)"
        raise ValueError(errors.message("draw_error(): no exception has been raised", fix=fix))
    options = Options(**look)
    options.check()
    name, operands, frame, lasti = _failure(error)
    if not operands:
        fix = "a picture needs the operands of an op"
        raise ValueError(errors.message(f"draw_error(): no tensor is in the traceback of {type(error).__name__}", fix=fix))
    node = Failed()
    node.inputs = node.saved = tuple(node_of(x) for x in operands)
    node.value = np.zeros(())
    node.attrs = node.dev = node.scope = node.grad = node.hooks = node.storage = None
    node.dev = operands[0].node.dev if isinstance(operands[0], Tensor) else None
    node.seq, node.code, node.lasti = tick(), frame.f_code, lasti
    trace = Trace.skeleton(_Handle(node), "draw_error", most=10_000)
    trace.fill(frame)
    last = trace.nodes[-1]
    last.op, last.symbol, last.name, last.needs = name, INFIX.get(name, name), "", False
    words = [line.strip() for line in str(error).splitlines() if line.strip()]
    return Graph(trace, _Crash(trace, options, words or [type(error).__name__], type(error).__name__).digraph)


def draw_errors(path: str | os.PathLike[str] = "crash.svg") -> None:
    """From now on, a program that ends with an exception of an op also leaves its picture in ``path``."""
    path = os.fspath(path)
    before = sys.excepthook

    def hook(kind: Any, error: BaseException, traceback: Any) -> None:
        before(kind, error, traceback)
        try:
            print(f"The graph up to there: {draw_error(error).save(path)}", file=sys.stderr)
        except Exception as second:  # a hook that raises would hide the first error
            print(f"(no picture of it: {str(second).splitlines()[0]})", file=sys.stderr)

    sys.excepthook = hook


# ---- what failed ---------------------------------------------------------------------------------------------------
def _failure(error: BaseException) -> tuple[str, list[Any], Any, int]:
    """The op's name, its operands, and the user's frame with the position in it, from the traceback."""
    frames = []
    step = error.__traceback__
    while step is not None:
        frames.append((step.tb_frame, step.tb_lasti))
        step = step.tb_next
    if not frames:
        return "", [], sys._getframe(), 0
    own = [(f, lasti) for f, lasti in frames if user_frame(f) is f and not _is_library.get(f.f_code.co_filename)]
    frame, lasti = own[-1] if own else frames[0]
    for f, _ in reversed(frames):
        values = f.f_locals
        op = values.get("op")
        if isinstance(op, Op):
            given = values.get("inputs") or values.get("tensors") or [values.get("input"), values.get("other")]
            found = [x for x in given if isinstance(x, Tensor)]
            if found:
                return op.name, found[:MOST], frame, lasti
        if f is frame:
            break
        module = values.get("self")
        found = [v for k, v in values.items() if isinstance(v, (Tensor, Scalar)) and k != "self"]
        if isinstance(module, nn.Module) and not module._modules and found:
            found += list(module._parameters.values())
            return type(module).__name__, [x for x in found if x is not None][:MOST], frame, lasti
        if isinstance(module, Tensor):
            found.insert(0, module)
        if len(found) > 1:
            return f.f_code.co_name, found[:MOST], frame, lasti
    names = frame.f_code.co_name
    found = [v for v in frame.f_locals.values() if isinstance(v, (Tensor, Scalar))]
    return "error" if names == "<module>" else names, found[-MOST:], frame, lasti


class _Handle(Tensor):
    """A handle on a node, without what a Tensor makes of it."""

    __slots__ = ()

    def __new__(cls, node: Node) -> Any:
        t = object.__new__(cls)
        t.node, t.array, t.origin = node, node.value, None
        return t

    def __init__(self, node: Node):
        pass


class _Crash(Drawing):
    """The graph with the failed op in yellow."""

    def __init__(self, trace: Trace, options: Options, words: list[str], kind: str):
        self.words, self.kind = words, kind
        super().__init__(trace, options)

    def _label(self, n: TraceNode) -> str:
        if n.id != self.trace.root:
            return super()._label(n)
        fill, ink = self.t.nan
        shapes = [style.shape(self.nodes[i].shape) for i in n.inputs]
        sign = f" {n.symbol} " if n.op in INFIX and len(shapes) == 2 else ", "
        rows = [
            labels.row(labels.cell(labels.font(labels.bold(labels.escape(f"{n.op} raised {self.kind}")), ink))),
            "<HR/>",
            labels.row(labels.cell(labels.font(labels.bold(labels.escape(sign.join(shapes), 80)), ink, 14), "CENTER")),
        ]
        rows += [labels.row(labels.cell(labels.font(labels.escape(w, 100), ink, 10))) for w in self.words[:4]]
        return labels.table(rows, ink, fill, 2.2)
