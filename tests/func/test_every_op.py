"""Every op of the registry on batches and on dual numbers: as in a loop, and as J times t."""

import functools

import numpy as np
import pytest
from ops.running import CASES, tensors
from ops.samples import SAMPLES

import microtorch as torch
from microtorch import func
from microtorch.engine.registry import REGISTRY

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
every_sample = pytest.mark.parametrize(("name", "i"), CASES)
# their second operand, or the whole op, is no function of tensors
LEFT_OUT = {"transfer", "stack_scalars", "element", "output"}
LEFT_OUT |= {"embedding_rows"}  # its gradient is a sparse one, and for leaves only
# views whose memory layout is an attribute: no rule
NO_RULE = {"as_strided"}


def differentiable(sample, name):
    floats = [
        i for i, x in enumerate(sample.inputs) if x.dtype.kind == "f" and i not in sample.data
    ]
    return floats if REGISTRY[name].differentiable else []


def stacked(sample):
    """Three samples of each floating input, in other orders of the same numbers."""
    out = []
    for i, x in enumerate(sample.inputs):
        rows = [x, x, x]
        if x.dtype.kind == "f" and i not in sample.data and x.ndim < 2:
            rows = [x, x[::-1], x] if x.ndim else rows
        out.append(torch.tensor(np.stack(rows)))
    return out


@every_sample
def test_vmap_is_a_loop(name, i):
    if name in LEFT_OUT | NO_RULE:
        pytest.skip("no op of tensors")
    sample = SAMPLES[name][i]
    op = functools.partial(REGISTRY[name], **sample.attrs)
    xs, floats = stacked(sample), differentiable(sample, name)
    batched = [x.clone().requires_grad_(i in floats) for i, x in enumerate(xs)]
    single = [x.clone().requires_grad_(i in floats) for i, x in enumerate(xs)]
    out = torch.vmap(op)(*batched)
    loop = torch.stack([op(*[x[k] for x in single]) for k in range(3)])
    assert out.dtype == loop.dtype
    np.testing.assert_allclose(out.detach().numpy(), loop.detach().numpy(), 1e-12, 1e-12)
    assert out.requires_grad == loop.requires_grad
    if loop.requires_grad:
        g = torch.tensor(np.cos(np.arange(loop.numel())).reshape(loop.shape), dtype=loop.dtype)
        out.backward(g)
        loop.backward(g)
        for a, b in zip(batched, single, strict=True):
            assert (a.grad is None) == (b.grad is None)
            if b.grad is not None:
                np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), 1e-10, 1e-12)


@every_sample
def test_one_operand_of_a_vmap(name, i):
    """The others are the same for all samples."""
    if name in LEFT_OUT | NO_RULE:
        pytest.skip("no op of tensors")
    sample = SAMPLES[name][i]
    op = functools.partial(REGISTRY[name], **sample.attrs)
    xs, floats = tensors(sample.inputs, data=sample.data), differentiable(sample, name)
    for k in floats:
        rows = torch.stack([xs[k].detach(), xs[k].detach()]).requires_grad_()
        others = [x.detach().requires_grad_(j in floats) for j, x in enumerate(xs)]
        dims = tuple(0 if j == k else None for j in range(len(xs)))
        out = torch.vmap(op, in_dims=dims)(*[rows if j == k else x for j, x in enumerate(others)])
        one = op(*xs)
        expected = np.stack([one.detach().numpy()] * 2)
        np.testing.assert_allclose(out.detach().numpy(), expected, 1e-12, 1e-12)
        if not one.requires_grad:
            continue
        for x in xs:
            x.grad = None
        one.backward(torch.ones_like(one))
        out.backward(torch.ones_like(out))
        for j in floats:
            got = rows.grad[1] if j == k else others[j].grad
            if got is None:
                assert xs[j].grad is None
                continue
            times = 1 if j == k else 2
            np.testing.assert_allclose(got.numpy(), times * xs[j].grad.numpy(), 1e-10, 1e-12)


@every_sample
def test_jvp_is_the_jacobian_times_the_tangent(name, i):
    if name in LEFT_OUT:
        pytest.skip("no op of tensors")
    sample = SAMPLES[name][i]
    op = functools.partial(REGISTRY[name], **sample.attrs)
    xs, floats = tensors(sample.inputs, data=sample.data), differentiable(sample, name)
    if not floats or not op(*xs).requires_grad:
        pytest.skip("no derivative")
    if name == "mean" and not xs[0].numel():
        pytest.skip("0 / 0")
    ts = [torch.tensor(np.sin(np.arange(x.numel()) + 1.0).reshape(x.shape)) for x in xs]

    def of_floats(*given):
        full = [x.detach() for x in xs]
        for k, x in zip(floats, given, strict=True):
            full[k] = x
        return op(*full)

    at = tuple(xs[k].detach() for k in floats)
    out, tangent = func.jvp(of_floats, at, tuple(ts[k] for k in floats))
    # u -> vjp(u) is linear, and its derivative in direction t is J t: two backward passes
    y = op(*xs)
    u = torch.zeros_like(y).requires_grad_()
    parts = torch.autograd.grad(
        y, [xs[k] for k in floats], u, create_graph=True, allow_unused=True
    )
    ways = [(p, ts[k]) for p, k in zip(parts, floats, strict=True) if p is not None]
    ways = [(p, t) for p, t in ways if p.requires_grad]
    expected = np.zeros(y.shape)
    if ways:
        (g,) = torch.autograd.grad(
            [p for p, _ in ways], [u], [t for _, t in ways], allow_unused=True
        )
        expected = expected if g is None else g.numpy()
    np.testing.assert_allclose(out.numpy(), y.detach().numpy(), 1e-12, 1e-12)
    np.testing.assert_allclose(tangent.numpy(), expected, 1e-9, 1e-11)
