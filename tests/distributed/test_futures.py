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
