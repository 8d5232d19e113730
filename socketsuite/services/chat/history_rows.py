"""The tables of the history's file, and what is read from them and written to them.

Nothing in a file is trusted: a row that this module would not have written raises ``ValueError``.
It must not know how the file is opened, nor when anything is written.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from socketsuite.services.chat.events import Kind, Message, cuts_of
from socketsuite.services.chat.history import HistoryLimits, size_of
from socketsuite.services.chat.history_path import APPLICATION, VERSION
from socketsuite.services.chat.kept import KeptRoom, RoomState
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.room import FLAGS, LISTS, MOST_MASKS
from socketsuite.wire.names import checked_room

_TABLES = (
    """CREATE TABLE rooms (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL,
    place INTEGER NOT NULL, topic TEXT NOT NULL, topic_by TEXT NOT NULL, topic_at REAL NOT NULL,
    modes TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE messages (
    room TEXT NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL, time REAL NOT NULL,
    nick TEXT NOT NULL, mask TEXT NOT NULL, account TEXT, named INTEGER NOT NULL,
    kind TEXT NOT NULL, text BLOB NOT NULL, PRIMARY KEY (room, place)
) STRICT, WITHOUT ROWID""",
)
_KINDS = get_args(Kind)


def create(path: Path) -> None:
    """Make the tables in the empty file at *path*; all of it is in the file itself then."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript(
            "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=FULL; BEGIN;"
            f" PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};"
            f" {'; '.join(_TABLES)}; COMMIT; PRAGMA journal_mode=WAL;"
        )
    finally:
        database.close()


def check_schema(database: sqlite3.Connection) -> None:
    """See that the file has these tables, whose columns have their types, and nothing else.

    :raises ValueError: when it has not.
    """
    found = {sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema")}
    if found != set(_TABLES):
        raise ValueError("its tables are others")


# ── reading ─────────────────────────────────────────────────────────────────────────


def rooms(database: sqlite3.Connection) -> Iterator[RoomState]:
    """Yield the rooms, the last used one first.

    :raises ValueError: for a row that is none of ours.
    """
    query = (
        "SELECT key, name, created, used, place, topic, topic_by, topic_at, modes"
        " FROM rooms ORDER BY used DESC, key"
    )
    for key, name, created, used, place, topic, by, at, modes in database.execute(query):
        if checked_room(name) != name or key_of(name) != key or place < 0:
            raise ValueError(f"room {name!r}")
        if not all(map(math.isfinite, (created, used, at))):
            raise ValueError(f"the times of room {name!r}")
        yield RoomState(key, name, created, used, place, topic, by, at, **_modes(json.loads(modes)))


def count_rooms(database: sqlite3.Connection) -> int:
    """Return how many rooms there are."""
    (count,) = database.execute("SELECT count(*) FROM rooms").fetchone()
    return int(count)


def _modes(found: Any) -> dict[str, Any]:
    flags, password, limit = found["flags"], found["key"], found["limit"]
    lists = tuple(
        (letter, tuple((str(mask), str(by), float(at)) for mask, by, at in entries))
        for letter, entries in found["lists"].items()
    )
    if not isinstance(flags, str):
        raise TypeError("a room's flags")
    if not (set(flags) <= set(FLAGS) and {letter for letter, _ in lists} <= set(LISTS)):
        raise ValueError("a room's modes")
    if not isinstance(password, str | None) or not isinstance(limit, int | None):
        raise ValueError("a room's modes")
    if sum(len(entries) for _, entries in lists) > MOST_MASKS:
        raise ValueError("a room's lists")
    return {"flags": flags, "password": password, "limit": limit, "lists": lists}


def messages(
    database: sqlite3.Connection, state: RoomState, limits: HistoryLimits, oldest: float
) -> tuple[tuple[Message, ...], int]:
    """Return the last messages of a room within the limits, the oldest first, and their size.

    :raises ValueError: for a row that is none of ours.
    """
    query = (
        "SELECT place, id, time, nick, mask, account, named, kind, text FROM messages"
        " WHERE room = ? ORDER BY place DESC LIMIT ?"
    )
    found: list[Message] = []
    size = lines = 0
    for place, number, at, nick, mask, account, named, kind, text in database.execute(
        query, (state.key, limits.lines)
    ):
        cuts = cuts_of(text) if b"\n" in text else ()
        message = Message(
            number, place, at, state.name, nick, mask, account, bool(named), kind, text, cuts=cuts
        )
        known = kind in _KINDS and 0 < place <= state.order and math.isfinite(at)
        if not known or b"\r" in text:
            raise ValueError(f"message {place} of room {state.name!r}")
        size += size_of(message)
        lines += 1 + len(cuts)
        if size > limits.size or lines > limits.lines or at < oldest:
            size -= size_of(message)
            break
        found.append(message)
    return tuple(reversed(found)), size


def delete_beyond(database: sqlite3.Connection, kept: Sequence[KeptRoom]) -> None:
    """Delete all that is not *kept*."""
    database.execute("CREATE TEMP TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, first INTEGER)")
    database.execute("DELETE FROM kept")
    database.executemany(
        "INSERT INTO kept VALUES (?, ?)",
        [
            (one.state.key, one.messages[0].order if one.messages else one.state.order + 1)
            for one in kept
        ],
    )
    database.execute("DELETE FROM rooms WHERE key NOT IN (SELECT key FROM kept)")
    database.execute("DELETE FROM messages WHERE room NOT IN (SELECT key FROM kept)")
    database.execute("DELETE FROM messages WHERE place < (SELECT first FROM kept WHERE key = room)")


# ── writing ─────────────────────────────────────────────────────────────────────────


def apply(
    database: sqlite3.Connection,
    *,
    forgotten: Iterable[str],
    states: Iterable[RoomState],
    said: Collection[tuple[str, Message]],
    evicted: Mapping[str, int],
    removed: Iterable[tuple[str, int]],
) -> None:
    """Write changes down, in the order of the parameters; rooms are named by their keys."""
    for key in forgotten:
        database.execute("DELETE FROM messages WHERE room = ?", (key,))
        database.execute("DELETE FROM rooms WHERE key = ?", (key,))
    database.executemany(
        "INSERT INTO rooms VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
        " name = excluded.name, created = excluded.created, used = max(used, excluded.used),"
        " place = max(place, excluded.place), topic = excluded.topic,"
        " topic_by = excluded.topic_by, topic_at = excluded.topic_at, modes = excluded.modes",
        map(_room_row, states),
    )
    database.executemany(
        "INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_message_row(key, message) for key, message in said],
    )
    last = {key: (message.order, message.time, key) for key, message in said}
    database.executemany(
        "UPDATE rooms SET place = max(place, ?), used = max(used, ?) WHERE key = ?", last.values()
    )
    database.executemany(
        "DELETE FROM messages WHERE room = ? AND place <= ?", list(evicted.items())
    )
    # A message that came and went in between has had its place, too.
    database.executemany(
        "UPDATE rooms SET place = max(place, ?2) WHERE key = ?1", list(evicted.items())
    )
    database.executemany("DELETE FROM messages WHERE room = ? AND place = ?", list(removed))


def _room_row(state: RoomState) -> tuple[Any, ...]:
    modes = {
        "flags": state.flags,
        "key": state.password,
        "limit": state.limit,
        "lists": dict(state.lists),
    }
    return (
        state.key,
        state.name,
        state.created,
        state.used,
        state.order,
        _text(state.topic),
        _text(state.topic_by),
        state.topic_at,
        json.dumps(modes),
    )


def _message_row(key: str, message: Message) -> tuple[Any, ...]:
    return (
        key,
        message.order,
        message.id,
        message.time,
        _text(message.nick),
        _text(message.mask),
        None if message.account is None else _text(message.account),
        message.named,
        message.kind,
        bytes(message.text),
    )


def _text(text: str) -> str:
    """Return *text* as UTF-8 can have it: half a surrogate pair becomes ``?``."""
    return text.encode("utf-8", "replace").decode()
