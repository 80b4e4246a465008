"""The demo: learn to read handwritten digits, then look at the graph that made it possible.

    make demo   or   python -m microtorch.programs.demo
    microtorch demo      the same; at a terminal the tour (tour.py), in chapters, for a class

The first part is an ordinary training script, line for line what it would be in PyTorch: data, a
model, a loss, ``backward()``, an optimizer. The second part draws two computation graphs: that of
the classifier's loss on four images, and that of a single neuron made of numbers. The rest is about
the screen.
"""
from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import microtorch as torch
import microtorch.nn as nn
import microtorch.nn.functional as F
from microtorch.optim.lr_scheduler import CosineAnnealingLR
from microtorch.utils.data import DataLoader, TensorDataset
from microtorch.vision.datasets import Digits


# ---- learning to read ----------------------------------------------------------------------------
def load(train: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Images as rows of 64 numbers between 0 and 1, (N, 64) float32; their labels, (N,) int64."""
    digits = Digits(train=train)
    return digits.data.reshape(-1, 64) / 16.0, digits.targets


def make_model() -> nn.Sequential:
    """A perceptron with two hidden layers."""
    return nn.Sequential(
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


@torch.no_grad()
def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of images whose largest output is that of their label."""
    return (model(images).argmax(dim=1) == labels).float().mean().item()


def train(
    epochs: int, after_batch: Callable[[float], None], after_epoch: Callable[..., None]
) -> nn.Module:
    """Train on three quarters of the images; the accuracy reported is that on the others."""
    images, labels = load(train=True)
    unseen, answers = load(train=False)

    torch.manual_seed(0)
    model = make_model()
    loader = DataLoader(TensorDataset(images, labels), batch_size=32, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    schedule = CosineAnnealingLR(optimizer, T_max=epochs)

    for epoch in range(1, epochs + 1):
        total = 0.0
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            after_batch(loss.item())
        schedule.step()
        after_epoch(
            epoch,
            total / len(loader),
            accuracy(model, images, labels),
            accuracy(model, unseen, answers),
        )
    return model


# ---- two graphs to look at -----------------------------------------------------------------------
def classifier_loss(model: nn.Module) -> torch.Tensor:
    """The loss on four images that the model has not seen, after backward, with all gradients."""
    images, labels = load(train=False)
    x, y = images[:4], labels[:4]
    model.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    return loss


def neuron() -> torch.Scalar:
    """One neuron with two inputs, number by number. The bias makes all gradients round."""
    x1, x2 = torch.Scalar(2.0), torch.Scalar(0.0)
    w1, w2 = torch.Scalar(-3.0), torch.Scalar(1.0)
    b = torch.Scalar(6.8813735870195432)
    n = x1 * w1 + x2 * w2 + b
    o = n.tanh()
    o.backward()
    return o


def draw(
    roots: dict[str, torch.Tensor | torch.Scalar], folder: Path
) -> tuple[list[Path], str]:
    """Save each graph as SVG and PNG.

    Without Graphviz it is saved as DOT text, and the second result says how to get Graphviz.
    """
    try:
        from microtorch import viz
    except ImportError as error:  # a checkout run without its dependencies
        advice = "`pip install graphviz` brings what is missing."
        return [], f"The graphs are not drawn: {error}. {advice}"
    files: list[Path] = []
    missing = ""
    folder.mkdir(parents=True, exist_ok=True)
    for name, root in roots.items():
        graph = viz.draw(root)
        try:
            files += [Path(graph.save(str(folder / f"{name}.{kind}"))) for kind in ("svg", "png")]
        except viz.RenderError as error:
            missing = str(error)
            files.append(Path(graph.save(str(folder / f"{name}.dot"))))
    return files, missing


def step(root: torch.Tensor | torch.Scalar, folder: Path) -> list[Path]:
    """Save the steps of a small graph: as a page, as a picture that moves, and as a GIF.

    All need Graphviz, and the GIF also Pillow; what cannot be made is left out.
    """
    from microtorch import viz

    stepper = viz.step(root)
    files: list[Path] = []
    for name in ("neuron.html", "neuron-steps.svg", "neuron.gif"):
        try:
            files.append(Path(stepper.save(str(folder / name))))
        except (ImportError, viz.RenderError):
            continue
    return files


# ---- the screen ----------------------------------------------------------------------------------
@contextmanager
def progress(total: int) -> Iterator[Callable[[float], None]]:
    """A bar that moves with each batch; none in a pipe or a log, and none without rich."""
    try:
        from rich import progress as rich_progress
        from rich.console import Console

        console = Console()
    except ImportError:
        console = None
    if console is None or not console.is_terminal:
        yield lambda loss: None
        return
    columns = (
        rich_progress.TextColumn("training"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("batches, loss {task.fields[loss]:.4f}"),
        rich_progress.TimeElapsedColumn(),
    )
    with rich_progress.Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=total, loss=float("nan"))
        yield lambda loss: bar.update(task, advance=1, loss=loss)


def picture(image: torch.Tensor) -> list[str]:
    """One image as eight lines of text. A pixel is two characters wide, so about square."""
    shades = " ░▒▓█"
    try:
        shades.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        shades = " .:+#"
    rows = image.reshape(8, 8).tolist()
    return ["".join(2 * shades[round(4 * pixel)] for pixel in row) for row in rows]


def show_digits(model: nn.Module) -> None:
    """Two held-out images that are read well, and the first two that are not."""
    images, labels = load(train=False)
    with torch.no_grad():
        probabilities = torch.softmax(model(images), dim=1)
    guesses, answers = probabilities.argmax(dim=1).tolist(), labels.tolist()
    right = [i for i, guess in enumerate(guesses) if guess == answers[i]]
    wrong = [i for i, guess in enumerate(guesses) if guess != answers[i]]
    chosen = right[:2] + wrong[:2]
    for line in zip(*(picture(images[i]) for i in chosen), strict=True):
        print("  " + "   ".join(line).rstrip())
    read = [
        f"read as {guesses[i]} ({100 * probabilities[i, guesses[i]].item():.0f} %)" for i in chosen
    ]
    print("  " + "   ".join(f"{text:16}" for text in read).rstrip())
    truth = ["right" if guesses[i] == answers[i] else f"but it is a {answers[i]}" for i in chosen]
    print("  " + "   ".join(f"{text:16}" for text in truth).rstrip())


def short(path: Path | str) -> str:
    """The path from the current folder, if it leads into it, else the whole path."""
    path = os.path.abspath(path)
    inside = path.startswith(os.getcwd() + os.sep)
    return os.path.relpath(path) if inside else path


def print_epoch(epoch: int, epochs: int, loss: float, learnt: float, unseen: float) -> None:
    """A line of the table, for the first epoch, every fourth, and the last."""
    if epoch == 1 or epoch % 4 == 0 or epoch == epochs:
        shares = f"{100 * learnt:5.1f} %    {100 * unseen:5.1f} %"
        print(f"{epoch:5}  {loss:.4f}            {shares}", flush=True)


# ---- the program ---------------------------------------------------------------------------------
def parser(prog: str) -> argparse.ArgumentParser:
    """Reads the options of the demo."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Learn to read digits; draw two graphs. `microtorch demo` at a terminal, "
        "without --output: the tour.",
    )
    made.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where pictures go (default demo_output); no tour, unless asked for",
    )
    made.add_argument(
        "--epochs", type=positive, default=20, help="passes over the training images (default 20)"
    )
    return made


def positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def learn_and_draw(epochs: int, output: Path | None) -> int:
    """Learn to read, show digits, draw the two graphs. Returns 0, also if they cannot be drawn."""
    any_terminal()
    folder = output or Path("demo_output")
    n, held_out = len(Digits(train=True)), len(Digits(train=False))
    print(
        f"Learning to read {n} handwritten digits, 8x8 pixels each; tested on {held_out} others.\n"
    )
    print("epoch    loss   read right: learnt   held out")
    reached = 0.0

    def after_epoch(epoch: int, loss: float, learnt: float, unseen: float) -> None:
        nonlocal reached
        reached = unseen
        print_epoch(epoch, epochs, loss, learnt, unseen)

    start = time.perf_counter()
    with progress(epochs * -(-n // 32)) as after_batch:
        model = train(epochs, after_batch, after_epoch)
    seconds = time.perf_counter() - start
    print(f"\n{100 * reached:.1f} % of the held-out digits after {seconds:.1f} s of training.\n")
    show_digits(model)

    print("\nDrawing the graph of the classifier's loss on four images, and of one neuron.")
    o = neuron()
    files, missing = draw({"loss": classifier_loss(model), "neuron": o}, folder)
    if files and not missing:
        files += step(o, folder)
    if missing:
        print(missing)
    if files:
        print("The graphs as text, which Graphviz draws:" if missing else "Open:")
        print("\n".join(f"  {short(file)}" for file in files))
    by_name = Path(sys.argv[0]).name.startswith("microtorch")
    command = "microtorch" if by_name else f"{short(sys.executable)} -m microtorch"
    print(f"Next: {command} run script.py    runs a script written for PyTorch, unchanged")
    return 0


def any_terminal() -> None:
    """Let a terminal without Unicode show ? where it would raise."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def main(arguments: list[str] | None = None) -> int:
    """``python -m microtorch.programs.demo``."""
    options = parser("python -m microtorch.programs.demo").parse_args(arguments)
    return learn_and_draw(options.epochs, options.output)


if __name__ == "__main__":
    sys.exit(main())
