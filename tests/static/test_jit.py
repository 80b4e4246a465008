"""torch.jit in terms of compile."""

import io
import sys
import typing

import microtorch.jit
import numpy as np
import pytest

import microtorch as torch
from microtorch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 5)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(5, 2)

    def forward(self, x):
        x = torch.flatten(x, 1)
        return self.fc2(self.drop(torch.relu(self.fc1(x))))


pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_block_of_the_introduction():
    net = Net()
    scripted_model = torch.jit.script(net)
    compiled_model = scripted_model.compile()
    assert compiled_model is scripted_model
    assert compiled_model.eval() is compiled_model and not net.training
    x = torch.randn(4, 2, 3)
    with torch.no_grad():
        for _ in range(5):
            assert torch.allclose(compiled_model(x), net(x), atol=1e-6)
    assert "def forward(self, x)" in compiled_model.code and "program(" in compiled_model.code
    assert "linear(" in str(compiled_model.graph) and "test_jit.py" in str(compiled_model.graph)


def test_trace_save_and_load(tmp_path):
    net = Net().eval()
    x = torch.randn(4, 6)
    with torch.no_grad():
        traced = torch.jit.trace(net, x)
        traced.save(tmp_path / "net.pt")
        buffer = io.BytesIO()
        torch.jit.save(traced, buffer)
        buffer.seek(0)
        for source in (tmp_path / "net.pt", buffer):
            loaded = torch.jit.load(source)
            assert torch.equal(loaded(x), net(x))
            y = torch.randn(4, 6)
            assert torch.equal(loaded(y), net(y))
    assert sum(p.numel() for p in loaded.parameters()) == sum(p.numel() for p in net.parameters())
    assert "linear" in loaded.code and "linear" in str(loaded.graph)
    with pytest.raises(RuntimeError, match="saved for"):
        loaded(torch.randn(5, 6))
    with pytest.raises(TypeError):
        loaded(x, x)
    torch.save({"a": 1}, tmp_path / "other.pt")
    with pytest.raises(RuntimeError, match="no program"):
        torch.jit.load(tmp_path / "other.pt")


def test_a_loaded_program_has_the_names_of_the_module(tmp_path):
    net = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))).eval()
    x = torch.randn(2, 4)
    with torch.no_grad():
        made = torch.jit.trace(net, example_kwarg_inputs={"input": x})
    made.save(tmp_path / "net.pt")
    loaded = torch.jit.load(tmp_path / "net.pt")
    state = {k: v for k, v in net.state_dict().items() if "num_batches" not in k}
    assert [*loaded.state_dict()] == [*state] and made.original_name == "Sequential"
    assert [n for n, _ in loaded.named_buffers()] == ["1.0.running_mean", "1.0.running_var"]
    loaded.load_state_dict({k: v * 0 for k, v in state.items()})
    assert not loaded(x).any() and net(x).any()
    assert torch.jit.wait(torch.jit.fork(torch.add, x, 1)).equal(x + 1)


def test_a_loaded_file_calls_kernels_only(tmp_path):
    from microtorch.static.stored import function_of

    for kind, name in (("numpy", "fromfile"), ("numpy", "save"), ("method", "tofile"),
                       ("kernel", "__class__"), ("operator", "call"), ("draw", "os.system"),
                       ("numpy", "lib.npyio.load"), ("os", "system")):  # fmt: skip
        with pytest.raises(ValueError):
            function_of(kind, name, torch.zeros(1).node.dev)


def test_a_file_whose_program_is_none():
    """Each field taken out, and some replaced."""
    file = io.BytesIO()
    with torch.no_grad():
        torch.jit.trace(Net().eval(), torch.ones(2, 6)).save(file)
    data = torch.load(io.BytesIO(file.getvalue()))
    fields = ("name", "steps", "leaves", "values", "outputs", "gives", "fresh", "arrays")
    for other in [{k: v for k, v in data.items() if k != field} for field in fields] + [
        {**data, "steps": [["x"]]}, {**data, "values": 3}, {**data, "outputs": ["?", 3]}
    ]:  # fmt: skip
        file = io.BytesIO()
        torch.save(other, file)
        file.seek(0)
        with pytest.raises(RuntimeError, match="the file is damaged"):
            torch.jit.load(file)


def test_a_program_that_no_file_can_hold_is_not_saved():
    bag = nn.EmbeddingBag(5, 2).eval()
    with torch.no_grad():
        traced = torch.jit.trace(bag, (torch.tensor([1, 2, 3]), torch.tensor([0, 2])))
    with pytest.raises(RuntimeError, match=r"bags at test_jit\.py:\d+ cannot be saved"):
        traced.save(io.BytesIO())


def test_functions_errors_and_names():
    f = torch.jit.script(lambda x: x * 2 + 1)
    assert torch.equal(f.compile(torch.ones(3))(torch.ones(3)), torch.full((3,), 3.0))
    assert "mul" in str(f.graph)
    assert f.inlined_graph is f.graph
    with pytest.raises(RuntimeError, match="item"):
        torch.jit.trace(lambda x: x * x.sum().item(), torch.ones(3))
    chooses = torch.jit.script(lambda x: x if x.sum() > 0 else -x)
    with pytest.warns(UserWarning, match="a condition such as `if x > 0`"):
        for sign in (1, 1, -1):
            assert chooses(torch.full((3,), float(sign))).tolist() == [1, 1, 1]
    with pytest.raises(TypeError):
        torch.jit.script(3)
    with pytest.raises(RuntimeError, match="eval"):
        torch.jit.freeze(torch.jit.script(Net()))

    @torch.jit.ignore
    def a(x):
        return x

    @torch.jit.unused
    @torch.jit.export
    def b(x):
        return x

    assert a(1) == b(1) == 1 and not torch.jit.is_scripting()
    with pytest.raises(RuntimeError, match="no program yet"):
        torch.jit.script(lambda x: x).save(io.BytesIO())  # which has no name to be found by
    net, x = Net().eval(), torch.ones(2, 6)
    buffer = io.BytesIO()
    torch.jit.script(net).save(buffer)  # before any call: the module, by its class
    buffer.seek(0)
    assert torch.equal(torch.jit.load(buffer)(x), net(x))
    draws = torch.jit.trace(lambda x: x + torch.rand(3), torch.ones(3))
    buffer = io.BytesIO()
    draws.save(buffer)
    buffer.seek(0)
    torch.manual_seed(0)
    got = torch.jit.load(buffer)(torch.ones(3))
    torch.manual_seed(0)
    np.testing.assert_array_equal(got.numpy(), (torch.ones(3) + torch.rand(3)).numpy())


def test_a_trace_holds_what_a_library_asks_of_other_modules():
    def f(x):
        return x * 2 if "no_such_module" not in sys.modules else x

    x = torch.ones(3)
    assert torch.equal(torch.jit.trace(f, x)(x), f(x))
    compiled = torch.compile(f)
    with pytest.warns(UserWarning, match=r"sys\.modules"):
        compiled(x), compiled(x)  # which would have to see that one was imported


def test_a_script_module_of_the_users_own():
    class Net(torch.jit.ScriptModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        @torch.jit.script_method
        def forward(self, x):
            return self.layer(x)

    net, x = Net(), torch.ones(3, 2)
    assert list(net.state_dict()) == ["layer.weight", "layer.bias"]
    assert torch.equal(torch.jit.script(net)(x), net(x))
    with pytest.raises(RuntimeError, match="not a recorded module"):
        net.save("nowhere")


def test_scripted_and_traced_modules_print_their_classes():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList([nn.Tanh()])

        def forward(self, x):
            return self.parts[0](x)

    assert repr(torch.jit.script(nn.ReLU())) == "RecursiveScriptModule(original_name=ReLU)"
    assert repr(torch.jit.trace(Two(), torch.ones(2))) == (
        "Two(\n  original_name=Two\n  (parts): ModuleList(\n    original_name=ModuleList\n"
        "    (0): Tanh(original_name=Tanh)\n  )\n)"
    )
    scripted = repr(torch.jit.script(Two())).splitlines()
    assert scripted[0] == "RecursiveScriptModule(" and scripted[1] == "  original_name=Two"
    assert scripted[4] == "    (0): RecursiveScriptModule(original_name=Tanh)"

    class Own(torch.jit.ScriptModule):
        pass

    assert repr(Own()) == "Own()"


def test_a_script_of_a_class_is_the_class():
    @torch.jit.script
    class Pair:
        def __init__(self, x: torch.Tensor):
            self.x = x

        def twice(self) -> torch.Tensor:
            return self.x * 2

    assert Pair(torch.ones(2)).twice().tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="consider passing an instance"):
        torch.jit.script(nn.Linear)


def test_a_raise_inside_of_a_script_can_be_caught_as_elsewhere():
    @torch.jit.script
    def checked(x, n: int):
        if n < 1:
            raise ValueError("n is too small")
        return x * n

    with pytest.raises((torch.jit.Error, ValueError), match="too small"):
        checked(torch.ones(2), 0)


def test_a_script_has_the_modules_state():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    for script in (torch.jit.script(net), torch.jit.trace(net, torch.ones(4, 2))):
        assert list(script.state_dict()) == list(net.state_dict())
        assert [name for name, _ in script.named_modules()] == ["", "0", "1", "2"]
        script.eval()
        assert not (net.training or net[2].training or script.training)
        before = script(torch.ones(4, 2)).sum().item()
        script.load_state_dict({k: v + 1 for k, v in net.state_dict().items()})
        assert script(torch.ones(4, 2)).sum().item() != before
        assert torch.equal(script(torch.ones(4, 2)), net(torch.ones(4, 2)))
        script.train()
        assert net.training and net[2].training


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x)

    def twice(self, x):
        return self.layer(x) * 2


def test_the_classes_are_those_of_pytorch():
    x, net = torch.ones(1, 2), nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    scripted, traced = torch.jit.script(net), torch.jit.trace(net, x)
    assert type(scripted) is torch.jit.RecursiveScriptModule
    assert type(traced) is torch.jit.TopLevelTracedModule
    assert len(scripted) == 2 and scripted[1] in scripted and [*scripted][1] is net[1]
    assert scripted and torch.jit.script(Two())  # true, although there is a __len__
    with pytest.raises(TypeError, match="len"):
        len(torch.jit.script(Two()))
    f = torch.jit.script(torch.relu)
    assert f.name == "relu" and f.qualified_name == "__torch__.relu"
    outer = nn.Sequential(traced, scripted)
    lines = repr(torch.jit.script(outer)).splitlines()
    assert lines[2] == "  (0): Sequential(" and "    (0): Linear(original_name=Linear)" in lines
    assert "  (1): RecursiveScriptModule(" in lines


def test_a_loaded_module_is_a_script_module_that_can_be_saved_again(tmp_path):
    net, x = Two().eval(), torch.ones(1, 2)
    f = io.BytesIO(torch.jit.trace(net, x).save_to_buffer())
    loaded = torch.jit.load(f)
    assert isinstance(loaded, torch.jit.ScriptModule) and loaded.original_name == "Two"
    assert repr(loaded).splitlines()[2] == "  (layer): RecursiveScriptModule(original_name=Linear)"
    with torch.no_grad():
        loaded.layer.weight.add_(1)
    loaded.save(tmp_path / "again.pt", _extra_files={"classes.txt": "cat\ndog", "b": b"1"})
    extra = {"classes.txt": "", "other": ""}
    again = torch.jit.load(tmp_path / "again.pt", _extra_files=extra)
    assert extra == {"classes.txt": b"cat\ndog", "other": ""}
    assert torch.equal(again(x), loaded(x)) and not torch.equal(again(x), net(x))
    with pytest.raises(ValueError, match="does not exist"):
        torch.jit.load(tmp_path / "nowhere.pt")
    with pytest.raises(ValueError, match="is a directory"):
        torch.jit.load(tmp_path)


def test_a_loaded_program_drops_no_gradient():
    x = torch.ones(1, 2, requires_grad=True)
    loaded = torch.jit.load(io.BytesIO(torch.jit.trace(Two(), x).save_to_buffer()))
    with pytest.raises(RuntimeError, match="requires grad"):
        loaded(x)
    with torch.no_grad():
        assert loaded(x).shape == (1, 2)
    assert loaded(x.detach()).shape == (1, 2)


def test_each_method_that_is_named_is_traced():
    net, x = Two(), torch.ones(1, 2)
    made = torch.jit.trace_module(net, {"forward": x, "twice": (torch.zeros(1, 2),)})
    assert torch.equal(made.twice(x), net.twice(x)) and torch.equal(made(x), net(x))
    assert isinstance(made.twice, torch.jit.ScriptFunction)
    only = torch.jit.trace_module(net, {"twice": x})
    assert torch.equal(only.twice(x), net.twice(x))


def test_what_pytorchs_compiler_is_told_changes_nothing():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.d = torch.jit.Attribute(0.5, float)

        @torch.jit.ignore(drop=True)
        def unseen(self):
            return 1

        def forward(self, x):
            return x * self.d * self.unseen()

    assert torch.jit.script(Half())(torch.ones(1)).tolist() == [0.5]
    future = torch.jit.fork(torch.add, torch.ones(1), 1)
    assert isinstance(future, torch.jit.Future) and future.done()
    assert future.then(lambda f: f.value() * 2).wait().tolist() == [4]
    given, of = torch.jit.isinstance, typing
    assert given([1, 2], of.List[int]) and not given([1, "a"], of.List[int])
    assert given({"a": torch.ones(1)}, of.Dict[str, torch.Tensor]) and given(None, int | None)
    assert given((1, "a"), of.Tuple[int, str]) and not given((1,), of.Tuple[int, str])
    assert given((1, 2), of.Tuple[int, ...]) and given(1, (str, int)) and given(1, of.Any)
    with torch.jit.fuser("fuser1"), torch.jit.optimized_execution(True), torch.jit.strict_fusion():
        torch.jit.enable_onednn_fusion(True)
    assert torch.jit.onednn_fusion_enabled() and torch.jit.script([1]) == [1]
    torch.jit.enable_onednn_fusion(False)
    with pytest.raises(RuntimeError, match="expects a ScriptModule"):
        torch.jit.freeze(nn.ReLU())
    with pytest.raises(AttributeError, match=r"torch\.jit"):
        getattr(torch.jit, "scrip")  # noqa: B009
