"""USPS and SEMEION: handwritten digits of 16x16 in text files."""

from __future__ import annotations

import bz2
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...base.types import Array
from ..images import Transform
from .utils import check_integrity, download
from .vision import InMemory, not_found

USPS_SERVER = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/"


class _Digits(InMemory):
    """Base class: `data` (N, 16, 16) uint8, and labels from one file in `root`."""

    def _fetch(self, url: str, name: str, md5: str, wanted: bool) -> Path:
        """Where the file lies, fetched if it is `wanted`. RuntimeError where it is not there."""
        path = Path(str(self.root)) / name
        if wanted:
            download([url], path, md5)
        if not check_integrity(path, md5):
            raise not_found(fix=f"put {name} (MD5 {md5}) into {self.root}")
        return path


class USPS(_Digits):
    """Digits of postal codes (J. Hull 1994): 7,291 to train, 2,007 to test; `(image, label)`.

    `targets` is a list of ints. Files of libsvm: a label from 1 on, then `place:value`, -1..1.
    """

    split_list: Mapping[str, Sequence[str]] = {
        "train": [f"{USPS_SERVER}usps.bz2", "usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"],
        "test": [f"{USPS_SERVER}usps.t.bz2", "usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"],
    }

    def __init__(
        self, root: str | Path, train: bool = True, transform: Transform | None = None,
        target_transform: Transform | None = None, download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        url, name, md5 = self.split_list["train" if train else "test"]
        with bz2.open(self._fetch(url, name, md5, download), "rt") as file:
            rows = [line.split() for line in file]
        values = [[part.rpartition(":")[2] for part in row[1:]] for row in rows]
        numbers = np.asarray(values, np.float32).reshape(-1, 16, 16)
        self.data = ((numbers + 1) / 2 * 255).astype(np.uint8)
        self.targets = [int(row[0]) - 1 for row in rows]

    def _labels(self) -> Sequence[int]:
        return self.targets


class SEMEION(_Digits):
    """1,593 digits in black and white (University of Trieste, 1994); `(image, label)`.

    `labels` is an int64 array. A line holds 256 pixels, and 0 or 1 for each of ten digits.
    """

    url = "http://archive.ics.uci.edu/ml/machine-learning-databases/semeion/semeion.data"
    filename, md5_checksum = "semeion.data", "cb545d371d2ce14ec121470795a77432"

    def __init__(
        self, root: str | Path, transform: Transform | None = None,
        target_transform: Transform | None = None, download: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        rows = np.loadtxt(self._fetch(self.url, self.filename, self.md5_checksum, download))
        self.data = (rows[:, :256] * 255).astype(np.uint8).reshape(-1, 16, 16)
        self.labels = rows[:, 256:].nonzero()[1]

    def _labels(self) -> Array:
        return self.labels
