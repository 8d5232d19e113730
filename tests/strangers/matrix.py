"""Every factory that is tried, and the table of them: ``python -m tests.strangers.matrix``.

The table says what the tests try: a cell that is not right fails its test.
"""

from __future__ import annotations

from pathlib import Path

from tests.strangers import (
    autobahn_echo,
    ftp,
    interfaces,
    irc,
    klein_app,
    mail,
    manhole,
    names,
    relays,
    remote,
    web,
    wormhole,
    wrappers,
)
from tests.strangers.subject import LISTENERS, TRANSPORTS, Stranger

ROOT = Path(__file__).parents[2]

FAMILIES: dict[str, tuple[Stranger, ...]] = {
    "web": (web.SITE,),
    "klein": (klein_app.KLEIN,),
    "ftp": (ftp.FTP,),
    "mail": (mail.SMTP, mail.POP3),
    "irc": (irc.IRC,),
    "manhole": (manhole.SSH, manhole.TELNET),
    "names": (names.DNS,),
    "relays": (relays.SOCKS, relays.FORWARD),
    "remote": (remote.AMP, remote.PB),
    "autobahn": (autobahn_echo.AUTOBAHN,),
    "wormhole": (wormhole.MAILBOX, wormhole.RELAY),
    "wrappers": wrappers.WRAPPERS,
    "interfaces": (interfaces.DESCRIPTORS, interfaces.HANDSHAKE, interfaces.NEGOTIATED),
}

_BEGIN = "<!-- begin: written by make docs from tests/strangers -->\n"
_END = "<!-- end -->\n"
_HEADINGS = {"tcp": "TCP", "tls": "TLS", "unix": "Unix", "proxy": "PROXY"}


def table() -> str:
    """Return the table in Markdown."""
    heads = ("factory", "clients", *(_HEADINGS[kind] for kind in LISTENERS), "drained", "remarks")
    rows = [heads, ("---",) * len(heads)]
    for family in FAMILIES.values():
        rows += [_row(one) for one in family]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _row(one: Stranger) -> tuple[str, ...]:
    cells = [_cell(one, kind) for kind in LISTENERS]
    remarks = [one.note] if one.note else []
    reasons: dict[str, list[str]] = {}
    for kind, reason in one.absent.items():
        reasons.setdefault(reason, []).append(_HEADINGS[kind])
    for (transport, kind), fault in one.faults.items():
        where = _HEADINGS[kind] + ("" if transport == "*" else f" on {transport}")
        reasons.setdefault(fault.reason, []).append(where)
    remarks += [f"{', '.join(where)}: {reason}" for reason, where in reasons.items()]
    drained = one.drained if one.transfer else "–"
    return (one.factory, one.clients, *cells, drained, "; ".join(remarks))


def _cell(one: Stranger, kind: str) -> str:
    if kind in one.absent:
        return "–"
    faulty = {transport for transport, each in one.faults if each == kind}
    works = [each for each in TRANSPORTS if not faulty & {each, "*"}]
    if works == list(TRANSPORTS):
        return "yes"
    return f"{' and '.join(works)} only" if works else "no"


def written(page: str) -> str:
    """Return *page* with the table as it is now."""
    head, _, rest = page.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    return f"{head}{_BEGIN}\n{table()}\n{_END}{tail}"


def main() -> None:
    """Write the table into docs/extending.md."""
    page = ROOT / "docs" / "extending.md"
    page.write_text(written(page.read_text()))


if __name__ == "__main__":
    main()
