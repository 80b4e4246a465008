"""Attention in a graph: a softmax over the last dimension that weighs the rows of a product.

``(q @ k.T).softmax(-1) @ v`` in any spelling: the weights may pass a dropout or a reshape on their
way to the product. ``tokens``: what the rows and columns stand for, where the user says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from microtorch.base import errors

from .trace import Trace

Tokens: TypeAlias = "Sequence[str] | tuple[Sequence[str], Sequence[str]] | None"
ON_THE_WAY = frozenset("mul reshape where expand unsqueeze squeeze clone".split())


def find(trace: Trace) -> dict[int, list[int]]:
    """The nodes of weights, and the products that read each."""
    users: dict[int, list[int]] = {}
    for e in trace.edges:
        if e.position == 0 or trace.nodes[e.target].op in ON_THE_WAY:
            users.setdefault(e.source, []).append(e.target)
    out = {}
    for t in trace.nodes:
        last = str(len(t.shape) - 1)
        if t.op != "softmax" or len(t.shape) < 2 or t.attrs.get("dim") not in (last, "-1"):
            continue
        reads, waiting = [], [t.id]
        while waiting:
            for j in users.get(waiting.pop(), ()):
                if trace.nodes[j].op == "matmul":
                    reads.append(j)
                elif trace.nodes[j].op in ON_THE_WAY:
                    waiting.append(j)
        if reads:
            out[t.id] = sorted(set(reads))
    return out


def names_of(trace: Trace, tokens: Tokens) -> list[list[str]]:
    """``tokens`` as names of rows and of columns. Raises TypeError for what is no list of names,
    ValueError where no attention of the graph has so many rows and columns.
    """
    if tokens is None:
        return []
    both = isinstance(tokens, tuple) and all(isinstance(t, (list, tuple)) for t in tokens)
    given: Any = tokens if both else (tokens, tokens)
    lists = all(isinstance(t, (list, tuple)) for t in given)
    pair: list[list[str]] = [list(t) for t in given] if lists else []
    if (
        len(pair) != 2
        or not all(isinstance(name, str) for part in pair for name in part)
    ):
        what = "tokens is a list of names, or a tuple of two: those of the rows and of the columns"
        raise TypeError(errors.message(what, fix="tokens=text.split()"))
    shapes = [trace.nodes[i].shape[-2:] for i in find(trace)]
    if [len(part) for part in pair] not in shapes:
        sizes = ", ".join(f"{n}×{m}" for n, m in shapes) or "none"
        what = f"tokens names {len(pair[0])} rows and {len(pair[1])} columns, but the weights of "
        raise ValueError(errors.message(f"{what}attention in this graph are {sizes}"))
    return pair
