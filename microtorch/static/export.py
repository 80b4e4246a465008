"""A program as a folder that needs no Python: model.c with a main, weights, Makefile, README.

``make && ./model`` reads the weights and an input, runs the program, a step of training as often as
it is told, and prints what Python prints; ``make check`` compares the two. All steps of the program
must be C (lower.py, calls.py); a step that is not is named with its line. alone.py writes the text,
page.py what a browser needs.
"""
from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import generator
from ..base.errors import ShapeError, message
from ..handles.tensor import Tensor
from . import page
from .alone import Again, File, Held
from .program import Step
from .schedules import effects_of
from .statements import C_TYPES
from .supposed import random_state

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from .entry import Entry
    from .program import Program
    from .region import Region

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
{page}
Any C99 compiler will do: cc -O2 -ffp-contract=off -o model model.c -lm

weights.bin and input.bin begin with text, one line for each array (name, dtype, shape), and an
empty line; then come the numbers, in this processor's byte order, row by row. weights.txt, if there
is one, has the same weights as text.

{inputs}
{outputs}
"""
TRAINING = """\
./model input.bin 1000       makes 1000 steps of training; {steps} if no number is given. What is
                             learned goes to trained.bin, in the form of weights.bin
"""


def export(
    entry: Entry, folder: str | os.PathLike[str], steps: int = 10, target: str = "c",
    data: Sequence[Operand] | None = None, predict: Entry | None = None,
    again: Again | None = None,
) -> None:  # fmt: skip
    """Write the folder. ``steps``: how many steps of training are checked, and made by default.

    A program that writes to nothing makes one step. ``target="wasm"`` adds a page that runs the
    program in a browser, and with ``predict`` a second program on the same weights. ``data``: for
    each argument that is a tensor, rows of which each step takes as many as it was recorded with,
    or None. RuntimeError says what is not C; ImportError, that the compiler for pages is not there.
    """
    if target not in ("c", "wasm"):
        raise ValueError(message(f'target={target!r} is neither "c" nor "wasm"'))
    if predict is not None and target == "c":
        raise ValueError(message("predict= is for a page", fix='target="wasm"'))
    if target == "wasm":
        page.compiler()
    file = File()
    region = whole(entry)
    learns = bool(region.written) or again is not None
    region = region._replace(name="train" if learns else "forward")
    file.add(entry, region, rows(entry, data or ()), again)
    if predict is not None:
        file.add(predict, whole(predict)._replace(name="predict"), {})
    Folder(file, steps if learns else 1).write(os.fspath(folder), target == "wasm")


def whole(entry: Entry) -> Region:
    """The program as one region, or RuntimeError."""
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
    printed = {o.number for o in entry.outputs}
    if len(regions) != 1 or other or printed - {*regions[0].gives}:
        step = [*plan.unwritten, *other, *p.steps][0]
        raise RuntimeError(
            message(
                f"{p.name} cannot be exported: {step.name}, at {step.site}, is not written as a "
                "loop of C",
                fix=_remedy(p, step),
            )
        )
    for n in regions[0].written:
        if n in regions[0].takes and not p.values[n].contiguous:
            raise RuntimeError(
                message(f"an array of {p.values[n]} that the program changes does not lie row by "
                        "row", fix="make it .contiguous() before the program is recorded")
            )  # fmt: skip
    return regions[0]


def _remedy(p: Program, step: Step) -> str:
    """What to do about a step that is not C."""
    kinds = {p.values[n].dtype.name for n in [*step.reads(), *step.gives()]} - C_TYPES.keys()
    if any(name.startswith("complex") for name in kinds):
        return "complex numbers have no C: compute with real and imaginary parts, as two tensors"
    if kinds:
        return f"{', '.join(sorted(kinds))} has no C: .float() for the program that is exported"
    return "what is C stands in microtorch/static/lower.py; compute this outside of the program"


def rows(entry: Entry, data: Sequence[Operand]) -> dict[int, Array]:
    """``data=`` by place among the arguments; ShapeError if it does not fit them."""
    taken = {x.place: x for x in entry.leaves if x.kind == "argument"}
    found: dict[int, Array] = {}
    for place, given in enumerate(data):
        if given is None:
            continue
        array = given.detach().numpy() if isinstance(given, Tensor) else np.asarray(given)
        leaf = taken.get(place)
        like = None if leaf is None else leaf.array
        if like is None or array.shape[1:] != like.shape[1:] or array.ndim != like.ndim or (
            array.dtype != like.dtype or not array.size
        ):  # fmt: skip
            have = "no such tensor" if like is None else f"{like.dtype} {list(like.shape)}"
            raise ShapeError(
                message(
                    f"data[{place}] is {array.dtype} {list(array.shape)}; {entry.program.name} "
                    f"was recorded with {have}",
                    fix="give rows of the same shape and dtype, as many as you like",
                )
            )
        found[place] = np.ascontiguousarray(array)
    return found


class Folder:
    """The files of a folder."""

    def __init__(self, file: File, steps: int):
        self.file, self.steps, self.first = file, steps, file.parts[0]

    def expected(self) -> list[str]:
        """The numbers of some steps, by the interpreter, on copies of the memory."""
        entry = self.first.entry
        again = self.first.again
        begin = {} if again is None else again.begin
        argument = {i: x.place for i, x in enumerate(entry.leaves) if x.kind == "argument"}
        leaves = [begin.get(argument.get(i, -1), x.array).copy()
                  for i, x in enumerate(entry.leaves)]  # fmt: skip
        places = {place: i for i, place in argument.items()}
        moves = [(places[place], i, n) for place, i, n in ([] if again is None else again.moves)
                 if place in places]  # fmt: skip
        batches = [
            (leaves[i], data.content)
            for i, x in enumerate(entry.leaves)
            if (data := self.first.rows.get(x.number)) is not None and data.content is not None
        ]
        shown = [o.number for o in entry.outputs] if again is None else again.shown
        at = [entry.gives.index(n) for n in dict.fromkeys(shown)]
        state, lines = random_state(), list[str]()
        schedules = effects_of(entry.program)
        try:
            for step in range(self.steps):
                for batch, all_rows in batches:
                    next_rows = step * len(batch) + np.arange(len(batch))
                    batch[...] = all_rows[next_rows % len(all_rows)]
                given = entry.function(*leaves)
                lines += [f"{float(v):.6g}\n" for i in at for v in np.ravel(given[i])]
                for leaf, i, n in moves:
                    leaves[leaf][i] = given[entry.gives.index(n)]
        finally:
            generator.Generator.set_state(generator.default_generator, state)
            for s in schedules.states:
                s.restore()
        return lines

    def write(self, folder: str, with_page: bool) -> None:
        file, p = self.file, self.first.entry.program
        expected = self.expected()
        training = TRAINING.format(steps=self.steps) if self.first.learns else ""
        files = {
            "model.c": file.source(self.steps, with_page),
            "Makefile": MAKEFILE.replace("{count}", str(len(expected))),
            "expected.txt": "".join(expected),
            "README": README.format(
                name=p.name, training=training, page=page.README if with_page else "",
                inputs="\n".join(f"input {h}" for h in file.inputs),
                outputs="\n".join(f"prints {h}" for h in self.first.results),
            ),
        }  # fmt: skip
        os.makedirs(folder, exist_ok=True)
        for name, content in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as text:
                text.write(content)
        self.numbers(os.path.join(folder, "weights.bin"), file.weights, twister() * file.draws)
        self.numbers(os.path.join(folder, "input.bin"), file.inputs)
        if with_page:
            page.write(file, folder, twister())

    def numbers(self, path: str, arrays: list[Held], more: bytes = b"") -> None:
        with open(path, "wb") as out:
            out.write(f"{self.file.heading(arrays)}\n".encode())
            for h in arrays:
                out.write(np.ascontiguousarray(h.content).tobytes())
            out.write(more)


def as_text(folder: str | os.PathLike[str]) -> None:
    """weights.txt: what weights.bin holds, each array under its line, row by row. The decimals are
    as many as tell a number from its neighbours."""
    with open(os.path.join(folder, "weights.bin"), "rb") as file:
        heading, _, numbers = file.read().partition(b"\n\n")
    with open(os.path.join(folder, "weights.txt"), "w", encoding="utf-8") as out:
        for line in heading.decode().splitlines():
            kind, _, sizes = line.rpartition("]")[0].rpartition(": ")[2].partition(" [")
            if not kind:  # "nothing"
                continue
            shape = [int(n) for n in sizes.split(",") if n]
            size = math.prod(shape) * np.dtype(kind).itemsize
            rows = np.frombuffer(numbers[:size], kind).reshape(-1, *shape[-1:] or [1])
            numbers = numbers[size:]
            out.writelines([f"{line}\n", *[f"{' '.join(map(str, r))}\n" for r in rows]])


def twister() -> bytes:
    """The generator's words, how many of them are used up, and a normal number that waits."""
    g = generator.default_generator
    state: Array = g.state().astype(np.uint32)
    if state[624] == 0:  # before the first draw
        state[624] = 624
    value, waits = g.spare
    return state.tobytes() + np.float64(value).tobytes() + np.uint32(waits).tobytes()
