"""A headless Chromium, driven by real key presses through chromedriver (w3.org/TR/webdriver2).

Only the standard library. One ``Browser`` serves many tests: starting it takes longer than most.
"""

import base64
import http.client
import json
import shutil
import subprocess
import tempfile
import time

from microtorch.programs import doctor

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key under which the protocol wraps an element
KEYS = {
    "left": "\ue012", "up": "\ue013", "right": "\ue014", "down": "\ue015", "home": "\ue011",
    "end": "\ue010", "pageup": "\ue00e", "pagedown": "\ue00f", "enter": "\ue007",
    "escape": "\ue00c", "tab": "\ue004", "space": " ",
    "backspace": "\ue003",
}  # fmt: skip


def missing() -> str:
    """Why no browser can be driven here, or an empty string."""
    if not doctor.browser().found:
        return doctor.browser().detail
    return (
        ""
        if shutil.which("chromedriver")
        else "no program chromedriver on PATH (apt install chromium-driver)"
    )


class Browser:
    """``open(file)``, ``keys("right", "b", "0.5", "enter")``, ``js(text)``, ``click(selector)``."""

    def __init__(self, width=1280, height=800):
        self.profile = tempfile.mkdtemp(prefix="microtorch-browser-")
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        line = ""
        while "on port" not in line or "successfully" not in line:
            line = self.driver.stdout.readline()
            if not line:
                raise RuntimeError("chromedriver ended before it listened")
        self.port = int(line.rstrip(".\n ").rsplit(" ", 1)[1])
        self.path = ""
        options = {
            "binary": doctor.browser().detail,
            "args": [*FLAGS, f"--user-data-dir={self.profile}", f"--window-size={width},{height}"],
        }
        wanted = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.path = f"/session/{session['sessionId']}"
        self.size(width, height)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, self.path + path, data, {"Content-Type": "application/json"})
        value = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message'].splitlines()[0]}")
        return value

    def size(self, width, height):
        """Make the page itself this large."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", metrics)

    def command(self, name, parameters):
        """A command of Chromium's own protocol, such as emulating a user's preference."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def open(self, path, hash="", painted=True):
        """Open a file; what the pages before it logged is forgotten. A page that is only asked
        for its texts need not be ``painted``."""
        self.call("POST", "/url", {"url": "about:blank"})
        self.log("performance"), self.log("browser")
        self.call("POST", "/url", {"url": f"file://{path}{hash}"})
        if not painted:
            return
        # Chromium drops keys until a page has been painted: wait for two frames
        drawn = "requestAnimationFrame(() => requestAnimationFrame(() => arguments[0]()))"
        self.call("POST", "/execute/async", {"script": drawn, "args": []})

    def keys(self, *words):
        """Press keys one after the other: names of KEYS, or text."""
        strokes = [k for w in words for k in ([KEYS[w]] if w in KEYS else w)]
        actions = [{"type": t, "value": k} for k in strokes for t in ("keyDown", "keyUp")]
        self.call(
            "POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        )

    def js(self, expression, *arguments):
        """The value of an expression in the page; ``arguments[0]`` is the first argument."""
        return self.call(
            "POST", "/execute/sync", {"script": f"return ({expression})", "args": list(arguments)}
        )

    def frame(self, selector=None):
        """Go into a frame, or back to the page."""
        inner = None
        if selector is not None:
            inner = self.call("POST", "/element", {"using": "css selector", "value": selector})
        self.call("POST", "/frame", {"id": inner})

    def text(self, selector):
        """What an element shows; nothing where it is not shown."""
        return self.js(
            "(e => e?.checkVisibility() ? e.innerText : '')(document.querySelector(arguments[0]))",
            selector,
        )

    def click(self, selector):
        """A click of the mouse at the middle of an element."""
        element = self.call("POST", "/element", {"using": "css selector", "value": selector})[
            ELEMENT
        ]
        move = {"type": "pointerMove", "origin": {ELEMENT: element}, "x": 0, "y": 0}
        actions = [move, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.call(
            "POST",
            "/actions",
            {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]},
        )

    def draw(self, selector, *strokes):
        """Strokes of the mouse on an element: each is a list of points, in shares of its size."""
        box = self.js(
            "(b => [b.left, b.top, b.width, b.height])"
            "(document.querySelector(arguments[0]).getBoundingClientRect())",
            selector,
        )
        actions = []
        for stroke in strokes:
            moves = [
                {"type": "pointerMove", "duration": 0, "x": round(box[0] + x * box[2]),
                 "y": round(box[1] + y * box[3])}
                for x, y in stroke
            ]  # fmt: skip
            down, up = ({"type": f"pointer{word}", "button": 0} for word in ("Down", "Up"))
            actions += [moves[0], down, *moves[1:], up]
        self.call(
            "POST",
            "/actions",
            {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]},
        )

    def log(self, kind):
        return self.call("POST", "/se/log", {"type": kind})

    def requests(self):
        """The addresses asked for since ``open``."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [
            e["params"]["request"]["url"]
            for e in events
            if e["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))

    def until(self, expression, seconds=10):
        """Wait until an expression is true in the page."""
        end = time.monotonic() + seconds
        while not self.js(expression):
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {expression}")
            time.sleep(0.02)

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(10)
            self.driver.stdout.close()
            shutil.rmtree(self.profile, ignore_errors=True)
