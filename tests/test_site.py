"""`make site`: its parts, and a small site. `make site-check` builds it all, opens each page."""

import re
import sys

import pytest
from repository import ROOT, loaded

sys.path.append(str(ROOT / "scripts" / "site"))

import check
import docstrings
import pages
import programs
import reference
import signatures

import microtorch as torch


def test_every_page_is_staged_and_every_link_leads_to_one(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_run", lambda texts, staged: {})  # no program runs
    pages.stage(ROOT, tmp_path)
    for page in ("index.md", "docs/course/10-attention.md", "microtorch/programs/museum.md"):
        assert (tmp_path / page).is_file()
    example = (tmp_path / "docs/examples/vae.py.md").read_text(encoding="utf-8")
    assert example.count("A variational autoencoder") == 1 and "pictures/vae.png" in example
    text = (tmp_path / "docs/examples.md").read_text(encoding="utf-8")
    assert "(examples/vae.py.md)" in text
    for page in tmp_path.rglob("*.md"):
        for target in re.findall(r"(?m)^docs/[\w/-]+$", page.read_text(encoding="utf-8")):
            assert (tmp_path / f"{target}.md").is_file(), f"{page} lists {target}"


@pytest.mark.needs("dot")
def test_what_a_program_draws_and_steps_through_stands_below_it(tmp_path):
    block = (
        "import microtorch as torch\nfrom microtorch import viz\n"
        "a = torch.Scalar(2.0)\nviz.trace(a * a)\nviz.draw(a * a).save('a.svg')\n"
    )
    page = f"```python\n{block}```\n\n```text\nshown\n```\nafter\n\n```python\nprint(a)\n```\n"
    text = programs.run("docs/viz.md", page, tmp_path)
    assert text.index("shown\n") < text.index("![a](../shown/docs-viz-1-a.svg)")
    assert text.index('<iframe src="../shown/docs-viz-1-steps-1.html"') < text.index("after")
    assert (tmp_path / "shown/docs-viz-1-a.svg").is_file()
    assert (tmp_path / ".live/shown/docs-viz-1-steps-1.html").is_file()
    with pytest.raises(RuntimeError, match=r"docs/viz.md fails: ZeroDivisionError"):
        programs.run("docs/viz.md", "```python\n1 / 0\n```\n", tmp_path)


@pytest.mark.needs("sphinx", "browser", "dot")
def test_a_site_with_a_page_of_each_kind(tmp_path, monkeypatch):
    """One program runs, and little of the reference is written: that takes most of the time."""
    make = loaded("scripts/site/__main__.py")
    one = "docs/course/02-chain-rule.md"
    monkeypatch.setattr(pages, "_run", lambda t, staged: {one: programs.run(one, t[one], staged)})
    monkeypatch.setattr(reference, "MODULES", {"microtorch.func": "torch.func"})
    monkeypatch.setattr(reference, "CLASSES", ("microtorch.Scalar",))
    site = tmp_path / "site"
    make.build(site)  # a warning of Sphinx's is an error
    assert check.links(site) == []
    live = next(p.relative_to(site) for p in site.glob("shown/docs-course-02-chain-rule-*.html"))
    kinds = ["index", "docs/viz", "docs/course/02-chain-rule", "docs/examples/vae.py",
             "docs/museum", "reference/torch.func", "reference/torch.Scalar"]  # fmt: skip
    assert check.browser(site, [*(f"{kind}.html" for kind in kinds), str(live)]) == []


def test_docstrings_become_restructured_text():
    lines = ["``a * b`` of *args, `x`s:", "    run(a)", "", "1. one", "- two_", "  more"]
    assert docstrings.converted(lines) == [
        "", "``a * b`` of \\*args, ``x``\\ s:", "", "::", "", "       run(a)", "", "",
        "", "1. one", "- two\\_", "  more", "",
    ]  # fmt: skip


def test_the_reference_has_the_names_that_formulas_make(tmp_path):
    reference.write(tmp_path := tmp_path / "reference")
    assert ".. autofunction:: microtorch.sigmoid" in (tmp_path / "torch.rst").read_text()
    assert ".. autofunction:: microtorch.viz.step" in (tmp_path / "viz.rst").read_text()
    listed = (tmp_path / "index.rst").read_text()
    assert all(f"   {p.stem}\n" in listed for p in tmp_path.glob("torch*.rst"))


def test_signatures_are_those_of_the_stubs():
    def shown(what, f, signature="()"):
        return signatures.from_stubs(None, what, "", f, None, signature, "Tensor")

    assert shown("function", torch.abs) == ("(input: TensorLike)", "Tensor")
    assert shown("method", torch.Tensor.abs) == ("()", "Tensor")
    assert shown("method", torch.Tensor.abs_) == ("()", "Self")
    given = "(input: Any, no_more: object = ..., out: Tensor | None = None)"
    assert shown("function", len, given)[0] == "(input: Any, *, out: Tensor | None = None)"
    for home, what in ((torch, "function"), (torch.Tensor, "method")):
        for name in dir(home):
            text = shown(what, getattr(home, name, None))[0]
            assert "no_more" not in text and "*others" not in text, name


def test_the_check_finds_what_is_wrong(tmp_path):
    assert "make site" in check.links(tmp_path)[0]
    (tmp_path / "b.html").write_text('<p id="there">')
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there"><a href="b.html#7"><a href="https://x.org/"><img src="data:,">'
        '<a href="b.html#nowhere"><a href="c.html"><script src="https://x.org/x.js"></script>'
    )
    wrong = "\n".join(check.links(tmp_path))
    assert wrong.count("\n") == 2 and "#nowhere: no such place" in wrong
    assert "c.html leads nowhere" in wrong and "x.js is loaded from elsewhere" in wrong
