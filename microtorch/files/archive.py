"""The zip archive: a writer that lays records out as PyTorch does, and a reader that trusts none.

Records are stored as they are, without compression. The reader takes the table at the end of the
archive from `zipfile` and checks the rest: each name occurs once, records do not lie in one
another, and the bytes of a record have the checksum that the table gives. So an archive never
unpacks to more than its own size.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import damaged, refused
from .layout import ALIGNMENT, FOLDER, SIGNATURE

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_UTF8, _SIZES_FOLLOW = 0x800, 0x8
_1980 = 0  # no time stamp: the same data give the same bytes
_MAX = 0xFFFFFFFF

Bytes = NDArray[np.uint8]


class Writer:
    """Writes records one after the other; the file needs no method but `write`."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.at = file, 0
        self.table: list[tuple[bytes, int, int, int]] = []  # name, checksum, size, offset

    def add(self, record: str, data: bytes | Bytes) -> None:
        """Write a record."""
        name = f"{FOLDER}/{record}".encode()
        view = data.data if isinstance(data, np.ndarray) else memoryview(data)
        size, start = view.nbytes, self.at
        flags = _UTF8 | (_SIZES_FOLLOW if size else 0)
        # PyTorch computes where records lie, with room for the sizes of large ones in their headers
        large = [size >= _MAX, size >= _MAX, start >= _MAX]
        room = 4 + 8 * sum(large) if any(large) else 0
        room += -(start + _LOCAL.size + len(name) + 4 + room) % ALIGNMENT
        extra = b"FB" + struct.pack("<H", room) + b"Z" * room
        self._write(
            _LOCAL.pack(SIGNATURE, 0, flags, 0, 0, _1980, 0, 0, 0, len(name), len(extra))
            + name
            + extra
        )
        self._write(view)
        checksum = zlib.crc32(view)
        if size:  # the sizes come after the bytes
            form = "<4sIQQ" if size >= _MAX or start >= _MAX else "<4sIII"
            self._write(struct.pack(form, b"PK\x07\x08", checksum, size, size))
        self.table.append((name, checksum, size, start))

    def close(self) -> None:
        """Write the table of records."""
        start = self.at
        for name, checksum, size, offset in self.table:
            large = [n for n in (size, size, offset) if n >= _MAX]
            extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
            s, o = min(size, _MAX), min(offset, _MAX)
            flags = _UTF8 | (_SIZES_FOLLOW if size else 0)
            entry = _CENTRAL.pack(
                b"PK\x01\x02", 0, 0, flags, 0, 0, _1980, checksum, s, s,
                len(name), len(extra), 0, 0, 0, 0, o,
            )  # fmt: skip
            self._write(entry + name + extra)
        length, n = self.at - start, len(self.table)
        if start >= _MAX or n >= 0xFFFF:
            end = self.at
            self._write(
                _END64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, n, n, length, start)
                + _LOCATOR64.pack(b"PK\x06\x07", 0, end, 1)
            )
        few = min(n, 0xFFFF)
        self._write(_END.pack(b"PK\x05\x06", 0, 0, few, few, length, min(start, _MAX), 0))

    def _write(self, data: bytes | memoryview) -> None:
        self.file.write(data)
        self.at += len(data) if isinstance(data, bytes) else data.nbytes


class Place(NamedTuple):
    """Where the bytes of a record lie."""

    start: int
    size: int
    checksum: int


class Reader:
    """The records of an archive in a file that can seek."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        try:
            with zipfile.ZipFile(file) as archive:
                table, end = archive.infolist(), archive.start_dir
        except (
            zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, struct.error,
            OverflowError,
        ) as error:  # fmt: skip
            raise damaged(f"{error}; it may be incomplete") from None
        if not table:
            raise damaged("it holds no records")
        table.sort(key=lambda info: info.header_offset)
        ends = [info.header_offset for info in table[1:]] + [end]
        self.places: dict[str, Place] = {}
        for info, after in zip(table, ends, strict=True):
            self._enter(info, after)
        self.folder = table[0].filename.partition("/")[0] + "/"

    def _enter(self, info: zipfile.ZipInfo, end: int) -> None:
        """Check an entry of the table, whose record must end before `end`."""
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise refused(
                f"the record {info.filename} is compressed; records of tensors are not",
                fix="unpack the archive and pack it again without compression (zip -0 -r)",
            )
        if info.header_offset < 0:
            raise damaged(f"the record {info.filename} lies before the file begins")
        self.file.seek(info.header_offset)
        header = self.file.read(_LOCAL.size)
        if len(header) != _LOCAL.size or not header.startswith(SIGNATURE):
            raise damaged(f"there is no record {info.filename} where its table says")
        fields = _LOCAL.unpack(header)
        name, extra = fields[-2:]
        start = info.header_offset + _LOCAL.size + name + extra
        if self.file.read(name) != info.orig_filename.encode(_coding(info), "replace"):
            raise damaged(f"the record {info.filename} has another name than in its table")
        if start + info.file_size > end:
            raise damaged(f"the record {info.filename} reaches into the next one")
        if info.filename in self.places:
            raise damaged(f"the record {info.filename} occurs twice")
        self.places[info.filename] = Place(start, info.file_size, info.CRC)

    def __contains__(self, record: str) -> bool:
        return self.folder + record in self.places

    def place(self, record: str) -> Place:
        """Where a record lies. Raises FileError if there is none."""
        try:
            return self.places[self.folder + record]
        except KeyError:
            raise damaged(f"it holds no record {record}") from None

    def bytes(self, record: str) -> bytes:
        """The content of a record."""
        place = self.place(record)
        out = np.empty(place.size, np.uint8)
        self.read_into(record, out)
        return out.tobytes()

    def read_into(self, record: str, out: Bytes) -> None:
        """Read a record into an array of its size, and check it."""
        place = self.place(record)
        self.file.seek(place.start)
        fill(self.file, out)
        if zlib.crc32(out.data) != place.checksum:
            raise damaged(f"the record {record} has not the checksum that its table gives")


def fill(file: IO[bytes], out: Bytes) -> None:
    """Read as many bytes as `out` has. Raises FileError if there are fewer."""
    view = out.data
    readinto = getattr(file, "readinto", None)
    done = 0
    while done < view.nbytes:
        if readinto is not None:
            n = readinto(view[done:])
        else:
            piece = file.read(min(view.nbytes - done, 1 << 20))
            n = len(piece)
            view[done : done + n] = piece
        if not n:
            raise damaged("it ends too early")
        done += n


def size_left(file: IO[bytes]) -> int:
    """The number of bytes from where the file stands to its end."""
    start = file.tell()
    size = file.seek(0, io.SEEK_END) - start
    file.seek(start)
    return max(size, 0)


def _coding(info: zipfile.ZipInfo) -> str:
    return "utf-8" if info.flag_bits & _UTF8 else "cp437"
