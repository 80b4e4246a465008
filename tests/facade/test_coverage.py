"""docs/coverage.md says what is here: it is what scripts/coverage.py prints."""

import importlib.util
from pathlib import Path

import microtorch as torch

ROOT = Path(torch.__file__).parent.parent


def printer():
    spec = importlib.util.spec_from_file_location("coverage", ROOT / "scripts" / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_up_to_date():
    coverage = printer()
    text = coverage.DOCUMENT.read_text(encoding="utf-8")
    assert text == coverage.document(), "python scripts/coverage.py --write"


def test_reasons():
    coverage = printer()
    table = (("sparse", "*csr*"), ("old", "torch.eig"))
    assert coverage.reason_for("torch", "to_csr", table) == "sparse"
    assert coverage.reason_for("torch", "eig", table) == "old"
    assert coverage.reason_for("torch.linalg", "eig", table) == ""


def test_what_is_recorded():
    names = printer().recorded()
    assert set(names) == {"version", *printer().NAMESPACES}
    assert {"add", "float32", "arange"} <= set(names["torch"])
    assert "Linear" in names["torch.nn"] and "relu" in names["torch.nn.functional"]
