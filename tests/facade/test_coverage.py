"""docs/coverage.md says what is here: it is what scripts/coverage.py prints."""

from repository import script

coverage = script("coverage")


def test_it_is_up_to_date():
    text = coverage.DOCUMENT.read_text(encoding="utf-8")
    assert text == coverage.document(), "python scripts/coverage.py --write"


def test_reasons():
    table = (("sparse", "*csr*"), ("old", "torch.eig"))
    assert coverage.reason_for("torch", "to_csr", table) == "sparse"
    assert coverage.reason_for("torch", "eig", table) == "old"
    assert coverage.reason_for("torch.linalg", "eig", table) == ""


def test_what_is_recorded():
    names = coverage.recorded()
    assert set(names) == {"version", *coverage.NAMESPACES}
    assert {"add", "float32", "arange"} <= set(names["torch"])
    assert "Linear" in names["torch.nn"] and "relu" in names["torch.nn.functional"]
