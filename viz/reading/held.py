"""The gradients that the user's values hold, and what they held before this backward.

``.grad`` may hold the gradient of this graph, of an older one, a sum of both, an average over
processes, or one that was clipped since; each is told from the others by computing it again.
"""

from __future__ import annotations

import numpy as np

from microtorch.backends import host
from microtorch.engine.gradient_hooks import Outputs
from microtorch.graph import Node
from microtorch.handles.tensor import Tensor
from microtorch.nn.parallel import DistributedDataParallel

from . import kinds
from .kinds import of_a_kind
from .measure import Computation, Data, Gradient, parted, whole
from .summary import summary
from .trace import Trace


def held(trace: Trace, found: Computation, wanted: bool) -> None:
    """The gradients that the user's values hold, and where backward ran, those that it forgot."""
    nodes = found.nodes
    own = [own_gradient(n) for n in nodes]
    leaves = [i for i, n in enumerate(nodes) if n.needs and n.op is None]
    root = nodes[-1]
    ran = root.freed if root.dev is not None else root.grad is not None
    seen = any(own[i] is not None for i in leaves)
    back = found.backward if (wanted or ran or seen) and not found.many else None
    if back is not None and not ran and not wanted and seen:
        # backward(retain_graph=True)? Or are these the gradients of an older loss?
        ran = all(_close(own[i], back.gradients.get(i)) for i in leaves)
    trace.backward = ran
    if wanted and back is not None and back.gradients:
        several = [m for m in parallel(nodes) if m.process_group.size() > 1]
        averaged = {p.node for m in several for p in m.reducer.params}  # see settle()
        kept = [None if n in averaged and ran else g for n, g in zip(nodes, own, strict=True)]
        found.left = _left(kept, back.gradients, ran)
    show = ran or wanted
    trace.note = back.reason if back is not None and show else ""
    for i, (t, n) in enumerate(zip(trace.nodes, nodes, strict=True)):
        if not n.needs:
            continue
        g: Gradient | None = None if wanted else own[i]
        if g is None and show and back is not None and not (ran and n.op is None and not wanted):
            g = back.gradients.get(i)
        if g is None and ran and i == trace.root and t.shape == []:
            g = 1.0  # the seed, also where nothing else can be found again
        t.grad = summary(whole(g, n) if parted(n) and g is not None else g)
        lost = show and trace.note and n.op is not None
        t.grad_state = "known" if t.grad is not None else "lost" if lost else "missing"
    if show and back is not None:
        for e in trace.edges:
            c, n = back.contributions.get((e.target, e.position)), nodes[e.source]
            e.contribution = summary(whole(c, n) if parted(n) and c is not None else c)


def parallel(nodes: list[Node]) -> list[DistributedDataParallel]:
    """The modules that average gradients, through which the values went."""
    scopes = dict.fromkeys(n.scope for n in nodes if n.scope is not None)
    found = dict.fromkeys(s.module() for scope in scopes for s in scope.path())
    return [m for m in found if isinstance(m, DistributedDataParallel)]


def settle(trace: Trace, averages: dict[int, np.ndarray]) -> None:
    """Where several processes average their gradients, ``.grad`` holds that average, by node."""
    found = trace.computation
    assert found is not None
    own = [own_gradient(n) for n in found.nodes]
    local = found.backward.gradients
    averages = {i: g for i, g in averages.items() if not _close(own[i], local.get(i))}
    if averages and not trace.backward:
        trace.backward = all(_close(own[i], g) for i, g in averages.items())
    found.left = _left(own, {**local, **averages}, trace.backward)


def _left(
    own: list[Data | None], gradients: dict[int, Gradient], ran: bool
) -> dict[int, Data]:
    """What ``.grad`` held before this backward, where that is not nothing.

    Where this one ``ran``, its own gradient is in ``.grad`` already. A multiple below 1 of it is
    not a sum: it was changed since, as clipping does.
    """
    out: dict[int, Data] = {}
    for i, g in enumerate(own):
        if g is None or (ran and isinstance(gradients.get(i), (Outputs, type(None)))):
            continue
        now = _exact(g)
        this = _exact(gradients[i]) if ran else np.zeros_like(now)
        if not (np.isfinite(now).all() and np.isfinite(this).all()):
            continue
        size, both = np.sum(abs(this) ** 2), np.sum(now * this.conj()).real
        clipped = bool(size) and np.allclose(now, this * both / size, 1e-4)
        if _close(now, this) or (clipped and both < size):
            continue
        rest = now - this
        out[i] = float(rest) if isinstance(g, float) else rest
    return out


def own_gradient(n: Node) -> Data | None:
    """The gradient that the user sees in ``.grad``."""
    g = n.grad
    if g is None or not isinstance(g, Tensor):
        return None if g is None else float(g)
    array = g.to_dense().array if g.is_sparse else g.array
    return kinds.gradient(n.dev, array, kinds.outside(n.value)) if of_a_kind(n.dev) else array


def _exact(x: Data | Gradient) -> np.ndarray:
    """A gradient on the host, in double precision."""
    a = np.asarray(host(x))
    return a.astype(complex if a.dtype.kind == "c" else float)


def _close(a: Data | None, b: Gradient | None) -> bool:
    if a is None or b is None or isinstance(b, dict):
        return False
    a, b = _exact(a), _exact(b)
    size = 1 + np.abs(b).max(initial=0)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=1e-6 * size))
