"""Tensors on the memory of other things: buffers and files."""

import numpy as np
import pytest

import microtorch as torch


def test_asarray_reads_the_elements_in_a_buffer(tmp_path):
    data = np.array([1.0, 2.0], np.float32)
    for buffer in (memoryview(data).cast("B"), bytearray(data.tobytes())):
        x = torch.asarray(buffer)
        assert x.dtype is torch.float32 and x.tolist() == [1, 2]
        assert torch.asarray(buffer, copy=False).data_ptr() == x.data_ptr()
    with pytest.warns(UserWarning, match="not writable"):
        assert torch.asarray(data.tobytes(), dtype=torch.float64).shape == (1,)
    with pytest.raises(RuntimeError, match="NumPy scalars"):
        torch.asarray(np.float64(1), copy=False)
    path = tmp_path / "x"
    data.tofile(path)
    assert torch.from_file(path, size=2).tolist() == [1, 2]
    torch.from_file(path, shared=True, size=3)[1] = 7
    assert np.fromfile(path, np.float32).tolist() == [1, 7, 0]
    with pytest.raises(RuntimeError, match="unable to open file"):
        torch.from_file(path, size=30)


def test_random_numbers_from_a_number_on():
    x = torch.empty(50, dtype=torch.int8).random_(100, None)
    assert x.min() >= 100 and len(x.unique()) > 5
    assert torch.empty(9).random_(5).max() < 5
    with pytest.raises(RuntimeError):
        x.random_(-(2**63), None)
