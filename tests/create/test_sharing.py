"""share_memory_(): processes that are forked or spawned write to one tensor."""
from __future__ import annotations

import copy
import os
import pickle

import pytest

import microtorch as torch
from microtorch import multiprocessing as mp
from microtorch import nn


def train(model, steps):
    """What a worker of Hogwild does: plain steps on the shared parameters."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()


@pytest.mark.skipif("fork" not in mp.get_all_start_methods(), reason="no fork here")
def test_a_process_trains_the_model_of_another():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    alone = copy.deepcopy(model)
    assert model.share_memory() is model and all(p.is_shared() for p in model.parameters())
    assert torch.equal(model.weight, alone.weight) and not alone.weight.is_shared()
    process = mp.get_context("fork").Process(target=train, args=(model, 3))
    process.start()
    process.join()
    train(alone, 3)
    assert process.exitcode == 0 and torch.equal(model.weight, alone.weight)
    assert torch.equal(model.bias, alone.bias) and model.bias.requires_grad


def test_a_shared_tensor_is_a_tensor():
    x = torch.arange(6).reshape(2, 3).clone()
    assert x.share_memory_() is x and x.share_memory_() is x and x[0].is_shared()
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]] and x.dtype is torch.int64
    assert torch.zeros(0).share_memory_().is_shared() and torch.tensor(2.5).share_memory_() == 2.5
    half = torch.ones(2, dtype=torch.bfloat16).share_memory_()
    assert half.dtype is torch.bfloat16 and half.sum() == 2
    w = torch.ones(2, requires_grad=True).share_memory_()
    (w * w).sum().backward()
    assert w.is_leaf and w.grad.tolist() == [2, 2] and not w.grad.is_shared()
    assert not copy.deepcopy(w).is_shared()
    turned = torch.arange(6).reshape(2, 3).t()
    assert turned.share_memory_().stride() == (1, 3) and turned[2, 1] == 5


def test_what_shows_the_same_memory_goes_along():
    whole = torch.arange(12.0).reshape(3, 4)
    turned, part, apart = whole.t(), whole[1:, ::2], whole.detach()
    turned.share_memory_()
    assert all(x.is_shared() for x in (whole, turned, part, apart))
    assert turned.stride() == (1, 4) and part.stride() == (4, 2) and part.storage_offset() == 4
    turned[0, 1] = 50
    assert whole[1, 0] == part[0, 0] == apart[1, 0] == 50 and whole[2, 3] == 11
    p = nn.Parameter(torch.ones(2, 3))
    y = p.T * 2
    p.data.share_memory_()
    y.share_memory_()
    y.sum().backward()
    assert p.is_shared() and y.is_shared() and p.grad.sum() == 12
    array = apart.numpy()
    apart.clone().share_memory_()[0, 0] = 9
    assert array[0, 0] == 0


@pytest.mark.skipif("spawn" not in mp.get_all_start_methods() or os.name != "posix", reason="POSIX")
def test_a_spawned_process_is_sent_the_memory():
    """What `Process.start` does when it spawns, without the process."""
    from multiprocessing import popen_spawn_posix
    from multiprocessing.context import set_spawning_popen
    from multiprocessing.reduction import ForkingPickler

    class Popen:
        DupFd = popen_spawn_posix._DupFd

        def duplicate_for_child(self, fd):
            return os.dup(fd)

    model = nn.Linear(3, 2).share_memory()
    part = model.weight.data[:, 1:]
    set_spawning_popen(Popen())
    try:
        sent = bytes(ForkingPickler.dumps((model, part)))
    finally:
        set_spawning_popen(None)
    there, there_part = pickle.loads(sent)
    with torch.no_grad():
        there.weight.fill_(7)
        there_part[1, 0] = 8
    assert model.weight.tolist() == [[7, 7, 7], [7, 8, 7]] and there.bias.requires_grad
    assert type(there.weight) is nn.Parameter and there.weight.is_shared()
    copied = pickle.loads(ForkingPickler.dumps(model.weight))  # a Queue
    assert torch.equal(copied, model.weight) and not copied.is_shared()


def test_objects_that_are_no_tensors_are_not_asked_what_they_are():
    class Deprecated:
        @property
        def __class__(self):
            raise FutureWarning("use another")

    kept, x = [Deprecated()], torch.ones(2)
    view = x[1:]  # so all tensors there are have to be looked at
    assert x.share_memory_() is x and view.is_shared() and len(kept) == 1
