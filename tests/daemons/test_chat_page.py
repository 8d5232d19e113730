"""The chat's page in a real Chromium, in one room with everybody who comes by another way."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_line
from tests.support.accounts import account, accounts_file
from tests.support.browser import ALT, SHIFT, Browser, BrowserError, Window, complaints
from tests.support.node_packages import packages
from tests.support.outside import NODE
from tests.support.peers import program
from tests.support.terminal import Terminal, irssi
from tests.support.web_people import WebPerson

# One worker starts the browser, however many run the other tests.
pytestmark = pytest.mark.xdist_group("page")

TRANSCRIPT = "#transcript"
WAYS_IN = ("--port", "0", "--web-port", "0", "--irc-port", "0")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(program("chromium"), tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("chat")
    accounts_file(folder, account("carol", "pencil"))
    with Daemon(folder, "socketsuite-chat", *WAYS_IN, "--accounts", "accounts") as daemon:
        yield daemon


@pytest.fixture
def page(browser: Browser, chat: Daemon) -> Iterator[Page]:
    """Opens windows; all close after the test, and have complained of nothing."""
    opened = Page(browser, chat.port(frontend="web"))
    try:
        yield opened
        assert complaints(opened.windows) == []
    finally:
        for window in opened.windows:
            window.close()


class Page:
    """Opens windows with the chat's page."""

    def __init__(self, browser: Browser, port: int) -> None:
        self.browser, self.port = browser, port
        self.address = f"http://127.0.0.1:{port}/"
        self.windows: list[Window] = []

    def open(self, query: str = "", size: tuple[int, int] = (1200, 800)) -> Window:
        window = self.browser.window(self.address + query, size)
        self.windows.append(window)
        return window

    def inside(self, nick: str, room: str, size: tuple[int, int] = (1200, 800)) -> Window:
        """Return a window of somebody who is in a room."""
        window = self.open(f"?nick={nick}&room={room}", size)
        window.until(f"document.querySelector('#room-title').textContent === '#{room}'")
        window.until("document.activeElement.id === 'say'")
        return window


def press_button(window: Window, words: str) -> None:
    """Press the button of the open dialog that says so."""
    buttons = "[...document.querySelectorAll('dialog button')]"
    window.until(f"{buttons}.some((it) => it.textContent.startsWith({words!r}))")
    window.run(f"{buttons}.find((it) => it.textContent.startsWith({words!r})).click()")


def say(window: Window, line: str) -> None:
    window.run("document.querySelector('#say').focus()")
    window.type(line)
    window.press("Enter")


@contextlib.contextmanager
def by_socketio(page: Page, nick: str) -> Iterator[subprocess.Popen[str]]:
    """Somebody in the lobby with the npm client of Socket.IO; its pipes say and hear."""
    script = str(NODE / "socketio_chat.js")
    command = [program("node"), script, page.address, nick, "lobby"]
    environment = {**os.environ, "NODE_PATH": str(packages())}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as client:
        try:
            yield client
        finally:
            client.kill()


def test_two_windows_an_nc_an_irssi_and_a_socketio_client_talk_in_one_room(
    page: Page, chat: Daemon, tmp_path: Path
) -> None:
    ann, bob = page.inside("ann", "lobby"), page.inside("bob", "lobby")
    ann.sees("bob joined", TRANSCRIPT)
    terminal = Terminal(tmp_path, *irssi(tmp_path / "home", chat.port(frontend="irc")))
    try:
        terminal.sees("Welcome to the socketsuite network")
        terminal.type("/join #lobby")
        ann.sees("ilse", "#members")
        nc_port = chat.port(frontend="lines")
        with chat.connect(port=nc_port) as nc, by_socketio(page, "sue") as sue:
            assert sue.stdin is not None
            assert sue.stdout is not None
            ann.sees("guest", "#members")
            ann.sees("sue", "#members")
            assert sue.stdout.readline() == "in\n"
            say(ann, "hello, all")
            assert read_line(nc) == b"-> <ann> hello, all\n"
            terminal.sees("ann.* hello, all")
            assert sue.stdout.readline() == "ann: hello, all\n"
            print("hello ann", file=sue.stdin, flush=True)
            ann.sees("hello ann", ".message.named")
            assert read_line(nc) == b"-> <sue> hello ann\n"
            bob.sees("hello, all", TRANSCRIPT)
            nc.sendall("grüße von nc\n".encode())
            ann.sees("grüße von nc", TRANSCRIPT)
            say(bob, "/me waves")
            assert read_line(nc) == b"-> * bob waves\n"
            terminal.sees(r"\* bob waves")
            ann.sees("bob waves", TRANSCRIPT)
            terminal.type("/me smiles at ann")
            ann.sees("ilse smiles at ann", ".message.named.emote")
            terminal.type("/msg ann alone?")
            ann.sees("ilse", "#places [data-place='@ilse']")
        ann.sees("is gone", TRANSCRIPT)
        assert ann.run("document.querySelectorAll('#transcript .message.own').length") == 1
    finally:
        terminal.end()


HOSTILE = (
    '<img src=x onerror="alert(1)"><script>alert(2)</script>&lt;b&gt;',
    "javascript:alert(1) https://evil.example@good.example/ data:text/html,x",
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    "safe\u202egnp.exe\u2066\u2069",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} %s %c </div></p>",
    "x" * 4096,
)


def test_nothing_that_is_said_is_more_than_text(page: Page, chat: Daemon) -> None:
    ann = page.inside("ann", "hostile", (320, 640))
    with WebPerson(page.port, "mallory") as mallory:
        mallory.done("join", room="hostile")
        for text in HOSTILE:
            mallory.done("say", room="hostile", text=text)
        mallory.done("say", room="hostile", text="<b>end</b>")
    ann.sees("<b>end</b>", TRANSCRIPT)
    texts = ann.run("[...document.querySelectorAll('#transcript .text')].map((e) => e.textContent)")
    assert texts[:2] == list(HOSTILE[:2])
    assert texts[2] == "^[[2J^[]0;title^G\\x9b31m"
    assert texts[3] == "safe\\u202egnp.exe\\u2066\\u2069"
    assert texts[4:6] == list(HOSTILE[4:])
    tags = "[...new Set([...document.querySelectorAll('#transcript *')].map((e) => e.localName))]"
    allowed = {"div", "p", "span", "button", "bdi", "time"}
    assert set(ann.run(tags)) <= allowed
    assert ann.run("document.documentElement.scrollWidth") <= 320


def test_the_page_may_make_no_markup_and_what_it_does_wrong_is_seen_here(
    browser: Browser, chat: Daemon
) -> None:
    window = browser.window(f"http://127.0.0.1:{chat.port(frontend='web')}/")
    window.until("document.activeElement.id === 'enter-nick'")
    with pytest.raises(BrowserError, match="requires 'TrustedHTML' assignment"):
        window.run("document.body.innerHTML = '<b>bold</b>'")
    window.run("document.body.setAttribute('style', 'color: red')")
    window.run("setTimeout(() => { throw Error('a fault of the page'); })")
    window.until("violations.some((one) => one.startsWith('style-src-attr'))")
    window.run("new Promise((done) => setTimeout(done))")  # after the fault
    found = "\n".join(complaints([window]))
    assert "style-src-attr inline" in found
    assert "a fault of the page" in found
    window.close()


def test_links_open_elsewhere_and_tell_nobody_where_from(page: Page) -> None:
    ann = page.inside("ann", "links")
    say(ann, "see (https://bücher.example/a_(b)), or mailto:ann@example.org.")
    ann.until("document.querySelectorAll('#transcript a').length === 2")
    found = ann.run(
        "[...document.querySelectorAll('#transcript a')].map((a) =>"
        " [a.textContent, a.protocol, a.rel, a.target])"
    )
    rel = "noopener noreferrer nofollow"
    assert found == [
        ["https://bücher.example/a_(b)", "https:", rel, "_blank"],
        ["mailto:ann@example.org", "mailto:", rel, "_blank"],
    ]


def test_private_words_are_a_conversation_of_their_own(page: Page) -> None:
    ann, bob = page.inside("ann", "private"), page.inside("bob", "private")
    say(ann, "/msg bob only you")
    ann.until("document.querySelector('#room-title').textContent === 'bob'")
    bob.until("document.querySelector('.count').textContent === '1 unread that mention you'")
    bob.until("document.title.startsWith('(1) ')")
    bob.click("#places [data-place='@ann'] .place")
    bob.sees("only you", TRANSCRIPT)
    bob.until("!document.title.startsWith('(')")
    assert bob.run("document.querySelectorAll('.line.new').length") == 1
    for _ in range(2):
        bob.press("ArrowUp", ALT)
    bob.until("document.querySelector('#room-title').textContent === 'ann'")
    assert bob.run("document.querySelectorAll('.line.new').length") == 0
    say(bob, "and you, ann")
    ann.sees("and you, ann", TRANSCRIPT)
    say(bob, "/nick bert")
    ann.until("document.querySelector('#room-title').textContent === 'bert'")
    assert "only you" not in ann.run(
        "[...chat.places.room('private').timeline.entries].map((e) => e.text).join()"
    )


def test_who_moderates_does_so_from_a_persons_card(page: Page) -> None:
    ann, bob = page.inside("ann", "moderated"), page.inside("bob", "moderated")
    ann.until("document.querySelectorAll('#members .person').length === 2")
    ann.click("#members section:nth-of-type(2) .person")
    ann.sees("127.0.0.1", "dialog")
    press_button(ann, "Mute")
    ann.sees("bob!*@* was muted by ann", TRANSCRIPT)
    say(bob, "may I?")
    bob.sees("Not sent. You may not speak here.", "#transcript .refused")
    ann.click("#settings")
    ann.click("dialog .listed button")
    bob.sees("unmuted", TRANSCRIPT)
    ann.press("Escape")
    bob.run("[...document.querySelectorAll('.refused button')][0].click()")
    ann.sees("may I?", TRANSCRIPT)
    say(ann, "/kick bob enough")
    bob.sees("You are not in #moderated any more", "#shut")
    bob.click("#shut button")
    bob.until("document.querySelector('#shut').hidden")


def test_the_rooms_rules_are_switches_and_the_servers_word_is_shown_beside_them(page: Page) -> None:
    ann, bob = page.inside("ann", "rules"), page.inside("bob", "rules")
    ann.click("#settings")
    ann.click("dialog .switch:nth-of-type(1) input")
    bob.sees("ann made the room moderated", TRANSCRIPT)
    ann.fill("dialog input[type=number]", "0")
    ann.run("document.querySelector('dialog input[type=number]').removeAttribute('min')")
    ann.press("Enter")
    ann.sees("A limit is a number from 1.", "dialog .problem")
    ann.press("Escape")
    ann.until("!document.querySelector('dialog') && document.activeElement.id === 'settings'")
    bob.click("#settings")
    bob.sees("Moderated", "dialog")
    assert bob.run("document.querySelectorAll('dialog [role=switch]').length") == 0
    bob.press("Escape")
    say(ann, "/invite-only on")
    bob.sees("for invited people only", TRANSCRIPT)
    carl = page.open("?nick=carl&room=rules")
    carl.sees("Only invited people may come in.", "body")
    say(ann, "/invite carl")
    carl.sees("ann invites you to #rules", "#invitations")
    carl.click("#invitations .primary")
    carl.until("document.querySelector('#room-title').textContent === '#rules'")


def test_logging_in_is_a_form_that_password_managers_know(page: Page) -> None:
    ann = page.inside("ann", "login")
    ann.click("#me")
    press_button(ann, "Log in")
    ann.until("document.querySelector('dialog [autocomplete=current-password]')")
    ann.fill("dialog [autocomplete=username]", "carol")
    ann.fill("dialog [autocomplete=current-password]", "chalk")
    ann.press("Enter")
    ann.sees("The password is another one, or there is no such account.", "dialog .problem")
    ann.fill("dialog [autocomplete=current-password]", "pencil")
    ann.press("Enter")
    ann.sees("logged in as carol", "#me")
    kept = ann.run("JSON.stringify({...sessionStorage, ...localStorage})")
    assert "pencil" not in kept
    assert "chalk" not in kept
    eve = page.open("?nick=carol")
    eve.sees("That nick is an account's; log in first.", "#entrance .problem")
    eve.fill("#enter-account", "carol")
    eve.fill("#enter-password", "pencil")
    eve.press("Enter")
    eve.until("document.querySelector('#room-title').textContent === '#lobby'")


def test_all_of_it_goes_by_the_keyboard(page: Page) -> None:
    ann, bob = page.inside("ann", "keys"), page.inside("bobby", "keys")
    ann.until("document.querySelectorAll('#members .person').length === 2")
    ann.type("bo")
    ann.press("Tab")
    ann.type("look")
    ann.press("Enter")
    bob.sees("bobby: look", TRANSCRIPT)
    ann.press("ArrowUp")
    assert ann.run("document.querySelector('#say').value") == "bobby: look"
    ann.run("document.querySelector('#say').value = ''")
    say(ann, "/join keys2")
    ann.until("document.querySelector('#room-title').textContent === '#keys2'")
    ann.press("ArrowUp", ALT)
    ann.until("document.querySelector('#room-title').textContent === '#keys'")
    ann.press("F6")
    ann.run("chat.people.draw()")  # somebody comes or goes: the focus stays where it is
    ann.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert ann.run("document.activeElement.className") == "person"
    ann.press("F6", SHIFT)
    areas = []
    for _ in range(5):
        ann.press("F6")
        areas.append(ann.run("document.activeElement.closest('nav, header, main, aside').id"))
    assert areas == ["people", "rooms", "bar", "talk", "talk"]
    ann.press("F6", SHIFT)
    assert ann.run("document.activeElement.id") == "transcript"
    ann.press("ArrowUp")
    assert ann.run("document.activeElement.innerText.includes('bobby: look')")
    ann.press("Delete")
    ann.until("document.querySelector('dialog .primary') === document.activeElement")
    ann.press("Enter")
    bob.sees("Taken back by ann", TRANSCRIPT)
    ann.until("!document.querySelector('dialog')")
    ann.press("Escape")
    assert ann.run("document.activeElement.id") == "say"


def test_several_lines_are_asked_for_before_they_are_said(page: Page) -> None:
    ann, bob = page.inside("ann", "lines"), page.inside("bob", "lines")
    ann.type("one\n\ntwo\n/three")
    ann.press("Enter")
    ann.sees("Send 3 messages?", "dialog")
    ann.press("Enter")
    bob.sees("/three", TRANSCRIPT)
    texts = bob.run("[...document.querySelectorAll('#transcript .text')].map((e) => e.textContent)")
    assert texts == ["one", "two", "/three"]
    ann.type("y" * 4097)
    ann.press("Enter")
    ann.sees("1 bytes too long", "#composer")
    assert len(ann.run("document.querySelector('#say').value")) == 4097


def test_what_is_typed_and_where_one_is_outlive_a_reload(page: Page) -> None:
    ann = page.inside("ann", "kept")
    say(ann, "/join kept2")
    ann.until("document.querySelector('#room-title').textContent === '#kept2'")
    ann.type("half a thou")
    ann.press("ArrowUp", ALT)
    ann.until("document.querySelector('#room-title').textContent === '#kept'")
    ann.type("/login carol pen")
    ann.call("Page.reload")
    ann.until("document.querySelector('#room-title').textContent === '#kept'")
    assert ann.run("document.querySelector('#say').value") == ""  # what may hold a password is not
    ann.press("ArrowDown", ALT)
    ann.until("document.querySelector('#say').value === 'half a thou'")
    assert ann.run("chat.places.me.nick") == "ann"


def test_a_screen_reader_is_told_what_comes_and_not_what_was(page: Page) -> None:
    with WebPerson(page.port, "mia") as mia:
        mia.done("join", room="read")
        mia.done("say", room="read", text="long ago")
        ann = page.inside("ann", "read")
        ann.sees("long ago", TRANSCRIPT)
        mia.done("say", room="read", text="just now")
        ann.sees("mia: just now", "#spoken")
    assert "long ago" not in ann.run("document.querySelector('#spoken').textContent")
    log = ann.run("(({role, ariaLive}) => [role, ariaLive])(document.querySelector('#spoken'))")
    assert log == ["log", "polite"]


def test_who_has_no_room_or_no_nick_for_it_is_told_where_that_was_said(page: Page) -> None:
    with WebPerson(page.port, "taken"):
        ann = page.open("?room=den")
        ann.fill("#enter-nick", "taken")
        ann.press("Enter")
        ann.sees("Somebody has that nick.", "#entrance .problem")
        ann.fill("#enter-nick", "9")
        ann.press("Enter")
        ann.sees("A nick begins with a letter.", "#entrance .problem")
        ann.fill("#enter-nick", "")
        ann.press("Enter")
        ann.until("document.querySelector('#room-title').textContent === '#den'")
        assert json.loads(ann.run("JSON.stringify(chat.places.me.nick)")).startswith("guest")
