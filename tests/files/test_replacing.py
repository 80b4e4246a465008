"""A save that is interrupted leaves the old file whole, and nothing beside it."""

import io
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import microtorch as torch
from microtorch.files import archive, replacing

ROOT = Path(__file__).parents[2]


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(torch.zeros(3), path)
    return path


def check_whole(path):
    assert torch.load(path).tolist() == [0, 0, 0]
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [1, 5, 12])
def test_an_exception_while_writing(old, monkeypatch, error, at):
    write, calls = archive.Writer._write, []

    def failing(self, data):
        calls.append(data)
        if len(calls) == at:
            raise error
        write(self, data)

    monkeypatch.setattr(archive.Writer, "_write", failing)
    with pytest.raises(type(error)):
        torch.save(torch.ones(3), old)
    check_whole(old)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_the_disk_fails_at_the_end(old, monkeypatch, call):
    def failing(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(replacing.os, call, failing)
    with pytest.raises(OSError, match="No space"):
        torch.save(torch.ones(3), old)
    monkeypatch.undo()
    check_whole(old)


def test_what_cannot_be_saved(old):
    with pytest.raises(TypeError):
        torch.save({"a": torch.ones(3), "b": object()}, old)
    check_whole(old)


SAVES = """
import sys
import microtorch as torch
i = 0
print("begins", flush=True)
while True:
    i += 1
    torch.save({"all": torch.full((200_000,), float(i))}, sys.argv[1])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_that_is_killed(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"all": torch.zeros(200_000)}, path)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVES, path], env=environment, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = torch.load(path)["all"]
        assert found.shape == (200_000,) and (found == found[0]).all()


@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_permissions_and_links_are_kept(old, tmp_path):
    old.chmod(0o640)
    link = tmp_path / "latest.pth"
    link.symlink_to(old)
    torch.save(torch.ones(3), link)
    assert link.is_symlink() and torch.load(old).tolist() == [1, 1, 1]
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    new = tmp_path / "new.pth"
    torch.save(torch.ones(3), new)
    with open(tmp_path / "plain", "wb"):
        pass
    assert new.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(os.name == "nt", reason="devices")
def test_what_is_no_ordinary_file():
    torch.save(torch.ones(3), os.devnull)
    assert os.path.exists(os.devnull) and not os.path.isfile(os.devnull)


def test_files_that_are_open(tmp_path):
    path = tmp_path / "x.pt"
    with open(path, "wb") as file:
        torch.save(torch.ones(2), file)
    assert torch.load(path).tolist() == [1, 1]

    class OnlyWrites:
        def __init__(self):
            self.parts = []

        def write(self, data):
            self.parts.append(bytes(data))

    file = OnlyWrites()
    torch.save(torch.ones(2), file)
    assert torch.load(io.BytesIO(b"".join(file.parts))).tolist() == [1, 1]
    with pytest.raises(AttributeError, match="'write' attribute"):
        torch.save(torch.ones(2), 3)
    with pytest.raises(RuntimeError, match="Parent directory"):
        torch.save(torch.ones(2), tmp_path / "absent" / "x.pt")


def test_very_many_records():
    buffer = io.BytesIO()
    writer = archive.Writer(buffer)
    for i in range(66_000):
        writer.add(f"data/{i}", b"")
    writer.close()
    assert len(archive.Reader(buffer).places) == 66_000
