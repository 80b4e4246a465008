"""torch.save(model): whole modules, by the names of their classes, and never by their code."""
from __future__ import annotations

import io
import pickle
import zipfile

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


def test_pytorchs_names_of_layers_are_known():
    text = written(nn.Sequential(nn.Linear(2, 2))).getvalue()
    data = zipfile.ZipFile(io.BytesIO(text)).read("archive/data.pkl")
    assert b"ctorch.nn\nSequential\n" in data and b"microtorch" not in data
    path = b"ctorch.nn.modules."
    theirs = data.replace(b"ctorch.nn\nSeq", path + b"container\nSeq")
    theirs = theirs.replace(b"ctorch.nn\nL", path + b"linear\nNonDynamicallyQuantizableL")
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(text)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, theirs if name.endswith("data.pkl") else old.read(name))
    file.seek(0)
    assert repr(torch.load(file, weights_only=False)) == repr(nn.Sequential(nn.Linear(2, 2)))


class Trap:
    def __init__(self, *args):
        raise AssertionError("a file has called a class of the program")


def trap(*args):
    raise AssertionError("a file has called a function of the program")


HERE = __name__.encode()


@pytest.mark.parametrize(
    "text",
    [
        b"c" + HERE + b"\nTrap\n)\x81.",  # no module
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


def test_attributes_that_are_no_data_are_named():
    class Local(nn.Module):
        pass

    with pytest.raises(TypeError, match="type Local"):
        written(Local())
    model = nn.Sequential(Body())
    model[0].rule = lambda x: x
    with pytest.raises(TypeError, match=r"type function at \._modules\['0'\]\.rule"):
        written(model)
    assert pickle.loads(pickle.dumps(Body())).sizes == {"in": 3}  # Python's own way
