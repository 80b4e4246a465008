"""torch.futures: values that the program sets, and those of transfers."""
from __future__ import annotations

import pytest
from microtorch.futures import Future, collect_all, wait_all

import microtorch as torch
from microtorch.distributed.futures import Awaited


def test_a_future_takes_one_value():
    f = Future()
    assert not f.done()
    with pytest.raises(RuntimeError, match="no value yet"):
        f.value()
    f.set_result(3)
    assert f.done() and f.wait() == f.value() == 3
    with pytest.raises(RuntimeError, match="completed once"):
        f.set_result(4)
    with pytest.raises(RuntimeError, match="completed once"):
        f.set_exception(ValueError())
    assert f.value() == 3 and torch.futures.Future is Future


def test_callbacks_run_when_the_value_is_set_or_at_once():
    f, seen = Future(), []
    twice = f.then(lambda done: 2 * done.wait())
    f.add_done_callback(lambda done: seen.append(done.value()))
    assert not twice.done()
    f.set_result(5)
    assert seen == [5] and twice.value() == 10
    assert f.then(lambda done: done.value() + 1).wait() == 6


def test_errors_travel():
    f = Future()
    with pytest.raises(AssertionError, match="not an Exception"):
        f.set_exception(3)
    f.set_exception(ValueError("no"))
    assert f.done()
    for ask in (f.wait, f.value, lambda: wait_all([f]), collect_all([f]).wait):
        with pytest.raises(ValueError, match="no"):
            ask()
    with pytest.raises(RuntimeError, match="running the callback: ValueError: no"):
        f.then(lambda done: done.value()).wait()


@pytest.mark.parametrize("done_before", [False, True])
def test_an_error_in_a_callback_stops_no_other(done_before):
    f, seen = Future(), []
    if done_before:
        f.set_result(1)
    with pytest.warns(UserWarning, match="running the callback: ZeroDivisionError"):
        f.add_done_callback(lambda done: 1 / 0)
        f.add_done_callback(lambda done: seen.append(done.value()))
        if not done_before:
            f.set_result(1)
    assert seen == [1]


def test_what_is_computed_is_computed_once_also_if_it_fails():
    asked = []
    f = Awaited(lambda: True, lambda: asked.append(1) or 1 / 0)
    after = f.then(lambda done: done.value())
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            f.wait()
        with pytest.raises(RuntimeError, match="running the callback: ZeroDivisionError"):
            after.wait()
    assert asked == [1]


def test_a_transfer_is_asked_only_when_the_user_asks():
    ready, asked = [], []
    f = Awaited(lambda: bool(ready), lambda: asked.append(1) or 7)
    seen = []
    f.add_done_callback(lambda done: seen.append(done.value()))
    both = collect_all([f, f.then(lambda done: done.value() + 1)])
    assert not both.done()
    ready.append(1)
    assert wait_all(both.wait()) == [7, 8]
    assert asked == [1] and seen == [7]
