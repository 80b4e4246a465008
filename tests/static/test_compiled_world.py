"""Compiled functions beside threads, forks, signals and errors: nothing is left behind."""

import os
import signal
import threading

import numpy as np
import pytest
from both_ways import XS, exact, t

import microtorch as torch
from microtorch import nn
from microtorch.backends.core.elementwise import Elementwise
from microtorch.backends.reference import Reference
from microtorch.backends.table import KernelTable
from microtorch.static import turns
from microtorch.static.recorder import Lanes, Recorder


def test_nothing_is_left_behind_after_a_recording():
    c = torch.compile(lambda x: (x.sin() * 2).sum())
    for x in XS:
        c(*x)
    assert "array" not in vars(torch.Tensor)
    for lane in (*Reference.by_dtype.values(), Reference.rest):
        assert type(lane).__name__ != "Recorder" and "recording" not in vars(lane)
    y = (XS[0][0] * 2).sum()
    assert type(y.numpy()) is np.ndarray


def test_an_exception_in_the_middle():
    def f(x, fail):
        y = x * 2
        if fail:
            raise KeyError("stop")
        return y

    c = torch.compile(f)
    for fail in (True, False, True, False, True, False, False):
        if fail:
            with pytest.raises(KeyError):
                c(*XS[0], fail)
        else:
            assert torch.equal(c(*XS[0], fail), XS[0][0] * 2)
    assert "array" not in vars(torch.Tensor)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # the core has threads
def test_a_fork_while_a_function_is_recorded():
    def child():
        c = exact(lambda x: (x * 3).sum())
        for x in XS[:4]:
            assert torch.equal(c(*x), (x[0] * 3).sum())
        assert c.count == 1 and "array" not in vars(torch.Tensor)

    def f(x):
        y = x * 2
        pid = os.fork()
        if not pid:
            try:
                child()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        return y

    c = torch.compile(f)
    with pytest.warns(UserWarning, match="which asks the operating system"):
        for x in XS[:4]:
            assert torch.equal(c(*x), x[0] * 2)


def test_ctrl_c_at_any_moment():
    def interrupt(*_):
        raise KeyboardInterrupt

    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(net.parameters())

    def f(x):
        loss = net(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    warm = exact(f)
    for _ in range(3):  # all is imported now: Python warns of a file whose import is cut off
        warm(t(2, 3))
    before = signal.signal(signal.SIGALRM, interrupt)
    stopped = 0
    try:
        for i in range(60):
            c = exact(f)
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-4 + i * 5e-5)
                for _ in range(3):
                    c(t(2, 3))
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                stopped += 1
            assert "array" not in vars(torch.Tensor) and not turns.recording_now()
            assert all(type(x).__name__ != "Recorder" for x in Reference.by_dtype.values())
            assert all(type(p.detach().array) is np.ndarray for p in net.parameters())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert stopped > 5
    f(t(2, 3))


def test_threads_that_work_while_another_records():
    stop, wrong = threading.Event(), []

    def work():
        x = t(5, 5).requires_grad_()
        want = None
        while not stop.is_set():
            (g,) = torch.autograd.grad((x.tanh() * 2).sum(), x)
            want = g if want is None else want
            if type(g.numpy()) is not np.ndarray or not torch.equal(g, want):
                wrong.append(g)

    threads = [threading.Thread(target=work) for _ in range(2)]
    [thread.start() for thread in threads]
    for n in range(10):
        c = torch.compile(lambda x, n=n: (x * n).sum())
        for x in XS[:4]:
            assert torch.equal(c(*x), (x[0] * n).sum())
    stop.set()
    [thread.join() for thread in threads]
    assert not wrong


@pytest.mark.parametrize("x", [XS[0][0], torch.Scalar(3.0)])
def test_calls_that_find_another_thread_recording_are_no_reason_to_give_up(x, monkeypatch):
    def busy(*args):
        raise turns.Busy

    f = exact(lambda x: (x * 2 + 1).data)
    with monkeypatch.context() as m:
        m.setattr(turns.Turn, "lasts", busy)
        for _ in range(40):
            f(x)
    for _ in range(4):
        f(x)
    assert f.count == 1 and not f.reason


@pytest.mark.needs("core")
def test_a_recording_that_begins_while_another_thread_looks_for_a_kernel(monkeypatch):
    class Written:
        array, calls = staticmethod(np.asarray), []

        def call(self, kind, name, function, arguments, attrs, read=None):
            self.calls.append(name)
            return function(*arguments, **attrs)

    lane, lanes = Reference.by_dtype[np.dtype("float32")], Lanes(Written())
    table, x, direct = KernelTable("tanh", "any"), np.ones(3, np.float32), Elementwise._direct
    vars(lane).pop("tanh", None)

    def begins(self, name, otherwise):
        monkeypatch.undo()
        lanes.open()
        return direct(self, name, otherwise)

    monkeypatch.setattr(Elementwise, "_direct", begins)
    try:
        found = table[lane]  # as the other thread goes on
        assert type(found) is type(len)
        table[lane](x)
        lane.tanh(x)
        assert Written.calls == ["tanh", "tanh"]  # what is recorded goes through the recorder
    finally:
        lanes.close()
    assert lane.tanh is found and table[lane] is found


def test_a_backend_that_another_thread_asks_while_a_recording_ends():
    """It has no kernels to write down any more; that once was an endless recursion."""
    with pytest.raises(AttributeError, match="passing"):
        object.__new__(Recorder).passing  # noqa: B018
