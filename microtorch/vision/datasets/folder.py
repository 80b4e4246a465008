"""Datasets from folders: one folder for each class, its files the samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ...base.errors import message
from ..images import Picture, Transform, pillow
from .vision import Sample, VisionDataset

Extensions = str | tuple[str, ...]
IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def has_file_allowed_extension(filename: str, extensions: Extensions) -> bool:
    """Does the name end in one of `extensions` (in lower case)?"""
    return filename.lower().endswith(extensions)


def is_image_file(filename: str) -> bool:
    """Does the name end as the names of pictures do?"""
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | Path) -> tuple[list[str], dict[str, int]]:
    """The folders in `directory`, sorted, and their numbers. FileNotFoundError if there is none."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(
            message(
                f"Couldn't find any class folder in {directory}.",
                fix="a folder for each class, with its pictures in it",
            )
        )
    return classes, {name: i for i, name in enumerate(classes)}


def make_dataset(
    directory: str | Path,
    class_to_idx: Mapping[str, int] | None = None,
    extensions: Extensions | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> list[tuple[str, int]]:
    """All samples `(path, class number)` below `directory`, sorted by class and path.

    Files are chosen by `extensions` or by `is_valid_file`: ValueError for both or neither.
    FileNotFoundError where a class has no file, unless `allow_empty`.
    """
    if class_to_idx is None:
        class_to_idx = find_classes(directory)[1]
    elif not class_to_idx:
        raise ValueError(
            message("'class_to_index' must have at least one entry to collect any samples.")
        )
    if (extensions is None) == (is_valid_file is None):
        raise ValueError(
            message("Both extensions and is_valid_file cannot be None or not None at the same time")
        )
    samples: list[tuple[str, int]] = []
    empty = []
    for name in sorted(class_to_idx):
        before = len(samples)
        top = os.path.join(os.path.expanduser(directory), name)
        for folder, _, files in sorted(os.walk(top, followlinks=True)):
            for file in sorted(files):
                path = os.path.join(folder, file)
                if is_valid_file is not None:
                    fits = is_valid_file(path)
                else:
                    fits = has_file_allowed_extension(path, extensions or "")
                if fits:
                    samples.append((path, class_to_idx[name]))
        if len(samples) == before:
            empty.append(name)
    if empty and not allow_empty:
        what = f"Found no valid file for the classes {', '.join(empty)}. "
        if extensions is not None:
            known = extensions if isinstance(extensions, str) else ", ".join(extensions)
            what += f"Supported extensions are: {known}"
        raise FileNotFoundError(message(what, fix="allow_empty=True, if that is meant"))
    return samples


def pil_loader(path: str | Path) -> Picture:
    """The picture in a file, as a Pillow image of mode RGB."""
    with open(path, "rb") as file:
        return pillow("reading a picture").open(file).convert("RGB")


def default_loader(path: str | Path) -> Picture:
    """How `ImageFolder` reads a file: with Pillow."""
    return pil_loader(path)


class DatasetFolder(VisionDataset):
    """Samples in folders `root`/class/...: items `(loader(path), class number)`.

    `classes`, `class_to_idx`, `samples` (paths and numbers), `targets`. A subclass may override
    `find_classes` and `make_dataset`.
    """

    def __init__(
        self,
        root: str | Path,
        loader: Callable[[str], Picture],
        extensions: Extensions | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        where = str(self.root)
        self.classes, self.class_to_idx = self.find_classes(where)
        self.samples = self.make_dataset(
            where,
            class_to_idx=self.class_to_idx,
            extensions=extensions,
            is_valid_file=is_valid_file,
            allow_empty=allow_empty,
        )
        self.loader = loader
        self.extensions = extensions
        self.targets = [number for _, number in self.samples]

    @staticmethod
    def make_dataset(
        directory: str | Path,
        class_to_idx: Mapping[str, int],
        extensions: Extensions | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> list[tuple[str, int]]:
        """`make_dataset` of this module."""
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """`find_classes` of this module."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> Sample:
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        if self.target_transform is not None:
            return sample, self.target_transform(target)
        return sample, target

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Pictures in folders: `root`/dog/xxx.png, `root`/cat/123.png; `imgs` is another `samples`."""

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Callable[[str], Picture] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform,
            target_transform,
            is_valid_file,
            allow_empty,
        )
        self.imgs = self.samples
