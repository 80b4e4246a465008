"""torch.serialization: which classes of the user's own a file may name."""

import fractions
import io
import pickle

import numpy as np
import pytest

import microtorch as torch
from microtorch import serialization


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


class Slotted:
    __slots__ = ("x",)


class Named(torch.Tensor):
    pass


class Secret(torch.Tensor):
    def __reduce__(self):
        return loud, (3,)


def loud(x):
    return ["called", x]


class Calls:
    def __reduce__(self):
        return loud, (3,)


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    serialization.clear_safe_globals()


def through(obj, **options):
    buffer = io.BytesIO()
    torch.save(obj, buffer)
    buffer.seek(0)
    return torch.load(buffer, **options)


def test_objects_of_a_class_of_ones_own():
    with pytest.raises(TypeError, match="add_safe_globals"):
        torch.save(fractions.Fraction(1, 2), io.BytesIO())
    point = Point(1, torch.ones(2))
    with serialization.safe_globals([Point, Slotted]):
        found = through({"p": point, "q": point})
        slotted = Slotted()
        slotted.x = torch.ones(1)
        assert through(slotted).x.tolist() == [1]
        buffer = io.BytesIO()
        torch.save(point, buffer)
    assert isinstance(found["p"], Point) and found["p"] is found["q"]
    assert found["p"].y.tolist() == [1, 1]
    assert serialization.get_safe_globals() == []
    name = f"{Point.__module__}.Point"
    buffer.seek(0)
    assert serialization.get_unsafe_globals_in_checkpoint(buffer) == [name]
    buffer.seek(0)
    with pytest.raises(pickle.UnpicklingError, match=name):
        torch.load(buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=False).y.tolist() == [1, 1]  # the program has the class


def test_tensors_of_a_class_of_ones_own():
    x = torch.arange(3.0).as_subclass(Named)
    x.unit = "m"
    named, part = through([x, torch.Tensor.detach(x)[1:]], weights_only=False)
    assert type(named) is Named and named.unit == "m" and named.tolist() == [0, 1, 2]
    assert type(part) is torch.Tensor and part.data_ptr() == named.data_ptr() + 4
    leaf = through(torch.ones(1).as_subclass(Named).requires_grad_(), weights_only=False)
    assert leaf.is_leaf and leaf.requires_grad
    with pytest.raises(pickle.UnpicklingError, match=f"{__name__}.Named"):
        through(x)
    with serialization.safe_globals([Named]):
        assert type(through(x)) is Named
    with pytest.raises(TypeError, match="cannot save an object of type Secret"):
        through(torch.ones(1).as_subclass(Secret))


def test_functions_and_other_names():
    serialization.add_safe_globals([Calls, (loud, f"{__name__}.loud")])
    assert through(Calls()) == ["called", 3]
    assert serialization.get_safe_globals() == [Calls, (loud, f"{__name__}.loud")]
    with pytest.raises(ValueError, match="length 2"):
        serialization.add_safe_globals([(loud, "a", "b")])
    with pytest.raises(TypeError, match="full path"):
        serialization.add_safe_globals([(loud, 3)])


def test_errors_of_the_users_code_are_the_users():
    class Fails(Point):
        def __setstate__(self, state):
            raise ZeroDivisionError

    Fails.__qualname__ = Fails.__name__ = "Fails"
    globals()["Fails"] = Fails
    serialization.add_safe_globals([Fails])
    with pytest.raises(ZeroDivisionError):
        through(Fails(1, 2))


def test_numpy_as_pytorch_allows_it():
    """The names of numpy, and still our own way of reading what they stand for."""
    array, scalar = np.arange(3.0), np.float32(1.5)
    reconstruct, number = array.__reduce__()[0], scalar.__reduce__()[0]
    with serialization.safe_globals([reconstruct, number, np.ndarray, np.dtype]):
        found = through([array, scalar])
    assert found[0].tolist() == [0, 1, 2] and found[1] == 1.5


def test_blocked_modules_stay_blocked():
    import os

    with serialization.safe_globals([(os.system, "posix.system")]):
        with pytest.raises(pickle.UnpicklingError, match="blocked"):
            torch.load(io.BytesIO(archive(b"cposix\nsystem\n.")))


def archive(pickled):
    from microtorch.files.archive import Writer

    buffer = io.BytesIO()
    writer = Writer(buffer)
    writer.add("data.pkl", pickled)
    writer.close()
    return buffer.getvalue()


def test_unsafe_names_are_told_without_running_them():
    data = archive(b"\x80\x02(cos\nsystem\nX\1\0\0\0lc__main__\nNet\nctorch\nFloatStorage\nt.")
    found = serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data))
    assert sorted(found) == ["__main__.Net", "os.system"]
    with pytest.raises(ValueError, match="checkpoint"):
        serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(b"no archive"))
