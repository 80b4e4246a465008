"""state_dict and load_state_dict."""

import copy
import importlib

import pytest
from networks import Net

import microtorch as torch
from microtorch import nn


def test_state_dict_round_trip():
    net, other = Net(), Net()
    state = net.state_dict()
    assert list(state) == ["mean", "fc1.weight", "fc1.bias", "seq.0.weight", "seq.0.bias"]
    assert not state["fc1.weight"].requires_grad
    result = other.load_state_dict(state)
    assert str(result) == "<All keys matched successfully>" and result.missing_keys == []
    assert torch.equal(other.seq[0].weight, net.seq[0].weight)
    with torch.no_grad():
        net.fc1.bias.fill_(7.0)
    assert state["fc1.bias"].tolist() == [7.0] * 4  # a snapshot shares memory
    assert other.fc1.bias.tolist() != [7.0] * 4
    assert net.state_dict(keep_vars=True)["fc1.bias"] is net.fc1.bias
    missing, unexpected = other.load_state_dict({"x": torch.zeros(1)}, strict=False)
    assert unexpected == ["x"] and missing == list(state)
    other.load_state_dict({key: value.double() for key, value in state.items()}, assign=True)
    assert other.fc1.weight.dtype is torch.float64 and isinstance(other.fc1.weight, nn.Parameter)


@pytest.mark.parametrize("kind", [nn.Parameter, torch.Tensor.detach])
def test_what_is_assigned_asks_for_a_gradient_where_the_old_parameter_did(kind):
    net = nn.Linear(1, 1).requires_grad_(False)
    state = {key: kind(value) for key, value in nn.Linear(1, 1).state_dict().items()}
    net.load_state_dict(state, assign=True)
    assert not any(p.requires_grad for p in net.parameters())


def test_load_state_dict_all_or_nothing():
    net = Net()
    before = copy.deepcopy(net.state_dict())
    state = {key: value + 1 for key, value in before.items()}
    del state["fc1.bias"]
    state["zz"] = torch.zeros(1)
    state["fc1.weight"] = torch.zeros(5, 3)
    state["seq.0.bias"] = 3
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    assert str(caught.value).startswith(
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "fc1.bias". \n'
        '\tUnexpected key(s) in state_dict: "zz". \n'
        "\tsize mismatch for fc1.weight: copying a param with shape torch.Size([5, 3]) from "
        "checkpoint, "
        "the shape in current model is torch.Size([4, 3]).\n"
        '\tWhile copying the parameter named "seq.0.bias", expected torch.Tensor or '
        "Tensor-like object "
        "from checkpoint but received <class 'int'>"
    )
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'int'>"):
        net.load_state_dict(3)


def test_prefix_of_names_is_taken_off():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    state = nn.DataParallel(net).state_dict()
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == list(net.state_dict())
    assert state._metadata == net.state_dict()._metadata
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    net.load_state_dict(state)
    utils = importlib.import_module("microtorch._utils")
    flat = utils._flatten_dense_tensors(net.parameters())
    parts = utils._unflatten_dense_tensors(flat, net.parameters())
    assert [p.shape for p in parts] == [p.shape for p in net.parameters()]
    assert parts[2].equal(net[1].weight) and parts[2].data_ptr() != net[1].weight.data_ptr()
