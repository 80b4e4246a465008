"""Files of an earlier layout still load: pickles that name modules which have moved, saved files.

tests/data/make.py says what is in them. Each is compared with the same objects made today.
"""

import pickle
from pathlib import Path

import pytest
from repository import loaded

import microtorch as torch
from microtorch import nn

DATA = Path(__file__).parents[1] / "data"


make = loaded("tests/data/make.py")
MODULES, VALUES = make.modules(), make.values()


def read(name):
    return pickle.loads((DATA / name).read_bytes())


def check_equal(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, torch.Tensor):
        assert found.dtype is expected.dtype and found.requires_grad == expected.requires_grad
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            check_equal(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            check_equal(one, other)
    elif isinstance(expected, torch.Generator):
        assert torch.equal(found.get_state(), expected.get_state())
    else:
        assert found == expected


@pytest.mark.parametrize("name", VALUES)
def test_pickled_values(name):
    check_equal(read("values.pkl")[name], VALUES[name])


@pytest.mark.parametrize("name", MODULES)
def test_pickled_modules(name):
    found, expected = read("modules.pkl")[name], MODULES[name]
    assert type(found) is type(expected) and repr(found) == repr(expected)
    check_equal(found.state_dict(), expected.state_dict())


def test_a_pickled_module_computes():
    found = read("modules.pkl")
    torch.manual_seed(3)
    image, sequence = torch.randn(1, 1, 4, 4), torch.randn(5, 1, 2)
    check_equal(found["conv"](image), MODULES["conv"](image))
    check_equal(found["lstm"](sequence), MODULES["lstm"](sequence))
    check_equal(found["encoder"](torch.ones(2, 1, 4)), MODULES["encoder"](torch.ones(2, 1, 4)))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_a_pickled_optimizer_goes_on(name):
    found, expected = read("training.pkl")[name], make.training()[name]
    check_equal(found.state_dict(), expected.state_dict())
    for optimizer in (found, expected):
        (p,) = optimizer.param_groups[0]["params"]
        p.grad = torch.ones(3)
        optimizer.step()
    check_equal(found.param_groups[0]["params"], expected.param_groups[0]["params"])


def test_pickled_data():
    found, expected = read("training.pkl"), make.training()
    check_equal(list(found["dataset"]), list(expected["dataset"]))
    check_equal(list(found["loader"]), list(expected["loader"]))
    schedule = torch.optim.lr_scheduler.StepLR(expected["sgd"], 2)
    schedule.load_state_dict(found["schedule"])  # a state from before it had PyTorch's keys
    check_equal(schedule.state_dict(), expected["schedule"])


def test_saved_file():
    found = torch.load(DATA / "saved.pt")
    for name, value in VALUES.items():
        if name != "generator":
            check_equal(found[name], value)
    check_equal(found["modules"], {name: m.state_dict() for name, m in MODULES.items()})
    training = make.training()
    for name, state in found["optimizers"].items():
        check_equal(state, training[name].state_dict())


def test_an_old_file_written_anew_holds_the_same(tmp_path):
    saved = torch.load(DATA / "saved.pt")
    torch.save(saved, tmp_path / "again.pt")
    check_equal(torch.load(tmp_path / "again.pt"), saved)


def test_new_pickles_name_the_new_places():
    data = pickle.dumps([nn.Linear(1, 1), nn.Dropout()], protocol=0)
    assert b"microtorch.nn.layers.linear" in data and b"microtorch.nn.layers.dropout" in data


def test_an_unpickled_tensor_runs_on_the_same_kernels():
    """Kernels know a dtype by identity; pickle makes one of its own."""
    t = torch.ones(3)
    assert pickle.loads(pickle.dumps(t)).numpy().dtype is t.numpy().dtype
