"""Which agents work on a machine, as it tells the others (docs/protocol/gossip.md §6).

Of a session only its id, which is a hash, names and times. The list is cut to its bounds here, before it is signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, encode
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import parse_workspace

__all__ = ["OpenSession", "SessionsRecord", "check_sessions", "fitting"]

_ID_BYTES = 32
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_MACHINE = "m" * 50


class OpenSession(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One session. Times are the wall clock of its machine; ``workspace`` is empty for the machine itself."""

    id: bytes
    workspace: str
    client: str
    active_ms: int
    expires_ms: int


class SessionsRecord(Record, frozen=True, kw_only=True):
    """A machine's signed word on its open sessions; the newest by (start, counter) counts. ``more``: not listed."""

    machine: str
    start: int
    counter: int
    sessions: list[OpenSession]
    more: int = 0


def fitting(sessions: Iterable[OpenSession]) -> tuple[list[OpenSession], int]:
    """The sessions that fit into a record, the last used first; and how many do not."""
    found = sorted(sessions, key=lambda session: (-session.active_ms, session.id))
    taken = found[: limits.SESSIONS_TOLD_MAX]
    while taken and _size(taken) > limits.SESSIONS_RECORD_BYTES_MAX:
        taken.pop()
    return taken, len(found) - len(taken)


def check_sessions(record: SessionsRecord) -> None:
    """Bounds of a list from elsewhere.

    Raises:
        MalformedError: too many, or one that no honest node tells of.
    """
    if len(record.sessions) > limits.SESSIONS_TOLD_MAX:
        raise MalformedError(f"{record.machine} tells of {len(record.sessions)} sessions", code="oversized")
    ids = {session.id for session in record.sessions}
    if len(ids) != len(record.sessions) or not 0 <= record.more <= limits.NUMBER_MAX:
        raise MalformedError(f"{record.machine} tells of a session twice", code="bad_field")
    for session in record.sessions:
        possible = 0 <= session.active_ms <= session.expires_ms <= limits.WALL_MS_MAX
        named = len(session.client) <= limits.SESSION_CLIENT_CHARS_MAX and not _CONTROL.search(session.client)
        if len(session.id) != _ID_BYTES or not possible or not named:
            raise MalformedError(f"{record.machine} tells of an impossible session", code="bad_field")
        if session.workspace and parse_workspace(session.workspace) != session.workspace:
            raise MalformedError(f"{record.machine} tells of an impossible workspace", code="bad_field")


def _size(sessions: list[OpenSession]) -> int:
    most = limits.NUMBER_MAX
    record = SessionsRecord(machine=_LONGEST_MACHINE, start=most, counter=most, sessions=sessions, more=most)
    return len(encode(record))
