"""nn.Module: registration, walks, hooks, copies."""

import copy
import gc
import pickle
import sys
import weakref
from collections import OrderedDict

import pytest
from networks import Net

import microtorch as torch
from microtorch import nn


def test_registration():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "fc1.weight",
        "fc1.bias",
        "seq.0.weight",
        "seq.0.bias",
    ]
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == []
    assert [name for name, _ in net.named_buffers()] == ["mean", "cache"]
    assert [name for name, _ in net.named_modules()] == ["", "fc1", "act", "seq", "seq.0", "seq.1"]
    assert [name for name, _ in net.named_children()] == ["fc1", "act", "seq"]
    assert list(net.children()) == [net.fc1, net.act, net.seq]
    assert len(list(net.parameters())) == 4 and len(list(net.buffers())) == 2
    assert {"fc1", "mean", "forward"} <= set(dir(net))
    net.fc1 = None
    assert net.fc1 is None and len(list(net.parameters())) == 2
    del net.seq
    assert not hasattr(net, "seq")
    net.plain = 3
    net.plain = nn.Parameter(torch.zeros(1))
    assert "plain" in dict(net.named_parameters()) and "plain" not in net.__dict__


def test_shared_parameters_come_once():
    layer = nn.Linear(2, 2)
    both = nn.Sequential(layer, nn.Tanh(), layer)
    assert len(list(both.parameters())) == 2
    assert len(list(both.named_parameters(remove_duplicate=False))) == 4
    assert list(both.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(list(both.modules())) == 3
    both(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is not None


class EarlyLayer(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(1, 1)


class EarlyParameter(nn.Module):
    def __init__(self):
        self.w = nn.Parameter(torch.zeros(1))


class EarlyBuffer(nn.Module):
    def __init__(self):
        self.register_buffer("b", torch.zeros(1))


class NeverInitialised(nn.Module):
    def __init__(self):
        self.width = 3


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (EarlyLayer, AttributeError, r"cannot assign module before Module.__init__\(\) call"),
        (
            EarlyParameter,
            AttributeError,
            r"cannot assign parameters before Module.__init__\(\) call",
        ),
        (EarlyBuffer, AttributeError, r"cannot assign buffer before Module.__init__\(\) call"),
        (
            lambda: NeverInitialised().weight,
            AttributeError,
            r"super\(\).__init__\(\) has not been called",
        ),
        (
            lambda: Net().fcl,
            AttributeError,
            "'Net' object has no attribute 'fcl'. Did you mean 'fc1'?",
        ),
        (
            lambda: nn.Module()(1),
            NotImplementedError,
            r'Module \[Module\] is missing the required "forward" function',
        ),
        (
            lambda: setattr(Net(), "fc1", 3),
            TypeError,
            r"cannot assign 'int' as child module 'fc1' \(torch.nn.Module",
        ),
        (
            lambda: setattr(Net().fc1, "weight", torch.zeros(2)),
            TypeError,
            r"cannot assign 'torch.FloatTensor' as parameter 'weight' "
            r"\(torch.nn.Parameter or None expected\)",
        ),
        (lambda: setattr(Net(), "mean", 3), TypeError, "cannot assign 'int' as buffer 'mean'"),
        (
            lambda: setattr(Net().fc1, "weight", nn.Tanh()),
            TypeError,
            r"cannot assign '.*Tanh' as parameter 'weight'",
        ),
        (
            lambda: setattr(Net(), "fc1", nn.Buffer(torch.zeros(2))),
            TypeError,
            "cannot assign 'torch.FloatTensor' as child module 'fc1'",
        ),
        (
            lambda: setattr(Net().fc1, "in_features", nn.Buffer(torch.zeros(2))),
            KeyError,
            "attribute 'in_features' already exists",
        ),
        (lambda: Net().register_buffer("a.b", None), KeyError, r"buffer name can\\?'t contain"),
        (lambda: Net().register_buffer("fc1", None), KeyError, "attribute 'fc1' already exists"),
        (
            lambda: Net().register_buffer("forward", None),
            KeyError,
            "attribute 'forward' already exists",
        ),
        (
            lambda: Net().register_buffer("q", 3),
            TypeError,
            "cannot assign 'int' object to buffer 'q'",
        ),
        (lambda: Net().register_parameter("", None), KeyError, r"can\\?'t be empty string"),
        (
            lambda: Net().register_parameter(3, None),
            TypeError,
            "parameter name should be a string. Got int",
        ),
        (
            lambda: Net().register_parameter("q", torch.zeros(1)),
            TypeError,
            "'torch.FloatTensor' object to parameter",
        ),
        (lambda: Net().add_module("q", 3), TypeError, "int is not a Module subclass"),
        (lambda: Net().get_submodule("seq.9"), AttributeError, "Sequential has no attribute `9`"),
        (lambda: Net().get_submodule("fc1.weight"), AttributeError, "`weight` is not an nn.Module"),
        (lambda: Net().get_parameter("fc1"), AttributeError, "`fc1` is not an nn.Parameter"),
        (lambda: Net().get_buffer("fc1.weight"), AttributeError, "`weight` is not a buffer"),
        (lambda: Net().train(3), ValueError, "training mode is expected to be boolean"),
        (lambda: Net().to(torch.int64), TypeError, "only accepts floating point"),
        (
            lambda: nn.Parameter(torch.zeros(2, dtype=torch.int64)),
            RuntimeError,
            "nly Tensors of floating point",
        ),
    ],
)
def test_module_mistakes(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_get_by_path():
    net = Net()
    assert net.get_submodule("seq.0") is net.seq[0] and net.get_submodule("") is net
    assert net.get_parameter("seq.0.bias") is net.seq[0].bias
    assert net.get_buffer("mean") is net.mean


def test_error_names_the_layer_and_its_path():
    net = nn.Sequential(OrderedDict(body=Net()))
    with pytest.raises(RuntimeError, match=r"\(2x5 and 3x4\)") as caught:
        net(torch.zeros(2, 5))
    text = str(caught.value) + "\n".join(getattr(caught.value, "__notes__", []))
    assert "Linear(in_features=3, out_features=4, bias=True)" in text
    assert text.count("raised in ") == 1 and "raised in Sequential.body.fc1: Linear(" in text


def test_nodes_know_the_modules_that_made_them():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(2, 2)])
            self.layers.append(nn.Sequential(nn.Tanh()))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x * 2

    net = Deep()
    y = net(torch.ones(1, 2))
    tanh = y.grad_fn.inputs[0]
    assert [scope.label for scope in y.grad_fn.scope.path()] == ["Deep"]
    assert [scope.label for scope in tanh.scope.path()] == ["Deep", "layers.1", "0"]
    assert tanh.scope.module() is net.layers[1][0]
    assert (y * 1).grad_fn.scope is None


def test_repr():
    assert repr(Net()) == (
        "Net(\n"
        "  (fc1): Linear(in_features=3, out_features=4, bias=True)\n"
        "  (act): ReLU()\n"
        "  (seq): Sequential(\n"
        "    (0): Linear(in_features=4, out_features=2, bias=True)\n"
        "    (1): Dropout(p=0.1, inplace=False)\n"
        "  )\n"
        ")"
    )
    assert (
        repr(nn.Parameter(torch.zeros(2)))
        == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"
    )


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Linear(3, 2, bias=False), "Linear(in_features=3, out_features=2, bias=False)"),
        (
            nn.Bilinear(1, 2, 3),
            "Bilinear(in1_features=1, in2_features=2, out_features=3, bias=True)",
        ),
        (nn.Identity(1, a=2), "Identity()"),
        (nn.ReLU(True), "ReLU(inplace=True)"),
        (nn.LeakyReLU(0.2, True), "LeakyReLU(negative_slope=0.2, inplace=True)"),
        (nn.ELU(), "ELU(alpha=1.0)"),
        (nn.GELU("tanh"), "GELU(approximate='tanh')"),
        (nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
        (nn.Hardtanh(-2, 3), "Hardtanh(min_val=-2, max_val=3)"),
        (nn.PReLU(), "PReLU(num_parameters=1)"),
        (nn.Softmax(1), "Softmax(dim=1)"),
        (nn.LogSoftmax(), "LogSoftmax(dim=None)"),
        (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
        (nn.Unflatten(1, (2, 3)), "Unflatten(dim=1, unflattened_size=(2, 3))"),
        (nn.MSELoss(), "MSELoss()"),
        (nn.Sequential(), "Sequential()"),
        (nn.ModuleList(), "ModuleList()"),
    ],
)
def test_layer_repr(module, text):
    assert repr(module) == text


def test_modes_and_gradients():
    net = Net()
    assert net.training and net.eval() is net and not net.seq[1].training
    assert net.train().seq[1].training
    net(torch.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.fc1.weight.grad.abs().sum().item() == 0
    net.zero_grad()
    assert net.fc1.weight.grad is None
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())
    seen = []
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Linear", "ReLU", "Linear", "Dropout", "Sequential", "Net"]


def test_dtypes():
    net = Net()
    net.register_buffer("steps", torch.zeros(1, dtype=torch.int64))
    weight = net.fc1.weight
    net(torch.ones(1, 3)).sum().backward()
    assert net.double() is net and net.fc1.weight is weight
    assert weight.dtype is torch.float64 and weight.grad.dtype is torch.float64 and weight.is_leaf
    assert net.mean.dtype is torch.float64 and net.steps.dtype is torch.int64
    assert net.to(torch.float32).fc1.weight.dtype is torch.float32
    assert net.half().fc1.weight.dtype is torch.float16
    assert net.float().to("cpu").cpu().fc1.weight.dtype is torch.float32
    assert net.to("cpu", torch.float64).fc1.weight.dtype is torch.float64
    assert net.to(torch.zeros(1)).fc1.weight.dtype is torch.float32
    assert net.to(dtype=torch.float64).steps.dtype is torch.int64


def test_a_memory_format_is_that_of_images_and_volumes():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(4, 2)).to(memory_format=torch.channels_last)
    assert net[0].weight.stride() == (27, 1, 9, 3) and net[0].bias.stride() == (1,)
    assert net[1].weight.is_contiguous()
    net.to("cpu", torch.float64, memory_format=torch.contiguous_format)
    assert net[0].weight.is_contiguous() and net[0].weight.dtype is torch.float64
    volume = nn.Conv3d(2, 3, 2).to(memory_format=torch.channels_last_3d)
    assert volume.weight.stride() == (16, 1, 8, 4, 2)
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        volume.to(memory_format=torch.channels_last)


def test_hooks():
    class Plain(nn.Module):
        def forward(self, x, **kwargs):
            return x

    calls = []
    layer = Plain()
    pre = layer.register_forward_pre_hook(lambda m, args: calls.append("pre") or args[0] + 1)
    layer.register_forward_hook(lambda m, args, out: calls.append("hook"))
    first = layer.register_forward_hook(
        lambda m, args, kwargs, out: calls.append(kwargs) or out * 10,
        prepend=True,
        with_kwargs=True,
    )
    assert layer(torch.tensor(1.0), flag=2).item() == 20
    assert calls == ["pre", {"flag": 2}, "hook"]
    pre.remove()
    first.remove()
    assert layer(torch.tensor(1.0)).item() == 1
    with layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {}), with_kwargs=True):
        assert layer(torch.tensor(2.0), any=1).item() == 2
    with pytest.raises(TypeError, match="callable"):
        layer.register_forward_hook(3)


def test_copies():
    net = Net()
    twin = copy.deepcopy(net)
    assert torch.equal(twin.fc1.weight, net.fc1.weight) and twin.fc1.weight is not net.fc1.weight
    with torch.no_grad():
        twin.fc1.weight.zero_()
    assert net.fc1.weight.abs().sum().item() > 0
    assert isinstance(twin.fc1.weight, nn.Parameter) and twin.fc1.weight.requires_grad
    back = pickle.loads(pickle.dumps(net))
    assert torch.equal(back.fc1.weight, net.fc1.weight) and isinstance(
        back.fc1.weight, nn.Parameter
    )
    assert back.fc1.weight.requires_grad


def test_modules_are_freed_by_reference_counting():
    gc.disable()
    try:
        net = Net()
        net(torch.ones(1, 3)).sum().backward()
        gone = weakref.ref(net), weakref.ref(net.fc1.weight)
        del net
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()


def test_flatten_and_unflatten():
    x = torch.zeros(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12) and nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, -1))(torch.zeros(2, 12)).shape == (2, 3, 4)


def record_calls(module, args):
    module.seen = [*getattr(module, "seen", []), len(args)]


def record_kwargs(module, args, kwargs, output):
    module.named = sorted(kwargs)


def first_of_all(module, state, prefix, *rest):
    module.prefix = prefix


def test_hooks_are_stored_as_given_and_go_with_copies_and_pickles():
    layer = nn.Linear(2, 2)
    plain = layer.register_forward_pre_hook(record_calls)
    named = layer.register_forward_hook(record_kwargs, with_kwargs=True, always_call=True)
    layer.register_load_state_dict_pre_hook(first_of_all)
    assert list(layer._forward_pre_hooks.values()) == [record_calls]
    assert plain.id in plain.hooks_dict_ref() and named.id in layer._forward_hooks_with_kwargs
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        other(input=torch.ones(2))
        other.load_state_dict(layer.state_dict())
        assert (other.seen, other.named, other.prefix) == ([0], ["input"], "")
    assert not hasattr(layer, "prefix")  # nor did the copies' hooks reach the original
    named.remove()
    assert not layer._forward_hooks_with_kwargs and not layer._forward_hooks_always_called


def test_a_handle_may_be_made_before_its_hook():
    hooks, more = OrderedDict(), OrderedDict()
    handle = torch.utils.hooks.RemovableHandle(hooks, extra_dict=more)
    hooks[handle.id] = more[handle.id] = print
    handle.remove()
    assert not hooks and not more


class Counted(nn.Module):
    """A module that is asked for what is not there."""

    kept = "of the class"

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("none", None)
        self.fc = nn.Linear(2, 2)

    @property
    def fails(self):
        raise AttributeError("of the property")


class Asked(Counted):
    def __getattr__(self, name):
        return name if name.startswith("any") or name == "weight" else super().__getattr__(name)


@pytest.mark.parametrize("getattr_of", [getattr, lambda m, name: type(m).__getattr__(m, name)])
def test_members_are_found_in_one_order(getattr_of):
    m = Counted()
    assert getattr_of(m, "weight") is m._parameters["weight"]
    assert getattr_of(m, "mean") is m._buffers["mean"] and getattr_of(m, "none") is None
    assert getattr_of(m, "fc") is m._modules["fc"]
    m._buffers["fc"] = m._modules["weight"] = 1  # parameters before modules before buffers
    assert getattr_of(m, "weight") is m._parameters["weight"]
    assert getattr_of(m, "fc") is m._modules["fc"]
    for name in ("weights", "fails", "\u00e9", ""):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
            getattr_of(m, name)
    fc, m._modules = m.fc, OrderedDict(late=m.fc)  # of an older file
    assert getattr_of(m, "late") is fc
    del m._parameters
    with pytest.raises(AttributeError, match="super"):
        getattr_of(m, "mean")


def test_members_of_subclasses_and_deleted_ones():
    m = Asked()
    assert m.anything == "anything" and m.weight == "weight" and m.mean is m._buffers["mean"]
    with pytest.raises(AttributeError, match="'Asked' object has no attribute 'wrong'"):
        m.wrong  # noqa: B018
    m = Counted()
    m._parameters["kept"] = m.weight  # what the class has comes first
    assert m.kept == "of the class" and m.__getattr__("kept") is m.weight
    m.__dict__["mean"] = 3  # and what the object has
    assert m.mean == 3
    del m.mean, m.weight  # the buffer goes first
    assert m.mean == 3
    with pytest.raises(AttributeError, match="weight"):
        m.weight  # noqa: B018
    with pytest.raises(AttributeError, match="super"):
        Counted.__new__(Counted).weight  # noqa: B018
    for wrong in ([], 5):
        with pytest.raises((TypeError, AttributeError)):
            m.__getattr__(wrong)
    with pytest.raises(TypeError):
        nn.Module.__getattr__(torch.ones(1), "weight")


def test_a_member_is_not_held_by_who_asked():
    m = Counted()
    before = sys.getrefcount(m.weight), sys.getrefcount(m.__dict__)
    for _ in range(100):
        m.weight, m.mean, m.fc  # noqa: B018
        getattr(m, "wrong", None)
    assert (sys.getrefcount(m.weight), sys.getrefcount(m.__dict__)) == before
