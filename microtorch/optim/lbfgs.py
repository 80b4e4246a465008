"""L-BFGS: a quasi-Newton method for the whole data set at once.

The direction is -H g, where H, an estimate of the inverse Hessian, is not stored: the last
`history_size` changes of the parameters (s) and of the gradient (y) give the product in two loops
(Nocedal 1980). The length of the step is `lr`, or is searched for until the strong Wolfe
conditions hold (`line_search_fn="strong_wolfe"`): the loss has fallen enough (Armijo), and its
slope is small. One call of `step(closure)` makes up to `max_iter` such iterations. The conditions
to stop and the order of operations are PyTorch's, which follow Schmidt's minFunc.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, SupportsFloat, TypeAlias

from ..autograd import enable_grad, no_grad
from ..base.errors import message
from ..create.filled import zeros
from ..handles.tensor import Tensor
from ..ops.join import cat
from ..ops.surface import FUNCTIONS
from .optimizer import Closure, Optimizer, ParamsT
from .stepping import check_not_negative

Evaluate: TypeAlias = Callable[[Any], tuple[float, Tensor]]  # step t to loss and gradient there


def _number(loss: SupportsFloat) -> float:
    """The loss without its graph, which the closure has gone through."""
    return float(loss.item() if isinstance(loss, Tensor) else loss)


class LBFGS(Optimizer):
    """See the module. One parameter group only; `step` needs a closure.

    `lr` 1, `max_iter` 20, `max_eval` (of the loss, per step) max_iter * 5 // 4, `tolerance_grad`
    1e-7, `tolerance_change` 1e-9, `history_size` 100.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_not_negative(lr=lr)
        defaults = {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError(
                message(
                    "LBFGS doesn't support per-parameter options (parameter groups)",
                    fix="one list of parameters",
                )
            )

    @property
    def _params(self) -> list[Tensor]:
        return self._all_params()

    def step(self, closure: Closure | None = None) -> Tensor | float | None:
        """Iterate; `closure` clears the gradients, computes the loss, calls backward, returns it.

        Returns the loss before the first iteration.
        """
        if closure is None:
            raise TypeError(
                message(
                    "LBFGS.step() missing 1 required positional argument: 'closure'",
                    fix="a function that calls zero_grad() and backward(), and returns the loss",
                )
            )
        if len(self.param_groups) != 1:
            got = len(self.param_groups)
            raise AssertionError(message(f"Expected exactly one param_group, but got {got}"))
        group = self.param_groups[0]
        search, most = group["line_search_fn"], group["max_eval"]
        smallest = group["tolerance_change"]
        if search not in (None, "strong_wolfe"):
            raise RuntimeError(message("only 'strong_wolfe' is supported", f"got {search!r}"))

        def loss_and_gradient() -> tuple[Any, Tensor]:
            with enable_grad():
                loss = closure()
            return loss, self._gradient()

        # the state of all stands with the first parameter, as in PyTorch
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with no_grad():
            first, g = loss_and_gradient()
            loss, evaluations = _number(first), 1
            state["func_evals"] += 1
            if float(g.abs().max()) <= group["tolerance_grad"]:
                return first
            lr = group["lr"].item() if isinstance(group["lr"], Tensor) else group["lr"]
            for iteration in range(1, group["max_iter"] + 1):
                state["n_iter"] += 1
                if state["n_iter"] == 1:
                    state.update(d=-g, t=lr, old_dirs=[], old_stps=[], ro=[], H_diag=1)
                else:
                    remember(state, g, group["history_size"])
                    state["d"] = direction(state, g, group["history_size"])
                d = state["d"]
                state["prev_flat_grad"], state["prev_loss"] = g.clone(), loss
                t: Any = min(1.0, 1.0 / g.abs().sum()) * lr if state["n_iter"] == 1 else lr
                slope = g.dot(d)
                state["t"] = t
                if slope > -smallest:
                    break
                calls = 0
                if search:
                    start = [p.detach().clone() for p in self._params]

                    def at(t: Any, start: list[Tensor] = start, d: Tensor = d) -> Any:
                        self._move(t, d)
                        loss, g = loss_and_gradient()
                        for p, value in zip(self._params, start, strict=True):
                            p.copy_(value)
                        return _number(loss), g

                    here = Point(0, loss, g, slope)
                    found, calls = strong_wolfe(at, here, t, d, most - evaluations)
                    t, loss, g = found.t, found.loss, found.g
                    state["t"] = t
                    self._move(t, d)
                else:
                    self._move(t, d)
                    if iteration != group["max_iter"]:
                        now, g = loss_and_gradient()
                        loss, calls = _number(now), 1
                evaluations += calls
                state["func_evals"] += calls
                if (
                    evaluations >= most
                    or float(g.abs().max()) <= group["tolerance_grad"]
                    or float((d * t).abs().max()) <= smallest
                    or abs(loss - state["prev_loss"]) < smallest
                ):
                    break
        return first

    def _gradient(self) -> Tensor:
        """All gradients in one vector, 0 where there is none."""
        return cat(
            [
                zeros(parts(p).numel(), dtype=parts(p).dtype, device=p.device)
                if p.grad is None
                else parts(p.grad.detach()).reshape(-1)
                for p in self._params
            ]
        )

    def _move(self, t: Any, d: Tensor) -> None:
        """p + t d, in place."""
        start = 0
        for p in map(parts, self._params):
            end = start + p.numel()
            p.add_(d[start:end].reshape(p.shape), alpha=float(t))
            start = end


def parts(p: Tensor) -> Tensor:
    """A view of complex numbers as real ones, which is what the method is about."""
    return FUNCTIONS["view_as_real"](p) if p.is_complex() else p


def remember(state: dict[str, Any], g: Tensor, history_size: int) -> None:
    """Add the last step to the history, where the curvature along it is positive."""
    y = g - state["prev_flat_grad"]
    s = state["d"] * state["t"]
    ys = y.dot(s)
    if ys > 1e-10:
        history = (state["old_dirs"], state["old_stps"], state["ro"])
        for column, new in zip(history, (y, s, 1.0 / ys), strict=True):
            if len(column) == history_size:
                column.pop(0)
            column.append(new)
        state["H_diag"] = ys / y.dot(y)


def direction(state: dict[str, Any], g: Tensor, history_size: int) -> Tensor:
    """-H g by the two-loop recursion."""
    history = list(zip(state["old_dirs"], state["old_stps"], state["ro"], strict=True))
    weights = state.setdefault("al", [None] * history_size)  # of this call: as long as PyTorch's
    r = -g
    for i, (y, s, ro) in reversed(list(enumerate(history))):
        weights[i] = s.dot(r) * ro
        r.add_(y, alpha=-float(weights[i]))
    r.mul_(state["H_diag"])
    for i, (y, s, ro) in enumerate(history):
        r.add_(s, alpha=float(weights[i]) - float(y.dot(r) * ro))
    return r


# ---------------------------------------------------------------- line search


class Point(NamedTuple):
    """A step t along the direction: the loss there, the gradient, and the slope d·g.

    t and the slope may be 0-d tensors: near a minimum the dtype's own rounding decides when the
    search is content, and with exact numbers it would go on looking for what float32 cannot show.
    """

    t: Any
    loss: float
    g: Tensor
    slope: Any


def cubic_minimum(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through two points with these slopes is least, within the bounds."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square >= 0:
        d2 = square.sqrt()
        if a.t > b.t:
            a, b = b, a
        t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
        if t == t:  # not nan
            return min(max(t, low), high)
    return (low + high) / 2.0


def strong_wolfe(
    at: Evaluate,
    start: Point,
    t: Any,
    d: Tensor,
    max_ls: int,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
) -> tuple[Point, int]:
    """A step that satisfies the strong Wolfe conditions, and how often `at` was called.

    First the step grows until an interval holds such a point, then the interval shrinks (Nocedal
    and Wright 2006, algorithms 3.5 and 3.6).
    """

    def point(t: Any) -> Point:
        loss, g = at(t)
        return Point(t, loss, g.clone(), g.dot(d))

    def too_high(x: Point) -> bool:
        return bool(x.loss > start.loss + c1 * x.t * start.slope)

    def flat(x: Point) -> bool:
        return bool(abs(x.slope) <= -c2 * start.slope)

    width = float(d.abs().max())
    before, new, calls = start, point(t), 1
    tries = 0
    while tries < max_ls:
        if too_high(new) or (tries > 1 and new.loss >= before.loss):
            ends = [before, new]
            break
        if flat(new):
            return new, calls
        if new.slope >= 0:
            ends = [before, new]
            break
        further = (new.t + 0.01 * (new.t - before.t), new.t * 10)
        before, new = new, point(cubic_minimum(before, new, further))
        calls += 1
        tries += 1
    else:
        ends = [start, new]
    low, high = (0, 1) if ends[0].loss <= ends[1].loss else (1, 0)
    stuck = False
    while tries < max_ls:
        left, right = sorted(end.t for end in ends)
        if (right - left) * width < tolerance_change:
            break
        t = cubic_minimum(ends[0], ends[1])
        # Too near an end twice, or on it: a tenth of the way in from that end.
        margin = 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stuck or t >= right or t <= left):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            stuck = False
        else:
            stuck = near
        new = point(t)
        calls += 1
        tries += 1
        if too_high(new) or new.loss >= ends[low].loss:
            ends[high] = new
            low, high = (0, 1) if ends[0].loss <= ends[1].loss else (1, 0)
            continue
        if flat(new):
            return new, calls
        if new.slope * (ends[high].t - ends[low].t) >= 0:
            ends[high] = ends[low]
        ends[low] = new
    return ends[low], calls
