"""The IDX files of MNIST and its relatives: a header, and the numbers in big-endian order.

Two zero bytes, one for the kind of number, one for the number of dimensions; a 32-bit size for
each dimension; the numbers (http://yann.lecun.com/exdb/mnist).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ...base.errors import message
from ...base.types import Array

KINDS = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: Path | str, ndim: int | None = None) -> Array:
    """The array in an IDX file (also one packed with gzip), in the machine's byte order.

    Raises RuntimeError, with the reason, for a file that is not IDX, that is cut off, or that has
    another number of dimensions than `ndim`.
    """
    path = Path(path)
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            data: bytes = file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, f"the packed file is cut off or not gzip: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in KINDS or not 1 <= data[3] <= 3:
        raise _damaged(path, f"an IDX file begins with 0, 0, kind, dimensions, not {data[:4]!r}")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise _damaged(path, "the header is cut off")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    kind = np.dtype(KINDS[data[2]])
    wanted = math.prod(shape) * kind.itemsize
    if len(data) - start != wanted:
        raise _damaged(
            path, f"{shape} needs {wanted} bytes after the header, not {len(data) - start}"
        )
    if ndim is not None and len(shape) != ndim:
        raise _damaged(path, f"{ndim} dimensions were expected, the file has {len(shape)}")
    return np.frombuffer(data, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))


def _damaged(path: Path, why: str) -> RuntimeError:
    return RuntimeError(message(f"{path}: {why}", fix="delete the file and download it again"))
