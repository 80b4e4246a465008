"""A graph of ONNX as calls of microtorch's functions: that of a model, or of a node such as If."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..arrays import dtypes
from ..base.errors import message
from ..create.data import from_numpy
from . import onnx_attention, onnx_images, onnx_indexing, onnx_layers, onnx_more, onnx_recurrent
from .onnx_control import CONTROL
from .onnx_ops import CALLS, lists, values_of

if TYPE_CHECKING:
    from ..base.types import Operand
    from .onnx_ops import Function

# importing them has entered their rows into CALLS
ENTERED = (onnx_attention, onnx_images, onnx_indexing, onnx_layers, onnx_more, onnx_recurrent)


class Bound(NamedTuple):
    """A node: a function, the names of what it is given and gives, and its attributes.

    ``scoped``: is it given all known values, besides?
    """

    function: Function
    given: list[str]
    made: list[str]
    attrs: dict[str, Operand]
    scoped: bool = False


class Body:
    """A graph: ``run`` gives its outputs. NotImplementedError names what is not known of it.

    ``kinds``: of each output, if the graph says so, the shape (1 for sizes without a number), and
    the dtype.
    """

    def __init__(self, onnx: Operand, graph: Operand, opset: int, kept: Sequence[str] = ()):
        self.onnx, self.opset = onnx, opset
        self.fixed: dict[str, Operand] = {  # what nodes Constant and, but for ``kept``, arrays give
            a.name: from_numpy(onnx.numpy_helper.to_array(a).copy())
            for a in graph.initializer if a.name not in kept
        }  # fmt: skip
        self.inputs = [i.name for i in graph.input if i.name not in {*self.fixed, *kept}]
        self.outputs = [o.name for o in graph.output]
        self.kinds = [self.kind(o) for o in graph.output]
        self.nodes: list[Bound] = []
        for node in graph.node:
            if node.op_type == "Constant":
                attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                self.fixed[node.output[0]] = values_of(attrs)
            else:
                self.nodes.append(self.bound(node))

    def kind(self, output: Operand) -> tuple[tuple[int, ...], dtypes.dtype]:
        t = output.type.tensor_type
        shape = tuple([d.dim_value or 1 for d in t.shape.dim])
        if not t.elem_type:  # it does not say
            return shape, dtypes.float32
        known = self.onnx.helper.tensor_dtype_to_np_dtype(t.elem_type)
        return shape, dtypes.FROM_NUMPY.get(known, dtypes.float32)

    def bound(self, node: Operand) -> Bound:
        """The call that a node is. NotImplementedError for what is not known of it."""
        def refused(what: str) -> NotImplementedError:
            return NotImplementedError(
                message(
                    f"onnx.load: {what} is not known",
                    f"node {node.name!r}, which gives {', '.join(node.output)}",
                    fix="the table of operations is CALLS in microtorch/static/onnx_ops.py",
                )
            )

        onnx, kind = self.onnx, node.op_type
        if node.domain not in ("", "ai.onnx") or kind not in {*CALLS, *CONTROL}:
            raise refused(f"the operation {node.domain}{'.' * bool(node.domain)}{kind}")
        value = onnx.helper.get_attribute_value
        outputs = [*node.output]
        while outputs and not outputs[-1]:
            outputs.pop()
        if kind in CONTROL:
            function, graphs, others = CONTROL[kind]
            attrs = {a.name: value(a) for a in node.attribute}
            unknown = attrs.keys() - {*graphs, *others}
            if unknown or (kind == "Scan" and self.opset < 9):
                raise refused(f"{kind} with {', '.join(unknown) or f'opset {self.opset}'}")
            attrs |= {k: Body(onnx, attrs[k], self.opset) for k in graphs}
            attrs |= {"opset": self.opset} if kind == "Scan" else {}
            return Bound(partial(function, **attrs), [*node.input], outputs, {}, True)
        schema = onnx.defs.get_schema(kind, self.opset, "").attributes
        defaults = {
            k: text(value(a.default_value)) for k, a in schema.items() if a.default_value.type
        }
        given = {a.name: text(value(a)) for a in node.attribute}
        try:
            more = CALLS[kind].bound(len(node.input), len(outputs), given, defaults, self.opset)
        except ValueError as e:
            raise refused(f"{kind} with {e}") from None
        return Bound(CALLS[kind].function, [*node.input], outputs, more)

    def run(self, around: dict[str, Operand], *inputs: Operand) -> list[Operand]:
        """The outputs; ``around``: the values that are known where the graph stands."""
        values = {**around, "": None, **self.fixed, **dict(zip(self.inputs, inputs, strict=True))}
        for node in self.nodes:
            given = [values[n] for n in node.given]
            if node.scoped:
                found = node.function(values, *given)
            else:
                found = lists(node.function(*given, **node.attrs))
            values.update(zip(node.made, found, strict=False))
        return [values[n] for n in self.outputs]


def written_out(onnx: Operand, model: Operand) -> Operand:
    """The model with the body in place of each call of a function: one of its own, or an operation
    that is not in the tables and that ONNX itself defines by others."""
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)

    def nodes(graph: Operand) -> Iterator[Operand]:
        for node in graph.node:
            yield node
            for a in node.attribute:
                yield from nodes(a.g) if a.type == onnx.AttributeProto.GRAPH else ()

    def definition(node: Operand) -> Operand:
        if node.domain in ("", "ai.onnx") and node.op_type in {*CALLS, *CONTROL}:
            return None
        try:
            schema = onnx.defs.get_schema(node.op_type, node.domain)
        except onnx.defs.SchemaError:  # nobody's operation
            return None
        return schema if schema.has_function or schema.has_context_dependent_function else None

    while found := {(n.domain, n.op_type) for n in nodes(model.graph) if definition(n)}:
        more = onnx.ModelProto()
        more.CopyFrom(model)
        for node in nodes(more.graph):  # a body may read an attribute that is not given
            schema, given = definition(node), {a.name for a in node.attribute}
            settings = schema.attributes if schema else {}
            node.attribute.extend(a.default_value for k, a in settings.items()
                                  if a.default_value.type and k not in given)  # fmt: skip
        try:
            more = onnx.inliner.inline_selected_functions(
                more, [*found], inline_schema_functions=True
            )
        except RuntimeError:  # it asks for the type of an input that is left out
            break
        if {(n.domain, n.op_type) for n in nodes(more.graph) if definition(n)} == found:
            break  # this version's definition is none
        model = more
    return model


def text(value: Operand) -> Operand:
    """An attribute of ONNX, whose texts are bytes."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return [text(x) for x in value] if isinstance(value, (list, tuple)) else value
