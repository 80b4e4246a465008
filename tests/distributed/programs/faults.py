"""One rank does something else than the others: argv[1] says what."""

import os
import signal
import sys
import threading
import time
from datetime import timedelta

import microtorch as torch
import microtorch.distributed as dist

dist.init_process_group("mpi", timeout=timedelta(seconds=2))
fault, rank = sys.argv[1], dist.get_rank()
if fault == "raises" and rank == 1:
    raise ValueError(f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']}")
if fault == "killed":

    def kill():
        print("killed at", time.time(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    if rank == 1:  # in the middle of one of these
        threading.Timer(0.3, kill).start()
    while True:
        dist.all_reduce(torch.ones(1_000_000))
if fault == "differs":
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
