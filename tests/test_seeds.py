"""The programs of the tutorials from which this project started print what PyTorch prints.

Only their import is changed. The tutorials are beside the repository, in ../shared/seeds. In a
checkout without them these tests are skipped; test_scripts.py has programs of the same kind.
Numbers are PyTorch 2.13's after `torch.manual_seed(0)`.
"""
import contextlib
import io
import re
from pathlib import Path

import pytest

import microtorch

SEEDS = Path(__file__).parents[2] / "shared" / "seeds"
IMPORT = re.compile(r"^import torch(?=\s|\.|$)", re.M)


def programs(number):
    """The Python blocks of a tutorial."""
    found = sorted(SEEDS.glob(f"{number}_*.txt"))
    if not found:
        pytest.skip(f"no tutorial {number} in {SEEDS}")
    return re.findall(r"```python\n(.*?)```", found[0].read_text(), re.S)


def run(program, **names):
    """Run a program; returns what it printed and its names."""
    source = IMPORT.sub("import microtorch", program)
    source = source.replace("import microtorch\n", "import microtorch as torch\n")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "tutorial.py", "exec"), names)
    return printed.getvalue(), names


WALK = r"""tensor\(\[\[.*?\]\]\)
tensor\(\[\[1., 1.\],
        \[1., 1.\]\], requires_grad=True\)
tensor\(\[\[3., 3.\],
        \[3., 3.\]\], grad_fn=<AddBackward0>\)
<AddBackward0 object at 0x[0-9a-f]+>
tensor\(\[\[27., 27.\],
        \[27., 27.\]\], grad_fn=<MulBackward0>\) tensor\(27., grad_fn=<MeanBackward0>\)
tensor\(\[\[4.5000, 4.5000\],
        \[4.5000, 4.5000\]\]\)
"""


def test_000_walk_through_autograd():
    printed, _ = run("\n".join(programs("000")[:7]))
    assert re.fullmatch(WALK, printed, re.S), printed


def test_000_network_learns_given_data():
    blocks = programs("000")
    header = "import torch\nimport torch.nn as nn\nimport torch.optim as optim\n"
    names = run(header + blocks[8])[1]
    microtorch.manual_seed(0)
    loader = [(microtorch.rand(64, 1, 28, 28), microtorch.randint(0, 10, (64,)))] * 100
    training = "\n".join([blocks[9].replace("20", "1"), *blocks[11:13]])
    printed, names = run(training, train_loader=loader, **names)
    assert re.fullmatch(r"Epoch \[1/1\], Step \[100/100\], Loss: \d\.\d{4}\n", printed), printed
    assert float(printed.split()[-1]) < 2.3
    printed, _ = run(blocks[13], test_loader=loader[:1], **names)
    assert printed.startswith("Accuracy of the model on the 10000 test images: ")


@pytest.mark.parametrize(
    ("which", "first", "loss"),
    [
        (0, [1.0419, 0.9921, 2.6883, 2.3435, 4.7561], 0.836233),
        (1, [0.1901, 0.2441, 0.1987, -0.2398, 0.2556], 0.622936),
    ],
)
def test_002_regression_programs(which, first, loss):
    microtorch.manual_seed(0)
    printed, names = run(programs("002")[which])
    numbers = [float(v) for v in re.findall(r"-?\d\.\d{4}", printed)]
    assert len(numbers) == 100 and printed.startswith("tensor([[")
    assert numbers[:5] == pytest.approx(first, abs=2e-4)
    assert names["loss"].item() == pytest.approx(loss, rel=1e-4)


def test_003_model_with_data():
    blocks = programs("003")
    microtorch.manual_seed(0)
    _, names = run(blocks[0])
    x, y = microtorch.randn(4, 1, 28, 28), microtorch.randint(0, 10, (4,))
    before = names["net"].fc2.bias.detach().clone()
    _, names = run(blocks[1], x=x, y=y, **names)
    assert names["loss"].item() == pytest.approx(2.40926, abs=1e-4)
    assert names["net"].fc1.weight.grad.norm().item() == pytest.approx(5.5804, abs=1e-3)
    assert microtorch.allclose(before - 0.01 * names["net"].fc2.bias.grad, names["net"].fc2.bias)


def test_001_convolutional_network():
    program = programs("001")[0].replace("range(10)", "range(2)")
    microtorch.manual_seed(0)
    loader = [(microtorch.randn(4, 1, 32, 32), microtorch.randint(0, 10, (4,)))] * 2
    printed, _ = run(program, trainloader=loader)
    assert printed == "Epoch: 1 loss: 2.202\nEpoch: 2 loss: 2.199\n"


def test_004_training_saving_loading(tmp_path, monkeypatch):
    train, save, load = programs("004")
    microtorch.manual_seed(0)
    data = [(microtorch.randn(8, 10), microtorch.randn(8, 10))]
    _, names = run(train, train_loader=data)
    assert names["loss"].item() < 1.1
    monkeypatch.chdir(tmp_path)
    run(save, **names)
    trained = names["net"].fc1.weight.detach().clone()
    with microtorch.no_grad():
        names["net"].fc1.weight.zero_()
    run(load, **names)
    assert microtorch.equal(names["net"].fc1.weight, trained)
