"""The tour: ``microtorch demo`` at a terminal, or with --tour. Three chapters, one key at a time.

1. One neuron, stepped forward and backward number by number. 2. A small network: the same rules on
tensors, one product opened into its numbers, gradients that fade with depth. 3. Reading handwritten
digits: the same again, on real data.

In a terminal it waits for a key between the parts; elsewhere it prints everything and ends.
"""
from __future__ import annotations

import sys

import microtorch as torch
from microtorch import nn

from . import demo


def chapter_one() -> None:
    """One neuron: values go right, gradients come back."""
    from microtorch import viz

    o = demo.neuron()
    say(
        "1  ONE NEURON",
        "n = x1·w1 + x2·w2 + b,  o = tanh(n)",
        "Which way does each number move o, and how strongly?",
    )
    print(viz.trace(o))
    say(
        "",
        "Read it downwards for the values, upwards for the gradients.",
        "Now the same, one step at a time: x ends it.",
    )
    wait()
    if interactive():
        viz.step(o).run()
    print(viz.check(o))
    say("", "Every gradient agrees with the quotient (f(x + h) − f(x − h)) / 2h.")


def chapter_two() -> None:
    """The same on tensors: a network, one cell of its matrix product, and depth."""
    from microtorch import viz

    torch.manual_seed(0)
    x = torch.tensor([[1.0, 0.5], [-1.0, 2.0]])
    w = torch.tensor([[0.3, -0.8, 0.1], [0.9, 0.2, -0.5]], requires_grad=True)
    h = x @ w
    loss = h.tanh().pow(2).mean()
    say(
        "2  A NETWORK",
        "A product of matrices is many small sums. One cell of h = x @ w, forward and backward:",
    )
    print(viz.expand(h, (1, 2), loss=loss))
    wait()
    depth = [layer for _ in range(8) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    net = nn.Sequential(*depth, nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    data = torch.randn(16, 8)
    with viz.record(net) as rec:
        for _ in range(20):
            fit = (net(data) - 1).pow(2).mean()
            optimizer.zero_grad()
            fit.backward()
            optimizer.step()
    say(
        "",
        "Eight sigmoid layers, twenty steps. The gradient of each layer, then of each parameter:",
        "it fades towards the input.",
    )
    print(rec)


def chapter_three(epochs: int) -> None:
    """The digits."""
    n = len(demo.load(train=True)[0])
    say(
        "3  READING DIGITS",
        f"The same chain rule, on {n:,} images.",
        "The right column is about images that the network has never been shown.",
    )
    print("epoch    loss   read right: learnt   held out")

    def after_epoch(epoch: int, loss: float, learnt: float, unseen: float) -> None:
        demo.print_epoch(epoch, epochs, loss, learnt, unseen)

    with demo.progress(epochs * -(-n // 32)) as after_batch:
        model = demo.train(epochs, after_batch, after_epoch)
    print()
    demo.show_digits(model)


def give(epochs: int) -> int:
    """All chapters. Returns the exit status; Ctrl-C ends the tour in peace."""
    demo.any_terminal()
    try:
        chapter_one()
        wait()
        chapter_two()
        wait()
        chapter_three(epochs)
        say("", "The pictures of this, to keep: microtorch demo --output demo_output")
    except (KeyboardInterrupt, EOFError):
        print()
    except ImportError as error:
        print(f"The tour needs a part that is missing: {error}")
        return 1
    return 0


def say(title: str, *lines: str) -> None:
    """Print lines under a title, or under none if it is empty."""
    heading = [title, "─" * len(title)] if title else []
    print("\n".join(["", *heading, *lines, ""]))


def interactive() -> bool:
    """Is there someone to press a key?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def possible() -> bool:
    """Are the parts installed that the tour cannot do without?"""
    try:
        import graphviz  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        return False
    return True


def wait() -> None:
    """Wait for [Enter], if there is someone to press it."""
    if interactive():
        input("\n[Enter] to continue ")
