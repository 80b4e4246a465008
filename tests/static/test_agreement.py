"""When C and the steps agree: to rounding, or as far as the steps agree with themselves."""

import numpy as np

from microtorch.static.agreement import alike, as_unsteady, distance


def signs(given):
    """What Adam makes of a gradient that is nothing but rounding."""
    x, y = given
    total = np.float32(0)
    for n in x:
        total += n
    return [np.sign(total - y.sum(dtype=np.float32)) * np.ones(1, np.float32), x * 2]


def test_numbers_that_no_two_ways_agree_on_are_accepted_and_others_are_not():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(50).astype(np.float32)
    given = [x, x[::-1].copy()]
    wanted = signs(given)
    found = [-wanted[0] if wanted[0] else wanted[0] + 1, wanted[1].copy()]
    assert not alike(found, wanted, given)
    assert as_unsteady(found, wanted, given, signs)
    found[1][3] += 1e-2  # this no change of a last digit explains
    assert not as_unsteady(found, wanted, given, signs)
    found[1][3] -= 1e-2
    assert not as_unsteady([found[0] * 9, found[1]], wanted, given, signs)
    assert not as_unsteady(found, wanted, given, lambda given: [wanted[0] + 1, wanted[1]])


def test_steps_that_refuse_the_moved_numbers_decide_nothing():
    def refuses(given):
        raise RuntimeError

    one = [np.ones(2, np.float32)]
    assert not as_unsteady([one[0] + 1], one, one, refuses)
    assert distance(np.array([1.0, np.nan]), np.array([1.0, np.nan])) == 0
    assert distance(np.array([np.inf]), np.array([1.0])) == np.inf
    assert distance(np.array([1]), np.array([2])) == np.inf
