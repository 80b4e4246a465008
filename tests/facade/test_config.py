"""``torch.__config__`` says what is there, on machines that have it and on those that have not."""


import pytest
from repository import python

import microtorch as torch


def devices():
    (line,) = [x for x in torch.__config__.show().splitlines() if x.startswith("devices: ")]
    return line.removeprefix("devices: ")


def test_versions_and_the_core():
    said = torch.__config__.show()
    assert torch.__version__ in said and "numpy" in said and "compiled core: " in said
    assert devices().startswith("cpu")


@pytest.mark.needs("opencl")
def test_devices_go_by_the_names_that_tensors_take():
    names = [part.partition(" (")[0] for part in devices().split(", opencl")]
    assert len(names) == 1 + torch.opencl.device_count() and names[:2] == ["cpu", ":0"]
    assert f"opencl:0 ({torch.opencl.get_device_name(0)})" in devices()
    assert torch.zeros(1, device="opencl:0").device.type == "opencl"


@pytest.mark.parametrize(
    "missing", ["pyopencl", pytest.param("driver", marks=pytest.mark.needs("opencl"))]
)
def test_without_opencl_it_says_why_and_fails_nowhere(missing, tmp_path):
    block = "import sys; sys.modules['pyopencl'] = None\n" if missing == "pyopencl" else ""
    program = f"{block}import microtorch as torch; print(torch.__config__.show())"
    nowhere = {"OCL_ICD_VENDORS": f"{tmp_path}/", "OPENCL_VENDOR_PATH": str(tmp_path)}
    said = python("-c", program, **nowhere)
    reasons = {
        "pyopencl": "the OpenCL backend needs Python's package pyopencl, which does not import",
        "driver": "no OpenCL device was found",
    }
    assert f"devices: cpu ({reasons[missing]}" in said
