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


def test_what_would_stay_behind_is_refused():
    p = nn.Parameter(torch.ones(2))
    whole = torch.ones(4)
    part = whole[:2]
    for x in (p.data, p * 2, part, whole, p.detach()):
        with pytest.raises(RuntimeError, match="something else shows"):
            x.share_memory_()
    p = nn.Parameter(torch.ones(2))
    array = p.detach().numpy()
    assert refuses(p)
    del array
    assert not refuses(p) and p.is_shared()


def refuses(x):
    try:
        x.share_memory_()
    except RuntimeError:
        return True
    return False


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
    set_spawning_popen(Popen())
    try:
        sent = bytes(ForkingPickler.dumps(model))
    finally:
        set_spawning_popen(None)
    there = pickle.loads(sent)
    with torch.no_grad():
        there.weight.fill_(7)
    assert model.weight.tolist() == [[7, 7, 7]] * 2 and there.bias.requires_grad
    assert type(there.weight) is nn.Parameter and there.weight.is_shared()
    copied = pickle.loads(ForkingPickler.dumps(model.weight))  # a Queue
    assert torch.equal(copied, model.weight) and not copied.is_shared()
