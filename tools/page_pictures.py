"""Takes pictures of the chat's page: ``python -m tools.page_pictures [FOLDER]``.

A real daemon, a real Chromium, and a few people who talk; the pictures are those of the documents.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

from socketsuite.testing import Daemon
from tests.support.browser import Browser, Window
from tests.support.web_people import WebPerson

FOLDER = Path("docs/pictures")
DESKTOP, PHONE = (1280, 800), (390, 780)
_TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

_TALK = (
    ("tom", "Good morning! The new shelves are up, pictures are at https://shelves.example/hall."),
    ("tom", "Who has an hour this afternoon to carry books?"),
    ("ann", "I have. After four?"),
    ("noor", "صباح الخير! أنا أيضا بعد الرابعة."),
    ("tom", "Four it is. ann, do you bring the trolley?"),
    ("ann", "Yes, if somebody has oiled it …"),
)


def main(folder: Path) -> None:
    """Start everything, have people talk, and write the pictures to *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs chromium: tools/install-peers installs it")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        Daemon(Path(name), "socketsuite-chat", "--port", "0", "--web-port", "0") as daemon,
        Browser(chromium, Path(name)) as browser,
        contextlib.ExitStack() as people,
    ):
        port = daemon.port(frontend="web")
        others = {
            nick: people.enter_context(WebPerson(port, nick))
            for nick in ("tom", "noor", "rosa", "Łukasz")
        }
        window = browser.window(f"http://127.0.0.1:{port}/?nick=ann&room=library", DESKTOP)
        window.until("document.querySelector('#room-title').textContent === '#library'")
        _talk(window, others)
        for scheme in ("light", "dark"):
            _picture(window, folder / f"chat-{scheme}.png", DESKTOP, scheme)
            _picture(window, folder / f"chat-phone-{scheme}.png", PHONE, scheme)
        window.click("#show-people")
        window.click("#members section:nth-of-type(2) .person")
        window.sees("Here since", "dialog")
        _picture(window, folder / "chat-person-dark.png", PHONE, "dark")


def _talk(window: Window, others: dict[str, WebPerson]) -> None:
    for one in others.values():
        one.done("join", room="library")
    others["rosa"].done("away", message="back at three")
    _say(window, "/topic Books, shelves, and who carries them – plan: https://plan.example/")
    _say(window, "/voice noor")
    for room in ("tea", "lobby"):
        _say(window, f"/join {room}")
        window.until(f"document.querySelector('#room-title').textContent === '#{room}'")
    window.click("#places [data-place='#library'] .place")
    for nick, text in _TALK:
        if nick == "ann":
            _say(window, text)
        else:
            others[nick].done("say", room="library", text=text)
            window.sees(text, "#transcript")
    nods = {"type": "say", "room": "library", "text": "nods", "kind": "emote"}
    others["Łukasz"].socket.send(json.dumps(nods))
    others["rosa"].done("join", room="tea")
    others["rosa"].done("say", room="tea", text="The kettle is on.")
    others["rosa"].done("say", to="ann", text="Shall I come, too?")
    window.sees("nods", "#transcript")
    window.until("document.querySelectorAll('.count').length === 2")


def _say(window: Window, line: str) -> None:
    window.run("document.querySelector('#say').focus()")
    window.type(line)
    window.press("Enter")
    window.until("chat.places.current.waiting.length === 0")


def _picture(window: Window, path: Path, size: tuple[int, int], scheme: str) -> None:
    window.resize(*size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    window.call("Emulation.setEmulatedMedia", features=features)
    window.run(_TWO_FRAMES)
    window.picture(path)
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
