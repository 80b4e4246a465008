"""CIFAR, SVHN, EMNIST, QMNIST, folders and noise, from files that the test makes."""

import gzip
import hashlib
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from test_download import idx

import microtorch as torch
from microtorch.utils.data import DataLoader, Subset, default_collate, random_split
from microtorch.vision import datasets, transforms
from microtorch.vision.datasets.unpickling import read_batch

PIL = pytest.importorskip("PIL")
from PIL import Image  # noqa: E402


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    folder, sums = tmp_path / "cifar-10-batches-py", {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, (4, 3072), dtype=np.uint8)
        batch = {"data": rows, "labels": rng.integers(0, 10, 4).tolist(), "batch_label": name}
        sums[name] = write(folder / name, pickle.dumps(batch, protocol=2))
    names = {"label_names": [f"class {i}" for i in range(10)], "num_vis": 3072}
    meta = write(folder / "batches.meta", pickle.dumps(names, protocol=2))
    cls = datasets.CIFAR10
    monkeypatch.setattr(cls, "train_list", [(n, s) for n, s in sums.items() if n[0] == "d"])
    monkeypatch.setattr(cls, "test_list", [("test_batch", sums["test_batch"])])
    monkeypatch.setattr(cls, "meta", dict(cls.meta, md5=meta))
    return cls


def test_cifar(cifar, tmp_path):
    train, test = cifar(tmp_path), cifar(tmp_path, train=False, transform=transforms.ToTensor())
    assert len(train) == 20 and len(test) == 4 and train.data.shape == (20, 32, 32, 3)
    image, label = train[7]
    assert image.mode == "RGB" and image.size == (32, 32) and label == train.targets[7]
    np.testing.assert_array_equal(np.asarray(image), train.data[7])
    with open(tmp_path / "cifar-10-batches-py/test_batch", "rb") as file:
        row = pickle.load(file)["data"][2]
    assert torch.equal(test[2][0] * 255, torch.from_numpy(row.reshape(3, 32, 32)).float())
    assert train.classes[3] == "class 3" and train.class_to_idx["class 3"] == 3
    with pytest.raises(RuntimeError, match=r"cifar-10-python\.tar\.gz"):
        cifar(tmp_path / "nowhere")


def test_a_pickle_that_runs_something_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    for payload in (Evil(), {"data": Evil()}, [1, 2], {"data": np.dtype("O")}):
        write(tmp_path / "batch", pickle.dumps(payload, protocol=2))
        if isinstance(payload, dict) and not isinstance(payload["data"], Evil):
            read_batch(tmp_path / "batch")
            continue
        with pytest.raises(RuntimeError):
            read_batch(tmp_path / "batch")
    assert not (tmp_path / "made").exists()
    write(tmp_path / "batch", b"\x80\x02}q\x00(")
    with pytest.raises(RuntimeError, match="is not a batch"):
        read_batch(tmp_path / "batch")


def test_old_pickles_of_python_2(tmp_path):
    rows = np.arange(6, dtype=np.uint8).reshape(2, 3)
    text = pickle.dumps({b"data": rows}, protocol=2)
    write(tmp_path / "batch", text.replace(b"numpy._core", b"numpy.core"))
    assert read_batch(tmp_path / "batch")[b"data"].tolist() == rows.tolist()


def test_svhn(tmp_path, monkeypatch):
    scipy_io = pytest.importorskip("scipy.io")
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 5), dtype=np.uint8)
    labels = np.array([[1], [10], [3], [9], [10]], np.uint8)
    path = tmp_path / "test_32x32.mat"
    scipy_io.savemat(path, {"X": images, "y": labels})
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    entry = ["http://127.0.0.1:9/", path.name, md5]
    monkeypatch.setattr(datasets.SVHN, "split_list", {"train": entry, "test": entry})
    data = datasets.SVHN(tmp_path, split="test", transform=transforms.ToTensor())
    assert data.labels.tolist() == [1, 0, 3, 9, 0] and data.data.shape == (5, 3, 32, 32)
    image, label = data[2]
    assert label == 3
    np.testing.assert_array_equal(np.asarray(datasets.SVHN(tmp_path)[2][0]), images[..., 2])
    assert torch.equal((image * 255).round(), torch.from_numpy(data.data[2]).float())
    with pytest.raises(ValueError, match="Unknown value 'all' for argument split"):
        datasets.SVHN(tmp_path, split="all")


def test_emnist_and_qmnist(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    raw = tmp_path / "EMNIST/raw"
    write(raw / "emnist-letters-train-images-idx3-ubyte.gz", gzip.compress(idx(images)))
    labels = idx(np.array([1, 26, 3], np.uint8))
    write(raw / "emnist-letters-train-labels-idx1-ubyte.gz", gzip.compress(labels))
    data = datasets.EMNIST(tmp_path, split="letters")
    assert data.targets.tolist() == [1, 26, 3] and data.classes[26] == "z"
    assert len(datasets.EMNIST.classes_split_dict["balanced"]) == 47
    with pytest.raises(ValueError, match="Unknown value 'capitals'"):
        datasets.EMNIST(tmp_path, split="capitals")
    raw = tmp_path / "QMNIST/raw"
    write(raw / "qmnist-train-images-idx3-ubyte", idx(images))
    rows = np.arange(24, dtype=np.int32).reshape(3, 8)
    write(raw / "qmnist-train-labels-idx2-int", idx(rows))
    assert datasets.QMNIST(tmp_path)[1][1] == 8
    assert datasets.QMNIST(tmp_path, compat=False)[1][1].tolist() == rows[1].tolist()


@pytest.fixture
def folder(tmp_path):
    for name, colour in (("dog", (255, 0, 0)), ("cat", (0, 255, 0)), ("cat", (0, 0, 255))):
        where = tmp_path / name / f"{colour[1] + colour[2]}{colour}"
        where.mkdir(parents=True)
        Image.new("RGB", (5, 4), colour).save(where / "picture.PNG")
    write(tmp_path / "cat/notes.txt", b"not a picture")
    return tmp_path


def test_image_folder(folder):
    data = datasets.ImageFolder(folder, transform=transforms.ToTensor())
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
    assert data.targets == [0, 0, 1] and data.imgs is data.samples
    image, target = data[2]
    assert image.shape == (3, 4, 5) and image[:, 0, 0].tolist() == [1.0, 0.0, 0.0] and target == 1
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no valid file for the classes empty"):
        datasets.ImageFolder(folder)
    assert len(datasets.ImageFolder(folder, allow_empty=True)) == 3
    texts = datasets.DatasetFolder(folder, Path, extensions=(".txt",), allow_empty=True)
    path, target = texts[0]
    assert path.read_text() == "not a picture" and target == 0
    with pytest.raises(FileNotFoundError, match="any class folder"):
        datasets.ImageFolder(folder / "empty")


def test_fake_data_is_the_same_in_each_run_and_draws_nothing():
    torch.manual_seed(1)
    data = datasets.FakeData(5, (3, 4, 4), 7)
    image, target = data[2]
    assert image.size == (4, 4) and target == data[2][1]
    assert np.asarray(image)[0, 0].tolist() == [247, 128, 61] and target == 3  # torchvision 0.28
    with pytest.raises(IndexError):
        data[5]
    assert torch.rand(1).item() == pytest.approx(0.75763160)


def test_a_batch_at_once_is_the_batch_one_by_one():
    steps = [transforms.ToTensor(), transforms.Normalize((0.2,), (0.3,))]
    for transform in (steps[0], transforms.Compose(steps)):
        data = datasets.DigitsAsMNIST(transform=transform)
        part = random_split(data, [0.5, 0.5], torch.Generator().manual_seed(0))[1]
        for source in (data, part, Subset(part, range(100))):
            images, labels = next(iter(DataLoader(source, batch_size=7)))
            slow = default_collate([source[i] for i in range(7)])
            assert torch.equal(images, slow[0]) and torch.equal(labels, slow[1])
            assert images.dtype == slow[0].dtype and labels.dtype == slow[1].dtype


def test_what_is_not_there_is_named():
    with pytest.raises(AttributeError, match="not of microtorch"):
        _ = datasets.Cityscapes
    with pytest.raises(AttributeError, match="Did you mean 'MNIST'"):
        _ = datasets.MNITS


def test_mnist_needs_no_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    tensors = datasets.DigitsAsMNIST(transform=transforms.Compose([transforms.ToTensor()]))
    assert tensors[0][0].shape == (1, 28, 28)
    with pytest.raises(ImportError, match="pip install Pillow"):
        datasets.DigitsAsMNIST()[0]


def test_a_changed_item_is_respected():
    class Inverted(datasets.DigitsAsMNIST):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return 1 - image, label

    data = Inverted(transform=transforms.ToTensor())
    assert next(iter(DataLoader(data, batch_size=2)))[0].max().item() == 1.0
    odd = datasets.DigitsAsMNIST(transform=transforms.ToTensor(), target_transform=lambda y: y % 2)
    assert next(iter(DataLoader(odd, batch_size=50)))[1].max().item() == 1
