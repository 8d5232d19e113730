"""What a server allows and for how long it waits, each with its limit.

A program gives ``Options(ping_interval=10)``; a service of the suite makes them settings of its
own by ``settings_table(Options)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from socketsuite.settings import setting

TransportName = Literal["polling", "websocket"]
MILLION = 1_000_000


@dataclass(eq=False)
class EngineOptions:
    """What holds for sessions of Engine.IO.  Times are in seconds, sizes in bytes."""

    ping_interval: float = setting(
        25.0, "seconds between two pings", minimum=0.01, maximum=86_400, unit="seconds"
    )
    ping_timeout: float = setting(
        20.0, "seconds for the answer to a ping", minimum=0.01, maximum=86_400, unit="seconds"
    )
    upgrade_timeout: float = setting(
        10.0, "seconds for an upgrade to WebSocket", minimum=0.01, unit="seconds"
    )
    close_timeout: float = setting(
        5.0, "seconds for a closed client's last poll", minimum=0.01, unit="seconds"
    )
    transports: tuple[TransportName, ...] = setting(
        ("polling", "websocket"), "how clients may connect; may be repeated"
    )
    allow_origin: tuple[str, ...] = setting(
        (), "whose pages may connect besides our own, such as https://example.com, or *"
    )
    bind_address: bool = setting(True, "a session's requests must come from one address")
    max_payload: int = setting(MILLION, "bytes of a message or of a POST", minimum=1_000)
    max_payload_packets: int = setting(10_000, "packets in one POST", minimum=1)
    max_sessions: int = setting(10_000, "sessions at a time", minimum=1)
    max_sessions_per_address: int = setting(
        256, "sessions at a time from one address (an IPv6 /64 is one)", minimum=1
    )
    max_queue_bytes: int = setting(2 * MILLION, "bytes that wait for a client", minimum=1_000)
    max_queue_packets: int = setting(10_000, "packets that wait for the next poll", minimum=1)


@dataclass(eq=False)
class Options(EngineOptions):
    """All that a :class:`Server` can be told.  Times are in seconds, sizes in bytes."""

    connect_timeout: float = setting(
        45.0, "seconds for a session to enter a namespace", minimum=0.01, unit="seconds"
    )
    max_namespaces: int = setting(16, "namespaces that one session may be in", minimum=1)
    max_rooms: int = setting(1_000, "rooms that one socket may be in", minimum=1)
    max_event_name: int = setting(256, "characters of an event's name", minimum=1)
    max_arguments: int = setting(64, "arguments of an event or an acknowledgement", minimum=1)
    max_depth: int = setting(32, "arrays and objects inside each other", minimum=1, maximum=200)
    max_attachments: int = setting(64, "binary attachments of a packet", minimum=0, maximum=999)
    max_attachment_bytes: int = setting(2 * MILLION, "bytes of a packet's attachments", minimum=1)
    attachments_timeout: float = setting(
        10.0, "seconds for a packet's attachments", minimum=0.01, unit="seconds"
    )
    max_unanswered: int = setting(
        1_000, "events of one socket that wait for their answer, each way", minimum=1
    )
    recovery: float = setting(
        0.0, "seconds in which a lost client may come back to its state; 0: never", unit="seconds"
    )
    max_recovery_packets: int = setting(10_000, "packets kept for lost clients", minimum=1)
    max_recovery_bytes: int = setting(16 * MILLION, "bytes of them", minimum=1_000)
    max_recovery_sockets: int = setting(10_000, "lost clients that are remembered", minimum=1)
