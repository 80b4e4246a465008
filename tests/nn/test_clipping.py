"""nn.utils: clipping of gradients, parameters as a vector."""

import pytest
from networks import close

import microtorch as torch
from microtorch import nn


def with_gradients():
    params = [
        nn.Parameter(torch.zeros(2, 2)),
        nn.Parameter(torch.zeros(3)),
        nn.Parameter(torch.zeros(1)),
    ]
    params[0].grad = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    params[1].grad = torch.tensor([1.0, -2.0, 2.0])
    return params


def test_clipping():
    params = with_gradients()
    assert nn.utils.clip_grad_norm_(params, 2.0).item() == pytest.approx(5.91608)
    close(params[0].grad, [1.014185, 1.3522465, 0.0, 0.3380616])
    close(params[1].grad, [0.3380616, -0.6761233, 0.6761233])
    assert params[2].grad is None
    params = with_gradients()
    assert nn.utils.clip_grad_norm_(params, 1.0, float("inf")).item() == 4.0
    close(params[0].grad, [0.7499998, 0.9999998, 0.0, 0.2499999])
    params = with_gradients()
    nn.utils.clip_grad_norm_(params, 100.0)
    assert params[0].grad.tolist() == [[3.0, 4.0], [0.0, 1.0]]
    nn.utils.clip_grad_value_(params, 1.5)
    assert params[1].grad.tolist() == [1.0, -1.5, 1.5]
    params[0].grad[0, 0] = float("nan")
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0
    for max_norm, order in (("much", 2.0), (1.0, "max")):  # with nothing to clip, too
        with pytest.raises(ValueError, match="could not convert"):
            nn.utils.clip_grad_norm_([], max_norm, order)


def test_parameters_as_a_vector():
    layer = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (9,)
    nn.utils.vector_to_parameters(torch.arange(9.0), layer.parameters())
    assert layer.weight.tolist() == [
        [0.0, 1.0],
        [2.0, 3.0],
        [4.0, 5.0],
    ] and layer.bias.tolist() == [6.0, 7.0, 8.0]
    with pytest.raises(RuntimeError, match="hold 9 values"):
        nn.utils.vector_to_parameters(torch.zeros(5), layer.parameters())
