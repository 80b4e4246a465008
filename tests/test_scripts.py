"""The scripts in tests/scripts, small programs as in courses, print what PyTorch prints.

Only the import differs. What PyTorch 2.13 printed is recorded beside each script (`name.out`), so
PyTorch is not needed; where it is installed, it runs too and must agree with the record. Text is
compared exactly, numbers to two parts in a thousand: after some hundred steps of training, rounding
differs between processors.
"""
import contextlib
import importlib
import importlib.util
import io
import math
import re
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+\.\d*(?:e[-+]?\d+)?")


def output_of(path, library):
    source = path.read_text().replace("microtorch", library)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(path), "exec"), {"__name__": "__main__"})
    importlib.import_module(library).set_printoptions(profile="default")  # scripts may set others
    return printed.getvalue()


def assert_same(printed, recorded):
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", recorded).split()
    def close(a, b):
        return math.isclose(float(a), float(b), rel_tol=2e-3, abs_tol=2e-3)

    pairs = zip(NUMBER.findall(printed), NUMBER.findall(recorded), strict=True)
    far = [pair for pair in pairs if not close(*pair)]
    assert not far, f"printed here, by PyTorch: {far[:5]}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_prints_what_pytorch_prints(path):
    assert_same(output_of(path, "microtorch"), path.with_suffix(".out").read_text())


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.filterwarnings("ignore")
def test_records_are_pytorchs():
    # 5 s instead of 60 on two cores, which its threads would share with numpy's
    importlib.import_module("torch").set_num_threads(1)
    for path in SCRIPTS:
        assert_same(output_of(path, "torch"), path.with_suffix(".out").read_text())


def test_comparison_can_fail():
    with pytest.raises(AssertionError):
        assert_same("loss 0.5", "loss 0.6")
    with pytest.raises(AssertionError):
        assert_same("loss 0.5", "less 0.5")
    assert_same("w 1.0001, tensor([2.])", "w 1.0002, tensor([2.])")
