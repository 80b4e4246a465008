"""torch.save and torch.load: all comes back as it was, no code is run, damage is noticed."""

import datetime
import io
import json
import pickle
import pickletools
import zipfile
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn


def through(obj, **options):
    buffer = io.BytesIO()
    torch.save(obj, buffer)
    buffer.seek(0)
    return torch.load(buffer, **options)


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
        {1.5, 2.5}, set(), b"", bytearray(b"x"), Counter("aab"),
        torch.float64, torch.device("cpu"), torch.Size([2, 3]),
    ],
    ids=repr,
)  # fmt: skip
def test_plain_objects(obj):
    assert same(obj, through(obj))


@pytest.mark.parametrize(
    "obj",
    [
        frozenset({"x"}), range(3), slice(1, None), np.arange(3), np.float32(1.5), np.bool_(True),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.zeros((0, 2)), np.dtype("int16"),
        Namespace(lr=0.1, sizes=[1, 2]), SimpleNamespace(a=1), defaultdict(list, {1: [2]}),
        deque([1, 2], 3), datetime.datetime(2020, 1, 2, 3, 4), datetime.timedelta(1), Path("a/b"),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_more_of_pythons_data(obj, protocol):
    """PyTorch's list does not know them, so they are for weights_only=False."""
    buffer = io.BytesIO()
    torch.save([obj, obj], buffer, pickle_protocol=protocol)
    buffer.seek(0)
    first, second = torch.load(buffer, weights_only=False)
    assert same(obj, first) and (first is second or isinstance(obj, type(np.dtype("int16"))))
    buffer.seek(0)
    if protocol == 2:
        with pytest.raises(pickle.UnpicklingError, match="weights_only=False"):
            torch.load(buffer)


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
    assert same(strided, through(strided)) and through(strided).stride() == strided.stride()
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


def test_a_parameter_of_a_class_of_ones_own_is_read_as_one():
    class Mine(nn.Parameter):
        pass

    assert type(through(Mine(torch.ones(2)))) is nn.Parameter


def test_what_was_expanded_is_locked():
    back = through(torch.ones(1).expand(3))
    with pytest.raises(RuntimeError, match="single memory location"):
        back.add_(1)
    assert back.zero_().tolist() == [0, 0, 0]


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


def test_the_file_is_pytorchs_zip_archive():
    buffer = io.BytesIO()
    torch.save([torch.ones(2, 3)], buffer)
    with zipfile.ZipFile(buffer) as archive:
        assert archive.namelist() == [
            "archive/data.pkl", "archive/.format_version", "archive/.storage_alignment",
            "archive/byteorder", "archive/data/0", "archive/version",
            "archive/.data/serialization_id",
        ]  # fmt: skip
        assert archive.testzip() is None
        assert archive.read("archive/version") == b"3\n"
        assert archive.read("archive/data/0") == np.ones(6, "=f4").tobytes()
        names = [(c.name, a) for c, a, _ in pickletools.genops(archive.read("archive/data.pkl"))]
    assert ("GLOBAL", "torch._utils _rebuild_tensor_v2") in names
    assert ("GLOBAL", "torch FloatStorage") in names


# ---- refusals -----------------------------------------------------------------------------------
class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    "obj", [Evil(), {"a": [Evil()]}, lambda: 0, object, np.array(["a"]), OrderedDict]
)
def test_what_cannot_be_saved_leaves_no_file(obj, tmp_path):
    path = tmp_path / "f.pt"
    with pytest.raises((TypeError, pickle.PicklingError)):
        torch.save(obj, path)
    assert not path.exists()


def test_what_is_not_saved_is_named_with_its_place():
    with pytest.raises(TypeError, match=r"at \['a'\]\[0\]"):
        torch.save({"a": [object()]}, io.BytesIO())
    with pytest.raises(pickle.PicklingError, match="fix: give it a name"):
        torch.save({"activation": lambda x: x}, io.BytesIO())
    with pytest.raises(TypeError, match="fix: leave it out"):
        torch.save({"log": io.StringIO()}, io.BytesIO())


def test_an_object_that_contains_itself():
    loop = []
    loop.append(loop)
    back = through(loop)
    assert back[0] is back
    shared = [1]
    one, other = through([shared, shared])
    assert one is other


def pytorch_file():
    """A file as torch.save makes it, of an object that would run code."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil()))
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize(
    "data",
    [pickle.dumps(Evil()), pickle.dumps({"w": 1}, 2), pytorch_file()],
    ids=["pickle", "old", "zip"],
)
def test_files_are_not_executed(data, weights_only, capsys):
    for error in (RuntimeError, pickle.UnpicklingError):
        with pytest.raises(error, match="cannot load"):
            torch.load(io.BytesIO(data), weights_only=weights_only)
    assert capsys.readouterr().out == ""


def test_modules_of_unknown_classes_are_refused_with_advice():
    with pytest.raises(RuntimeError, match=r"__main__\.Net was not an allowed(.|\n)*state_dict"):
        data = b"\x80\x02c__main__\nNet\n)\x81."
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", data)
        buffer.seek(0)
        torch.load(buffer, weights_only=False)


def example():
    buffer = io.BytesIO()
    torch.save(
        {"w": torch.arange(100.0), "n": [1, 2, "x"], "b": torch.ones(3, dtype=torch.int64)}, buffer
    )
    return buffer.getvalue()


def test_every_truncation_is_noticed():
    data = example()
    for n in range(len(data)):
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
    with pytest.raises(RuntimeError, match="on a CUDA device but"):
        torch.load(path, map_location="cuda")
    with pytest.raises(TypeError, match="map_location"):
        torch.load(path, map_location=3)


def test_attributes_that_a_program_has_given_a_tensor(tmp_path):
    x = torch.arange(6.0)[1:4]
    x.name, x.more = "x", [1, torch.ones(2)]
    torch.save([x, x], tmp_path / "x.pt")
    for only in (True, False):
        y, again = torch.load(tmp_path / "x.pt", weights_only=only)
        assert y is again and y.tolist() == [1, 2, 3]
        assert y.name == "x" and y.more[0] == 1 and y.more[1].tolist() == [1, 1]


def test_layouts_and_packed_sequences():
    x = torch.arange(12.0).reshape(3, 2, 2)
    packed = nn.utils.rnn.pack_padded_sequence(x, [2, 3], enforce_sorted=False)
    saved = {"layout": torch.strided, "sparse": torch.sparse_coo, "packed": packed, "data": x}
    file = io.BytesIO()
    torch.save(saved, file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="PackedSequence"):
        torch.load(file)
    file.seek(0)
    found = torch.load(file, weights_only=False)
    assert found["layout"] is torch.strided and found["sparse"] is torch.sparse_coo
    assert isinstance(found["packed"], nn.utils.rnn.PackedSequence)
    for a, b in zip(found["packed"], packed, strict=True):
        assert torch.equal(a, b)
