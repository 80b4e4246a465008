"""What is to be seen of a compiled function: its program as a list, as C, as Python, in files."""
from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

from ..base.errors import message
from .entry import Entry
from .export import as_text, export
from .scalars import alone
from .scalars.entry import ScalarEntry, ScalarProgram
from .scalars.mixed import Mixed

if TYPE_CHECKING:
    from ..base.types import Operand
    from .program import Program

    Entries = dict[tuple[Operand, ...], list[tuple[Entry | ScalarEntry, Operand]]]


class Shown:
    """The programs of ``entries``, the last one first. A base of ``Compiled``."""

    __slots__ = ()
    __name__: str
    entries: Entries
    mixed: Operand
    reason: str

    @property
    def graph(self) -> Program | ScalarProgram:
        """The program that was made last. RuntimeError where there is none as yet."""
        for found in reversed(self.entries.values()):
            return found[-1][0].program
        raise RuntimeError(
            message(
                f"{self.__name__} has no program yet",
                self.reason and f"it runs as it is written: {self.reason}",
                fix="call it three times: the first call is an ordinary one, two are recorded; "
                    "four times if it has Scalars and Tensors",
            )
        )

    @property
    def entry(self) -> Entry | ScalarEntry:
        """The program that was made last, and what stands for the function around it."""
        self.graph  # noqa: B018
        return next(reversed(self.entries.values()))[-1][0]

    def c_source(self) -> str:
        """The C file of the program that was made last; "" where none of its steps is C."""
        return self.entry.c_source

    def export(
        self, folder: str | PathLike[str], steps: int = 10, target: str = "c",
        data: Sequence[Operand] | None = None, predict: Operand = None, text: bool = False,
    ) -> None:  # fmt: skip
        """Write the program that was made last as C with a ``main``, and as a page
        (``target="wasm"``), which runs ``predict``, a compiled function or Module, on the same
        weights. ``steps``: of training, checked and made by default; ``data``: for each tensor
        among the arguments, rows of which each step takes the next, or None; ``text``: are the
        weights to be written as text, too? See static/export.py.
        """
        other = getattr(predict, "_compiled", predict)
        if other is not None and not isinstance(other, Shown):
            raise TypeError(
                message(
                    f"predict= is a compiled function or Module, not {type(predict).__name__}",
                    fix="torch.compile(net), and three calls of it",
                )
            )
        entry = self.entry
        more = None if other is None else other.last()[0]
        if isinstance(entry, ScalarEntry):
            alone.export(entry, folder, steps, target)
        elif isinstance(self.mixed, Mixed):
            inner, outputs = self.mixed.inner.last()
            again = self.mixed.again(inner, outputs, self.__name__)
            export(inner, folder, steps, target, data, more, again)
        else:
            export(self.last()[0], folder, steps, target, data, more)
        if text:
            as_text(folder)

    def last(self) -> tuple[Entry, Operand]:
        """The entry that was made last, which must be one of tensors, and its outputs."""
        self.graph  # noqa: B018
        if isinstance(self.mixed, Mixed):
            raise RuntimeError(
                message(f"{self.__name__} has Scalars and Tensors, and its program is not written "
                        "to such files: it is given the Scalars' numbers at each call",
                        fix="parameters as Tensors of no dimension; or export(), as C")
            )  # fmt: skip
        entry, outputs = next(reversed(self.entries.values()))[-1]
        if not isinstance(entry, Entry):
            raise RuntimeError(
                message(f"{self.__name__} is a step of Scalars, and only programs of tensors are "
                        "written to such files", fix="export() writes it as C with a main")
            )  # fmt: skip
        return entry, outputs

    @property
    def code(self) -> str:
        """The program as the Python function that the interpreter runs."""
        entry = self.entry
        if isinstance(entry, ScalarEntry):
            return str(entry.program)
        text: str = vars(entry.function)["text"]
        return text
