"""Initial values of parameters: each function fills a tensor in place and returns it.

The two recipes behind the names keep the variance of signals constant through layers: xavier
(Glorot and Bengio 2010) with std = gain * sqrt(2 / (fan_in + fan_out)), and kaiming (He et al.
2015) with std = gain / sqrt(fan). `fan_in` is the number of inputs of one output, `fan_out` the
number of outputs of one input. A uniform distribution on ±sqrt(3) * std has that std.
`generator=None` draws from the default generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..arrays.draws import trunc_normal
from ..arrays.dtypes import TORCH_TYPES
from ..autograd import no_grad
from ..base.errors import describe, message, missing, warn
from ..base.naming import named
from ..create.data import from_numpy
from ..create.filled import empty
from ..create.random import Generator, randperm
from ..engine.argument_types import check_type
from ..handles.tensor import Tensor

_LINEAR = (
    "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"
).split()
_GAINS: dict[str, float] = {
    **dict.fromkeys(_LINEAR, 1),
    "sigmoid": 1,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Factor on the standard deviation that makes up for what `nonlinearity` does to the variance.

    `param` is the negative slope of "leaky_relu" (default 0.01).
    """
    if nonlinearity == "leaky_relu":
        if isinstance(param, bool) or not isinstance(param, (int, float, type(None))):
            raise ValueError(
                message(
                    f"negative_slope {param} not a valid number",
                    fix='calculate_gain("leaky_relu", 0.2)',
                )
            )
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(
            message(
                f"Unsupported nonlinearity {nonlinearity}",
                fix=f"one of leaky_relu, {', '.join(_GAINS)}",
            )
        )
    return _GAINS[nonlinearity]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values from the uniform distribution on [a, b)."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values from the normal distribution."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill from the normal distribution cut to [a, b]: what falls outside is drawn again."""
    for name, value in (("mean", mean), ("std", std), ("a", a), ("b", b)):
        check_type("trunc_normal_", name, "float", value)
    values = trunc_normal(tensor.shape, tensor.dtype.numpy, mean, std, a, b, generator)
    with no_grad():
        return tensor.copy_(from_numpy(values))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with `val`."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: as many inputs as possible pass unchanged."""
    if tensor.ndim != 2:
        raise _wrong("Only tensors with 2 dimensions are supported", "eye_", tensor)
    with no_grad():
        return tensor.copy_(from_numpy(np.eye(*tensor.shape, dtype=tensor.dtype.numpy)))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution (out, in, *kernel) so that channels pass unchanged.

    As many as there are on both sides.
    """
    if tensor.ndim not in (3, 4, 5):
        raise _wrong("Only tensors with 3, 4, or 5 dimensions are supported", "dirac_", tensor)
    if tensor.shape[0] % groups:
        raise _wrong("dim 0 must be divisible by groups", f"dirac_, {groups=}", tensor)
    values = np.zeros(tensor.shape, tensor.dtype.numpy)
    centre = tuple(n // 2 for n in tensor.shape[2:])
    per_group = tensor.shape[0] // groups
    for group in range(groups):
        for channel in range(min(per_group, tensor.shape[1])):
            place = (group * per_group + channel, channel, *centre)
            values[place] = 1
    with no_grad():
        return tensor.copy_(from_numpy(values))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix from the normal distribution, a fraction `sparsity` of each column with 0.

    Martens 2010.
    """
    if tensor.ndim != 2:
        raise _wrong("Only tensors with 2 dimensions are supported", "sparse_", tensor)
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    with no_grad():
        for column in range(columns):
            # PyTorch draws the rows from the default generator, whatever is given for the values
            tensor[randperm(rows, device="cpu")[:zeros], column] = 0
    return tensor


def _wrong(what: str, where: str, tensor: Tensor) -> ValueError:
    return ValueError(message(what, f"{where}: {describe(tensor)}"))


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, *kernel). Layers written by hand call it."""
    if tensor.ndim < 2:
        raise _wrong(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
            "a bias has no fan; zeros_ fills it",
            tensor,
        )
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill uniformly on ±gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill from the normal distribution of std gain * sqrt(2 / (fan_in + fan_out))."""
    std = gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    """The one of the fans that ``mode`` names."""
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise _wrong(
            f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']",
            "kaiming",
            tensor,
        )
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


def _is_empty(tensor: Tensor) -> bool:
    if 0 in tensor.shape:
        warn("Initializing zero-element tensors is a no-op")
        return True
    return False


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill uniformly on ±gain * sqrt(3 / fan) (He et al. 2015); `a` is the slope of leaky_relu."""
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill from the normal distribution of std gain / sqrt(fan); `a` is the slope of leaky_relu."""
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with gain times a random (semi-)orthogonal matrix (Saxe et al. 2013).

    (out, ...) is seen as a matrix.
    """
    if tensor.ndim < 2:
        raise _wrong("Only tensors with 2 or more dimensions are supported", "orthogonal_", tensor)
    if tensor.numel() == 0:
        return tensor
    if tensor.itemsize == 2:
        kind = TORCH_TYPES[tensor.array.dtype.name]
        raise NotImplementedError(
            message(f"\"geqrf_cpu\" not implemented for '{kind}'", fix="fill a float32 tensor")
        )
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    made = empty((rows, columns), dtype=tensor.dtype, device="cpu")
    drawn = made.normal_(generator=generator).numpy()
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q *= np.sign(np.diag(r))  # then all orthogonal matrices are as likely (Mezzadri 2007)
    if rows < columns:
        q = q.T
    with no_grad():
        return tensor.copy_(from_numpy(np.ascontiguousarray(q).reshape(tensor.shape))).mul_(gain)


# ---- PyTorch's old names, without the underscore -------------------------------------------------
def _old(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    new = function.__name__

    def warned(*args: object, **kwargs: object) -> Tensor:
        warn(
            f"`nn.init.{new[:-1]}` is now deprecated in favor of `nn.init.{new}`.",
            FutureWarning,
        )
        return function(*args, **kwargs)

    return named(warned, new[:-1], f"{new} under its old name.")


OLD_NAMES = (
    "constant dirac eye kaiming_normal kaiming_uniform normal orthogonal sparse uniform "
    "xavier_normal xavier_uniform".split()
)
globals().update({name: _old(globals()[f"{name}_"]) for name in OLD_NAMES})
__getattr__ = missing(__name__, globals())
