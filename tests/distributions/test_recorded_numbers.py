"""Everything that PyTorch computes of every kind of distribution, from recorded numbers."""

import json
import math
from pathlib import Path

import pytest

import microtorch as torch
import microtorch.distributions

from .cases import CASES, observe
from .numbers_for_a_seed import DRAWS, draw

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())
# means and modes are infinite or NaN for some of the parameters
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
# differences of nearly equal numbers: where PyTorch's own rounding is seen
LOOSE = {"continuous Bernoulli": 1e-6}


def assert_close(now, then, tolerance, where):
    if isinstance(then, list):
        assert isinstance(now, list) and len(now) == len(then), where
        for a, b in zip(now, then, strict=True):
            assert_close(a, b, tolerance, where)
    elif isinstance(then, float) and not math.isnan(then):
        assert now == pytest.approx(then, rel=tolerance, abs=1e-11), where
    else:
        assert now == then or (now != now and then != then), where


@pytest.mark.parametrize("name", CASES)
def test_all_that_is_recorded(name):
    now, then = observe(CASES[name], torch), RECORDED["cases"][name]
    assert now.keys() == then.keys()
    for what, value in then.items():
        assert_close(now[what], value, LOOSE.get(name, 2e-8), what)


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_equal_to_the_last_bit(name):
    assert draw(DRAWS[name], torch) == RECORDED["draws"][name]
