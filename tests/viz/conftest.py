"""The browser in which the pages are looked at: one for all files, for it takes long to start."""
import pytest
from browser import Browser, missing


@pytest.fixture(scope="session")
def started():
    if missing():
        pytest.skip(missing())
    b = Browser()
    yield b
    b.close()


@pytest.fixture(scope="module")
def chromium(request, started):
    """It, of the size and with the wishes of the user that a file names: ``WINDOW``, ``MEDIA``."""
    started.size(*getattr(request.module, "WINDOW", (1280, 800)))
    wishes = [{"name": n, "value": v} for n, v in getattr(request.module, "MEDIA", {}).items()]
    started.command("Emulation.setEmulatedMedia", {"features": wishes})
    return started
