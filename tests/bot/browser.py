"""A headless Chromium that tests drive by its own protocol: clicks, keys, sizes, colour schemes, pictures.

https://chromedevtools.github.io/devtools-protocol/ spoken over a pipe, so no port is opened and no client is needed.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PHONE, DESKTOP = (390, 844), (1280, 900)
PATIENCE = 60.0  # seconds for one answer
LAUNCHER = """\
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 20) for end in sys.argv[1:3]]
for place, end in enumerate(ends, 3):
    os.dup2(end, place)
    os.close(end)
os.execv(sys.argv[3], sys.argv[3:])
"""
_KEYS = {"Enter": ("\r", 13), "Tab": ("\t", 9), "Space": (" ", 32), "Escape": ("", 27)}


class Browser:
    """One page of a browser. `complaints` collects what its console and its policy complained of."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, back: int) -> None:
        self._process, self._to, self._back = process, to, back
        self._rest, self._count, self._session = b"", 0, ""
        self.complaints: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        self._count += 1
        wanted = self._count
        message = {"id": wanted, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == wanted:
                assert "error" not in said, (method, said["error"])
                result: dict[str, Any] = said["result"]
                return result
            self._hear(said)

    def open(
        self, page: Path, *, size: tuple[int, int] = DESKTOP, dark: bool = False, part: str = ""
    ) -> None:
        """Load a page as a phone or a desktop would, in light or dark, and wait until its script is done."""
        phone = size[0] < 600
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url="about:blank")
        self.complaints.clear()
        self.ask("Page.navigate", url=page.as_uri() + part)
        end = time.monotonic() + PATIENCE
        while not self.value("document.readyState === 'complete' && location.protocol === 'file:'"):
            assert time.monotonic() < end, "the page was not loaded in time"
            time.sleep(0.02)

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression says, as plain data."""
        said = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, scrolled into view, that must be what lies there."""
        spot = self.value(
            f"""(() => {{
              const element = document.querySelector({json.dumps(selector)});
              element.scrollIntoView({{ block: "center", inline: "center" }});
              const box = element.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
              return {{ x, y, hit: element.contains(document.elementFromPoint(x, y)) }};
            }})()"""
        )
        assert spot["hit"], f"{selector} is covered or out of sight"
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.ask("Input.dispatchMouseEvent", type=kind, x=spot["x"], y=spot["y"], **button)
        self._settle()

    def key(self, name: str) -> None:
        """Press and release one key, wherever the focus is."""
        text, code = _KEYS.get(name, ("", 0))
        key = " " if name == "Space" else name
        about = {"key": key, "code": name, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)
        self._settle()

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self.ask("Input.insertText", text=text)

    def picture(self, *, whole: bool = False) -> bytes:
        """Return a PNG of what is seen, or of the whole page."""
        said = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(said["data"])

    def _settle(self) -> None:
        """Wait until the page has heard of what was pressed: some events come a turn later."""
        self.value("new Promise((done) => setTimeout(done, 10))")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._back], [], [], PATIENCE)
            assert ready, "the browser did not answer in time"
            more = os.read(self._back, 1 << 20)
            assert more, "the browser is gone"
            self._rest += more
        said, _, self._rest = self._rest.partition(b"\0")
        heard: dict[str, Any] = json.loads(said)
        return heard

    def _hear(self, said: dict[str, Any]) -> None:
        about = said.get("params", {})
        if said.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"])[:500])
        elif said.get("method") == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])
        elif said.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(about["args"])[:500])


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a browser of its own, and end it afterwards."""
    to_read, to_write = os.pipe()
    back_read, back_write = os.pipe()
    # The browser reads from its descriptor 3 and writes to 4: the launcher puts the pipes there.
    command = [
        sys.executable, "-I", "-c", LAUNCHER, str(to_read), str(back_write), str(CHROMIUM),
        "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        pass_fds=(to_read, back_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(to_read)
    os.close(back_write)
    try:
        yield Browser(process, to_write, back_read)
    finally:
        # The group is the browser's own: none of its helpers outlives the tests.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
        os.close(to_write)
        os.close(back_read)
