"""Steps from a picture to the tensor a network takes, named and behaving as in `torchvision.transforms`.

A transform is anything that can be called with one picture and returns another: a function will do. The classes here
hold parameters and print themselves. Random ones belong before `ToTensor` or after, as in torchvision.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Compose:
    """``Compose([f, g])(x)`` is ``g(f(x))``."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]):
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return "\n".join([f"{type(self).__name__}(", *(f"    {t}" for t in self.transforms), ")"])


class Lambda:
    """A function of the user's as a transform."""

    def __init__(self, lambd: Callable[[Any], Any]):
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToTensor:
    """A picture as a Tensor with the channel first: numpy array (H, W) or (H, W, C), or PIL image -> (C, H, W).

    uint8 becomes float32 divided by 255, other dtypes keep their values, as in torchvision. Digits hold 0 to 16, so
    they end between 0 and 16 / 255; ``Normalize(0, 16 / 255)`` after it brings them to 0..1.
    """

    def __call__(self, pic: Any) -> Any:
        from .. import from_numpy

        array = np.asarray(pic)
        if array.ndim not in (2, 3) or array.dtype.kind not in "uifb":
            raise ValueError(
                f"ToTensor takes a picture of shape (H, W) or (H, W, C), but got "
                f"{type(pic).__name__} of shape {array.shape}, dtype {array.dtype}"
            )
        array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
        if array.dtype == np.uint8:
            return from_numpy(array.astype(np.float32) / np.float32(255))
        return from_numpy(array.copy())

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Normalize:
    """``(x - mean) / std`` per channel of a float Tensor (..., C, H, W); mean, std: a number, or one per channel.

    Raises TypeError for a Tensor of integers, ValueError for fewer than three dimensions or a std of 0.
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float], inplace: bool = False):
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, tensor: Any) -> Any:
        from .. import tensor as make

        if not tensor.is_floating_point():
            raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}; ToTensor() before makes one.")
        if tensor.dim() < 3:
            raise ValueError(
                f"Expected tensor to be a tensor image of size (..., C, H, W). Got size {tuple(tensor.shape)}"
            )
        mean, std = (make(np.atleast_1d(v).tolist(), dtype=tensor.dtype).view(-1, 1, 1) for v in (self.mean, self.std))
        if bool((std == 0).any()):
            raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
        return tensor.sub_(mean).div_(std) if self.inplace else (tensor - mean) / std

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"
