"""A headless Chromium, spoken to through its debugging pipe: what a page logs, asks for, and looks like."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Chromium", "browser"]

SECONDS = 60


class Chromium:
    """One page. `events` holds all that the browser told of it since the last `open`."""

    def __init__(self, program: str, profile: Path) -> None:
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()
        # The pipe's ends are descriptors 3 and 4 by definition.
        quoted = f'exec "$0" "$@" 3<&{theirs_read} 4>&{theirs_write}'
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
        flags += [f"--user-data-dir={profile}", "--disable-dev-shm-usage", "--no-first-run"]
        # The browser's own errands: looking for updates, and the like.
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", quoted, program, *flags],
            pass_fds=(theirs_read, theirs_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_read)
        os.close(theirs_write)
        self._read, self._write = ours_read, ours_write
        self._held = b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        with contextlib.suppress(OSError, AssertionError):
            self._session = None
            self.call("Browser.close")
        os.close(self._write)
        os.close(self._read)
        self.process.wait(SECONDS)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + SECONDS
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._read], [], [], max(0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            block = os.read(self._read, 1 << 20)
            assert block, "the browser has gone"
            self._held += block
        message, _, self._held = self._held.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, *, width: int, height: int = 900, phone: bool = False) -> None:
        self.open_address(path.resolve().as_uri(), width=width, height=height, phone=phone)

    def open_address(self, address: str, *, width: int, height: int = 900, phone: bool = False) -> None:
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def value(self, expression: str) -> Any:
        """A script's value in the page: the debugger's scripts run whatever the page forbids its own."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def requests(self) -> list[str]:
        """URLs that the page asked for, itself left out."""
        found = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [found_["request"]["url"] for found_ in found if found_.get("type") != "Document"]

    def complaints(self) -> list[str]:
        """What the console shows: errors, warnings, violations, and anything that a script said."""
        said = []
        for event in self.events:
            if event.get("method") == "Log.entryAdded":
                said.append(event["params"]["entry"]["text"])
            elif event.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                said.append(json.dumps(event["params"]))
        return said

    def screenshot(self, path: Path, *, height: int | None = None) -> None:
        """The page as PNG, whole or its first `height` pixels."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(height or 16000, size["height"]), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Chromium]:
    """A Chromium of this machine; the test is skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None or shutil.which("bash") is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is installed (Debian: apt-get install chromium)")
    page = Chromium(program, profile)
    try:
        yield page
    finally:
        page.close()
