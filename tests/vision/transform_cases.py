"""Transforms by name, and what each makes of small pictures. Shared by the recorder and the test.

`python record_transforms.py` runs them under PyTorch and torchvision and writes transforms.npz.
"""

import random
import warnings

import numpy as np
from PIL import Image


def pictures(torch):
    """The kinds of pictures that transforms take."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (9, 13, 3), dtype=np.uint8)
    planes = rgb.transpose(2, 0, 1)
    return {
        "pil": Image.fromarray(rgb),
        "bytes": torch.from_numpy(planes.copy()),
        "floats": torch.from_numpy(planes.astype(np.float32) / 255),
        "grey": torch.from_numpy(planes[:1].astype(np.float32) / 255),
        "batch": torch.from_numpy(np.stack([planes, planes[::-1]]).astype(np.float32) / 255),
    }


def functions(torch, T, F):
    """Functions without chance."""
    I = T.InterpolationMode  # noqa: E741

    def kind(x, of_tensor, of_pillow):
        return of_tensor if isinstance(x, torch.Tensor) else of_pillow

    return {
        "resize": lambda x: F.resize(x, 5),
        "resize_hw": lambda x: F.resize(x, [17, 6]),
        "resize_max": lambda x: F.resize(x, 8, max_size=10),
        "resize_nearest": lambda x: F.resize(x, [4, 20], I.NEAREST),
        "resize_exact": lambda x: F.resize(x, [4, 20], I.NEAREST_EXACT),
        "resize_cubic": lambda x: F.resize(x, [5, 20], I.BICUBIC),
        "resize_jagged": lambda x: F.resize(x, [5, 20], antialias=False),
        "resize_jagged_cubic": lambda x: F.resize(x, [5, 20], I.BICUBIC, antialias=False),
        "center_crop": lambda x: F.center_crop(x, 5),
        "center_crop_larger": lambda x: F.center_crop(x, [12, 6]),
        "crop_outside": lambda x: F.crop(x, -2, 9, 6, 7),
        "pad": lambda x: F.pad(x, [1, 2, 3, 4], 1),
        "pad_reflect": lambda x: F.pad(x, [2, 3], padding_mode="reflect"),
        "pad_edge": lambda x: F.pad(x, [2, 3], padding_mode="edge"),
        "pad_symmetric": lambda x: F.pad(x, [2, 3, 1, 0], padding_mode="symmetric"),
        "hflip": F.hflip,
        "vflip": F.vflip,
        "rotate": lambda x: F.rotate(x, 30.0),
        "rotate_linear": lambda x: F.rotate(x, 30.0, I.BILINEAR),
        "rotate_expand": lambda x: F.rotate(x, -20.0, I.BILINEAR, expand=True),
        "rotate_center": lambda x: F.rotate(x, 45, center=[3, 4], fill=kind(x, [0.5], 7)),
        "rotate_90": lambda x: F.rotate(x, 90),
        "affine": lambda x: F.affine(x, 20.0, [3, -2], 1.2, [10.0, 5.0]),
        "affine_linear": lambda x: F.affine(
            x, -15.0, [1, 2], 0.8, 8.0, I.BILINEAR, fill=kind(x, [0.3], 9)
        ),
        "perspective": lambda x: F.perspective(
            x, [[0, 0], [12, 0], [12, 8], [0, 8]], [[2, 1], [11, 0], [12, 7], [1, 8]]
        ),
        "brightness": lambda x: F.adjust_brightness(x, 1.3),
        "contrast": lambda x: F.adjust_contrast(x, 0.6),
        "saturation": lambda x: F.adjust_saturation(x, 1.7),
        "hue": lambda x: F.adjust_hue(x, 0.2),
        "gamma": lambda x: F.adjust_gamma(x, 0.7, 0.9),
        "sharpness": lambda x: F.adjust_sharpness(x, 1.8),
        "grey_1": F.rgb_to_grayscale,
        "grey_3": lambda x: F.rgb_to_grayscale(x, 3),
        "blur": lambda x: F.gaussian_blur(x, [5, 3], [1.1, 0.7]),
        "blur_default": lambda x: F.gaussian_blur(x, 3),
        "invert": F.invert,
        "posterize": lambda x: F.posterize(x, 3),
        "solarize": lambda x: F.solarize(
            x, 0.5 if "float" in str(getattr(x, "dtype", "")) else 128
        ),
        "autocontrast": F.autocontrast,
        "equalize": F.equalize,
        "five_crop": lambda x: F.five_crop(x, 4)[3],
        "ten_crop": lambda x: F.ten_crop(x, 4)[7],
        "to_bytes": lambda x: F.convert_image_dtype(x, torch.uint8),
        "to_floats": lambda x: F.convert_image_dtype(x, torch.float32),
        "to_int16": lambda x: F.convert_image_dtype(x, torch.int16),
        "to_tensor": F.to_tensor,
        "pil_to_tensor": F.pil_to_tensor,
        "to_pil_image": F.to_pil_image,
        "normalize": lambda x: F.normalize(x, [0.5], [0.25]),
    }


def by_chance(torch, T):
    """Transforms that draw random numbers."""
    I = T.InterpolationMode  # noqa: E741
    return {
        "RandomCrop": T.RandomCrop(6),
        "RandomCrop_padded": T.RandomCrop(9, padding=4),
        "RandomCrop_needed": T.RandomCrop((12, 8), pad_if_needed=True, padding_mode="reflect"),
        "RandomResizedCrop": T.RandomResizedCrop(7),
        "RandomResizedCrop_none": T.RandomResizedCrop((4, 8), scale=(2, 3)),
        "RandomHorizontalFlip": T.RandomHorizontalFlip(),
        "RandomVerticalFlip": T.RandomVerticalFlip(0.7),
        "RandomRotation": T.RandomRotation(25),
        "RandomRotation_expand": T.RandomRotation((10, 50), I.BILINEAR, True),
        "RandomAffine": T.RandomAffine(10, (0.1, 0.2), (0.8, 1.2), (1, 2, 3, 4)),
        "RandomAffine_shear": T.RandomAffine(10, shear=5),
        "RandomPerspective": T.RandomPerspective(),
        "ColorJitter": T.ColorJitter(0.3, 0.4, 0.5, 0.1),
        "ColorJitter_range": T.ColorJitter(brightness=(0.5, 1.5)),
        "RandomGrayscale": T.RandomGrayscale(0.4),
        "GaussianBlur": T.GaussianBlur(5),
        "RandomErasing": T.RandomErasing(0.8),
        "RandomErasing_random": T.RandomErasing(0.8, value="random"),
        "RandomApply": T.RandomApply([T.ColorJitter(0.3)], 0.6),
        "RandomInvert": T.RandomInvert(),
        "RandomPosterize": T.RandomPosterize(3),
        "RandomSolarize": T.RandomSolarize(0.5),
        "RandomAdjustSharpness": T.RandomAdjustSharpness(2),
        "RandomAutocontrast": T.RandomAutocontrast(),
        "RandomEqualize": T.RandomEqualize(),
        "RandomChoice": T.RandomChoice([T.RandomCrop(6), T.CenterCrop(5)]),
        "RandomOrder": T.RandomOrder([T.RandomCrop(6), T.RandomHorizontalFlip()]),
        "AutoAugment": T.AutoAugment(),
        "AutoAugment_cifar": T.AutoAugment(T.AutoAugmentPolicy.CIFAR10, fill=3),
        "AutoAugment_svhn": T.AutoAugment(T.AutoAugmentPolicy("svhn"), I.BILINEAR),
        "RandAugment": T.RandAugment(),
        "RandAugment_many": T.RandAugment(6, 20, fill=(1, 2, 3)),
        "TrivialAugmentWide": T.TrivialAugmentWide(),
        "AugMix": T.AugMix(),
        "AugMix_few": T.AugMix(5, 2, 2, 0.5, False),
        "ElasticTransform": T.ElasticTransform(20.0, 2.0),
    }


def version_2(torch, V):
    """Transforms of version 2."""
    return {
        "v2_Compose": V.Compose(
            [V.ToImage(), V.ToDtype(torch.float32, scale=True), V.Normalize([0.5], [0.5])]
        ),
        "v2_RandomCrop": V.RandomCrop((9, 6), padding=0),
        "v2_RandomHorizontalFlip": V.RandomHorizontalFlip(0.5),
        "v2_RandomRotation": V.RandomRotation(20),
        "v2_RandomAffine": V.RandomAffine(10, (0.1, 0.2), (0.8, 1.2), 5),
        "v2_ColorJitter": V.ColorJitter(0.3, 0.4, 0.5, 0.1),
        "v2_RandomErasing": V.RandomErasing(0.8),
        "v2_RandomApply": V.RandomApply([V.ColorJitter(0.3)], 0.6),
        "v2_RandomChoice": V.RandomChoice([V.CenterCrop(6), V.CenterCrop(5)]),
        "v2_RandomOrder": V.RandomOrder([V.RandomCrop(6), V.RandomHorizontalFlip()]),
        "v2_RandomPerspective": V.RandomPerspective(),
        "v2_ToPILImage": V.Compose([V.ToImage(), V.ToPILImage()]),
        "v2_ToDtype": V.ToDtype(torch.uint8, scale=True),
        "v2_Grayscale": V.Grayscale(),
        "v2_RandomInvert": V.RandomInvert(),
        "v2_AutoAugment": V.AutoAugment(),
        "v2_RandAugment": V.RandAugment(4),
        "v2_TrivialAugmentWide": V.TrivialAugmentWide(),
        "v2_AugMix": V.AugMix(),
    }


def results(torch, T, V):
    """(name, array, or the name of what was raised), and after a draw the next random number."""
    steps = by_chance(torch, T) | version_2(torch, V)
    for kind, picture in pictures(torch).items():
        for name, function in functions(torch, T, T.functional).items():
            yield f"{kind} {name}", _outcome(function, picture)
        for name, step in steps.items():
            for seed in (0, 1, 2) if "Aug" in name else (0, 1):
                torch.manual_seed(seed)
                random.seed(seed)
                outcome = _outcome(step, picture)
                yield f"{kind} {name} {seed}", outcome
                if outcome.dtype.kind != "U":
                    yield f"{kind} {name} {seed} next", torch.rand(1).numpy()
    for name, step in by_chance(torch, T).items():
        yield f"repr {name}", np.array(repr(step))


def _outcome(function, picture):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(function(picture))
    except Exception as error:
        return np.array(f"!{type(error).__name__}")
