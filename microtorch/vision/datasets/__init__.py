"""Datasets of pictures under torchvision's names, and `Digits`, which comes with the package."""

from ...base.errors import missing
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

__getattr__ = missing(__name__, __all__)
