"""torch.multiprocessing.spawn: rank 1 raises with what it has received, then it is killed."""

import os
import signal
import time

import microtorch as torch
import microtorch.distributed as dist
from microtorch import multiprocessing as mp


def work(rank, world_size, words, results, shared):
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "localhost", "12355"
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    total = torch.tensor([rank + 1])
    dist.all_reduce(total)
    results.put((rank, total.item()))
    shared[rank] = rank + 1.0
    dist.barrier()
    if rank == 1:
        raise ValueError(f"{words} {total.item()}")
    dist.barrier()


def killed(rank):
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


if __name__ == "__main__":
    results, shared = mp.get_context("spawn").SimpleQueue(), torch.zeros(2).share_memory_()
    try:
        mp.spawn(work, args=(2, "the sum is", results, shared), nprocs=2, join=True)
    except mp.ProcessRaisedException as error:
        print(error)
    print(sorted(results.get() for _ in range(2)), shared.tolist())
    try:
        mp.spawn(killed, nprocs=2)
    except mp.ProcessExitedException as error:
        print(error, error.error_index, error.exit_code, error.signal_name)
