"""What is drawn can be saved: the formats by suffix, and what a notebook shows."""

from __future__ import annotations

import base64
import os
from abc import ABC, abstractmethod
from typing import ClassVar

from . import render


class Saved(ABC):
    """A picture that ``pipe`` makes as bytes, in one of ``formats``."""

    formats: ClassVar[tuple[str, ...]]

    @abstractmethod
    def pipe(self, format: str = "svg", dpi: float | None = None) -> bytes:
        """The picture as bytes. Raises ValueError for a format that is not one of ``formats``."""

    def save(self, path: str | os.PathLike[str], dpi: float | None = None) -> str:
        """Write the picture in the format of the suffix; returns the path.

        Beside pictures: .dot; of a graph .json (all data), .mmd (Mermaid, for a README) and .tex
        (TikZ); of a model .txt.
        """
        path = os.fspath(path)
        suffix = os.path.splitext(path)[1].lower().lstrip(".")
        if suffix not in self.formats:
            valid = ", ".join(f".{f}" for f in self.formats)
            what = f".{suffix} is not a format" if suffix else "no suffix"
            raise ValueError(f"save({path!r}): {what}; use one of {valid}")
        data = self.pipe(suffix, dpi)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def checked(self, format: str) -> str:
        """The format in small letters, if it is one of them."""
        if format.lower() not in self.formats:
            raise ValueError(
                f"format {format!r} is not known; choose one of {', '.join(self.formats)}"
            )
        return format.lower()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: SVG and PNG, or where there is no Graphviz, how to get it."""
        try:
            bundle = {"image/svg+xml": self.pipe("svg").decode(), "text/plain": repr(self)}
            return bundle | {"image/png": base64.b64encode(self.pipe("png")).decode()}
        except render.RenderError as error:
            return {"text/plain": f"{self!r}\n{error}"}


class Printed(Saved):
    """A picture of which every place is given, and that has a text, too: ``print`` writes it."""

    formats = ("svg", "png", "pdf", "ps", "eps", "jpg", "dot", "gv", "txt")

    @property
    @abstractmethod
    def source(self) -> str:
        """The DOT text."""

    def pipe(self, format: str = "svg", dpi: float | None = None) -> bytes:
        """The picture as bytes in one of ``formats``; ``dpi`` (144) is for bitmaps.

        Raises RenderError without Graphviz, or where it fails.
        """
        format = self.checked(format)
        if format == "txt":
            return (str(self) + "\n").encode()
        source = self.source
        return source.encode() if format in ("dot", "gv") else render.render(source, format, dpi)
