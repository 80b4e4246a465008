"""backward, grad, modes, anomaly detection, gradcheck, functional: as in PyTorch."""
import threading

import pytest

import microtorch as torch
from microtorch.autograd import grad, gradcheck, gradgradcheck


def leaf(*values, dtype=None):
    return torch.tensor(values, requires_grad=True, dtype=dtype or torch.float32)


# ---- backward ------------------------------------------------------------------------------------
def test_gradients_add_up_over_uses_and_over_calls():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    first = x.grad
    y.backward()
    assert x.grad.tolist() == [4, 8]
    assert x.grad is first  # in place, as PyTorch does


@pytest.mark.parametrize("flag", ["retain_graph", "create_graph", "allow_unused"])
def test_flags_are_bools_or_ints(flag):
    x = torch.ones(2, requires_grad=True)
    for call in (
        lambda **given: torch.autograd.grad((x * x).sum(), x, **given),
        lambda **given: (x * x).sum().backward(**given),
        lambda **given: torch.autograd.backward((x * x).sum(), **given),
    )[: 1 if flag == "allow_unused" else 3]:  # fmt: skip
        with pytest.raises(TypeError, match=f"as an integer(.|\n)*{flag}='no'"):
            call(**{flag: "no"})
        call(**{flag: 0})


def test_second_backward_needs_retain_graph():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_second_backward_runs_where_nothing_was_dropped():
    x = leaf(1.0, 2.0)
    y = (x + 1).sum()  # no derivative here reads a value
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2, 2]


def test_gradient_argument():
    x = leaf(1.0, 2.0)
    (x * 3).backward(torch.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [3, 30]
    for wrong, kind in ((torch.ones(3), RuntimeError), ([1.0, 1.0], TypeError)):
        with pytest.raises(kind):
            (x * 3).backward(wrong)


def test_one_element_needs_no_gradient_argument():
    x = leaf(3.0)
    (x * 2).backward()
    assert x.grad.tolist() == [2]


def test_backward_on_a_leaf():
    x = torch.tensor(3.0, requires_grad=True)
    x.backward()
    x.backward()
    assert x.grad.item() == 2


def test_inputs_limits_where_gradients_go():
    x, w = leaf(3.0), leaf(2.0)
    h = x * w
    (h * h).backward(inputs=[h, w])
    assert x.grad is None and w.grad.tolist() == [36] and h.grad.tolist() == [12]
    with pytest.raises(RuntimeError, match="cannot be empty"):
        (x * w).backward(inputs=[])
    h = x * w
    h.register_hook(lambda g: 10 * g)
    (h * 1).backward(inputs=[h, w])  # the hook's, although the walk goes on below h
    assert h.grad.tolist() == [10] and w.grad.tolist() == [66]
    with pytest.raises(RuntimeError, match="requires_grad=False"):
        (x * w).backward(inputs=[x, torch.ones(1)])


def test_several_roots():
    x = leaf(1.0, 2.0)
    torch.autograd.backward([(x * x).sum(), x * 3], [None, torch.ones(2)])
    assert x.grad.tolist() == [5, 7]
    with pytest.raises(RuntimeError):
        torch.autograd.backward([x * x, x * 3], [torch.ones(2)])


def test_create_graph_gives_a_gradient_that_can_be_differentiated():
    x = torch.tensor(3.0, requires_grad=True)
    (x**3).backward(create_graph=True)
    assert x.grad.item() == 27 and x.grad.requires_grad
    g, x.grad = x.grad, None
    g.backward()
    assert x.grad.item() == 18


def test_a_later_backward_keeps_the_graph_of_an_earlier_gradient():
    x = leaf(1.0, 1.0)
    (x**2).sum().backward(create_graph=True)
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5, 5]
    x.grad.sum().backward()
    assert x.grad.tolist() == [7, 7]


def test_leaves_do_not_share_a_gradient():
    x, w, seed = leaf(1.0, 1.0), leaf(1.0, 1.0), torch.ones(2)
    (x + w).backward(seed)
    x.grad.zero_()
    assert w.grad.tolist() == [1, 1] and seed.tolist() == [1, 1]


def test_an_exception_in_backward_leaves_nothing_behind():
    x = leaf(1.0)
    y = x * 2
    handle = y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.backward(retain_graph=True)
    handle.remove()
    assert x.grad is None and torch.is_grad_enabled()
    y.backward()
    assert x.grad.tolist() == [2]


# ---- grad ----------------------------------------------------------------------------------------
def test_grad_touches_no_grad():
    x = leaf(1.0, 2.0)
    h = x * 2
    gh, gx = grad((h * h).sum(), [h, x])
    assert gh.tolist() == [4, 8] and gx.tolist() == [8, 16]
    assert x.grad is None and h.node.grad is None


def test_unused_inputs():
    x, w = leaf(3.0), leaf(2.0, 1.0)
    y = x * x
    with pytest.raises(RuntimeError, match="index 1 appears to not have been used"):
        grad(y, (x, w), retain_graph=True)
    assert grad(y, (x, w), allow_unused=True, retain_graph=True)[1] is None
    assert grad(y, (x, w), materialize_grads=True)[1].tolist() == [0, 0]
    with pytest.raises(ValueError, match="allow_unused"):
        grad(y, (x, w), allow_unused=False, materialize_grads=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad(x * 2, torch.ones(1))


def test_asking_for_an_intermediate_value_runs_no_further():
    x = leaf(1.0, 2.0)
    y = x * x
    assert grad((y * 2).sum(), y)[0].tolist() == [2, 2]
    assert grad((y * 3).sum(), x)[0].tolist() == [
        6,
        12,
    ]  # y's own step was not taken, so its values are still there


def test_any_order():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    d = torch.sin(x) * x**2
    for _ in range(4):
        (d,) = grad(d.sum(), x, create_graph=True)
    # d⁴/dx⁴ of x² sin x
    expected = (
        x.detach() ** 2 * x.detach().sin()
        - 8 * x.detach() * x.detach().cos()
        - 12 * x.detach().sin()
    )
    torch.testing.assert_close(d.detach(), expected)


def test_mixed_partial_derivatives():
    x, y = leaf(2.0), leaf(3.0)
    (gx,) = grad(x**2 * y**3, x, create_graph=True)
    (gxy,) = grad(gx, y)
    assert gxy.item() == pytest.approx(2 * 2 * 3 * 9)


# ---- modes ---------------------------------------------------------------------------------------
def test_modes_nest():
    with torch.no_grad():
        with torch.enable_grad():
            assert torch.is_grad_enabled()
            with torch.set_grad_enabled(False):
                assert not torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_modes_are_restored_after_an_exception():
    with pytest.raises(ZeroDivisionError), torch.no_grad():
        raise ZeroDivisionError
    assert torch.is_grad_enabled()


def test_one_object_may_be_entered_twice():
    off = torch.no_grad()
    with off, off:
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_no_grad_makes_constants_but_not_of_leaves():
    x = leaf(1.0, 2.0)
    with torch.no_grad():
        y = x * 2
        made = torch.zeros(2, requires_grad=True)
    assert not y.requires_grad and y.is_leaf and y.grad_fn is None and made.requires_grad


OFF = {
    "no_grad": lambda: torch.no_grad,
    "no_grad()": torch.no_grad,
    "inference_mode": lambda: torch.inference_mode,
    "inference_mode()": torch.inference_mode,
    "set_grad_enabled(False)": lambda: torch.set_grad_enabled(False),
}


@pytest.mark.parametrize("mode", OFF)
def test_as_decorator(mode):
    @OFF[mode]()
    def double(x):
        """doc"""
        return x * 2

    assert torch.is_grad_enabled()
    assert double.__name__ == "double" and double.__doc__ == "doc"
    assert not double(leaf(1.0)).requires_grad
    assert torch.is_grad_enabled()


def test_as_decorator_of_a_generator():
    @torch.no_grad()
    def steps(x):
        sent = yield x * 2
        assert not torch.is_grad_enabled()
        try:
            yield x * sent
        except ValueError:
            assert not torch.is_grad_enabled()
            yield x
        return

    x = leaf(1.0)
    walk = steps(x)
    assert not next(walk).requires_grad
    assert (
        torch.is_grad_enabled()
    )  # the mode holds while the generator runs, not while its caller does
    assert not walk.send(3).requires_grad
    assert walk.throw(ValueError()) is x
    with pytest.raises(StopIteration):
        next(walk)
    walk = steps(x)
    next(walk)
    walk.close()
    assert torch.is_grad_enabled()


def test_set_grad_enabled_as_a_function():
    torch.set_grad_enabled(False)
    off = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    assert off is False and torch.is_grad_enabled()
    with pytest.raises(TypeError, match="must be bool, not int"):
        torch.set_grad_enabled(1)


def test_inference_mode():
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
        x = torch.ones(2, requires_grad=True)
        assert x.requires_grad and not (x * 2).requires_grad
    with torch.inference_mode(False):
        assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_each_thread_has_its_own_mode():
    seen = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_build_graphs_at_the_same_time():
    wrong = []

    def work(k):
        for _ in range(60):
            x = leaf(float(k), 2.0)
            ((x * k).sum() ** 2).backward()
            if x.grad.tolist() != [2 * k * k * (k + 2), 2 * k * k * (k + 2)]:
                wrong.append(x.grad)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_gradient_that_does_not_fit_the_one_that_is_there():
    x = leaf(1.0, 2.0)
    x.sum().backward()
    x.data = torch.ones(3)
    with pytest.raises(RuntimeError, match=r"\.grad is float32 \(2,\), the new one float32 \(3,\)"):
        x.sum().backward()


# ---- anomaly mode --------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled:UserWarning")
def test_anomaly_mode_names_op_and_line():
    x = leaf(0.0, 1.0)
    y = (x.sqrt() * 0).sum()  # this line
    with (
        torch.autograd.detect_anomaly(),
        pytest.raises(RuntimeError, match=r"SqrtBackward0.*returned nan") as e,
    ):
        y.backward(retain_graph=True)
    assert "test_autograd.py" in str(e.value)
    with torch.autograd.detect_anomaly(check_nan=False):
        y.backward()
    assert x.grad.isnan().tolist() == [True, False]
    assert not torch.is_anomaly_enabled()


# ---- gradcheck -----------------------------------------------------------------------------------
def test_gradcheck_accepts_and_rejects():
    x = leaf(0.5, 2.0, dtype=torch.float64)
    assert gradcheck(lambda v: v.exp() * v, x)
    assert gradgradcheck(lambda v, w: (v**3 * w).sin(), (x, leaf(1.0, 2.0, dtype=torch.float64)))
    with pytest.raises(RuntimeError) as e:
        gradcheck(lambda v: v.detach() * v, x)
    text = str(e.value)
    assert "Jacobian mismatch for output 0 with respect to input 0" in text
    assert "output0[1] / d input0[1]" in text and "numerical: 4" in text and "analytical: 2" in text
    assert "MulBackward0" in text and "test_autograd.py" in text
    assert gradcheck(lambda v: v.detach() * v, x, raise_exception=False) is False


def test_gradcheck_wants_float64_and_something_to_check():
    with pytest.warns(UserWarning, match="double"):
        assert gradcheck(lambda v: v * 2, leaf(1.0), eps=2**-10)
    with pytest.raises(ValueError, match="at least one input"):
        gradcheck(lambda v: v * 2, torch.ones(2))


# ---- functional ----------------------------------------------------------------------------------
def test_jacobian_and_hessian():
    from microtorch.autograd.functional import hessian, jacobian

    x = torch.tensor([[0.0, 0.1], [0.2, 0.3]])
    j = jacobian(lambda v: v.exp().sum(1), x)
    assert j.shape == (2, 2, 2)
    torch.testing.assert_close(j[1, 1], x[1].exp())
    assert j[0, 1].tolist() == [0, 0]
    h = hessian(lambda v: (v**3).sum(), x)
    assert h.shape == (2, 2, 2, 2) and h[1, 0, 1, 0].item() == pytest.approx(1.2)
    pair = hessian(lambda a, b: (a * b).sum(), (x, x))
    assert pair[0][1][0, 1, 0, 1].item() == 1 and pair[0][0].abs().sum().item() == 0
    assert jacobian(lambda v: torch.ones(2), torch.ones(3)).tolist() == [[0] * 3] * 2
    with pytest.raises(RuntimeError, match="single element"):
        hessian(lambda v: v * 2, torch.ones(3))


def test_products_with_vectors():
    from microtorch.autograd.functional import hvp, jvp, vhp, vjp

    x = torch.tensor([1.0, 2.0, 3.0])
    v = torch.tensor([1.0, 0.0, -1.0])
    assert vjp(lambda t: t**2, x, v)[1].tolist() == [2, 0, -6]
    assert jvp(lambda t: t**2, x, v)[1].tolist() == [2, 0, -6]
    assert hvp(lambda t: (t**3).sum(), x, v)[1].tolist() == [6, 0, -18]
    assert vhp(lambda t: (t**3).sum(), x, v)[1].tolist() == [6, 0, -18]
    with pytest.raises(RuntimeError, match="v can only be None"):
        vjp(lambda t: t * 2, x)
    with pytest.raises(RuntimeError, match="invalid size"):
        jvp(lambda t: t * 2, x, torch.ones(2))


def test_variable_is_a_tensor():
    x = torch.ones(2)
    v = torch.autograd.Variable(x)
    assert v is not x and v.data_ptr() == x.data_ptr()
    v.data = torch.zeros(3)  # exchanges the memory of v, and not that of x
    assert x.tolist() == [1, 1]
    v = torch.autograd.Variable(torch.ones(2), requires_grad=True)
    assert isinstance(v, torch.Tensor) and v.requires_grad


def test_inference_mode_switched_off_records():
    x = torch.ones(2, requires_grad=True)
    with torch.inference_mode():
        with torch.enable_grad():
            assert not (x * 2).requires_grad
        with torch.inference_mode(False):
            assert (x * 2).requires_grad


def test_inputs_are_anything_that_can_be_run_through_once():
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    x = torch.ones(4, 2)
    grads = torch.autograd.grad(net(x).sum(), net.parameters(), create_graph=True)
    assert [g.shape for g in grads] == [p.shape for p in net.parameters()]
    loss = sum((g**2).sum() for g in grads)
    again = torch.autograd.grad(loss, dict(net.named_parameters()).values(), allow_unused=True)
    assert again[0] is not None and again[3] is None
    y = net(x)
    by_rows = torch.autograd.grad(
        y, (p for p in net.parameters()), torch.eye(4)[:, :, None], is_grads_batched=True
    )
    assert by_rows[0].shape == (4, 3, 2)
    ones = (torch.tensor(1.0) for _ in range(2))
    several = torch.autograd.grad((net(x)[i, 0] for i in range(2)), net.parameters(), ones)
    assert several[3].tolist() == [2]
    torch.autograd.backward((net(x).sum() for _ in range(2)), inputs=net[0].parameters())
    assert net[0].bias.grad is not None and net[1].bias.grad is None
    with pytest.raises(RuntimeError, match="cannot be empty"):
        torch.autograd.grad(net(x).sum(), iter([]))


def test_functional_keeps_the_graph_under_no_grad():
    from microtorch.autograd import functional

    x = leaf(1.0, 2.0)
    with torch.no_grad():
        for f in (functional.vjp, functional.jvp, functional.vhp, functional.hvp):
            value, product = f(lambda v: (v**3).sum(), x, create_graph=True, v=_direction(f, x))
            assert value.requires_grad and product.requires_grad
        assert functional.jacobian(lambda v: v**3, x, create_graph=True).requires_grad


def _direction(f, x):
    return None if f.__name__ == "vjp" else torch.ones_like(x)


def test_zeros_for_unused_inputs_can_be_differentiated():
    x, a = leaf(0.5), leaf(2.0)
    (first,) = grad((x * a).sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x, create_graph=True, materialize_grads=True)
    assert grad(second.sum(), x, materialize_grads=True)[0].tolist() == [0]


def test_gradcheck_of_forward_mode_with_complex_parts():
    r = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    z = torch.tensor([0.2 - 1j], dtype=torch.complex128, requires_grad=True)
    assert gradcheck(lambda a, b: torch.cat([a, b]) * b, [r, z], check_forward_ad=True)


def test_numpy_of_a_leaf_where_nothing_is_recorded():
    x = leaf(1.0)
    with torch.no_grad():
        assert x.numpy() == 1
    with pytest.raises(RuntimeError, match="detach"):
        x.numpy()
    with pytest.warns(FutureWarning, match="classes"):
        torch.no_grad()(type("Old", (), {}))
