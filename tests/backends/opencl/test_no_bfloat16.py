"""bfloat16 is refused on OpenCL devices, by name."""

import pytest

import microtorch as torch

pytest.importorskip("ml_dtypes")
pytestmark = pytest.mark.needs("opencl")


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(2).bfloat16().to("opencl"),
        lambda: torch.zeros(2, dtype=torch.bfloat16, device="opencl"),
        lambda: torch.ones(2, device="opencl").bfloat16(),
        lambda: torch.nn.Linear(2, 2).to("opencl").bfloat16(),
    ],
)
def test_every_way_there_says_so(make):
    with pytest.raises((TypeError, NotImplementedError), match="has no bfloat16"):
        make()
