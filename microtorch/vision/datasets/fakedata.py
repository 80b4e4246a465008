"""FakeData: noise in the form of a dataset of pictures, to try a program without its data."""

from __future__ import annotations

import microtorch as torch

from ...base.errors import message
from ..images import Transform
from ..transforms.converting import to_pil_image
from .vision import Sample, VisionDataset


class FakeData(VisionDataset):
    """`size` random pictures: items `(Pillow image, class)`, the same ones in each run.

    Sample i is drawn by a generator seeded with `random_offset` + i, so that the default one is
    left alone. `image_size` is (C, H, W).
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> Sample:
        if index >= len(self):
            raise IndexError(
                message(f"{type(self).__name__} index out of range", f"{index} of {len(self)}")
            )
        generator = torch.Generator().manual_seed(index + self.random_offset)
        image = to_pil_image(torch.randn(*self.image_size, generator=generator))
        target = torch.randint(0, self.num_classes, (1,), generator=generator)[0]
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target.item()

    def __len__(self) -> int:
        return self.size
