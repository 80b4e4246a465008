"""torch.save and torch.load: all comes back as it was, no code is run, damage is noticed."""

import io
import json
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn


def through(obj):
    buffer = io.BytesIO()
    torch.save(obj, buffer)
    buffer.seek(0)
    return torch.load(buffer)


def same(a, b):
    """Equal in type, structure and value?"""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return (a.dtype, a.shape, a.requires_grad) == (
            b.dtype,
            b.shape,
            b.requires_grad,
        ) and np.array_equal(
            a.detach().numpy(), b.detach().numpy(), equal_nan=a.is_floating_point()
        )
    if isinstance(a, dict):
        return [*a] == [*b] and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


@pytest.mark.parametrize(
    "obj",
    [
        None, True, 3, -(2**80), 2.5, float("inf"), float("-inf"), float("nan"), "text ü\n", "",
        b"\x00\xff", 1 + 2j,
        [], (), {}, [1, [2, (3, "4")]], {"a": 1, 2: "b", (1, 2): [None]}, OrderedDict(b=1, a=2),
        {1.5, 2.5}, frozenset({"x"}),
        torch.float64, torch.device("cpu"), torch.Size([2, 3]), np.arange(3), np.float32(1.5),
    ],
    ids=repr,
)  # fmt: skip
def test_plain_objects(obj):
    assert same(obj, through(obj))


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)], ids=str)
def test_tensors(dtype, shape):
    t = torch.from_numpy((np.arange(np.prod(shape, dtype=int)) % 2).reshape(shape).astype(dtype))
    assert same(t, through(t))


def test_special_values_layouts_and_gradients():
    t = torch.tensor([float("nan"), float("inf"), -0.0, 1e-45])
    back = through(t)
    assert same(t, back) and np.signbit(back.numpy()[2])
    strided = torch.arange(12.0).view(3, 4).t()[1:, ::2]
    assert same(strided, through(strided)) and through(strided).is_contiguous()
    x = torch.ones(2, requires_grad=True)
    assert through(x).requires_grad and through(x).is_leaf
    y = through(x * 2)
    assert y.requires_grad and y.is_leaf
    assert not through(x.detach()).requires_grad


def test_loaded_tensors_can_be_written():
    t = through(torch.zeros(3))
    t += 1
    assert t.tolist() == [1, 1, 1]


def test_parameters_stay_parameters():
    p = nn.Parameter(torch.ones(2), requires_grad=False)
    back = through(p)
    assert isinstance(back, nn.Parameter) and not back.requires_grad


def test_shared_memory_is_shared_again():
    w = torch.ones(1000)
    buffer = io.BytesIO()
    torch.save({"encoder": w, "decoder": w.detach()}, buffer)
    assert len(buffer.getvalue()) < 2 * 4000
    buffer.seek(0)
    back = torch.load(buffer)
    back["encoder"][0] = 5
    assert back["decoder"][0] == 5


def test_training_goes_on_as_if_nothing_had_happened(tmp_path):
    def make():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def train(model, optimizer, n):
        for i in range(n):
            optimizer.zero_grad()
            model(torch.full((2, 3), float(i))).pow(2).sum().backward()
            optimizer.step()

    model, optimizer = make()
    train(model, optimizer, 3)
    path = tmp_path / "checkpoint.pt"
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        },
        path,
    )
    expected = torch.rand(2)
    train(model, optimizer, 3)
    state = torch.load(path, map_location="cpu", weights_only=True)
    other, other_optimizer = make()
    other.load_state_dict(state["model"])
    other_optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    train(other, other_optimizer, 3)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )
    assert torch.equal(torch.rand(2), expected)


def test_the_same_data_give_the_same_bytes():
    a, b = io.BytesIO(), io.BytesIO()
    for f in (a, b):
        torch.save({"w": torch.arange(3)}, f)
    assert a.getvalue() == b.getvalue()


def test_the_file_is_a_zip_archive_that_explains_itself():
    buffer = io.BytesIO()
    torch.save([torch.ones(2, 3)], buffer)
    with zipfile.ZipFile(buffer) as archive:
        manifest = json.loads(archive.read("microtorch.json"))
        assert manifest == {
            "format": "microtorch",
            "version": 1,
            "root": ["list", [["tensor", 0, False]]],
            "storages": [["float32", [2, 3]]],
        }
        assert archive.read("data/0") == np.ones(6, "<f4").tobytes()


# ---- refusals -----------------------------------------------------------------------------------
class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    "obj", [Evil(), {"a": [Evil()]}, lambda: 0, object, np.array(["a"]), OrderedDict]
)
def test_what_cannot_be_saved_leaves_no_file(obj, tmp_path):
    path = tmp_path / "f.pt"
    with pytest.raises(TypeError):
        torch.save(obj, path)
    assert not path.exists()


def test_whole_modules_are_refused_with_advice():
    with pytest.raises(TypeError, match=r"type Linear(.|\n)*torch.save\(model.state_dict\(\), f\)"):
        torch.save(nn.Linear(1, 1), io.BytesIO())
    with pytest.raises(TypeError, match=r"at \['a'\]\[0\]"):
        torch.save({"a": [object()]}, io.BytesIO())


def test_an_object_that_contains_itself():
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        torch.save(loop, io.BytesIO())
    shared = [1]
    assert through([shared, shared]) == [[1], [1]]


def pytorch_file():
    """What torch.save makes: a zip archive with a pickle in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil()))
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [pickle.dumps(Evil()), pickle.dumps({"w": 1}, 2), pytorch_file()],
    ids=["pickle", "old", "zip"],
)
def test_files_of_pytorch_are_not_executed(data, capsys):
    with pytest.raises(RuntimeError, match=r"written by PyTorch(.|\n)*np.savez"):
        torch.load(io.BytesIO(data))
    assert capsys.readouterr().out == ""


def example():
    buffer = io.BytesIO()
    torch.save(
        {"w": torch.arange(100.0), "n": [1, 2, "x"], "b": torch.ones(3, dtype=torch.int64)}, buffer
    )
    return buffer.getvalue()


def test_every_truncation_is_noticed():
    data = example()
    for n in range(0, len(data), 7):
        with pytest.raises(RuntimeError, match="cannot load"):
            torch.load(io.BytesIO(data[:n]))


def test_every_flipped_byte_is_noticed_or_harmless():
    data = example()
    original = torch.load(io.BytesIO(data))
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x55
        try:
            found = torch.load(io.BytesIO(bytes(damaged)))
        except RuntimeError:
            continue
        assert same(original, found), place  # a byte that means nothing, such as a permission flag


@pytest.mark.parametrize(
    "manifest",
    [
        [], {}, {"format": "other"}, {"format": "microtorch", "version": 2},
        {"root": ["tensor", 5, False]}, {"root": ["tensor", -1, False]},
        {"root": ["tensor", "0", False]}, {"root": ["tensor"]},
        {"root": ["eval", "1"]}, {"root": []}, {"root": ["list", 3]}, {"root": ["dict", [[1]]]},
        {"root": ["dict", [[["list", []], 1]]]},
        {"root": ["tensor", 0, False], "storages": [["object", [2]]]},
        {"root": ["tensor", 0, False], "storages": [["float32", [3]]]},
        {"root": ["tensor", 0, False], "storages": [["float32", [-2, -1]]]}, {"root": {"a": 1}},
        {"root": ["bytes", "zz"]},
        {"root": ["tensor", 0, False], "storages": [["float32", [2**70]]]},
        {"root": ["device", "nowhere"]},
        {"root": ["parameter", 0, True], "storages": [["int64", [1]]]},
    ],
    ids=str,
)  # fmt: skip
def test_manifests_are_checked(manifest):
    if isinstance(manifest, dict) and "root" in manifest:
        manifest = {
            "format": "microtorch",
            "version": 1,
            "storages": [["float32", [2]]],
            **manifest,
        }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("microtorch.json", json.dumps(manifest))
        archive.writestr("data/0", np.ones(2, "<f4").tobytes())
    with pytest.raises(RuntimeError):
        torch.load(io.BytesIO(buffer.getvalue()))


def test_deep_nesting_and_compression_are_refused():
    for text, options in (
        ("[" * 100_000 + "]" * 100_000, {}),
        ('{"format": "microtorch"}', {"compression": zipfile.ZIP_DEFLATED}),
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", **options) as archive:
            archive.writestr("microtorch.json", text)
        with pytest.raises(RuntimeError, match="cannot load"):
            torch.load(io.BytesIO(buffer.getvalue()))


def test_arguments(tmp_path):
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "absent.pt")
    with pytest.raises(TypeError, match="not int"):
        torch.load(3)
    with pytest.raises(TypeError, match="binary mode"):
        torch.load(io.StringIO("text"))
    path = tmp_path / "t.pt"
    torch.save(torch.ones(2), str(path))
    assert torch.load(path, map_location=torch.device("cpu")).tolist() == [1, 1]
    assert torch.load(path, map_location={"cuda:0": "cpu"}, weights_only=False).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="'cuda' is not available"):
        torch.load(path, map_location="cuda")
    with pytest.raises(TypeError, match="map_location"):
        torch.load(path, map_location=3)
