"""What tests of compiled programs ask for by name."""

import pytest

from microtorch.static import build


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """An empty folder, in which what the test compiles is kept."""
    monkeypatch.setenv("MICROTORCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def compiler(own_cache):
    """The command of the C compiler."""
    try:
        return build.compiler()
    except build.CompilerError as error:
        pytest.skip(str(error))
