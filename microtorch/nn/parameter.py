"""Parameter: a tensor that a module registers as its own and an optimizer changes.

It is a leaf of every graph it takes part in; what makes it special is only its type, which
`Module.__setattr__` looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, SupportsIndex, cast

from ..base.errors import NoTensor, describe, message
from ..base.types import Argument
from ..create.filled import empty
from ..handles.tensor import Tensor
from .common_types import DeviceLike, DTypeLike


class Parameter(Tensor):
    """A leaf tensor on the memory of `data`, requiring gradient unless told otherwise.

    RuntimeError if it shall require gradient and `data` is not floating point.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise NoTensor(
                message(
                    f"Parameter: data must be a Tensor, but got {describe(data)}",
                    fix="torch.nn.Parameter(torch.tensor(data))",
                )
            )
        plain, self = data.detach(), object.__new__(cls)
        self.array, self.origin, self.node = plain.array, None, plain.node  # the slots of a handle
        self.requires_grad = requires_grad
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Tensor:
        made = super().__deepcopy__(memo)
        made.grad = None  # as PyTorch's
        return made

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


# ---- parameters of lazy modules, whose shape is not known yet ------------------------------------
# mypy sees a Tensor; at run time the classes that inherit from this are Tensors
if TYPE_CHECKING:
    _Base = Tensor
else:
    _Base = object


def _turn(tensor: object, kind: type) -> None:
    """Make it an instance of `kind`, which has the same slots."""
    object.__setattr__(tensor, "__class__", kind)


class UninitializedTensorMixin(_Base):
    """A tensor that has a dtype and a device, but no shape yet.

    It may be moved and cast. Everything else raises ValueError, or RuntimeError for its shape.
    """

    __slots__ = ()
    cls_to_become: type[Tensor]

    def __init__(self, *args: Argument, **kwargs: Argument) -> None:
        """`__new__` has made it."""

    @contextmanager
    def _ordinary(self) -> Iterator[Tensor]:
        """Within, it is an ordinary empty tensor."""
        own = self.__class__
        _turn(self, self.cls_to_become)
        try:
            yield cast(Tensor, self)
        finally:
            _turn(self, own)

    def materialize(
        self, shape: int | Sequence[int], device: DeviceLike = None, dtype: DTypeLike = None
    ) -> None:
        """Become an ordinary parameter or buffer of `shape`, whose elements are not set yet."""
        data = self.data
        size = (shape,) if isinstance(shape, int) else tuple(shape)
        made = empty(size, device=device or data.device, dtype=dtype or data.dtype)
        _turn(self, self.cls_to_become)
        setattr(self, "data", made)  # noqa: B010  (the class has just changed)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Argument, ...]:
        return type(self), (self.requires_grad,)

    def __deepcopy__(self, memo: dict[int, object]) -> UninitializedTensorMixin:
        made = memo[id(self)] = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        return made

    def share_memory_(self) -> NoReturn:
        raise RuntimeError(
            message(
                "Can't share memory on an uninitialized parameter or buffer.",
                fix="call forward with a batch first, to initialize the parameters",
            )
        )


def _through_ordinary(name: str) -> property:
    """An attribute of the empty tensor."""

    def read(self: UninitializedTensorMixin) -> object:
        with self._ordinary() as tensor:
            return getattr(tensor, name)

    def write(self: UninitializedTensorMixin, value: object) -> None:
        with self._ordinary() as tensor:
            setattr(tensor, name, value)

    return property(read, write)


def _asked(name: str) -> Callable[..., object]:
    """A method that asks the empty tensor."""

    def ask(self: UninitializedTensorMixin, *args: Argument) -> object:
        with self._ordinary() as tensor:
            return getattr(tensor, name)(*args)

    return ask


def _conversion(name: str) -> Callable[..., UninitializedTensorMixin]:
    """A method that gives another uninitialized tensor."""

    def convert(
        self: UninitializedTensorMixin, *args: Argument, **kwargs: Argument
    ) -> UninitializedTensorMixin:
        data = getattr(self.data, name)(*args, **kwargs)
        return type(self)(self.requires_grad, data.device, data.dtype)

    return convert


def _no_array(self: UninitializedTensorMixin) -> None:
    """Every operation reads `array`, and so comes here."""
    kind = type(self).__name__
    raise ValueError(
        message(
            "Attempted to use an uninitialized parameter. This error happens when you are using a "
            f"`LazyModule` or explicitly manipulating `torch.nn.parameter.{kind}` objects",
            fix="call the module with a batch first, which initializes its parameters",
        )
    )


def _no_shape(self: UninitializedTensorMixin) -> None:
    raise RuntimeError(
        message(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one.",
            fix="call `forward` to initialize the parameters before accessing their attributes",
        )
    )


for _name in ("data", "dtype", "device", "requires_grad"):
    setattr(UninitializedTensorMixin, _name, _through_ordinary(_name))
for _name in ("is_floating_point", "is_complex", "get_device"):
    setattr(UninitializedTensorMixin, _name, _asked(_name))
for _name in ("to", "half", "float", "double", "cpu", "cuda", "type", "detach"):
    setattr(UninitializedTensorMixin, _name, _conversion(_name))
for _name, _refuse in (("array", _no_array), ("shape", _no_shape)):
    setattr(UninitializedTensorMixin, _name, property(_refuse))


def is_lazy(param: object) -> bool:
    """Is it an UninitializedParameter or an UninitializedBuffer?"""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape a lazy module finds out when it is first called."""

    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: DeviceLike = None, dtype: DTypeLike = None
    ) -> UninitializedParameter:
        made = Parameter(empty(0, device=device, dtype=dtype), requires_grad)
        _turn(made, cls)
        return cast(UninitializedParameter, made)


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape a lazy module finds out when it is first called."""

    __slots__ = ()
    cls_to_become = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        made = empty(0, device=device, dtype=dtype, requires_grad=requires_grad)
        _turn(made, cls)
        return cast(UninitializedBuffer, made)
