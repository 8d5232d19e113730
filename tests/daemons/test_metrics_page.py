"""The pages of the metrics port as HTTP has it, and what is on them; nothing of it logged."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from socketsuite.testing import Daemon
from tests.daemons.conftest import Start
from tests.support.admin import figures, page
from tests.support.outside import SECONDS
from tests.support.peers import program


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon of which the pages are read; in its log, all that they have caused."""
    folder = tmp_path_factory.mktemp("pages")
    with Daemon(folder, "acme-rot13", "--port", "0", "--metrics-port", "0") as made:
        yield made
        made.stop()
        ours = ("SIGTERM", "draining", "stopped", "(TCP")
        behind = made.log.partition("socketsuite ready")[2].splitlines()[1:]
        assert [line for line in behind if not any(word in line for word in ours)] == []


@pytest.fixture
def browser(daemon: Daemon) -> Iterator[http.client.HTTPConnection]:
    port = int(daemon.wait_for_line(r"metrics http://127\.0\.0\.1:(\d+)/metrics")[1])
    made = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    yield made
    made.close()


Answer = tuple[int, dict[str, str], bytes]


def answer(browser: http.client.HTTPConnection, method: str, path: str, **headers: str) -> Answer:
    browser.request(method, path, headers=headers)
    came = browser.getresponse()
    fields = {name.lower(): value for name, value in came.getheaders()}
    fields.pop("date")
    return came.status, fields, came.read()


@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/nothing"])
def test_head_is_answered_with_the_headers_alone(
    browser: http.client.HTTPConnection, path: str
) -> None:
    status, headers, body = answer(browser, "GET", path)
    assert int(headers.pop("content-length")) == len(body) > 0
    # On the same connection, where a body would be read as the next answer.
    for _ in range(2):
        status_now, headers_now, nothing = answer(browser, "HEAD", path)
        assert int(headers_now.pop("content-length")) > 0
        assert (status_now, headers_now, nothing) == (status, headers, b"")
    assert answer(browser, "GET", path)[0] == status


@pytest.mark.parametrize("path", ["/", "/health", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_another_method_is_405_with_those_that_are_allowed(
    browser: http.client.HTTPConnection, method: str, path: str
) -> None:
    status, headers, body = answer(browser, method, path)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert int(headers["content-length"]) == len(body)
    assert answer(browser, "GET", path)[0] == 200


def test_another_path_is_404(browser: http.client.HTTPConnection) -> None:
    for path in ("/x", "/metricsx", "/health/more"):
        assert answer(browser, "GET", path)[0] == 404
    assert answer(browser, "GET", "/health/?x=1")[0] == 200


def test_the_page_at_the_root_links_to_all_others(browser: http.client.HTTPConnection) -> None:
    status, headers, body = answer(browser, "GET", "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = re.findall(r'href="([^"]*)"', body.decode())
    assert links == ["/metrics", "/health"]
    for link in links:
        assert answer(browser, "GET", link)[0] == 200


PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize("accept", [PROMETHEUS, "application/openmetrics-text"])
def test_openmetrics_is_there_for_who_asks_for_it(
    browser: http.client.HTTPConnection, accept: str
) -> None:
    status, headers, body = answer(browser, "GET", "/metrics", Accept=accept)
    assert status == 200
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0;")
    families = list(openmetrics.text_string_to_metric_families(body.decode()))
    assert "socketsuite_refusals" in {family.name for family in families}


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain",
        "application/openmetrics-text;version=a",
        "application/openmetrics-text;version=2.x",
        "application/openmetrics-text;version=" + "9" * 5000,
        "text/plain;version=1.0.0\xa0;version",
        ",;=,;,",
    ],
)
def test_everybody_else_is_answered_in_the_text_format(
    browser: http.client.HTTPConnection, accept: str
) -> None:
    status, headers, body = answer(browser, "GET", "/metrics", Accept=accept)
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert list(text_string_to_metric_families(body.decode()))


@pytest.mark.parametrize("service", ["acme-rot13", "socketsuite-chat", "socketsuite-accumulator"])
def test_promtool_finds_no_fault_with_the_page(serve: Start, service: str) -> None:
    daemon = serve(service, "--metrics-port", "0")
    with daemon.connect():
        daemon.wait_for_line(" connected ")
    daemon.wait_for_line(" closed ")
    _, text = page(daemon, "/metrics")
    command = [program("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_limits_are_shown_and_follow_a_reload(serve: Start, tmp_path: Path) -> None:
    file = tmp_path / "rot13.toml"
    file.write_text("max-connections = 7\nsend-queue = '3M'\n")
    daemon = serve("acme-rot13", "--config", str(file), "--metrics-port", "0")
    of = '{service="acme-rot13"}'
    shown = figures(daemon)
    assert shown[f"socketsuite_limit_connections{of}"] == 7
    assert shown[f"socketsuite_limit_send_queue_bytes{of}"] == 3 << 20
    assert shown["socketsuite_limit_total_send_queue_bytes"] == 256 << 20
    file.write_text("max-connections = 8\nsend-queue = '3M'\n")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_for_line(" reloaded")
    assert figures(daemon)[f"socketsuite_limit_connections{of}"] == 8


def test_a_daemon_without_tls_shows_no_certificate(daemon: Daemon) -> None:
    assert not [name for name in figures(daemon) if name.startswith("socketsuite_certificate")]


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_the_end_of_a_certificate_is_shown_and_that_of_a_renewed_one_after_a_reload(
    serve: Start, tmp_path: Path, transport: str
) -> None:
    authority, file = trustme.CA(), tmp_path / "cert.pem"
    name = 'socketsuite_certificate_expiry_timestamp_seconds{service="acme-rot13"}'
    options = ("--transport", transport, "--metrics-port", "0", "--tls-cert", str(file))
    daemon = None
    for days in (3, 90):
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        leaf = authority.issue_cert("localhost", not_after=end)
        leaf.private_key_and_cert_chain_pem.write_to_path(str(file))
        if daemon is None:
            daemon = serve("acme-rot13", *options)
        else:
            daemon.send_signal(signal.SIGHUP)
            daemon.wait_for_line(" reloaded")
        assert figures(daemon)[name] == end.timestamp()
