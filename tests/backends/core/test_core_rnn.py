"""The cells of recurrent layers in C against their definitions in numpy, in all sizes and layouts,
on every instruction set and with several threads."""
import numpy as np
import pytest

from microtorch.arrays.dtypes import F32, F64
from microtorch.backends import core
from microtorch.backends.reference import Reference
from microtorch.nn.functional import recurrence

pytestmark = pytest.mark.needs("core")
SIZES = [(1, 1), (2, 7), (5, 16), (0, 3), (3, 0), (4, 33), (13, 64)]
CELLS = ["lstm_cell", "lstm_cell_vjp", "gru_cell", "gru_cell_vjp"]
WIDTHS = {  # of the arguments, in hidden units
    "lstm_cell": (4, 4, 1, 1, 1),
    "lstm_cell_vjp": (1, 1, 1, 4, 1, 4),
    "gru_cell": (3, 3, 1, 1, 1),
    "gru_cell_vjp": (1, 1, 3, 1, 3, 3),
}


def arguments(name, rows, n, dtype):
    rng = np.random.default_rng(rows * 100 + n)
    return [rng.normal(size=(rows, n * w)).astype(dtype) for w in WIDTHS[name]]


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("name", CELLS)
def test_cells(name, dtype, isa, monkeypatch):
    assert callable(getattr(recurrence, name))
    # C declines nothing here
    monkeypatch.setattr("microtorch.backends.core.recurrent.definition", None)
    for rows, n in SIZES:
        ours, numpys = arguments(name, rows, n, dtype), arguments(name, rows, n, dtype)
        getattr(core.Core(dtype), name)(*ours)
        getattr(Reference(dtype), name)(*numpys)
        for a, b in zip(ours, numpys, strict=True):
            np.testing.assert_allclose(a, b,
                                       **({"rtol": 2e-5, "atol": 2e-6} if dtype is F32
                                          else {"rtol": 1e-12, "atol": 1e-14}))


@pytest.mark.parametrize("name", CELLS)
def test_threads_change_no_bit(name, isa):
    before, results = core.get_num_threads(), []
    try:
        for count in (1, 2):
            core.set_num_threads(count)
            given = arguments(name, 301, 65, F32)
            getattr(core.Core(F32), name)(*given)
            results.append([a.tobytes() for a in given])
    finally:
        core.set_num_threads(before)
    assert results[0] == results[1]


@pytest.mark.parametrize("name", CELLS)
def test_other_layouts_take_numpys_way(name):
    ours, numpys = arguments(name, 4, 6, F32), arguments(name, 4, 6, F32)
    ours[0] = np.asfortranarray(ours[0])
    getattr(core.Core(F32), name)(*ours)
    getattr(Reference(F32), name)(*numpys)
    for a, b in zip(ours, numpys, strict=True):
        assert a.tobytes() == b.tobytes()
