"""Datasets of pictures under torchvision's names, and `Digits`, which comes with the package."""

from collections.abc import Callable
from typing import NoReturn

from ...base.errors import message, missing
from .celeba import CelebA
from .cifar import CIFAR10, CIFAR100
from .coco import CocoCaptions, CocoDetection
from .digits import FILE, Digits
from .fakedata import FakeData
from .folder import DatasetFolder, ImageFolder
from .mnist import EMNIST, KMNIST, MNIST, QMNIST, DigitsAsMNIST, FashionMNIST
from .omniglot import Omniglot
from .photographs import (
    DTD,
    GTSRB,
    Caltech101,
    EuroSAT,
    Flowers102,
    Food101,
    OxfordIIITPet,
    Photographs,
)
from .stl10 import STL10
from .svhn import SVHN
from .usps import SEMEION, USPS
from .vision import VisionDataset
from .voc import VOCDetection, VOCSegmentation

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "DTD",
    "EMNIST",
    "FILE",
    "GTSRB",
    "KMNIST",
    "MNIST",
    "QMNIST",
    "SEMEION",
    "STL10",
    "SVHN",
    "USPS",
    "Caltech101",
    "CelebA",
    "CocoCaptions",
    "CocoDetection",
    "DatasetFolder",
    "Digits",
    "DigitsAsMNIST",
    "EuroSAT",
    "FakeData",
    "FashionMNIST",
    "Flowers102",
    "Food101",
    "ImageFolder",
    "Omniglot",
    "OxfordIIITPet",
    "Photographs",
    "VOCDetection",
    "VOCSegmentation",
    "VisionDataset",
]

# what torchvision has, too, and scripts ask for
_ABSENT = frozenset(
    "Caltech256 Cityscapes FER2013 "
    "FGVCAircraft Flickr30k Flickr8k ImageNet Imagenette INaturalist "
    "Kitti LFWPairs LFWPeople LSUN MovingMNIST PCAM Places365 RenderedSST2 "
    "SBDataset SUN397 StanfordCars UCF101 "
    "WIDERFace".split()
)
_missing: Callable[[str], NoReturn] = missing(__name__, __all__)


def __getattr__(name: str) -> NoReturn:
    if name in _ABSENT:
        raise AttributeError(
            message(
                f"datasets.{name} is part of torchvision, but not of microtorch",
                fix="ImageFolder reads a folder of pictures for each class; a Dataset of your own "
                "reads anything",
            )
        )
    _missing(name)
