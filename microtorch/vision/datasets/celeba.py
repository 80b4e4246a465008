"""CelebA: 202,599 faces of 10,177 people, with 40 attributes of each (Z. Liu et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import microtorch as torch

from ...base.errors import message
from ...handles.tensor import Tensor
from ..images import Picture, Transform
from .photographs import as_it_is
from .utils import (
    check_integrity,
    download_file_from_google_drive,
    extract_archive,
    verify_str_arg,
)
from .vision import Sample, VisionDataset, not_found

SPLITS = {"train": 0, "valid": 1, "test": 2, "all": None}


class CelebA(VisionDataset):
    """Items (Pillow image, target); the files lie in `root`/celeba.

    `split`: train, valid, test or all. `target_type`, one or several: "attr" (40 numbers 0 or 1),
    "identity", "bbox" (x, y, width, height), "landmarks" (x and y of eyes, nose and mouth); none of
    them gives None. Google Drive, where the files lie, refuses what many people fetch: the error
    says which file to put where by hand.
    """

    base_folder = "celeba"
    file_list: Sequence[tuple[str, str, str]] = [
        ("0B7EVK8r0v71pZjFTYXZWM3FlRnM", "00d2c5bc6d35e252742224ab0c1e8fcb",
         "img_align_celeba.zip"),
        ("0B7EVK8r0v71pblRyaVFSWGxPY0U", "75e246fa4810816ffd6ee81facbd244c",
         "list_attr_celeba.txt"),
        ("1_ee_0u7vcNLOfNLegJRHmolfH5ICW-XS", "32bd1bd63d3c78cd57e08160ec5ed1e2",
         "identity_CelebA.txt"),
        ("0B7EVK8r0v71pbThiMVRxWXZ4dU0", "00566efa6fedff7a56946cd1c10f1c16",
         "list_bbox_celeba.txt"),
        ("0B7EVK8r0v71pd0FJY3Blby1HUTQ", "cc24ecafdb5b50baae59b03474781f8c",
         "list_landmarks_align_celeba.txt"),
        ("0B7EVK8r0v71pY0NSMzRuSXJEVkk", "d32c9cbf5e040fd4025c592c306e6668",
         "list_eval_partition.txt"),
    ]  # fmt: skip

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        target_type: Sequence[str] | str = "attr",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split.lower(), "split", SPLITS)
        self.target_type = [target_type] if isinstance(target_type, str) else list(target_type)
        if not self.target_type and target_transform is not None:
            raise RuntimeError(message("target_transform is specified but target_type is empty"))
        if download:
            self.download()
        if not self._check_integrity():
            raise not_found(f"CelebA needs the files of {self._folder}")
        names, of_split, _ = self._table("list_eval_partition.txt", 0)
        wanted = SPLITS[self.split]
        kept = torch.arange(len(names))
        if wanted is not None:
            kept = kept[of_split[:, 0] == wanted]
        self.filename = [names[i] for i in kept.tolist()]
        self.identity = self._table("identity_CelebA.txt", 0)[1][kept]
        self.bbox = self._table("list_bbox_celeba.txt", 2)[1][kept]
        self.landmarks_align = self._table("list_landmarks_align_celeba.txt", 2)[1][kept]
        _, attributes, self.attr_names = self._table("list_attr_celeba.txt", 2)
        self.attr = (attributes[kept] + 1) // 2  # -1 and 1 in the file

    @property
    def _folder(self) -> Path:
        return Path(str(self.root)) / self.base_folder

    def _table(self, name: str, above: int) -> tuple[list[str], Tensor, list[str]]:
        """The first words of the rows, the numbers behind them, the names of the columns.

        `above`: how many lines are no rows; the last of them names the columns.
        """
        lines = (self._folder / name).read_text(encoding="utf-8").splitlines()
        rows = [line.split() for line in lines[above:] if line]
        numbers = torch.tensor([[int(word) for word in row[1:]] for row in rows])
        return [row[0] for row in rows], numbers, lines[above - 1].split() if above else []

    def _check_integrity(self) -> bool:
        lists = [(name, md5) for _, md5, name in self.file_list if name.endswith(".txt")]
        whole = all(check_integrity(self._folder / name, md5) for name, md5 in lists)
        return whole and (self._folder / "img_align_celeba").is_dir()

    def download(self) -> None:
        """Fetch and unpack the files, unless they are there."""
        if not self._check_integrity():
            for number, md5, name in self.file_list:
                download_file_from_google_drive(number, self._folder, name, md5)
            extract_archive(self._folder / "img_align_celeba.zip")

    def __getitem__(self, index: int) -> Sample:
        image = as_it_is(self._folder / "img_align_celeba" / self.filename[index])
        kinds = {"attr": self.attr, "bbox": self.bbox, "landmarks": self.landmarks_align}
        found: list[Picture] = []
        for kind in self.target_type:
            if kind != "identity" and kind not in kinds:
                raise ValueError(message(f'Target type "{kind}" is not recognized.'))
            found.append(self.identity[index, 0] if kind == "identity" else kinds[kind][index])
        target: Picture = tuple(found) if len(found) > 1 else found[0] if found else None
        if self.transform is not None:
            image = self.transform(image)
        if found and self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return len(self.attr)

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}\nSplit: {self.split}"
