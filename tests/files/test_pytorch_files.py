"""Files that PyTorch wrote (pytorch_files.py) are read: values, strides, sharing, refusals."""

import io
import pickle
import struct
import tarfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
from pytorch_files import recorded

import microtorch as torch
from microtorch import nn
from microtorch.arrays import dtypes


def load(name, **options):
    return torch.load(io.BytesIO(recorded(name)), **options)


@pytest.mark.parametrize("name", ["types", "types_old"])
def test_dtypes(name):
    found = load(name)
    assert len(found) == 9
    for d, t in found.items():
        assert str(t.dtype) == f"torch.{d}"
        assert t.tolist() == ([False, True, True, True] if d == "bool" else [0, 1, 2, 3])


@pytest.mark.parametrize("name", ["views", "views_old"])
def test_views_of_one_storage(name):
    base, turned, part, row, empty, one, expanded, again = load(name)
    assert base.tolist() == np.arange(12.0).reshape(3, 4).tolist() and again is base
    assert turned.stride() == (1, 4) and part.stride() == (4, 2) and expanded.stride() == (0,)
    assert part.tolist() == [[4, 6], [8, 10]]
    assert empty.shape == (0, 2) and one.item() == 5 and one.shape == ()
    base[1, 0] = 99
    assert turned[0, 1] == part[0, 0] == 99
    row[0] = -1
    assert base[0, 0] == -1
    assert part.storage_offset() == 4


def test_a_bit_says_conjugate_and_the_elements_come_later():
    found = load("conj_old")["c"]  # x.conj() of x = 1+2j, 3-4j, in the older format
    assert found.tolist() == [1 - 2j, 3 + 4j]


def test_a_checkpoint_goes_on():
    found = load("checkpoint")
    assert found["model"]._metadata["1"] == {"version": 2}
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert str(model.load_state_dict(found["model"])) == "<All keys matched successfully>"
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    optimizer.load_state_dict(found["optimizer"])
    assert optimizer.param_groups[0]["momentum"] == 0.9
    assert optimizer.state[model[0].weight]["momentum_buffer"].shape == (2, 2)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    scheduler.load_state_dict(found["scheduler"])
    assert scheduler.milestones == Counter([2, 4])
    assert found["epoch"] == 3


def test_parameters():
    p, q, again, tagged, leaf = load("parameters")
    assert type(p) is nn.Parameter and p.requires_grad and again is p
    assert type(q) is nn.Parameter and not q.requires_grad and q.dtype is torch.int64
    assert tagged.tag == "mine"
    assert type(leaf) is torch.Tensor and leaf.requires_grad and leaf.is_leaf


def test_values():
    expected = [
        None, True, -1, 300, 70000, 2**80, 1.5, "ü", b"\x00\xff", bytearray(b"x"), 1 + 2j,
        (1, (2,)), {1}, {"a": []}, OrderedDict(b=1), Counter("aab"), torch.float64, torch.int8,
        torch.Size([2]), torch.device("cpu"),
    ]  # fmt: skip
    found = load("values")
    assert found == expected
    assert [type(x) for x in found] == [type(x) for x in expected]
    assert load("protocol4")["w"].tolist() == [0, 1, 2, 3]


def test_arrays_of_numpy():
    with pytest.raises(pickle.UnpicklingError, match="not an allowed global"):
        load("numpy")
    found = load("numpy", weights_only=False)
    assert found["array"].tolist() == [[1, 2], [3, 4]] and found["scalar"] == 2.5
    assert type(found["scalar"]) is np.float64
    assert found["ints"].tolist() == [[1, 2], [3, 4]] and found["ints"].flags.f_contiguous
    assert found["args"].lr == 0.1


@pytest.mark.parametrize(
    "name, values",
    [
        ("bfloat16", [1, -2.5]),
        ("complex64", [[1 + 2j, 3 - 1j], [1 - 2j]]),
        ("uint16", [1, 65535]),
    ],
)
def test_dtypes_that_only_some_builds_have(name, values):
    if name in {d.name for d in dtypes.ALL}:
        found = load(name)
        assert (found if isinstance(found, list) else [found])[0].dtype is getattr(torch, name)
        assert [x.tolist() for x in found] == values
    else:
        with pytest.raises(RuntimeError, match=f"torch.{name}, which microtorch does not have"):
            load(name)


@pytest.mark.parametrize("weights_only", [True, False])
def test_what_is_no_data(weights_only):
    with pytest.raises(RuntimeError, match="sparse"):
        load("sparse", weights_only=weights_only)


def test_a_whole_module():
    with pytest.raises(pickle.UnpicklingError, match=r"linear.Linear was not(.|\n)*state_dict"):
        load("module")
    layer = load("module", weights_only=False)
    assert type(layer) is nn.Linear and layer(torch.ones(layer.in_features)).requires_grad


# ---- where tensors are to lie --------------------------------------------------------------------
def test_map_location():
    with pytest.raises(RuntimeError, match=r"CUDA device(.|\n)*map_location='cpu'"):
        load("cuda_old")
    seen = []
    for where in (
        "cpu", b"cpu", torch.device("cpu"), {"cuda:0": "cpu"}, {"cuda:0": torch.device("cpu")},
        lambda storage, location: storage, lambda storage, location: seen.append(location)
        or storage.cpu(),
    ):  # fmt: skip
        assert load("cuda_old", map_location=where).tolist() == [1, 1]
    assert seen == ["cuda:0"]
    with pytest.raises(RuntimeError, match="CUDA device"):
        load("cuda_old", map_location=lambda storage, location: None)
    with pytest.raises(RuntimeError, match="CUDA device"):
        load("types", map_location=lambda storage, location: storage.cuda())
    with pytest.raises(TypeError, match="returned a int"):
        load("types", map_location=lambda storage, location: 3)
    with pytest.raises(ZeroDivisionError):
        load("types", map_location=lambda storage, location: 1 / 0)
    seen.clear()
    load("views", map_location=lambda storage, location: seen.append(storage.nbytes()) or storage)
    assert sorted(seen) == [0, 4, 4, 48]  # once for each storage


def test_mmap(tmp_path):
    path = tmp_path / "views.pt"
    path.write_bytes(recorded("views"))
    base, turned, *_ = torch.load(path, mmap=True)
    base[0, 1] = 7
    assert turned[1, 0] == 7
    assert path.read_bytes() == recorded("views")  # what is written stays in memory
    torch.save([base], path)
    assert torch.load(path, mmap=True)[0][0].tolist() == [0, 7, 2, 3]
    with pytest.raises(ValueError, match="must be a file path"):
        load("views", mmap=True)
    path.write_bytes(recorded("views_old"))
    with pytest.raises(RuntimeError, match="mmap can only be used"):
        torch.load(path, mmap=True)


def test_kinds_of_files(tmp_path):
    class Stream:
        """A file that can only be read forwards."""

        def __init__(self, data):
            self.read = io.BytesIO(data).read

    assert torch.load(Stream(recorded("types")))["int8"].tolist() == [0, 1, 2, 3]
    buffer = io.BytesIO(b"before" + recorded("types"))
    buffer.seek(6)
    assert torch.load(buffer)["int8"].tolist() == [0, 1, 2, 3]
    path = tmp_path / "x.pt"
    path.write_bytes(recorded("types_old"))
    with open(path, "rb") as file:
        assert torch.load(file)["int8"].tolist() == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        torch.load(path, pickle_module=pickle, weights_only=True)


def test_strings_of_python_2():
    """latin1 is what old files need."""
    start = b"".join(pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {}))
    data = start + b"U\x03a\xe9b." + pickle.dumps([], 2)
    assert torch.load(io.BytesIO(data), weights_only=False, encoding="latin1") == "aéb"
    assert torch.load(io.BytesIO(data), weights_only=False, encoding="bytes") == b"a\xe9b"
    with pytest.raises(RuntimeError, match="damaged"):
        torch.load(io.BytesIO(data))


# ---- the oldest format ---------------------------------------------------------------------------
def named(key, name):
    """(key, "cpu", torch.<name>) in a pickle."""
    return b"(I%d\nX\3\0\0\0cpuctorch\n%s\nt." % (key, name)


def a_tar(storages, tensors, pickled):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:") as archive:
        for name, data in (("storages", storages), ("tensors", tensors), ("pickle", pickled)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_tar():
    numbers = np.arange(6, dtype="<f4").tobytes()
    storages = pickle.dumps(1, 2) + named(7, b"FloatStorage") + struct.pack("<q", 6) + numbers
    storages += pickle.dumps([], 2)
    described = struct.pack("<ii2q2qq", 2, 0, 2, 2, 3, 1, 1)
    tensors = pickle.dumps(1, 2) + b"(I1\nI7\nctorch\nFloatStorage\nt." + described
    pickled = b"}X\1\0\0\0wI1\nQs."
    data = a_tar(storages, tensors, pickled)
    assert torch.load(io.BytesIO(data))["w"].tolist() == [[1, 2], [4, 5]]
    for broken in (
        a_tar(storages[:-30], tensors, pickled), a_tar(storages, tensors[:-3], pickled),
        a_tar(storages, tensors, b"I2\nQ."), a_tar(storages, tensors, b"cos\nsystem\n."),
        a_tar(storages.replace(struct.pack("<q", 6), struct.pack("<q", 2**60)), tensors, pickled),
        a_tar(storages, tensors.replace(described, struct.pack("<ii2q2qq", 2, 0, 2, 2, 3, 1, 2)),
              pickled),
        data[:600],
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="cannot load"):
            torch.load(io.BytesIO(broken))
