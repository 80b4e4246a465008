"""One rank does something else than the others: argv[1] says what."""

import os
import signal
import sys
import threading
import time
from datetime import timedelta

import microtorch as torch
import microtorch.distributed as dist
from microtorch.distributed.agreement import assembled

dist.init_process_group("mpi", timeout=timedelta(seconds=2))
fault, rank = sys.argv[1], dist.get_rank()
if fault == "raises" and rank == 1:
    raise ValueError(f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']}")
if fault == "killed":

    done, t = 0, torch.ones(1_000_000)

    def kill():
        print("killed at", time.time(), "after", done, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    print("process", os.getpid(), flush=True)
    dist.all_reduce(t)  # all are there
    if rank == 1:
        threading.Timer(0.2, kill).start()
    while True:  # the others are within one of these, and stay there
        dist.all_reduce(t, op=dist.ReduceOp.MAX)
        done += 1
if fault == "differs":
    # rank 1 waits for rank 0, gives up, and comes again: what it brought first is not mixed in
    world, large = dist.group.WORLD, "x" * 1_000_000
    for only in (1, 0):
        if rank == only:
            try:
                assembled(world, ("first", rank, large), "a picture", 0.1 - rank)
            except dist.DistError as error:
                print(error, flush=True)
        world.comm.Barrier()
    found = [thing[:2] for thing in assembled(world, ("second", rank, large), "a picture", 5)]
    assert found == [("second", 0), ("second", 1)], found
    if rank == 1:  # what nobody receives does not keep it from ending
        try:
            assembled(world, ("third", rank, large), "the last picture", -0.9)
        except dist.DistError as error:
            print(error, flush=True)
    for collective in (
        lambda: dist.all_reduce(torch.ones(3)) if rank else dist.broadcast(torch.ones(3), 0),
        lambda: dist.all_reduce(torch.ones(3 + rank)),
        lambda: dist.all_reduce(torch.ones(3).double() if rank else torch.ones(3)),
    ):
        try:
            collective()
        except dist.DistError as error:  # on every rank, and the next one is in step again
            print(error, flush=True)
    raise SystemExit(1)
if fault == "late" and rank == 1:
    time.sleep(60)
dist.all_reduce(torch.ones(1_000_000))
