"""torch.__version__: what scripts ask of it."""
from __future__ import annotations

import pytest
from microtorch.torch_version import TorchVersion as V
from packaging.version import parse

import microtorch as torch
from microtorch import vision


def test_scripts_find_the_pytorch_whose_surface_this_is():
    v = torch.__version__
    assert v >= "1.8" and v > "1.13.1" and v >= (1, 10) and not v < "2.2" and v != "2.13.0"
    assert v > (2, 9, 0) and v < "2.100" and v < (3,) and isinstance(v, str)
    assert int(v.split(".")[0]) >= 1 and int(v.split(".")[1]) >= 12
    assert parse(v) >= parse("2.0") and v >= parse("2.0") and parse(v).local[:10] == "microtorch"
    assert v.endswith("+microtorch." + torch.version.MICROTORCH) and v == torch.version.__version__
    assert parse(vision.__version__) > parse("0.10") and hash(v) == hash(str(v))


ORDER = ("1.9 1.10.0.dev1 1.10.0a1 1.10.0b2 1.10rc1 1.10 1.10.0+cpu 1.10.0+cu113 1.10.post1 1.10.1 "
         "2.0.0").split()  # fmt: skip


@pytest.mark.parametrize("i", range(len(ORDER)))
def test_they_are_sorted_as_versions(i):
    for j, other in enumerate(ORDER):
        v = V(ORDER[i])
        assert [v < other, v == other, v > other] == [i < j, i == j, i > j]
        assert [v <= parse(other), v >= parse(other), v != other] == [i <= j, i >= j, i != j]
        assert (parse(str(v)) < parse(other)) == (i < j)


def test_what_is_no_version_is_compared_as_text():
    assert V("1.10") == (1, 10, 0) and V("1.10.0") >= "1.10"
    assert V("2.0") < "parrot" and V("2.0") != "" and V("2.0") != None  # noqa: E711
