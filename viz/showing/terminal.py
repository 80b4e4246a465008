"""The stepper in a terminal: values on the left going down, gradients on the right coming up.

``frame`` is a pure function of the trace and a step, so it is tested against golden text; ``run``
is a small loop around it that reads keys. Where nobody can press a key (a pipe, a file), ``run``
prints every frame. ``rich`` measures and colours; it honours NO_COLOR.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..reading import numbers
from ..reading.loops import loop, opening
from ..reading.trace import Contribution, Push, Step, Trace, TraceNode

if TYPE_CHECKING:
    from rich.text import Text
from ..telling.differences import DERIVATIVE, MEANT
from ..telling.pushing import over
from ..telling.words import cut, display_names, expression, partial, printable

Held: TypeAlias = dict[int, complex | str]  # the gradients collected so far: numbers, or |rms|
KEYS = "←/→ step   b backward   q quiz   g users of {name}   c in C   / find"
QUIT = "   x quit"  # said on every screen, whatever else is
QUIET, ACTIVE, GRADIENT, GOOD, BAD = "bright_black", "bold", "dark_orange3", "green", "red"


def frame(
    trace: Trace, step: int, width: int = 80, height: int = 24, color: bool = False, note: str = ""
) -> str:
    """The screen at a step (0 is the first). ``note`` stands in place of most keys."""
    from rich.text import Text

    names = display_names(trace)
    now = trace.steps[step]
    lines = [_header(trace, step, width)]
    left = max(20, min(50, width * 5 // 8 - 2))
    values, held = _state(trace, step)
    rows = [t for t in trace.nodes if t.role != "constant"]
    back = f"TANGENTS ↓: ∂/∂{trace.over}" if trace.over else "BACKWARD: gradients ↑"
    head = Text(" #  FORWARD: values ↓".ljust(left), QUIET) + Text(f"│ {back}", QUIET)
    lines += [head, Text("─" * left + "┼" + "─" * (width - left - 1), QUIET)]
    told = isinstance(now, (Contribution, Push))
    below = _explanation(now, width, whole=height > min(20, len(rows) + len(lines) + 5))
    space = max(3, height - len(lines) - max(len(below), 2 + told) - 1)
    at = next(k for k, t in enumerate(rows) if t.id == now.node)
    first = max(0, min(at - space // 2, len(rows) - space))
    for k, t in enumerate(rows[first : first + space], first):
        seen = t.id in values or t.role == "average"
        mark = "▶" if t.id == now.node else "·" if t.id == now.origin else " "
        text = (
            f"{mark}{k + 1:>2}  {names[t.id]} = {expression(trace, t.id, names)}"
            if t.op
            else (f"{mark}{k + 1:>2}  {names[t.id]}  {t.role}")
        )
        value = _value(t) if seen else "?"
        forward = Text(_fit(text, left - len(value) - 2) + " " + value + " ", "" if seen else QUIET)
        if t.id == now.node and now.phase == "forward":
            forward.stylize(ACTIVE)
        backward = _gradient(trace, names, t.id, held, now, width - left - 2)
        lines.append(forward + Text("│ ", QUIET) + Text(backward, _look(t.id, now, held)))
    lines += below
    lines.append(Text(_cut(note or _keys(trace, now), width - len(QUIT)) + QUIT, QUIET))
    return _print(lines, width, color)


def _keys(trace: Trace, now: Step) -> str:
    """What can be pressed; forward mode has no backward, and asks nothing."""
    text = KEYS.format(name=now.name)
    return text.replace("b backward   q quiz   ", "") if trace.mode == "forward" else text


def _header(trace: Trace, step: int, width: int) -> Text:
    from rich.text import Text

    now = trace.steps[step]
    site = trace.nodes[now.origin].site
    where = "" if site is None else f"{os.path.basename(site.file)}:{site.line}"
    code = trace.line(site)
    phase = now.phase.upper()
    text = Text(f" step {step + 1}/{len(trace.steps)}  ")
    text.append(phase, f"bold {GRADIENT}" if phase == "BACKWARD" else "bold")
    text.append(
        "   " + _cut(f"{where}   {code}" if code else where, max(0, width - len(text.plain) - 4))
    )
    return text


def _state(trace: Trace, step: int) -> tuple[set[int], Held]:
    """The nodes whose values exist at a step, and the gradients collected so far."""
    values: set[int] = set()
    held: Held = {}
    for s in trace.steps[: step + 1]:
        if isinstance(s, Contribution):
            size = numbers.rms(s.total.rms if s.total else None)
            held[s.node] = size if s.new is None else s.new
        elif isinstance(s, Push):
            values.add(s.node)
            size = numbers.rms(s.array.rms if s.array else None)
            held[s.node] = size if s.contribution is None else s.contribution
        elif s.left is not None:
            size = numbers.rms(s.left.rms)
            held[s.node] = size if s.left.number is None else s.left.number
        elif s.kind == "seed":
            held[s.node] = 1.0
        else:
            values.add(s.node)
    return values, held


def _value(t: TraceNode) -> str:
    if t.role == "average":
        return numbers.shape(t.shape) if t.shape else ""
    if t.value is None:
        return "freed"
    return t.size if t.number is None else numbers.number(t.number)


def _gradient(trace: Trace, names: list[str], i: int, held: Held, now: Step, room: int) -> str:
    if not trace.nodes[i].needs:
        return ""
    average = trace.nodes[i].role == "average"
    left = "mean of all ranks" if average else partial(names, trace.top(i), i)
    if trace.mode == "forward":
        left = over(trace, names, i)
    if isinstance(now, Contribution) and now.node == i:
        right = now.sum
    else:
        g = held.get(i)
        right = numbers.MISSING if g is None else g if isinstance(g, str) else numbers.number(g)
    gap = room - len(left) - len(right)
    return f"{left}{' ' * gap}{right}" if gap >= 1 else _cut(right, room).rjust(room)


def _look(i: int, now: Step, held: Held) -> str:
    if (now.phase == "backward" or isinstance(now, Push)) and now.node == i:
        return f"bold {GRADIENT}"
    return GRADIENT if i in held else QUIET


def _explanation(now: Step, width: int, whole: bool) -> list[Text]:
    """One line of mathematics with its check, and a remark.

    A line that is too long goes on below, from a "=" on: its end, the result, is never cut off. Not
    so on a screen of few lines (not ``whole``).
    """
    from rich.text import Text

    if not isinstance(now, (Contribution, Push)):
        seed = f"{now.text}: backward starts where forward ended"
        told = {"seed": seed, "leaf": "given by the program", "left": now.text}
        text = told.get(now.kind) or f"{now.name} = {now.text}"
        return [Text(" "), Text(_cut(" " + text, width))]
    total = now.sum.rpartition(" = ")[2]
    in_numbers = now.numbers.removeprefix("+= ").removeprefix("= ")
    rule = [f" {now.rule}"]
    if in_numbers and in_numbers != total:
        rule.append(f" = {in_numbers}")
    if now.contribution is not None and not rule[-1].endswith(f"= {total}"):
        rule.append(f" = {numbers.number(now.contribution)}")
    parts = [""]
    for piece in rule:
        if parts[-1] and len(parts[-1]) + len(piece) > width and whole:
            parts.append("  ")
        parts[-1] += piece
    lines = [Text(" "), *(Text(_cut(part, width)) for part in parts)]
    line, check = lines[-1], now.check
    if check is not None and (isinstance(now, Push) or now.final):
        meant = check.what.startswith(MEANT)
        sign = "≠ meant so" if meant else "✓" if check.ok else "✗"
        what = "" if check.what == DERIVATIVE or meant else f", {check.what},"
        words = f" finite difference{what} {numbers.exact(check.finite)} {sign}"
        look = GOOD if check.ok else BAD
        if len(line.plain) + len(words) + 3 <= width:
            line.append(words.rjust(width - len(line.plain)), look)
        else:
            lines.append(Text(_cut(words, width), look))
    if now.remark:
        lines.append(Text(_cut(" " + now.remark, width), QUIET))
    return lines


def _fit(s: str, n: int) -> str:
    return _cut(s, n).ljust(n)


def _cut(s: str, n: int) -> str:
    return cut(printable(s), n)


def _print(lines: list[Text], width: int, color: bool) -> str:
    import io

    from rich.console import Console

    out = io.StringIO()
    system: Literal["truecolor"] | None = "truecolor" if color else None
    console = Console(
        file=out,
        width=width,
        color_system=system,
        force_terminal=color,
        highlight=False,
        legacy_windows=False,
    )
    for line in lines:
        line.rstrip()
        console.print(line, overflow="crop", no_wrap=True, markup=False, emoji=False)
    return out.getvalue().rstrip("\n")


def frames(trace: Trace, width: int = 80, height: int = 24, color: bool = False) -> Iterator[str]:
    """All screens, first to last."""
    for step in range(len(trace.steps)):
        yield frame(trace, step, width, height, color)


# ---- keys ----------------------------------------------------------------------------------------
def has_keys() -> bool:
    """Is there a terminal, with keys and with a screen that can be cleared?"""
    dumb = os.environ.get("TERM") == "dumb"
    return not dumb and sys.stdin.isatty() and sys.stdout.isatty()


def run(trace: Trace) -> None:
    """Step by keys on a terminal; print all frames where there is none."""
    if not has_keys():
        print(("\n" + "─" * 80 + "\n").join(frames(trace)))
        return
    with raw_keys() as key:
        _loop(trace, key)


def _loop(trace: Trace, key: Callable[[], str]) -> None:
    color = not os.environ.get("NO_COLOR")
    last = len(trace.steps) - 1
    start = next((k for k, s in enumerate(trace.steps) if s.phase == "backward"), last)
    at, note = 0, ""
    while True:
        size = os.get_terminal_size()
        screen = frame(trace, at, min(size.columns, 100), max(8, size.lines - 1), color, note)
        sys.stdout.write("\x1b[2J\x1b[H" + screen.replace("\n", "\r\n"))
        sys.stdout.flush()
        note = ""
        pressed = key()
        if pressed in ("x", "\x03", "\x04", ""):
            sys.stdout.write("\r\n")
            return
        if pressed in ("right", " ", "l", "\r", "pagedown"):
            at = min(last, at + 1)
        elif pressed in ("left", "h", "pageup"):
            at = max(0, at - 1)
        elif pressed == "home":
            at = 0
        elif pressed == "end":
            at = last
        elif pressed == "b":
            at = start
        elif pressed == "g":
            note = users(trace, trace.steps[at].node)
        elif pressed == "c":
            note = _read(*loop(trace, trace.steps[at]), key)
        elif pressed == "q":
            at, note = _quiz(trace, at, key)
        elif pressed == "/":
            at, note = _find(trace, at, _ask("find: ", key))
        else:
            note = "Home/End   " + _keys(trace, trace.steps[at])


def users(trace: Trace, i: int) -> str:
    """Which values are computed from node i."""
    names = display_names(trace)
    found = [
        f"{names[t.id]} = {expression(trace, t.id, names)}" for t in trace.nodes if i in t.inputs
    ]
    return (
        f"{names[i]} is used by: {'; '.join(found)}"
        if found
        else f"nothing is computed from {names[i]}"
    )


def _read(said: str, text: str, key: Callable[[], str]) -> str:
    """Show a text by screens, first the one with the loop; returns ``said``.

    → and space go on, ← goes back, to what stands above; any other key and the end leave.
    """
    size, lines = os.get_terminal_size(), text.splitlines()
    height, first = max(2, size.lines - 2), opening(text)
    while first < len(lines):
        screen = [_cut(line, size.columns - 1) for line in lines[first : first + height]]
        end = "→ on" if first + height < len(lines) else "any key: back"
        end += "   ← above" if first else ""
        sys.stdout.write(
            "\x1b[2J\x1b[H" + "\r\n".join([*screen, _cut(f"{said}   {end}", size.columns - 1)])
        )
        sys.stdout.flush()
        pressed = key()
        if pressed in ("left", "pageup"):
            first = max(0, first - height)
        elif pressed in ("right", " ", "\r", "pagedown"):
            first += height
        else:
            break
    return said


def answer(given: str) -> float | None:
    """A number as a student types it: ``0.5``, ``1/2``, ``−3``; None if it is none."""
    top, slash, bottom = given.strip().replace("−", "-").replace(",", ".").partition("/")
    try:
        return float(top) / float(bottom) if slash else float(top)
    except (ValueError, ZeroDivisionError):
        return None


def _quiz(trace: Trace, at: int, key: Callable[[], str]) -> tuple[int, str]:
    """Ask for the next contribution that is a number, and show it."""
    for ahead, step in enumerate(trace.steps[at + 1 :], at + 1):
        if not isinstance(step, Contribution) or step.contribution is None:
            continue
        given = _ask(f"{step.text}: {step.chain.partition(' += ')[2]} = ", key)
        if not given:
            return at, ""
        guess = answer(given)
        true = step.contribution
        if guess is None:
            return at, "type a number such as 0.5 or 1/2"
        word = "right" if abs(guess - true) <= max(1e-3, 0.01 * abs(true)) else "not quite"
        return ahead, f"{word}: {step.name} receives {numbers.number(true)}"
    return at, "no contribution is left to predict"


def _find(trace: Trace, at: int, word: str) -> tuple[int, str]:
    for k in [*range(at + 1, len(trace.steps)), *range(at + 1)]:
        if word and word in trace.steps[k].name:
            return k, ""
    return at, f"no name contains {word!r}"


def _ask(prompt: str, key: Callable[[], str]) -> str:
    """A line of text; nothing if the question is left."""
    text, hint = "", "   (Esc: back)"
    while True:
        room = os.get_terminal_size().columns - len(text) - len(hint) - 1
        sys.stdout.write(f"\r\x1b[2K{_cut(prompt, room)}{text}{hint}\x1b[{len(hint)}D")
        sys.stdout.flush()
        pressed = key()
        if pressed in ("\r", "\n"):
            return text
        if pressed in ("\x1b", "\x03", ""):
            return ""
        text = (
            text[:-1]
            if pressed in ("\x7f", "\b")
            else text + pressed
            if len(pressed) == 1
            else text
        )


SEQUENCES = {
    "\x1b[C": "right", "\x1b[D": "left", "\x1bOC": "right", "\x1bOD": "left",
    "\x1b[H": "home", "\x1b[F": "end",
    "\x1b[1~": "home", "\x1b[4~": "end", "\x1b[5~": "pageup", "\x1b[6~": "pagedown",
    "\x1b[A": "left", "\x1b[B": "right",
}  # fmt: skip


@contextmanager
def raw_keys() -> Iterator[Callable[[], str]]:
    """A function that waits for one key; the terminal is as before afterwards."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        import msvcrt

        getwch = vars(msvcrt)["getwch"]  # mypy looks at the module of its own system

        def windows_key() -> str:
            c = str(getwch())
            if c not in ("\x00", "\xe0"):
                return c
            special = {
                "M": "right",
                "K": "left",
                "G": "home",
                "O": "end",
                "I": "pageup",
                "Q": "pagedown",
            }
            return special.get(str(getwch()), "?")

        yield windows_key
        return
    import select

    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def key() -> str:
        try:
            c = os.read(fd, 1).decode(errors="replace")
        except KeyboardInterrupt:  # a signal from outside; the key itself comes as \x03
            return "\x03"
        while (
            c.startswith("\x1b")
            and c not in SEQUENCES
            and len(c) < 5
            and select.select([fd], [], [], 0.05)[0]
        ):
            c += os.read(fd, 1).decode(errors="replace")
        return SEQUENCES.get(c, c)

    try:
        tty.setraw(fd)
        yield key
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
