"""An exported program: built with make, without warnings, it prints Python's numbers."""

import shutil
import subprocess

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn

pytestmark = pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("cc")), reason="needs make and cc"
)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MICROTORCH_CACHE", str(tmp_path / "cache"))


def built(folder, *command):
    flags = "CFLAGS=-O2 -ffp-contract=off -Wall -Wextra -Werror -pedantic"
    done = subprocess.run(["make", flags, *command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_classifier_prints_pythons_numbers(tmp_path):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), nn.Dropout(0.5),
                        nn.Linear(40, 10), nn.LogSoftmax(1)).eval()  # fmt: skip
    f = torch.compile(net)
    x = torch.tensor(np.random.default_rng(0).standard_normal((40, 8, 8)).astype("f4"))
    with torch.no_grad():
        for _ in range(3):
            want = f(x)
    f.export(tmp_path / "model")
    built(tmp_path / "model")
    printed = subprocess.run(["./model"], cwd=tmp_path / "model", capture_output=True, text=True)
    got = np.array([float(v) for v in printed.stdout.split()])
    np.testing.assert_allclose(got, want.numpy().ravel(), rtol=1e-4)
    text = (tmp_path / "model" / "model.c").read_text()
    assert "weight" in text and "test_export.py" not in text.split("void forward")[0]
    expected = (tmp_path / "model" / "expected.txt").read_text().split()
    np.testing.assert_allclose(got, [float(v) for v in expected], rtol=1e-4)
    (tmp_path / "model" / "weights.bin").write_bytes(b"\n\n")
    failed = subprocess.run(["./model"], cwd=tmp_path / "model", capture_output=True, text=True)
    assert failed.returncode == 1 and "too short" in failed.stderr


def test_several_outputs_and_doubles(tmp_path):
    w = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)
    f = torch.compile(lambda x, y: ((x @ w).tanh() * y, x.sum(0) + 0.1))
    given = torch.ones(4, 2, dtype=torch.float64), torch.full((3,), 2.0, dtype=torch.float64)
    for _ in range(3):
        f(*given)
    f.export(tmp_path)
    assert "the same numbers" in built(tmp_path, "check")


def test_what_is_no_loop_is_named(tmp_path):
    f = torch.compile(nn.Conv2d(1, 2, 3))
    with torch.no_grad():
        for _ in range(3):
            f(torch.ones(1, 1, 5, 5))
    with pytest.raises(RuntimeError, match="conv2d"):
        f.export(tmp_path)
    w = torch.ones(3)
    g = torch.compile(lambda x: w.add_(x))
    for _ in range(3):
        g(torch.ones(3))
    with pytest.raises(RuntimeError, match="writes to memory"):
        g.export(tmp_path)
