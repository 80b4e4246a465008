"""What the tests of kernels share."""
import pytest

from microtorch.backends import core


@pytest.fixture(params=core.isas() or [""])
def isa(request):
    """Each instruction set of this processor in turn."""
    before = core.isa
    core.use_isa(request.param)
    yield request.param
    core.use_isa(before)
