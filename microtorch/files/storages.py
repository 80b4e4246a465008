"""Persistent ids: how a pickle names a storage, and where its bytes are to be had."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .archive import Bytes, Reader
from .errors import brief, damaged, refused
from .memory import UNTYPED, Storage, StorageClass, bytes_of


class Request(NamedTuple):
    """A persistent id: the class of storage, its key, where it lay, its number of elements."""

    kind: StorageClass
    key: str
    location: str
    numel: int
    view: tuple[int, int] | None = None  # offset and number of elements, in very old files


def request(pid: object) -> Request:
    """A persistent id, checked: ("storage", class, key, location, elements[, view])."""
    if not isinstance(pid, tuple) or not 5 <= len(pid) <= 6 or _ascii(pid[0]) != "storage":
        raise refused(f"Only persistent_load of storage is allowed, but got {brief(pid)}")
    _, kind, key, location, numel, *view = pid
    if not isinstance(kind, StorageClass) or type(numel) is not int or numel < 0:
        raise damaged(f"a storage is named {brief(pid)}")
    part = None
    if view and view[0] is not None:
        if not isinstance(view[0], tuple) or len(view[0]) != 3:
            raise damaged(f"a view of a storage is named {brief(view[0])}")
        _, offset, n = view[0]
        if type(offset) is not int or type(n) is not int or offset < 0 or n < 0:
            raise damaged(f"a view of a storage is named {brief(view[0])}")
        part = offset, n
    return Request(kind, _ascii(key), _ascii(location), numel, part)


def _ascii(x: object) -> str:
    if isinstance(x, bytes):
        x = x.decode("ascii", "replace")
    if not isinstance(x, str):
        raise damaged(f"a storage is named by {brief(x)}")
    return x


class Storages:
    """The storages of an archive, read when the pickle first names them."""

    def __init__(
        self, archive: Reader, place: Callable[[Storage, str], Storage],
        mapped: mmap.mmap | None = None,
    ) -> None:  # fmt: skip
        self.archive, self.place, self.mapped = archive, place, mapped
        order = b"little"
        if "byteorder" in archive:
            order = archive.bytes("byteorder")
            if order not in (b"little", b"big"):
                raise damaged(f"Unknown endianness type: {brief(order)}")
        self.swapped = order.decode() != sys.byteorder
        self.found: dict[str, tuple[Storage, StorageClass]] = {}

    def storage(self, pid: object) -> Storage:
        """The storage of a persistent id."""
        asked = request(pid)
        if asked.key in self.found:
            storage, kind = self.found[asked.key]
            if kind is asked.kind or not asked.numel:
                return storage
            raise damaged(f"data/{asked.key} is a {kind.__name__} and a {asked.kind.__name__}")
        storage = self.place(self._read(asked), asked.location)
        if asked.numel:  # PyTorch gives storages without elements one key, whatever their class
            self.found[asked.key] = storage, asked.kind
        return storage

    def _read(self, asked: Request) -> Storage:
        d, record = asked.kind.dtype, f"data/{asked.key}"
        size, there = asked.numel * d.itemsize, self.archive.place(record).size
        if size != there:
            raise damaged(f"{record} has {there} bytes, and {asked.numel} of {d} take {size}")
        array = self._mapped(record, d.itemsize) if self.mapped is not None else None
        if array is None or self.swapped:
            array = np.empty(asked.numel, d.numpy)
            self.archive.read_into(record, bytes_of(array))
        else:
            array = array.view(d.numpy)
        if self.swapped:
            array.byteswap(inplace=True)
        return Storage(array, d, typed=asked.kind is not UNTYPED)

    def _mapped(self, record: str, itemsize: int) -> Bytes | None:
        """A record in the mapped file; None where its elements are not aligned, or there are none.

        It is not compared with its checksum, for which all of it would have to be read.
        """
        place = self.archive.place(record)
        if not place.size or place.start % itemsize:
            return None
        assert self.mapped is not None
        return np.frombuffer(self.mapped, np.uint8, place.size, place.start)
