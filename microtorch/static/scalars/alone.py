"""A step of Scalars as a folder that needs no Python, as export.py has it for tensors."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...base.errors import message
from ..c_text import wrapped
from ..export import MAKEFILE, README, TRAINING
from ..functions import text_of
from ..source import GLUE
from .entry import MOST_STATEMENTS

if TYPE_CHECKING:
    from .entry import ScalarEntry

RUN = """\
static double new_p[{n}], new_grad[{n}], out[{outs}];

static int run(void)
{{
    step(p, grad, new_p, new_grad, out);
{lines}
    return 0;
}}
"""


class Alone:
    """The files of a step, as it goes on from the Scalars as they are now."""

    def __init__(self, entry: ScalarEntry):
        self.entry, self.name = entry, entry.program.name
        every = [x.scalar for x in entry.leaves]
        self.data = [float(x.value) for x in every]
        grads = [x.grad for x in every]
        self.own = len(entry.own)
        # arguments come without a gradient each time
        self.fresh = [i for i, none in entry.sees_grads if none and i >= self.own]
        for i, none in entry.sees_grads:
            if i in self.fresh:
                continue
            after = i not in entry.grads and entry.plain_grads.get(i, grads[i]) is None
            if after is not none:
                raise RuntimeError(
                    message(
                        f"{self.name} cannot be exported: it begins with a gradient that is "
                        f"{'None' if none else 'a number'}, and leaves another",
                        fix="export it after the first step, or set gradients to None in it",
                    )
                )
        self.grads = [float(g) if isinstance(g, (int, float)) and i not in self.fresh else 0.0
                      for i, g in enumerate(grads)]  # fmt: skip

    def places(self) -> list[tuple[str, int]]:
        """Where in C the numbers stand that it prints."""
        outs = enumerate(self.entry.outs)
        return [("p", o.place) if o.kind == "leaf" else ("out", 2 * i) for i, o in outs]

    def expected(self, steps: int) -> list[str]:
        """What Python prints."""
        data, grads, lines = [*self.data], [*self.grads], []
        for _ in range(steps):
            kept = self.entry.program.trace.run(data, grads)
            for i in self.entry.data:
                data[i] = kept.data[i]
            for i in self.entry.grads:
                grads[i] = kept.grads[i]
            for i, g in self.entry.plain_grads.items():
                grads[i] = g or 0.0
            for i in self.fresh:
                grads[i] = 0.0
            lines += [f"{data[i] if name == 'p' else kept.out[i]:.6g}\n"
                      for name, i in self.places()]  # fmt: skip
        return lines

    def heading(self, arguments: bool) -> str:
        n = len(self.data)
        if not arguments:
            return f"p: float64 [{self.own}]\ngrad: float64 [{n}]\n"
        return f"arguments: float64 [{n - self.own}]\n" if n > self.own else "nothing\n"

    def source(self, steps: int) -> str:
        """model.c."""
        entry, n = self.entry, max(len(self.data), 1)
        lines = [
            *_moved("p", "new_p", entry.data), *_moved("grad", "new_grad", entry.grads),
            *_filled({i: g or 0.0 for i, g in entry.plain_grads.items()}),
            *_filled(dict.fromkeys(self.fresh, 0.0)),
        ]  # fmt: skip
        printed = "".join(f'        printf("%.6g\\n", {name}[{i}]);\n'
                          for name, i in self.places())  # fmt: skip
        quoted = "".join(f'        "{x}\\n"\n' for x in self.heading(False).split("\n"))
        text = text_of("main")
        if not entry.data:
            text = text.split("    /* what is learned */\n")[0] + "    return 0;\n}\n"
        more = len(self.data) > self.own
        for word, by in {
            "ARRAYS;\n": f"static double p[{n}], grad[{n}];\n",
            "RUNS;\n": RUN.format(n=n, outs=max(2 * len(entry.outs), 1), lines="\n".join(lines)),
            "    WEIGHTS;": "    void *const weights[] = {p, grad};",
            "    INPUTS;": f"    void *const inputs[] = {{{f'p + {self.own}' if more else 'p'}}};",
            "    SIZES_OF_W;": f"    const size_t weight_sizes[] = {{{self.own} * sizeof *p, "
                               f"{len(self.data)} * sizeof *p}};",
            "    SIZES_OF_I;": "    const size_t input_sizes[] = "
                               f"{{{len(self.data) - self.own} * sizeof *p}};",
            "COUNT_OF_W": "2", "COUNT_OF_I": "1", "STEPS": str(steps), "CALL": "run()",
            "        PRINT;\n": printed, "        HEADING;\n": quoted.rstrip("\n") + ";\n",
        }.items():  # fmt: skip
            text = text.replace(word, by)
        above = entry.program.text.source.split(GLUE)[0].replace("-fno-builtin FILE", "model.c")
        return f"{above}\n{text}"

    def write(self, folder: str, steps: int) -> None:
        """The folder."""
        expected = self.expected(steps)
        places = [f"prints {name}[{i}]" for name, i in self.places()]
        files = {
            "model.c": self.source(steps).encode(),
            "Makefile": MAKEFILE.replace("{count}", str(len(expected))).encode(),
            "expected.txt": "".join(expected).encode(),
            "README": README.format(
                name=self.name, page="", training=TRAINING.format(steps=steps),
                inputs=f"input {self.heading(True)}", outputs="\n".join(places),
            ).encode(),
            "weights.bin": f"{self.heading(False)}\n".encode()
            + np.array(self.data[: self.own]).tobytes() + np.array(self.grads).tobytes(),
            "input.bin": f"{self.heading(True)}\n".encode()
            + np.array(self.data[self.own :]).tobytes(),
        }  # fmt: skip
        os.makedirs(folder, exist_ok=True)
        for name, content in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)


def _moved(to: str, new: str, places: Sequence[int]) -> list[str]:
    """The lines that take over new numbers at places."""
    if len(places) < 3:
        return [f"    {to}[{i}] = {new}[{i}];" for i in places]
    first, n = places[0], len(places)
    if list(places) == [*range(first, first + n)]:
        loop = f"    for (int i = {first}; i < {first + n}; i++)"
        return [loop, f"        {to}[i] = {new}[i];"]
    given = ", ".join(map(str, places))
    declared = wrapped(f"static const int {to}_places[] = {{{given}}};", 4)
    return [declared, f"    for (int i = 0; i < {n}; i++)",
            f"        {to}[{to}_places[i]] = {new}[{to}_places[i]];"]  # fmt: skip


def _filled(given: dict[int, float]) -> list[str]:
    """The lines that set gradients to numbers."""
    places, values = [*given], {*given.values()}
    if len(values) == 1 and places == [*range(places[0], places[0] + len(places))]:
        loop = f"    for (int i = {places[0]}; i < {places[0] + len(places)}; i++)"
        return [loop, f"        grad[i] = {values.pop()!r};"]
    return [f"    grad[{i}] = {g!r};" for i, g in given.items()]


def export(entry: ScalarEntry, folder: str | os.PathLike[str], steps: int, target: str) -> None:
    """Write the folder; RuntimeError says why it cannot be."""
    if target != "c":
        raise RuntimeError(message("a page is made of a program of tensors", fix='target="c"'))
    if entry.program.size > MOST_STATEMENTS:
        raise RuntimeError(
            message(
                f"{entry.program.name} cannot be exported: no loops were found in it that make it "
                f"shorter than {entry.program.size} statements"
            )
        )
    Alone(entry).write(os.fspath(folder), steps)
