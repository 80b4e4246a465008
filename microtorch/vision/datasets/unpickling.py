"""Reads the pickled batches of CIFAR without running anything that a file might name.

A pickle is a program: it can import any function and call it. The batches need only numbers, text,
lists, dicts, and how numpy rebuilds an array. Whatever else a file names is refused.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import message


def _array(kind: type, shape: tuple[int, ...], typecode: bytes | str) -> np.ndarray:
    """What numpy's `_reconstruct` makes: an empty array that the file then fills."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of type {kind}")
    return np.ndarray((0,), np.int8)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode(encoding)


ALLOWED: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray _reconstruct": _array,
    "numpy._core.multiarray _reconstruct": _array,
    "numpy ndarray": np.ndarray,
    "numpy dtype": np.dtype,
    "_codecs encode": _encode,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """The only way in which a pickle can name something of the interpreter's."""
        try:
            return ALLOWED[f"{module} {name}"]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_batch(path: Path | str) -> dict[str, Any]:
    """The dict in a pickled batch, its keys as text. RuntimeError for anything else."""
    try:
        with open(path, "rb") as file:
            batch = _Reader(file, encoding="latin1").load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle can raise almost anything
        raise RuntimeError(
            message(
                f"{path} is not a batch of pictures: {error}",
                "nothing that the file names was run",
                fix="delete it and download it again",
            )
        ) from error
    if not isinstance(batch, dict):
        raise RuntimeError(message(f"{path} holds a {type(batch).__name__}, not a batch"))
    return batch
