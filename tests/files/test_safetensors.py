"""safetensors files, against the library's own functions for numpy."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.files import safetensors
from microtorch.files.errors import FileError

library = pytest.importorskip("safetensors.numpy")


def test_both_ways(tmp_path):
    path = tmp_path / "m.safetensors"
    tensors = {
        name: torch.arange(6).reshape(2, 3).to(getattr(torch, name))
        for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8")
    }
    tensors |= {
        "flags": torch.tensor([True, False]),
        "empty": torch.zeros(0, 2),
        "one": torch.tensor(3.0),
    }
    safetensors.save_file(tensors, path, {"made": "here"})
    theirs = library.load_file(path)
    for found in (
        safetensors.load_file(path),
        torch.load(str(path)),
        safetensors.load(path.read_bytes()),
    ):
        assert set(found) == set(tensors)
        for name, t in tensors.items():
            assert found[name].dtype is t.dtype and found[name].tolist() == t.tolist()
            assert np.array_equal(theirs[name], t.numpy())
            found[name].zero_()
    library.save_file({"w": np.ones((2, 2), np.float32)}, path)
    assert safetensors.load_file(path)["w"].tolist() == [[1, 1], [1, 1]]


def test_a_model(tmp_path):
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    safetensors.save_file(model.state_dict(), tmp_path / "m.safetensors")
    other.load_state_dict(safetensors.load_file(tmp_path / "m.safetensors", device="cpu"))
    assert torch.equal(model.weight, other.weight)


def test_refusals(tmp_path):
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match="non contiguous"):
        safetensors.save({"x": x.T})
    with pytest.raises(RuntimeError, match="share memory"):
        safetensors.save({"x": x, "y": x.view(3, 2)})
    with pytest.raises(ValueError, match="Key `x` is invalid"):
        safetensors.save({"x": 3})
    data = safetensors.save({"x": x})
    for n in range(0, len(data), 5):
        with pytest.raises(FileError):
            safetensors.load(data[:n])
    path = tmp_path / "m.safetensors"
    path.write_bytes(data[:-1])
    with pytest.raises(FileError, match="cannot load"):
        torch.load(str(path))
    with pytest.raises(RuntimeError, match="CUDA"):
        safetensors.load_file(path, device="cuda")
