"""CIFAR-10 and CIFAR-100: coloured pictures of 32x32 (A. Krizhevsky 2009)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...base.types import Array
from ..images import Picture, Transform
from .unpickling import read_batch
from .utils import check_integrity, download, extract_archive
from .vision import InMemory, not_found


class CIFAR10(InMemory):
    """Pictures of ten kinds of things: items `(image, label)`, 50,000 (`train`) or 10,000.

    The batches lie in `root`/cifar-10-batches-py; with `download` the archive is fetched into
    `root` and unpacked. An image is a Pillow image of mode RGB, then what `transform` makes of it.
    `data` is an (N, 32, 32, 3) uint8 numpy array, `targets` a list of ints, `classes` the names.
    Raises RuntimeError where the files are not there, damaged, or cannot be fetched.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list: Sequence[Sequence[str]] = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list: Sequence[Sequence[str]] = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta: Mapping[str, str] = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_integrity():
            fix = f"put {self.filename} (MD5 {self.tgz_md5}) unpacked into {self.root}"
            raise not_found(f"{type(self).__name__} looks in {self._folder}", fix=fix)
        files = self.train_list if train else self.test_list
        batches = [read_batch(self._folder / name) for name, _ in files]
        rows = np.concatenate([np.asarray(batch["data"], np.uint8) for batch in batches])
        # a row is the red picture, the green, the blue; transposed, not copied, as torchvision's
        self.data: Array = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        key = "labels" if "labels" in batches[0] else "fine_labels"
        self.targets: list[int] = [label for batch in batches for label in batch[key]]
        names = read_batch(self._folder / self.meta["filename"])
        self.classes: list[str] = names[self.meta["key"]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    @property
    def _folder(self) -> Path:
        return Path(str(self.root)) / self.base_folder

    def _check_integrity(self) -> bool:
        files = [*self.train_list, *self.test_list, (self.meta["filename"], self.meta["md5"])]
        return all(check_integrity(self._folder / name, md5) for name, md5 in files)

    def download(self) -> None:
        """Fetch and unpack the archive, unless its files are there."""
        if not self._check_integrity():
            root = Path(str(self.root))
            download([self.url], root / self.filename, self.tgz_md5)
            extract_archive(root / self.filename, root)

    def _labels(self) -> list[int]:
        return self.targets

    def _target(self, index: int) -> Picture:
        return self.targets[index]  # as they are: a program may have put others there

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """CIFAR with 100 kinds of things, 600 pictures of each; otherwise as CIFAR10."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list: Sequence[Sequence[str]] = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list: Sequence[Sequence[str]] = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta: Mapping[str, str] = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
