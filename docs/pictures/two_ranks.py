"""Two processes, each with its part of the data, and the all-reduce between them.

python -m microtorch.distributed.run --nproc_per_node 2 docs/pictures/two_ranks.py [file ...]
"""

import sys
from pathlib import Path

import microtorch as torch
import microtorch.distributed as dist
from microtorch import nn, viz
from microtorch.nn.parallel import DistributedDataParallel

dist.init_process_group("mpi")
torch.manual_seed(0)
net = DistributedDataParallel(nn.Linear(2, 1))
data = torch.randn(4, 2)
x = data[dist.get_rank() :: 2]
y = x.sum(1, keepdim=True)
pred = net(x)
loss = nn.functional.mse_loss(pred, y)
loss.backward()

steps = viz.step(loss)
if dist.get_rank() == 0:
    for path in sys.argv[1:] or [str(Path(__file__).with_name("two-ranks.svg"))]:
        steps.save(path, speed=1.5) if path.endswith(".svg") else steps.save(path)
dist.barrier()
dist.destroy_process_group()
