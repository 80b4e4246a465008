"""Omniglot: 1,623 characters of 50 alphabets, each drawn by 20 people (B. Lake et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ..images import Picture, Transform
from .photographs import as_it_is
from .utils import check_integrity, download_and_extract_archive, list_dir, list_files
from .vision import Sample, VisionDataset, not_found


class Omniglot(VisionDataset):
    """Items (Pillow image of 105x105 in black and white, number of the character).

    `background`: the 30 alphabets to learn from, else the 20 to test with.
    """

    folder = "omniglot-py"
    download_url_prefix = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
    zips_md5: ClassVar = {
        "images_background": "68d2efa1b9178cc56df9314c21c6e718",
        "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
    }

    def __init__(
        self,
        root: str | Path,
        background: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
        loader: Callable[[str], Picture] | None = None,
    ) -> None:
        where = Path(root).expanduser() / self.folder
        super().__init__(str(where), transform=transform, target_transform=target_transform)
        self.background, self.loader = background, loader
        name = "images_background" if background else "images_evaluation"
        archive, md5 = where / f"{name}.zip", self.zips_md5[name]
        if download and not check_integrity(archive, md5):
            download_and_extract_archive(f"{self.download_url_prefix}/{name}.zip", where, md5=md5)
        if not check_integrity(archive, md5):
            raise not_found(f"Omniglot needs {archive} (MD5 {md5})")
        self.target_folder = str(where / name)
        self._alphabets = list_dir(self.target_folder)
        self._characters = [
            f"{alphabet}/{character}"
            for alphabet in self._alphabets
            for character in list_dir(f"{self.target_folder}/{alphabet}")
        ]
        self._character_images = [
            [(file, i) for file in list_files(f"{self.target_folder}/{character}", ".png")]
            for i, character in enumerate(self._characters)
        ]
        self._flat_character_images = [item for items in self._character_images for item in items]

    def __len__(self) -> int:
        return len(self._flat_character_images)

    def __getitem__(self, index: int) -> Sample:
        file, number = self._flat_character_images[index]
        path = f"{self.target_folder}/{self._characters[number]}/{file}"
        load = self.loader or (lambda path: as_it_is(path).convert("L"))
        return self.transformed(load(path), number)
