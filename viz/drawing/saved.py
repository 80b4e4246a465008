"""What is drawn can be saved: the formats by suffix, and what a notebook shows."""

from __future__ import annotations

import base64
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from microtorch.base import errors

from . import render

if TYPE_CHECKING:
    from graphviz import Digraph


def suffix_of(path: str | os.PathLike[str], formats: Iterable[str], fix: str = "") -> str:
    """The suffix of a path in small letters. ValueError for one that is not in ``formats``."""
    path = os.fspath(path)
    suffix = os.path.splitext(path)[1].lower().lstrip(".")
    if suffix not in formats:
        valid = ", ".join(f".{f}" for f in formats)
        what = f".{suffix} is not a format" if suffix else "no suffix"
        raise ValueError(errors.message(f"save({path!r}): {what}; use one of {valid}", fix=fix))
    return suffix


def write(path: str | os.PathLike[str], data: str | bytes) -> str:
    """Write a file, text as UTF-8; returns its path."""
    path = os.fspath(path)
    with open(path, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
    return path


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
        return write(path, self.pipe(suffix_of(path, self.formats), dpi))

    def render(
        self, filename: str | os.PathLike[str] = "graph", *, format: str = "svg",
        view: bool = False, cleanup: bool = True,
    ) -> str:  # fmt: skip
        """graphviz's spelling of ``save``: writes ``filename.format`` and returns that path.

        ``view`` opens it in the system's viewer. Unless ``cleanup``, the DOT text lies beside it.
        """
        path = self.save(f"{os.fspath(filename)}.{self.checked(format)}")
        if not cleanup:
            self.save(f"{os.fspath(filename)}.gv")
        if view:
            import graphviz  # slow to import

            graphviz.view(path)
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


class Told(ABC):
    """What has words, which ``print`` writes, and a picture, which ``draw`` makes."""

    @abstractmethod
    def draw(self, **look: Any) -> Saved:
        """The picture; ``look``: arguments of ``viz.draw``."""

    def save(self, path: str | os.PathLike[str], dpi: float | None = None, **look: Any) -> str:
        """The picture, or the words (.txt). Returns the path."""
        if os.fspath(path).endswith(".txt"):
            return write(path, f"{self}\n")
        return self.draw(**look).save(path, dpi)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        try:
            return self.draw()._repr_mimebundle_() | {"text/plain": str(self)}
        except errors.GraphError:  # there is none to draw
            return {"text/plain": str(self)}


class Themed(ABC):
    """What has a text and a picture in a theme: ``formats`` are those of both."""

    formats: ClassVar[tuple[str, ...]] = ("svg", "png", "pdf", "dot", "gv", "txt")

    @abstractmethod
    def digraph(self, theme: str = "light") -> Digraph:
        """The picture as Graphviz gets it."""

    def _text(self, suffix: str) -> str | None:
        """What is saved as text under a suffix, or None: a picture."""
        return f"{self}\n" if suffix == "txt" else None

    def pipe(self, format: str = "svg", dpi: float | None = None, theme: str = "light") -> bytes:
        """The picture as bytes: svg, png, pdf or dot."""
        source = self.digraph(theme).source
        return source.encode() if format in ("dot", "gv") else render.render(source, format, dpi)

    def save(
        self, path: str | os.PathLike[str], dpi: float | None = None, theme: str = "light"
    ) -> str:
        """Write the picture or the text in the format of the suffix; returns the path."""
        suffix = suffix_of(path, self.formats)
        text = self._text(suffix)
        return write(path, self.pipe(suffix, dpi, theme) if text is None else text)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.pipe("svg").decode(), "text/plain": str(self)}
        except (render.RenderError, errors.GraphError):
            return {"text/plain": str(self)}
