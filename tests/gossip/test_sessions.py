"""Lists of sessions: cut to their bounds by whoever signs them, refused beyond by whoever gets them."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.errors import MalformedError
from roosync_p2p.gossip.sessions import OpenSession, SessionsRecord, check_sessions, fitting


def _session(number: int, **fields: Any) -> OpenSession:
    known: dict[str, Any] = {"workspace": "w", "client": "c", "active_ms": number, "expires_ms": 10**6, **fields}
    return OpenSession(id=number.to_bytes(32, "big"), **known)


def _record(*sessions: OpenSession, more: int = 0) -> SessionsRecord:
    return SessionsRecord(machine="machine-a", start=1, counter=1, sessions=list(sessions), more=more)


def test_the_last_used_are_told_and_the_others_counted() -> None:
    told, more = fitting(_session(number) for number in range(limits.SESSIONS_TOLD_MAX + 3))
    assert [session.active_ms for session in told[:2]] == [limits.SESSIONS_TOLD_MAX + 2, limits.SESSIONS_TOLD_MAX + 1]
    assert (len(told), more) == (limits.SESSIONS_TOLD_MAX, 3)
    check_sessions(_record(*told, more=more))


def test_the_longest_names_still_make_a_record_that_others_take() -> None:
    names = {"workspace": "é" * limits.WORKSPACE_CHARS_MAX, "client": "écurie" * 10}
    told, more = fitting(_session(number, **names) for number in range(limits.SESSIONS_MAX))
    assert 0 < len(told) < limits.SESSIONS_TOLD_MAX
    assert len(told) + more == limits.SESSIONS_MAX
    assert len(encode(_record(*told, more=more))) <= limits.SESSIONS_RECORD_BYTES_MAX
    check_sessions(_record(*told, more=more))


@pytest.mark.parametrize(
    "lie",
    [
        {"workspace": "a\nb"},
        {"workspace": "w" * (limits.WORKSPACE_CHARS_MAX + 1)},
        {"client": "\x1b[2J"},
        {"client": "c" * (limits.SESSION_CLIENT_CHARS_MAX + 1)},
        {"active_ms": -1},
        {"active_ms": 10**6 + 1},
        {"expires_ms": limits.WALL_MS_MAX + 1},
    ],
)
def test_a_session_that_no_honest_node_tells_of_is_refused(lie: dict[str, Any]) -> None:
    with pytest.raises(MalformedError) as refused:
        check_sessions(_record(_session(1, **lie)))
    assert refused.value.code in ("bad_field", "bad_workspace")


def test_too_many_the_same_twice_and_half_an_id_are_refused() -> None:
    many = _record(*(_session(number) for number in range(limits.SESSIONS_TOLD_MAX + 1)))
    short = _record(OpenSession(id=b"short", workspace="", client="", active_ms=0, expires_ms=0))
    for record, code in ((many, "oversized"), (_record(_session(1), _session(1)), "bad_field"), (short, "bad_field")):
        with pytest.raises(MalformedError) as refused:
            check_sessions(record)
        assert refused.value.code == code
