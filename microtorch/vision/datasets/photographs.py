"""Datasets of photographs that lie in files, as their archives hold them, and their classes."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from ...base.errors import message
from ...base.types import Array
from ..images import Picture, Transform, pillow
from .folder import ImageFolder, default_loader, make_dataset
from .utils import download_and_extract_archive, download_url, extract_archive, verify_str_arg
from .vision import Sample, VisionDataset, not_found

Loader = Callable[[str], Picture]


def as_it_is(path: str | Path) -> Picture:
    """The picture of a file, in the colours that the file has."""
    image = pillow("a picture").open(path)
    image.load()
    return image


class Photographs(VisionDataset):
    """Base class: `_files`, the paths of the pictures, and `_target(index)`, their labels.

    A subclass says what `download` fetches, and `_needed`: what lies there once it has.
    """

    _files: Sequence[Path | str]
    _labels: Sequence[int]
    loader: Loader = staticmethod(default_loader)

    def _needed(self) -> Sequence[Path]:
        raise NotImplementedError

    def download(self) -> None:
        """Fetch and unpack the archives, unless their content is there."""
        raise NotImplementedError

    def _check_exists(self) -> bool:
        return all(path.exists() for path in self._needed())

    def _prepare(self, download: bool) -> None:
        if download and not self._check_exists():
            self.download()
        if not self._check_exists():
            needed = ", ".join(map(str, self._needed()))
            raise not_found(f"{type(self).__name__} needs {needed}")

    def _target(self, index: int) -> Picture:
        return self._labels[index]

    def __getitem__(self, index: int) -> Sample:
        return self.transformed(self.loader(str(self._files[index])), self._target(index))

    def __len__(self) -> int:
        return len(self._files)


class Food101(Photographs):
    """101 dishes, 750 photographs of each to train and 250 to test (L. Bossard et al. 2014)."""

    _URL = "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz"
    _MD5 = "85eeb15f3717b99a5da872d97d918f87"

    def __init__(
        self, root: str | Path, split: str = "train", transform: Transform | None = None,
        target_transform: Transform | None = None, download: bool = False,
        loader: Loader = default_loader,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "test"))
        self._base = Path(str(self.root)) / "food-101"
        self._prepare(download)
        self.loader = loader
        names = json.loads((self._base / "meta" / f"{split}.json").read_text(encoding="utf-8"))
        self.classes = sorted(names)
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        found = [(name, self.class_to_idx[kind]) for kind, of_it in names.items() for name in of_it]
        self._files = [self._base / "images" / f"{name}.jpg" for name, _ in found]
        self._labels = [label for _, label in found]

    def _needed(self) -> Sequence[Path]:
        return self._base / "meta", self._base / "images"

    def download(self) -> None:
        download_and_extract_archive(self._URL, self._base.parent, md5=self._MD5)

    def extra_repr(self) -> str:
        return f"split={self._split}"


def _matlab(path: Path, name: str) -> Array:
    """One variable of a MATLAB file, which scipy reads."""
    try:
        from scipy.io import loadmat
    except ImportError:
        what = message(f"{path.name} is read by scipy", fix="pip install scipy")
        raise ImportError(what) from None
    return loadmat(path)[name]


class Flowers102(Photographs):
    """102 kinds of flowers (M.-E. Nilsback, A. Zisserman 2008); scipy reads its lists."""

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
    _FILES = (
        ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
        ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
        ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
    )

    def __init__(
        self, root: str | Path, split: str = "train", transform: Transform | None = None,
        target_transform: Transform | None = None, download: bool = False,
        loader: Loader = default_loader,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        lists = {"train": "trnid", "val": "valid", "test": "tstid"}
        self._split = verify_str_arg(split, "split", lists)
        self._base = Path(str(self.root)) / "flowers-102"
        self._prepare(download)
        self.loader = loader
        labels = _matlab(self._base / "imagelabels.mat", "labels").reshape(-1).astype(int) - 1
        # of pictures, which are counted from 1
        numbers = _matlab(self._base / "setid.mat", lists[split]).reshape(-1).tolist()
        self._files = [self._base / "jpg" / f"image_{n:05d}.jpg" for n in numbers]
        self._labels = [int(labels[n - 1]) for n in numbers]

    def _needed(self) -> Sequence[Path]:
        return [self._base / name for name in ("jpg", "imagelabels.mat", "setid.mat")]

    def download(self) -> None:
        for name, md5 in self._FILES:
            download_url(self._URL + name, self._base, md5=md5)
        extract_archive(self._base / self._FILES[0][0], self._base)

    def extra_repr(self) -> str:
        return f"split={self._split}"


class OxfordIIITPet(Photographs):
    """37 breeds of cats and dogs, with the outlines of the animals (O. Parkhi et al. 2012).

    `target_types`: "category", "binary-category" (0: cat), "segmentation" (a Pillow image), or
    several of them.
    """

    _RESOURCES = (
        ("https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
         "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
        ("https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
         "95a8c909bbe2e81eed6a22bccdf3f68f"),
    )  # fmt: skip

    def __init__(
        self, root: str | Path, split: str = "trainval",
        target_types: Sequence[str] | str = "category", transforms: Transform | None = None,
        transform: Transform | None = None, target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, transforms, transform, target_transform)
        self._split = verify_str_arg(split, "split", ("trainval", "test"))
        kinds = [target_types] if isinstance(target_types, str) else list(target_types)
        known = ("category", "binary-category", "segmentation")
        self._target_types = [verify_str_arg(kind, "target_types", known) for kind in kinds]
        self._base = Path(str(self.root)) / "oxford-iiit-pet"
        self._prepare(download)
        lines = (self._base / "annotations" / f"{split}.txt").read_text().splitlines()
        rows = [line.split() for line in lines if line]
        self._names = [row[0] for row in rows]
        self._labels = [int(row[1]) - 1 for row in rows]
        self._bin_labels = [int(row[2]) - 1 for row in rows]
        self._files = [self._base / "images" / f"{name}.jpg" for name in self._names]
        breeds = dict(zip(self._labels, self._names, strict=True))
        parts = (breeds[label].rpartition("_")[0].split("_") for label in sorted(breeds))
        self.classes = [" ".join(part.title() for part in words) for words in parts]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.bin_classes = ["Cat", "Dog"]

    def _needed(self) -> Sequence[Path]:
        return self._base / "images", self._base / "annotations"

    def download(self) -> None:
        for url, md5 in self._RESOURCES:
            download_and_extract_archive(url, self._base, md5=md5)

    def _target(self, index: int) -> Picture:
        outline = self._base / "annotations" / "trimaps" / f"{self._names[index]}.png"
        kinds: dict[str, Callable[[], Picture]] = {
            "category": lambda: self._labels[index],
            "binary-category": lambda: self._bin_labels[index],
            "segmentation": lambda: as_it_is(outline),
        }
        found = tuple(kinds[kind]() for kind in self._target_types)
        return found if len(found) > 1 else found[0] if found else None


class Caltech101(Photographs):
    """101 kinds of things, 40 to 800 photographs of each (L. Fei-Fei et al. 2004).

    `target_type`: "category", "annotation" (the outline, of a MATLAB file), or both.
    """

    _URL = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"
    _MD5 = "3138e1922a9193bfa496528edbbc45d0"
    _OUTLINES: ClassVar = {
        "Faces": "Faces_2", "Faces_easy": "Faces_3", "Motorbikes": "Motorbikes_16",
        "airplanes": "Airplanes_Side_2",
    }  # fmt: skip

    def __init__(
        self, root: str | Path, target_type: Sequence[str] | str = "category",
        transform: Transform | None = None, target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:  # fmt: skip
        where = Path(root).expanduser() / "caltech101"
        super().__init__(where, transform=transform, target_transform=target_transform)
        kinds = [target_type] if isinstance(target_type, str) else target_type
        known = ("category", "annotation")
        self.target_type = [verify_str_arg(kind, "target_type", known) for kind in kinds]
        self._base = where
        self._prepare(download)
        pictures = where / "101_ObjectCategories"
        self.categories = sorted(
            p.name for p in pictures.iterdir() if p.name != "BACKGROUND_Google"
        )
        self.annotation_categories = [self._OUTLINES.get(c, c) for c in self.categories]
        self.index: list[int] = []
        self.y: list[int] = []
        for i, name in enumerate(self.categories):
            count = len(list((pictures / name).iterdir()))
            self.index += range(1, count + 1)
            self.y += [i] * count
        self._files = [
            pictures / self.categories[y] / f"image_{n:04d}.jpg"
            for y, n in zip(self.y, self.index, strict=True)
        ]
        self.loader = as_it_is  # some of them are grey

    def _needed(self) -> Sequence[Path]:
        return [self._base / "101_ObjectCategories"]

    def download(self) -> None:
        download_and_extract_archive(self._URL, self._base, md5=self._MD5)
        inner = self._base / "caltech-101"
        for archive in inner.glob("*.gz"):
            extract_archive(archive, self._base)
        shutil.rmtree(inner)
        (self._base / "caltech-101.zip").unlink()

    def _target(self, index: int) -> Picture:
        found: list[Picture] = []
        for kind in self.target_type:
            y = self.y[index]
            if kind == "category":
                found.append(y)
            else:
                folder = self._base / "Annotations" / self.annotation_categories[y]
                path = folder / f"annotation_{self.index[index]:04d}.mat"
                found.append(_matlab(path, "obj_contour"))
        return tuple(found) if len(found) > 1 else found[0]

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}"


class GTSRB(Photographs):
    """43 traffic signs of Germany (J. Stallkamp et al. 2012)."""

    _SERVER = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
    _ARCHIVES: ClassVar = {
        "train": [("GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478")],
        "test": [("GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
                 ("GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5")],
    }  # fmt: skip

    def __init__(
        self, root: str | Path, split: str = "train", transform: Transform | None = None,
        target_transform: Transform | None = None, download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", self._ARCHIVES)
        self._base = Path(str(self.root)) / "gtsrb"
        pictures = "Training" if split == "train" else "Final_Test/Images"
        self._folder = self._base / "GTSRB" / pictures
        self._prepare(download)
        if split == "train":
            samples = make_dataset(str(self._folder), extensions=(".ppm",))
        else:
            with open(self._base / "GT-final_test.csv", newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file, delimiter=";", skipinitialspace=True)
                samples = [(str(self._folder / r["Filename"]), int(r["ClassId"])) for r in rows]
        self._files = [path for path, _ in samples]
        self._labels = [label for _, label in samples]

    def _needed(self) -> Sequence[Path]:
        return [self._folder]

    def download(self) -> None:
        for name, md5 in self._ARCHIVES[self._split]:
            download_and_extract_archive(self._SERVER + name, self._base, md5=md5)


class DTD(Photographs):
    """47 textures, named as people name them (M. Cimpoi et al. 2014); `partition` 1 to 10."""

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz"
    _MD5 = "fff73e5086ae6bdbea199a49dfb8a4c1"

    def __init__(
        self, root: str | Path, split: str = "train", partition: int = 1,
        transform: Transform | None = None, target_transform: Transform | None = None,
        download: bool = False, loader: Loader = default_loader,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        if not (isinstance(partition, int) and 1 <= partition <= 10):
            raise ValueError(
                message(
                    "Parameter 'partition' should be an integer with `1 <= partition <= 10`, but "
                    f"got {partition} instead"
                )
            )
        self._partition = partition
        self._base = Path(str(self.root)) / "dtd"
        self._prepare(download)
        self.loader = loader
        names = (self._base / "dtd" / "labels" / f"{split}{partition}.txt").read_text().split()
        kinds = [name.partition("/")[0] for name in names]
        self.classes = sorted(set(kinds))
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self._files = [self._base / "dtd" / "images" / name for name in names]
        self._labels = [self.class_to_idx[kind] for kind in kinds]

    def _needed(self) -> Sequence[Path]:
        return [self._base / "dtd"]

    def download(self) -> None:
        download_and_extract_archive(self._URL, self._base, md5=self._MD5)

    def extra_repr(self) -> str:
        return f"split={self._split}, partition={self._partition}"


class EuroSAT(ImageFolder):
    """27,000 pictures of the earth by a satellite, ten kinds of use (P. Helber et al. 2019)."""

    _URL = (
        "https://huggingface.co/datasets/torchgeo/eurosat/resolve/"
        "c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"
    )
    _MD5 = "c8fa014336c82ac7804f0398fcb19387"

    def __init__(
        self, root: str | Path, transform: Transform | None = None,
        target_transform: Transform | None = None, download: bool = False,
        loader: Loader = default_loader,
    ) -> None:  # fmt: skip
        base = Path(root).expanduser() / "eurosat"
        if download and not (base / "2750").exists():
            download_and_extract_archive(self._URL, base, md5=self._MD5)
        if not (base / "2750").exists():
            raise not_found(f"EuroSAT needs {base / '2750'}")
        super().__init__(base / "2750", transform, target_transform, loader)
        self.root = str(Path(root).expanduser())
