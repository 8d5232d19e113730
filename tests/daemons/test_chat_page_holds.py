"""The chat's page over time: a killed daemon, ten thousand messages; and whether all can use it."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon
from tests.support.browser import Browser, Window, complaints
from tests.support.kept_history import until_saved
from tests.support.node_packages import packages
from tests.support.peers import program

# One worker starts the browser, however many run the other tests.
pytestmark = pytest.mark.xdist_group("page-holds")

MANY = 10_000
FLAGS = ("--history-lines", "20000", "--history-size", "64M", "--metrics-port", "0")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(program("chromium"), tmp_path_factory.mktemp("chromium")) as started:
        yield started


def start(folder: Path, port: int = 0) -> Daemon:
    words = ("--port", "0", "--web-port", str(port), "--history-file", "history")
    return Daemon(folder, "socketsuite-chat", *words, *FLAGS).wait_until_ready()


def inside(browser: Browser, port: int, nick: str, room: str) -> Window:
    window = browser.window(f"http://127.0.0.1:{port}/?nick={nick}&room={room}")
    window.until(f"document.querySelector('#room-title').textContent === '#{room}'")
    return window


TEXTS = "chat.places.current.timeline.entries.filter((e) => e.text).map((e) => e.text)"


def say(window: Window, line: str) -> None:
    window.run("document.querySelector('#say').focus()")
    window.type(line)
    window.press("Enter")


def talk_by_hand(daemon: Daemon, lines: Iterable[str]) -> None:
    """Say *lines* in the lobby, and wait until all are said."""
    with daemon.connect(port=daemon.port(frontend="lines")) as nc:
        nc.sendall("".join(f"{line}\n" for line in lines).encode())
        nc.shutdown(socket.SHUT_WR)
        assert nc.recv(1) == b""


def test_after_a_killed_daemon_the_page_fills_exactly_the_gap(
    browser: Browser, tmp_path: Path
) -> None:
    daemon = start(tmp_path)
    port = daemon.port(frontend="web")
    ann = inside(browser, port, "ann", "lobby")
    missed = [f"missed {number}" for number in range(1300)]
    try:
        say(ann, "before")
        until_saved(daemon, 1)
        ann.type("half a thou")
        daemon.kill()
        ann.sees("Not connected.", "#connection")
        ann.until("document.title.startsWith('(offline)')")
        ann.press("Enter")  # goes nowhere, and is kept
        # At another port, where the page does not come back in the middle of them.
        daemon = start(tmp_path)
        talk_by_hand(daemon, missed)
        until_saved(daemon, len(missed))
        daemon.kill()
        daemon = start(tmp_path, port)
        ann.run("chat.session.connection.hurry()")
        # A thousand come unasked; the rest is behind a button.
        ann.until("document.querySelector('.gap button')?.checkVisibility()")
        assert ann.run(TEXTS) == ["before", *missed[300:]]
        while ann.run("document.querySelectorAll('.gap').length"):
            ann.run("document.querySelector('.gap button').click()")
            ann.until("!document.querySelector('.gap button:disabled')")
        assert ann.run(TEXTS) == ["before", *missed]
        ann.until("document.querySelector('#connection').hidden")
        assert ann.run("document.querySelector('#say').value") == "half a thou"
        ann.press("Enter")
        ann.until(f"{TEXTS}.at(-1) === 'half a thou'")
        assert ann.run("chat.places.me.nick") == "ann"
        # The browser tells of each attempt that failed; nothing else may have gone wrong.
        assert [one for one in complaints([ann]) if "WebSocket connection to" not in one] == []
    finally:
        ann.close()
        daemon.kill()


@pytest.fixture(scope="module")
def full(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """Somebody in a room in which much was said."""
    with Daemon(
        tmp_path_factory.mktemp("full"),
        "socketsuite-chat",
        "--port",
        "0",
        "--web-port",
        "0",
        *FLAGS,
    ) as daemon:
        text = "what is said, at some length: " + "so it is, " * 12
        talk_by_hand(daemon, (f"{number} {text[: number % 150]}" for number in range(MANY)))
        window = inside(browser, daemon.port(frontend="web"), "ann", "lobby")
        try:
            yield window
            assert complaints([window]) == []
        finally:
            window.close()


SCROLL = """
new Promise((done) => {
  const box = document.querySelector('#transcript');
  const frames = [];
  const tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => e.duration)))
    .observe({ type: 'longtask' });
  let last = performance.now();
  let still = 0;
  const frame = (now) => {
    frames.push(now - last);
    last = now;
    box.scrollTop -= 2500;
    const { more, full } = chat.places.current.timeline;
    const all = chat.transcript.shown.size >= chat.places.current.timeline.entries.length;
    still = box.scrollTop === 0 && all && (!more || full) ? still + 1 : 0;
    if (still > 5) done({ frames, tasks });
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})
"""


def processor_seconds(window: Window) -> float:
    """Return what the page has taken of the processor, whatever else the machine does."""
    metrics = window.call("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "ThreadTime"))


@pytest.mark.thorough  # it measures, and wants the machine for itself
def test_ten_thousand_messages_scroll_without_a_halt(full: Window) -> None:
    full.call("Performance.enable", timeDomain="threadTicks")
    before = processor_seconds(full)
    measured = full.run(SCROLL)
    used = processor_seconds(full) - before
    assert full.run("chat.places.current.timeline.entries.length") >= MANY
    assert len(full.run(TEXTS)) >= MANY
    assert full.run(TEXTS)[0].startswith("0 ")
    frames, tasks = measured["frames"], measured["tasks"]
    assert used / len(frames) < 0.04, f"{used} s of the processor for {len(frames)} frames"
    # Where other tests take the browser's time away, some frames may be late.
    assert len([task for task in tasks if task > 200]) <= len(frames) // 10, tasks
    # Back at the end, what is shown is little again once something more is said.
    full.run("chat.transcript.toEnd()")
    say(full, "and this")
    full.until("document.querySelectorAll('.message').length < 1000")


def test_what_one_looks_at_stays_where_it_is_when_earlier_messages_come(full: Window) -> None:
    full.run("chat.show(chat.places.current)")
    moved = full.run(
        """
        new Promise((done) => {
          const box = document.querySelector('#transcript');
          const had = chat.transcript.shown.size;
          const frames = (left, work) =>
            requestAnimationFrame(() => (left ? frames(left - 1, work) : work()));
          chat.transcript.busy = true;  // until it is laid out
          box.scrollTop = 400;
          frames(5, () => {
            const { top: upper } = box.getBoundingClientRect();
            const seen = [...box.querySelectorAll('.entry')].find(
              (one) => one.getBoundingClientRect().top > upper + 100);
            const { top } = seen.getBoundingClientRect();
            chat.transcript.busy = false;
            chat.transcript.scrolled();
            const wait = () => {
              if (chat.transcript.shown.size === had) requestAnimationFrame(wait);
              else frames(3, () => done(seen.getBoundingClientRect().top - top));
            };
            wait();
          });
        })
        """
    )
    assert abs(moved) <= 2


def test_axe_finds_nothing_in_light_and_dark_at_any_width(full: Window) -> None:
    say(full, "/join axe")
    full.until("document.querySelector('#room-title').textContent === '#axe'")
    for line in ("/topic a topic with https://a.example", "see https://a.example/b", "/kik"):
        say(full, line)
    full.sees("did you mean")
    # What looks for that which keeps people out.
    full.run((packages() / "axe-core/axe.min.js").read_text())
    found = {
        f"{width} {dark=}": violations_of(full, width, dark)
        for width, dark in ((320, False), (768, True), (1440, False), (1440, True))
    }
    for opened in ("#me", "#settings", "#browse", "#help", "#members .person"):
        full.click(opened)
        full.until("document.querySelector('dialog[open]')")
        found[opened] = full.run(LOOK.replace("document", "'dialog'"))
        full.press("Escape")
        full.until("!document.querySelector('dialog')")
    for side in ("rooms", "people"):
        full.resize(390, 800)
        full.click(f"#show-{side}")
        full.until(f"document.querySelector('#{side}').contains(document.activeElement)")
        found[side] = violations_of(full, 390, dark=False)
        full.press("Escape")
        full.until(f"getComputedStyle(document.querySelector('#{side}')).visibility === 'hidden'")
    full.run("chat.quit()")
    full.until("document.activeElement.id === 'enter-nick'")
    full.run("document.querySelector('#entrance details').open = true")
    found["entrance"] = violations_of(full, 390, dark=True)
    assert {where: violations for where, violations in found.items() if violations} == {}


LOOK = """
axe.run(document).then(({ violations }) => violations.map(
  (one) => `${one.id}: ${one.nodes.map((node) => node.html + node.failureSummary)}`.slice(0, 900)))
"""


def violations_of(window: Window, width: int, dark: bool) -> list[str]:
    window.resize(width, 800)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    window.call("Emulation.setEmulatedMedia", features=[scheme])
    found: list[str] = window.run(LOOK)
    return found
