"""DataLoader with worker processes; numbers and orders recorded from PyTorch 2.13."""

import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from repository import python
from small_data import lists

import microtorch as torch
from microtorch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    TensorDataset,
    get_worker_info,
)

needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork here"
)
pytestmark = [needs_fork, pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")]


class Drawing(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, torch.rand(1), random.random(), np.random.rand()


class Shards(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, 10, info.num_workers))


class Slow(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        time.sleep(0.05 if index == 0 else 0)
        return index


def loader(data, *args, **kwargs):
    return DataLoader(data, *args, multiprocessing_context="fork", **kwargs)


def no_workers_left():
    gc.collect()  # frames of an exception can hold an iterator
    until = time.monotonic() + 5
    while multiprocessing.active_children() and time.monotonic() < until:
        time.sleep(0.01)
    return not multiprocessing.active_children()


def test_order_and_seeds_are_pytorchs():
    torch.manual_seed(0)
    batches = list(loader(Drawing(), 4, num_workers=2))
    assert [batch[0].tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    drawn = [batch[1].flatten().tolist() for batch in batches]
    assert drawn[0] == pytest.approx([0.7821, 0.0536, 0.9888, 0.1949], abs=5e-5)
    assert drawn[1] == pytest.approx([0.6938, 0.2980, 0.1669, 0.2847], abs=5e-5)
    assert drawn[2] == pytest.approx([0.5242, 0.1987], abs=5e-5)
    assert batches[1][2].tolist() == pytest.approx([0.7734, 0.1634, 0.4661, 0.9059], abs=5e-5)
    assert batches[1][3].tolist() == pytest.approx([0.6703, 0.0759, 0.9898, 0.4707], abs=5e-5)
    assert no_workers_left()


def test_the_same_batches_as_without_workers():
    data = TensorDataset(torch.arange(23).reshape(23, 1).float(), torch.arange(23))
    made = []
    for workers in (0, 3):
        torch.manual_seed(5)
        options = {"num_workers": workers} if workers else {}
        made.append([[p.tolist() for p in batch] for batch in DataLoader(data, 5, True, **options)])
        made[-1].append(torch.rand(1).item())
    assert made[0] == made[1]


def test_streams_are_shared_out():
    assert lists(loader(Shards(), 2, num_workers=3)) == [[0, 3], [1, 4], [2, 5], [6, 9], [7], [8]]
    assert lists(loader(Shards(), 2, num_workers=3, drop_last=True)) == [
        [0, 3],
        [1, 4],
        [2, 5],
        [6, 9],
    ]
    singles = list(loader(Shards(), None, num_workers=2))
    assert [int(v) for v in singles] == list(range(10))


def test_persistent_workers():
    torch.manual_seed(0)
    for _ in range(3):
        list(DataLoader(range(1)))  # three draws, as when this was recorded
    data = loader(Process(), 4, num_workers=2, persistent_workers=True)
    first, second = ([pid for _, pids in data for pid in pids.tolist()] for _ in range(2))
    assert first == second and len(set(first)) == 2
    iterator = iter(data)
    next(iterator)  # a pass that is left at once
    assert [i for numbers, _ in data for i in numbers.tolist()] == list(range(10))
    pids = set(first)
    del data, iterator
    assert no_workers_left() and all(not os.path.exists(f"/proc/{pid}") for pid in pids)


class Process(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, os.getpid()


def test_worker_init_and_info():
    assert get_worker_info() is None
    seen = []

    def start(id):
        info = get_worker_info()
        seen.append((id, info.id, info.num_workers, info.seed - info.id, len(info.dataset)))

    class Seen(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return seen[0]

    torch.manual_seed(3)
    rows = next(iter(loader(Seen(), 4, num_workers=2, worker_init_fn=start)))
    torch.manual_seed(3)
    base = int(torch.empty((), dtype=torch.int64).random_())
    assert [column[0].item() for column in rows] == [0, 0, 2, base, 4]


class Bad(Slow):
    def __getitem__(self, index):
        if index == 3:
            raise KeyError("three")
        return index


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} {b}")


def test_an_error_comes_with_its_traceback():
    batches = iter(loader(Bad(), 2, num_workers=2))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(KeyError) as error:
        next(batches)
    text = str(error.value)
    assert text.startswith("Caught KeyError in DataLoader worker process 1.\nOriginal Traceback")
    assert "test_workers.py" in text and 'raise KeyError("three")' in text
    assert next(batches).tolist() == [4, 5]  # the others are still there

    class Two(Slow):
        def __getitem__(self, index):
            raise Odd(1, 2)

    with pytest.raises(RuntimeError, match="Caught Odd in DataLoader worker process 0"):
        next(iter(loader(Two(), 2, num_workers=1)))

    class Misspelt(Slow):
        def __getitem__(self, index):
            return torch.onez(2) if index else torch.ones(2).sum(3)

    for order, seen in (([0], IndexError), ([1], AttributeError)):  # one of ours comes as PyTorch's
        with pytest.raises(seen, match=f"Caught {seen.__name__} in DataLoader worker process 0"):
            next(iter(loader(Misspelt(), 1, num_workers=1, sampler=order)))

    class Unpicklable(Slow):
        def __getitem__(self, index):
            return lambda: index

    with pytest.raises(RuntimeError, match=r"pickle|local object"):
        next(iter(loader(Unpicklable(), 2, num_workers=1, collate_fn=list)))

    def start(id):
        raise ValueError("cannot begin")

    with pytest.raises(ValueError, match="cannot begin"):
        list(loader(Slow(), 2, num_workers=2, worker_init_fn=start))


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_worker_that_dies_is_named(how):
    class Dies(Slow):
        def __getitem__(self, index):
            if index == 3:
                os._exit(7) if how == "exit" else os.kill(os.getpid(), signal.SIGKILL)
            return index

    words = "worker 1: " + ("exit code 7" if how == "exit" else "killed by SIGKILL")
    with pytest.raises(RuntimeError, match=r"pid\(s\) \d+\) exited unexpectedly") as error:
        list(loader(Dies(), 2, num_workers=2))
    assert words in str(error.value)
    del error
    assert no_workers_left()
    again = loader(Dies(), 2, num_workers=2, persistent_workers=True)
    for _ in range(2):  # the second pass has new workers
        with pytest.raises(RuntimeError, match="exited unexpectedly"):
            list(again)


def test_timeout():
    class Waits(Slow):
        def __getitem__(self, index):
            time.sleep(60)

    with pytest.raises(RuntimeError, match=r"timed out after 0\.2 seconds"):
        next(iter(loader(Waits(), num_workers=1, timeout=0.2)))
    assert no_workers_left()


def test_batches_as_they_come():
    made = lists(loader(Slow(), 1, num_workers=2, in_order=False))
    assert sorted(made) == [[i] for i in range(6)] and made[0] != [0]


def test_a_large_batch_and_many_indices_do_not_block():
    data = TensorDataset(torch.zeros(40_000, 10))
    for _ in range(2):
        assert [len(batch[0]) for batch in loader(data, 20_000, num_workers=1)] == [20_000] * 2
    batches = iter(loader(data, 100, num_workers=2, prefetch_factor=8))
    next(batches)
    del batches  # left with results that nobody reads
    assert no_workers_left()


def test_spawn():
    made = lists(DataLoader(list(range(5)), 2, num_workers=1, multiprocessing_context="spawn"))
    assert made == [[0, 1], [2, 3], [4]]


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
        import os, signal, time
        # a job in the background of a shell has been told to ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from microtorch.utils.data import DataLoader
        class Data:
            def __len__(self): return 100
            def __getitem__(self, i):
                os.write(1, b"%d\\n" % os.getpid())  # at once: two write to one pipe
                time.sleep(0.2 if i < 2 else 60)
                return i
        for batch in DataLoader(Data(), num_workers=2, multiprocessing_context="fork"):
            pass
    """)
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    process = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, start_new_session=True,
    )  # fmt: skip
    workers = {int(process.stdout.readline()) for _ in range(4)}
    os.killpg(process.pid, signal.SIGINT)  # as the terminal sends it: to all of the group
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0 and "KeyboardInterrupt" in errors
    assert errors.count("Traceback") == 1  # the workers say nothing
    until = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"num_workers": 1, "multiprocessing_context": "thread"}, ValueError, "valid start method"),
        ({"num_workers": 1, "multiprocessing_context": 3}, TypeError, "valid context object"),
        ({"multiprocessing_context": "fork"}, ValueError, "num_workers=0"),
        ({"num_workers": 1, "prefetch_factor": -1}, ValueError, "non-negative"),
        ({"persistent_workers": True}, ValueError, "needs num_workers > 0"),
    ],
)
def test_arguments(options, error, words):
    with pytest.raises(error, match=words):
        DataLoader([1], **options)


def test_attributes():
    made = DataLoader([1, 2], num_workers=2, pin_memory=True)
    assert made.prefetch_factor == 2 and made.num_workers == 2 and made.pin_memory
    with pytest.raises(ValueError, match="persistent_workers attribute should not be set"):
        made.persistent_workers = True
    iterator = iter(DataLoader([1, 2, 3]))
    assert len(iterator) == 3 and iter(iterator) is iterator


def test_a_script_for_torch_may_spawn(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
        import torch
        from torch.utils.data import DataLoader, Dataset
        class Data(Dataset):
            def __len__(self): return 3
            def __getitem__(self, i): return torch.tensor(2 * i)
        if __name__ == "__main__":
            loader = DataLoader(Data(), 2, num_workers=1, multiprocessing_context="spawn")
            print([batch.tolist() for batch in loader])
    """)
    )
    assert python("-m", "microtorch", "run", program, timeout=60) == "[[0, 2], [4]]\n"
