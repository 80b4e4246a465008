"""One rank does something else than the others: argv[1] says what."""

import os
import signal
import sys
import time
from datetime import timedelta

import microtorch as torch
import microtorch.distributed as dist

dist.init_process_group("mpi", timeout=timedelta(seconds=2))
fault, rank = sys.argv[1], dist.get_rank()
if fault == "raises" and rank == 1:
    raise ValueError("a fault of its own")
if fault == "killed" and rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
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
