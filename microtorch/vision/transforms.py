"""Steps from a picture to the tensor a network takes, as in `torchvision.transforms`.

A transform is anything that can be called with one picture and returns another: a function will do.
The classes here hold parameters and print themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base.errors import message
from ..create.data import as_tensor, from_numpy
from ..handles.tensor import Tensor


class Compose:
    """`Compose([f, g])(x)` is `g(f(x))`."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return "\n".join([f"{type(self).__name__}(", *(f"    {t}" for t in self.transforms), ")"])


class Lambda:
    """A function of the user's as a transform."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(
                message(
                    f"Argument lambd should be callable, got {type(lambd).__name__!r}",
                    fix="Lambda(lambda img: 1 - img)",
                )
            )
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToTensor:
    """A picture as a Tensor with the channel first.

    A numpy array (H, W) or (H, W, C), or a PIL image, becomes (C, H, W). uint8 becomes float32
    divided by 255, other dtypes keep their values, as in torchvision. Digits hold 0 to 16, so they
    end between 0 and 16 / 255; `Normalize(0, 16 / 255)` after it brings them to 0..1.
    """

    def __call__(self, pic: Any) -> Tensor:
        array = np.asarray(pic)
        if array.ndim not in (2, 3) or array.dtype.kind not in "uifb":
            raise ValueError(
                message(
                    "ToTensor takes a picture of shape (H, W) or (H, W, C), but got "
                    f"{type(pic).__name__} of shape {array.shape}, dtype {array.dtype}",
                    fix="one picture at a time",
                )
            )
        array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
        if array.dtype == np.uint8:
            return from_numpy(array.astype(np.float32) / np.float32(255))
        return from_numpy(array.copy())

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Normalize:
    """`(x - mean) / std` per channel of a float Tensor (..., C, H, W).

    `mean`, `std`: a number, or one per channel. Raises TypeError for a Tensor of integers,
    ValueError for fewer than three dimensions or a std of 0.
    """

    def __init__(
        self, mean: float | Sequence[float], std: float | Sequence[float], inplace: bool = False
    ) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            raise TypeError(
                message(
                    f"Input tensor should be a float tensor. Got {tensor.dtype}",
                    fix="ToTensor() before makes one",
                )
            )
        if tensor.dim() < 3:
            raise ValueError(
                message(
                    "Expected tensor to be a tensor image of size (..., C, H, W). "
                    f"Got size {tuple(tensor.shape)}",
                    fix="tensor.unsqueeze(0) adds a channel",
                )
            )
        mean, std = (
            as_tensor(np.atleast_1d(v), dtype=tensor.dtype, device=tensor.device).view(-1, 1, 1)
            for v in (self.mean, self.std)
        )
        if bool((std == 0).any()):
            raise ValueError(
                message(
                    f"std evaluated to zero after conversion to {tensor.dtype}, "
                    "leading to division by zero.",
                    f"Normalize: std={self.std}",
                )
            )
        return tensor.sub_(mean).div_(std) if self.inplace else (tensor - mean) / std

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"
