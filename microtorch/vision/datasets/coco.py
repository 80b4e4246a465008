"""COCO: photographs of everyday scenes; what is where in them, or a sentence on it.

The annotations are one JSON file (T.-Y. Lin et al. 2014, https://cocodataset.org/#format-data),
which is read here: the library pycocotools is not needed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from ...base.errors import message
from ..images import Picture, Transform
from .folder import default_loader
from .vision import Sample, VisionDataset

Annotation = dict[str, Picture]


class CocoDetection(VisionDataset):
    """Photographs in `root`, and of each its annotations in `annFile`: a list of dicts.

    A dict has `bbox` (left, top, width, height), `category_id`, `area`, `segmentation`. `ids` are
    the pictures' numbers, in order; `categories` has the names of the category numbers.
    """

    def __init__(
        self, root: str | Path, annFile: str, transform: Transform | None = None,
        target_transform: Transform | None = None, transforms: Transform | None = None,
    ) -> None:  # fmt: skip
        super().__init__(root, transforms, transform, target_transform)
        found = json.loads(Path(annFile).read_text())
        if not isinstance(found, dict) or "images" not in found:
            raise ValueError(
                message(
                    f"{type(self).__name__}: {annFile} is no file of annotations",
                    fix='COCO\'s format: {"images": [...], "annotations": [...]}',
                )
            )
        self._files = {image["id"]: image["file_name"] for image in found["images"]}
        self._annotations: dict[int, list[Annotation]] = defaultdict(list)
        for annotation in found.get("annotations", []):
            self._annotations[annotation["image_id"]].append(annotation)
        self.categories = {c["id"]: c["name"] for c in found.get("categories", [])}
        self.ids = sorted(self._files)

    def _load_image(self, id: int) -> Picture:
        return default_loader(str(Path(str(self.root)) / self._files[id]))

    def _load_target(self, id: int) -> list[Picture]:
        return list(self._annotations.get(id, []))

    def __getitem__(self, index: int) -> Sample:
        if not isinstance(index, int):
            raise ValueError(
                message(f"Index must be of type integer, got {type(index)} instead.")
            )
        id = self.ids[index]
        return self.transformed(self._load_image(id), self._load_target(id))

    def __len__(self) -> int:
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """Photographs in `root`, and of each the sentences on it in `annFile`."""

    def _load_target(self, id: int) -> list[Picture]:
        return [annotation["caption"] for annotation in super()._load_target(id)]
