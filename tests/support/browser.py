"""Chromium without a screen, driven over a pipe by its own protocol (CDP); for tests and pictures.

Each window has cookies and storage of its own, and keeps what its page complains of.  This module
must not know which page is shown.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECONDS = 60.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root in a container cannot have one; every page is our own
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)
_KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "Delete": ("Delete", 46, ""),
    "F6": ("F6", 117, ""),
    "Space": ("Space", 32, " "),
}
ALT, CONTROL, SHIFT = 1, 2, 8
"""Keys that are held while another is pressed."""

_EXECUTE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

# Told by the browser where a page does what its policy forbids; the console has it, too.
_WATCH = """
globalThis.violations = [];
addEventListener("securitypolicyviolation", (event) =>
  violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


class Browser:
    """A browser, as a context manager.

    :param program: its path.
    :param folder: an empty one, for its profile.
    """

    def __init__(self, program: str, folder: Path) -> None:
        read, self._to = os.pipe()
        self._from, write = os.pipe()
        # Beyond 3 and 4, which the browser reads and writes.
        to_read, to_write = (fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (read, write))
        command = [program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._errors = (folder / "errors").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-ISc", _EXECUTE, str(to_read), str(to_write), *command],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        )
        for one in (read, write, to_read, to_write):
            os.close(one)
        self._rest = b""
        self._asked = 0
        self.windows: dict[str, Window] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser, and all that it has started."""
        os.close(self._to)  # it ends when its pipe does
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._from)
        self._errors.close()

    def window(
        self, address: str, size: tuple[int, int] = (1000, 700), *, dark: bool = False
    ) -> Window:
        """Open a window with nothing of another one's, and have it show *address*."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call(
            "Target.createTarget", url="about:blank", browserContextId=context, newWindow=True
        )["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        window = self.windows[session] = Window(self, session, context)
        window.begin(size, dark)
        window.show(address)
        return window

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Have the browser do something; return its answer."""
        self._asked += 1
        asked: dict[str, Any] = {"id": self._asked, "method": method, "params": parameters}
        if session:
            asked["sessionId"] = session
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            told = self._next(deadline, method)
            if told.get("id") == self._asked:
                if "error" in told:
                    raise BrowserError(f"{method}: {told['error']['message']}")
                found: dict[str, Any] = told["result"]
                return found
            self._hear(told)

    def _next(self, deadline: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self._from], [], [], left)[0]
            assert ready, f"the browser does not answer {method}"
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser is gone"
            self._rest += piece
        first, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(first)
        return told

    def _hear(self, told: dict[str, Any]) -> None:
        window = self.windows.get(told.get("sessionId", ""))
        if window is not None and "method" in told:  # and no answer that came too late
            window.hear(told["method"], told.get("params", {}))


class BrowserError(Exception):
    """The browser could not do it."""


class Window:
    """One window.

    :ivar problems: errors of scripts, of the console, and of loading.
    """

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        self.problems: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have this window do something."""
        return self._browser.call(method, self._session, **parameters)

    def begin(self, size: tuple[int, int], dark: bool) -> None:
        """Be as large as that, and listen to what goes wrong."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        self.call("Emulation.setLocaleOverride", locale="en-GB")
        self.resize(*size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Have another size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def show(self, address: str) -> None:
        """Go to *address*."""
        answer = self.call("Page.navigate", url=address)
        assert "errorText" not in answer, answer["errorText"]

    def hear(self, method: str, told: dict[str, Any]) -> None:
        """Take what the browser tells of this window."""
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            thrown = details.get("exception", {}).get("description", details["text"])
            self.problems.append(f"uncaught: {thrown}")
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
            self.problems.append(f"console: {told['args']}")
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.problems.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    def run(self, script: str) -> Any:
        """Return the value of the expression *script*, awaited where it is a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        details = answer.get("exceptionDetails")
        if details is not None:
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """Return the value of *script* once it is true; it is looked at again and again."""
        look = (
            "new Promise((found) => { const end = performance.now() + 2000; const look = () => {"
            f"let value; try {{ value = ({script}); }} catch {{}}"
            "if (value instanceof Node) value = true;"
            "if (value || performance.now() > end) found(value); else setTimeout(look, 10); };"
            "look(); })"
        )
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                value = self.run(look)
            except BrowserError:
                value = None  # the page was loaded anew meanwhile
            if value:
                return value
            assert time.monotonic() < deadline, f"not so: {script}\n{self.text()}\n{self.problems}"

    def text(self) -> str:
        """Return all text of the page that is laid out."""
        return str(self.run("document.body.innerText"))

    def sees(self, text: str, where: str = "body") -> None:
        """Wait until *text* is shown; what only sets its direction is left out."""
        shown = f"document.querySelector({json.dumps(where)}).innerText"
        self.until(f"{shown}.replace(/[\u2066-\u2069]/g, '').includes({json.dumps(text)})")

    def click(self, selector: str) -> None:
        """Press what is at the middle of the first element that is shown and matches."""
        place = self.until(
            f"(() => {{ const one = [...document.querySelectorAll({json.dumps(selector)})]"
            ".find((it) => it.checkVisibility({visibilityProperty: true}));"
            "one.scrollIntoView({block: 'nearest'});"
            "const r = one.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=place[0],
                y=place[1],
                button="left",
                clickCount=1,
            )

    def type(self, text: str) -> None:
        """Type *text* where the focus is."""
        self.call("Input.insertText", text=text)

    def fill(self, selector: str, text: str) -> None:
        """Put *text* into a field, in place of what it has."""
        self.until(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.type(text)

    def press(self, key: str, held: int = 0) -> None:
        """Press a key."""
        code, number, text = _KEYS[key]
        words: dict[str, Any] = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        words["modifiers"] = held
        down = {**words, "text": text} if text else words
        self.call("Input.dispatchKeyEvent", type="keyDown", **down)
        self.call("Input.dispatchKeyEvent", type="keyUp", **words)

    def picture(self, path: Path) -> None:
        """Write what is seen as a PNG file."""
        answer = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """Close the window, and forget all that it kept."""
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)
        del self._browser.windows[self._session]


def complaints(windows: Sequence[Window]) -> list[str]:
    """Return what pages did against their policy, and every other error."""
    found = []
    for window in windows:
        found += window.problems
        found += window.run("globalThis.violations ?? []")
    return found
