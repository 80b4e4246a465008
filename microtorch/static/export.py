"""A program as a folder that needs no Python: model.c with a main, weights, Makefile, README.

``make && ./model`` reads the weights and an input, runs the program, a step of training as often as
it is told, and prints what Python prints; ``make check`` compares the two. All steps of the program
must be C (lower.py, calls.py); a step that is not is named with its line.
"""
from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import generator
from ..base.errors import message
from .emit_c import Emitter, Region
from .functions import text_of
from .program import Step
from .proof import random_state
from .source import head, unique, wrapped
from .statements import C_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base.types import Array
    from .entry import Entry

MAKEFILE = """\
CFLAGS = -O2 -ffp-contract=off

model: model.c
\t$(CC) -std=c99 $(CFLAGS) -o model model.c -lm

check: model
\t./model > printed.txt
\tpaste printed.txt expected.txt | awk 'NF != 2 { bad = 1 } \\
\t  { d = $$1 - $$2; if (d < 0) d = -d; m = $$2 < 0 ? -$$2 : $$2 } \\
\t  d > 1e-3 * m + 1e-5 { bad = 1 } \\
\t  END { if (bad || NR != {count}) { print "other numbers"; exit 1 } print "the same numbers" }'

.PHONY: check
"""
README = """\
{name}, written by microtorch as C.

make && ./model              reads weights.bin and input.bin, prints the results
./model other.bin            reads another input
{training}make check                   compares with the numbers that Python printed (expected.txt)

Any C99 compiler will do: cc -O2 -ffp-contract=off -o model model.c -lm

weights.bin and input.bin begin with text, one line for each array (name, dtype, shape), and an
empty line; then come the numbers, in this processor's byte order, row by row.

{inputs}
{outputs}
"""
TRAINING = """\
./model input.bin 1000       makes 1000 steps of training; {steps} if no number is given. What is
                             learned goes to trained.bin, in the form of weights.bin
"""


def export(entry: Entry, folder: str | os.PathLike[str], steps: int = 10) -> None:
    """Write the folder. ``steps``: how many steps of training are checked, and made by default.

    A program that writes to nothing makes one step. RuntimeError says what is not C.
    """
    p, plan = entry.program, entry.whole
    if plan is None:
        raise RuntimeError(message(f"{p.name} cannot be exported: it was read from a file"))
    if any(o.kind == "leaf" for o in entry.outputs):
        raise RuntimeError(
            message(f"{p.name} cannot be exported: it returns what it was given",
                    fix="return the loss, or another number of the step")
        )
    regions = plan.regions
    other = [x for x in plan.items if isinstance(x, Step)]
    printed = [o.number for o in entry.outputs]
    if len(regions) != 1 or other or {*printed} - {*regions[0].gives}:
        step = other[0] if other else p.steps[0]
        raise RuntimeError(
            message(
                f"{p.name} cannot be exported: {step.name}, at {step.site}, is not written as a "
                "loop of C",
                fix="what is, stands in microtorch/static/lower.py and calls.py",
            )
        )
    region = regions[0]._replace(name="forward" if not regions[0].written else "train")
    for n in region.takes:
        if not p.values[n].contiguous:
            raise RuntimeError(message(f"an array of {p.values[n]} does not lie row by row: "
                                       ".contiguous() it"))  # fmt: skip
    Folder(entry, region, steps if regions[0].written else 1).write(os.fspath(folder))


class Folder:
    """The files of a program that is one region."""

    def __init__(self, entry: Entry, region: Region, steps: int):
        self.entry, self.region, self.steps = entry, region, steps
        self.program = p = entry.program
        leaves = {x.number: x for x in entry.leaves}
        self.names: dict[int, str] = {}
        printed = [o.number for o in entry.outputs]
        for n in [*region.takes, *region.gives]:
            wanted = entry.names.get(n) or f"v{n}"
            if n in printed:
                wanted = f"result_{printed.index(n)}"
            self.names[n] = unique(wanted, self.names.values())
        self.printed = [*dict.fromkeys(printed)]
        self.arrays: dict[int, Array] = {
            n: p.constants[n] if n in p.constants else leaves[n].array for n in region.takes
        }
        self.inputs = [n for n in region.takes if n in leaves and leaves[n].kind == "argument"]
        self.weights = [n for n in region.takes if n not in self.inputs]
        self.trained = bool({*region.written} & {*self.weights})
        self.draws = any(s.name == "dropout_noise" for s in p.steps[: p.split])

    # ---- what Python prints ----------------------------------------------------------------------
    def expected(self) -> list[str]:
        """The numbers of some steps, by the interpreter, on copies of the memory."""
        leaves = [x.array.copy() for x in self.entry.leaves]
        at = [self.entry.gives.index(n) for n in self.printed]
        state, lines = random_state(), []
        try:
            for _ in range(self.steps):
                given = self.entry.function(*leaves)
                lines += [f"{float(v):.6g}\n" for i in at for v in np.ravel(given[i])]
        finally:
            generator.Generator.set_state(generator.default_generator, state)
        return lines

    # ---- files -----------------------------------------------------------------------------------
    def write(self, folder: str) -> None:
        p = self.program
        expected = self.expected()
        training = TRAINING.format(steps=self.steps) if self.trained else ""
        files = {
            "model.c": self.source(),
            "Makefile": MAKEFILE.replace("{count}", str(len(expected))),
            "expected.txt": "".join(expected),
            "README": README.format(
                name=p.name, training=training,
                inputs="\n".join(f"input {self.shown(n)}" for n in self.inputs),
                outputs="\n".join(f"prints {self.shown(n)}" for n in self.printed),
            ),
        }  # fmt: skip
        os.makedirs(folder, exist_ok=True)
        for name, content in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
        for name, numbers in (("weights.bin", self.weights), ("input.bin", self.inputs)):
            with open(os.path.join(folder, name), "wb") as data:
                data.write(f"{self.heading(numbers)}\n".encode())
                for n in numbers:
                    data.write(np.ascontiguousarray(self.arrays[n]).tobytes())
                if name == "weights.bin" and self.draws:
                    data.write(_twister().tobytes())

    def shown(self, n: int) -> str:
        return f"{self.names[n]}: {self.program.values[n]}"

    def heading(self, numbers: list[int]) -> str:
        """What stands above numbers: a line for each array."""
        lines = [f"{self.shown(n)}\n" for n in numbers]
        if self.draws and numbers is self.weights:
            lines.append("generator: uint32 [625]\n")
        return "".join(lines) or "nothing\n"

    def source(self) -> str:
        """model.c"""
        p = self.program
        emitter = Emitter(p, self.region, self.names)
        body = emitter.text()
        title = f"{p.name}, to be run without Python"
        return "\n".join([head(title, [emitter], [body]), body, self.main(emitter.size())])

    def main(self, block: int) -> str:
        p = self.program
        numbers = [*self.region.takes, *self.region.gives]
        sizes = {n: max(math.prod(p.values[n].shape), 1) for n in numbers}
        declared = "".join(
            f"static {C_TYPES[p.values[n].dtype.name]} {self.names[n]}[{sizes[n]}];\n"
            for n in numbers
        )
        passed = [self.names[n] for n in numbers]
        passed += [repr(float(x.group["lr"])) for x in self.region.rates]
        if block:
            declared += f"static double block[{-(-block // 8)}]; /* {block} bytes */\n"
            passed.append("(char *)block")
        weights = [self.names[n] for n in self.weights] + ["generator"] * self.draws
        inputs = [self.names[n] for n in self.inputs]
        printing = "".join(
            f"        for (int i = 0; i < {sizes[n]}; i++)\n"
            f'            printf("%.6g\\n", (double){self.names[n]}[i]);\n'
            for n in self.printed
        )
        text = text_of("main")
        if not self.trained:
            text = text.split("    /* what is learned */\n")[0] + "    return 0;\n}\n"
        heading = self.heading(self.weights).split("\n")
        quoted = "".join(f'        "{line}\\n"\n' for line in heading)
        replaced = {
            "ARRAYS;\n": declared, "WEIGHTS": _listed(weights), "INPUTS": _listed(inputs),
            "SIZES_OF_W": _listed((f"sizeof {w}" for w in weights), "0"),
            "SIZES_OF_I": _listed((f"sizeof {i}" for i in inputs), "0"),
            "COUNT_OF_W": str(len(weights)), "COUNT_OF_I": str(len(inputs)),
            "STEPS": str(self.steps),
            "        if (CALL) {": wrapped(f"if ({self.region.name}({', '.join(passed)})) {{", 8),
            "        PRINT;\n": printing, "        HEADING;\n": quoted.rstrip("\n") + ";\n",
        }  # fmt: skip
        for word, by in replaced.items():
            text = text.replace(word, by)
        return text


def _twister() -> Array:
    """The generator's words, and how many of them are used up."""
    state: Array = generator.default_generator.state().astype(np.uint32)
    if state[624] == 0:  # before the first draw
        state[624] = 624
    return state


def _listed(words: Iterable[str], none: str = "NULL") -> str:
    return ", ".join(words) or none
