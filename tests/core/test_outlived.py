"""A chain goes on where bodies went with their age, and nowhere else (docs/protocol/messages.md §9)."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.core.mail_commands import Retain
from roosync_p2p.core.ports import Aged
from roosync_p2p.core.rows import EntryRow, MessageRow
from roosync_p2p.entries.entry import MAIL
from roosync_p2p.ids import EntryId
from roosync_p2p.mailbox.amendments import Amendment
from roosync_p2p.mailbox.message import MessageBody
from tests.helpers.cores import NOW, A, Actor, B, C, Rig, connect, message, settle

LIFE_MS = round(limits.UNREAD_LIFE_S * 1000)


@pytest.mark.parametrize(
    ("kind", "age_ms", "taken"),
    [
        ("message", LIFE_MS, True),
        ("amendment", LIFE_MS, True),
        ("message", LIFE_MS - 60_000, False),
        ("receipt", 2 * LIFE_MS, False),
        ("note", 2 * LIFE_MS, False),
    ],
)
def test_only_an_old_message_is_taken_without_its_body(kind: str, age_ms: int, taken: bool) -> None:
    bodies = {
        "message": encode(MessageBody(id="msg-20260115T091530-a1b2c3", to=["machine-b"], subject="s", body="b")),
        "amendment": encode(Amendment(message=bytes(32), body="b")),
    }
    author = Actor(A)
    author.begin()
    bare = author.write(kind, bodies.get(kind, b"x"), time_ms=NOW.wall_ms - age_ms)
    author.say("machine-b", "après")
    rig = Rig().ready()
    begin, *_, last = author.chains[MAIL]
    frames = [
        wire.WireEntry(header=entry.raw, body=None if entry is bare else entry.body) for entry in (begin, bare, last)
    ]
    rig.receive(rig.meet(Actor(C)), wire.EntriesFrame(entries=frames))
    held = [row.sequence for row in rig.rows(EntryRow) if row.author == A]
    assert held == ([1, 2, 3] if taken else [1])
    assert [row.subject for row in rig.rows(MessageRow)] == (["après"] if taken else [])
    assert rig.counted("entries.no_body") == (0 if taken else 1)


def test_who_returns_after_months_catches_up_with_those_who_dropped_the_bodies() -> None:
    later = NOW.later(limits.UNREAD_LIFE_S + 60.0)
    a, b = Rig(A, knows=(B, C)), Rig(B, knows=(A, C), now=later)
    a.ready()
    sent = [EntryId(bytes.fromhex(str(a.answered(message("machine-b", f"{n}"))["entry"]))) for n in range(3)]
    a.answered(Retain(aged=Aged(archive=(), expire=(), drop=tuple(sent[:2]))))
    a.now = later
    connect(a, b)
    settle(a, b, seconds=7)
    bodies = [b.store.entry(entry) for entry in sent]
    assert [row is not None and row.body is not None for row in bodies] == [False, False, True]
    assert all(row is not None for row in bodies)
    assert {"0", "1", "2"} & {row.subject for row in b.rows(MessageRow)} == {"2"}
