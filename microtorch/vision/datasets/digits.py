"""Real pictures that come with the package: `Digits`, in the manner of torchvision's MNIST.

1,797 handwritten digits, 8x8, from E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
Digits, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0
(digits.txt says more). Small enough to train on in a second, large enough that a mistake in a
gradient shows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...base.errors import message
from ...create.data import from_numpy
from ...handles.tensor import Tensor

FILE = Path(__file__).parents[1] / "digits.npz"
# The labels repeat the text of one form, 130 digits long, 14 times, and 13 people wrote them:
# nearly everybody filled in a single form. Here begins the 11th of the 14.
LAST_FOUR_FORMS = 1287


@lru_cache(maxsize=1)
def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 8, 8) and labels (N,), both uint8; read-only, since all datasets share them."""
    with np.load(path, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


class Digits:
    """Handwritten digits: items `(image, label)`.

    An image is an (8, 8) uint8 numpy array with values 0..16, a label an int 0..9. `train` chooses
    the part. `split` says how the parts are made; both ways are fixed, so that results compare:

    * `"images"` (default): every fourth image is held out, 1,348 and 449 images. All writers are in
      both parts.
    * `"writers"`: the last four of 14 forms are held out, 1,287 and 510 images. This asks for more:
      how well are hands read that the model has never seen? Expect 4 points less from the same
      network. (13 people filled in the 14 forms, so one of them may be in both parts.)

    `transform` and `target_transform` are applied to each item on the way out. `root`: a folder
    with another digits.npz; by default the one in the package. `data` (N, 8, 8) uint8 and `targets`
    (N,) int64 are the whole part as Tensors. Raises FileNotFoundError for a root without the file,
    ValueError for another split.
    """

    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip
    class_to_idx: ClassVar[dict[str, int]] = {name: i for i, name in enumerate(classes)}

    def __init__(
        self,
        root: str | Path | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        *,
        split: str = "images",
    ) -> None:
        path = FILE if root is None else Path(root) / FILE.name
        if not path.exists():
            raise FileNotFoundError(
                message(
                    f"Digits: no file {path}",
                    fix="leave root out to read the digits in the package",
                )
            )
        images, labels = _load(path)
        index = np.arange(len(images))
        if split == "images":
            held_out = index % 4 == 3
        elif split == "writers":
            held_out = index >= LAST_FOUR_FORMS
        else:
            raise ValueError(message(f"Digits: split is 'images' or 'writers', not {split!r}"))
        chosen = ~held_out if train else held_out
        self.root, self.train, self.split = root, train, split
        self.transform, self.target_transform = transform, target_transform
        self.images, self.labels = images[chosen], labels[chosen].astype(np.int64)

    @property
    def data(self) -> Tensor:
        """All images of this part as a Tensor, (N, 8, 8) uint8."""
        return from_numpy(self.images)

    @property
    def targets(self) -> Tensor:
        """All labels of this part as a Tensor, (N,) int64."""
        return from_numpy(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, label = self.images[index], int(self.labels[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        part = "train" if self.train else "test"
        return (
            f"Dataset Digits\n    Number of datapoints: {len(self)}\n    Part: {part}\n"
            f"    Split: {self.split}"
        )
