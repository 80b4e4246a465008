"""A recurrent layer along a whole sequence as one node of the graph.

nn/layers/rnn_steps.py composes the same of ops; this is made for speed. The inputs' part
x = W input + b of all steps is one product. What is left of a step is a product with the state
before it, a = U h + c, and the cell: a kernel of the backend that makes the next state of x + a and
leaves the gates in the place of x. Backward goes through the steps in reverse (backpropagation
through time, Werbos 1990): the derivative of the cell gives da, and da U is the gradient of the
state before. Then the gradients of W and U are one product each over all steps:

    dU = Σ_t da_tᵀ h_(t-1)        two matrices of L N rows

Under `create_graph=True` the composed steps are differentiated instead, so that derivatives of
any order are those of the ops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import Function, grad, is_grad_enabled
from ...backends import defines
from ...handles.tensor import Tensor
from ...utils.kernels import backend_of, common_backend, tensor_on

if TYPE_CHECKING:
    from ...base.types import Array, Backend

# ---------------------------------------------------------------- cells, in numpy
# A cell overwrites `gates`, which hold x (N, gates * H), with the gates' values, and fills the
# states after, each (N, H). Its vjp overwrites the gradients of the states after with what reaches
# those before directly, not through a; it fills da, and dx where that differs.


def _parts(x: Array, n: int) -> list[Array]:
    """(N, n * H) as n views (N, H)."""
    size = x.shape[-1] // n
    return [x[:, i * size : (i + 1) * size] for i in range(n)]


def _sigmoid(x: Array) -> None:
    """1 / (1 + exp(-x)), in place."""
    np.negative(x, x)
    np.exp(x, x)
    x += 1
    np.reciprocal(x, x)


@defines
def lstm_cell(F: Backend, gates: Array, a: Array, before: Array, h: Array, after: Array) -> None:
    """after = f before + i g; h = o tanh(after)."""
    gates += a
    i, f, g, o = _parts(gates, 4)
    for gate in (i, f, o):
        _sigmoid(gate)
    np.tanh(g, g)
    np.multiply(f, before, after)
    after += i * g
    np.tanh(after, h)
    h *= o


@defines
def lstm_cell_vjp(
    F: Backend, dh: Array, dstate: Array, before: Array, gates: Array, after: Array, da: Array
) -> None:
    """`dstate`, the gradient of `after`, becomes that of `before`."""
    i, f, g, o = _parts(gates, 4)
    di, df, dg, do = _parts(da, 4)
    t = np.tanh(after)
    dstate += dh * o * (1 - t * t)
    di[...] = dstate * g * i * (1 - i)
    df[...] = dstate * before * f * (1 - f)
    dg[...] = dstate * i * (1 - g * g)
    do[...] = dh * t * o * (1 - o)
    dstate *= f


@defines
def gru_cell(F: Backend, gates: Array, a: Array, part: Array, before: Array, h: Array) -> None:
    """`part` keeps what a is to n; h = n + z (before - n)."""
    r, z, n = _parts(gates, 3)
    ar, az, an = _parts(a, 3)
    part[...] = an
    r += ar
    z += az
    _sigmoid(r)
    _sigmoid(z)
    n += r * part
    np.tanh(n, n)
    np.subtract(before, n, h)
    h *= z
    h += n


@defines
def gru_cell_vjp(
    F: Backend, dh: Array, before: Array, gates: Array, part: Array, dx: Array, da: Array
) -> None:
    """`dh` becomes z dh, what of it reaches the state before directly."""
    r, z, n = _parts(gates, 3)
    dr, dz, dn = _parts(dx, 3)
    dn[...] = dh * (1 - z) * (1 - n * n)
    dr[...] = dn * part * r * (1 - r)
    dz[...] = dh * (before - n) * z * (1 - z)
    da[...] = dx
    _parts(da, 3)[2][...] *= r
    dh *= z


# ---------------------------------------------------------------- along a sequence


class Recurrence:
    """One direction of a layer along a sequence, and the arrays that forward fills for backward.

    x (L, N, gates * H), which becomes the gates; the states, (L + 1, N, H) each: step t leads
    from those at t + `before` to those at t + `after`; and `part` (L, N, H), which only a GRU has.
    """

    gates = 1
    part: Array | None

    def __init__(
        self, F: Backend, reverse: bool, x: Array, part: Array | None, *states: Array
    ) -> None:
        self.F, self.x, self.part, self.states = F, x, part, states
        self.before, self.after = (1, 0) if reverse else (0, 1)
        self.order = range(len(x) - 1, -1, -1) if reverse else range(len(x))

    @classmethod
    def forward(
        cls, F: Backend, reverse: bool, x: Array, u: Array, c: Array | None, start: list[Array]
    ) -> Recurrence:
        """All steps from the states `start`, (N, H) each."""
        states = [F.empty((len(x) + 1, *s.shape), x.dtype) for s in start]
        part = F.empty((len(x), *start[0].shape), x.dtype) if cls.gates == 3 else None
        made = cls(F, reverse, x, part, *states)
        for s, value in zip(states, start, strict=True):
            s[made.order[0] + made.before] = value
        ut = u.T.copy()
        for t in made.order:
            a = F.matmul(states[0][t + made.before], ut)
            if c is not None:
                a += c
            made.step(t, a)
        return made

    @property
    def memory(self) -> tuple[Array | None, ...]:
        """What to give to the class again for backward, after F and reverse."""
        return (self.x, self.part, *self.states)

    @property
    def output(self) -> Array:
        """h after each step, (L, N, H)."""
        return self.states[0][self.after :][: len(self.x)]

    def last(self) -> list[Array]:
        """The states after the last step, each (N, H)."""
        return [s[self.order[-1] + self.after].copy() for s in self.states]

    def backward(self, u: Array, g: Array | None, grads: list[Array]) -> tuple[Array, Array]:
        """(dx, da), both (L, N, gates * H), from the gradients of what came out.

        `g` is the gradient of the output, or None; `grads` those of the last states, which
        become the gradients of the states at the start.
        """
        da = np.empty_like(self.x)
        dx = np.empty_like(self.x) if self.gates == 3 else da
        for t in reversed(self.order):
            if g is not None:
                grads[0] += g[t]
            direct = self.vjp(t, grads, dx[t], da[t])
            grads[0] = self.F.matmul(da[t], u)
            if direct is not None:
                grads[0] += direct
        return dx, da

    def step(self, t: int, a: Array) -> None:
        """The cell at t."""
        raise NotImplementedError

    def vjp(self, t: int, grads: list[Array], dx: Array, da: Array) -> Array | None:
        """Fill dx and da; returns what reaches the h before directly, or None."""
        raise NotImplementedError


class LSTM(Recurrence):
    """The state is the pair (h, c)."""

    gates = 4

    def step(self, t: int, a: Array) -> None:
        (h, c), old, new = self.states, t + self.before, t + self.after
        self.F.lstm_cell(self.x[t], a, c[old], h[new], c[new])

    def vjp(self, t: int, grads: list[Array], dx: Array, da: Array) -> None:
        c = self.states[1]
        self.F.lstm_cell_vjp(*grads, c[t + self.before], self.x[t], c[t + self.after], da)


class GRU(Recurrence):
    """What reaches n from h is kept in `part`: the reset gate multiplies it."""

    gates = 3
    part: Array

    def step(self, t: int, a: Array) -> None:
        (h,) = self.states
        self.F.gru_cell(self.x[t], a, self.part[t], h[t + self.before], h[t + self.after])

    def vjp(self, t: int, grads: list[Array], dx: Array, da: Array) -> Array | None:
        before = self.states[0][t + self.before]
        self.F.gru_cell_vjp(grads[0], before, self.x[t], self.part[t], dx, da)
        return grads[0]


class Tanh(Recurrence):
    """The plain layer with nonlinearity="tanh"."""

    def step(self, t: int, a: Array) -> None:
        h = self.states[0][t + self.after]
        np.tanh(np.add(self.x[t], a, h), h)

    def vjp(self, t: int, grads: list[Array], dx: Array, da: Array) -> None:
        h = self.states[0][t + self.after]
        np.multiply(grads[0], 1 - h * h, da)


class Relu(Recurrence):
    """The plain layer with nonlinearity="relu"."""

    def step(self, t: int, a: Array) -> None:
        h = self.states[0][t + self.after]
        np.maximum(np.add(self.x[t], a, h), 0, out=h)

    def vjp(self, t: int, grads: list[Array], dx: Array, da: Array) -> None:
        np.multiply(grads[0], self.states[0][t + self.after] > 0, da)


# ---------------------------------------------------------------- the node


class Sequence(Function):
    """apply(kind, composed, reverse, input, w, u, b, c, *state) -> (output, last state or states).

    `kind` is a class of Recurrence, `composed(input, ..., *state)` computes the same with ops.
    input (L, N, features), w (gates * H, features), u (gates * H, H), b and c (gates * H,) or
    None, states (N, H), output (L, N, H).
    """

    @staticmethod
    def forward(
        ctx: Any,
        kind: type[Recurrence],
        composed: Callable[..., tuple[Tensor, ...]],
        reverse: bool,
        input: Tensor,
        w: Tensor,
        u: Tensor,
        b: Tensor | None,
        c: Tensor | None,
        *state: Tensor,
    ) -> tuple[Tensor, ...]:
        F = backend_of(input)
        features, w_, u_, b_, c_, *start = _arrays((input, w, u, b, c, *state))
        length, batch, size = features.shape
        x = F.matmul(features.reshape(-1, size), w_.T)
        if b is not None:
            x += b_
        steps = kind.forward(F, reverse, x.reshape(length, batch, -1), u_, c_, start)
        ctx.kind, ctx.reverse, ctx.composed = kind, reverse, composed
        ctx.set_materialize_grads(False)
        output = tensor_on(steps.output, F)
        memory = [None if m is None else tensor_on(m, F) for m in steps.memory]
        ctx.save_for_backward(input, w, u, b, c, *state, output, *memory)
        return output, *(tensor_on(s, F) for s in steps.last())

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, *last: Tensor | None) -> tuple[Any, ...]:
        needed = ctx.needs_input_grad[3:]
        inputs, (_, *memory) = ctx.saved_tensors[: len(needed)], ctx.saved_tensors[len(needed) :]
        if is_grad_enabled():
            return None, None, None, *_of_composed(ctx.composed, inputs, needed, (g, *last))
        F = backend_of(inputs[0])
        features, w, u, _, _, *start = _arrays(inputs)
        steps = ctx.kind(F, ctx.reverse, *_arrays(memory))
        outer, *ends = _arrays((g, *last))
        given = zip(start, ends, strict=True)
        grads = [np.zeros_like(s) if d is None else d.copy() for s, d in given]
        each_x, each_a = steps.backward(u, outer, grads)
        dx, da = (d.reshape(-1, d.shape[-1]) for d in (each_x, each_a))
        rows = len(da)
        old = steps.states[0][steps.before :][: len(each_a)].reshape(rows, -1)
        db = F.sum(dx, dim=(0,), keepdim=False) if needed[3] or needed[4] else None
        dc = db if each_a is each_x or not needed[4] else F.sum(da, dim=(0,), keepdim=False)
        found = [
            F.matmul(dx, w).reshape(features.shape) if needed[0] else None,
            F.matmul(dx.T, features.reshape(rows, -1)) if needed[1] else None,
            F.matmul(da.T, old) if needed[2] else None,
            db if needed[3] else None,
            dc if needed[4] else None,
            *grads,
        ]
        return None, None, None, *(None if d is None else tensor_on(d, F) for d in found)


def _arrays(tensors: Iterable[Tensor | None]) -> list[Any]:
    """Their memory, None for None."""
    return [None if tensor is None else tensor.array for tensor in tensors]


def takes(*inputs: Tensor | None) -> bool:
    """Can `Sequence` take them: are they all on the CPU, and all float32 or all float64?"""
    dev = common_backend(inputs)
    return dev is not None and dev.dtype is not None


def _of_composed(
    composed: Callable[..., tuple[Tensor, ...]],
    inputs: tuple[Any, ...],
    needed: tuple[bool, ...],
    grads: tuple[Any, ...],
) -> list[Any]:
    """The gradients as Tensors with a graph: those of the composed steps."""
    pairs = [(y, d) for y, d in zip(composed(*inputs), grads, strict=True) if d is not None]
    wanted = [x for x, is_needed in zip(inputs, needed, strict=True) if is_needed]
    outputs, seeds = zip(*pairs, strict=True)
    found = iter(grad(outputs, wanted, seeds, create_graph=True, allow_unused=True))
    return [next(found) if is_needed else None for is_needed in needed]
