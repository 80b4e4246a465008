"""MNIST and its relatives: grey pictures of 28x28 bytes and their labels, in IDX files.

Without a network: `DigitsAsMNIST` is MNIST's interface over the digits of the package. Programs
that say MNIST are given it when the environment variable MICROTORCH_MNIST is `digits`, and a line
on standard error says so. It is never chosen silently.
"""

from __future__ import annotations

import os
import shutil
import string
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from ...base.errors import message, warn
from ...base.types import Array
from ...create.data import from_numpy
from ...handles.tensor import Tensor
from ..images import Picture, Transform
from .digits import Digits
from .idx import read_idx
from .utils import download, extract_archive, verify_str_arg
from .vision import InMemory

SWITCH = "MICROTORCH_MNIST"  # "digits": MNIST is answered by the digits of the package
Resource = tuple[str, str]  # a file's name and its MD5 checksum


class MNIST(InMemory):
    """Handwritten digits (Y. LeCun, C. Cortes, C. Burges): items `(image, label)`.

    60,000 (`train`) or 10,000 pictures. The files lie in `root`/MNIST/raw under their own names,
    packed (.gz) or not; with `download` they are fetched from the first mirror that has them. An
    image is a Pillow image of mode L, then what `transform` makes of it; a label an int, then what
    `target_transform` makes of it. `data` is an (N, 28, 28) uint8 Tensor, `targets` (N,) int64.

    Raises RuntimeError where the files are not there, or cannot be fetched, and says where to put
    them by hand.
    """

    mirrors: ClassVar[list[str]] = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    resources: Sequence[Resource] = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    training_file = "training.pt"
    test_file = "test.pt"
    classes: Sequence[str] = Digits.classes

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
        self.data: Tensor
        self.targets: Tensor
        self._read(download)

    def _read(self, download: bool) -> None:
        if self._stands_in():
            self.data, self.targets = stand_in(self.train)
            return
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError(
                message(
                    "Dataset not found. You can use download=True to download it",
                    f"{type(self).__name__} looks in {self.raw_folder}",
                    fix=self._by_hand(),
                )
            )
        self.data, self.targets = self._load_data()

    def _stands_in(self) -> bool:
        if type(self) is not MNIST or os.environ.get(SWITCH, "") != "digits":
            return False
        print(
            f"microtorch: {SWITCH}=digits, so these are NOT MNIST's pictures but the 1,797 digits "
            "of the package, enlarged to 28x28",
            file=sys.stderr,
        )
        return True

    def _by_hand(self) -> str:
        names = ", ".join(os.path.basename(name) for name, _ in self.resources)
        fix = f"put {names} into {self.raw_folder}"
        if type(self) is MNIST:
            fix += (
                "\n       or use what comes with microtorch: datasets.DigitsAsMNIST(root, train, "
                f"transform),\n       or {SWITCH}=digits in the environment of an unchanged program"
            )
        return fix

    @property
    def raw_folder(self) -> str:
        return os.path.join(str(self.root), type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        return os.path.join(str(self.root), type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    def _files(self) -> tuple[Path, Path]:
        """The files of images and of labels of this part, without the suffix .gz."""
        part, folder = "train" if self.train else "t10k", Path(self.raw_folder)
        return folder / f"{part}-images-idx3-ubyte", folder / f"{part}-labels-idx1-ubyte"

    def _check_exists(self) -> bool:
        return all(_found(path) is not None for path in self._files())

    def _load_data(self) -> tuple[Tensor, Tensor]:
        images, labels = (_found(path) or path for path in self._files())
        data, targets = read_idx(images, 3), read_idx(labels)
        if data.dtype != np.uint8 or len(data) != len(targets):
            raise RuntimeError(
                message(
                    f"{images} and {labels} do not belong together",
                    f"images: {data.dtype} {data.shape}, labels: {targets.dtype} {targets.shape}",
                    fix="delete them and download them again",
                )
            )
        return from_numpy(data), from_numpy(targets.astype(np.int64))

    def download(self) -> None:
        """Fetch and unpack what is not there yet."""
        if self._check_exists():
            return
        folder = Path(self.raw_folder)
        for name, md5 in self.resources:
            if _found(folder / os.path.splitext(name)[0]) is None:
                self._fetch([f"{mirror}{name}" for mirror in self.mirrors], folder / name, md5)
                extract_archive(folder / name, folder)

    def _fetch(self, urls: Sequence[str], path: Path, md5: str) -> None:
        try:
            download(urls, path, md5)
        except RuntimeError as error:
            raise RuntimeError(message(str(error), fix=self._by_hand())) from None

    def _pictures(self) -> Array:
        return self.data.numpy()

    def _labels(self) -> Tensor:
        return self.targets

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"

    # names of torchvision before 0.2.2
    @property
    def train_data(self) -> Tensor:
        warn("train_data has been renamed data")
        return self.data

    @property
    def test_data(self) -> Tensor:
        warn("test_data has been renamed data")
        return self.data

    @property
    def train_labels(self) -> Tensor:
        warn("train_labels has been renamed targets")
        return self.targets

    @property
    def test_labels(self) -> Tensor:
        warn("test_labels has been renamed targets")
        return self.targets


def _found(path: Path) -> Path | None:
    """The file as it is, or packed beside it; None where there is neither."""
    for candidate in (path, path.with_name(path.name + ".gz")):
        if candidate.is_file():
            return candidate
    return None


class DigitsAsMNIST(MNIST):
    """The 1,797 digits of the package in MNIST's clothes: 28x28 bytes, 1,348 to train, 449 to test.

    The pictures of `Digits` (8x8, 16 levels) enlarged to 20x20 by linear interpolation in the
    middle of 28x28, as MNIST's are. A stand-in where there is no network: a network that reads
    MNIST learns them at once. They are not MNIST: results do not compare. `root` and `download`
    are accepted and not used.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root or ".", train, transform, target_transform, download)

    def _read(self, download: bool) -> None:
        self.data, self.targets = stand_in(self.train)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}\nStand-in: digits of the UCI repository, not MNIST"


def stand_in(train: bool) -> tuple[Tensor, Tensor]:
    """Images (N, 28, 28) uint8 and labels (N,) int64 of a part of `Digits`, of MNIST's size."""
    digits = Digits(train=train)
    # Row i of the weights makes pixel i of 20 from the 8: linear between the pixels' middles.
    middle = np.clip((np.arange(20) + 0.5) * 8 / 20 - 0.5, 0, 7)
    weights = np.maximum(0, 1 - np.abs(middle[:, None] - np.arange(8)))
    large = weights @ (digits.images * (255 / 16)) @ weights.T
    data = np.zeros((len(digits), 28, 28), np.uint8)
    data[:, 4:24, 4:24] = np.rint(large)
    return from_numpy(data), digits.targets


class FashionMNIST(MNIST):
    """Pictures of clothes (H. Xiao, K. Rasul, R. Vollgraf 2017); as MNIST, with its own files."""

    mirrors: ClassVar[list[str]] = [
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ]
    resources: Sequence[Resource] = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes: Sequence[str] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip


class KMNIST(MNIST):
    """Handwritten kana (T. Clanuwat et al. 2018); as MNIST, with its own files."""

    mirrors: ClassVar[list[str]] = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources: Sequence[Resource] = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes: Sequence[str] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


_ALIKE = set("cijklmopsuvwxyz")  # letters whose two cases look alike: merged into the capital
_ALL = set(string.digits + string.ascii_letters)


class EMNIST(MNIST):
    """Handwritten digits and letters (G. Cohen et al. 2017), in six splits.

    `split`: byclass (62 classes), bymerge and balanced (47: letters whose cases look alike are
    one), letters (26, labels 1..26), digits, mnist. One archive holds all; of it only the files of
    the split need to lie in `root`/EMNIST/raw.
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict: ClassVar[dict[str, list[str]]] = {
        "byclass": sorted(_ALL),
        "bymerge": sorted(_ALL - _ALIKE),
        "balanced": sorted(_ALL - _ALIKE),
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(
        self,
        root: str | Path,
        split: str,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.training_file, self.test_file = f"training_{split}.pt", f"test_{split}.pt"
        super().__init__(root, train, transform, target_transform, download)
        self.classes = self.classes_split_dict[self.split]

    def _files(self) -> tuple[Path, Path]:
        part = f"emnist-{self.split}-{'train' if self.train else 'test'}"
        folder = Path(self.raw_folder)
        return folder / f"{part}-images-idx3-ubyte", folder / f"{part}-labels-idx1-ubyte"

    def _by_hand(self) -> str:
        names = " and ".join(path.name + ".gz" for path in self._files())
        return f"put {names} (from gzip.zip) into {self.raw_folder}"

    def download(self) -> None:
        """Fetch the archive of all splits and unpack it."""
        if self._check_exists():
            return
        folder = Path(self.raw_folder)
        archive = folder / "gzip.zip"
        self._fetch([self.url], archive, self.md5)
        extract_archive(archive, folder)
        for packed in sorted((folder / "gzip").glob("*.gz")):
            extract_archive(packed, folder)
        shutil.rmtree(folder / "gzip")


class QMNIST(MNIST):
    """MNIST with its lost test digits and its writers (C. Yadav, L. Bottou 2019).

    `what`: train, test (60,000), test10k (MNIST's own), test50k (the others), nist (all 402,953);
    by default train or test by `train`. With `compat` a target is the class, else an int64 Tensor
    of eight numbers: class, NIST's partition, writer, and so on.
    """

    subsets: ClassVar[dict[str, str]] = {
        "train": "train", "test": "test", "test10k": "test", "test50k": "test", "nist": "nist",
    }  # fmt: skip
    mirrors: ClassVar[list[str]] = [
        "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"
    ]
    parts: ClassVar[dict[str, list[Resource]]] = {
        "train": [
            ("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ],
        "test": [
            ("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
        "nist": [
            ("xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            ("xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ],
    }

    def __init__(
        self,
        root: str | Path,
        what: str | None = None,
        compat: bool = True,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        if what is None:
            what = "train" if train else "test"
        self.what = verify_str_arg(what, "what", self.subsets)
        self.compat = compat
        self.resources = self.parts[self.subsets[what]]
        super().__init__(root, train, transform, target_transform, download)

    def _files(self) -> tuple[Path, Path]:
        images, labels = (os.path.splitext(name)[0] for name, _ in self.resources)
        return Path(self.raw_folder) / images, Path(self.raw_folder) / labels

    def _load_data(self) -> tuple[Tensor, Tensor]:
        data, targets = super()._load_data()
        chosen = {"test10k": slice(0, 10_000), "test50k": slice(10_000, None)}.get(self.what)
        return (
            (data, targets) if chosen is None else (data[chosen].clone(), targets[chosen].clone())
        )

    def _target(self, index: int) -> Picture:
        return int(self.targets[index, 0]) if self.compat else self.targets[index]

    def _targets(self, indices: Sequence[int]) -> Array:
        rows = self.targets.numpy()[list(indices)]
        return rows[:, 0].copy() if self.compat else rows

    def extra_repr(self) -> str:
        return f"Split: {self.what}"
