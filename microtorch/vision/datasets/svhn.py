"""SVHN: house numbers in street views, 32x32 (Y. Netzer et al. 2011)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...base.errors import message
from ..images import Transform
from .utils import check_integrity, download, verify_str_arg
from .vision import Planes, not_found

SERVER = "http://ufldl.stanford.edu/housenumbers/"


class SVHN(Planes):
    """Digits of house numbers: items `(image, label)`, labels 0..9.

    `split`: train (73,257), test (26,032) or extra (531,131 easier ones). The MATLAB file lies in
    `root`; scipy reads it (ImportError where it is absent). `data` is an (N, 3, 32, 32) uint8 numpy
    array, `labels` (N,) int64; the files' label 10 is the digit 0.
    """

    split_list: Mapping[str, Sequence[str]] = {
        "train": [f"{SERVER}train_32x32.mat", "train_32x32.mat",
                  "e26dedcc434d2e4c54c9b2d4a06d8373"],
        "test": [f"{SERVER}test_32x32.mat", "test_32x32.mat",
                 "eb5a983be6a315427106f1b164d9cef3"],
        "extra": [f"{SERVER}extra_32x32.mat", "extra_32x32.mat",
                  "a93ce644f1a588dc4d68dda5feec44a7"],
    }  # fmt: skip

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.split_list)
        self.url, self.filename, self.file_md5 = self.split_list[split]
        if download:
            self.download()
        if not check_integrity(self._path, self.file_md5):
            raise not_found(fix=f"put {self.filename} (MD5 {self.file_md5}) into {self.root}")
        try:
            from scipy.io import loadmat
        except ImportError:
            raise ImportError(
                message("SVHN's files are read by scipy", fix="pip install scipy")
            ) from None
        file = loadmat(self._path)
        self.data = np.transpose(file["X"], (3, 2, 0, 1))
        labels = file["y"].astype(np.int64).reshape(-1)
        self.labels = np.where(labels == 10, 0, labels)

    @property
    def _path(self) -> Path:
        return Path(str(self.root)) / self.filename

    def download(self) -> None:
        """Fetch the file of this split, unless it is there."""
        download([self.url], self._path, self.file_md5)
