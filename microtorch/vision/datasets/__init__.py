"""Datasets of pictures under torchvision's names, and `Digits`, which comes with the package."""

from collections.abc import Callable
from typing import NoReturn

from ...base.errors import message, missing
from .cifar import CIFAR10, CIFAR100
from .digits import FILE, Digits
from .fakedata import FakeData
from .folder import DatasetFolder, ImageFolder
from .mnist import EMNIST, KMNIST, MNIST, QMNIST, DigitsAsMNIST, FashionMNIST
from .svhn import SVHN
from .vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "FILE",
    "KMNIST",
    "MNIST",
    "QMNIST",
    "SVHN",
    "DatasetFolder",
    "Digits",
    "DigitsAsMNIST",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "VisionDataset",
]

# what torchvision has, too, and scripts ask for
_ABSENT = frozenset(
    "Caltech101 Caltech256 CelebA Cityscapes CocoCaptions CocoDetection DTD EuroSAT FER2013 "
    "FGVCAircraft Flickr30k Flickr8k Flowers102 Food101 GTSRB ImageNet Imagenette INaturalist "
    "Kitti LFWPairs LFWPeople LSUN MovingMNIST Omniglot OxfordIIITPet PCAM Places365 RenderedSST2 "
    "SBDataset SEMEION STL10 SUN397 StanfordCars UCF101 USPS VOCDetection VOCSegmentation "
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
