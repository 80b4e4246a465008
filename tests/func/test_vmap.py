"""torch.vmap: dimensions, containers, nesting, writes, random numbers, gradients, errors."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import func

D = torch.float64
X = torch.arange(12.0, dtype=D).reshape(3, 4).sin()
Y = torch.arange(12.0, dtype=D).reshape(4, 3).cos()


def same(t, expected, tolerance=1e-12):
    np.testing.assert_allclose(t.detach().numpy(), expected, tolerance, tolerance)


# ---- where the mapped dimension stands -----------------------------------------------------------
def test_dimensions_in_and_out():
    same(torch.vmap(lambda a, b: a * b, in_dims=(0, 1))(X, Y), X.numpy() * Y.numpy().T)
    same(torch.vmap(lambda a: a * 2, in_dims=-1, out_dims=-1)(X), 2 * X.numpy())
    same(torch.vmap(lambda a: a * 2, out_dims=1)(X), 2 * X.numpy().T)
    same(torch.vmap(lambda a, b: a + b, in_dims=(0, None))(X, X[0]), (X + X[0]).numpy())
    same(torch.vmap(lambda a: X[0])(X), np.stack([X[0].numpy()] * 3))
    same(torch.vmap(lambda a: X[0], out_dims=None)(X), X[0].numpy())
    n = torch.arange(4)
    among = torch.vmap(lambda a: torch.isin(n, a))(torch.tensor([[1, 2], [3, 0]]))
    assert among.tolist() == [[False, True, True, False], [True, False, False, True]]
    long = torch.vmap(lambda a, n: torch.segment_reduce(a, "sum", lengths=n))
    same(long(X, torch.tensor([[1, 3]] * 3))[:, 0], X[:, 0].numpy())
    same(torch.vmap(lambda a: torch.select_scatter(Y.T, a, 0, 1))(X)[2, 1], X[2].numpy())
    one, two = torch.vmap(lambda a: (a, a.sum()), out_dims=(1, 0))(X)
    same(one, X.numpy().T)
    same(two, X.numpy().sum(1))


def test_containers():
    found = torch.vmap(
        lambda d, n: {"s": d["a"] + n, "t": [d["b"][0].sum()]}, in_dims=({"a": 0, "b": (1,)}, None)
    )({"a": X, "b": (Y,)}, 5.0)
    same(found["s"], X.numpy() + 5)
    same(found["t"][0], Y.numpy().sum(0))


def test_nested_and_in_chunks():
    outer = torch.vmap(torch.vmap(torch.mul, in_dims=(None, 0)), in_dims=(0, None))
    same(outer(X[0], Y[0]), np.outer(X[0].numpy(), Y[0].numpy()))
    three = torch.vmap(torch.vmap(torch.vmap(lambda a, b: a @ b, (0, 0)), (0, None)), (None, 0))
    a, b = torch.rand(2, 3, 4, 4, dtype=D), torch.rand(5, 3, 4, 4, dtype=D)
    same(three(a, b), np.einsum("aijk,bikl->baijl", a.numpy(), b.numpy()))
    for size in (1, 2, 3, 7):
        one, two = torch.vmap(lambda a: (a * 2, a.sum()), chunk_size=size)(X)
        same(one, 2 * X.numpy())
        same(two, X.numpy().sum(1))
    assert torch.vmap(torch.sin)(torch.zeros(0, 4)).shape == (0, 4)


def test_what_all_samples_share_is_computed_once():
    from microtorch.kinds.batched import Batch

    seen = []

    def f(a, w):
        g = w.sin() @ w.T  # no sample in it
        seen.append(type(g.array))
        y = torch.vmap(lambda row: row * g.sum())(w)
        return a * y.sum()

    w = X.clone()
    same(torch.vmap(f, in_dims=(0, None))(X, w), X.numpy() * (
        w.numpy() * (np.sin(w.numpy()) @ w.numpy().T).sum()).sum())  # fmt: skip
    assert seen == [np.ndarray] and Batch not in seen


# ---- gradients -----------------------------------------------------------------------------------
def test_gradients_pass_through():
    x, w = X.clone().requires_grad_(), Y.clone().requires_grad_()
    torch.vmap(lambda a: (a @ w).tanh().sum() ** 2)(x).sum().backward()
    x2, w2 = X.clone().requires_grad_(), Y.clone().requires_grad_()
    ((x2 @ w2).tanh().sum(1) ** 2).sum().backward()
    same(x.grad, x2.grad.numpy())
    same(w.grad, w2.grad.numpy())
    assert torch.autograd.gradcheck(lambda a, b: torch.vmap(torch.dot)(a, b.T), (x, w))
    assert torch.autograd.gradgradcheck(lambda a: torch.vmap(lambda r: r.prod())(a), (x,))


def test_a_gradient_for_every_vector_at_once():
    x = X.clone().requires_grad_()
    y = x.sin() @ Y
    rows = torch.stack([torch.ones(3, 3, dtype=D), Y[:3]])
    (found,) = torch.autograd.grad(y, x, rows, is_grads_batched=True, retain_graph=True)
    for row, g in zip(rows, found, strict=True):
        same(g, torch.autograd.grad(y, x, row, retain_graph=True)[0].numpy())
    basis = torch.eye(9, dtype=D).reshape(9, 3, 3)
    J = torch.vmap(lambda v: torch.autograd.grad(y, x, v, retain_graph=True)[0])(basis)
    same(J.reshape(3, 3, 3, 4), func.jacrev(lambda x: x.sin() @ Y)(X).numpy())
    (g,) = torch.autograd.grad(y, x, rows, is_grads_batched=True, create_graph=True)
    g.sum().backward()
    expected = -np.sin(X.numpy()) * (rows.sum(0) @ Y.T).numpy()
    same(x.grad, expected)
    z = torch.zeros(3, dtype=D, requires_grad=True)
    found = torch.autograd.grad(
        y.sum(0), [x, z], rows[:, 0], is_grads_batched=True, allow_unused=True
    )
    assert found[1] is None and found[0].shape == (2, 3, 4)


def test_gradients_inside_that_mean_something_else_are_refused():
    w = Y.clone().requires_grad_()
    with pytest.raises(RuntimeError, match="functorch transform"):
        torch.vmap(lambda a: (a @ w).sum().backward())(X)
    with pytest.raises(RuntimeError, match="all samples share"):
        torch.vmap(lambda a: torch.autograd.grad((a @ w).sum(), w)[0])(X)


# ---- writing -------------------------------------------------------------------------------------
def test_writes_reach_all_samples_and_their_views():
    def f(a):
        z = torch.zeros_like(a)
        z[1] = a.sum()
        z[2:] += a[:2]
        z.view(2, 2).t()[0] *= 2
        return z

    same(torch.vmap(f)(X), np.stack([f(a).numpy() for a in X]))

    def g(a):
        b = a.clone()
        b.diagonal(0).mul_(3)
        b.sub_(1).clamp_(min=-1)
        return b

    m = torch.stack([X[:, :3], X[:, 1:]])
    same(torch.vmap(g)(m), np.stack([g(a).numpy() for a in m]))
    x = X.clone().requires_grad_()
    torch.vmap(f)(x).pow(2).sum().backward()
    x2 = X.clone().requires_grad_()
    torch.stack([f(a) for a in x2]).pow(2).sum().backward()
    same(x.grad, x2.grad.numpy())


def test_writes_into_shared_memory_are_refused():
    total = torch.zeros(4, dtype=D)
    with pytest.raises(RuntimeError, match=r"aten::add_\(self, \*extra_args\) is not possible"):
        torch.vmap(lambda a: total.add_(a))(X)
    assert not total.any()
    with pytest.raises(RuntimeError, match="not being vmapped over"):
        torch.vmap(lambda a: total.__setitem__(0, a[0]))(X)


# ---- indices -------------------------------------------------------------------------------------
def test_indices_of_each_sample():
    i = torch.tensor([[0, 1], [2, 3], [1, 1]])
    rows = [(a, k) for a, k in zip(X, i, strict=True)]
    for f in (
        lambda a, k: a[k],
        lambda a, k: a.gather(0, k),
        lambda a, k: a.index_select(0, k),
        lambda a, k: a.scatter(0, k, 5.0),
        lambda a, k: a.index_add(0, k, a[:2]),
        lambda a, k: X[:, 0][k.clamp(max=2)],
        lambda a, k: torch.nn.functional.embedding(k, Y),
        lambda a, k: torch.nn.functional.cross_entropy(a[None], k[:1]),
    ):
        same(torch.vmap(f)(X, i), np.stack([f(a, k).numpy() for a, k in rows]))


# ---- random numbers ------------------------------------------------------------------------------
def test_random_numbers():
    def noisy(a):
        return a * 0 + torch.randn(4, dtype=D)

    with pytest.raises(RuntimeError, match="randomness error mode"):
        torch.vmap(noisy)(X)
    torch.manual_seed(3)
    shared = torch.vmap(noisy, randomness="same")(X)
    torch.manual_seed(3)
    one = torch.randn(4, dtype=D)
    same(shared, np.stack([one.numpy()] * 3))
    torch.manual_seed(3)
    own = torch.vmap(noisy, randomness="different")(X)
    torch.manual_seed(3)
    same(own, torch.randn(3, 4, dtype=D).numpy())
    dropped = torch.vmap(
        lambda a: torch.nn.functional.dropout(torch.ones_like(a)), randomness="different"
    )(torch.ones(50, 50))
    assert len({tuple(row) for row in dropped.tolist()}) == 50
    assert torch.randn(2).shape == (2,)  # nothing stays behind
    with pytest.raises(RuntimeError, match="allowed values"):
        torch.vmap(noisy, randomness="none")


@pytest.mark.parametrize("name", ["uniform_", "normal_", "bernoulli_", "exponential_"])
def test_random_numbers_written_to_what_all_samples_share(name):
    def noisy(a):
        return a * 0 + getattr(torch.empty(2), name)()

    with pytest.raises(RuntimeError, match="randomness error mode"):
        torch.vmap(noisy)(torch.ones(3, 2))
    with pytest.raises(RuntimeError):  # one tensor has no room for three samples' numbers
        torch.vmap(noisy, randomness="different")(torch.ones(3, 2))
    shared = torch.vmap(noisy, randomness="same")(torch.ones(3, 2))
    assert torch.equal(shared, shared[:1].expand(3, 2))


def test_windows_at_random_places_are_random_numbers():
    x = torch.rand(3, 1, 1, 30, 30)

    def pooled(image, u=None):
        return torch.nn.functional.fractional_max_pool2d(
            image, 2, output_size=7, _random_samples=u
        )

    with pytest.raises(RuntimeError, match="randomness error mode"):
        torch.vmap(pooled)(x)
    torch.manual_seed(3)
    own = torch.vmap(pooled, randomness="different")(x)
    torch.manual_seed(3)
    assert torch.equal(own, torch.stack([*map(pooled, x, torch.rand(3, 1, 1, 2))]))


# ---- what it refuses -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: torch.vmap(lambda a: a.sum().item())(X), RuntimeError, "calling .item()"),
        (lambda: torch.vmap(lambda a: a.item())(X), RuntimeError, "calling .item()"),
        (lambda: torch.vmap(lambda a: float(a.sum()))(X), RuntimeError, "calling .item()"),
        (lambda: torch.vmap(lambda a: a if a.sum() > 0 else -a)(X), RuntimeError, "control flow"),
        (lambda: torch.vmap(lambda a: a.numpy())(X), RuntimeError, "storage"),
        (lambda: torch.vmap(lambda a: a[a > 0])(X), RuntimeError, "shape"),
        (lambda: torch.vmap(lambda a: 2.0)(X), ValueError, "must only return Tensors"),
        (lambda: torch.vmap(lambda a: a, out_dims=None)(X), ValueError, "BatchedTensor"),
        (lambda: torch.vmap(lambda a: a, out_dims=2)(X), IndexError, "Dimension out of range"),
        (lambda: torch.vmap(lambda a: a, out_dims="0")(X), ValueError, "must be an int"),
        (lambda: torch.vmap(lambda a: a, out_dims=(0, 0))(X), ValueError, "not compatible"),
        (lambda: torch.vmap(torch.add)(X, Y), ValueError, "same size in the mapped"),
        (lambda: torch.vmap(torch.sin, in_dims=2)(X), ValueError, "dimensionality 2"),
        (lambda: torch.vmap(torch.sin, in_dims="0")(X), ValueError, "to be int or a"),
        (lambda: torch.vmap(torch.sin, in_dims=(0, 0))(X), ValueError, "not compatible"),
        (lambda: torch.vmap(torch.sin, in_dims=(None,))(X), ValueError, "at least one Tensor"),
        (lambda: torch.vmap(torch.sin)(3.0), ValueError, "non-Tensor"),
        (lambda: torch.vmap(torch.sin)(), ValueError, "no inputs"),
        (lambda: torch.vmap(torch.sin, chunk_size=0), ValueError, "chunk_size"),
    ],
)
def test_errors(make, error, text):
    with pytest.raises(error, match=text.replace("(", r"\(").replace(")", r"\)")):
        make()


def test_inside_a_tensor_looks_like_one_sample():
    def f(a):
        assert a.shape == (4,) and a.ndim == 1 and len(a) == 4 and a.dtype is D
        assert str(a).startswith("BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[")
        assert not a.is_leaf or not a.requires_grad
        return torch.stack([b for b in a])

    same(torch.vmap(f)(X), X.numpy())


F = torch.nn.functional
BY_SAMPLES = [
    lambda x: torch.histc(x, 3),
    lambda x: torch.searchsorted(x.sort()[0], x * 2),
    lambda x: torch.bucketize(x, torch.tensor([-0.5, 0.5], dtype=D)),
    lambda x: x.mode(0)[0],
    lambda x: F.adaptive_max_pool1d(x[None], 3),
    lambda x: x.masked_scatter(x > 0, x * 3),
    lambda x: F.binary_cross_entropy(x.sigmoid(), x.detach() ** 2),
    lambda x: torch.distributions.Normal(x, x.exp()).log_prob(x),
    lambda x: torch.linalg.lu(torch.outer(x, x) + torch.eye(4, dtype=D))[0],
]


@pytest.mark.parametrize("f", BY_SAMPLES)
def test_functions_that_look_at_values_see_those_of_one_sample(f):
    same(torch.vmap(f)(X), np.stack([f(x).numpy() for x in X]))
    twice = torch.vmap(torch.vmap(f))(torch.stack([X, X * 0.3]))
    same(twice[1], np.stack([f(x).numpy() for x in X * 0.3]))


def test_gradients_of_what_all_samples_share_are_summed_through_a_function_too():
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, w, x):
            ctx.save_for_backward(w, x)
            return w * x

        @staticmethod
        def backward(ctx, g):
            w, x = ctx.saved_tensors
            return g * x, g * w

    w = torch.ones(4, dtype=D, requires_grad=True)
    torch.vmap(lambda x: Product.apply(w, x))(X).sum().backward()
    same(w.grad, X.numpy().sum(0))
    noise = torch.vmap(F.gumbel_softmax, randomness="different")(X)
    same(noise.sum(1), np.ones(3))


def test_it_leaves_no_memory_behind():
    import gc
    import weakref

    gc.collect()
    gc.disable()
    try:
        x = X.clone().requires_grad_()
        out = torch.vmap(lambda a: (a.sin() * a).sum())(x)
        node = weakref.ref(out.grad_fn.next_functions[0][0])
        out.sum().backward()
        del out
        assert node() is None  # by reference counting alone
    finally:
        gc.enable()


def test_random_numbers_are_the_ordinary_ones_again_after_a_vmap():
    torch.manual_seed(0)
    wanted = torch.rand(3), torch.nn.functional.dropout(torch.ones(4)), torch.randperm(4)
    torch.vmap(lambda x: x + torch.rand(2), randomness="different")(torch.ones(3, 2))
    torch.manual_seed(0)
    again = torch.rand(3), torch.nn.functional.dropout(torch.ones(4)), torch.randperm(4)
    assert [x.tolist() for x in wanted] == [x.tolist() for x in again]


def test_parts_of_what_was_expanded():
    x = torch.arange(6.0).reshape(2, 3)
    tripled = torch.func.vmap(lambda x: (x * 1).expand(2, 3)[0].mul_(3))(x)
    assert torch.equal(tripled, x * 3)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        torch.func.vmap(lambda x: (x * 1).expand(2, 3).add_(1))(x)


def test_augmented_assignment_to_all_of_it():
    def doubled(x):
        y = x * 1
        y[..., :1] *= 2
        return y.sum()

    assert torch.func.vmap(torch.func.grad(doubled))(torch.ones(3, 1)).tolist() == [[2]] * 3


def test_the_same_numbers_in_every_chunk():
    def f(x):
        return x * 0 + torch.rand(3)

    x = torch.zeros(5, 3)
    torch.manual_seed(0)
    whole = torch.vmap(f, randomness="same")(x)
    torch.manual_seed(0)
    assert torch.equal(torch.vmap(f, randomness="same", chunk_size=2)(x), whole)
    assert (whole == whole[0]).all()


@pytest.mark.parametrize("how", ["same", "different"])
def test_numbers_drawn_by_a_probability_that_has_a_tangent(how):
    jacobian = func.jacfwd(lambda x: x * torch.bernoulli(x * 0 + 0.5), randomness=how)
    found = jacobian(torch.rand(4))
    assert torch.equal(found, torch.diag(found.diagonal()))
    assert ((found == 0) | (found == 1)).all()


def test_searchsorted_of_each_sample():
    edges, x = torch.arange(12.0).reshape(3, 4), torch.rand(3, 5) * 12
    cases = [((edges, x), (0, 0)), ((edges[0], x), (None, 0)), ((edges, x[0]), (0, None))]
    for args, dims in cases:
        rows = [
            torch.searchsorted(*[a[i] if d == 0 else a for a, d in zip(args, dims, strict=True)])
            for i in range(3)
        ]
        assert torch.equal(torch.vmap(torch.searchsorted, dims)(*args), torch.stack(rows))
    found = torch.vmap(torch.searchsorted)(edges.reshape(1, 3, 4), x[None])
    assert torch.equal(found[0], torch.searchsorted(edges, x))
    assert torch.equal(
        torch.vmap(torch.bucketize, (0, None))(x, edges[0]), torch.bucketize(x, edges[0])
    )


def test_as_strided_of_each_sample():
    x = torch.randn(3, 4, 5, requires_grad=True)
    out = torch.vmap(lambda v: v.as_strided((2, 3), (5, 1), 6))(x)
    assert torch.equal(out, x[:, 1:3, 1:4])
    assert out.data_ptr() == x[:, 1, 1].data_ptr()
    out.sum().backward()
    assert x.grad.sum() == out.numel() and x.grad[:, 1:3, 1:4].eq(1).all()


def test_running_statistics_that_samples_share_are_not_written():
    net = torch.nn.BatchNorm1d(3)
    with pytest.raises(RuntimeError, match="were not batched"):
        torch.vmap(net)(torch.randn(4, 5, 3))
    assert net.running_mean.eq(0).all() and net.running_var.eq(1).all()


def test_models_of_which_one_is_frozen_are_not_stacked():
    nets = [torch.nn.Linear(2, 2) for _ in range(2)]
    nets[0].weight.requires_grad_(False)
    with pytest.raises(RuntimeError, match="to have the same"):
        func.stack_module_state(nets)
    nets[1].weight.requires_grad_(False)
    assert {n: p.requires_grad for n, p in func.stack_module_state(nets)[0].items()} == {
        "weight": False, "bias": True
    }  # fmt: skip


def test_the_gradient_of_a_number_in_each_sample_of_a_loss():
    x = torch.randn(1, 3, requires_grad=True)
    loss = torch.nn.functional.nll_loss(x, torch.tensor([1]))
    rows = torch.vmap(lambda g: torch.autograd.grad(loss, x, g)[0])(torch.tensor([1.0, 2.0]))
    assert rows.tolist() == [[[0, -1, 0]], [[0, -2, 0]]]


def test_distributions_of_each_sample():
    from microtorch import distributions as D

    x = torch.rand(4, 3) + 0.5
    for f in (
        lambda v: D.Normal(v, 1.0).log_prob(v),
        lambda v: D.Categorical(v).log_prob(torch.tensor(1)),
        lambda v: D.MultivariateNormal(v, torch.eye(3)).log_prob(v * 2),
        lambda v: D.Gamma(v, v).log_prob(v),
    ):  # fmt: skip
        torch.testing.assert_close(torch.vmap(f)(x), torch.stack([f(v) for v in x]))
        assert torch.vmap(func.grad(lambda v: f(v).sum()))(x).shape == x.shape  # noqa: B023
    with pytest.raises(ValueError, match="constraint"):
        torch.vmap(lambda v: D.Normal(v, -v).log_prob(v))(x)
    for draw in (torch.poisson, torch._standard_gamma, lambda v: D.Beta(v, v).rsample()):
        found = torch.vmap(draw, randomness="different")(torch.full((50, 3), 20.0))
        assert found.shape == (50, 3) and len(found.unique()) > 5
        with pytest.raises(RuntimeError, match="randomness"):
            torch.vmap(draw)(x)
    tangent = func.jvp(torch.poisson, (x,), (x,))[1]
    assert tangent.eq(0).all()


def test_the_derivative_of_a_function_of_what_samples_share_and_what_they_do_not():
    A = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    v = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])

    def f(b):
        return torch.linalg.solve_triangular(A, b, upper=False).pow(2).sum()

    found = torch.vmap(func.grad(f))(v)
    torch.testing.assert_close(found, torch.stack([func.grad(f)(b) for b in v]))
