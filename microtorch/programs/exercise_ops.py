"""A pupil's op and its backward beside the engine's, or beside finite differences."""
from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

import microtorch as torch
from microtorch import Tensor, nn

from .exercise_answers import Answer, Function, Wrong, near, raised, shown
from .exercise_slips import ARRIVES, slip

Inputs: TypeAlias = "tuple[Tensor | float, ...]"
# contributions of a pupil, the right ones, and the gradient that arrived
Sample: TypeAlias = "tuple[Sequence[object], Sequence[object], object]"
STEP = 1e-6  # of a finite difference


def check_vjp(name: str, vjp: Function, given: Mapping[str, object]) -> Answer:
    """``f`` and ``f_backward``."""
    answer = Answer(f"{name}_backward(g, out, ...)")
    own, engine = given.get(name), _engine(name)
    forward = own if callable(own) else engine
    if forward is None:
        what = f"there is no function {name}, here or in the engine"
        answer.wrong = Wrong(f"{name}_backward", what, f"define {name}(...) in the same file")
        return answer
    names = _parameters(vjp)[2:] or _parameters(forward)
    samples = _samples(name, forward, given, len(names))
    for inputs in samples:
        program = _call(name, inputs)
        try:
            out = forward(*inputs)
            known = _tried(engine, inputs) if callable(own) else None
            if known is not None:
                wrong = _difference(known, out)
                if wrong:
                    hint = f"this is the value of {name} itself: backward comes after it. The "
                    hint += "engine has a function of that name; another one needs another name"
                    answer.wrong = Wrong(program, f"the value {wrong}", hint)
                    return answer
            g = _seed(out)
            got = vjp(g, out, *inputs)
        except Exception as error:  # the pupil's
            answer.wrong = raised(program, error)
            return answer
        parts = got if isinstance(got, tuple) else (got,)
        wanted = _gradients(forward, inputs, g)
        problem = _contributions(
            program, names, parts, wanted, (name, inputs, out, g), forward,
            [made for other in samples if (made := _again(forward, vjp, other)) is not None],
        )  # fmt: skip
        if problem is not None:
            answer.wrong = _pictured(problem, [engine, forward], name, names, inputs, g)
            return answer
        answer.right.append(program)
    return answer


def check_function(function: type[torch.autograd.Function], given: Mapping[str, object]) -> Answer:
    """A subclass of ``torch.autograd.Function``."""
    name = function.__name__
    answer = Answer(f"class {name}(torch.autograd.Function)")
    apply: Function = function.apply
    names = _parameters(function.forward)[1:]
    engine = _engine(name.lower())
    count = max(1, len(names))
    key = name if f"{name}_inputs" in given else name.lower()
    for inputs in _samples(key, apply, given, count):
        tensors = [_leaf(x) for x in inputs]
        program = _call(f"{name}.apply", inputs)
        try:
            out = apply(*tensors)
            if not isinstance(out, Tensor):
                answer.wrong = Wrong(program, f"forward returns {type(out).__name__}, no Tensor")
                return answer
            known = _tried(engine, inputs)
            wrong = _difference(known, out) if known is not None else ""
            if wrong:
                answer.wrong = Wrong(program, f"the value {wrong}")
                return answer
            g = _seed(out)
            out.backward(_tensor(g))
        except Exception as error:  # the pupil's
            answer.wrong = raised(program, error)
            return answer
        wanted = _finite(lambda *x: apply(*[_tensor(v) for v in x]), inputs, g)
        names = names or ["x"]
        about = (name.lower(), inputs, out, g)
        grads = [t.grad for t in tensors]
        problem = _contributions(program, names, grads, wanted, about, engine or apply)
        if problem is not None:
            answer.wrong = _pictured(problem, [engine, apply], name, names, inputs, g)
            return answer
        answer.right.append(program)
    return answer


def _again(forward: Function, vjp: Function, inputs: Inputs) -> Sample | None:
    """What a pupil's rule gives for one sample beside what it should; None where it raises."""
    try:
        out = forward(*inputs)
        g = _seed(out)
        got = vjp(g, out, *inputs)
    except Exception:  # the pupil's
        return None
    return got if isinstance(got, tuple) else (got,), _gradients(forward, inputs, g), g


def _contributions(
    program: str, names: Sequence[str], parts: Sequence[object], wanted: Sequence[object],
    about: tuple[str, Inputs, object, object], forward: Function, samples: Sequence[Sample] = (),
) -> Wrong | None:  # fmt: skip
    if len(parts) != len(wanted):
        what = f"backward gives {len(parts)} contributions, and there are {len(wanted)} inputs"
        return Wrong(program, what, "return one for each input, in their order, as a tuple")
    name, inputs, out, g = about
    values = [_array(x) for x in inputs]
    for k, (part, want) in enumerate(zip(parts, wanted, strict=True)):
        wrong = _difference(want, 0.0 if part is None else part)
        if wrong:
            found = None if part is None else _array(part)
            hint = ""
            if found is not None and found.shape == _array(want).shape:
                hint = slip(name, k, values, _array(out), _array(g), found, names)
                hint = hint or _incomplete(forward, inputs, g, k, found)
            what = f"{names[k]}: its contribution {wrong}"
            yours = wrong.replace("should be", "not").replace(", and is", "; yours:")
            hint = hint or _hint(want, part, k, names, samples or [(parts, wanted, g)])
            return Wrong(program, what, hint, remarks={names[k]: yours})
    return None


def _incomplete(forward: Function, inputs: Inputs, g: object, k: int, got: np.ndarray) -> str:
    """Is it the contribution of a part of the result, as if the others had been written over?"""
    whole = _array(g)

    def of(seed: np.ndarray) -> np.ndarray:
        made = torch.tensor(seed) if isinstance(g, Tensor) else float(seed)
        return _array(_gradients(forward, inputs, made)[k])

    for d, n in enumerate(whole.shape):
        for place in (n - 1, 0) if n > 1 else ():
            one = np.where(np.arange(n) == place, 1.0, 0.0)
            one = one.reshape([-1 if e == d else 1 for e in range(whole.ndim)])
            if np.allclose(of(whole * one), got, rtol=1e-5):
                return (
                    f"only what result[{', '.join([':'] * d + [str(place)])}] gives is there: "
                    "contributions add up, so write += and not ="
                )
    places, parts = list(np.ndindex(whole.shape)) if 1 < whole.size <= 64 else [], []
    for e in places:
        seed = np.zeros_like(whole)
        seed[e] = whole[e]
        parts.append(of(seed))
    if whole.shape == got.shape and parts:
        own = np.array([part[e] for part, e in zip(parts, places, strict=True)])
        if np.allclose(own.reshape(whole.shape), got, rtol=1e-5):
            return (
                "each element of the result depends on several of the input, and yours has only "
                "its own: add up what comes from all results that read it"
            )
    alone = [(part != 0) & np.isclose(part, got, rtol=1e-5) for part in parts]
    if parts and (np.any(alone, axis=0) | np.isclose(sum(parts), got, rtol=1e-5)).all():
        return (
            "each element has what one element of the result gives: contributions add up, so "
            "write += and not ="
        )
    return ""


def _pictured(
    wrong: Wrong, functions: Sequence[Function | None], name: str, names: Sequence[str],
    inputs: Inputs, g: object,
) -> Wrong:  # fmt: skip
    """With the graph in which it went wrong, if the function runs on the engine's tensors."""
    for function in functions:
        leaves = [_leaf(x) for x in inputs]
        out = None if function is None else _tried(function, leaves)
        if isinstance(out, Tensor) and out.requires_grad:
            seed = _tensor(g).reshape(out.shape)
            root = (out * seed).sum()
            own = dict(zip(names, leaves, strict=False))
            wrong.names = own | {name: out, "g": seed, "L": root}
            wrong.root = root
            break
    return wrong


def _tried(function: Function | None, inputs: Sequence[object]) -> object:
    """What a function gives; None where it takes other arguments than these."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of math.tanh(x), which ends the graph
            return None if function is None else function(*inputs)
    except Exception:
        return None


def _hint(
    want: object, part: object, k: int, names: Sequence[str], samples: Sequence[Sample]
) -> str:
    """What usually makes such a contribution of the input ``k`` out of the right one, if it does
    so in all ``samples``.
    """
    a, b = _array(want), _array(0.0 if part is None else part)
    if part is not None and a.shape != b.shape:
        if b.ndim == 2 and a.shape == b.T.shape:
            return "the shape is that of the transpose: exchange the factors, or use .T"
        if b.size > a.size:
            return "this input was broadcast: sum its contribution over the copied dimensions"
        return "a contribution has the shape of its input"
    if b.any() and not a.any():
        return "nothing passes here: the derivative is 0"

    def all_of(rows: list[Sequence[object]], j: int) -> np.ndarray:
        """The numbers of input ``j``, of all samples."""
        found = [row[j] for row in rows if j < len(row)]
        return np.concatenate([_array(0.0 if v is None else v).ravel() for v in found])

    given, right = [sample[0] for sample in samples], [sample[1] for sample in samples]
    a, b = all_of(right, k), all_of(given, k)
    if not b.any():
        return "nothing arrives: is this input forgotten, or is g multiplied by 0?"
    if np.allclose(a, -b):
        return "the sign: a minus is missing, or there is one too many"
    for j in range(min(len(names), len(samples[0][1]))):
        other = all_of(right, j)
        if j != k and other.shape == b.shape and np.allclose(other, b):
            return f"this is what {names[j]} receives: return them in the order of the arguments"
    seeds = np.concatenate([_array(g).ravel() for *_, g in samples])
    if seeds.shape == b.shape and np.allclose(seeds, b):
        return f"g passes as it is: multiply it by the derivative by {names[k]}"
    if seeds.shape == b.shape and np.allclose(a, b * seeds):
        return ARRIVES
    with np.errstate(all="ignore"):
        ratio = a / b
    if ratio.size > 1 and np.allclose(ratio, ratio[0]):
        return f"all its numbers are off by the factor {ratio[0]:.4g}: is a factor, or g, missing?"
    return "the chain rule: g times the derivative of the op by this input, at the same values"


# ---- references ----------------------------------------------------------------------------------
def _engine(name: str) -> Function | None:
    """The engine's function of that name."""
    for place in (torch, nn.functional):
        found = getattr(place, name, None) if not name.startswith("_") else None
        if callable(found) and not isinstance(found, type):
            return lambda *x: found(*[v if isinstance(v, Tensor) else _tensor(v) for v in x])
    return None


def _gradients(forward: Function, inputs: Inputs, g: object) -> list[object]:
    """By the engine, where the function runs on its tensors; else by finite differences."""
    leaves = [_leaf(x) for x in inputs]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of math.tanh(x), which ends the graph
            out = forward(*leaves)
    except (TypeError, ValueError, AttributeError):
        out = None
    if not isinstance(out, Tensor) or not out.requires_grad or out.shape != _tensor(g).shape:
        return _finite(forward, inputs, g)
    found = torch.autograd.grad(out, leaves, _tensor(g), allow_unused=True)
    return [0.0 * t if d is None else d for d, t in zip(found, leaves, strict=True)]


def _finite(forward: Function, inputs: Inputs, g: object) -> list[object]:
    """(f(x + h) - f(x - h)) / 2h, times g, for each element of each input."""
    out: list[object] = []
    for k, x in enumerate(inputs):
        base = _array(x)
        d = np.zeros_like(base)
        for place in np.ndindex(base.shape):
            ends = []
            for h in (STEP, -STEP):
                moved = base.copy()
                moved[place] += h
                new = float(moved) if isinstance(x, float) else torch.tensor(moved)
                ends.append(_array(forward(*inputs[:k], new, *inputs[k + 1 :])))
            d[place] = np.sum((ends[0] - ends[1]) / (2 * STEP) * _array(g))
        out.append(d)
    return out


SHAPES: dict[str, list[tuple[int, ...]]] = {  # of the engine's functions that are no formulas
    "matmul": [(2, 3), (3, 4)], "mm": [(2, 3), (3, 4)], "dot": [(4,), (4,)], "linear": [(2, 3),
    (4, 3), (4,)], "conv1d": [(1, 2, 6), (3, 2, 3)], "conv2d": [(1, 2, 5, 5), (3, 2, 3, 3)],
    "mse_loss": [(4,), (4,)], "sum": [(2, 3)], "mean": [(2, 3)], "outer": [(2,), (3,)],
}  # fmt: skip


def _samples(
    name: str, forward: Function, given: Mapping[str, object], count: int
) -> list[Inputs]:
    """What to try a function on: the file's own inputs, or tensors, or numbers."""
    own = given.get(f"{name}_inputs")
    if own is not None:
        several = own if isinstance(own, (tuple, list)) else (own,)
        return [tuple(_tensor(x).double() if isinstance(x, Tensor) else float(x) for x in several)]
    rng = np.random.default_rng(0)
    if name in SHAPES:
        return [tuple(torch.tensor(rng.uniform(-1, 1, s)) for s in SHAPES[name])]
    rows = [(0.5, 1.25, 0.75, 2.0), (1.5, 0.25, 2.5, 0.5), (-0.75, -1.5, 0.5, -0.25)]
    tried: list[Inputs] = [tuple((row * 3)[:count]) for row in rows]
    try:
        forward(*tried[0])
    except Exception:  # it wants tensors
        sizes = [rng.uniform(0.25, 1.5, (2, 2, 3)) for _ in range(count)]
        signs = np.array([[[1, 1, 1], [1, 1, 1]], [[-1, 1, -1], [1, -1, 1]]])
        tried = [tuple(torch.tensor(x[k] * signs[k]) for x in sizes) for k in range(2)]
    return [*tried[:-1], *[x for x in tried[-1:] if _is_defined(forward, x)]]


def _is_defined(forward: Function, inputs: Inputs) -> bool:
    """Is it a finite number? The logarithm of a negative number is not."""
    try:
        return bool(np.isfinite(_array(forward(*inputs))).all())
    except Exception:
        return False


def _seed(out: object) -> Tensor | float:
    """A gradient of the result that is not 1, so that a forgotten ``g`` shows."""
    if not isinstance(out, Tensor):
        return 3.0 if np.ndim(_array(out)) == 0 else torch.tensor(_array(out) * 0 + 3.0)
    size = out.numel()
    return torch.linspace(1.0, 3.0, size, dtype=out.dtype).reshape(out.shape) if size > 1 else (
        torch.full(out.shape, 3.0, dtype=out.dtype)
    )


# ---- comparing ---------------------------------------------------------------------------------
def _difference(wanted: object, got: object) -> str:
    """What is said of the first number that differs; empty where none does."""
    try:
        a, b = _array(wanted), _array(got)
    except (TypeError, ValueError):
        return f"should be numbers, and is {type(got).__name__}"
    if a.shape != b.shape:
        return f"should have the shape {a.shape}, and has {b.shape}"
    for place in np.ndindex(a.shape):
        if not near(float(a[place]), float(b[place])):
            where = f"[{', '.join(map(str, place))}] " if place else ""
            return f"{where}should be {shown(a[place])}, and is {shown(b[place])}"
    return ""


def _call(name: str, inputs: Inputs) -> str:
    texts = [
        f"tensor of shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"{x:g}" for x in inputs
    ]
    return f"{name}({', '.join(texts)})"


def _parameters(f: Function) -> list[str]:
    try:
        return [
            p.name
            for p in inspect.signature(f).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return []


def _array(x: object) -> np.ndarray:
    return np.array(x.detach().numpy() if isinstance(x, Tensor) else x, dtype=np.float64)


def _tensor(x: object) -> Tensor:
    return x.detach() if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64)


def _leaf(x: object) -> Tensor:
    return _tensor(x).clone().requires_grad_()
