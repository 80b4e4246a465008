"""`microtorch run`: a script for torch runs as under python, and leaves nothing behind."""
import sys
import types

import pytest
from repository import python

import microtorch
from microtorch.__main__ import main
from microtorch.facade import alias


def write(folder, text, name="script.py"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_all_ways_to_import_give_the_same_modules(tmp_path):
    script = write(
        tmp_path,
        """
import torch, torch.nn as nn, torchvision
import torch.nn.functional as F
import torch.optim.lr_scheduler as schedules
from torch import optim
from torch.utils.data import DataLoader
from torchvision.datasets import Digits
import torchvision.transforms
found = [torch, nn, F, schedules, optim, torchvision, torchvision.transforms]
""",
    )
    found = alias.run_script(script)["found"]
    names = (
        "microtorch .nn .nn.functional .optim.lr_scheduler .optim .vision .vision.transforms"
    ).split()
    for module, name in zip(found, names, strict=True):
        assert module is sys.modules["microtorch" + name.removeprefix("microtorch")]
        assert (
            module.__spec__.name == module.__name__
        )  # the alias's spec did not stay on the module


def test_a_tensor_s_class_says_torch_inside(tmp_path, capsys):
    text = """
import copy, pickle, torch
x = torch.ones(2)
print(type(x), type(x.shape), type(x.dtype), type(x.device))
x, shape, dtype, device, kind = pickle.loads(pickle.dumps(
    (x, x.shape, x.dtype, x.device, torch.Tensor)))
assert (x.tolist(), shape, dtype) == ([1, 1], (2,), torch.float32)
assert device.type == "cpu" and kind is torch.Tensor is type(copy.copy(x))
torch.save(x.shape, file)
assert torch.load(file) == (2,)
""".replace("file", repr(str(tmp_path / "shape.pt")))
    said = [f"<class 'torch.{name}'>" for name in ("Tensor", "Size", "dtype", "device")]
    with alias.torch_is_microtorch():
        alias.run_script(write(tmp_path, text))
        assert repr(microtorch.Tensor) == said[0]
    assert capsys.readouterr().out.split("\n")[0] == " ".join(said)
    assert repr(microtorch.Tensor) == "<class 'microtorch.Tensor'>"


def test_the_script_is_main(tmp_path):
    (tmp_path / "helper.py").write_text("import torch\nzero = torch.zeros(2)", encoding="utf-8")
    script = write(
        tmp_path,
        """
import sys, helper
from dataclasses import dataclass
@dataclass
class Point: x: int        # looks its module up in sys.modules
assert __name__ == "__main__" and sys.modules["__main__"].__dict__ is globals()
seen = sys.argv, sys.path[0], __file__, Point.__annotations__["x"], __builtins__.len
""",
    )
    before = list(sys.argv), list(sys.path), sys.modules["__main__"], list(sys.meta_path)
    seen = alias.run_script(script, ["--lr", "0.1"])["seen"]
    # the annotation is a type, not a string: alias.py's __future__ imports are not the script's
    assert seen == ([str(script), "--lr", "0.1"], str(tmp_path), str(script), int, len)
    assert (sys.argv, sys.path, sys.modules["__main__"], sys.meta_path) == before
    assert "helper" not in sys.modules  # it holds microtorch under the name torch


def test_a_torch_that_is_there_comes_back(tmp_path, monkeypatch):
    other, part = types.ModuleType("torch"), types.ModuleType("torch.nn")
    monkeypatch.setitem(sys.modules, "torch", other)
    monkeypatch.setitem(sys.modules, "torch.nn", part)
    before = torch_modules()
    script = write(
        tmp_path, "import torch, torchvision, torch.nn.functional\nraise SystemExit(torch.__name__)"
    )
    with pytest.raises(SystemExit, match="microtorch"):
        alias.run_script(script)
    assert torch_modules() == before and before["torch"] is other and before["torch.nn"] is part


def torch_modules():
    return {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in alias.ALIASES
    }


def test_a_module_that_microtorch_lacks(tmp_path):
    script = write(tmp_path, "import torch.nn.functionl")
    with pytest.raises(
        ModuleNotFoundError, match=r"torch\.nn\.functionl.*Did you mean 'torch\.nn\.functional'"
    ):
        alias.run_script(script)
    # modules that are no part of PyTorch are found under no second name, and none is loaded twice
    script = write(
        tmp_path,
        "try:\n    import torch._nothing\nexcept ImportError as error:\n    name = error.name",
    )
    assert alias.run_script(script)["name"] == "torch._nothing"


def test_a_module_that_is_ours_alone_is_not_offered(tmp_path):
    with pytest.raises(ModuleNotFoundError, match=r"no microtorch\.bases\.") as error:
        alias.run_script(write(tmp_path, "import torch.bases"))
    assert "torch.base'" not in str(error.value)
    with pytest.raises(ModuleNotFoundError, match=r"Did you mean 'torch\.optim'"):
        alias.run_script(write(tmp_path, "import torch.optimize"))


def test_functorch_is_there_too(tmp_path):
    names = alias.run_script(
        write(
            tmp_path,
            "import torch, functorch\n"
            "from functorch import grad, vmap\n"
            "net = torch.nn.Linear(3, 2)\n"
            "f, params = functorch.make_functional(net)\n"
            "x = torch.randn(4, 3)\n"
            "same = torch.equal(f(params, x), net(x)) and params[0] is not net.weight\n"
            "each = vmap(grad(lambda p, x: f(p, x).sum()), (None, 0))(params, x)\n"
            "norm = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval()\n"
            "g, params, buffers = functorch.make_functional_with_buffers(norm)\n"
            "same = same and torch.equal(g(params, buffers, x), norm(x))\n"
            "try: functorch.make_functional(norm)\n"
            "except RuntimeError as error: said = str(error)\n"
            "h, ps, bs = functorch.combine_state_for_ensemble([net, torch.nn.Linear(3, 2)])\n"
            "both = vmap(h, (0, 0, None))(ps, bs, x)\n",
        )
    )
    assert names["same"] and "has buffers" in names["said"]
    assert [tuple(g.shape) for g in names["each"]] == [(4, 2, 3), (4, 2)]
    assert names["both"].shape == (2, 4, 2) and not names["ps"][0].requires_grad
    assert "functorch" not in sys.modules or "microtorch" not in sys.modules["functorch"].__name__


def test_nodes_name_the_script_s_line(tmp_path):
    script = write(
        tmp_path, "import torch\nx = torch.ones(2, requires_grad=True)\ny = (\n    x * 3)\n"
    )
    site = alias.run_script(script)["y"].grad_fn.where()
    assert (site.file, site.line) == (str(script), 4)


def test_the_command_shows_the_script_s_own_traceback(tmp_path, capsys):
    script = write(tmp_path, "import sys\nprint(sys.argv[1:])\n1 / 0\n")
    assert main(["run", str(script), "--help", "x"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "['--help', 'x']\n"
    assert "ZeroDivisionError" in printed.err and "alias.py" not in printed.err
    assert f'File "{script}", line 3' in printed.err
    script.write_text("import sys; sys.exit(3)", encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        main(["run", str(script)])
    assert stop.value.code == 3
    with pytest.raises(SystemExit):
        main(["run", str(tmp_path / "none.py")])
    assert "no file" in capsys.readouterr().err


def test_the_command_explains_itself(capsys):
    assert main([]) == 0
    overview = capsys.readouterr().out
    assert all(command in overview for command in ("demo", "run", "doctor", "--version"))
    with pytest.raises(SystemExit) as stop:
        main(["dmeo"])
    assert stop.value.code == 2 and "Did you mean 'demo'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"microtorch {microtorch.version.MICROTORCH}\n"


def test_a_module_does_not_hide_the_function_of_its_name(tmp_path):
    script = write(
        tmp_path,
        "from torch.autograd.gradcheck import GradcheckError\n"
        "import torch.autograd.gradcheck\n"
        "found = callable(torch.autograd.gradcheck) and issubclass(GradcheckError, RuntimeError)\n",
    )
    assert alias.run_script(script)["found"]


def test_as_a_process(tmp_path):
    """In a process of its own, where the script is the only one to import anything."""
    script = write(
        tmp_path, "import torch\nprint(torch.tensor([1.0, 2.0]).sum().item(), torch.__name__)\n"
    )
    said = python("-m", "microtorch", "run", script.name, cwd=tmp_path)
    assert said == "3.0 microtorch\n"
