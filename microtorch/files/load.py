"""torch.load: PyTorch's files, of both its formats, and microtorch's own older ones.

No code from a file is ever run, whatever the arguments. What a file says is checked before it is
used, so a damaged one gives an error and never a wrong tensor.
"""

from __future__ import annotations

import inspect
import io
import mmap as mapping
import os
import pickletools
from collections.abc import Callable
from types import ModuleType
from typing import IO, Any, TypeAlias

from ..base.errors import message, nearest, warn
from . import allowed, manifest, safetensors, sequence, tar
from .archive import Reader
from .errors import FileError, damaged, refused
from .guard import Guard, check_depth
from .layout import SIGNATURE
from .machine import Machine
from .memory import Location, Storage, placement
from .storages import Storages
from .stream import Stream

FileLike: TypeAlias = "str | os.PathLike[str] | IO[bytes]"


PICKLE_ARGS = ("encoding", "errors", "fix_imports", "buffers")  # of pickle.Unpickler


def load(
    f: FileLike,
    map_location: Location = None,
    pickle_module: ModuleType | None = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: str,
) -> Any:
    """Read what `torch.save` wrote, PyTorch's or microtorch's, from a path or a binary file.

    `map_location`: where the tensors are to lie. None: where they lay; a device or its name; a
    dict from saved to wanted names; or a function of a storage and the name of its device, which
    returns a storage or None. A file written on a GPU needs "cpu".

    `weights_only`: True (as None) allows the names of PyTorch's list, and those of
    `torch.serialization.add_safe_globals`. False allows some more of Python's and numpy's classes
    that hold data, and reads whole modules whose classes the program has defined or imported
    (files/modules.py). No value has code from the file run.

    `mmap=True` maps the file, so that elements are read when they are first used; writing to them
    does not change the file. It must be a path, and its checksums are not compared.
    `encoding="latin1"` is for strings in files of Python 2; `pickle_module` is accepted as scripts
    pass it.

    Raises FileError, which is a RuntimeError and a pickle.UnpicklingError, for a file that is
    damaged or names what is not allowed; DeviceError (a RuntimeError) for a device that is not
    here.
    """
    weights_only = weights_only is not False
    if weights_only and pickle_module is not None:
        raise RuntimeError(
            message("Can not safely load weights when explicit pickle_module is specified")
        )
    for name in pickle_load_args:
        if name not in PICKLE_ARGS:
            known = (*inspect.signature(load).parameters, *PICKLE_ARGS)
            what = f"load() got an unexpected keyword argument '{name}'."
            raise TypeError(message(what + nearest(name, known)))
    if pickle_load_args and weights_only:
        warn("pickle_load_args only works if `weights_only=False`.")
    place = placement(map_location)
    encoding = pickle_load_args.get("encoding", "utf-8")
    path = os.fspath(f) if isinstance(f, (str, os.PathLike)) else None
    if path is not None and path.endswith(".safetensors"):
        return safetensors.placed(safetensors.load_file(path), place)
    if mmap and path is None:
        raise ValueError(
            message("f must be a file path in order to use the mmap argument", fix="load(path)")
        )
    file = _open(f)
    try:
        root = _read(file, place, weights_only, encoding, bool(mmap))
        check_depth(root)
    except FileError as error:
        raise error.about(path or getattr(f, "name", "the file")) from None
    finally:
        if file is not f:
            file.close()
    return root


def _read(
    file: IO[bytes], place: Callable[[Storage, str], Storage], weights_only: bool, encoding: str,
    mapped: bool,
) -> object:  # fmt: skip
    if _head(file) != SIGNATURE:
        if mapped:
            raise refused(
                "mmap can only be used with files saved with `torch.save("
                "_use_new_zipfile_serialization=True), please torch.save your checkpoint with this "
                "option in order to use mmap."
            )
        if tar.is_tar(file):
            return tar.read(file, place, weights_only, encoding)
        return sequence.read(file, place, weights_only, encoding)
    archive = Reader(file)
    if manifest.NAME in archive.places:
        return manifest.read(archive, place)
    if "data.pkl" not in archive:
        raise damaged("it is a zip archive without the record data.pkl, so not of torch.save")
    if "constants.pkl" in archive:
        raise refused(
            "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``. "
            "microtorch has no TorchScript",
            fix="where PyTorch is installed, torch.save(torch.jit.load(f).state_dict(), f)",
        )
    data = archive.bytes("data.pkl")
    whole = mapping.mmap(file.fileno(), 0, access=mapping.ACCESS_COPY) if mapped else None
    storages = Storages(archive, place, whole)
    guard = Guard(len(data))
    machine = Machine(
        Stream(io.BytesIO(data), len(data)), storages.storage, guard,
        weights_only=weights_only, encoding=encoding,
    )  # fmt: skip
    root = machine.run()
    guard.settle()
    return root


def _head(file: IO[bytes]) -> bytes:
    """The first bytes from where the file stands, where it is left."""
    start = file.tell()
    head = file.read(len(SIGNATURE))
    file.seek(start)
    return head


def _open(f: FileLike) -> IO[bytes]:
    """The file at a path; or the file given, read to memory if it cannot seek."""
    if isinstance(f, (str, os.PathLike)):
        return open(f, "rb")
    if not hasattr(f, "read"):
        raise TypeError(message(f"load() takes a path or a binary file, not {type(f).__name__}"))
    if isinstance(f.read(0), str):
        raise TypeError(
            message("load() needs a file opened in binary mode", fix='open(path, "rb")')
        )
    try:
        f.seek(f.tell())
    except (AttributeError, OSError):
        return io.BytesIO(f.read())
    return f


def get_unsafe_globals_in_checkpoint(f: FileLike) -> list[str]:
    """The names in a file that `weights_only=True` does not allow, such as "__main__.Net".

    Nothing of the file is run. Raises ValueError if it is no archive of `torch.save`.
    """
    file = _open(f)
    try:
        if _head(file) != SIGNATURE:
            raise ValueError(
                message("Expected input to be a checkpoint returned by torch.save", f"got {f}")
            )
        found = _names(Reader(file).bytes("data.pkl"))
    except FileError as error:
        raise error.about(f) from None
    finally:
        if file is not f:
            file.close()
    return [f"{module}.{name}" for module, name in found if not allowed.is_safe(module, name)]


def _names(data: bytes) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    texts: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name in ("GLOBAL", "INST"):
                module, _, name = str(argument).partition(" ")
                found[allowed.of_python3(module, name)] = None
            elif code.name == "STACK_GLOBAL" and len(texts) > 1:
                found[texts[-2], texts[-1]] = None
            elif isinstance(argument, str):
                texts = [*texts[-1:], argument]
    except ValueError as error:
        raise damaged(str(error)) from None
    return list(found)
