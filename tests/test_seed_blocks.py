"""Every code block of the tutorials runs as it is, `import torchvision` too.

The blocks of a tutorial are one program, as its readers type them in. What a tutorial leaves out
(`trainloader`, `x`, `y`) is put in. MNIST is answered by the package's digits, since a test has
no network. test_seeds.py compares the numbers.
"""

import contextlib
import io
import re
from pathlib import Path

import pytest

import microtorch
from microtorch.facade.alias import torch_is_microtorch

SEEDS = Path(__file__).parents[2] / "shared" / "seeds"


def images(*shape):
    microtorch.manual_seed(0)
    batch = microtorch.randn(*shape), microtorch.randint(0, 10, (shape[0],))
    return [batch] * 3


LEFT_OUT = {
    "000": lambda: {},
    "001": lambda: {"trainloader": images(4, 1, 32, 32), "inputs": microtorch.ones(1, 1, 32, 32)},
    "002": lambda: {},
    "003": lambda: dict(zip("xy", images(4, 1, 28, 28)[0], strict=True)),
    "004": lambda: {"train_loader": [(microtorch.ones(8, 10), microtorch.ones(8, 10))]},
}


def blocks():
    for number in LEFT_OUT:
        found = sorted(SEEDS.glob(f"{number}_*.txt"))
        if found:
            yield number, re.findall(r"```python\n(.*?)```", found[0].read_text(), re.S)


@pytest.mark.skipif(not SEEDS.is_dir(), reason="no tutorials beside this checkout")
@pytest.mark.parametrize("number", LEFT_OUT)
def test_every_block_runs(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROTORCH_MNIST", "digits")
    texts = dict(blocks())[number]
    names = {"__name__": "__main__", **LEFT_OUT[number]()}
    printed = io.StringIO()
    with torch_is_microtorch(), contextlib.redirect_stdout(printed):
        for i, text in enumerate(texts):
            exec(compile(text, f"{number}, block {i + 1}", "exec"), names)
    if number == "000":
        accuracy = re.search(
            r"Accuracy of the model on the 10000 test images: (\S+) %", printed.getvalue()
        )
        assert float(accuracy[1]) > 80


def test_torchvision_under_its_names(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import torch, torchvision\n"
        "from torchvision import datasets, transforms, utils, models, io\n"
        "import torchvision.transforms.functional as TF\n"
        "from torchvision.transforms import v2, InterpolationMode\n"
        "from torchvision.models.resnet import BasicBlock\n"
        "from torchvision.datasets.folder import default_loader\n"
        "from torchvision.datasets.mnist import MNIST\n"
        "from torchvision.transforms.transforms import Compose\n"
        "from torch.utils.data.dataloader import default_collate\n"
        "from torch.utils.data.distributed import DistributedSampler\n"
        "assert torchvision.models is models and torchvision.__version__\n"
        "assert torchvision.datasets.MNIST is MNIST and TF is transforms.functional\n"
        "grid = torchvision.utils.make_grid(torch.ones(4, 1, 2, 2))\n"
    )
    from microtorch.facade.alias import run_script

    assert run_script(program)["grid"].shape == (3, 6, 18)
