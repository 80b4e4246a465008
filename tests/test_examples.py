"""The examples in docs/examples run within seconds and reach the quality that they promise.

They are written as for PyTorch; only the import differs. Each is at most 120 lines long.
"""
import importlib
import re
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "examples"
HELPERS = {"drawing", "poles"}
# what main() returns, and what that has to be
GOOD = {
    "linear_regression": lambda error: error < 1e-4,  # from the exact solution
    "logistic_regression": lambda right: right > 0.94,
    "digits_mlp": lambda right: right >= 0.97,
    "digits_cnn": lambda right: right >= 0.98,
    "char_lstm": lambda result: result[0] < 0.3 and result[1] > 0.9,  # loss, words of the text
    "adding_transformer": lambda right: right > 0.95,  # of sums never seen
    "vae": lambda bound: bound < 27,  # nats an image
    "gan": lambda result: result[0] > 0.9 and result[1] >= 7,  # near the circle; clumps of 8
    "reinforce": lambda steps: steps > 150,  # of 200
    "actor_critic": lambda steps: steps > 150,
    "pinn": lambda error: error < 1e-3,  # of f''(0)
    "maml": lambda loss: loss[1] < 0.4 * loss[0],  # after and before five steps
    "diffusion": lambda distance: distance < 0.2,
    "flow": lambda result: result[0] < 1.8 and result[1] < 1e-3,  # -log p; inverse
    "graph_network": lambda right: right >= 32,  # of 34
    "word_vectors": lambda right: right >= 23,  # of 25
}


def scripts():
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in HELPERS)


def test_every_example_has_its_promise():
    assert scripts() == sorted(GOOD)


@pytest.mark.parametrize("name", scripts())
def test_example(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", [name])
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert text.count("\n") <= 120
    # runs under PyTorch with the import changed: nothing else of ours is named
    assert not re.sub(r"^(import|from) microtorch\b", "", text, flags=re.M).count("microtorch")
    try:
        result = importlib.import_module(name).main()
    finally:
        for module in (name, *HELPERS):
            sys.modules.pop(module, None)
    assert GOOD[name](result), (result, capsys.readouterr().out)


def test_the_page_shows_every_example():
    page = (FOLDER.parent / "examples.md").read_text(encoding="utf-8")
    for name in scripts():
        assert f"examples/{name}.py" in page, name
    for picture in (FOLDER / "pictures").iterdir():
        assert f"examples/pictures/{picture.name}" in page, picture.name
        assert picture.stat().st_size < 80_000, picture.name
