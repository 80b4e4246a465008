"""torch.save(model): whole modules, by the names of their classes, and never by their code."""
from __future__ import annotations

import copy
import io
import pickle
import pickletools
import zipfile
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import NamedTuple

import pytest

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn
from microtorch.files.errors import FileError


class Body(nn.Module):
    made = 0

    def __init__(self):
        super().__init__()
        type(self).made += 1
        self.first, self.bend = nn.Linear(3, 4), F.relu
        self.register_buffer("scale", torch.full((4,), 2.0))
        self.after = nn.ModuleList([nn.Dropout(0.3), nn.Sequential(nn.LayerNorm(4), nn.GRU(4, 2))])
        self.sizes, self.kind = {"in": 3}, nn.Tanh

    def forward(self, x):
        return self.after[1](self.bend(self.first(x)) * self.scale)[0]

    class Inner(nn.Module):
        pass


def written(obj, **options):
    file = io.BytesIO()
    torch.save(obj, file, **options)
    file.seek(0)
    return file


def pickled(text: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", text)
        archive.writestr("archive/version", "3\n")
    file.seek(0)
    return file


@pytest.mark.parametrize("zipped", [True, False])
def test_they_come_back_as_they_were(zipped):
    model, x = Body().eval(), torch.randn(5, 3)
    model.first.bias.requires_grad_(False)
    n = Body.made
    file = written({"model": model, "same": model}, _use_new_zipfile_serialization=zipped)
    found = torch.load(file, weights_only=False)
    back = found["model"]
    assert back is found["same"] and Body.made == n  # no __init__ has run
    assert torch.equal(back(x), model(x)) and repr(back) == repr(model) and not back.training
    assert back.sizes == {"in": 3} and back.kind is nn.Tanh and back.bend is F.relu
    assert [p.requires_grad for p in back.parameters()] == [p.requires_grad for p in
                                                            model.parameters()]  # fmt: skip
    seen = []
    back.first.register_forward_hook(lambda *args: seen.append(args))
    back.train()(x).sum().backward()
    assert len(seen) == 1 and back.first.weight.grad is not None
    assert type(torch.load(written(Body.Inner()), weights_only=False)) is Body.Inner


def test_a_module_is_refused_unless_asked_for():
    with pytest.raises(RuntimeError, match=r"weights_only=False\)(.|\n)*state_dict"):
        torch.load(written(Body()))


# what PyTorch 2.13 keeps in an object of the class, beside the dicts that all modules have
THEIRS = {
    "torch.nn.modules.linear.NonDynamicallyQuantizableLinear": "",
    "torch.nn.modules.container.Sequential": "",
    "torch.nn.modules.activation.ReLU6": "inplace max_val min_val",
    "torch.nn.modules.activation.MultiheadAttention": "_qkv_same_embed_dim batch_first embed_dim",
    "torch.nn.modules.batchnorm.BatchNorm2d": "eps momentum num_features track_running_stats",
    "torch.nn.modules.batchnorm.SyncBatchNorm": "process_group",
    "torch.nn.modules.instancenorm.InstanceNorm1d": "affine",
    "torch.nn.modules.normalization.LayerNorm": "elementwise_affine eps normalized_shape",
    "torch.nn.modules.normalization.LocalResponseNorm": "k",
    "torch.nn.modules.conv.Conv2d": "_reversed_padding_repeated_twice transposed",
    "torch.nn.modules.loss.CTCLoss": "blank zero_infinity",
    "torch.nn.modules.adaptive.AdaptiveLogSoftmaxWithLoss": "cutoffs",
    "torch.nn.modules.distance.CosineSimilarity": "dim eps",
    "torch.nn.modules.upsampling.Upsample": "recompute_scale_factor",
    "torch.nn.modules.pixelshuffle.PixelShuffle": "upscale_factor",
    "torch.nn.modules.channelshuffle.ChannelShuffle": "groups",
    "torch.nn.modules.rnn.LSTM": "_all_weights _flat_weights _flat_weights_names mode proj_size",
    "torch.nn.modules.rnn.GRUCell": "bias",
    "torch.nn.modules.transformer.TransformerEncoderLayer": "activation_relu_or_gelu",
    "torch.nn.modules.transformer.TransformerEncoder": "use_nested_tensor",
    "torch.nn.parallel.data_parallel.DataParallel": "device_ids module",
    "torchvision.models.resnet.BasicBlock": "",
}


def test_pytorchs_names_of_layers_are_known():
    from microtorch.files.modules import read, written

    for path, attributes in THEIRS.items():
        module, _, name = path.rpartition(".")
        kind = read(module, name)
        assert kind is not None and written(kind) == path
        for attribute in attributes.split():
            if hasattr(kind, attribute):
                assert attribute in kind._derived
    layers = [nn.LSTM(2, 3, 2, proj_size=1), nn.Conv2d(2, 2, 3, padding=(1, 2)), nn.ReLU6(),
              nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 4, batch_first=True), 1),
              nn.DataParallel(nn.Linear(1, 1)), nn.RNN(2, 2)]  # fmt: skip
    text = written_data(nn.ModuleList(layers))
    assert b"microtorch" not in text and b"_hooked" not in text
    for name in (b"NonDynamicallyQuantizableLinear", b"_flat_weights", b"use_nested_tensor",
                 b"RNN_TANH", b"min_val", b"_reversed_padding_repeated_twice"):  # fmt: skip
        assert name in text
    lstm, conv, _, encoder, *_ = layers
    assert lstm._all_weights[1] == [f"{k}_l1" for k in ("weight_ih", "weight_hh", "bias_ih",
                                                        "bias_hh", "weight_hr")]  # fmt: skip
    assert lstm.all_weights[1][0] is lstm.weight_ih_l1 and encoder.use_nested_tensor
    assert conv._reversed_padding_repeated_twice == (2, 2, 1, 1)
    assert copy.deepcopy(lstm).__getstate__().keys() == lstm.__getstate__().keys()


def written_data(obj):
    return zipfile.ZipFile(written(obj)).read("archive/data.pkl")


def file_of(tree):
    """A file as PyTorch writes it: (class, attributes) for a module, (name,) for a name."""
    out = []

    def put(x):
        if type(x) is tuple and len(x) == 2 and isinstance(x[1], dict):
            out.append(b"c" + x[0].encode() + b"\n)\x81q\0")  # the module opened last is number 0
            put(x[1])
            out.append(b"b")
        elif isinstance(x, dict):
            out.append(b"}(")
            for k, v in x.items():
                put(k)
                put(v)
            out.append(b"u")
        elif isinstance(x, bytes):
            out.append(x)
        else:
            out.append(pickletools.optimize(pickle.dumps(x, 2))[2:-1])

    put(tree)
    return pickled(b"\x80\x02" + b"".join(out) + b".")


def module(path="torch.nn.modules.module\nModule", **attributes):
    return path, {"_parameters": {}, "_buffers": {}, "_modules": {}, **attributes}


def test_what_a_file_lacks_is_as_init_makes_it():
    tanh = b"c__builtin__\ngetattr\n(ctorch._C\n_VariableFunctionsClass\nX\4\0\0\0tanhtR"
    gelu = b"ctorch._C._nn\ngelu\n"
    inner = module("torch.nn.modules.activation\nReLU", inplace=False)
    held = module("torch.nn.parallel.data_parallel\nDataParallel", _modules={"module": inner})
    tree = module(_modules={"a": inner, "b": held}, squash=tanh, bend=gelu)
    found = torch.load(file_of(tree), weights_only=False)
    assert {*vars(nn.Module())} <= {*vars(found)} and found.training
    assert found.squash is torch.tanh and found.bend is F.gelu
    assert found.b(torch.tensor([-1.0, 2])).tolist() == [0, 2]
    assert found.a._scope_label == "a" and not found._hooked
    found.register_forward_hook(lambda *args: None)
    found.state_dict(), found.eval(), repr(found), copy.deepcopy(found)


@pytest.mark.parametrize(("tree", "why"), [
    (module(_parameters={"w": 1.5}), r"_parameters\['w'\] of a Module is a float"),
    (module(_buffers={"w": [1]}), r"_buffers\['w'\] .* should be a Tensor or None"),
    (module(_modules={"w": {}}), r"_modules\['w'\]"),
    (module(_modules={3: None}), r"_modules\[3\]"),
    (module(_modules=[]), "lack _modules, a dict"),
    (module(training=1), "training of a Module is a int, no bool"),
    (module(_non_persistent_buffers_set=["w"]), "no set of names"),
    (module(_forward_hooks={1: b"ctorch.nn.functional\nrelu\n"}), "has hooks"),
    (module(x=b"c__builtin__\ngetattr\n(ctorch\nTensor\nX\4\0\0\0datatR"), "getattr is called"),
    (("torch.nn\nLinear", {"training": True}), "lack its _parameters"),
    (module(w=b"ctorch.nn.parameter\nUninitializedParameter\n(\x88tR"), "before its first call"),
])  # fmt: skip
def test_what_a_file_holds_is_checked(tree, why):
    with pytest.raises(FileError, match=why):
        torch.load(file_of(tree), weights_only=False)


def test_a_module_that_contains_itself_is_refused():
    model = nn.Sequential(nn.ReLU())
    model[0].back = model
    with pytest.raises(RuntimeError, match=r"cannot save: a Sequential contains itself(.|\n)*list"):
        written(model)
    for tree in (module(_modules={"a": b"h\0"}), module(x=module(_modules={"a": b"h\0"}))):
        with pytest.raises(FileError, match="a Module contains itself"):
            torch.load(file_of(tree), weights_only=False)


class Counted(nn.Module):
    """Leaves out what it can compute, and counts."""

    def __init__(self):
        super().__init__()
        self.weight, self.table, self.loads = nn.Parameter(torch.ones(2)), [1.0] * 9, 0

    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "table"}

    def __setstate__(self, state):
        super().__setstate__(state)
        self.table, self.loads = [1.0] * 9, self.loads + 1


class Plain(nn.Module):
    def __getstate__(self):
        return "nothing"

    def __setstate__(self, state):
        self.__init__()
        self.word = state


class Wrong(nn.Module):
    def __setstate__(self, state):
        raise KeyError("mine")


def test_a_classs_own_getstate_and_setstate_are_used():
    model = nn.ModuleList([Counted(), Plain()])
    data = written_data(model)
    assert b"table" not in data
    found = torch.load(written(model), weights_only=False)
    assert found[0].loads == 1 and found[0].table == [1.0] * 9 and found[1].word == "nothing"
    assert torch.equal(found[0].weight, torch.ones(2)) and len(found.state_dict()) == 1
    with pytest.raises(KeyError, match="mine"):
        torch.load(written(Wrong()), weights_only=False)
    with torch.serialization.safe_globals([Counted]):
        assert torch.load(written(Counted())).loads == 1
    with torch.serialization.safe_globals([nn.Linear]):  # by PyTorch's name, which the file has
        assert type(torch.load(written(nn.Linear(1, 1)))) is nn.Linear


class Trap:
    def __init__(self, *args):
        raise AssertionError("a file has called a class of the program")

    def make(self):
        raise AssertionError("a file has called a method of the program")


class Ends:
    def __del__(self):
        trap()


class Kind(Enum):
    TALL, WIDE = 1, 2


class Sizes(NamedTuple):
    inside: int
    outside: torch.Tensor


@dataclass
class Config:
    kind: Kind
    sizes: Sizes
    bend: object = None


class Vocabulary:
    def __init__(self, words):
        self.of = {word: i for i, word in enumerate(words)}


def twice(x):
    return x * 2


def test_what_the_program_defines_comes_back():
    model = Body()
    model.config = Config(Kind.WIDE, Sizes(3, model.scale), partial(F.softmax, dim=-1))
    model.words, model.rule, model.own = Vocabulary(["a", "b"]), twice, model.first.extra_repr
    back = torch.load(written({"model": model, "same": model.config}), weights_only=False)
    net, config = back["model"], back["same"]
    assert config is net.config and config.kind is Kind.WIDE and config.sizes.inside == 3
    assert config.sizes.outside is net.scale and config.bend.keywords == {"dim": -1}
    assert config.bend(torch.ones(1, 2)).tolist() == [[0.5, 0.5]]
    assert net.words.of == {"a": 0, "b": 1} and net.rule is twice
    assert net.own.__self__ is net.first and net.own() == net.first.extra_repr()
    with pytest.raises(FileError, match="whose classes the program has"):
        torch.load(written(model.words))
    with pytest.raises(TypeError, match="type Path"):  # an installed class is not the program's
        written(Vocabulary([type("Path", (), {"__module__": "pathlib"})()]))


def trap(*args):
    raise AssertionError("a file has called a function of the program")


HERE = __name__.encode()


@pytest.mark.parametrize(
    "text",
    [
        b"c" + HERE + b"\nTrap\nK\x01\x85R.",  # a class that is called
        b"c" + HERE + b"\nEnum\n)\x81.",  # no class of the program's
        b"c" + HERE + b"\nEnds\n)\x81.",  # it would run code when it is freed
        b"c" + HERE + b"\nKind\nK\x07\x85R.",  # no member
        b"c" + HERE + b"\nSizes\nK\x07\x85\x81.",  # too few fields
        b"cbuiltins\ngetattr\nc" + HERE + b"\nTrap\n)\x81X\x08\0\0\0__init__\x86R.",
        b"cbuiltins\ngetattr\nc" + HERE + b"\nTrap\nX\x04\0\0\0make\x86R.",
        b"cfunctools\npartial\nK\x01\x85R.",
        b"c" + HERE + b"\ntrap\n)R.",  # no class
        b"ctorch.nn\nLinear\n)R.",  # a class that is called
        b"ctorch.nn\nLinear\nK\x01\x85\x81.",  # ... or made from arguments
        b"ctorch.nn\nLinear\n)\x81}b.",  # attributes that are none
        b"ctorch.nn\nLinear\n)\x81K\x05b.",
        b"ctorch.nn.functional\nrelu\n)R.",
        b"ctorch.nn\nfunctional\n.",
        b"cmicrotorch.nn.modules\n__builtins__\n.",
        b"cbuiltins\neval\n.",
        b"cos\nsystem\n.",
    ],
)
def test_only_modules_are_made_and_nothing_is_called(text):
    with pytest.raises(FileError):
        torch.load(pickled(b"\x80\x02" + text), weights_only=False)


def test_a_member_of_an_enumeration_by_its_name():
    """As Python 3.11.0 to 3.11.3 write it."""
    text = b"\x80\x02cbuiltins\ngetattr\nc" + HERE + b"\nKind\nX\x04\0\0\0WIDE\x86R."
    assert torch.load(pickled(text), weights_only=False) is Kind.WIDE


def test_attributes_that_are_no_data_are_named():
    class Local(nn.Module):
        pass

    with pytest.raises(TypeError, match="type Local"):
        written(Local())
    model = nn.Sequential(Body())
    model[0].rule = lambda x: x
    with pytest.raises(pickle.PicklingError, match=r"type function at \._modules\['0'\]\.rule"):
        written(model)
    assert pickle.loads(pickle.dumps(Body())).sizes == {"in": 3}  # Python's own way


@pytest.mark.parametrize("zipped", [True, False])
def test_a_buffer_comes_back_as_a_tensor_of_the_module(zipped):
    module = nn.Linear(2, 2)
    module.kept, module.left = nn.Buffer(torch.ones(2)), nn.Buffer(torch.ones(1), persistent=False)
    file = io.BytesIO()
    torch.save([module, module.kept], file, _use_new_zipfile_serialization=zipped)
    file.seek(0)
    again, alone = torch.load(file, weights_only=False)
    assert again.kept is alone and type(alone) is torch.Tensor and alone.tolist() == [1, 1]
    assert [n for n, _ in again.named_buffers()] == ["kept", "left"]
    assert list(again.state_dict()) == ["weight", "bias", "kept"]
