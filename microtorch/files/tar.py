"""The oldest format, of PyTorch before 0.1.11: a tar archive of `storages`, `tensors`, `pickle`.

storages    the number of storages; for each: (key, location, class), number of elements, bytes
tensors     the number of tensors; for each: (key, key of its storage, class), dimensions,
            sizes, strides, offset
pickle      the object, in which a tensor is a persistent id, its key
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import IO

import numpy as np

from ..handles.tensor import Tensor
from .archive import fill, size_left
from .errors import brief, damaged, refused
from .guard import Guard
from .machine import Machine
from .memory import Storage, StorageClass, bytes_of
from .stream import Stream

_DIMS = 64
_BLOCK = 512
_FILES = ("storages", "tensors", "pickle")


def is_tar(file: IO[bytes]) -> bool:
    """Does the file, from where it stands, begin as a tar archive?"""
    start = file.tell()
    head = file.read(512)
    file.seek(start)
    return head[257:262] == b"ustar"


def read(
    file: IO[bytes], place: Callable[[Storage, str], Storage], weights_only: bool, encoding: str
) -> object:
    """The object in a tar archive."""
    members = _members(file)
    guard = Guard(sum(map(len, members.values())))

    def stream(name: str) -> Stream:
        if name not in members:
            raise damaged(f"it is a tar archive without {name!r}, so not of torch.save")
        return Stream(io.BytesIO(members[name]), len(members[name]))

    def pickled(source: Stream, named: Callable[[object], object]) -> object:
        machine = Machine(source, named, guard, weights_only=weights_only, encoding=encoding)
        return machine.run()

    def triple(source: Stream) -> tuple[object, object, object]:
        x = pickled(source, _nothing)
        if not isinstance(x, tuple) or len(x) != 3:
            raise damaged(f"it describes a storage or tensor as {brief(x)}")
        return x

    storages: dict[object, Storage] = {}
    source = stream("storages")
    for _ in range(_count(pickled(source, _nothing), source)):
        key, location, kind = triple(source)
        if not isinstance(kind, StorageClass) or type(key) not in (int, str):
            raise damaged(f"a storage is a {brief(kind)}")
        (n,) = struct.unpack("<q", source.take(8))
        d = kind.dtype
        if n < 0 or n * d.itemsize > source.left:
            raise damaged("it ends too early")
        array = np.empty(n, d.numpy)
        source.left -= array.nbytes
        fill(source.file, bytes_of(array))
        storages[key] = place(Storage(array, d), str(location))
    if pickled(source, _nothing):
        raise refused("its storages are views of others, which is not read")

    tensors: dict[object, Tensor] = {}
    source = stream("tensors")
    for _ in range(_count(pickled(source, _nothing), source)):
        key, owner, _kind = triple(source)
        dims = source.number("<i")
        source.take(4)
        if not 0 <= dims <= _DIMS or owner not in storages or type(key) not in (int, str):
            raise damaged("a tensor has no storage, or too many dimensions")
        size = struct.unpack(f"<{dims}q", source.take(8 * dims))
        stride = struct.unpack(f"<{dims}q", source.take(8 * dims))
        offset = source.number("<q")
        storage = storages[owner]
        tensors[key] = storage.tensor(offset, size, stride, storage.dtype)

    def tensor(key: object) -> object:
        found = tensors.get(key) if type(key) in (int, str) else None
        if found is None:
            raise damaged(f"it has no tensor {brief(key)}")
        return found

    root = pickled(stream("pickle"), tensor)
    guard.settle()
    return root


def _members(file: IO[bytes]) -> dict[str, bytes]:
    """The three files in the archive. `tarfile` knows much more, and can be led in circles."""
    found: dict[str, bytes] = {}
    left = size_left(file)
    while len(header := file.read(_BLOCK)) == _BLOCK and header.strip(b"\0"):
        name = header[:100].rstrip(b"\0").decode("ascii", "replace").removeprefix("./")
        try:
            size = int(header[124:136].strip(b" \0") or b"0", 8)
        except ValueError:
            raise damaged("a size in its headers is no number") from None
        room = -(-size // _BLOCK) * _BLOCK
        left -= _BLOCK + room
        if size < 0 or left < 0:
            raise damaged("it ends too early")
        data = file.read(room)[:size]
        if name in found:
            raise damaged(f"{name} occurs twice")
        if name in _FILES and header[156:157] in b"0\0":
            found[name] = data
    return found


def _count(n: object, source: Stream) -> int:
    if type(n) is not int or not 0 <= n <= source.left:
        raise damaged(f"it has {brief(n)} storages or tensors")
    return n


def _nothing(pid: object) -> object:
    raise damaged(f"it names {brief(pid)} where it may not")
