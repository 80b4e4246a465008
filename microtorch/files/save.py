"""torch.save: an object as a file in PyTorch's format."""

from __future__ import annotations

import os
import pickle
import sys
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import IO

from ..base.errors import message
from . import sequence
from .archive import Writer
from .blocks import Collected
from .layout import ALIGNMENT, VERSION
from .pickling import NotData, Pickler, not_data
from .replacing import replace

DEFAULT_PROTOCOL = 2


def save(
    obj: object,
    f: str | os.PathLike[str] | IO[bytes],
    pickle_module: ModuleType = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write `obj` to a path or a binary file, in the format of PyTorch's `torch.save`.

    Tensors, parameters, numbers, strings, None, dtypes, and lists, tuples, dicts, sets of them:
    state dicts of modules, optimizers and schedulers are such objects. Tensors that share memory
    share it in the file; strides are kept. numpy arrays of numbers, `argparse.Namespace`, paths and
    dates are written too, and read with `weights_only=False`. So are whole modules, by the names of
    their classes, with attributes that are data, modules, or functions of torch; to save
    `model.state_dict()` is better, for classes change. Objects of other classes are written if
    `add_safe_globals` has named the class, else TypeError is raised. Tensors on a device are
    written as their elements, without the device.

    A path holds the old file until the new one is complete, and that one from then on, whatever
    happens in between. `pickle_module` and `pickle_protocol` are accepted as scripts pass them: the
    pickle is of protocol 2, which PyTorch's own `load` reads. With
    `_use_new_zipfile_serialization=False` the file is in the format that PyTorch had before 1.6.
    """
    path = isinstance(f, (str, os.PathLike))
    if not path and not hasattr(f, "write"):
        raise AttributeError(
            message(
                "expected 'f' to be string, path, or a file-like object with a 'write' attribute",
                f"save() got {type(f).__name__}",
            )
        )
    if not 0 <= pickle_protocol <= pickle.HIGHEST_PROTOCOL:
        raise ValueError(message(f"pickle protocol must be <= {pickle.HIGHEST_PROTOCOL}"))
    if _use_new_zipfile_serialization:
        write = _zip(obj, not _disable_byteorder_record)
    else:
        write = _sequence(obj)
    if isinstance(f, (str, os.PathLike)):
        replace(f, write)
    else:
        write(f)
        if hasattr(f, "flush"):
            f.flush()


def _pickled(obj: object, found: Collected, sequence: bool) -> bytes:
    try:
        return Pickler(found, sequence).pickled(obj)
    except NotData as error:
        raise not_data(obj, error) from None
    except RecursionError:
        raise ValueError(message("cannot save: the containers are nested too deeply")) from None


def _zip(obj: object, byteorder: bool) -> Callable[[IO[bytes]], None]:
    """Pickle `obj`; the function that is returned writes the archive."""
    found = Collected(obj)
    data = _pickled(obj, found, False)

    def write(file: IO[bytes]) -> None:
        archive = Writer(file)
        archive.add("data.pkl", data)
        archive.add(".format_version", b"1")
        archive.add(".storage_alignment", str(ALIGNMENT).encode())
        if byteorder:
            archive.add("byteorder", sys.byteorder.encode())
        for i, block in enumerate(found.blocks):
            archive.add(f"data/{i}", block.memory)
        archive.add("version", f"{VERSION}\n".encode())
        names = zlib.crc32(b"".join([name for name, *_ in archive.table]))
        content = zlib.crc32(repr([checksum for _, checksum, *_ in archive.table]).encode())
        archive.add(".data/serialization_id", f"{names:020d}{content:020d}".encode())
        archive.close()

    return write


def _sequence(obj: object) -> Callable[[IO[bytes]], None]:
    found = Collected(obj)
    data = _pickled(obj, found, True)
    return lambda file: sequence.write(file, data, found.blocks)
