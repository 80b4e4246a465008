"""Classes that take a type in brackets, for annotations: `Dataset[int]`, `Sampler[int]`."""

from __future__ import annotations

from types import GenericAlias


class Typed:
    """Base class: `Class[T]` is `Class` to Python, as an annotation and as a base."""

    def __class_getitem__(cls, item: object) -> GenericAlias:
        return GenericAlias(cls, item)
