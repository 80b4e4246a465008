"""Downloads from a server of our own: mirrors, checksums, parts, archives; and no network."""

import contextlib
import gzip
import hashlib
import http.server
import io
import lzma
import re
import tarfile
import threading
import zipfile

import numpy as np
import pytest

import microtorch as torch
from microtorch.vision import datasets, transforms
from microtorch.vision.datasets import utils
from microtorch.vision.datasets.idx import read_idx


def md5(data):
    return hashlib.md5(data).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Files by path; `asked` collects (path, Range)."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.cut, self.ranges = {}, [], {}, True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, path = self.server, self.path[1:]
        server.asked.append((path, self.headers.get("Range")))
        if path not in server.files:
            self.send_error(404)
            return
        data, start = server.files[path], 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and server.ranges:
            start = int(asked[1])
            if start >= len(data):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = server.cut.pop(path, len(data))  # the connection breaks here, once
        self.wfile.write(data[start:end])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_is_fetched_once(server, tmp_path):
    data = bytes(range(256)) * 1000
    server.files["a.bin"] = data
    utils.download_url(server.url + "a.bin", tmp_path / "new", md5=md5(data))
    assert (tmp_path / "new/a.bin").read_bytes() == data
    utils.download_url(server.url + "a.bin", tmp_path / "new", md5=md5(data))
    assert server.asked == [("a.bin", None)]
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.bin"]


def test_a_broken_download_is_continued(server, tmp_path):
    data = np.random.default_rng(0).bytes(200_000)
    server.files["a.bin"], server.cut["a.bin"] = data, 130_000
    path = tmp_path / "a.bin"
    with pytest.raises(RuntimeError, match=r"Error downloading a\.bin"):
        utils.download([server.url + "a.bin"], path, md5(data))
    assert not path.exists() and (tmp_path / "a.bin.part").stat().st_size == 130_000
    utils.download([server.url + "a.bin"], path, md5(data))
    assert path.read_bytes() == data and not (tmp_path / "a.bin.part").exists()
    assert server.asked[-1] == ("a.bin", "bytes=130000-")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_of_another_file_is_thrown_away(server, tmp_path, ranges):
    data = b"the right file" * 100
    server.files["a.bin"], server.ranges = data, ranges
    (tmp_path / "a.bin.part").write_bytes(b"something else")
    utils.download([server.url + "a.bin"], tmp_path / "a.bin", md5(data))
    assert (tmp_path / "a.bin").read_bytes() == data


def test_a_part_that_is_whole_needs_no_more(server, tmp_path):
    data = b"all of it" * 50
    server.files["a.bin"] = data
    (tmp_path / "a.bin.part").write_bytes(data)
    utils.download([server.url + "a.bin"], tmp_path / "a.bin", md5(data))
    assert (tmp_path / "a.bin").read_bytes() == data and len(server.asked) == 1


def test_the_second_mirror_helps(server, tmp_path):
    server.files["good/a.bin"] = b"good"
    server.files["bad/a.bin"] = b"evil"
    urls = [server.url + where + "/a.bin" for where in ("none", "bad", "good")]
    utils.download(urls, tmp_path / "a.bin", md5(b"good"))
    assert (tmp_path / "a.bin").read_bytes() == b"good"
    with pytest.raises(RuntimeError) as error:
        utils.download(urls[:2], tmp_path / "b.bin", md5(b"good"))
    text = str(error.value)
    assert "404" in text and "does not have the MD5" in text and str(tmp_path / "b.bin") in text
    assert not (tmp_path / "b.bin").exists()


def test_only_http(tmp_path):
    with pytest.raises(RuntimeError, match="is not an http or https address"):
        utils.download([f"file://{__file__}"], tmp_path / "a")


def test_archives(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"one"))
    (tmp_path / "b.xz").write_bytes(lzma.compress(b"two"))
    assert utils.extract_archive(tmp_path / "a.gz").read_bytes() == b"one"
    assert utils.extract_archive(tmp_path / "b.xz").read_bytes() == b"two"
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as file:
        file.writestr("in/c", b"three")
    with tarfile.open(tmp_path / "d.tar.gz", "w:gz") as file:
        member = tarfile.TarInfo("in/d")
        member.size = 4
        file.addfile(member, io.BytesIO(b"four"))
    utils.extract_archive(tmp_path / "c.zip", tmp_path / "out")
    utils.extract_archive(tmp_path / "d.tar.gz", tmp_path / "out", remove_finished=True)
    assert (tmp_path / "out/in/c").read_bytes() == b"three"
    assert (tmp_path / "out/in/d").read_bytes() == b"four"
    assert not (tmp_path / "d.tar.gz").exists()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["in"]


def test_no_archive_writes_outside_of_its_folder(tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as file:
        member = tarfile.TarInfo("../outside")
        member.size = 1
        file.addfile(member, io.BytesIO(b"x"))
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("../outside", b"x")
    inner = tmp_path / "inner"
    for name in ("evil.tar", "evil.zip"):
        with contextlib.suppress(RuntimeError):
            utils.extract_archive(tmp_path / name, inner)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("place", [2, 12, 40, 60])
def test_a_flipped_byte_in_a_packed_file(tmp_path, place):
    data = bytearray(gzip.compress(idx(np.arange(200, dtype=np.uint8))))
    data[place] ^= 255
    (tmp_path / "a.gz").write_bytes(data)
    with pytest.raises(RuntimeError):
        utils.extract_archive(tmp_path / "a.gz")
    with pytest.raises(RuntimeError):
        read_idx(tmp_path / "a.gz")


@pytest.mark.parametrize("name", ["a.gz", "a.xz", "a.zip", "a.tar.gz"])
def test_damaged_archives(tmp_path, name):
    made = gzip.compress(b"x" * 1000)[:15] if name == "a.gz" else b"no archive"
    (tmp_path / name).write_bytes(made)
    with pytest.raises(RuntimeError, match="is damaged"):
        utils.extract_archive(tmp_path / name)
    assert not (tmp_path / "a").exists()


def idx(array):
    kinds = {"uint8": 8, "int32": 12}
    head = bytes([0, 0, kinds[array.dtype.name], array.ndim])
    sizes = np.array(array.shape, ">u4").tobytes()
    return head + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def mnist(server, monkeypatch):
    """MNIST's class, with a small MNIST on our server."""
    rng = np.random.default_rng(0)
    resources = []
    for part, count in (("train", 20), ("t10k", 8)):
        arrays = {
            "images-idx3": rng.integers(0, 256, (count, 28, 28), dtype=np.uint8),
            "labels-idx1": rng.integers(0, 10, count, dtype=np.uint8),
        }
        for kind, array in arrays.items():
            name = f"{part}-{kind}-ubyte.gz"
            server.files[name] = gzip.compress(idx(array))
            resources.append((name, md5(server.files[name])))
    monkeypatch.setattr(datasets.MNIST, "mirrors", [server.url + "gone/", server.url])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    return datasets.MNIST


def test_mnist_is_downloaded(mnist, server, tmp_path):
    train = mnist(tmp_path, download=True, transform=transforms.ToTensor())
    test = mnist(str(tmp_path), train=False, target_transform=lambda label: -label)
    assert len(train) == 20 and len(test) == 8 and train.data.dtype == torch.uint8
    image, label = train[3]
    assert image.shape == (1, 28, 28) and type(label) is int and label == train.targets[3].item()
    assert torch.equal(image[0], train.data[3] / 255)
    asked = len(server.asked)
    mnist(tmp_path, download=True)
    assert len(server.asked) == asked
    assert repr(train) == (
        f"Dataset MNIST\n    Number of datapoints: 20\n    Root location: {tmp_path}\n"
        "    Split: Train\n    StandardTransform\nTransform: ToTensor()"
    )
    assert train.class_to_idx["3 - three"] == 3
    with pytest.warns(UserWarning, match="renamed data"):
        assert train.train_data is train.data


def test_packed_files_put_there_by_hand_are_read(mnist, server, tmp_path):
    folder = tmp_path / "MNIST/raw"
    folder.mkdir(parents=True)
    for name, data in server.files.items():
        (folder / name).write_bytes(data)
    assert len(mnist(tmp_path)) == 20 and server.asked == []


def test_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(RuntimeError) as error:
        datasets.MNIST(tmp_path, download=True)
    text = str(error.value)
    assert "Error downloading train-images-idx3-ubyte.gz" in text and "127.0.0.1:9" in text
    assert str(tmp_path / "MNIST/raw") in text and "DigitsAsMNIST" in text
    assert "MICROTORCH_MNIST=digits" in text and "f68b3c2dcbeaaa9fbdd348bbdeb94873" in text
    with pytest.raises(RuntimeError, match="Dataset not found") as error:
        datasets.FashionMNIST(tmp_path)
    assert "t10k-labels-idx1-ubyte.gz" in str(error.value)


def test_a_damaged_idx_file_is_named(mnist, server, tmp_path):
    mnist(tmp_path, download=True)
    path = tmp_path / "MNIST/raw/train-labels-idx1-ubyte"
    whole = path.read_bytes()
    for data, words in (
        (whole[:-1], "needs 20 bytes"),
        (whole[:6], "header is cut off"),
        (b"\1" + whole[1:], "begins with 0, 0"),
        (idx(np.zeros(7, np.uint8)), "do not belong together"),
    ):
        path.write_bytes(data)
        with pytest.raises(RuntimeError, match=words):
            mnist(tmp_path)


def test_the_stand_in_is_chosen_aloud(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MICROTORCH_MNIST", "digits")
    data = datasets.MNIST(tmp_path, train=False, download=True, transform=transforms.ToTensor())
    assert "NOT MNIST" in capsys.readouterr().err
    assert len(data) == 449 and data[0][0].shape == (1, 28, 28)
    named = datasets.DigitsAsMNIST(train=False)
    assert torch.equal(named.data, data.data) and torch.equal(named.targets, data.targets)
    assert 0 < named.data.max() <= 255 and named.data[:, :4].max() == 0
    assert "Stand-in" in repr(named) and capsys.readouterr().err == ""
    with pytest.raises(RuntimeError):  # the others are never stood in for
        datasets.FashionMNIST(tmp_path)
