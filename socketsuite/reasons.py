"""Why a connection was closed, or a peer refused: every reason there is, declared once.

A reason is a label, one of the fixed set below, by which it is counted, and perhaps a
detail, in words for the log.  The log, the metrics, the status and ``docs/operations.md``
all name a reason by its label.  This module must not know who gives a reason, nor when.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

CLOSED: dict[str, str] = {}
"""The labels of connections that were let in and are over, each with its meaning."""

REFUSED: dict[str, str] = {}
"""The labels of peers that were not let in, and of datagrams, each with its meaning.

Behind a proxy a connection is open before it is let in, and may end then for nearly any
reason; so most labels are in both tables.
"""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something ended, or never began.

    :ivar label: lower case, with underscores; one of :data:`CLOSED` or :data:`REFUSED`.
    :ivar detail: what else there is to say; never bytes of the peer's.
    """

    label: str
    detail: str | None = None

    def because(self, detail: str) -> Reason:
        """Return the same reason with *detail*."""
        return replace(self, detail=detail)


def _closed(label: str, meaning: str) -> Reason:
    CLOSED[label] = meaning
    return Reason(label)


def _refused(label: str, meaning: str) -> Reason:
    REFUSED[label] = meaning
    return Reason(label)


def _either(label: str, meaning: str) -> Reason:
    _refused(label, meaning)
    return _closed(label, meaning)


# ── ordinary ends ───────────────────────────────────────────────────────────────────────

CLOSED_BY_PEER = _either("closed_by_peer", "an ordinary end")
CLOSED_BY_SERVICE = _either("closed_by_service", "an ordinary end")
LOST = _either("lost", "reset by the peer, or the network")
ABORTED_BY_SERVICE = _either("aborted_by_service", "the service itself cut it off")
ERROR_IN_PROTOCOL = _either("error_in_protocol", "a bug; the traceback is in the log above")
DECLINED = _either(
    "declined", "the service made no protocol for it; if its factory raised, the log says so above"
)

# ── the operator ────────────────────────────────────────────────────────────────────────

DRAINED = _either("drained", "the daemon was ending, and the service finished it")
DRAIN_TIMEOUT = _either("drain_timeout", "the daemon was ending: `--drain-timeout` was over")
STOPPED = _either("stopped", "the daemon was ending: a second signal came")
CLOSED_BY_OPERATOR = _either("closed_by_operator", "through the admin socket")

# ── who may connect ─────────────────────────────────────────────────────────────────────

DENY = _either("deny", "`--deny` names its network; `@FILE` is read again on reload")
ALLOW = _either("allow", "`--allow` does not name its network; `@FILE` is read again on reload")
MAX_CONNECTIONS = _refused("max_connections", "that flag")
MAX_CONNECTIONS_PER_HOST = _refused(
    "max_connections_per_host", "that flag; an IPv6 /64 is one host"
)
MAX_RATE_PER_HOST = _refused("max_rate_per_host", "that flag; an IPv6 /64 is one host")
NO_DESCRIPTORS = _refused(
    "no_descriptors", "callers wait: the process has no more file descriptors (`LimitNOFILE=`)"
)
NO_MEMORY = _refused("no_memory", "callers wait: the kernel has no memory for their sockets")

# ── a PROXY header ──────────────────────────────────────────────────────────────────────

PROXY_FROM = _refused("proxy_from", "the caller is not a proxy that `--proxy-from` names")
BAD_PROXY_HEADER = _refused(
    "bad_proxy_header", "the proxy sends none: `send-proxy` or `send-proxy-v2` in HAProxy"
)
PROXY_HEADER_TIMEOUT = _refused("proxy_header_timeout", "likewise: nothing, or a part of one")

# ── datagrams ───────────────────────────────────────────────────────────────────────────

SOURCE_PORT = _refused(
    "source_port", "UDP: `--udp-source-ports`: a server's port, with which a loop could begin; or 0"
)
MULTICAST_SOURCE = _refused("multicast_source", "UDP: no host has such an address")
BROADCAST_SOURCE = _refused("broadcast_source", "UDP: no host has such an address")
UNSPECIFIED_SOURCE = _refused("unspecified_source", "UDP: no host has such an address")
RATE = _refused("rate", "UDP: `--udp-rate`; an IPv6 /64 is one host")

# ── time and queues ─────────────────────────────────────────────────────────────────────

IDLE_TIMEOUT = _either("idle_timeout", "that flag")
FIRST_BYTE_TIMEOUT = _either("first_byte_timeout", "that flag")
HANDSHAKE_TIMEOUT = _closed("handshake_timeout", "that flag")
WRITE_TIMEOUT = _closed("write_timeout", "the peer took nothing for `--write-timeout` seconds")
USER_TIMEOUT = _either(
    "user_timeout",
    "the peer's machine acknowledged nothing for `--user-timeout` seconds: it is gone",
)
SEND_QUEUE_FULL = _closed(
    "send_queue_full", "the peer does not read: `--send-queue`, `--send-queue-soft`"
)
TOTAL_SEND_QUEUE_FULL = _closed(
    "total_send_queue_full",
    "the process had more than `--total-send-queue` waiting; the largest go first",
)

# ── TLS ─────────────────────────────────────────────────────────────────────────────────

HANDSHAKE_FAILED = _closed("handshake_failed", "TLS: the detail is OpenSSL's reason")
CLOSED_IN_MID_STREAM = _closed("closed_in_mid_stream", "TLS: an end without the close alert")
TLS_ERROR = _closed("tls_error", "TLS, after the handshake: the detail is OpenSSL's reason")
