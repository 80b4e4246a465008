"""torch.func backward: grad, vjp, jacrev, nested in one another and in vmap, against formulas."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import func

D = torch.float64
X = torch.tensor([[0.3, -1.2, 0.7], [2.0, 0.1, -0.4]], dtype=D)
W = torch.tensor([[1.0, 0.5], [-0.3, 2.0], [0.2, -1.0]], dtype=D)


def same(t, expected, tolerance=1e-12):
    np.testing.assert_allclose(t.detach().numpy(), expected, tolerance, tolerance)


# ---- grad ----------------------------------------------------------------------------------------
def test_grad_of_one_argument_of_several_and_of_containers():
    same(func.grad(lambda x: (x**3).sum())(X), 3 * X.numpy() ** 2)
    gx, gw = func.grad(lambda x, w: (x @ w).sum(), argnums=(0, 1))(X, W)
    same(gx, np.ones((2, 2)) @ W.numpy().T)
    same(gw, X.numpy().T @ np.ones((2, 2)))
    (gw,) = func.grad(lambda x, w: (x @ w).sum(), argnums=(1,))(X, W)
    same(gw, X.numpy().T @ np.ones((2, 2)))
    found = func.grad(lambda p: (X @ p["w"]).sum() + p["b"][0].sum())({"w": W, "b": (X,)})
    same(found["w"], X.numpy().T @ np.ones((2, 2)))
    same(found["b"][0], np.ones((2, 3)))
    same(func.grad(lambda x, w: w.sum())(X, W), np.zeros((2, 3)))


def test_derivatives_of_any_order():
    x = torch.tensor(0.7, dtype=D)
    f, values = torch.sin, [np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7)]
    for expected in values:
        f = func.grad(f)
        same(f(x), expected)
        assert not f(x).requires_grad


def test_values_and_what_is_returned_besides():
    g, y = func.grad_and_value(lambda x: (x**2).sum())(X)
    same(g, 2 * X.numpy())
    same(y, (X.numpy() ** 2).sum())
    assert not y.requires_grad
    g, aux = func.grad(lambda x: ((x**2).sum(), {"twice": x * 2}), has_aux=True)(X)
    same(aux["twice"], 2 * X.numpy())
    assert not aux["twice"].requires_grad
    g, (y, aux) = func.grad_and_value(lambda x: (x.sum(), [x]), has_aux=True)(X)
    same(aux[0], X.numpy())


def test_no_grad_outside_does_not_count_and_inside_does():
    with torch.no_grad():
        same(func.grad(lambda x: (x**2).sum())(X), 2 * X.numpy())

    def cut(x):
        with torch.no_grad():
            c = x**2
        return (x - c).sum()

    same(func.grad(cut)(X), np.ones((2, 3)))


def test_the_result_leads_to_what_the_function_captures():
    w = W.clone().requires_grad_()
    g = func.grad(lambda x: ((x @ w) ** 2).sum())(X)
    assert g.requires_grad
    g.sum().backward()
    ones = np.ones((2, 3))  # d/dw of sum(2 x w wT)
    same(w.grad, 2 * (X.numpy().T @ ones @ W.numpy() + ones.T @ X.numpy() @ W.numpy()))
    x = X.clone().requires_grad_()
    func.grad(lambda x: (x**3).sum())(x).sum().backward()
    same(x.grad, 6 * X.numpy())


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: func.grad(lambda x: x * 2)(X), RuntimeError, "to return a scalar"),
        (lambda: func.grad(lambda x: 3.0)(X), RuntimeError, "to return a Tensor"),
        (lambda: func.grad(lambda x: x.sum(), 1)(X), RuntimeError, "only 1 positional"),
        (lambda: func.grad(lambda x: x.sum(), (0, 0))(X), RuntimeError, "unique"),
        (lambda: func.grad(lambda x: x.sum(), ())(X), RuntimeError, "non-empty"),
        (lambda: func.grad(lambda x: x.sum(), "0")(X), RuntimeError, "argnums must be"),
        (lambda: func.grad(lambda x: x.sum())(X.long()), RuntimeError, "can require gradients"),
        (lambda: func.grad(lambda x: x.sum(), has_aux=True)(X), RuntimeError, "should be a tuple"),
        (lambda: func.grad(lambda x: x.sum())(3.0), ValueError, "must be Tensor"),
        (lambda: func.jacrev(torch.sin)(3.0), ValueError, "must be Tensor"),
        (lambda: func.jacfwd(torch.sin)(3.0), ValueError, "must be Tensor"),
        (lambda: func.jacrev(lambda x: x * 1j)(X), RuntimeError, "outputs to be real"),
        (lambda: func.jacfwd(lambda x: x * 1j)(X), RuntimeError, "outputs to be real"),
        (lambda: func.jacrev(torch.abs)(X * 1j), RuntimeError, "inputs to be real"),
        (lambda: func.jacfwd(torch.abs)(X * 1j), RuntimeError, "inputs to be real"),
    ],
)
def test_what_grad_refuses(make, error, text):
    with pytest.raises(error, match=text):
        make()


# ---- vjp and jacrev ------------------------------------------------------------------------------
def test_vjp_may_be_asked_several_times():
    y, back = func.vjp(lambda x, w: x @ w, X, W)
    same(y, X.numpy() @ W.numpy())
    for seed in (y, y * 2):
        gx, gw = back(seed)
        same(gx, seed.numpy() @ W.numpy().T)
        same(gw, X.numpy().T @ seed.numpy())
    (g,) = func.vjp(lambda x: {"a": x.sin(), "b": x.sum()}, X)[1]({"a": X, "b": X.sum()})
    same(g, np.cos(X.numpy()) * X.numpy() + X.numpy().sum())
    with pytest.raises(RuntimeError, match="pytree structure of cotangents"):
        back((y, y))
    with pytest.raises(RuntimeError, match="floating-point"):
        func.vjp(lambda x: x.long(), X)
    y, back, aux = func.vjp(lambda x: (x * 2, x), X, has_aux=True)
    same(aux, X.numpy())


def test_jacobians_of_every_form():
    J = func.jacrev(lambda x: x.sin() @ W)(X)
    expected = np.zeros((2, 2, 2, 3))
    for i in range(2):
        expected[i, :, i, :] = W.numpy().T * np.cos(X.numpy()[i])
    same(J, expected)
    same(func.jacrev(lambda x: x.sin() @ W, chunk_size=1)(X), expected)
    same(func.jacfwd(lambda x: x.sin() @ W)(X), expected)
    for jac in (func.jacrev, func.jacfwd):
        found = jac(lambda x, w: {"p": x @ w, "s": (x.sum(),)}, argnums=(1, 0))(X, W)
        assert found["p"][0].shape == (2, 2, 3, 2) and found["p"][1].shape == (2, 2, 2, 3)
        same(found["s"][0][0], np.zeros((3, 2)))
        same(found["s"][0][1], np.ones((2, 3)))
        J, aux = jac(lambda x: (x * 2, x), has_aux=True)(X[0])
        same(J, 2 * np.eye(3))
        same(aux, X[0].numpy())
    with pytest.raises(ValueError, match="chunk_size"):
        func.jacrev(torch.sin, chunk_size=0)


def cube(x):
    return (x.prod() * x).sin().sum()


def test_all_ways_to_a_hessian_agree():
    x, eps = X[0], 1e-5
    expected = np.zeros((3, 3))
    for j in range(3):
        step = torch.zeros(3, dtype=D)
        step[j] = eps
        up, down = func.grad(cube)(x + step), func.grad(cube)(x - step)
        expected[j] = (up - down).numpy() / (2 * eps)
    same(func.hessian(cube)(x), expected, 1e-7)
    for one in (func.jacrev, func.jacfwd):
        for two in (func.jacrev, func.jacfwd):
            same(one(two(cube))(x), expected, 1e-7)


# ---- modules -------------------------------------------------------------------------------------
def network():
    torch.manual_seed(0)
    one, two = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)
    return torch.nn.Sequential(one, torch.nn.Tanh(), two).double()


def test_gradients_of_each_sample():
    net, y = network(), torch.ones(2, 2, dtype=D)
    params = {k: p.detach() for k, p in net.named_parameters()}

    def loss(params, x, y):
        return ((func.functional_call(net, params, (x,)) - y) ** 2).sum()

    each = func.vmap(func.grad(loss), in_dims=(None, 0, 0))(params, X, y)
    for i in range(2):
        net.zero_grad()
        ((net(X[i]) - y[i]) ** 2).sum().backward()
        for name, p in net.named_parameters():
            same(each[name][i], p.grad.numpy())


def test_functional_call_leaves_the_module_as_it_is():
    net = network()
    before = net[0].weight
    zeros = {"0.weight": torch.zeros(4, 3, dtype=D), "0.bias": torch.zeros(4, dtype=D)}
    out = func.functional_call(net, zeros, X)
    same(out, np.broadcast_to(net[2].bias.detach().numpy(), (2, 2)))
    assert net[0].weight is before
    func.functional_call(net, (zeros, dict(net[2].named_parameters(prefix="2"))), (X,), strict=True)
    with pytest.raises(RuntimeError, match="Missing key"):
        func.functional_call(net, zeros, X, strict=True)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        func.functional_call(net, {**zeros, "nothing": X}, X, strict=True)
    with pytest.raises(ValueError, match="multiple dictionaries"):
        func.functional_call(net, (zeros, zeros), X)
    net.double().register_parameter("twin", net[0].weight)
    func.functional_call(net, {"0.weight": before * 2}, X)
    with pytest.raises(ValueError, match="tied"):
        func.functional_call(net, {"0.weight": before * 2, "twin": before * 3}, X)


def test_an_ensemble_of_models():
    nets = [network(), network()]
    nets[1].load_state_dict({k: v * 2 for k, v in nets[0].state_dict().items()})
    params, buffers = func.stack_module_state(nets)
    assert params["0.weight"].shape == (2, 4, 3) and params["0.weight"].requires_grad
    call = lambda p, b, x: func.functional_call(nets[0], (p, b), (x,))  # noqa: E731
    out = func.vmap(call, in_dims=(0, 0, None))(params, buffers, X)
    for i, net in enumerate(nets):
        same(out[i], net(X).detach().numpy())
    out.sum().backward()
    nets[1](X).sum().backward()
    same(params.get("2.weight").grad[1], nets[1][2].weight.grad.numpy())
    with pytest.raises(RuntimeError, match="at least one model"):
        func.stack_module_state([])
    assert func.functionalize(cube) is cube
