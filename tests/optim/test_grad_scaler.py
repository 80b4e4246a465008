"""torch.amp.GradScaler: scaling, steps left out, and how the scale grows, by PyTorch's rules."""

import pickle
import warnings

import pytest

import microtorch as torch

SGD = torch.optim.SGD


def training(**options):
    p = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    return p, SGD([p], lr=0.5), torch.amp.GradScaler("cpu", **options)


def test_a_step_is_that_of_the_unscaled_loss():
    p, optimizer, scaler = training(init_scale=8.0)
    loss = scaler.scale((p * p).sum())
    assert loss.item() == 40.0 and scaler.get_scale() == 8.0
    loss.backward()
    assert p.grad.tolist() == [16.0, 32.0]
    scaler.unscale_(optimizer)
    assert p.grad.tolist() == [2.0, 4.0]
    scaler.step(optimizer)
    scaler.update()
    assert p.tolist() == [0.0, 0.0]


def test_lists_of_losses_are_scaled():
    _, _, scaler = training(init_scale=4.0)
    one, (two, three) = scaler.scale([torch.tensor(1.0), (torch.tensor(2.0), torch.tensor(3.0))])
    assert [x.item() for x in (one, two, three)] == [4.0, 8.0, 12.0]
    assert scaler.scale(torch.ones(1).half()).dtype is torch.float16
    assert scaler.scale(torch.tensor(1.0).half()).dtype is torch.float32
    with pytest.raises(ValueError, match="must be a Tensor"):
        scaler.scale(3.0)


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_step_with_a_gradient_that_is_not_finite_is_left_out(bad):
    p, optimizer, scaler = training()
    scaler.scale(p.sum()).backward()
    p.grad[0] = bad
    assert scaler.step(optimizer) is None and p.tolist() == [1.0, 2.0]
    scaler.update()
    assert scaler.get_scale() == 2.0**15
    optimizer.zero_grad()
    scaler.scale(p.sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert p.tolist() == [0.5, 1.5] and scaler.get_scale() == 2.0**15


def test_the_scale_grows_after_enough_steps_in_a_row():
    p, optimizer, scaler = training(init_scale=2.0, growth_interval=3, growth_factor=4.0)
    scales = []
    for i in range(7):
        optimizer.zero_grad()
        scaler.scale(p.sum()).backward()
        if i == 2:
            p.grad[0] = float("inf")
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    assert scales == [2.0, 2.0, 1.0, 1.0, 1.0, 4.0, 4.0] and scaler._get_growth_tracker() == 1
    scaler.update(32.0)
    assert scaler.get_scale() == 32.0


def test_scale_and_count_are_tensors_that_are_made_late_and_written_in_place():
    p, optimizer, scaler = training(init_scale=3, growth_factor=1.1, growth_interval=1)
    assert scaler._scale is None and scaler.state_dict()["scale"] == scaler.get_scale() == 3
    scaler.load_state_dict({**scaler.state_dict(), "scale": 5.0})
    assert scaler._scale is None
    loss = scaler.scale((p * p).sum())
    scale, count = scaler._scale, scaler._growth_tracker
    assert (scale.item(), scale.dtype, count.dtype) == (5.0, torch.float32, torch.int32)
    loss.backward(retain_graph=True)
    scaler.unscale_(optimizer)
    assert [x.item() for x in scaler._found_inf_per_device(optimizer).values()] == [0.0]
    scaler.step(optimizer)
    scaler.update()
    assert scaler._scale is scale and scaler._growth_tracker is count
    assert scale.item() == scaler.get_scale() == 5.5 and count.item() == 0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    scaler.load_state_dict({**scaler.state_dict(), "scale": 2.0})
    assert scaler._scale is scale and scale.item() == 2.0
    for bad in (torch.ones(2), torch.ones((), requires_grad=True)):
        with pytest.raises(AssertionError, match="new_scale should be"):
            scaler.update(bad)


@pytest.mark.parametrize("growth, backoff, start, wanted", [
    (1.1, 0.3, 65536.0, [65536.0, 72089.6015625, 72089.6015625, 79298.5625, 23789.568359375]),
    (3.3, 0.7, 1.37e5, [137000.0, 452100.0, 452100.0, 1491930.0, 1044351.0]),
    (2.0, 0.5, 3e38, [3.0000000054977558e38] * 4 + [1.5000000027488779e38]),
])  # fmt: skip
def test_scales_are_rounded_once_and_stay_finite(growth, backoff, start, wanted):
    """The numbers are PyTorch's."""
    options = {"growth_factor": growth, "backoff_factor": backoff, "growth_interval": 2}
    p, optimizer, scaler = training(init_scale=start, **options)
    scales = []
    for i in range(5):
        scaler.scale(p.sum())
        p.grad = torch.full_like(p, torch.inf if i == 4 else 1.0)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    assert scales == wanted


def test_sparse_gradients_are_unscaled():
    table = torch.nn.Embedding(4, 2, sparse=True)
    optimizer, scaler = SGD(table.parameters(), lr=1.0), torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(table(torch.tensor([1, 1])).sum()).backward()
    scaler.unscale_(optimizer)
    assert table.weight.grad.to_dense().tolist() == [[0, 0], [2, 2], [0, 0], [0, 0]]
    table.weight.grad._values()[0] = torch.nan
    scaler.step(optimizer)  # which has looked before
    assert table.weight[1].isnan().all()


def test_two_optimizers():
    p, one, scaler = training()
    q = torch.nn.Parameter(torch.ones(1))
    two = SGD([q], lr=1.0)
    scaler.scale(p.sum() + q.sum()).backward()
    q.grad[0] = float("inf")
    scaler.step(one)
    scaler.step(two)
    scaler.update()
    assert p.tolist() == [0.5, 1.5] and q.item() == 1.0 and scaler.get_scale() == 2.0**15


def test_the_order_of_calls_is_checked():
    p, optimizer, scaler = training()
    with pytest.raises(AssertionError, match="_scale is None"):
        scaler.step(optimizer)
    scaler.scale(p.sum()).backward()
    with pytest.raises(AssertionError, match="No inf checks were recorded prior to update"):
        scaler.update()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called on this optimizer"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="Closure"):
        scaler.step(optimizer, closure=lambda: 0.0)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="step\\(\\) has already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="after step"):
        scaler.unscale_(optimizer)
    scaler.update()
    optimizer.zero_grad()
    with pytest.raises(AssertionError, match="No inf checks were recorded for this optimizer"):
        scaler.step(optimizer)
    for options in ({"growth_factor": 1.0}, {"backoff_factor": 1.0}):
        with pytest.raises(AssertionError, match="factor must be"):
            torch.amp.GradScaler("cpu", **options)


def test_gradients_in_float16_are_refused():
    p = torch.nn.Parameter(torch.ones(2).half())
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(p.float().sum()).backward()
    with pytest.raises(ValueError, match="FP16 gradients"):
        scaler.unscale_(SGD([p], lr=1.0))


def test_state():
    p, optimizer, scaler = training(init_scale=16.0, growth_interval=5)
    scaler.scale(p.sum()).backward()
    scaler.step(optimizer)
    with pytest.raises(AssertionError, match="may only be pickled"):
        pickle.dumps(scaler)
    scaler.update()
    state = scaler.state_dict()
    assert state == {
        "scale": 16.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 5,
        "_growth_tracker": 1,
    }  # fmt: skip
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(state)
    assert other.state_dict() == state == pickle.loads(pickle.dumps(scaler)).state_dict()
    with pytest.raises(RuntimeError, match="empty"):
        other.load_state_dict({})


def test_for_cuda_it_is_disabled_with_a_warning():
    for make in (torch.amp.GradScaler, torch.cuda.amp.GradScaler):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            with pytest.warns(UserWarning, match="CUDA is not available"):
                scaler = make()
    p, optimizer, _ = training()
    loss = p.sum()
    assert scaler.scale(loss) is loss and not scaler.is_enabled()
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert p.tolist() == [0.5, 1.5] and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.amp.GradScaler(enabled=False)


def test_small_gradients_survive_float16():
    x, w = torch.tensor([[1e-3]]), torch.nn.Parameter(torch.tensor([[1e-3]]))
    optimizer = SGD([w], lr=1.0)
    for scaler in (torch.amp.GradScaler("cpu", enabled=False), torch.amp.GradScaler("cpu")):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            out = (x @ w) * 1e-2
        scaler.scale(out.float().sum() * 1e-3).backward()
        scaler.unscale_(optimizer)
        assert w.grad.item() == pytest.approx(1e-8 if scaler.is_enabled() else 0.0, rel=1e-2)
