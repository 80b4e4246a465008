"""``draw``: from a Tensor or Scalar to a ``Graph``, which a user holds, saves and shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..reading import kept, numbers
from ..reading.names import Given, given_names, node_of
from ..reading.take import Drawable, Root, caller, fill, skeleton, take
from ..reading.trace import Trace
from . import outline, render
from .dot import Drawing
from .options import Options
from .plan import Plan
from .saved import Saved

if TYPE_CHECKING:
    from graphviz import Digraph

    from .program import ProgramPicture

FORMATS = ("svg", "png", "pdf", "ps", "eps", "jpg", "dot", "gv", "json", "mmd", "tex")


class Graph(Saved):
    """A drawn graph.

    ``.source`` is the DOT text, ``.digraph`` a ``graphviz.Digraph`` to edit, ``.trace`` the data.
    ``save(path)`` picks the format by suffix and returns the path; ``pipe(format)`` returns bytes;
    a notebook shows the SVG, or the PNG where it does not trust SVG.
    """

    formats = FORMATS

    def __init__(
        self, trace: Trace, digraph: Digraph, engine: str = "auto", options: Options | None = None
    ):
        self.trace, self.digraph, self.engine = trace, digraph, engine
        self.options = options or Options()

    @property
    def source(self) -> str:
        """The DOT text; needs no Graphviz, and is the same in every process."""
        return str(self.digraph.source)

    def pipe(self, format: str = "svg", dpi: float | None = None) -> bytes:
        """The picture as bytes in one of FORMATS; ``dpi`` (144) is for bitmaps.

        Raises RenderError without Graphviz, or where it fails.
        """
        format = self.checked(format)
        if format in ("dot", "gv"):
            return self.source.encode()
        if format in ("mmd", "tex"):
            return self._outline(format).encode()
        if format == "json":
            return self.trace.to_json(indent=1).encode()
        return render.render(self.source, format, dpi, self.engine, over=True)

    def _outline(self, format: str) -> str:
        """Mermaid, which needs no Graphviz, or TikZ."""
        drawing = Drawing(self.trace, outline.merged(self.options))
        if format == "mmd":
            return outline.mermaid(self.trace, drawing.plan, drawing.rankdir, drawing.options)
        source = str(drawing.digraph.source)
        return outline.tikz(self.trace, drawing.plan, source, drawing.options)

    def __repr__(self) -> str:
        ops = sum(1 for n in self.trace.nodes if n.op)
        leaves = len(self.trace.nodes) - ops
        size = f"{numbers.count(ops, 'operation')} on {numbers.count(leaves, 'leaf', 'leaves')}"
        return f"<Graph of {size}; .save('graph.svg') writes a picture>"


def draw(
    root: Root,
    params: Given = None,
    *,
    rankdir: str | None = None,
    depth: int | None = None,
    grads: str | None = None,
    ops: str | None = None,
    theme: str = "light",
    names: Given = None,
    show_shapes: bool = True,
    thumbnails: bool = True,
    legend: bool = False,
    engine: str = "auto",
    max_nodes: int = 400,
    bg: str | None = None,
    show_saved: bool = False,
    show_attrs: bool = False,
) -> Graph | ProgramPicture:
    """The computation graph of a Tensor or Scalar as a picture. Changes nobody's ``.grad``.

    A tuple, list or dict of results is drawn as one graph. Of a compiled function or Module the
    program is drawn that it runs (program.py), with ``depth`` and ``theme``: ``depth=0`` makes one
    part of what one line of the source does, ``depth=1`` draws all parts of a long program.

    params, names   {"name": value} (or a Module) for values whose names the source does not show
    rankdir         "LR" or "TB"; by itself "LR" for scalars and up to 14 columns
    depth           collapse modules at this depth (0: the outermost); by itself 1 above 60 nodes
    grads           "values" (rows in nodes), "labels" (◂ on edges), "edges" (arrows back), "none"
    ops             "separate" (circles between values) or "merged" (op and result in one node)
    theme, bg       "light", "dark" or "print"; background, such as "transparent"
    engine          "auto", "dot" (the program) or "pygraphviz"
    show_saved      what each op keeps for backward and how many bytes, and below, the sum
    show_attrs      each op's static arguments, such as dim, keepdim, stride

    A gradient that backward has not computed is drawn as ``–``. Raises TypeError for what is no
    Tensor or Scalar, GraphError where no operation was recorded, GraphTooLarge above ``max_nodes``
    drawn nodes; RuntimeError for a compiled function that has no program as yet.
    """
    options = Options(
        rankdir, depth, grads, ops, theme, show_shapes, thumbnails, legend, max_nodes, bg,
        show_saved, show_attrs,
    )  # fmt: skip
    options.check()
    if node_of(root) is None and not isinstance(root, (Drawable, dict, tuple, list)):
        from .program import program  # loads what compiles, which few programs need

        found = program(root, options)
        if found is not None:
            return found
    trace = skeleton(root, most=25 * max_nodes)
    if len(trace.nodes) > max_nodes:
        Plan(trace, depth, max_nodes)  # refuses before names and numbers are looked for
    fill(trace, caller(), given_names(params, names))
    return drawn(trace, options, engine)


def drawn(trace: Trace, options: Options, engine: str = "auto") -> Graph:
    """The drawn trace, which keeps numbers and text and lets the tensors go."""
    if options.show_saved:
        kept.find(trace)
    graph = Graph(trace, Drawing(trace, options).digraph, engine, options)
    trace.computation = None
    return graph


def make_dot(
    var: Root,
    params: Given = None,
    show_attrs: bool = False,
    show_saved: bool = False,
    max_attr_chars: int = 50,
) -> Digraph:
    """pytorchviz's spelling: a ``graphviz.Digraph``.

    ``show_attrs`` and ``show_saved`` as in ``draw``; attributes are cut at ``max_attr_chars``.
    """
    from .dot_file import Dot  # graphviz is slow to import

    trace = take(var, "make_dot", caller(), given_names(params))
    options = Options(show_saved=show_saved, show_attrs=show_attrs, max_attr_chars=max_attr_chars)
    options.check()
    dot, digraph = Dot("microtorch"), drawn(trace, options).digraph
    dot.body, dot.comment = digraph.body, digraph.comment
    return dot


def draw_dot(root: Root, format: str = "svg", rankdir: str = "LR") -> Graph:
    """micrograd's spelling: values and ops apart, ``data | grad`` on each value."""
    options = Options(rankdir, ops="separate")
    options.check()
    return drawn(take(root, "draw_dot", caller()), options)
