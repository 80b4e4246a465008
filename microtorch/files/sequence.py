"""The older format: five pickles and then the storages, one after the other in one file.

    magic number, protocol version, {little_endian, ...}, the object, [keys of storages], and for
    each key: the number of elements in 8 bytes, the elements

PyTorch wrote it until 1.5, and does with `_use_new_zipfile_serialization=False`. It has no
checksums, so a wrong number in such a file is not noticed.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Callable
from typing import IO

import numpy as np

from ..arrays.device import CPU
from .archive import fill, size_left
from .blocks import Block
from .errors import EmptyFileError, FileError, brief, damaged, refused
from .guard import Guard
from .layout import MAGIC_NUMBER, PROTOCOL_VERSION
from .machine import Machine
from .memory import Storage, bytes_of
from .storages import Request, request
from .stream import Stream

_HINTS = {
    b"version https://git-lfs": "it is a pointer of Git LFS to the file: `git lfs pull` fetches it",
    b"<!DOCTYPE": "it is a web page: the download gave something else",
    b"<html": "it is a web page: the download gave something else",
    b"\x89HDF": "it is an HDF5 file, which h5py reads",
}


def read(
    file: IO[bytes], place: Callable[[Storage, str], Storage], weights_only: bool, encoding: str
) -> object:
    """The object in a file that can seek, from where it stands; it is left standing behind."""
    size = size_left(file)
    if not size:
        raise refused("Ran out of input: it is empty", kind=EmptyFileError)
    _hint(file)
    stream, guard = Stream(file, size), Guard(size)
    read = _Storages(size, place)

    def pickled() -> object:
        machine = Machine(stream, read.storage, guard, weights_only=weights_only, encoding=encoding)
        return machine.run()

    try:
        magic = pickled()
    except FileError:
        magic = None
    if magic != MAGIC_NUMBER:
        raise refused(
            "Invalid magic number; corrupt file? torch.save begins a file with it, so another "
            "program has written this one"
        )
    if (version := pickled()) != PROTOCOL_VERSION:
        raise refused(f"Invalid protocol version: {brief(version)}")
    about = pickled()
    if not isinstance(about, dict):
        raise damaged("the description of its machine is no dict")
    swapped = about.get("little_endian", True) is not (sys.byteorder == "little")
    root, keys = pickled(), pickled()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise damaged("its list of storages is none")
    read.fill(stream, keys, swapped)
    guard.settle()
    return root


def _hint(file: IO[bytes]) -> None:
    start = file.tell()
    head = file.read(200)
    file.seek(start)
    for begin, what in _HINTS.items():
        if head.startswith(begin):
            raise refused(what)


class _Storages:
    """The storages that the object names. Their elements come after it in the file."""

    def __init__(self, size: int, place: Callable[[Storage, str], Storage]) -> None:
        self.left, self.place = size, place
        self.found: dict[str, Storage] = {}
        self.placed: dict[str, Storage] = {}

    def storage(self, pid: object) -> object:
        """The storage of a persistent id; all elements are zero until `fill`."""
        asked = request(pid)
        if asked.key not in self.found:
            d = asked.kind.dtype
            self.left -= asked.numel * d.itemsize
            if self.left < 0:
                raise damaged("it names more elements than it has bytes")
            self.found[asked.key] = Storage(np.zeros(asked.numel, d.numpy), d)
            self.placed[asked.key] = self.place(self.found[asked.key], asked.location)
        return _part(self.placed[asked.key], asked)

    def fill(self, stream: Stream, keys: list[str], swapped: bool) -> None:
        """Read the elements, in the order of `keys`."""
        if sorted(keys) != sorted(self.found):
            raise damaged("its storages are not those that it names")
        for key in keys:
            storage = self.found[key]
            if self.placed[key].device != CPU:
                raise refused(
                    "tensors of PyTorch's older format are read to the processor's memory",
                    fix="torch.load(f, map_location='cpu'), then move them",
                )
            order = ">" if swapped is (sys.byteorder == "little") else "<"
            (n,) = struct.unpack(order + "q", stream.take(8))
            if n != len(storage):
                raise damaged(f"a storage has {n} elements, and {len(storage)} were announced")
            memory = storage.array
            if memory.nbytes > stream.left:
                raise damaged("it ends too early")
            stream.left -= memory.nbytes
            fill(stream.file, bytes_of(memory))
            if swapped:
                memory.byteswap(inplace=True)


def _part(storage: Storage, asked: Request) -> Storage:
    """The storage, or the part of it that very old files name as a view."""
    if asked.view is None:
        return storage
    offset, n = asked.view
    if offset + n > len(storage):
        raise damaged("a view of a storage reaches past its end")
    return Storage(storage.array[offset : offset + n], storage.dtype, on=storage.device)


def write(file: IO[bytes], pickled: bytes, blocks: list[Block]) -> None:
    """Write a file of the older format: a pickled object, and the blocks that it names."""
    about = {
        "protocol_version": PROTOCOL_VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    for x in (MAGIC_NUMBER, PROTOCOL_VERSION, about):
        pickle.dump(x, file, 2)
    file.write(pickled)
    keys = sorted(str(i) for i in range(len(blocks)))
    pickle.dump(keys, file, 2)
    for key in keys:
        block = blocks[int(key)]
        file.write(struct.pack("=q", block.numel))
        file.write(block.memory.data)
