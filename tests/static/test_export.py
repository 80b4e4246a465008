"""An exported program: built with make, without warnings, it prints Python's numbers."""

import shutil
import subprocess

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

pytestmark = pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("cc")), reason="needs make and cc"
)


pytestmark = pytest.mark.usefixtures("own_cache")


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
    assert "weight" in text and "test_export.py" not in text.split("int forward")[0]
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
    f.export(tmp_path, text=True)
    assert "the same numbers" in built(tmp_path, "check")
    name, *rows = (tmp_path / "weights.txt").read_text().splitlines()
    assert name.endswith(": float64 [2, 3]") and len(rows) == 2
    assert [float(v) for v in " ".join(rows).split()] == w.flatten().tolist()


def trained(folder, step, *given):
    """A step after three calls, exported; what its main prints for 6 steps, and Python for them."""
    f = torch.compile(step, backend="eager")
    for _ in range(3):
        f(*given)
    assert not f.reason
    f.export(folder, steps=6)
    built(folder)
    printed = subprocess.run(["./model"], cwd=folder, capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    return [float(v) for v in printed.stdout.split()], [step(*given).item() for _ in range(6)]


def test_a_step_of_training_prints_pythons_losses(tmp_path):
    """Convolution, pooling, norms, dropout's draws, clipped gradients, Adam."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Conv2d(4, 3, 2, stride=2), nn.AvgPool2d(2),
                        nn.Flatten(), nn.Dropout(0.3), nn.Linear(3, 8), nn.LayerNorm(8),
                        nn.GELU(), nn.Linear(8, 5))  # fmt: skip
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)

    def step(x, y):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return loss

    x = torch.randn(6, 1, 8, 8)
    c, python = trained(tmp_path, step, x, torch.tensor([0, 1, 2, 3, 4, 0]))
    np.testing.assert_allclose(c, python, rtol=1e-4)
    assert "the same numbers" in built(tmp_path, "check")
    head = (tmp_path / "trained.bin").read_bytes().split(b"\n\n")[0].decode()
    assert "generator: uint32 [628]" in head and "weight: float32 [4, 1, 3, 3]" in head
    bad = (tmp_path / "input.bin").read_bytes()[:-8] + (7).to_bytes(8, "little")
    (tmp_path / "bad.bin").write_bytes(bad)
    failed = subprocess.run(["./model", "bad.bin"], cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode == 1 and "out of range" in failed.stderr


def test_attention_embedding_and_momentum_train_without_python(tmp_path):
    torch.manual_seed(0)
    table, head = nn.Embedding(7, 8), nn.Linear(8, 7)
    optimizer = torch.optim.SGD([*table.parameters(), *head.parameters()], 0.1, momentum=0.9)

    def step(x, y):
        q = table(x).view(2, 5, 2, 4).transpose(1, 2)
        h = F.scaled_dot_product_attention(q, q, q, is_causal=True)
        loss = F.cross_entropy(head(h.transpose(1, 2).reshape(10, 8)), y.view(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x = torch.randint(0, 7, (2, 5))
    c, python = trained(tmp_path, step, x, torch.randint(0, 7, (2, 5)))
    np.testing.assert_allclose(c, python, rtol=1e-4)


def test_what_is_no_loop_is_named(tmp_path):
    f = torch.compile(lambda x: torch.linalg.matrix_exp(x) * 2)
    for _ in range(3):
        f(torch.eye(3))
    with pytest.raises(RuntimeError, match="matrix_exp"):
        f.export(tmp_path)
    w = torch.ones(3)
    g = torch.compile(lambda x: w.add_(x))
    for _ in range(3):
        g(torch.ones(3))
    with pytest.raises(RuntimeError, match="returns what it was given"):
        g.export(tmp_path)


def test_steps_walk_through_rows_of_data(tmp_path):
    """Seven rows, three at a time: the third step has the last one, and the first two again."""
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def step(x, y):
        loss = (net(x) - y).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, y = torch.randn(7, 2), torch.randn(7, 1)
    f = torch.compile(step)
    for _ in range(3):
        f(x[:3], y[:3])
    f.export(tmp_path, steps=5, data=(x, y))
    assert "the same numbers" in built(tmp_path, "check")
    rows = [(np.arange(3) + 3 * k) % 7 for k in range(5)]
    python = [step(x[r], y[r]).item() for r in rows]
    expected = [float(v) for v in (tmp_path / "expected.txt").read_text().split()]
    np.testing.assert_allclose(expected, python, rtol=1e-5)
    with pytest.raises(RuntimeError, match=r"data\[0\] is float32 \[7, 3\].*float32 \[3, 2\]"):
        f.export(tmp_path, data=(torch.ones(7, 3), y))


def test_a_schedule_goes_on_without_python(tmp_path):
    """Its rates and its momentum stand in a table, up to its end; a condition on data is asked."""
    net = nn.Sequential(nn.Linear(3, 2), nn.Sigmoid())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=20)

    @torch.compile
    def step(x, y):
        loss = nn.functional.binary_cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    x, y = torch.randn(4, 3), torch.rand(4, 2)
    for _ in range(3):
        step(x, y)
    step.export(tmp_path, steps=10)
    assert scheduler.last_epoch == 3
    assert "the same numbers" in built(tmp_path, "check")
    expected = (tmp_path / "expected.txt").read_text().split()
    for line in expected:
        assert abs(step(x, y).item() - float(line)) < 1e-4
    done = subprocess.run(["./model", "input.bin", "30"], cwd=tmp_path, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 1 and "no more steps" in done.stderr
    assert len(done.stdout.split()) == 17


def test_a_program_of_one_step_is_exported(tmp_path):
    f = torch.compile(lambda x: x * 2)
    for _ in range(3):
        f(torch.ones(3))
    f.export(tmp_path)
    assert "the same numbers" in built(tmp_path, "check")


def test_names_that_mean_something_in_c(tmp_path):
    """Arguments that are called like functions of C, of its library, of the file, and macros."""

    def f(sign, printf, random, forward, run_forward, maximumf, TILE, address, double, p):
        return sign.sign() + printf.softmax(0) + random.maximum(forward) * TILE, (
            run_forward.exp() + maximumf.maximum(address) - double * p
        )

    g = torch.compile(f)
    for _ in range(3):
        g(*torch.randn(10, 3))
    g.export(tmp_path)
    assert "the same numbers" in built(tmp_path, "check")
    assert "const float *restrict p," in (tmp_path / "model.c").read_text()


def test_a_step_of_scalars_is_exported(tmp_path):
    """What is given as an argument comes without a gradient each time; the weights go on."""
    weights = [[torch.Scalar(0.1 * (i - j)) for i in range(3)] for j in range(4)]
    points = [[0.5 * i, 1.0 - i, 0.25] for i in range(8)]

    @torch.compile
    def step(k):
        loss = 0.0
        for x in points:
            for w in weights:
                loss = loss + sum(wi * xi for wi, xi in zip(w, x, strict=True)).tanh() * k
        loss.backward()
        for w in weights:
            for p in w:
                p.data -= 0.01 * p.grad
                p.grad = None
        return loss.data

    for _ in range(3):
        step(torch.Scalar(1.5))
    step.export(tmp_path, steps=4)
    assert "the same numbers" in built(tmp_path, "check")
    for line in (tmp_path / "expected.txt").read_text().split():
        assert step(torch.Scalar(1.5)) == pytest.approx(float(line), 1e-5)
    with pytest.raises(RuntimeError, match="a page is made of a program of tensors"):
        step.export(tmp_path, target="wasm")
