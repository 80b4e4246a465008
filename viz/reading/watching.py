"""Which computation of a program to show: that of its last ``backward()``.

The program is over when its picture is made, and its optimizer has overwritten what backward had used. So, after each
backward, the leaves and their gradients are copied (two copies in memory, whatever the number of steps), together with
the variables of the caller; ``Watch.put_back`` restores them for the one graph that is shown.

With MICROTORCH_VIZ=1 in the environment every program is watched, and leaves the stepper's page behind when it ends.
"""

from __future__ import annotations

import atexit
import os
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from microtorch import autograd, errors
from microtorch.backends import host
from microtorch.graph import in_order, user_frame
from microtorch.scalar import Scalar
from microtorch.tensor import Tensor

from ..telling.steps import add_steps
from .names import node_of
from .trace import Trace

PAGE = "microtorch-steps.html"


class Watch:
    """A context manager; afterwards ``root`` is what the last backward started from, None if none ran."""

    def __init__(self) -> None:
        self.root: Any = None
        self.frame: Any = None  # the variables where it ran
        self._leaves: list[tuple[Any, Any, Any]] = []
        self._original: Any = None

    def __enter__(self) -> Watch:
        self._original = original = autograd.backward

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            original(tensors, *args, **kwargs)
            self._note(tensors[0] if isinstance(tensors, (tuple, list)) else tensors)

        autograd.backward = backward  # type: ignore[assignment]
        return self

    def __exit__(self, *exc: object) -> None:
        autograd.backward = self._original

    def _note(self, root: Any) -> None:
        frame = user_frame(sys._getframe(2))
        self.root = root
        self.frame = SimpleNamespace(f_locals=dict(frame.f_locals), f_globals=frame.f_globals)
        leaves = [n for n in in_order([node_of(root)]) if n.op is None]  # type: ignore[list-item]
        self._leaves = [(n, np.array(host(n.value), copy=True), _copy(n.grad)) for n in leaves]

    def put_back(self) -> None:
        """Give the leaves the values and gradients that they had after the last backward."""
        for node, value, grad in self._leaves:
            node.value = float(value) if isinstance(node, Scalar) else value
            node.grad, node.storage = grad, None
        self._leaves = []

    def find(self, variables: dict[str, Any], name: str = "") -> Any:
        """The value of a variable; by itself the root of the last backward, else the newest result."""
        if name:
            places = [variables, *([self.frame.f_locals] if self.frame is not None else [])]
            value = next((p[name] for p in places if name in p), None)
            if node_of(value) is None:
                known = [k for p in places for k, v in p.items() if node_of(v) is not None and not k.startswith("_")]
                what = f"no variable '{name}' holds a Tensor or a Scalar.{errors.nearest(name, known)}"
                raise LookupError(f"{what} There are: {', '.join(dict.fromkeys(known)) or 'none'}")
            return value
        if self.root is not None:
            return self.root
        results = [v for v in variables.values() if isinstance(v, (Tensor, Scalar)) and node_of(v).op is not None]
        if not results:
            raise LookupError("no backward() ran, and no variable holds a result with a graph; --var names one")
        return max(results, key=lambda v: node_of(v).seq)

    def trace(self, root: Any, function: str, variables: dict[str, Any], steps: bool) -> Trace:
        """The trace of a root, with the program's names."""
        self.put_back()
        frame = self.frame or SimpleNamespace(f_locals=variables, f_globals=variables)
        trace = Trace.skeleton(root, function, most=10_000).fill(frame, None, gradients=steps)
        return add_steps(trace) if steps else trace


def _copy(grad: Any) -> Any:
    return grad.detach().clone() if isinstance(grad, Tensor) else grad


# ---- MICROTORCH_VIZ -----------------------------------------------------------------------------------------------
def watch_program(where: str) -> None:
    """From now to the end of the program; ``where`` is a file (.html .svg .gif .txt ...), or "1" for PAGE."""
    watch = Watch()
    watch.__enter__()
    path = where if "." in where else PAGE
    atexit.register(_at_exit, watch, path)


def _at_exit(watch: Watch, path: str) -> None:
    watch.__exit__()
    if watch.root is None:
        return
    from ..showing.stepper import Stepper

    try:
        saved = Stepper(watch.trace(watch.root, "step", {}, True)).save(path)
    except Exception as error:  # the program has done its work; the picture is an extra
        print(f"MICROTORCH_VIZ: no stepper: {str(error).splitlines()[0]}", file=sys.stderr)
        return
    print(f"MICROTORCH_VIZ: {saved}", file=sys.stderr)
    screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen and sys.stderr.isatty() and path.endswith((".html", ".svg")):
        import webbrowser

        webbrowser.open("file://" + os.path.abspath(saved))
