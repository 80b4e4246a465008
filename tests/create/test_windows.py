"""Windows, against scipy's and against their formulas."""

import math

import numpy as np
import pytest

import microtorch as torch

windows = torch.signal.windows
KINDS = {
    "bartlett": {}, "blackman": {}, "hamming": {}, "hann": {}, "nuttall": {},
    "cosine": {}, "exponential": {"tau": 2.5}, "gaussian": {"std": 1.7}, "kaiser": {"beta": 8.0},
    "general_cosine": {"a": [0.4, 0.5, 0.1]}, "general_hamming": {"alpha": 0.7},
}  # fmt: skip


@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_against_scipy(name, sym):
    signal = pytest.importorskip("scipy.signal")
    for m in (1, 2, 5, 8):
        ours = getattr(windows, name)(m, sym=sym, dtype=torch.float64, **KINDS[name])
        theirs = getattr(signal.windows, name)(m, *KINDS[name].values(), sym=sym) \
            if name not in ("exponential",) \
            else signal.windows.exponential(m, None, 2.5, sym=sym)  # fmt: skip
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-9, atol=1e-12)


def test_older_functions():
    n = np.arange(6)
    hann = (1 - np.cos(2 * math.pi * n / 6)) / 2
    np.testing.assert_allclose(torch.hann_window(6).numpy(), hann, atol=1e-6)
    for name in ("hann", "blackman", "bartlett", "kaiser"):
        whole = getattr(windows, name)(7, dtype=torch.float64)
        ours = getattr(torch, f"{name}_window")
        assert torch.allclose(ours(6, dtype=torch.float64), whole[:-1])
        assert torch.allclose(ours(7, False, dtype=torch.float64), whole)
        assert ours(1).tolist() == [1] and ours(0).shape == (0,)
    assert torch.hamming_window(4, True, 0.6, 0.4).dtype is torch.float32
    assert torch.hann_window(3, requires_grad=True).requires_grad


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: windows.hann(-1), ValueError),
        (lambda: windows.hann(3, dtype=torch.int64), ValueError),
        (lambda: windows.hann(3, layout=torch.sparse_coo), ValueError),
        (lambda: windows.gaussian(3, std=0), ValueError),
        (lambda: windows.kaiser(3, beta=-1), ValueError),
        (lambda: windows.exponential(3, tau=0), ValueError),
        (lambda: windows.exponential(3, center=1), ValueError),
        (lambda: windows.general_cosine(3, a=0.5), TypeError),
        (lambda: windows.general_cosine(3, a=[]), ValueError),
        (lambda: torch.hann_window(-1), RuntimeError),
        (lambda: torch.hann_window(3, dtype=torch.int64), RuntimeError),
        (lambda: torch.hann_window(3, layout=torch.sparse_coo), NotImplementedError),
    ],
)
def test_errors(call, error):
    with pytest.raises(error):
        call()
