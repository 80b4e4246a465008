"""``summary``: a model as one picture, its layers by depth with shapes, parameters and products."""

from __future__ import annotations

from collections.abc import Sequence

from microtorch.base.types import Argument, DTypeLike

from ..reading.layers import Model, Shapes, layers_of
from . import engraving, sheet, style
from .saved import Printed

ROWS = 110  # more than these cannot be read on one screen


class Poster(Printed):
    """A drawn model. ``save(path)`` picks the format by suffix; ``print`` writes it as a table.

    ``total_params``, ``multiply_adds``: the totals. A notebook shows the picture.
    """

    def __init__(self, model: Model, theme: str):
        self.model, self.theme = model, style.theme(theme)
        self.total_params, self.multiply_adds = model.total_params, model.multiply_adds

    @property
    def source(self) -> str:
        """The DOT text, in which every place is given."""
        inputs = [layer for layer in self.model.layers if layer.kind == "input"]
        given = " and ".join(sheet.shape_of(layer) for layer in inputs)
        facts = [
            (f"{self.total_params:,}", "parameters"),
            (sheet.count(self.multiply_adds), f"multiply-adds for an input of {given}"),
        ]
        drawn = engraving.Drawn(sheet.best(self.model), self.theme, self.model.name, facts)
        return str(drawn.g.source)

    def __str__(self) -> str:
        lines = []
        for row in sheet.rows_of(self.model):
            layer = row.layer
            times = f" (× {layer.times})" if layer.times > 1 else ""
            words = f"{layer.name} {' '.join(sheet.words_of(layer))}".strip() + times
            shape = "" if row.kind == "head" else sheet.shape_of(layer)
            lines.append(("  " * len(row.block) + words, shape, *sheet.numbers_of(layer)))
        head = ("layer", *sheet.HEADINGS)
        wide = [max(len(line[i]) for line in (head, *lines)) for i in (1, 2, 3)]
        room = max(20, min(max(len(line[0]) for line in lines), 74 - sum(wide)))
        table = [
            f"{a if len(a) <= room else a[: room - 1] + '…':<{room}}  {b:>{wide[0]}}  "
            f"{c:>{wide[1]}}  {d:>{wide[2]}}".rstrip()
            for a, b, c, d in (head, *lines)
        ]
        total = f"{self.model.name}: {self.total_params:,} parameters, "
        total += f"{sheet.count(self.multiply_adds)} multiply-adds"
        return "\n".join([total, *table])

    __repr__ = __str__


def summary(
    model: object,
    input_size: Shapes | None = None,
    input_data: Argument = None,
    *,
    dtypes: Sequence[DTypeLike] | None = None,
    depth: int | None = None,
    theme: str = "light",
    **kwargs: Argument,
) -> Poster:
    """A poster of ``model``: its layers by depth, with shapes, parameters and multiply-adds.

    ``viz.summary(model, (1, 3, 224, 224)).save("model.svg")``

    The model runs once, as in ``microtorch.summary``, whose arguments these are: the shape of the
    input with its batch dimension or a list of shapes, and their ``dtypes``, or ``input_data``;
    ``kwargs`` are passed on to forward. ``depth``: how many modules deep; by itself as deep as one
    screen has room for. Equal neighbours are drawn once, with "× 6". What flows past a layer runs
    along a line beside the rows. ``theme``: "light", "dark" or "print".

    Raises TypeError for what is no module, ValueError where neither or both of ``input_size`` and
    ``input_data`` are given.
    """
    style.theme(theme)
    found = layers_of(
        model, input_size, input_data, dtypes, kwargs, depth,
        lambda deep: len(sheet.rows_of(deep)) <= ROWS,
    )  # fmt: skip
    return Poster(found, theme)
