"""What others say that is wrong: a running node refuses it in the right words, counts it, and nothing changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus, WebSocketException

from roosync_p2p import limits
from roosync_p2p.adapters.keystore import Identity, load_identity
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.entries.entry import LEDGER, Entry
from roosync_p2p.ids import EntryId, MachineId
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.trust import contexts
from roosync_p2p.trust.certificates import issuer_certificate, machine_certificate, root_certificate
from roosync_p2p.trust.enrolment import certificates_to_pem
from roosync_p2p.trust.envelopes import seal
from roosync_p2p.trust.keys import SigningKey
from tests.helpers.caller import Caller, Chainsmith, heartbeat_of, open_link
from tests.helpers.fleet import Fleet, Machine, until

_DAY_S = 24 * 3600.0


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """``alice`` runs; ``berta`` is off, ``mallory`` is a member whose key the tests use."""
    with Fleet.found("alice", "berta", "mallory") as fleet:
        fleet.machines["alice"].start()
        fleet.machines["alice"].until_ready()
        yield fleet


@pytest.fixture
def alice(fleet: Fleet) -> Machine:
    return fleet.machines["alice"]


@pytest.fixture
def mallory(fleet: Fleet) -> Identity:
    return load_identity(fleet.machines["mallory"].home)


@pytest.fixture
def link(alice: Machine, mallory: Identity) -> Iterator[Caller]:
    """A link of a member that has greeted."""
    with Caller(mallory, alice.listen) as caller:
        caller.greet()
        caller.next(wire.Hello)
        yield caller
    until(lambda: alice.client.status()["links"] == 0, 50, what="the link is gone")


def _counted(alice: Machine, counter: str, say: Callable[[], object]) -> None:
    """Runs something that must raise one counter, and change neither frontier, nor inbox, nor any verdict."""
    before = alice.counters().get(counter, 0)
    shown = _shown(alice)
    say()
    until(
        lambda: alice.counters().get(counter, 0) > before,
        50,
        what=f"{counter} is counted",
        shown=lambda: f"{alice.counters()}\n{alice.log()}",
    )
    assert _shown(alice) == shown


def _shown(alice: Machine) -> object:
    status = alice.client.status()
    states = {row["machine"]: row["state"] for row in status["machines"] if row["machine"] != "mallory"}
    return alice.inbox(), states, status["warnings"]


# --- who is let in ---------------------------------------------------------------------------------------------------


def _stranger(fleet: Fleet, like: Identity) -> tuple[Path, Path]:
    """A chain that somebody made for themselves, which says everything that a good one says, and its key."""
    root_key, issuer_key, key = (SigningKey(os.urandom(32)) for _ in range(3))
    now_s = int(time.time())
    root = root_certificate(root_key, fleet_name="Écurie", serial=1, now_s=now_s)
    issuer = issuer_certificate(root_key, root, issuer_key.public, machine=MachineId("alice"), serial=2, now_s=now_s)
    leaf = machine_certificate(
        issuer_key, issuer, key.public, machine=MachineId("berta"), fleet=like.fleet, serial=3, now_s=now_s
    )
    chain, secret = fleet.path / "stranger.pem", fleet.path / "stranger.key"
    chain.write_bytes(certificates_to_pem(leaf) + certificates_to_pem(issuer))
    secret.write_bytes(key.to_pem(None))
    return chain, secret


def test_a_strangers_certificate_fails_in_tls_and_is_told(fleet: Fleet, alice: Machine, mallory: Identity) -> None:
    stranger = _stranger(fleet, mallory)

    def call() -> None:
        with pytest.raises((OSError, WebSocketException)), open_link(alice.listen, stranger) as link:
            link.recv(timeout=20)

    with alice.record() as events:
        _counted(alice, "handshake.refused", call)
        seen = events.wait("handshake_refused", within_s=20)
    assert "its certificate is not of this fleet" in str(seen.event.data["reason"])


def test_a_member_of_another_fleet_is_refused_and_both_sides_say_so(fleet: Fleet, alice: Machine) -> None:
    with Fleet.found("zoe") as others, alice.record() as events:
        zoe = others.machines["zoe"]
        _counted(alice, "handshake.refused", lambda: zoe.start("--peer", alice.listen))
        reason = str(events.wait("handshake_refused", within_s=20).event.data["reason"])
        until(lambda: zoe.counters().get("dial.rejected", 0) > 0, 50, what="the caller counts it too")
        assert "fleet" in reason
        assert set(alice.states()) == {"alice", "berta", "mallory"}
        assert set(zoe.states()) == {"zoe"}


def test_without_a_certificate_there_is_no_link(alice: Machine) -> None:
    def call() -> None:
        with pytest.raises(InvalidStatus) as refused, open_link(alice.listen, None):
            pass
        assert refused.value.response.status_code == 403
        assert b"a link needs a machine certificate of this fleet" in bytes(refused.value.response.body)

    _counted(alice, "handshake.refused", call)


def test_a_greeting_in_another_name_closes_the_link_with_the_reason(alice: Machine, mallory: Identity) -> None:
    with Caller(mallory, alice.listen) as caller:
        _counted(alice, "fault.wrong_tls_peer", lambda: caller.greet(machine="berta"))
        assert "wrong_tls_peer" in caller.closed()


# --- frames ----------------------------------------------------------------------------------------------------------


def test_a_frame_before_the_greeting_is_counted(alice: Machine, mallory: Identity) -> None:
    with Caller(mallory, alice.listen) as caller:
        caller.next(wire.Hello)
        _counted(alice, "fault.no_greeting", lambda: caller.send(wire.OwnQuery()))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (os.urandom(200), "malformed"),
        (b"", "malformed"),
        (pack({"x": 1}), "bad_frame"),
        (pack({"t": "beat"}), "bad_frame"),
        (pack({"t": "beat", "envelope": "text"}), "bad_frame"),
        (pack({"t": "own?"}) + b"\x00", "malformed"),
        (b"\x91" * 5000, "malformed"),
    ],
    ids=["random", "empty", "no name", "field missing", "wrong type", "trailing", "nested"],
)
def test_garbage_is_counted_and_the_link_goes_on(alice: Machine, link: Caller, data: bytes, code: str) -> None:
    before = _faults(alice)
    link.send_raw(data)
    until(lambda: _faults(alice) > before, 50, what="it is counted", shown=alice.counters)
    link.send(wire.OwnQuery())
    link.next(wire.OwnAnswer)


def _faults(alice: Machine) -> int:
    return sum(count for name, count in alice.counters().items() if name.startswith("fault."))


def test_a_frame_of_a_later_version_is_counted_and_does_no_harm(alice: Machine, link: Caller) -> None:
    before = _faults(alice)
    _counted(alice, "frames.unknown", lambda: link.send_raw(pack({"t": "tomorrow", "x": 1})))
    assert _faults(alice) == before


def test_an_oversized_frame_closes_the_link_with_the_reason(alice: Machine, link: Caller) -> None:
    before = alice.counters()["transport.frames_oversize"]
    link.send_raw(b"\xc6" + bytes(limits.FRAME_BYTES_MAX + 10))
    reason = link.closed()
    assert "large" in reason or "big" in reason or str(limits.FRAME_BYTES_MAX) in reason, reason
    until(lambda: alice.counters()["transport.frames_oversize"] == before + 1, 50, what="it is counted")


def test_text_closes_the_link_with_the_reason(alice: Machine, link: Caller) -> None:
    before = alice.counters()["transport.frames_text"]
    link.send_raw("bonjour")
    assert "text" in link.closed()
    until(lambda: alice.counters()["transport.frames_text"] == before + 1, 50, what="it is counted")


# --- entries and heartbeats ------------------------------------------------------------------------------------------


def _sent(link: Caller, *entries: Entry, body: bytes | None = None) -> Callable[[], None]:
    rows = [wire.WireEntry(header=entry.raw, body=entry.body if body is None else body) for entry in entries]
    return lambda: link.send(wire.EntriesFrame(entries=rows))


def _message(number: int) -> bytes:
    body = MessageBody(id=f"msg-20260115T091530-{number:06x}", to=["alice"], subject="Faux", body="obéis")
    return encode(body)


def test_a_tampered_entry_is_refused(alice: Machine, link: Caller, mallory: Identity) -> None:
    smith = Chainsmith(mallory)
    smith.begin()
    entry = smith.write(MESSAGE, _message(1))
    assert entry.body is not None
    _counted(alice, "fault.wrong_body", _sent(link, entry, body=entry.body.replace("obéis".encode(), "désob".encode())))
    position = entry.raw.index(b"message")  # the kind, inside what was signed
    tampered = entry.raw[:position] + b"massage" + entry.raw[position + 7 :]
    rows = [wire.WireEntry(header=tampered, body=entry.body)]
    _counted(alice, "fault.bad_signature", lambda: link.send(wire.EntriesFrame(entries=rows)))


def test_an_entry_in_the_name_of_another_is_refused(alice: Machine, link: Caller, mallory: Identity) -> None:
    smith = Chainsmith(mallory, sequence=1, head=EntryId(bytes(32)))
    named = smith.write(MESSAGE, _message(2), author=MachineId("berta"))
    before = _faults(alice)
    _sent(link, named)()
    until(lambda: _faults(alice) > before, 50, what="it is counted", shown=alice.counters)
    assert all(row["from"] != "berta" for row in alice.inbox())


def test_an_entry_of_another_fleet_and_one_signed_for_another_purpose_are_refused(
    alice: Machine, link: Caller, mallory: Identity
) -> None:
    smith = Chainsmith(mallory, sequence=1, head=EntryId(bytes(32)))
    foreign = smith.write(MESSAGE, _message(3), fleet=bytes(32))
    _counted(alice, "fault.wrong_fleet", _sent(link, foreign))
    beat = heartbeat_of(mallory, start=1, counter=1)
    rows = [wire.WireEntry(header=beat, body=None)]
    _counted(alice, "fault.wrong_context", lambda: link.send(wire.EntriesFrame(entries=rows)))


def test_an_admission_that_no_issuer_made_admits_nobody(alice: Machine, link: Caller, mallory: Identity) -> None:
    smith = Chainsmith(mallory, chain=LEDGER)
    first = smith.begin()
    admission = smith.write("member.admit", pack({"machine": "eve-01"}))
    before = _faults(alice)
    _sent(link, first, admission)()
    until(lambda: _faults(alice) > before, 50, what="it is counted", shown=alice.counters)
    assert set(alice.states()) == {"alice", "berta", "mallory"}


def test_yesterdays_heartbeat_brings_nobody_back(alice: Machine, fleet: Fleet, link: Caller) -> None:
    berta = load_identity(fleet.machines["berta"].home)
    yesterday = heartbeat_of(berta, start=7, counter=1000, age_s=_DAY_S)
    states = alice.row("berta")["state"]
    _counted_any(alice, lambda: link.send(wire.Beat(envelope=yesterday, relayed=True)))
    assert alice.row("berta")["state"] == states
    assert alice.row("berta")["evidence"]["path"] == "none"
    _counted(alice, "fault.wrong_source", lambda: link.send(wire.Beat(envelope=yesterday)))
    assert alice.row("berta")["state"] == states


def test_an_old_heartbeat_of_a_node_that_lives_changes_nothing(alice: Machine, fleet: Fleet, link: Caller) -> None:
    berta = fleet.machines["berta"]
    berta.start("--peer", alice.listen)
    alice.until_state("berta", "online")
    with Caller(load_identity(fleet.machines["mallory"].home), berta.listen) as other:
        other.greet()
        recorded = other.next(wire.Beat)
    berta.kill()
    alice.until_state("berta", "offline")
    with alice.record() as events:
        for _ in range(3):
            link.send(wire.Beat(envelope=recorded.envelope, relayed=True, age_ms=0))
        link.send(wire.OwnQuery())
        link.next(wire.OwnAnswer)
        assert alice.row("berta")["state"] == "offline"
        assert not events.verdicts("berta")


def _counted_any(alice: Machine, say: Callable[[], object]) -> None:
    before = sum(alice.counters().values())
    say()
    until(lambda: sum(alice.counters().values()) > before, 50, what="it is counted", shown=alice.counters)


def test_a_signature_for_a_heartbeat_opens_no_record(alice: Machine, link: Caller, mallory: Identity) -> None:
    sealed = seal(
        mallory.key,
        context=contexts.ENTRY,
        fleet=mallory.fleet,
        author=mallory.machine,
        payload=pack({"machine": "mallory"}),
    )
    _counted(alice, "fault.wrong_context", lambda: link.send(wire.RecordFrame(kind="frontier", envelope=sealed)))


def test_eight_bad_frames_close_the_link_and_the_next_is_put_off(alice: Machine, mallory: Identity) -> None:
    with Caller(mallory, alice.listen) as caller:
        caller.greet()
        caller.next(wire.Hello)
        for _ in range(limits.LINK_BAD_FRAMES_MAX):
            caller.send_raw(b"garbage")
        assert f"{limits.LINK_BAD_FRAMES_MAX} bad frames" in caller.closed()
    with Caller(mallory, alice.listen) as caller:
        assert "too many bad frames" in caller.closed()
    assert alice.states()["alice"] == "online"
    assert alice.inbox() == []
    until(lambda: alice.client.status()["links"] == 0, 50, what="the link is gone")


def test_after_all_that_the_log_holds_no_trace_of_a_crash(alice: Machine) -> None:
    logged = alice.output.read_text() + "".join(path.read_text() for path in (alice.home / "logs").glob("*.jsonl"))
    assert "Traceback" not in logged
    assert alice.client.status()["phase"] == "ready"
