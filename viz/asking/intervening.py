"""What if this value had been another one? ``intervene`` replaces values and computes what follows.

    viz.intervene(loss, {"net.2": lambda a: a * 0})      ablate: the output of a layer becomes 0
    viz.intervene(loss, {"h": other_trace})              patch: with the value of another run
    viz.intervene(loss, {"w": 2.0, x: torch.ones(8, 2)}) set: numbers and arrays, by name or tensor

The recorded graph runs again from the replaced values on, in the recorded dtypes, with the recorded
random masks; the user's program does not. Backward then runs on the new values. A replaced value is
given, not computed, so no gradient flows from it to what it had been made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from microtorch.base import errors

from ..drawing import animate, labels
from ..drawing.dot import Canvas, Drawing
from ..drawing.options import Options
from ..drawing.plan import Unit
from ..reading import numbers
from ..reading.recorded import Recording, User, retold
from ..reading.take import Root, caller, take
from ..reading.trace import Trace, TraceNode
from ..telling.records import Record, record
from ..telling.table import Table
from .changes import Changes, Difference

Key: TypeAlias = "str | int | Root"


class Intervention(Difference):
    """Two runs of one graph: the recorded one, and that with some values replaced.

    ``old``, ``new``   what was traced, before and after: a Tensor, or the number of a Scalar
    ``replaced``       the records of the values that were replaced, as they are now
    ``self[key]``      the record of any value in the new run
    ``print``          every value that changed; ``draw()`` the graph: what was, what is, in yellow
                       frames what was replaced
    """

    def __init__(self, a: Trace, b: Trace, before: Recording, after: Recording, given: list[int]):
        super().__init__(a, b)
        self.recordings, self.given = (before, after), given
        self.old: User | None = before.value(a.root)
        self.new: User | None = after.value(b.root)

    @property
    def replaced(self) -> list[Record]:
        return [Record(self.b, self.recordings[1], i) for i in self.given]

    def __getitem__(self, key: str | int) -> Record:
        return record(self.b, self.recordings[1], key)

    def __str__(self) -> str:
        changed = super().__str__() if self.rows else "nothing changed"
        what = ", ".join(r.name for r in self.replaced)
        root = self.b.nodes[self.b.root]
        sizes = []
        for t in (self.a, self.b):
            value = t.nodes[root.id].value
            known = None if value is None else value.number
            rms = None if value is None else value.rms
            sizes.append(numbers.number(known) if known is not None else numbers.rms(rms))
        name = root.name or root.op
        return f"replaced: {what}\n{name}: {sizes[0]} → {sizes[1]}\n\n{changed}"

    __repr__ = __str__

    def _drawing(self, options: Options) -> Drawing:
        return _Replaced(self.b, options, self.before, set(self.given))


def intervene(loss: Root | Table, values: Mapping[Key, object]) -> Intervention:
    """Replace values of a computation and compute again what comes after them.

    ``loss``: a Tensor, a Scalar, or ``viz.trace(loss)``, which stays true after training went on.
    ``values``: key -> replacement. A key is one of ``viz.trace``'s, or a Tensor that took part; a
    replacement is a function of the recorded value, a number, an array or Tensor of the same shape,
    a record of another run (``t["h"]``), or a whole other trace, of which the same key is taken.
    Several are replaced in the order of the program; a function gets the value as it is by then.

    Changes no tensor and no ``.grad``. Raises KeyError for unknown keys, ShapeError and TypeError
    for replacements that do not fit, GraphError for an op that cannot run again.
    """
    if not isinstance(values, Mapping):
        what = f"intervene() takes a dict of what replaces values, but got {type(values).__name__}"
        raise TypeError(errors.message(what, fix='viz.intervene(loss, {"h": 0.0})'))
    if isinstance(loss, Table):
        trace, recording = loss.trace, loss.recording
    else:
        trace = take(loss, "intervene", caller(), gradients=True)
        found = Recording.of(trace)
        assert found is not None
        recording = found
    table = Table(trace, recording)
    given: dict[int, object] = {}
    for key, what in values.items():
        if isinstance(what, Table):
            if not isinstance(key, (str, int)):
                fix = "name the value: {'h': other_trace}, or give its record, other_trace['h']"
                raise TypeError(errors.message("a whole trace needs a key with a name", fix=fix))
            what = what[key]
        if isinstance(what, Record):
            name = what.name
            what = what.value
            if what is None:
                text = f"the value of {name} in the other run is lost"
                raise errors.GraphError(errors.message(text, fix="trace before the next step"))
        given[table[key].node] = what
    if not given:
        fix = 'intervene(loss, {"net.2": lambda a: a * 0})'
        raise ValueError(errors.message("intervene() was given nothing to replace", fix=fix))
    after = recording.replaced(given)
    return Intervention(trace, retold(trace, after), recording, after, sorted(given))


class _Replaced(Changes):
    """The graph with old values, and the replaced nodes in frames."""

    def __init__(
        self, trace: Trace, options: Options, before: dict[int, TraceNode], given: set[int]
    ):
        self.given = given
        super().__init__(trace, options, before)

    def _label(self, n: TraceNode) -> str:
        label = super()._label(n)
        if n.id not in self.given:
            return label
        word = labels.font(labels.bold("replaced"), self.t.ink, 9)
        remark = labels.cell(word, "CENTER", extra=' CELLPADDING="4"')
        return labels.plain(labels.row(f"<TD>{label}</TD>") + labels.row(remark))

    def _unit(self, u: Unit, g: Canvas) -> None:
        held = not self.given.isdisjoint(u.members)
        super()._unit(u, animate.Haloed(g, self.t.nan[0] if held else animate.CLEAR, self.t.ink))
