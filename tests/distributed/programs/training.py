"""DistributedDataParallel against one process with the whole batch. Prints "ok" on each rank."""

import microtorch as torch
import microtorch.distributed as dist
import microtorch.nn.functional as F
from microtorch import nn, viz
from microtorch.nn.parallel import DistributedDataParallel
from microtorch.nn.parallel.hooks import allreduce_hook, fp16_compress_hook

dist.init_process_group("mpi")
r, n = dist.get_rank(), dist.get_world_size()


def network():
    return nn.Sequential(
        nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 3)
    )


def farthest(value=lambda p: p.detach()):
    pairs = zip(net.parameters(), alone.parameters(), strict=True)
    return max((value(a) - value(b)).abs().max().item() for a, b in pairs)


def equal_bits(module):
    found = [None] * n
    dist.all_gather_object(found, [p.detach().numpy().tobytes() for p in module.parameters()])
    return all(f == found[0] for f in found)


torch.manual_seed(r)  # DistributedDataParallel begins with rank 0's numbers
net, alone = network(), network()
ddp = DistributedDataParallel(net, bucket_cap_mb=0.01)
alone.load_state_dict(net.state_dict())
g = torch.Generator().manual_seed(5)
X, Y = torch.randn(8 * n, 10, generator=g), torch.randint(3, (8 * n,), generator=g)
x, y = X[r::n], Y[r::n]
ours = torch.optim.SGD(ddp.parameters(), lr=0.1, momentum=0.9)
theirs = torch.optim.SGD(alone.parameters(), lr=0.1, momentum=0.9)
for _ in range(20):
    ours.zero_grad()
    theirs.zero_grad()
    F.cross_entropy(ddp(x), y).backward()
    F.cross_entropy(alone(X), Y).backward()
    ours.step()
    theirs.step()
assert farthest() < 1e-5 and equal_bits(net)
assert len(ddp.timeline()) >= 3 and "all-reduce" in viz.timeline(ddp).svg()
assert next(iter(ddp.state_dict())) == "module.0.weight"


def compare(loss):
    """The averaged gradients of ``loss(module, x, y)`` beside those of one process."""
    ours.zero_grad()
    theirs.zero_grad()
    loss(ddp, x, y).backward()
    loss(alone, X, Y).backward()
    assert farthest(lambda p: p.grad) < 1e-5


alone.load_state_dict(net.state_dict())
# the module twice in a graph, and its parameters outside of it
compare(lambda m, x, y: F.cross_entropy(m(x), y) + F.cross_entropy(m(2 * x), y))
compare(lambda m, x, y: F.cross_entropy(m(x), y) + sum((p * p).sum() for p in m.parameters()))
ddp(x)  # a forward without backward
compare(lambda m, x, y: F.cross_entropy(m(x), y))

# gradients of this rank alone add up under no_sync, and the next backward averages all
ours.zero_grad()
theirs.zero_grad()
with ddp.no_sync():
    F.cross_entropy(ddp(x), y).backward()
F.cross_entropy(ddp(x), y).backward()
(2 * F.cross_entropy(alone(X), Y)).backward()
assert farthest(lambda p: p.grad) < 1e-5

# other ways to average a bucket
for hook, close in ((allreduce_hook, 1e-6), (fp16_compress_hook, 1e-2)):
    hooked = DistributedDataParallel(network(), bucket_cap_mb=0.01)
    hooked.module.load_state_dict(net.state_dict())
    hooked.register_comm_hook(None, hook)
    F.cross_entropy(hooked(x), y).backward()
    alone.load_state_dict(net.state_dict())
    theirs.zero_grad()
    F.cross_entropy(alone(X), Y).backward()
    for p, q in zip(hooked.module.parameters(), alone.parameters(), strict=True):
        assert (p.grad - q.grad).abs().max() < close
alone.load_state_dict(net.state_dict())


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x, both):
        return self.a(x) + (self.b(x) if both else 0)


ones = torch.ones(2, 3)
m = DistributedDataParallel(Two(), find_unused_parameters=True)
m(ones, r == 0).sum().backward()  # only rank 0 uses b
assert m.module.b.bias.grad.tolist() == [2.0 / n] * 3
m.zero_grad()
m(ones, False).sum().backward()  # nobody does
assert m.module.b.bias.grad is None
m = DistributedDataParallel(Two())
m(ones, False).sum().backward()
for fault, words in (
    (lambda: m(ones, False), ("find_unused_parameters=True", "b.weight")),
    (lambda: ddp(x).sum().backward(create_graph=True), ("create_graph",)),
    (lambda: DistributedDataParallel(nn.Linear(2, 2 + r)), ("rank 1", "weight")),
    (lambda: DistributedDataParallel(nn.ReLU()), ("not needed",)),
):
    try:
        fault()
        raise AssertionError(words)
    except RuntimeError as error:
        assert all(w in str(error) for w in words), error

# a backward that fails in the middle leaves nothing under way
handle = net[0].weight.register_hook(lambda g: 1 / 0)
try:
    F.cross_entropy(ddp(x), y).backward()
    raise AssertionError
except ZeroDivisionError:
    handle.remove()
compare(lambda m, x, y: F.cross_entropy(m(x), y))

# uneven inputs
m = DistributedDataParallel(nn.Linear(2, 1))
step = torch.optim.SGD(m.parameters(), lr=0.1)
with m.join():
    for _ in range(3 + 2 * r):
        step.zero_grad()
        m(torch.ones(4, 2)).sum().backward()
        step.step()
assert equal_bits(m)  # of a rank that went on longest
with m.join(divide_by_initial_world_size=False):
    for _ in range(1 + r):
        m.zero_grad()
        m(torch.ones(1, 2)).sum().backward()
        assert m.module.bias.grad.item() == 1  # the mean of those that still have data
dist.barrier()
# batch norm's statistics are rank 0's
bn = DistributedDataParallel(nn.BatchNorm1d(2))
for _ in range(3):
    bn(torch.randn(4, 2) + r).sum().backward()
bn(torch.randn(4, 2))
found = [None] * n
dist.all_gather_object(found, bn.module.num_batches_tracked.item())
assert len(set(found)) == 1
print("ok", flush=True)
