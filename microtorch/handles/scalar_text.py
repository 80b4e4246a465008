"""The text of a Scalar's arithmetic: per op a method and a backward step, made of its formulas.

The code is generated, as dataclasses do it, because a call for each formula would take as long as
all the rest.
"""
from __future__ import annotations

from ..engine.op import Formula, Op
from ..notation import expr, formulas
from ..notation.formulas import LETTERS

# A hot path: the stores of engine/record.fill, written out.
METHOD = """
def method({parameters}):{coerce}
    n = new(Scalar)
    m = mode()
    {letters} = {values}
    n.value = {formula}
    n.op = op
    n.inputs = ({operands},)
    n.needs = ({needs}) and m.grad
    n.scope = m.scope
    n.attrs = {attrs}
    n.grad = n.hooks = n.storage = None
    f = getframe(1)
    code = f.f_code
    if code is not last_user_code[0]:
        f, code = users(f, code)
    n.code = code
    n.lasti = f.f_lasti
    n.seq = tick()
    return n
"""
COERCE = """
    if type({x}) is not Scalar:
        if not isinstance({x}, (int, float, number)):
            return NotImplemented
        {x} = constant({x})"""
BACKWARD = """
def backward(node, g, grads):
    {unpack_attrs}
    {nodes}, = node.inputs
    if node.seq < last_write[0]:
        check_fresh(node)
    {values}
"""
VALUE = """
    {x} = {node}.value"""
ADD = """
    if {a}.needs:
        held = grads.get({a})
        grads[{a}] = {vjp} if held is None else held + ({vjp})"""


def method_source(op: Op) -> str:
    """The source of an op's Scalar method, of one to three operands."""
    operands = ("self", "other", "third")[: len(op.vjps)]
    static = formulas.ARGUMENTS.get(op.name, {})
    keywords = [k if v is None else f"{k}={v}" for k, v in static.items()]
    return METHOD.format(
        parameters=", ".join([*operands, *keywords]),
        coerce="".join(COERCE.format(x=x) for x in operands[1:]),
        letters=", ".join(LETTERS[: len(operands)]),
        values=", ".join(f"{x}.value" for x in operands),
        formula=expr.render(op.formula, expr.SCALAR),
        operands=", ".join(operands),
        needs=" or ".join(f"{x}.needs" for x in operands),
        attrs="{" + ", ".join(f"'{k}': {k}" for k in static) + "}" if static else "None",
    )


def backward_source(op: Op) -> str:
    """The source of an op's backward step: checks, values, and one addition per input."""
    n = len(op.vjps)
    nodes, letters = "abc"[:n], LETTERS[:n]
    static = formulas.ARGUMENTS.get(op.name, {})
    unpack = f"({', '.join(static)},) = node.attrs.values()" if static else "pass"
    texts = [v.text if isinstance(v, Formula) else None for v in op.vjps]
    reads = frozenset().union(*(expr.names(text) for text in texts if text))
    holders = {**dict(zip(letters, nodes, strict=True)), "out": "node"}
    values = "".join(VALUE.format(x=x, node=node) for x, node in holders.items() if x in reads)
    values += "".join(
        ADD.format(a=a, vjp=expr.render(text, expr.SCALAR))
        for a, text in zip(nodes, texts, strict=True)
        if text
    )
    return BACKWARD.format(unpack_attrs=unpack, nodes=", ".join(nodes), values=values)
