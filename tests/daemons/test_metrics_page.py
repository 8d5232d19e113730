"""/metrics and /health as HTTP has it: HEAD, other methods, other paths; nothing of it logged."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from socketsuite.testing import Daemon
from tests.daemons.conftest import Start
from tests.daemons.outside import SECONDS


@pytest.fixture
def daemon(serve: Start) -> Daemon:
    return serve("acme-rot13", "--metrics-port", "0")


@pytest.fixture
def browser(daemon: Daemon) -> Iterator[http.client.HTTPConnection]:
    port = int(daemon.wait_for_line(r"metrics http://127\.0\.0\.1:(\d+)/metrics")[1])
    made = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    yield made
    made.close()


Answer = tuple[int, dict[str, str], bytes]


def answer(browser: http.client.HTTPConnection, method: str, path: str) -> Answer:
    browser.request(method, path)
    came = browser.getresponse()
    headers = {name.lower(): value for name, value in came.getheaders()}
    headers.pop("date")
    return came.status, headers, came.read()


@pytest.mark.parametrize("path", ["/health", "/metrics", "/nothing"])
def test_head_is_answered_with_the_headers_alone(
    daemon: Daemon, browser: http.client.HTTPConnection, path: str
) -> None:
    before = len(daemon.lines)
    status, headers, body = answer(browser, "GET", path)
    assert int(headers.pop("content-length")) == len(body) > 0
    # On the same connection, where a body would be read as the next answer.
    for _ in range(2):
        status_now, headers_now, nothing = answer(browser, "HEAD", path)
        assert int(headers_now.pop("content-length")) > 0
        assert (status_now, headers_now, nothing) == (status, headers, b"")
    assert answer(browser, "GET", path)[0] == status
    daemon.stop()
    assert "HEAD" not in daemon.log
    ours = ("SIGTERM", "draining", "stopped", "(TCP")
    assert [line for line in daemon.lines[before:] if not any(word in line for word in ours)] == []


@pytest.mark.parametrize("path", ["/health", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_another_method_is_405_with_those_that_are_allowed(
    browser: http.client.HTTPConnection, method: str, path: str
) -> None:
    status, headers, body = answer(browser, method, path)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert int(headers["content-length"]) == len(body)
    assert answer(browser, "GET", path)[0] == 200


def test_another_path_is_404(browser: http.client.HTTPConnection) -> None:
    for path in ("/", "/metricsx", "/health/more"):
        assert answer(browser, "GET", path)[0] == 404
    assert answer(browser, "GET", "/health/?x=1")[0] == 200
