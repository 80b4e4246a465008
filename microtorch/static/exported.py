"""``torch.export``: a Module as one program, to look at and to run.

``export(model, args)`` records the model as ``torch.jit.trace`` does, with gradient and without,
and gives an ``ExportedProgram``: the program's nodes with the names of what they read, a signature
that says what each input and output is, the weights, and a module that runs the program for inputs
of these shapes. The program is that of static/program.py; nothing here is a second form of it.
"""
from __future__ import annotations

import inspect
import operator
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, NoReturn

from ..arrays.generator import Generator, default_generator
from ..autograd.grad_mode import enable_grad, no_grad
from ..base.errors import describe, message
from ..handles.tensor import Tensor
from ..nn.module import Module
from ..nn.parameter import Parameter
from .compiled import Compiled
from .dims import Dynamic, unlike
from .entry import Entry
from .keys import structure
from .nodes import Graph, Node, Walk
from .script import trace, written_down
from .signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from .supposed import Otherwise, random_state
from .templates import Value, through

if TYPE_CHECKING:
    from ..base.types import Operand, Shape

FIX = "leave this axis out of dynamic_shapes; or let the model do the same for every size"


# ---- what export gives ---------------------------------------------------------------------------
class GraphModule:
    """The program as text and nodes, with its weights as inputs. It is not called: see module()."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @property
    def code(self) -> str:
        """The program as a function of Python, to read."""
        heads = [f'{n.name}: "{_short(n)}"' for n in self.graph.listed if n.op == "placeholder"]
        lines = [f"def forward(self, {', '.join(heads)}):"]
        site = None
        for n in self.graph.listed:
            if n.op == "call_function":
                if n.site != site and n.site is not None:
                    inside = n.site.function  # which a file does not name
                    lines.append(f"    # {n.site}" + f" in {inside}" * bool(inside))
                    site = n.site
                given = [*map(repr, n.args), *[f"{k}={v!r}" for k, v in n.kwargs.items()]]
                if n.target is operator.getitem:
                    call = f"{n.args[0]}[{n.args[1]}]"
                else:
                    call = f"{n.meta['kernel']}({', '.join(given)})"
                kind = f': "{_short(n)}"' if n.shape is not None else ""
                lines.append(f"    {n.name}{kind} = {call}")
            elif n.op == "output":
                lines.append(f"    return {n.args[0]!r}")
        return "\n".join(lines) + "\n"

    def print_readable(self, print_output: bool = True) -> str:
        """The code, with a heading; printed unless told otherwise."""
        text = "class GraphModule(torch.nn.Module):\n" + _indented(self.code)
        if print_output:
            print(text)
        return text

    def __call__(self, *args: Operand) -> NoReturn:
        raise RuntimeError(
            message(
                "the graph module of an exported program takes its weights as inputs",
                fix="ep.module()(*args) runs the program",
            )
        )


def _short(n: Node) -> str:
    """f32[3, 4]"""
    name = str(n.dtype).rpartition(".")[2]
    short = {"bool": "b8", "bfloat16": "bf16"}.get(name) or name[0] + re.sub(r"\D", "", name)
    sizes = n.meta.get("sizes", n.shape or ())
    return f"{short}[{', '.join(map(str, sizes))}]"


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())


class ExportedModule(Module):
    """Runs an exported program. Parameters and buffers are those of the model, by their names."""

    def __init__(self, ep: ExportedProgram) -> None:
        super().__init__()
        vars(self)["_ep"] = ep
        for path, t in {**ep.named, **ep.constants}.items():
            where: Module = self
            *above, name = path.split(".")
            for part in above:
                if part not in where._modules:
                    where.add_module(part, Module())
                where = where._modules[part]
            if isinstance(t, Parameter):
                where.register_parameter(name, t)
            else:
                where.register_buffer(name, t, persistent=path in ep.state_dict)

    def forward(self, *args: Operand, **kwargs: Operand) -> Operand:
        """What the model returned; RuntimeError for inputs of another shape or dtype."""
        ep: ExportedProgram = vars(self)["_ep"]
        return ep.run(args, kwargs)

    def train(self, mode: bool = True) -> NoReturn:
        """NotImplementedError: the program is that of one mode."""
        name = "train" if mode else "eval"
        raise NotImplementedError(
            message(
                f"Calling {name}() is not supported yet",
                "an exported program is that of the mode in which the model was",
                fix=f"model.{name}() before torch.export.export(model, args)",
            )
        )

    @property
    def graph(self) -> Graph:
        """The program's nodes."""
        ep: ExportedProgram = vars(self)["_ep"]
        return ep.graph


class ExportedProgram:
    """A model as a program: ``graph``, ``graph_signature``, ``state_dict``, ``module()``."""

    def __init__(
        self, model: Module, compiled: Compiled, args: tuple[Operand, ...], names: list[str],
        kwargs: dict[str, Operand], filled: dict[str, Operand], dynamic: Dynamic,
        by_name: int = 0,
    ) -> None:  # fmt: skip
        self.dynamic, self.model = dynamic, model
        self.filled = filled  # defaults of parameters that stand before those given by name
        self.example_inputs = (args[: len(args) - len(kwargs) - len(filled)], kwargs)
        self.compiled, self.arguments = compiled, names
        self.most = len(names) - by_name  # arguments by position
        self.state_dict: dict[str, Tensor] = dict(model.state_dict(keep_vars=True))
        self.named: dict[str, Tensor] = {**dict(model.named_parameters()),
                                         **dict(model.named_buffers())}  # fmt: skip
        self.range_constraints = dynamic.ranges
        self.entry: Entry = compiled.last()[0]  # without gradient
        entry = self.entry
        known = {id(t) for t in self.named.values()}
        others = [x for x in entry.leaves if x.kind == "tensor" and id(x.tensor) not in known]
        self.constants = {f"constant_{i}": x.tensor for i, x in enumerate(others)}
        specs: list[InputSpec] = []
        order: list[tuple[str, Value]] = []
        numbers: dict[int, str] = {}
        by_tensor = {id(x.tensor): x for x in entry.leaves if x.kind == "tensor"}
        for path, t in {**self.named, **self.constants}.items():
            constant, parameter = path in self.constants, isinstance(t, Parameter)
            name = ("c_" if constant else "p_" if parameter else "b_") + path.replace(".", "_")
            kind = (InputKind.CONSTANT_TENSOR if constant else InputKind.PARAMETER if parameter
                    else InputKind.BUFFER)  # fmt: skip
            kept = path in self.state_dict if kind is InputKind.BUFFER else None
            specs.append(InputSpec(kind, TensorArgument(name), path, kept))
            order.append((name, _value(t)))
            if id(t) in by_tensor:
                numbers[by_tensor[id(t)].number] = name
        tensors: list[Tensor] = []
        labels = [x for name, a in zip(names, args, strict=True) for x in _labels(name, a, tensors)]
        for place, name in enumerate(labels):
            specs.append(InputSpec(InputKind.USER_INPUT, TensorArgument(name)))
            order.append((name, _value(tensors[place])))
            for x in entry.leaves:
                if x.kind == "argument" and x.place == place:
                    numbers[x.number] = name
        self.numbers, self.order = dict(numbers), order
        walk = Walk(entry.program, numbers, order, self.sizes(labels))
        self.graph = walk.graph
        self.graph_module = GraphModule(self.graph)
        outputs = [
            OutputSpec(OutputKind.BUFFER_MUTATION, TensorArgument(walk.of[x.number].name),
                       next((k for k, t in self.named.items() if t is x.tensor), None))
            for x in entry.written
        ] + [
            OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(n.name))
            for n in walk.graph.output_node().all_input_nodes
        ]  # fmt: skip
        self.graph_signature = ExportGraphSignature(specs, outputs)

    def sizes(self, labels: Sequence[str]) -> dict[Operand, Operand]:
        """The shapes in which there are symbols: of values by number, of inputs by name."""
        if not self.dynamic.places:
            return {}
        tensors: list[Tensor] = []
        structure(self.dynamic.other(), tensors)
        found = [*self.compiled.entries.values()][-2][-1][0]  # made just before
        assert isinstance(found, Entry)
        difference = unlike(self.entry.program, found.program)
        if difference:
            raise self.violated(tensors, difference)
        pairs: list[tuple[Operand, Shape, Shape]] = [
            (n, a.shape, b.shape) for n, (a, b) in enumerate(
                zip(self.entry.program.values, found.program.values, strict=False))
            if len(a.shape) == len(b.shape)
        ]  # fmt: skip
        pairs += [(name, t.shape, u.shape) for name, t, u in zip(
            labels, self.dynamic.tensors, tensors, strict=True)]  # fmt: skip
        return {n: self.dynamic.symbolic(a, b, tensors) for n, a, b in pairs if a != b}

    def module(self) -> ExportedModule:
        """A Module that runs the program, on the model's own weights; gradients flow through it."""
        return ExportedModule(self)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters, by their names in the model."""
        return ((k, t) for k, t in self.named.items() if isinstance(t, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """The parameters."""
        return (t for _, t in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The buffers, by their names in the model."""
        return ((k, t) for k, t in self.named.items() if not isinstance(t, Parameter))

    def buffers(self) -> Iterator[Tensor]:
        """The buffers."""
        return (t for _, t in self.named_buffers())

    def run(self, args: tuple[Operand, ...], kwargs: dict[str, Operand]) -> Operand:
        """The program's outputs. RuntimeError says which input is not as it was exported."""
        left, named = self.arguments[len(args) :], self.filled | kwargs
        given = [*args, *[named[n] for n in left if n in named]]
        if len(given) != len(self.arguments) or not {*kwargs} <= {*left} or len(args) > self.most:
            raise TypeError(
                message(f"the exported program takes {', '.join(self.arguments) or 'nothing'}, "
                        f"but got {len(args)} arguments and {', '.join(kwargs) or 'no names'}")
            )  # fmt: skip
        tensors: list[Tensor] = []
        key = self.compiled.key((distinct(given), {}), tensors)
        for entry, template in self.compiled.entries.get(key, ()):
            assert isinstance(entry, Entry)  # of tensors
            for leaf in entry.leaves:
                if leaf.kind == "tensor" and leaf.tensor.array is not leaf.array:
                    raise RuntimeError(
                        message(
                            "a weight of an exported program has other memory now",
                            fix="export the model anew; or change weights in place",
                        )
                    )
            try:
                return entry.run(tensors, template)
            except Otherwise as e:
                raise e.__cause__ or e from None
        why = self.dynamic.fails(given, tensors)
        if not why and any(t.origin is not None or not t.is_contiguous() for t in tensors):
            return self.run(through(tuple(given), _in_rows), {})
        if not why and self.recorded(given, tensors):
            return self.run(args, kwargs)
        raise RuntimeError(
            message(
                f"Guard failed: {why}",
                "the program was exported for "
                f"{', '.join(describe(t) for t in self.dynamic.tensors)}, and is given "
                f"{', '.join(describe(t) for t in tensors)}",
                fix="export it for these inputs, or with dynamic_shapes",
            )
        )

    @staticmethod
    def violated(tensors: Sequence[Tensor], difference: str) -> RuntimeError:
        """What to say of a model that does something else for other sizes."""
        sizes = ", ".join(map(describe, tensors))
        return RuntimeError(
            message(f"Constraints violated: for {sizes} the program has other steps: {difference}",
                    fix=FIX)
        )  # fmt: skip

    def recorded(self, given: Sequence[Operand], tensors: Sequence[Tensor]) -> bool:
        """Write the program down for sizes, or needs of gradients, that come for the first time. Is
        that what was missing?"""
        example = through(distinct(given), _fresh)
        with as_it_was(self.model):
            written_down(self.compiled, self.compiled, *example)
        made = self.compiled.last()[0].program
        difference = unlike(self.entry.program, made)
        if difference:
            self.compiled.entries.popitem()
            raise self.violated(tensors, difference)
        return self.compiled.key((example, {}), []) == self.compiled.key((tuple(given), {}), [])

    def run_decompositions(self, decomp_table: Mapping[Operand, Operand] | None = None) -> Operand:
        """Itself: the program consists of kernels already."""
        return self

    def __str__(self) -> str:
        text = _indented(self.graph_module.print_readable(False))
        signature = _indented(str(self.graph_signature).strip())
        ranges = f"Range constraints: {self.range_constraints}"
        return f"ExportedProgram:\n{text}\nGraph signature:\n{signature}\n{ranges}\n"

    __repr__ = __str__


def _value(t: Tensor) -> Value:
    return Value(t.array.shape, t.array.dtype, t.array.strides)


def _labels(name: str, x: Operand, tensors: list[Tensor]) -> list[str]:
    """A name for each tensor of an argument: the argument's own, or with a number."""
    before = len(tensors)
    structure(x, tensors)
    n = len(tensors) - before
    return [name] if isinstance(x, Tensor) else [f"{name}_{i}" for i in range(n)]


def distinct(args: Sequence[Operand]) -> tuple[Operand, ...]:
    """The arguments; a tensor that is given twice is two inputs."""
    found: list[Operand] = []
    for x in args:
        again = isinstance(x, Tensor) and any(x is y for y in found)
        found.append(x.clone() if again else x)
    return tuple(found)


def export(
    mod: Module, args: tuple[Operand, ...], kwargs: Mapping[str, Operand] | None = None, *,
    dynamic_shapes: Operand = None, strict: bool = False,
    preserve_module_call_signature: tuple[str, ...] = (),
) -> ExportedProgram:  # fmt: skip
    """The program that ``mod(*args, **kwargs)`` runs, in the mode in which the Module is.

    It holds for inputs of these shapes, but for the axes that ``dynamic_shapes`` names (dims.py);
    for other sizes of these the Module itself is recorded again when they come. It is called a few
    times for a program; its buffers and the random numbers are afterwards as they were. ValueError
    for what is no Module; TypeError for ``args`` that are no tuple; RuntimeError says why there can
    be no program, or not for other sizes. ``strict`` and ``preserve_module_call_signature`` are
    accepted without effect.
    """
    if not isinstance(mod, Module):
        raise ValueError(
            message(
                f"Expected `mod` to be an instance of `torch.nn.Module`, got {type(mod)}.",
                fix="a Module whose forward calls the function; or torch.jit.trace(f, args)",
            )
        )
    if not isinstance(args, tuple):
        raise TypeError(
            message(
                "Expecting `args` to be a tuple of example positional inputs, got "
                f"{type(args).__name__}",
                fix="torch.export.export(model, (x,))",
            )
        )
    signature = inspect.signature(mod.forward)
    bound = signature.bind(*args, **(kwargs or {}))
    named = dict(kwargs or {})
    last = max((i for i, n in enumerate(signature.parameters) if n in bound.arguments), default=-1)
    names = [*signature.parameters][: last + 1]
    filled = {n: signature.parameters[n].default for n in names if n not in bound.arguments}
    flat: list[Operand] = []
    labels: list[str] = []
    by_name: list[str] = []  # those that forward takes by keyword only, which come last
    for n in names:
        kind = signature.parameters[n].kind
        several = kind is inspect.Parameter.VAR_POSITIONAL
        value = filled[n] if n in filled else bound.arguments[n]
        values = [*value] if several else [value]
        words = [f"{n}_{i}" for i in range(len(values))] if several else [n]
        if kind is inspect.Parameter.VAR_KEYWORD:
            words, values = [*value], [*value.values()]
        if kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
            by_name += words
        flat += values
        labels += words
    example = distinct(flat)
    dynamic = Dynamic(dynamic_shapes or {}, labels, example)
    examples = [dynamic.other(), example] if dynamic.places else [example]
    traced: Operand = None
    with as_it_was(mod):
        for mode in (enable_grad, no_grad):
            for one in examples:
                with mode():
                    first = ByPosition(mod, by_name) if by_name else mod
                    traced = trace(first if traced is None else traced, one)
    compiled: Compiled = vars(traced)["_compiled"]
    compiled.most = sys.maxsize
    return ExportedProgram(mod, compiled, example, labels, named, filled, dynamic, len(by_name))


def register_dataclass(cls: type, *, serialized_type_name: str | None = None) -> None:
    """Let a model take and return objects of a dataclass, as it may anyhow: nothing happens.

    ValueError for what is no dataclass. ``serialized_type_name`` is accepted without effect.
    """
    if not is_dataclass(cls):
        raise ValueError(message(f"{cls} is not a dataclass", fix="@dataclass above it"))


class ByPosition(Module):
    """Calls a module with its last arguments by these names."""

    def __init__(self, mod: Module, names: Sequence[str]) -> None:
        super().__init__()
        self.mod, self.names = mod, [*names]

    def forward(self, *args: Operand) -> Operand:
        """What the module returns."""
        n = len(args) - len(self.names)
        return self.mod(*args[:n], **dict(zip(self.names, args[n:], strict=True)))


@contextmanager
def as_it_was(mod: Module) -> Iterator[None]:
    """Calls of a Module that leave its buffers and the random numbers as they were."""
    state = random_state()
    kept = [(b, b.detach().clone()) for b in mod.buffers()]
    try:
        yield
    finally:
        Generator.set_state(default_generator, state)
        with no_grad():
            for b, value in kept:
                b.copy_(value)


def _in_rows(x: Operand) -> Operand:
    """A tensor in memory of its own, row by row."""
    return x.contiguous().clone() if isinstance(x, Tensor) else x


def _fresh(x: Operand) -> Operand:
    """A tensor for a call that may write to it, with a graph if it has one."""
    if not isinstance(x, Tensor):
        return x
    found = x.detach().clone().requires_grad_(x.requires_grad)
    return found if x.is_leaf else found.clone()
