"""torch.autograd.graph: saved tensors and hooks on them, edges, names of backward nodes."""

import numpy as np
import pytest

import microtorch as torch
from microtorch.autograd import graph
from microtorch.nn import functional as F


def pair(log):
    def pack(t):
        log.append(("pack", t.tolist(), t.requires_grad))
        return t.detach().numpy().copy()

    def unpack(kept):
        log.append(("unpack", kept.tolist()))
        return torch.from_numpy(kept)

    return graph.saved_tensors_hooks(pack, unpack)


# ---- saved tensors -------------------------------------------------------------------------------
def test_what_is_packed_and_when():
    log = []
    with pair(log):
        a = torch.ones(2, requires_grad=True)
        b = torch.ones(2, requires_grad=True) * 2
        c = (a * b).exp()
        loss = (c * 3).sum()  # a number is no tensor, and addition reads nothing
    e2 = np.exp(np.float32(2))
    assert log[:2] == [("pack", [2, 2], True), ("pack", [1, 1], True)]
    assert log[2][0] == "pack" and np.allclose(log[2][1], e2) and len(log) == 3
    del log[:]
    loss.backward()
    assert [kind for kind, *_ in log] == ["unpack"] * 3 and log[1][1] == [2, 2]
    np.testing.assert_allclose(a.grad.numpy(), [2 * e2 * 3] * 2, 1e-6)
    x = torch.ones(2, requires_grad=True)
    (x * x).sum().backward()  # nothing stays behind
    assert len(log) == 3


def test_all_kinds_of_ops_are_packed_and_give_the_same_gradients():
    def model(x, w, b):
        h = F.linear(x, w, b).relu().softmax(1)
        h = torch.cat([h, h.t()]).sum(0) + F.layer_norm(x, (3,)).prod(1)
        return (h[torch.tensor([0, 1])] ** 2).mean() + torch.linalg.inv(w).sum()

    def run(*hooks):
        torch.manual_seed(0)
        xs = [torch.rand(3, 3, requires_grad=True) for _ in range(2)]
        xs.append(torch.rand(3, requires_grad=True))
        with graph.saved_tensors_hooks(*hooks):
            loss = model(*xs)
        loss.backward(retain_graph=True)
        loss.backward()
        return [x.grad.numpy() for x in xs]

    plain = run(lambda t: t, lambda t: t)
    half = run(lambda t: t.detach().double().numpy(), lambda a: torch.from_numpy(a).float())
    for a, b in zip(plain, half, strict=True):
        np.testing.assert_allclose(a, b, 1e-6)
    doubled = run(lambda t: t * 2, lambda t: t)  # what comes back is what counts
    assert not np.allclose(plain[0], doubled[0])


def test_second_derivatives_of_packed_tensors():
    x = torch.tensor([0.5, 2.0], requires_grad=True)
    with graph.save_on_cpu():
        y = (x**3).exp().sum()
        (g,) = torch.autograd.grad(y, x, create_graph=True)
    g.sum().backward()
    v = x.detach().numpy()
    np.testing.assert_allclose(x.grad.numpy(), (9 * v**4 + 6 * v) * np.exp(v**3), 1e-5)


@pytest.mark.parametrize("write", ["sin_", "erf_", "square_", "abs_"])
def test_hooks_that_keep_a_tensor_are_shown_a_copy_of_what_is_overwritten(write):
    x = torch.tensor([0.5, -0.3], requires_grad=True)
    y, z = x * 2, x * 2
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        getattr(y, write)()
    getattr(z, write)()
    assert torch.equal(*[torch.autograd.grad(t.sum(), x)[0] for t in (y, z)])


def test_what_hooks_keep_may_be_overwritten():
    x, y = torch.ones(3, requires_grad=True), torch.arange(1.0, 4)
    with graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        out = torch.addcdiv(x, x, y).prod() * F.smooth_l1_loss(x, y)
    y.zero_()
    out.backward()
    assert x.grad.isfinite().all()


def test_custom_functions_are_packed():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    log, x = [], torch.tensor([3.0], requires_grad=True)
    with pair(log):
        y = Square.apply(x)
    y.backward()
    assert x.grad.item() == 6 and [kind for kind, *_ in log] == ["pack", "unpack"]


def test_hooks_that_are_refused():
    x = torch.ones(2, requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: 1, lambda kept: kept):
        y = x.exp()
    with pytest.raises(TypeError, match="expected to be a Tensor but got result of type int"):
        y.sum().backward()
    with graph.saved_tensors_hooks(lambda t: t.add_(1), lambda kept: kept):
        with pytest.raises(RuntimeError, match="modifying its input in place"):
            (x * 1).exp()
    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), graph.save_on_cpu():
            pass
    with pytest.raises(NotImplementedError):
        graph.allow_mutation_on_saved_tensors()


def test_attributes_of_nodes():
    x, y = torch.rand(2, 3, requires_grad=True), torch.rand(2, 3, requires_grad=True)
    node = (x * y).grad_fn
    assert node._saved_self is x and node._saved_other is y
    node = x.exp().sigmoid().grad_fn
    assert node._saved_result.shape == (2, 3)
    assert x.sum(1).grad_fn._saved_dim == (1,) and not x.sum(1).grad_fn._saved_keepdim
    node = F.leaky_relu(x, 0.3).grad_fn
    assert node._saved_negative_slope == 0.3 and node._saved_self is x
    node = (x @ y.T).grad_fn
    assert node._saved_self is x and node._saved_mat2.shape == (3, 2)
    assert x.expand(2, 3).grad_fn.next_functions[0][0].variable is x
    node = (x**2).grad_fn
    node._raw_saved_self.register_hooks(lambda t: t * 0, lambda kept: kept)
    with pytest.raises(RuntimeError, match="already been set"):
        node._raw_saved_self.register_hooks(lambda t: t, lambda t: t)
    z = x**2
    z.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        _ = z.grad_fn._saved_self


# ---- hooks on several tensors, and edges ---------------------------------------------------------
def test_multi_grad_hooks():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    seen, first = [], []
    handle = graph.register_multi_grad_hook((a, b), seen.append)
    other = graph.register_multi_grad_hook((a, b), first.append, mode="any")
    (a * 2 + b * 3).sum().backward()
    (a * 2).sum().backward()
    assert [[g if g is None else g.tolist() for g in gs] for gs in seen] == [
        [[2, 2], [3, 3]], [[2, 2], None],
    ]  # fmt: skip
    assert len(first) == 2
    handle.remove()
    with other:
        (a + b).sum().backward()
    (a + b).sum().backward()
    assert len(seen) == 2 and len(first) == 3
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook((a,), print, mode="some")


def test_edges_and_versions():
    a = torch.ones(2, requires_grad=True)
    edge = graph.get_gradient_edge(a)
    assert edge.output_nr == 0 and edge.node.variable is a
    y = (a * 5).sum()
    (g,) = torch.autograd.grad(graph.get_gradient_edge(y), edge)
    assert g.tolist() == [5, 5]
    with pytest.raises(RuntimeError, match="does not require"):
        graph.get_gradient_edge(torch.ones(2))
    b = a * 1
    c = b.exp()
    graph.increment_version([b, c])
    assert c._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        c.sum().backward()


# ---- names ---------------------------------------------------------------------------------------
X = torch.rand(3, 4, requires_grad=True)
M, V, B = torch.rand(4, 4), torch.rand(4), torch.rand(2, 3, 4)
NAMES = {
    "x.sum()": "SumBackward0", "x.sum(1)": "SumBackward1", "x.mean()": "MeanBackward0",
    "x.mean((0, 1))": "MeanBackward1", "x ** 2": "PowBackward0", "x ** x": "PowBackward1",
    "2 ** x": "PowBackward2", "1 - x": "RsubBackward1", "x - 1": "SubBackward0",
    "x.max()": "MaxBackward1", "x.max(0)[0]": "MaxBackward0", "x.clamp(0, 1)": "ClampBackward1",
    "x @ m": "MmBackward0", "x @ v": "MvBackward0", "x[0] @ v": "DotBackward0",
    "b @ x.t()": "UnsafeViewBackward0", "F.linear(x, m, v)": "AddmmBackward0",
    "F.linear(x, m)": "MmBackward0", "F.linear(x.expand(2, 3, 4), m, v)": "ViewBackward0",
    "F.linear(x.expand(2, 3, 4), m)": "UnsafeViewBackward0",
    "F.linear(x[0], m, v)": "ViewBackward0",
    "x[0]": "SelectBackward0", "x[:, 1]": "SelectBackward0", "x[1:]": "SliceBackward0",
    "x[0, 1:]": "SliceBackward0", "x[:, None]": "UnsqueezeBackward0", "x[:]": "AliasBackward0",
    "x.view(-1)": "ViewBackward0", "x.t().reshape(-1)": "UnsafeViewBackward0",
    "x.T": "PermuteBackward0", "x.t()": "TBackward0", "x[None].squeeze(0)": "SqueezeBackward1",
    "x[None].squeeze()": "SqueezeBackward0", "x.masked_fill(x > 2, 0.)": "MaskedFillBackward0",
    "x.repeat(2, 1)": "RepeatBackward0", "x.split(2)[0]": "SplitBackward0",
    "x.unbind()[0]": "UnbindBackward0", "torch.addmm(x, x, m)": "AddmmBackward0",
    "F.layer_norm(x, (4,))": "NativeLayerNormBackward0",
    "F.pad(x, (1, 1))": "ConstantPadNdBackward0",
    "F.cross_entropy(x, torch.tensor([0, 1, 2]))": "NllLossBackward0",
    "F.mse_loss(x, x.detach())": "MseLossBackward0",
    "F.smooth_l1_loss(x, x * 2)": "SmoothL1LossBackward0",
    "torch.linalg.inv(x.t() @ x + m)": "LinalgInvExBackward0", "(x * 1).exp_()": "ExpBackward0",
    "(x * 1).zero_()": "ZeroBackward0", "(x * 1).masked_fill_(x > 2, 1)": "MaskedFillBackward0",
}  # fmt: skip


@pytest.mark.parametrize("text", NAMES)
def test_names(text):
    names = {"x": X, "m": M, "v": V, "b": B, "F": F, "torch": torch}
    y = eval(text, names)
    node = y.grad_fn
    assert node.name() == type(node).__name__ == NAMES[text]
    assert f"grad_fn=<{NAMES[text]}>" in repr(y) and repr(node).startswith(f"<{NAMES[text]} object")
    assert (y * 1).grad_fn.next_functions[0][0].name() == NAMES[text]


def test_names_with_their_namespace():
    x = X * 1
    x[0] = 1.0
    assert x.grad_fn.name() == "torch::autograd::CopySlices" and "grad_fn=<CopySlices>" in repr(x)
    leaf = (X * 2).grad_fn.next_functions[0][0]
    assert leaf.name() == "torch::autograd::AccumulateGrad" and leaf.variable is X
    assert repr(leaf).startswith("<AccumulateGrad object")
