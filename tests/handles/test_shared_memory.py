"""Writes to memory that several handles share. Expected values are PyTorch's."""
import signal
import sys

import numpy as np
import pytest

import microtorch as torch
from microtorch.base import errors


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


# ---- retain_grad goes with the tensor, whatever node it has --------------------------------------
def element(a):
    a[0] = 5.0


@pytest.mark.parametrize(
    "write",
    [lambda a: a.mul_(2), lambda a: a[:1].mul_(2), lambda a: a.view(-1).add_(1), element],
    ids=["op", "view", "reshaped", "element"],
)
def test_retain_grad_outlives_a_write(write):
    a = leaf(1.0, 2.0).clone()
    a.retain_grad()
    write(a)
    a.sum().backward()
    assert a.retains_grad
    assert a.grad.tolist() == [1, 1]


def test_retain_grad_on_a_view_outlives_a_write_to_its_base():
    b = leaf(1.0, 2.0).clone()
    v = b[:1]
    v.retain_grad()
    b.mul_(2)
    v.sum().backward()
    assert v.grad.tolist() == [1]


# ---- memory that numpy locks ---------------------------------------------------------------------
def test_a_row_of_an_expanded_matrix_can_be_written():
    b = torch.ones(3, 1).expand(3, 3)[:, 0]
    assert b.add_(1).tolist() == [2, 2, 2]


def test_what_is_the_same_everywhere_may_be_written_to_an_expanded_tensor():
    x = torch.arange(4.0)
    mask = torch.tensor([[True, False, True, True], [False] * 4])
    with pytest.warns(UserWarning, match="masked_fill_ on expanded tensors"):
        x.expand(2, 4).masked_fill_(mask, 9.0)
    assert x.tolist() == [9, 1, 9, 9]
    assert torch.tensor(0.5).expand(3).zero_().tolist() == [0, 0, 0]
    assert x.expand(2, 4).fill_(2.0).tolist() == [[2] * 4] * 2


@pytest.mark.parametrize("write", [lambda y: y.add_(1), lambda y: y.copy_(y.clone()),
                                   lambda y: y.relu_(), lambda y: y.clamp_(0, 1)])
def test_other_writes_to_an_expanded_tensor_are_refused_and_change_nothing(write):
    x = torch.arange(4.0)
    y = x.expand(2, 4)
    with pytest.raises(RuntimeError, match="more than one element"):
        write(y)
    assert x.tolist() == [0, 1, 2, 3]
    assert x._version == 0


def test_a_gradient_flows_past_a_write_to_an_expanded_row():
    w = leaf(1.0, 2.0)
    x = w * 3
    x.expand(2, 2)[0].mul_(5)
    x.sum().backward()
    assert w.grad.tolist() == [15, 15]


def test_read_only_arrays_are_written_as_pytorch_does():
    a = np.ones(2)
    a.flags.writeable = False
    with pytest.warns(UserWarning, match="NumPy array is not writable"):
        assert torch.from_numpy(a).mul_(2).tolist() == [2, 2]
    with pytest.warns(UserWarning, match="NumPy array is not writable"):
        torch.as_tensor(a)
    with pytest.warns(UserWarning, match="buffer is not writable"):
        torch.frombuffer(bytes(8), dtype=torch.uint8)


# ---- operands in the memory that is written ------------------------------------------------------
@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.mul_(x[0]),
        lambda x: x[1:].add_(x[:-1]),
        lambda x: x.view(2, 2).copy_(x.view(2, 2).T),
        lambda x: x.index_copy_(0, torch.tensor([0, 1, 2, 3]), x),
        lambda x: x.__setitem__(slice(0, 2), x[1:3]),
        lambda x: x.__setitem__(torch.tensor([0, 1]), x[1:3]),
    ],
)
def test_a_write_that_reads_other_elements_of_its_memory_is_refused(write):
    x = torch.arange(4.0)
    with pytest.raises(RuntimeError, match="some elements of the input tensor"):
        write(x)
    assert x.tolist() == [0, 1, 2, 3]


def test_a_write_may_read_its_own_elements_and_elements_apart():
    x = torch.arange(4.0)
    x.add_(x)
    x[::2].add_(x[1::2])
    x[:2].copy_(x[2:])
    x.masked_fill_(x > 8, x[0])
    assert x.tolist() == [10, 6, 10, 6]
    assert torch.arange(3.0).mul_(2).fill_(torch.tensor(1)).tolist() == [1, 1, 1]


# ---- views that writes cannot be followed through ------------------------------------------------
@pytest.mark.parametrize("several", [lambda x: x.unbind(), lambda x: x.split(1),
                                     lambda x: x.chunk(2), list])
def test_outputs_of_a_function_of_several_views_refuse_recorded_writes(several):
    x = torch.ones(2, 2, requires_grad=True) * 1
    first = several(x)[0]
    with pytest.raises(RuntimeError, match="returns multiple views"):
        first.mul_(2)
    assert x.tolist() == [[1, 1], [1, 1]]
    with torch.no_grad():
        first.mul_(2)
    several(torch.ones(2, 2))[0].mul_(2)


def test_such_a_view_has_no_derivative_after_a_write_to_its_base():
    x = leaf(1.0, 2.0) * 1
    first = x.unbind()[0]
    x.mul_(3)
    with pytest.raises(errors.InplaceError, match="its base or another view"):
        (first * 2).backward()


# ---- interrupts ----------------------------------------------------------------------------------
def interrupted_after(lines, action):
    """Run ``action`` and raise KeyboardInterrupt when so many lines of the package have run."""
    left = lines

    def trace(frame, event, arg):
        nonlocal left
        if "microtorch" not in frame.f_code.co_filename:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        action()
        return False
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)


def test_an_interrupted_write_leaves_all_as_it_was_or_all_done():
    seen, interrupted, lines = set(), True, 0
    while interrupted:
        lines += 1
        w = leaf(1.0, 2.0)
        x = w * 3
        x.retain_grad()
        view = x[:1]
        interrupted = interrupted_after(lines, lambda x=x: x.mul_(5))
        try:
            (x.sum() + view.sum()).backward()
        except errors.InplaceError:  # refused, which is not silent
            continue
        factor = x.tolist()[0] / 3
        assert view.tolist() == x.tolist()[:1]
        assert w.grad.tolist() == [6 * factor, 3 * factor], lines
        assert x.grad.tolist() == [2, 1]
        seen.add(factor)
    assert seen == {1, 5}
    assert lines > 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64], ids=str)
@pytest.mark.parametrize("action", [
    lambda x: x.mul_(5), lambda x: x.add_(x, alpha=2), lambda x: x.addcmul_(x, x),
    lambda x: x.__setitem__(slice(None), 5), lambda x: x[1:].mul_(5), lambda x: x.fill_(5),
], ids=["mul_", "add_ with a factor", "addcmul_", "setitem", "of a view", "fill_"])  # fmt: skip
@pytest.mark.parametrize("n", [4, 20_000])
def test_an_interrupted_write_is_dated_wherever_it_ends(n, action, dtype):
    """Also of large tensors, over which C writes straight: Ctrl-C mostly comes in the loop, and is
    heard when that has ended."""
    action(torch.full((n,), 3).to(dtype))  # what it imports is not to be interrupted
    interrupted, lines = True, 0
    while interrupted:
        lines += 1
        w, x = torch.ones(n, requires_grad=True), torch.full((n,), 3).to(dtype)
        out = (w * x).sum()
        interrupted = interrupted_after(lines, lambda x=x: action(x))
        try:
            out.backward()
        except errors.InplaceError:
            continue
        assert w.grad.tolist() == [3] * n, lines
    assert lines > 10


def test_a_write_that_fails_is_not_dated():
    w, x = torch.ones(20_000, requires_grad=True), torch.ones(20_000)
    out = (w * x).sum()
    with pytest.raises(RuntimeError):
        x.add_(torch.ones(2, 20_000))
    with pytest.raises((RuntimeError, IndexError)):
        x[:] = torch.ones(7)
    assert x._version == 0
    out.backward()
    x.mul_(torch.ones(1)).add_(torch.ones(20_000, dtype=torch.float64))
    assert x._version == 2


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_ctrl_c_during_backward_leaves_gradients_on():
    def interrupt(number, frame):
        raise KeyboardInterrupt

    x, looks = leaf(1.0, 2.0), np.geterr()
    previous, interrupts = signal.signal(signal.SIGALRM, interrupt), 0
    try:
        for i in range(100):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-4 + i * 1e-5)
                while True:
                    (x * 2).sum().backward()
            except KeyboardInterrupt:
                interrupts += 1
            assert torch.is_grad_enabled() and np.geterr() == looks
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert interrupts == 100


def test_views_of_a_detached_base_follow_what_is_written_to_it():
    x = torch.ones(3, requires_grad=True)
    y = x * 3
    v = y[:2]
    (y.sum() * 2).backward(retain_graph=True)
    assert x.grad.tolist() == [6, 6, 6]
    y.detach_()
    x.grad = None
    (v * 1).sum().backward(retain_graph=True)  # as yet it shows what x made
    assert x.grad.tolist() == [3, 3, 0]
    y.mul_(2)
    v.sum().backward()
    assert x.grad.tolist() == [3, 3, 0]
    x.detach_()
    assert x.grad.tolist() == [3, 3, 0]


def test_a_failed_write_leaves_hooks_where_they_were():
    x = torch.ones(2, requires_grad=True)
    v = (x * 2).reshape(1, 2)
    v.retain_grad()
    y = v * 3
    with pytest.raises(RuntimeError):
        v.mul_(v * 1j)
    y.sum().backward()
    assert v.grad.tolist() == [[3, 3]]


def test_set_by_strides_shares_memory():
    x = torch.arange(6.0)
    y = torch.empty(0).set_(x, 1, (2, 2), (2, 1))
    assert y.tolist() == [[1, 2], [3, 4]]
    z = torch.empty(0).set_(x[2:].untyped_storage(), 4, (2,))
    z.add_(10)
    assert x.tolist() == [0, 1, 2, 3, 14, 15]


def test_complex_regions_of_expanded_views():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    z = torch.view_as_complex(x * 1)
    w = z.expand_as(torch.ones(2))
    w.pow_(2)
    w.real.sum().backward()
    assert x.grad.tolist() == [[2, -4], [6, -8]]


@pytest.mark.parametrize("rows", [0, slice(1), (None, 1), slice(0, 0)])
def test_a_part_of_an_expanded_tensor_is_written_by_arrays(rows):
    x = torch.arange(3.0, requires_grad=True)
    y = (x * 1).expand(2, 3)
    y[(*rows, [2, 1]) if isinstance(rows, tuple) else (rows, [2, 1])] = 5.0
    y.sum().backward()
    nothing = rows == slice(0, 0)
    assert x.grad.tolist() == ([2, 2, 2] if nothing else [2, 0, 0])


def test_what_a_result_shares_with_an_operand_is_pytorchs():
    edges = torch.tensor([0.0, 1.0, 2.0])
    for found in (torch.rand(4).histogram(edges).bin_edges,
                  torch.histogramdd(torch.rand(4, 1), [edges]).bin_edges[0]):  # fmt: skip
        found.zero_()
    assert edges.tolist() == [0.0, 1.0, 2.0]
    assert torch.conj_physical(edges) is edges
    x = torch.rand(2, 3, requires_grad=True)
    assert not torch.nn.functional.group_norm(x, 1)._is_view()


@pytest.mark.parametrize("lies", ["rows", "turned", "one row"])
def test_a_copy_shares_nothing_also_where_it_changes_nothing(lies):
    x = {
        "rows": torch.ones(2, 4, 3), "turned": torch.ones(3, 4, 2).transpose(0, 2),
        "one row": torch.ones(3, 4, 1).transpose(0, 2),
    }[lies]  # fmt: skip
    copies = [
        x.flip(()), x.flip(0), x.flip(0, 2), torch.fliplr(x), x.rot90(4), x.roll(0, 1),
        x.roll(4, 1), x.narrow_copy(0, 0, len(x)), torch.diff(x, 0), x.repeat(1, 1, 1), x**1,
        torch.nn.functional.channel_shuffle(x, 1), torch.nn.functional.channel_shuffle(x, 4),
        torch.cat([x]), torch.nn.functional.pad(x, (0, 0)),
    ]  # fmt: skip
    for y in copies:
        y.zero_()
        assert (x == 1).all() and not y._is_view()
    assert (x**1).stride() == x.stride() and x.rot90(4).is_contiguous()
