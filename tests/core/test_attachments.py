"""Blobs between cores: who fetches, who may have them, what becomes of a bad one, and when they go."""

from __future__ import annotations

import hashlib
import itertools
import random

import pytest

from roosync_p2p import limits
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.mail_commands import Retain
from roosync_p2p.core.memory_blobs import MemoryBlobs
from roosync_p2p.core.ports import Aged, InboxQuery
from roosync_p2p.core.rows import MessageRow
from roosync_p2p.errors import StoreError
from roosync_p2p.gossip.blobs import helpers_of
from roosync_p2p.ids import EntryId, MachineId
from roosync_p2p.mailbox.attachments import Attachment
from tests.helpers.cores import A, B, C, D, E, Rig, connect, message, settle

ALL = (A, B, C, D, E)
SIZE = 3 * limits.BLOB_CHUNK_BYTES_MIN + 5
DATA = random.Random(1).randbytes(SIZE)
DIGEST = hashlib.sha256(DATA).digest()


def rigs(*machines: MachineId, knows: tuple[MachineId, ...] = ALL) -> dict[MachineId, Rig]:
    """Cores with blobs, each linked with each, past their start."""
    found = {machine: Rig(machine, knows=knows, blobs=MemoryBlobs()).ready() for machine in machines}
    for one, other in itertools.combinations(found.values(), 2):
        connect(one, other)
    settle(*found.values())
    return found


def send(rig: Rig, to: str = B, data: bytes = DATA, *, expires_s: float | None = None) -> EntryId:
    """A message that brings this along."""
    assert rig.blobs is not None
    digest = rig.blobs.put(data)
    rig.feed(inputs.BlobAdded(digest=digest, size=len(data)))
    attachment = Attachment(name="a.log", size=len(data), sha256=digest)
    answer = rig.answered(message(to, attachments=(attachment,), expires_s=expires_s))
    return EntryId(bytes.fromhex(str(answer["entry"])))


def held(rig: Rig, digest: bytes = DIGEST) -> bytes | None:
    assert rig.blobs is not None
    return rig.blobs.content(digest)


def cut(*of: Rig) -> None:
    """Every link between these is gone."""
    for rig in of:
        for link in [link for link, (other, _) in rig.wires.items() if other in of]:
            del rig.wires[link]
            rig.close(link)


def test_an_addressee_fetches_at_once_chunk_by_chunk_and_says_so_and_nobody_else_does() -> None:
    fleet = rigs(A, B, C)
    entry = send(fleet[A])
    settle(*fleet.values(), seconds=3.0)
    assert held(fleet[B]) == DATA
    assert held(fleet[C]) is None
    asked = [(want.offset, want.count) for want in fleet[B].frames(wire.WantBlob)]
    assert [offset for offset, _ in asked] == list(itertools.accumulate((n for _, n in asked), initial=0))[:-1]
    assert fleet[C].frames(wire.WantBlob) == []
    assert fleet[A].core.attachments.holders(entry) == [A, B]
    assert fleet[B].told("attachment") == [{"entry": entry.hex(), "sha256": DIGEST.hex(), "state": "here"}]
    assert fleet[B].core.attachments.state(entry, DIGEST)["state"] == "here"
    assert fleet[C].core.attachments.state(entry, DIGEST)["reason"] == "not_addressed"


def test_what_is_asked_for_and_not_written_is_bounded() -> None:
    large = random.Random(2).randbytes(40 * limits.BLOB_CHUNK_BYTES_MAX)
    fleet = rigs(A, B)
    send(fleet[A], data=large)
    settle(*fleet.values(), seconds=1.0)
    assert held(fleet[B], hashlib.sha256(large).digest()) == large
    counts = [want.count for want in fleet[B].frames(wire.WantBlob)]
    assert counts[0] == limits.BLOB_CHUNK_BYTES_MIN
    assert max(counts) == limits.BLOB_CHUNK_BYTES_MAX, "who answers at once is asked for more at a time"


def test_a_blob_of_no_bytes_is_there_at_once() -> None:
    fleet = rigs(A, B)
    send(fleet[A], data=b"")
    settle(*fleet.values(), seconds=3.0)
    assert held(fleet[B], hashlib.sha256(b"").digest()) == b""


@pytest.mark.parametrize(("digest", "refusal"), [(DIGEST, "not_addressed"), (bytes(32), "not_here")])
def test_whom_a_message_is_not_for_is_refused_with_the_reason(digest: bytes, refusal: str) -> None:
    fleet = rigs(A, B, C)
    send(fleet[A])
    settle(*fleet.values(), seconds=3.0)
    (link,) = (link for link, (other, _) in fleet[A].wires.items() if other is fleet[C])
    fleet[A].forget()
    fleet[A].receive(link, wire.WantBlob(digest=digest, offset=0, count=9))
    assert [(f.data, f.refusal) for f in fleet[A].frames(wire.BlobFrame, link)] == [(b"", refusal)]
    assert fleet[A].counted(f"blobs.{refusal}") == 1


@pytest.mark.parametrize(
    "want",
    [
        wire.WantBlob(digest=b"short", offset=0, count=1),
        wire.WantBlob(digest=DIGEST, offset=-1, count=1),
        wire.WantBlob(digest=DIGEST, offset=0, count=0),
        wire.WantBlob(digest=DIGEST, offset=0, count=limits.BLOB_CHUNK_BYTES_MAX + 1),
    ],
)
def test_a_want_of_an_impossible_part_is_a_fault_of_its_sender(want: wire.WantBlob) -> None:
    fleet = rigs(A, B)
    link = next(iter(fleet[A].wires))
    fleet[A].receive(link, want)
    assert fleet[A].counted("fault.bad_field") == 1


def test_a_fetch_goes_on_behind_what_came_before_the_link_broke_and_the_node_died() -> None:
    fleet = rigs(A, B)
    a, b = fleet.values()
    assert b.blobs is not None
    send(a)
    while not b.blobs.partial().get(DIGEST):
        settle_once(a, b)
    cut(a, b)
    came = b.blobs.partial()[DIGEST]
    assert 0 < came < SIZE
    b = b.restart().ready()
    connect(a, b)
    settle(a, b, seconds=3.0)
    assert held(b) == DATA
    assert min(want.offset for want in b.frames(wire.WantBlob)) == came


def settle_once(*of: Rig) -> None:
    """Carries what is on its way now, and nothing that follows from it."""
    moved = [(rig, rig.in_flight) for rig in of]
    for rig, _ in moved:
        rig.in_flight = []
    for _, flying in moved:
        for other, link, data in flying:
            other.receive(link, data)


def test_bytes_that_are_not_what_was_signed_are_thrown_away_and_another_holder_is_asked() -> None:
    fleet = rigs(A, B, C)
    a, b, c = fleet.values()
    cut(a, b, c)
    send(a, f"{B} {C}")
    connect(a, c)
    settle(a, c, seconds=3.0)
    assert held(c) == DATA
    # What a gives from now on is something else, of the same length.
    assert a.blobs is not None
    a.blobs._whole[DIGEST] = bytes(SIZE)
    connect(a, b)
    settle(a, b, c, seconds=1.0)
    assert b.counted("blobs.damaged") == 1
    connect(b, c)
    settle(a, b, c, seconds=limits.BLOB_RETRY_S + 3.0)
    assert held(b) == DATA


def test_a_member_in_the_middle_passes_chunks_on_and_keeps_nothing() -> None:
    fleet = rigs(A, B, C)
    a, b, c = fleet.values()
    cut(a, c)
    send(a, C)
    settle(a, b, c, seconds=5.0)
    assert held(c) == DATA
    assert b.counted("relay.passed_on") > 0
    assert held(b) is None


def test_who_is_silent_is_given_up_and_another_holder_is_asked() -> None:
    fleet = rigs(A, B, C)
    a, b, c = fleet.values()
    send(a, f"{B} {C}")
    cut(a, b)
    cut(b, c)
    settle(a, c, seconds=3.0)
    assert held(c) == DATA
    near, _ = connect(b, a)
    settle(a, b)
    b.wires.clear()  # a hears nothing any more
    b.forget()
    connect(b, c)
    settle(b, c, seconds=limits.BLOB_RETRY_S + 3.0)
    assert held(b) == DATA
    assert near not in b.closed


def test_a_full_disk_is_told_and_tried_again() -> None:
    fleet = rigs(A, B)
    a, b = fleet.values()
    assert b.blobs is not None
    b.blobs.fault = StoreError("the disk is full", code="disk_full")
    entry = send(a)
    settle(a, b, seconds=3.0)
    assert b.core.attachments.state(entry, DIGEST)["reason"] == "disk_full"
    b.blobs.fault = None
    settle(a, b, seconds=limits.BLOB_FAULT_S)
    assert held(b) == DATA


def test_two_others_keep_it_while_an_addressee_is_off_and_drop_it_when_that_has_it() -> None:
    fleet = rigs(A, B, C, D)
    entry = send(fleet[A], E)
    helpers = set(helpers_of(DIGEST, (A, B, C, D), {A, E}))
    assert len(helpers) == limits.BLOB_HELPERS_MAX
    settle(*fleet.values(), seconds=limits.BLOB_HELP_AFTER_S - 3.0)
    assert [machine for machine, rig in fleet.items() if held(rig)] == [A], "who is awake may soon have it"
    settle(*fleet.values(), seconds=6.0)
    assert {machine for machine, rig in fleet.items() if held(rig)} == {A, *helpers}
    # The sender goes, and the addressee comes: it has it from a helper.
    a, others = fleet.pop(A), list(fleet.values())
    cut(a, *others)
    e = Rig(E, knows=ALL, blobs=MemoryBlobs(), now=others[0].now).ready()
    settle(*others, seconds=5.1)
    for rig in others:
        connect(rig, e)
    settle(e, *others, seconds=8.0)
    assert held(e) == DATA
    assert all(held(rig) is None for rig in others)
    assert others[0].core.attachments.holders(entry) == [A, E]


def test_what_was_handed_over_and_no_message_cites_goes_after_a_while() -> None:
    rig = Rig(B, blobs=MemoryBlobs()).ready()
    assert rig.blobs is not None
    digest = rig.blobs.put(DATA)
    rig.feed(inputs.BlobAdded(digest=digest, size=SIZE))
    rig.advance(limits.BLOB_UNSENT_S - limits.BLOB_LOOK_S)
    assert held(rig) == DATA
    rig.advance(2 * limits.BLOB_LOOK_S)
    assert held(rig) is None


def test_a_message_cites_only_what_was_handed_over() -> None:
    rig = Rig(B, blobs=MemoryBlobs()).ready()
    absent = Attachment(name="a", size=SIZE, sha256=DIGEST)
    assert rig.refused(message(A, attachments=(absent,))).code == "no_such_upload"
    assert rig.rows(MessageRow) == []
    assert rig.blobs is not None
    rig.blobs.put(DATA)
    rig.feed(inputs.BlobAdded(digest=DIGEST, size=SIZE))
    other = Attachment(name="a", size=SIZE - 1, sha256=DIGEST)
    assert rig.refused(message(A, attachments=(other,))).code == "no_such_upload"


def test_a_blob_goes_with_the_last_message_that_cites_it() -> None:
    fleet = rigs(A, B)
    a, b = fleet.values()
    first, second = send(a), send(a)
    settle(a, b, seconds=3.0)
    for rig in (a, b):
        rig.answered(Retain(aged=Aged(archive=(), expire=(), drop=(first,))))
        assert held(rig) == DATA
        rig.answered(Retain(aged=Aged(archive=(), expire=(), drop=(second,))))
        assert (held(rig), rig.dropped) == (None, [DIGEST])
    assert b.store.load().cited == ()
    assert b.core.attachments.state(first, DIGEST)["reason"] == "dropped"


def test_what_nobody_is_shown_any_more_is_not_fetched() -> None:
    fleet = rigs(A, B)
    a, b = fleet.values()
    cut(a, b)
    entry = send(a, expires_s=30.0)
    for rig in (a, b):
        rig.advance(60.0)
    connect(a, b)
    settle(a, b, seconds=3.0)
    assert len(b.store.inbox(InboxQuery(status="archived")).items) == 1
    assert b.frames(wire.WantBlob) == []
    assert b.core.attachments.state(entry, DIGEST)["reason"] == "expired"


def test_that_all_is_here_is_told_also_when_the_node_died_before_it_could() -> None:
    fleet = rigs(A, B)
    a, b = fleet.values()
    cut(a, b)
    entry = send(a)
    connect(a, b)
    settle(a, b)
    b.holding = True  # the disk takes no rows from now on, while files come
    settle(a, b, seconds=1.0)
    assert held(b) == DATA
    b = b.restart().ready()
    connect(a, b)
    settle(a, b, seconds=3.0)
    assert a.core.attachments.holders(entry) == [A, B]


def test_a_file_that_the_disk_lost_is_fetched_again() -> None:
    fleet = rigs(A, B)
    a, b = fleet.values()
    entry = send(a, f"{B} {C}")
    settle(a, b, seconds=3.0)
    assert b.blobs is not None
    b.blobs.drop(DIGEST)
    b = b.restart().ready()
    connect(a, b)
    settle(a, b, seconds=3.0)
    assert held(b) == DATA
    assert a.core.attachments.holders(entry) == [A, B]
