"""torch.multiprocessing.spawn: the second process raises, with what it has received."""

import os

import microtorch as torch
import microtorch.distributed as dist
from microtorch import multiprocessing as mp


def work(rank, world_size, words):
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "localhost", "12355"
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    total = torch.tensor([rank + 1])
    dist.all_reduce(total)
    if rank == 1:
        raise ValueError(f"{words} {total.item()}")
    dist.barrier()


if __name__ == "__main__":
    try:
        mp.spawn(work, args=(2, "the sum is"), nprocs=2, join=True)
    except mp.ProcessRaisedException as error:
        print(error)
