"""Where C declines an array, because it is not contiguous, numpy computes the same."""
import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch.engine.registry import REGISTRY
from microtorch.notation import formulas

NAMES = [name for name, (_, vjps) in formulas.TABLE.items() if len(vjps) == 1]
LAYOUTS = (
    lambda x: np.repeat(x, 2, 1)[:, ::2],
    np.asfortranarray,
    lambda x: np.broadcast_to(x[:, :1], x.shape),
)
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
@pytest.mark.parametrize("name", NAMES)
def test_a_formula_of_an_array_of_any_layout(name):
    missing = [k for k, v in formulas.ARGUMENTS.get(name, {}).items() if v is None]
    arguments = {k: 0.25 * (1 + i) for i, k in enumerate(missing)}
    values = np.linspace(0.2, 0.9, 12, dtype=np.float32).reshape(3, 4)
    for lay, dtype in itertools.product(LAYOUTS, DTYPES):
        laid = lay(values)
        x, laid = (torch.from_numpy(a).to(dtype) for a in (np.array(laid), laid))
        got, wanted = (REGISTRY[name](a, **arguments) for a in (laid, x))
        assert got.dtype == wanted.dtype
        assert torch.allclose(got, wanted, rtol=1e-6, atol=1e-7, equal_nan=True)
