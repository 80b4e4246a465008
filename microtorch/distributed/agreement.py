"""Do all ranks mean the same collective? A check that TORCH_DISTRIBUTED_DEBUG=DETAIL switches on.

Before each collective every rank tells the group's first one what it is about to do; that one
compares, and answers all. So another order, shape or dtype ends with an error that says who and
what on every rank, and a rank that does not come is named after the group's timeout, where MPI
would wait for ever.
"""
from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..base.errors import message
from ..graph import here
from .group import DistError, ProcessGroup

if TYPE_CHECKING:
    from ..base.types import Argument

TELL, ANSWER, BRING, ALL = 32_001, 32_002, 32_003, 32_004  # MPI tags; up to 32,767 are promised
PAUSE = 0.0005  # seconds between two looks at the mail


def wanted() -> bool:
    return os.environ.get("TORCH_DISTRIBUTED_DEBUG", "").upper() == "DETAIL"


def check(group: ProcessGroup, operation: str, **facts: Any) -> None:
    """Compare ``operation`` and ``facts`` over the group. Raises DistError on all ranks."""
    group.asked += 1
    if group.alone or not wanted():
        return
    words = f"{operation}({', '.join(f'{k}={v}' for k, v in facts.items())})"
    _agree(group, (words, str(here())), group.timeout)


def _agree(group: ProcessGroup, told: tuple[str, str], timeout: timedelta) -> None:
    seconds = timeout.total_seconds()
    if group.rank() == 0:
        verdict = _compare(group, told, seconds)
        for r in range(1, group.size()):
            _post(group, verdict, r, ANSWER)
    else:
        _post(group, told, 0, TELL)
        arrived, verdict = _receive(group, 0, ANSWER, seconds + 5)
        if not arrived:
            verdict = _late(group, [0], told[0], seconds)
    if verdict:
        raise DistError(message(verdict))


def _compare(group: ProcessGroup, own: tuple[str, str], seconds: float) -> str:
    told, missing, end = {0: own}, [], time.monotonic() + seconds
    for r in range(1, group.size()):
        arrived, words = _receive(group, r, TELL, max(0.0, end - time.monotonic()))
        if arrived:
            told[r] = words
        else:
            missing.append(r)
    if missing:
        return _late(group, missing, own[0], seconds)
    if len({operation for operation, _ in told.values()}) == 1:
        return ""
    lines = [f"  rank {group.ranks[r]}: {what}   at {where}" for r, (what, where) in told.items()]
    return "\n".join(
        [f"collective {group.asked} of this group is not the same on all ranks:", *lines]
    )


def _late(group: ProcessGroup, missing: list[int], operation: str, seconds: float) -> str:
    names = ", ".join(str(group.ranks[r]) for r in missing)
    return (
        f"rank {names} did not come to collective {group.asked}, {operation}, within "
        f"{seconds:g} s"
    )


def _receive(group: ProcessGroup, source: int, tag: int, seconds: float) -> tuple[bool, Any]:
    end = time.monotonic() + seconds
    while not group.side.iprobe(source=source, tag=tag):
        if time.monotonic() > end:
            return False, ""
        time.sleep(PAUSE)
    return True, group.side.recv(source=source, tag=tag)


def _post(group: ProcessGroup, thing: Argument, to: int, tag: int) -> Argument:
    """Send without waiting; returns the request.

    A large message leaves only when it is received, and nothing takes it back (Open MPI ignores
    MPI_Cancel of a send). So it is kept until it has left: nobody waits for who does not come.
    """
    group.sending = [request for request in group.sending if not request.Test()]
    request = group.side.isend(thing, dest=to, tag=tag)
    group.sending.append(request)
    return request


def assembled(group: ProcessGroup, thing: Any, what: str, seconds: float) -> list[Any]:
    """The ranks' ``thing``, in their order, on every rank that calls this.

    Raises DistError after ``seconds`` where a rank does not call it, or has made another number of
    collectives; ``what`` says in the error what is called. A collective would wait for ever.

    Each message has the number of its call: collectives so far, and calls since the last of them.
    What is left of a call that was given up is older, and is skipped.
    """
    asked, calls = group.assembly
    call = group.assembly = (group.asked, calls + 1 if asked == group.asked else 1)
    if group.rank() == 0:
        return _collect(group, call, thing, what, seconds)
    _post(group, (call, True, thing), 0, BRING)
    end, number, answer = time.monotonic() + seconds + 1, (-1, 0), None
    while number != call:
        arrived, mail = _receive(group, 0, ALL, max(0.0, end - time.monotonic()))
        if not arrived:
            _post(group, (call, False, None), 0, BRING)
            raise DistError(message(_absent(group, [0], what, seconds)))
        number, answer = mail
    return _things(answer)


def _things(answer: Argument) -> list[Any]:
    if isinstance(answer, str):
        raise DistError(message(answer))
    things: list[Any] = answer
    return things


def _collect(
    group: ProcessGroup, call: tuple[int, int], thing: Argument, what: str, seconds: float
) -> list[Any]:
    found, end = {0: thing}, time.monotonic() + seconds
    for r in range(1, group.size()):
        here, brought = _brought(group, r, call, end)
        if here:
            found[r] = brought
    missing = [r for r in range(group.size()) if r not in found]
    answer = _absent(group, missing, what, seconds) if missing else list(found.values())
    requests = [_post(group, (call, answer), r, ALL) for r in found if r]
    end = time.monotonic() + seconds  # a rank that has given up meanwhile does not receive it
    while not all([request.Test() for request in requests]) and time.monotonic() < end:
        time.sleep(PAUSE)
    return _things(answer)


def _brought(group: ProcessGroup, r: int, call: tuple[int, int], end: float) -> tuple[bool, Any]:
    """Did rank ``r`` bring something to this call before ``end``, and wait? And what was it?"""
    here, thing, limit = False, None, end
    while True:
        arrived, mail = r in group.early, group.early.pop(r, None)
        if not arrived:
            arrived, mail = _receive(group, r, BRING, max(0.0, limit - time.monotonic()))
        if not arrived:
            return here, thing
        if mail[0] > call:  # it has not waited for this one
            group.early[r] = mail
            return False, None
        if mail[0] == call:
            (_, here, thing), limit = mail, 0.0  # is there more, that it has given up?


def _absent(group: ProcessGroup, missing: list[int], what: str, seconds: float) -> str:
    names = ", ".join(str(group.ranks[r]) for r in missing)
    return f"rank {names} did not come to {what} within {seconds:g} s, or not at the same step"


def check_now(group: ProcessGroup, timeout: timedelta | None = None) -> None:
    """A barrier that raises DistError naming the ranks that do not come within ``timeout``."""
    group.asked += 1
    if not group.alone:
        _agree(group, ("monitored_barrier()", str(here())), timeout or group.timeout)
