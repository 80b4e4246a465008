"""Which tile sizes the matrix product of a device uses, and the record of those that were timed.

``tuning.py`` times all of them on a device and writes the fastest to a file, which later processes
read. Without a record a device gets the first that suits its kind.
"""
from __future__ import annotations

import json
import os
from typing import NamedTuple, TypedDict

import numpy as np

from .runtime import Runtime, once


class Tiles(NamedTuple):
    """Tile of a work-group (BM x BN, BK deep), block of a work-item (RM x RN), and the width of its
    vectors: matmul.cl says what they are."""

    BM: int
    BN: int
    BK: int
    RM: int
    RN: int
    V: int

    @property
    def local(self) -> tuple[int, int, int]:
        """The sizes of a work-group."""
        return self.BN // self.RN, self.BM // self.RM, 1


CPU = (Tiles(32, 64, 64, 32, 64, 16), Tiles(16, 64, 64, 16, 64, 16), Tiles(64, 32, 128, 8, 32, 16),
       Tiles(32, 32, 64, 32, 32, 8), Tiles(64, 64, 16, 8, 8, 8))  # fmt: skip
GPU = (Tiles(64, 64, 16, 8, 8, 4), Tiles(128, 128, 16, 8, 8, 4), Tiles(64, 64, 16, 4, 4, 4),
       Tiles(128, 64, 16, 8, 4, 4), Tiles(32, 32, 16, 2, 4, 4))  # fmt: skip
SMALLEST = Tiles(16, 16, 16, 1, 1, 1)


def fits(runtime: Runtime, tiles: Tiles, dtype: np.dtype) -> bool:
    """May a work-group be as large, and its local memory, on this device?"""
    items = tiles.local[0] * tiles.local[1]
    memory = (tiles.BM + tiles.BN) * tiles.BK * dtype.itemsize
    device = runtime.cl_device
    return items <= device.max_work_group_size and memory <= device.local_mem_size


@once
def tiles_for(runtime: Runtime, dtype: np.dtype) -> Tiles:
    """The sizes for this device: the recorded ones, or the first of its kind that fit."""
    candidates = list(CPU if runtime.on_cpu else GPU)
    try:
        candidates.insert(0, Tiles(*recorded()[name_of(runtime)]["variant"]))
    except (KeyError, TypeError):
        pass  # never tuned, or by another version: the default is right, too
    return next((t for t in candidates if fits(runtime, t, dtype)), SMALLEST)


# ---- the record ----------------------------------------------------------------------------------
class Entry(TypedDict):
    """What the record says about a device: the fastest sizes, and how fast they were."""

    variant: list[int]
    gflops: float
    size: int


def record_path() -> str:
    """Where tuning runs are recorded: MICROTORCH_CACHE, or the user's cache folder."""
    folder = os.environ.get("MICROTORCH_CACHE")
    if not folder:
        home = os.path.join(os.path.expanduser("~"), ".cache")
        folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or home, "microtorch")
    return os.path.join(folder, "opencl_matmul.json")


def recorded() -> dict[str, Entry]:
    """The record, by ``name_of`` a device; empty if there is none that can be read."""
    try:
        with open(record_path(), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_record(runtime: Runtime, entry: Entry) -> None:
    """Add what was found out about a device to the record."""
    path = record_path()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    record = {**recorded(), name_of(runtime): entry}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)


def name_of(runtime: Runtime) -> str:
    """The device in the record: another driver may like other sizes."""
    return f"{runtime.name}, driver {runtime.cl_device.driver_version}"
