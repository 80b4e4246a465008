"""Pascal VOC: photographs of streets, rooms and animals; what is where in them, to the pixel or in
boxes (M. Everingham et al. 2010).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import ClassVar

from ..images import Picture, Transform
from .photographs import as_it_is
from .utils import download_and_extract_archive, verify_str_arg
from .vision import Sample, VisionDataset, not_found

SERVER = "https://thor.robots.ox.ac.uk/pascal/VOC/"
# year: archive, its MD5
ARCHIVES = {
    "2012": ("voc2012/VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd"),
    "2011": ("voc2011/VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e"),
    "2010": ("voc2010/VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb"),
    "2009": ("voc2009/VOCtrainval_11-May-2009.tar", "a3e00b113cfcfebf17e343f59da3caa1"),
    "2008": ("voc2008/VOCtrainval_14-Jul-2008.tar", "2629fa636546599198acfcfbfcf1904a"),
    "2007": ("voc2007/VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64"),
    "2007-test": ("voc2007/VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f"),
}


class _VOC(VisionDataset):
    """`year` 2007 to 2012; `image_set` train, trainval or val, of 2007 also test."""

    _lists: ClassVar[str]  # below ImageSets
    _folder: ClassVar[str]  # of the targets
    _suffix: ClassVar[str]

    def __init__(
        self, root: str | Path, year: str = "2012", image_set: str = "train",
        download: bool = False, transform: Transform | None = None,
        target_transform: Transform | None = None, transforms: Transform | None = None,
    ) -> None:  # fmt: skip
        super().__init__(root, transforms, transform, target_transform)
        self.year = verify_str_arg(year, "year", [str(y) for y in range(2007, 2013)])
        sets = ["train", "trainval", "val"] + (["test"] if year == "2007" else [])
        self.image_set = verify_str_arg(image_set, "image_set", sets)
        archive, md5 = ARCHIVES["2007-test" if image_set == "test" else year]
        top = Path(str(self.root))
        base = (top / "TrainVal" if year == "2011" else top) / "VOCdevkit" / f"VOC{year}"
        if download:
            download_and_extract_archive(SERVER + archive, top, md5=md5)
        if not base.is_dir():
            raise not_found(f"{type(self).__name__} needs {base}")
        listed = base / "ImageSets" / self._lists / f"{image_set}.txt"
        names = [line.strip() for line in listed.read_text().splitlines()]
        self.images = [str(base / "JPEGImages" / f"{name}.jpg") for name in names]
        self.targets = [str(base / self._folder / (name + self._suffix)) for name in names]

    def _target(self, path: str) -> Picture:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Sample:
        image = as_it_is(self.images[index]).convert("RGB")
        return self.transformed(image, self._target(self.targets[index]))

    def __len__(self) -> int:
        return len(self.images)


class VOCSegmentation(_VOC):
    """Items (Pillow image, Pillow image of the class of each pixel: 0 ground, 255 an edge)."""

    _lists, _folder, _suffix = "Segmentation", "SegmentationClass", ".png"

    @property
    def masks(self) -> list[str]:
        """The files of the targets."""
        return self.targets

    def _target(self, path: str) -> Picture:
        return as_it_is(path)


class VOCDetection(_VOC):
    """Items (Pillow image, {"annotation": {..., "object": [{"name": ..., "bndbox": ...}]}})."""

    _lists, _folder, _suffix = "Main", "Annotations", ".xml"

    @property
    def annotations(self) -> list[str]:
        """The files of the targets."""
        return self.targets

    def _target(self, path: str) -> Picture:
        return self.parse_voc_xml(ElementTree.parse(path).getroot())

    @staticmethod
    def parse_voc_xml(node: ElementTree.Element) -> dict[str, Picture]:
        """An element as a dict: its text, or a dict of its children; "object" is a list of all."""
        children = list(node)
        if not children:
            return {node.tag: (node.text or "").strip()} if node.text else {}
        parts: dict[str, list[Picture]] = {}
        for child in children:
            for name, value in VOCDetection.parse_voc_xml(child).items():
                parts.setdefault(name, []).append(value)
        content: dict[str, Picture] = {
            name: values[0] if len(values) == 1 else values for name, values in parts.items()
        }
        if node.tag == "annotation":
            content["object"] = parts.get("object", [])
        return {node.tag: content}
