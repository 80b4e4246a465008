"""STL10: ten kinds of things, 96x96, few of them with labels (A. Coates et al. 2011)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...base.errors import message
from ...base.types import Array
from ..images import Transform
from .utils import check_integrity, download_and_extract_archive, verify_str_arg
from .vision import Planes, not_found


class STL10(Planes):
    """Items (image, label), 96x96 in colour.

    `split`: train (5,000), test (8,000), unlabeled (100,000, of label -1) or train+unlabeled;
    `folds` 0 to 9: one of the lists of 1,000 samples to train with. `data` is an (N, 3, 96, 96)
    uint8 numpy array.
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    class_names_file = "class_names.txt"
    folds_list_file = "fold_indices.txt"
    train_list: Sequence[Sequence[str]] = [
        ["train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"],
        ["train_y.bin", "5a34089d4802c674881badbb80307741"],
        ["unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"],
    ]
    test_list: Sequence[Sequence[str]] = [
        ["test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"],
        ["test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"],
    ]
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        folds: int | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        if folds is not None and folds not in range(10):
            raise ValueError(
                message(
                    f"Value for argument folds should be in the range [0, 10), but got {folds}."
                )
            )
        self.folds = folds
        if download and not self._check_integrity():
            download_and_extract_archive(
                self.url, self._folder.parent, filename=self.filename, md5=self.tgz_md5
            )
        if not self._check_integrity():
            fix = f"put {self.filename} (MD5 {self.tgz_md5}) unpacked into {self.root}"
            raise not_found(f"STL10 looks in {self._folder}", fix=fix)
        parts = [self._read(part) for part in split.split("+")]
        self.data = np.concatenate([images for images, _ in parts])
        self.labels = np.concatenate([labels for _, labels in parts])
        names = self._folder / self.class_names_file
        if names.is_file():
            self.classes = names.read_text().splitlines()

    @property
    def _folder(self) -> Path:
        return Path(str(self.root)) / self.base_folder

    def _read(self, part: str) -> tuple[Array, Array]:
        """The pictures of a part, which the file holds column by column, and their labels."""
        data = np.fromfile(self._folder / f"{part}_X.bin", np.uint8)
        images = data.reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)
        if part == "unlabeled":
            return images, np.full(len(images), -1)
        labels = np.fromfile(self._folder / f"{part}_y.bin", np.uint8).astype(np.int64) - 1
        if part == "train" and self.folds is not None:
            lines = (self._folder / self.folds_list_file).read_text().splitlines()
            kept = [int(word) for word in lines[self.folds].split()]
            images, labels = images[kept], labels[kept]
        return images, labels

    def _check_integrity(self) -> bool:
        files = [*self.train_list, *self.test_list]
        return all(check_integrity(self._folder / name, md5) for name, md5 in files)
