"""DistributedDataParallel against one process with the whole batch. Prints "ok" on each rank."""

from microtorch.distributed.algorithms.join import Join, Joinable, JoinHook
from microtorch.distributed.optim import ZeroRedundancyOptimizer

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


def penalized(m, x, y):
    x = x.clone().requires_grad_()
    out = m(x)
    slope, = torch.autograd.grad(0.01 * out.pow(2).sum(), x, create_graph=True)
    return F.cross_entropy(out, y) + (slope.norm(dim=1) - 1).pow(2).mean()


compare(penalized)
whole = torch.autograd.grad(ddp(x).sum(), net[0].weight)[0]  # of this rank alone, as in PyTorch
assert torch.equal(whole, torch.autograd.grad(net(x).sum(), net[0].weight)[0])
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
assert torch.allclose(m.module.b.bias.grad, torch.full((3,), 2.0 / n))
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


class Counter(Joinable):  # one of a program's own
    total, join_device, join_process_group = 0, "cpu", dist.group.WORLD

    def __call__(self):
        Join.notify_join_context(self)
        self.add(1.0)

    def add(self, value):
        dist.all_reduce(t := torch.tensor([value]))
        self.total += t.item()

    def join_hook(self, **kwargs):
        hook = JoinHook()
        hook.main_hook = lambda: self.add(0.0)
        hook.post_hook = lambda last: setattr(self, "last", last)
        return hook


count = Counter()
with Join([count]):
    for _ in range(2 + r):
        count()
assert count.total == sum(2 + i for i in range(n)) and count.last == (r == n - 1)
try:
    with Join([count], throw_on_early_termination=True):
        for _ in range(1 + r):
            count()
    raise AssertionError("one rank had no data left")
except RuntimeError as error:
    assert "exhausted inputs" in str(error), error

# the optimizer's state spread over the ranks: the steps of one optimizer of all
parts = [DistributedDataParallel(network()) for _ in range(2)]
parts[1].load_state_dict(parts[0].state_dict())
groups = [
    [{"params": m.module[:2].parameters(), "lr": 0.1}, {"params": m.module[2:].parameters()}]
    for m in parts
]
zero = ZeroRedundancyOptimizer(groups[0], torch.optim.Adam, lr=0.01)
plain = torch.optim.Adam(groups[1], lr=0.01)
steps = [torch.optim.lr_scheduler.StepLR(o, 1, 0.5) for o in (zero, plain)]
for _ in range(3):
    for m, o, s in zip(parts, (zero, plain), steps, strict=True):
        o.zero_grad()
        F.cross_entropy(m(x), y).backward()
        o.step()
        s.step()
assert equal_bits(parts[0]) and all(map(torch.equal, parts[0].parameters(), parts[1].parameters()))
assert len(zero.optim.state) < len(plain.state) == 6
try:
    zero.state_dict()
    raise AssertionError("nobody has the whole state")
except RuntimeError as error:
    assert f"consolidate_state_dict(to={r})" in str(error)
zero.consolidate_state_dict(to=n - 1)
if r == n - 1:
    found, wanted = zero.state_dict(), plain.state_dict()
    assert list(found["state"]) == list(wanted["state"])
    assert found["param_groups"] == wanted["param_groups"]
    for i in wanted["state"]:
        assert all(torch.equal(found["state"][i][k], v) for k, v in wanted["state"][i].items())
again = ZeroRedundancyOptimizer(parts[0].parameters(), torch.optim.Adam)
other = torch.optim.Adam(parts[1].parameters())
for o in (again, other):
    saved = plain.state_dict()
    saved["param_groups"] = [{**saved["param_groups"][1], "params": list(range(6))}]
    o.load_state_dict(saved)
    o.step()
assert all(map(torch.equal, parts[0].parameters(), parts[1].parameters()))
with Join([parts[0], again]):
    for _ in range(1 + r):
        again.zero_grad()
        F.cross_entropy(parts[0](x), y).backward()
        again.step()
assert equal_bits(parts[0])
# batch norm's statistics are rank 0's
bn = DistributedDataParallel(nn.BatchNorm1d(2))
for _ in range(3):
    bn(torch.randn(4, 2) + r).sum().backward()
bn(torch.randn(4, 2))
found = [None] * n
dist.all_gather_object(found, bn.module.num_batches_tracked.item())
assert len(set(found)) == 1
print("ok", flush=True)
