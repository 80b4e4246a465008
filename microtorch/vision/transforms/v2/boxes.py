"""Transforms of boxes: what is written otherwise, cut off, or left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ....base.errors import message
from ....handles.tensor import Tensor
from ...images import Picture
from ...tv_tensors import BoundingBoxes, BoundingBoxFormat, Mask, wrap
from .. import marks
from . import functional
from .structured import Sample, Transform, leaves, replaced

Getter = Callable[[Sample], Tensor] | str | None


class ConvertBoundingBoxFormat(Transform):
    """Boxes written in another format."""

    def __init__(self, format: BoundingBoxFormat | str) -> None:
        super().__init__()
        known = isinstance(format, BoundingBoxFormat)
        self.format = format if known else BoundingBoxFormat[str(format).upper()]

    def one(self, picture: Picture) -> Picture:
        if not isinstance(picture, BoundingBoxes):
            return picture
        return functional.convert_bounding_box_format(picture, new_format=self.format)


class ClampBoundingBoxes(Transform):
    """Boxes cut off where their picture ends."""

    def one(self, picture: Picture) -> Picture:
        if not isinstance(picture, BoundingBoxes):
            return picture
        return functional.clamp_bounding_boxes(picture)


class SanitizeBoundingBoxes(Transform):
    """Without boxes that are smaller than `min_size` or `min_area`, or reach outside.

    Their labels and masks go with them. `labels_getter`: "default" (the value of a key that has
    "label" in it), the name of a key, a function of the sample, or None for no labels.
    """

    def __init__(
        self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: Getter = "default"
    ) -> None:
        super().__init__()
        if min_size < 1 or min_area < 1:
            raise ValueError(message("min_size and min_area must be >= 1", f"{min_size=}"))
        self.min_size, self.min_area = min_size, min_area
        self.labels_getter = labels_getter

    def _labels(self, sample: Sample) -> Tensor | None:
        getter = self.labels_getter
        if getter is None:
            return None
        if callable(getter):
            return getter(sample)
        parts = sample if isinstance(sample, tuple) else (sample,)
        for part in parts:
            if isinstance(part, Mapping):
                for name, value in part.items():
                    fits = "label" in str(name).lower() if getter == "default" else name == getter
                    if fits:
                        found: Tensor = value
                        return found
        raise ValueError(
            message("Could not infer where the labels are in the sample", fix="labels_getter=None")
        )

    def forward(self, *inputs: Sample) -> Sample:
        sample: Sample = inputs if len(inputs) > 1 else inputs[0]
        found = [leaf for leaf in leaves(sample) if isinstance(leaf, BoundingBoxes)]
        if not found:
            raise ValueError(message("No bounding boxes were found in the sample"))
        labels, boxes = self._labels(sample), found[0]
        x1, y1, x2, y2 = marks.corners(boxes, boxes.format).unbind(-1)
        wide, tall = x2 - x1, y2 - y1
        kept = (wide >= self.min_size) & (tall >= self.min_size) & (wide * tall >= self.min_area)
        height, width = boxes.canvas_size
        kept = kept & (x1 >= 0) & (y1 >= 0) & (x2 <= width) & (y2 <= height)
        for leaf in list(leaves(sample)):
            of_boxes = isinstance(leaf, Mask) and leaf.ndim > 2 and len(leaf) == len(boxes)
            if leaf is boxes or of_boxes:
                sample = replaced(sample, leaf, wrap(leaf.plain()[kept], like=leaf))
            elif labels is not None and leaf is labels:
                sample = replaced(sample, leaf, leaf[kept])
        return sample
