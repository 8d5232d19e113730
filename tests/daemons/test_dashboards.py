"""etc/alerts.yml and etc/grafana.json: promtool accepts them, and every figure in them exists."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from socketsuite.reasons import CLOSED, REFUSED
from tests.daemons.conftest import Start
from tests.support.admin import page
from tests.support.peers import program

ETC = Path(__file__).parents[2] / "etc"
ALERTS = (ETC / "alerts.yml").read_text()
DASHBOARD: dict[str, Any] = json.loads((ETC / "grafana.json").read_text())
# What Grafana puts in before it asks.
VARIABLES = {
    "$__rate_interval": "5m",
    "$instance": ".*",
    "$service": ".*",
    "$frontend": ".*",
}


def queries() -> Iterator[str]:
    """Yield every query of the dashboard, as Prometheus gets it."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            text = target["expr"]
            for variable, value in VARIABLES.items():
                text = text.replace(variable, value)
            yield text


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program("promtool"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_promtool_finds_no_fault_with_the_alerts() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", ETC / "alerts.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {ALERTS.count('- alert: ')} rules found" in done.stdout


def test_promtool_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(queries())]
    assert rules
    file = tmp_path / "queries.yml"  # JSON is YAML, too
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [text for text in queries() if "$" in text]


# A day before a certificate's end, 95 of 100 connections, 90 of 100 bytes; b has no limit.
SERIES = {
    'socketsuite_certificate_expiry_timestamp_seconds{service="a"}': "86400x60",
    'socketsuite_certificate_expiry_timestamp_seconds{service="b"}': "9000000000x60",
    'socketsuite_connections_open{service="a",frontend="irc",transport="tcp"}': "60x60",
    'socketsuite_connections_open{service="a",frontend="web",transport="tls"}': "35x60",
    'socketsuite_connections_open{service="b",frontend="main",transport="tcp"}': "95x60",
    'socketsuite_limit_connections{service="a"}': "100x60",
    'socketsuite_limit_connections{service="b"}': "0x60",
    'socketsuite_send_queue_bytes{service="a",frontend="irc"}': "30x60",
    'socketsuite_send_queue_bytes{service="a",frontend="web"}': "20x60",
    'socketsuite_send_queue_bytes{service="b",frontend="main"}': "40x60",
    "socketsuite_limit_total_send_queue_bytes": "100x60",
    'socketsuite_health_check{service="a",check="disk"}': "0x60",
    'socketsuite_health_check{service="b",check="disk"}': "1x60",
    'socketsuite_refusals_total{service="a",frontend="irc",reason="no_descriptors"}': "0x60",
}
FIRED = {
    "CertificateExpires": ("a", "a: the certificate expires in 23h 30m 0s"),
    "CertificateExpired": None,
    "NearlyFull": ("a", "a: nine tenths of --max-connections are open"),
    "PeersDoNotRead": (None, ": 90B wait for peers that do not read"),
    "HealthCheckFails": ("a", "a: the check disk fails"),
    "NoDescriptors": None,
    "ManyRefused": None,
}


def test_the_alerts_fire_for_what_is_wrong_and_for_nothing_else(tmp_path: Path) -> None:
    described = dict(re.findall(r"- alert: Socketsuite(\w+)(.*?)(?=- alert|\Z)", ALERTS, re.S))
    expected = []
    for alert, fired in FIRED.items():
        alerts = []
        if fired is not None:
            service, summary = fired
            labels = {"severity": "warning", **({"service": service} if service else {})}
            if alert == "HealthCheckFails":
                labels |= {"severity": "critical", "check": "disk"}
            annotations = {"summary": summary}
            for text in re.findall(r'description: "(.*)"', described[alert]):
                annotations["description"] = text
            alerts = [{"exp_labels": labels, "exp_annotations": annotations}]
        name = f"Socketsuite{alert}"
        expected.append({"alertname": name, "eval_time": "30m", "exp_alerts": alerts})
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    tests = [{"interval": "1m", "input_series": series, "alert_rule_test": expected}]
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(ETC / "alerts.yml")], "tests": tests}))
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


CHECKED = """
class make(Plain):
    def health(self):
        return {"disk": True}
"""


@pytest.fixture
def shown(stranger: Start, tmp_path: Path) -> str:
    """The page of a daemon that has served, with all that it can show."""
    leaf = trustme.CA().issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    options = ("--tls-cert", str(tmp_path / "cert.pem"), "--metrics-port", "0")
    daemon = stranger(CHECKED, "--port", "0", *options).wait_until_ready()
    return page(daemon, "/metrics")[1]


# By Prometheus, not by the daemon.
SCRAPED = {"instance", "job", "le"}


def test_every_figure_and_label_that_is_asked_for_is_on_a_real_page(shown: str) -> None:
    labels: dict[str, set[str]] = {}
    for name, said in re.findall(r"^(\w+)(\{.*\})? \S+$", shown, re.M):
        labels.setdefault(name, set()).update(re.findall(r"(\w+)=", said))
    asked = [*queries(), *re.findall(r"expr: (.*(?:\n {10,}.*)*)", ALERTS)]
    asked += [one["definition"] for one in DASHBOARD["templating"]["list"] if "definition" in one]
    seen = 0
    for text in asked:
        for name, said in re.findall(r"\b((?:socketsuite|process)_\w+)(\{.*?\})?", text):
            seen += 1
            assert name in labels, text
            assert set(re.findall(r"(\w+)=", said)) <= labels[name] | SCRAPED, text
        for words in re.findall(r'reason=~?"(.*?)"', text):
            assert set(words.split("|")) <= {*CLOSED, *REFUSED}, text
    assert seen >= len(asked)


def test_the_panels_of_the_dashboard_have_places_and_numbers_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels]
    assert len(set(places)) == len(panels)
