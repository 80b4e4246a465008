"""Every collective, with values that name the rank they come from. Prints "ok" on each rank."""

import microtorch.distributed.nn as grad
import refused

import microtorch as torch
import microtorch.distributed as dist

dist.init_process_group("mpi")
r, n = dist.get_rank(), dist.get_world_size()
total = n * (n + 1) / 2


def full(value, size=2):
    return torch.full((size,), float(value))


def of(tensors):
    return [t[0].item() for t in tensors]


# one tensor
for op, wanted in (("SUM", total), ("AVG", (n + 1) / 2), ("MAX", n), ("MIN", 1)):
    t = full(r + 1)
    dist.all_reduce(t, op=dist.ReduceOp[op])
    assert t.tolist() == [wanted] * 2, (op, t)
t = full(r + 1).half()
dist.all_reduce(t)
assert t.dtype == torch.float16 and t[0] == total
t = torch.tensor([r == 0, False])
dist.all_reduce(t)
assert t.tolist() == [True, False]
m = torch.zeros(4, 4)
column = m[:, 1]
column += r + 1
dist.all_reduce(column)  # not contiguous
assert m[0, 1] == total and m[0, 0] == 0
t = torch.tensor([r, r])
dist.broadcast(t, src=n - 1)
assert t.tolist() == [n - 1] * 2
t = full(r)
dist.reduce(t, dst=0)
assert t[0] == (n * (n - 1) / 2 if r == 0 else r)

# lists of tensors
found = [full(0) for _ in range(n)]
dist.all_gather(found, full(r))
assert of(found) == list(range(n))
out = torch.zeros(2 * n)
dist.all_gather_into_tensor(out, full(r))
assert out.tolist() == [float(i // 2) for i in range(2 * n)]
found = [full(0) for _ in range(n)] if r == 0 else None
dist.gather(full(r), found, dst=0)
assert r != 0 or of(found) == list(range(n))
t = full(0)
dist.scatter(t, [full(i) for i in range(n)] if r == 0 else None, src=0)
assert t[0] == r
t = full(0)
dist.reduce_scatter(t, [full(i) for i in range(n)])
assert t[0] == r * n
t = full(0)
dist.reduce_scatter_tensor(t, torch.arange(2 * n).float())
assert t.tolist() == [2.0 * r * n, (2.0 * r + 1) * n]
found = [full(0) for _ in range(n)]
dist.all_to_all(found, [full(10 * r + j) for j in range(n)])
assert of(found) == [10 * j + r for j in range(n)]
out = torch.zeros(n)
dist.all_to_all_single(out, torch.arange(n).float() + 10 * r)
assert out.tolist() == [10 * j + r for j in range(n)]

# from one rank to another
dist.barrier()
if r == 0 and n > 1:
    dist.send(full(7), 1)
if r == 1:
    t = full(0)
    assert dist.recv(t) == 0 and t[0] == 7
if n > 1:
    t = full(0)
    ring = [
        dist.P2POp(dist.isend, full(r), (r + 1) % n),
        dist.P2POp(dist.irecv, t, (r - 1) % n),
    ]
    for work in dist.batch_isend_irecv(ring):
        work.wait()
    assert t[0] == (r - 1) % n
    pair = dist.new_group([0, 1])
    if r < 2:
        t = full(1)
        dist.all_reduce(t, group=pair)
        assert t[0] == 2 and dist.get_group_rank(pair, 1) == 1
    else:
        assert dist.get_rank(pair) == -1
work = dist.all_reduce(t := full(1), async_op=True)
assert work.wait() and t[0] == n

# objects
found = [None] * n
dist.all_gather_object(found, {"rank": r})
assert [f["rank"] for f in found] == list(range(n))
words = [r, str(r)]
dist.broadcast_object_list(words, src=0)
assert words == [0, "0"]
mine = [None]
dist.scatter_object_list(mine, [f"for {i}" for i in range(n)] if r == 0 else None, src=0)
assert mine == [f"for {r}"]

# with gradients: rank r's weight is r + 1
w = float(r + 1)
x = full(r).requires_grad_()
(grad.all_reduce(x).sum() * w).backward()
assert x.grad[0] == total
(grad.all_reduce(y := full(r).requires_grad_(), dist.ReduceOp.AVG).sum() * w).backward()
assert y.grad[0] == total / n
parts = grad.all_gather(x)
assert of(parts) == list(range(n))
(g,) = torch.autograd.grad(sum((i + 1) * p.sum() for i, p in enumerate(parts)) * w, x)
assert g[0] == (r + 1) * total
out = grad.broadcast(x, n - 1)
(g,) = torch.autograd.grad(out.sum() * w, x)
assert out[0] == n - 1 and g[0] == (total if r == n - 1 else 0)
out = grad.reduce(x, 0)
(g,) = torch.autograd.grad(out.sum() * w, x)
assert out[0] == (n * (n - 1) / 2 if r == 0 else r) and g[0] == 1
parts = grad.gather(x, 0)
(g,) = torch.autograd.grad(sum((i + 1) * p.sum() for i, p in enumerate(parts)) * w, x)
assert r != 0 or of(parts) == list(range(n))
assert g[0] == r + 1
xs = [full(10 * r + j).requires_grad_() for j in range(n)]
out = grad.scatter(xs, 0)
gs = torch.autograd.grad(out.sum() * w, xs)
assert out[0] == r and of(gs) == ([i + 1 for i in range(n)] if r == 0 else [0] * n)
out = grad.reduce_scatter(full(0), xs)
gs = torch.autograd.grad((out**2).sum(), xs, create_graph=True)
assert out[0] == sum(10 * i + r for i in range(n))
sums = [sum(10 * i + j for i in range(n)) for j in range(n)]
assert of(gs) == [2 * s for s in sums]
(gs,) = torch.autograd.grad(gs[0].sum(), [xs[0]])
assert gs[0] == 2 * n
parts = grad.all_to_all([full(0) for _ in range(n)], xs)
gs = torch.autograd.grad(sum(p.sum() for p in parts) * w, xs)
assert of(parts) == [10 * j + r for j in range(n)] and of(gs) == [j + 1 for j in range(n)]
x = (torch.arange(n).float() + 10 * r).requires_grad_()
out = grad.all_to_all_single(torch.zeros(n), x)
(g,) = torch.autograd.grad(out.sum() * w, x)
assert out.tolist() == [10 * j + r for j in range(n)] and g.tolist() == [j + 1 for j in range(n)]
try:
    grad.all_reduce(x, dist.ReduceOp.MAX).sum().backward()
    raise AssertionError("the gradients' maximum is no gradient")
except NotImplementedError as error:
    assert "all_gather" in str(error)

refused.check(n)

# a write is dated: what backward has saved is noticed to be stale
x = torch.ones(2, requires_grad=True)
w = full(r + 1)
y = (x * w).sum()
dist.all_reduce(w)
if n > 1:
    try:
        y.backward()
        raise AssertionError("a stale value was used")
    except RuntimeError as error:
        assert "all_reduce" in str(error) or "modified" in str(error), error
dist.destroy_process_group()
assert not dist.is_initialized()
print("ok", flush=True)
