"""The nodes of a program, in ONNX's words.

An elementwise op becomes the nodes of its formula (formulas.py), so that no op is written down a
second time; the others stand in the table ``NODES`` of onnx_nodes.py, by the name of the step. What
has no counterpart is named with its line. ONNX has no memory: what a step writes into is from then
on another value, and views of it are read anew.
"""
from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from ..notation import expr, formulas
from . import onnx_complex, onnx_counted, onnx_drawn, onnx_places, onnx_sized, onnx_windows
from .elements import IN_PLACE, OPERATORS, letters_of
from .onnx_nodes import NODES
from .program import live
from .spelled import spelled
from .templates import Ref, replaced

if TYPE_CHECKING:
    from ..base.types import Array, DType, Operand, Shape
    from .entry import Entry
    from .program import Step

OPSET = 18
# importing them has entered their nodes into NODES
ENTERED = onnx_counted, onnx_drawn, onnx_places, onnx_sized, onnx_windows
FUNCTIONS = {
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "tanh": "Tanh", "erf": "Erf", "abs": "Abs",
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan",
    "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh",
    "sigmoid": "Sigmoid", "softplus": "Softplus", "floor": "Floor", "ceil": "Ceil",
    "round": "Round", "sign": "Sign", "sgn": "Sign", "maximum": "Max", "minimum": "Min",
    "where": "Where",
}  # fmt: skip
BINARY = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Div: "Div", ast.Pow: "Pow"}
COMPARED = {
    ast.Lt: "Less", ast.LtE: "LessOrEqual", ast.Gt: "Greater", ast.GtE: "GreaterOrEqual",
    ast.Eq: "Equal", ast.NotEq: "Equal",
}  # fmt: skip
# functions of formulas that ONNX has no word for, as formulas
ALSO = {
    "expm1": "exp(x) - 1", "log1p": "log(1 + x)", "exp2": "exp(x * 0.6931471805599453)",
    "log2": "log(x) / 0.6931471805599453", "log10": "log(x) / 2.302585092994046",
    "erfc": "1 - erf(x)", "trunc": "sign(x) * floor(abs(x))",
    "remainder": "x - y * floor(x / y)",
    "atan2": "where(y == 0, where(x == 0, 0, sign(x) * 1.5707963267948966), atan(x / where(y == 0, "
    "1, y)) + where(y < 0, where(x < 0, -3.141592653589793, 3.141592653589793), 0))",
}  # fmt: skip


def onnx_package() -> Operand:
    """The package onnx; ImportError says how to get it."""
    try:
        import onnx
        import onnx.helper
        import onnx.inliner
        import onnx.numpy_helper
    except ImportError:
        raise ImportError(
            message("ONNX files need the package onnx", fix='pip install "microtorch[onnx]"')
        ) from None
    return onnx


class Writer:
    """The nodes of a program. A value is called after its number, a weight as the model does."""

    def __init__(
        self, entry: Entry, names: Mapping[int, str], inputs: Sequence[str],
        outputs: Sequence[str], opset: int,
    ) -> None:  # fmt: skip
        self.onnx, self.opset = onnx_package(), opset
        self.entry, self.program = entry, entry.program
        self.nodes: list[Operand] = []
        self.constants: dict[str, Array] = {}
        self.names: dict[int, str] = {}
        self.imaginary: dict[int, str] = {}  # of complex numbers; their real parts are in names
        self.step: Step | None = None
        self.apart = False  # is each constant to be one of its own?
        self.by_data: list[str] = []  # values with as many elements as the data says
        self.varying = {*inputs}  # names of what an input leads to
        self.taken = {*inputs, *outputs, *names.values()}
        for leaf in entry.leaves:
            if leaf.kind == "argument":
                self.names[leaf.number] = inputs[leaf.place]
            else:
                name = names.get(id(leaf.tensor)) or self.fresh(f"tensor_{leaf.number}")
                self.names[leaf.number] = name
                self.constants[name] = leaf.array
                if leaf.array.dtype.kind == "c":
                    self.constants[name] = leaf.array.real
                    self.imaginary[leaf.number] = part = self.fresh(f"{name}_imag")
                    self.constants[part] = leaf.array.imag
        self.weights = {*self.constants}
        self.trained = {self.names[x.number] for x in entry.leaves if x.tensor.requires_grad}
        # what is written into is, in ONNX, another value: the memory that values share, by its
        # owner; how often it was written to; and as of which time a value's name stands for it
        self.layouts: dict[int, tuple[int, Array]] = {}
        self.written: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self.roots: dict[int, int] = {}
        for n, (owner, _) in entry.lies.items():
            larger = owner not in self.roots or self.bytes(n) > self.bytes(self.roots[owner])
            if larger and self.program.values[n].contiguous:
                self.roots[owner] = n

    def bytes(self, n: int) -> int:
        v = self.program.values[n]
        return math.prod(v.shape) * v.dtype.itemsize

    # ---- values ----------------------------------------------------------------------------------
    def fresh(self, name: str) -> str:
        """The name, or one like it that nothing has."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def name(self, x: Operand, like: DType | None = None) -> str:
        """What an operand is called; a number or a constant becomes an initializer."""
        if type(x) is Ref:
            constant = self.program.constants.get(x.number)
            if constant is None:
                if x.number not in self.names:
                    self.names[x.number] = self.fresh(f"v{x.number}")
                return self.current(x.number)
            return self.constant(constant)
        return self.constant(np.asarray(x, like))

    def constant(self, array: Array) -> str:
        for name, known in () if self.apart else self.constants.items():
            if known.dtype == array.dtype and known.shape == array.shape and (
                known.size < 16 and known.tobytes() == array.tobytes()
            ) and name not in self.weights:  # which may be trained, and then differ  # fmt: skip
                return name
        name = self.fresh(f"constant_{len(self.constants)}")
        self.constants[name] = array
        return name

    def numbers(self, *values: int) -> str:
        """A list of integers, such as axes."""
        return self.constant(np.array(values, np.int64))

    def shape(self, x: Operand) -> Shape:
        return self.program.values[x.number].shape

    def dtype(self, x: Operand) -> DType:
        return self.program.values[x.number].dtype

    def out(self, step: Step) -> str:
        """The name of what a step gives, which nothing has as yet."""
        n = step.result.number
        return self.names.setdefault(n, self.fresh(f"v{n}") if n not in self.names else "")

    def outs(self, step: Step) -> list[str]:
        """The same of a step that gives several."""
        return [self.names.setdefault(x.number, self.fresh(f"v{x.number}"))
                for x in step.result]  # fmt: skip

    def node(self, op: str, inputs: Sequence[str], output: str = "", **attrs: Operand) -> str:
        """A node, and the name of its output."""
        return self.several(op, inputs, output or self.fresh(f"t{len(self.nodes) + 1}"), **attrs)[0]

    def several(
        self, op: str, inputs: Sequence[str], *outputs: str, **attrs: Operand
    ) -> tuple[str, ...]:
        """A node, and the names of its outputs; "" for one that is not needed."""
        step = self.step
        name = f"{step.name if step is not None else 'output'}_{len(self.nodes)}"
        site = str(step.site) if step is not None else ""
        made = self.onnx.helper.make_node(
            op, [*inputs], [*outputs], name=name, doc_string=site, **attrs)  # fmt: skip
        self.nodes.append(made)
        if self.varying.intersection(inputs):
            self.varying.update(outputs)
        return outputs

    def refuse(self, why: str = "") -> RuntimeError:
        step = self.step
        assert step is not None
        what = f"{step.name}, at {step.site}, has no ONNX form{why}"
        fix = "give the random numbers as an input" if step.draws else "leave it out of the model"
        return RuntimeError(message(f"torch.onnx.export: {what}", fix=fix))

    # ---- memory ----------------------------------------------------------------------------------
    def layout(self, n: int) -> tuple[int, Array]:
        """The value whose memory value n shows, and the places of n's elements in it."""
        if n not in self.layouts:
            root = self.roots.get(self.entry.lies.get(n, (n, 0))[0], n)
            v, whole = self.program.values[n], self.program.values[root]
            size = v.dtype.itemsize
            start = self.entry.lies.get(n, (0, 0))[1] - self.entry.lies.get(root, (0, 0))[1]
            at = np.full(v.shape, start // size)
            for d, (m, stride) in enumerate(zip(v.shape, v.strides, strict=True)):
                at += (np.arange(m) * (stride // size)).reshape([-1] + [1] * (len(v.shape) - d - 1))
            if not whole.contiguous or whole.dtype != v.dtype or (at.size and not (
                0 <= at.min() and at.max() < math.prod(whole.shape)
            )):  # fmt: skip
                raise self.refuse(": it writes to memory of which the model sees parts only")
            self.layouts[n] = root, at
        return self.layouts[n]

    def current(self, n: int) -> str:
        """The name of a value as it is now: after a write to its memory it is read anew."""
        owner = self.entry.lies.get(n, (n, 0))[0]
        if self.written.get(owner, 0) > self.seen.get(n, 0):
            root, at = self.layout(n)
            if root != n:
                whole = self.names[root]
                if at.size == math.prod(self.program.values[root].shape) and (
                    at.reshape(-1) == np.arange(at.size)
                ).all():
                    self.names[n] = self.node("Reshape", [whole, self.numbers(*at.shape)])
                else:
                    flat = self.node("Reshape", [whole, self.numbers(-1)])
                    self.names[n] = self.node("Gather", [flat, self.constant(at)], axis=0)
            self.seen[n] = self.written[owner]
        return self.names[n]

    def wrote(self, n: int, new: str, part: Array | None = None) -> None:
        """Value n has the elements ``new`` now; or those at the places ``part`` of it."""
        owner = self.entry.lies.get(n, (n, 0))[0]
        root, at = self.layout(n)
        places = at if part is None else at.reshape(-1)[part]
        whole = self.program.values[root].shape
        if places.shape == whole and (places.reshape(-1) == np.arange(places.size)).all():
            pass  # all of it, whatever its size will be
        elif places.size == math.prod(whole) and (
            places.reshape(-1) == np.arange(places.size)
        ).all():
            new = self.node("Reshape", [new, self.numbers(*whole)])
        else:
            flat = self.node("Reshape", [self.current(root), self.numbers(-1)])
            given = [flat, self.constant(places.reshape(-1)),
                     self.node("Reshape", [new, self.numbers(-1)])]  # fmt: skip
            flat = self.node("ScatterElements", given, axis=0)
            new = self.node("Reshape", [flat, self.numbers(*whole)])
        self.written[owner] = self.written.get(owner, 0) + 1
        self.names[root], self.seen[root] = new, self.written[owner]

    # ---- steps -----------------------------------------------------------------------------------
    def needed(self) -> list[Step]:
        """The steps that an output comes of, or that write; conditions are not part of a model."""
        steps = []
        for s in self.program.steps[: self.program.split]:
            if s.kind != "suppose":
                steps.append(s)
            elif isinstance(s.arguments[1], bytes):  # and in a model there are no others
                raise RuntimeError(message(
                    f"torch.onnx.export: a shape, at {s.site}, depends on the numbers in a tensor",
                    fix="give it as a Python number: num_classes=, say"))  # fmt: skip
        return live(steps, [o.number for o in self.entry.outputs], lambda s: False)

    def write(self) -> None:
        for step in self.needed():
            self.step = step
            if not step.name.startswith("check_"):
                self.one(step)
            for n in step.gives():  # what it gives is up to date
                self.seen[n] = self.written.get(self.entry.lies.get(n, (n, 0))[0], 0)

    def one(self, step: Step) -> None:
        """The nodes of a step."""
        given = [x.number for x in step.arguments if type(x) is Ref]
        if onnx_complex.concerned(self, step):
            onnx_complex.write(self, step)
        elif step.name == "setitem":
            self.set_item(step)
        elif type(step.result) is Ref and step.result.number in given:
            n = step.result.number
            if step.name in IN_PLACE:
                self.wrote(n, self.each(step, IN_PLACE[step.name], ("x", "y"), {}))
            elif step.name not in ("astype", "laid"):  # which return what is so already
                raise self.refuse(": it writes into what it is given")
        elif step.attrs.get("out") is not None:
            raise self.refuse(": it writes into what it is given")
        elif step.name in NODES:
            NODES[step.name](self, step)
        elif not self.elementwise(step):
            self.by_meaning(step)

    def by_meaning(self, step: Step) -> None:
        """The nodes of the steps that a step means."""
        made = spelled(self.program, step)
        try:
            for self.step in () if made is None else made[0]:
                self.one(self.step)
        except RuntimeError:
            made = None
        self.step = step
        if made is None:
            raise self.refuse()

    def set_item(self, step: Step) -> None:
        """``x[index] = value``, for an index that is known."""
        target, index, value = step.arguments
        shape, like = self.shape(target), self.dtype(target)
        known = replaced(index, lambda ref: self.known(ref))
        place = np.arange(math.prod(shape)).reshape(shape)[known]
        new = self.cast(value, like)
        if (self.shape(value) if type(value) is Ref else ()) != place.shape:
            new = self.node("Expand", [new, self.node("Shape", [self.name(target)])
                                       if place.shape == shape else self.numbers(*place.shape)])
        self.wrote(target.number, new, place)

    def known(self, x: Ref) -> Array:
        """The array of a constant."""
        array = self.program.constants.get(x.number)
        if array is None:
            raise self.refuse(": it writes at places that depend on data")
        return array

    def cast(self, x: Operand, like: DType) -> str:
        """The name of an operand with this dtype."""
        if type(x) is not Ref:
            return self.constant(np.asarray(x, like))
        array = self.program.constants.get(x.number)
        if array is not None:
            return self.constant(array.astype(like))
        if self.dtype(x) == like:
            return self.name(x)
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(like)
        return self.node("Cast", [self.name(x)], to=kind)

    def elementwise(self, step: Step) -> bool:
        """The nodes of a formula."""
        name = step.name
        attrs = {k: v for k, v in step.attrs.items() if k != "out"}
        if step.kind == "operator" and name in OPERATORS:
            found = self.each(step, OPERATORS[name], ("x", "y"), attrs)
        elif step.kind in ("kernel", "numpy") and name in formulas.TABLE:
            attrs = {**formulas.ARGUMENTS.get(name, {}), **attrs}
            found = self.each(step, formulas.TABLE[name][0], letters_of(name), attrs)
        elif name in formulas.COMPARISONS:
            found = self.each(step, formulas.COMPARISONS[name], ("x", "y"), attrs)
        elif name == "where":
            found = self.each(step, "where(x, y, z)", ("x", "y", "z"), attrs)
        else:
            return False
        self.node("Identity", [found], self.out(step))
        return True

    def each(
        self, step: Step, formula: str, letters: tuple[str, ...], attrs: dict[str, Operand]
    ) -> str:
        """The name of a formula's value. All operands get one dtype, but for a condition."""
        like = self.dtype(step.result)
        if like.kind == "b":
            kinds = [self.dtype(x) for x in step.arguments if type(x) is Ref]
            wide = [k for x, k in zip(step.arguments, kinds, strict=False)
                    if type(x) is not Ref or self.shape(x)] or kinds  # fmt: skip
            like = np.result_type(*wide) if wide else like
        given = dict(zip(letters, step.arguments, strict=False)) | attrs
        words = {
            k: self.name(x) if k == "x" and step.name == "where" else self.cast(x, like)
            for k, x in given.items() if x is not None
        }  # fmt: skip
        return self.formula(expr.parse(formula), words, like)

    def formula(self, e: ast.expr, words: Mapping[str, str], like: DType) -> str:
        """The node of a part of a formula, after those of its parts."""
        if isinstance(e, ast.Name):
            return words[e.id]
        if isinstance(e, ast.Constant):
            return self.constant(np.asarray(e.value, like))
        if isinstance(e, ast.BinOp):
            sides = [self.formula(x, words, like) for x in (e.left, e.right)]
            return self.node(BINARY[type(e.op)], sides)
        if isinstance(e, ast.UnaryOp):
            return self.node("Neg", [self.formula(e.operand, words, like)])
        if isinstance(e, ast.Compare):
            sides = [self.formula(x, words, like) for x in (e.left, e.comparators[0])]
            found = self.node(COMPARED[type(e.ops[0])], sides)
            return self.node("Not", [found]) if isinstance(e.ops[0], ast.NotEq) else found
        if not isinstance(e, ast.Call) or not isinstance(e.func, ast.Name):
            raise self.refuse()
        given = [self.formula(x, words, like) for x in e.args]
        if e.func.id in FUNCTIONS:
            return self.node(FUNCTIONS[e.func.id], given)
        if e.func.id == "fmod" or (e.func.id == "remainder" and like.kind in "iu"):
            return self.node("Mod", given, fmod=int(e.func.id == "fmod"))
        if e.func.id not in ALSO:
            raise self.refuse(f": it calls {e.func.id}")
        return self.formula(expr.parse(ALSO[e.func.id]), dict(zip("xy", given, strict=False)), like)
