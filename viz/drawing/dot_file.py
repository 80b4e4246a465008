"""What ``make_dot`` returns: graphviz's Digraph, whose ``save`` follows the suffix."""

from __future__ import annotations

import os
from typing import Any

from graphviz import Digraph

from . import render
from .saved import write


class Dot(Digraph):
    """A ``graphviz.Digraph``, as pytorchviz returns one.

    ``save("x.svg")`` writes that picture (Digraph's own would write DOT text under this name);
    without a suffix, or with .gv or .dot, the DOT text.
    """

    def save(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> str:
        """Write the file, and return its path. Raises RenderError where Graphviz is missing."""
        path = os.path.join(directory or "", os.fspath(filename or ""))
        suffix = os.path.splitext(path)[1].lower().lstrip(".")
        if suffix not in ("svg", "png", "pdf", "ps", "eps", "jpg"):
            return str(super().save(filename, directory=directory, **options))
        return write(path, render.render(str(self.source), suffix, None))
