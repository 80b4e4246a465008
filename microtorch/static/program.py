"""What a recording is: a list of steps over numbered values, and how it is read and run.

A step is one call of a kernel, or of a function of numpy, on real arrays. Its operands are values
of earlier steps, leaves (memory that was there before), or constants. To run a program is to make
the same calls in the same order: the interpreter is a Python function with one line per step.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from .supposed import ERRORS, Otherwise
from .templates import Rate, Ref, Value, refs, replaced, shown

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand, Shape
    from ..graph import Site
    from ..handles.tensor import Tensor
    from .loops import Loops
    from .nodes import Node


@dataclass
class Leaf:
    """Memory that the program finds: of an argument, of a tensor, of a gradient, or a seed.

    ``kind`` is "argument" (``place`` among the tensors of the arguments), "tensor", "gradient"
    (``place``: the number of the leaf whose gradient it is) or "seed".
    """

    number: int
    kind: str
    place: int
    tensor: Tensor
    array: Array
    name: str = ""


@dataclass
class Step:
    """One call. ``result`` is the template of what it returns; ``kind`` says what is called."""

    name: str
    function: Kernel
    arguments: tuple[Operand, ...]
    attrs: dict[str, Operand]
    result: Operand
    site: Site
    kind: str
    sized: bool = False  # is the size of its result to be checked?
    number: bool = False  # is its result a number of numpy, to be made an array?
    stops: bool = False  # if it raises, is the function to be called, which says more?

    @property
    def draws(self) -> bool:
        """Does it draw random numbers?"""
        return self.kind == "draw" or "generator" in self.attrs

    def reads(self) -> Iterator[int]:
        """The numbers of the values that it reads."""
        return refs((self.arguments, self.attrs))

    def gives(self) -> Iterator[int]:
        """The numbers of the values in its result."""
        return refs(self.result)


def live(
    steps: Sequence[Step], needed: Iterable[int], stays: Callable[[Step], bool]
) -> list[Step]:
    """The steps that a needed value comes of, or that write; and those of which ``stays`` is true.
    """
    wanted, found = {*needed}, list[Step]()
    for step in reversed(steps):
        gives, reads = {*step.gives()}, {*step.reads()}
        writes = not gives or gives & reads or "out" in step.attrs
        if writes or gives & wanted or stays(step):
            found.append(step)
            wanted |= reads
    return found[::-1]


@dataclass
class Program:
    """The steps of one run of a function, and all that is needed to run them again."""

    name: str
    leaves: list[Leaf] = field(default_factory=list)
    constants: dict[int, Array] = field(default_factory=dict)
    # of exported programs: constants that are found when they are written to a file
    later: dict[int, Callable[[], Array]] = field(default_factory=dict)
    fresh: set[int] = field(default_factory=set)  # constants that each run gets a copy of
    steps: list[Step] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    outputs: Operand = None  # template of what the function returns; Ref: place in ``returned``
    returned: list[int] = field(default_factory=list)
    split: int = 0  # how many steps run before backward is asked for from outside
    # template of the contributions to the leaves that require gradient; of the seeds' outputs
    gradients: list[int | None] = field(default_factory=list)

    def constant(self, n: int) -> Array:
        """A constant, which may have to be found first."""
        if n in self.later:
            self.constants[n] = self.later.pop(n)()
        return self.constants[n]

    @property
    def nodes(self) -> list[Node]:
        """The forward part, to walk: see nodes.py. A view, made anew each time."""
        from .nodes import Walk  # loads torch.fx, which few programs need

        return Walk(self).graph.listed

    def print_tabular(self) -> None:
        """Print them as a table."""
        from .nodes import Walk

        Walk(self).graph.print_tabular()

    def __str__(self) -> str:
        head = ", ".join(f"%{leaf.number}: {self.values[leaf.number]}" for leaf in self.leaves)
        lines = [f"graph {self.name}({head}):"]
        for step in self.steps:
            given = ", ".join([
                *[shown(x) for x in step.arguments],
                *[f"{k}={shown(x)}" for k, x in step.attrs.items()],
            ])  # fmt: skip
            result = shown(step.result)
            kinds = ", ".join(str(self.values[n]) for n in step.gives())
            call = f"  {result} = {step.name}({given})" if kinds else f"  {step.name}({given})"
            lines.append(f"{call}  # {kinds + ' ' if kinds else ''}{step.site}")
        outputs = replaced(self.outputs, lambda ref: Ref(self.returned[ref.number]))
        lines.append(f"  return {shown(outputs)}")
        return "\n".join(lines)

    __repr__ = __str__


# ---- the interpreter -----------------------------------------------------------------------------
class Writer:
    """The lines of a Python function that makes the calls of some steps."""

    def __init__(self, program: Program):
        self.program = program
        self.names: dict[str, Operand] = {"asarray": np.asarray, "sized": sized}
        self.called: dict[int, str] = {}
        self.arrays: set[int] = set()  # values that C will read: numbers of numpy are none
        self.lines: list[str] = []
        self.stops = 0  # how many lines raise Otherwise if they raise

    def constant(self, x: Operand, hint: str) -> str:
        """The name under which the function finds an object."""
        if id(x) not in self.called:
            word = re.sub(r"\W", "_", hint)
            word = word if word.isidentifier() else f"f_{word}"
            name = f"{word}_{len(self.called)}"
            self.called[id(x)] = name
            self.names[name] = x
        return self.called[id(x)]

    def operand(self, x: Operand) -> str:
        """An argument of a call as text."""
        if type(x) is Ref:
            return f"v{x.number}"
        if type(x) in (bool, int, str, type(None)):
            return repr(x)
        if type(x) is Rate:
            return f"float({self.constant(x.group, 'group')}['lr'])"
        if type(x) is tuple:
            return f"({''.join(self.operand(y) + ', ' for y in x)})"
        if type(x) is list:
            return f"[{', '.join(map(self.operand, x))}]"
        if type(x) is dict:
            return "{" + ", ".join(f"{k!r}: {self.operand(y)}" for k, y in x.items()) + "}"
        if next(refs(x), None) is not None:  # a named tuple of arrays
            kind = self.constant(type(x), type(x).__name__)
            return f"{kind}({', '.join(map(self.operand, x))})"
        return self.constant(x, "c")

    def step(self, step: Step, known: set[int]) -> None:
        """The line of one step."""
        self.add(step, known)
        self.stops = len(self.lines) if step.stops else self.stops

    def stopping(self, start: int = 0) -> list[str]:
        """The lines from ``start`` on, which raise Otherwise where a step of them stops."""
        lines, count = self.lines[start:], self.stops - start
        if count <= 0:
            return lines
        self.names |= {"ERRORS": ERRORS, "Otherwise": Otherwise}
        return ["try:", *[f"    {x}" for x in lines[:count]],
                "except ERRORS as e: raise Otherwise(str(e)) from e", *lines[count:]]  # fmt: skip

    def add(self, step: Step, known: set[int]) -> None:
        given = [self.operand(x) for x in step.arguments]
        given += [f"{k}={self.operand(x)}" for k, x in step.attrs.items()]
        call = f"{self.constant(step.function, step.name)}({', '.join(given)})"
        if type(step.result) is Ref:
            n = step.result.number
            if n in known:  # it wrote into its operand
                self.lines.append(f"{call}  # {step.site}")
                return
            if step.number or (n in self.arrays and not self.program.values[n].shape):
                call = f"asarray({call})"
            self.lines.append(f"v{n} = {call}  # {step.site}")
            if step.sized:
                value = self.program.values[n]
                self.lines.append(f"sized(v{n}, {value.shape!r}, {str(step.site)!r})")
        elif next(step.gives(), None) is None:
            self.lines.append(f"{call}  # {step.site}")
        else:
            self.lines.append(f"{targets(step.result, known)} = {call}  # {step.site}")
            for n in step.gives():
                if n in self.arrays and not self.program.values[n].shape and n not in known:
                    self.lines.append(f"v{n} = asarray(v{n})")

    def function(
        self, name: str, takes: str | Sequence[int], gives: str, used: Iterable[Loops] = ()
    ) -> Kernel:
        """The function, compiled; its text is its attribute ``text``. ``takes``: its parameters, as
        numbers of values or as text; ``used``: the regions that it may call."""
        given = takes if isinstance(takes, str) else ", ".join(f"v{n}" for n in takes)
        head = f"def {name}({given}):\n"
        text = head + "".join(f"    {line}\n" for line in self.lines) + f"    return {gives}\n"
        namespace = dict(self.names)
        for loops in used:
            if loops.region.name in namespace:
                loops.homes.append(namespace)
        exec(compile(text, f"<microtorch program {name}>", "exec"), namespace)
        made: Kernel = namespace[name]
        vars(made)["text"] = text
        return made


def targets(template: Operand, known: set[int]) -> str:
    """The left side of an assignment of several results."""
    if type(template) is Ref:
        return "_" if template.number in known else f"v{template.number}"
    if isinstance(template, (tuple, list)):
        return f"({''.join(targets(x, known) + ', ' for x in template)})"
    return "_"


def sized(array: Array, shape: Shape, site: str) -> None:
    """Raise Otherwise if a value came out in another size than when it was recorded."""
    if array.shape != shape:
        raise Otherwise(
            message(
                f"a compiled function met a size that depends on data: {array.shape}",
                f"it was {shape} when {site} was recorded",
                fix="choose by torch.where, or leave this part out of compile()",
            )
        )
