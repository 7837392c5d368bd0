"""Statements about epochs: asked of peers, given to peers, kept, and not taken from anybody but the root."""

from __future__ import annotations

import msgspec
import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import encode
from roosync_p2p.core import wire
from roosync_p2p.core.ports import LinkId
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.ids import Epoch
from roosync_p2p.ledger.bodies import Carrier
from roosync_p2p.trust import contexts
from roosync_p2p.trust.directory import issuer_author
from roosync_p2p.trust.statements import Recovery, seal_statement
from tests.helpers.cores import A, Actor, C, Rig, entries, identity, keys
from tests.helpers.order_frames import recovery


def signed(said: Recovery) -> bytes:
    """By the root."""
    return seal_statement(keys().root_key, said, fleet=identity(A).fleet)


def beat(actor: Actor, epoch: int) -> wire.Beat:
    """A heartbeat of somebody who is in that epoch."""
    heartbeat = msgspec.structs.replace(actor.heartbeat(), epoch=epoch, store=b"s" * 16, commit_size=3)
    return wire.Beat(envelope=actor.seal(contexts.HEARTBEAT, encode(heartbeat)))


@pytest.fixture
def rig() -> Rig:
    return Rig().ready()


@pytest.fixture
def link(rig: Rig) -> LinkId:
    return rig.meet(Actor(A))


def epoch(rig: Rig) -> int:
    return rig.core.commit.order.epoch


# --- asked of others ------------------------------------------------------------------------------------------------


def test_who_is_heard_in_a_later_epoch_is_asked_for_the_statement_once_in_a_while(rig: Rig) -> None:
    actor = Actor(A)
    link = rig.meet(actor)
    for _ in range(3):
        rig.receive(link, beat(actor, 1))
    assert rig.frames(wire.WantEpochs, link) == [wire.WantEpochs(after=0)]
    rig.advance(limits.WANT_RETRY_S)
    rig.receive(link, beat(actor, 1))
    assert len(rig.frames(wire.WantEpochs, link)) == 2
    rig.receive(link, wire.EpochsFrame(statements=[signed(recovery(machine=A))]))
    assert epoch(rig) == 1
    rig.advance(limits.WANT_RETRY_S)
    rig.receive(link, beat(actor, 1))
    assert len(rig.frames(wire.WantEpochs, link)) == 2


def test_who_is_heard_in_this_epoch_is_asked_nothing(rig: Rig) -> None:
    actor = Actor(A)
    rig.receive(rig.meet(actor), beat(actor, 0))
    assert rig.frames(wire.WantEpochs) == []


def test_a_heartbeat_tells_the_epoch_once_that_is_durable(rig: Rig, link: LinkId) -> None:
    rig.holding = True
    rig.receive(link, wire.EpochsFrame(statements=[signed(recovery(machine=A))]))
    assert rig.core.commit.beat_facts().epoch == 0
    rig.commit()
    assert rig.core.commit.beat_facts().epoch == 1


# --- by an entry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", [A, C])
def test_an_entry_brings_the_statement_whoever_wrote_it(rig: Rig, link: LinkId, carrier: str) -> None:
    actor = Actor(A if carrier == A else C)
    actor.begin(LEDGER)
    body = Carrier(epoch=1, statement=signed(recovery(machine=A)))
    entry = actor.write("fleet.recover", encode(body), chain=LEDGER)
    rig.receive(link, entries(*actor.chains[LEDGER]))
    assert entry.id
    assert epoch(rig) == 1


@pytest.mark.parametrize("body", [b"", b"\xc1", encode(Carrier(statement=b"no envelope"))])
def test_an_entry_without_a_statement_of_the_root_brings_nothing(rig: Rig, link: LinkId, body: bytes) -> None:
    actor = Actor(A)
    actor.begin(LEDGER)
    actor.write("fleet.recover", body, chain=LEDGER)
    rig.receive(link, entries(*actor.chains[LEDGER]))
    assert epoch(rig) == 0
    assert link not in rig.closed


# --- given to others ------------------------------------------------------------------------------------------------


def test_a_peer_is_given_what_it_lacks_in_the_order_of_the_epochs(rig: Rig, link: LinkId) -> None:
    first, third = signed(recovery(machine=A)), signed(recovery(machine=A, epoch=3, size=9))
    rig.receive(link, wire.EpochsFrame(statements=[third, first]))
    rig.receive(link, wire.WantEpochs(after=0))
    rig.receive(link, wire.WantEpochs(after=1))
    rig.receive(link, wire.WantEpochs(after=3))
    assert rig.frames(wire.EpochsFrame, link) == [
        wire.EpochsFrame(statements=[first, third]),
        wire.EpochsFrame(statements=[third]),
    ]


def test_statements_are_known_after_a_restart(rig: Rig, link: LinkId) -> None:
    statement = signed(recovery(machine=A))
    rig.receive(link, wire.EpochsFrame(statements=[statement]))
    again = rig.restart().ready()
    assert epoch(again) == 1
    again.receive(again.meet(Actor(A)), wire.WantEpochs(after=0))
    assert again.frames(wire.EpochsFrame) == [wire.EpochsFrame(statements=[statement])]


@pytest.mark.parametrize("after", [-1, limits.NUMBER_MAX + 1])
def test_a_want_for_an_impossible_epoch_is_a_fault(rig: Rig, link: LinkId, after: int) -> None:
    rig.receive(link, wire.WantEpochs(after=after))
    assert rig.counted("fault.bad_field") == 1


# --- from whom ------------------------------------------------------------------------------------------------------


def test_a_statement_of_an_issuer_is_a_fault(rig: Rig, link: LinkId) -> None:
    issuer = identity(A)
    assert issuer.issuer_key is not None
    said = recovery(machine=A)
    envelope = seal_statement(issuer.issuer_key, said, fleet=issuer.fleet, author=issuer_author(A))
    rig.receive(link, wire.EpochsFrame(statements=[envelope]))
    assert rig.counted("fault.not_root") == 1
    assert epoch(rig) == 0


def test_a_statement_that_does_not_verify_is_a_fault(rig: Rig, link: LinkId) -> None:
    envelope = bytearray(signed(recovery(machine=A)))
    envelope[-1] ^= 1
    rig.receive(link, wire.EpochsFrame(statements=[bytes(envelope)]))
    assert rig.counted("fault.bad_signature") == 1
    assert epoch(rig) == 0


def test_too_many_statements_in_one_frame_are_a_fault(rig: Rig, link: LinkId) -> None:
    rig.receive(link, wire.EpochsFrame(statements=[b""] * (limits.EPOCHS_PER_FRAME_MAX + 1)))
    assert rig.counted("fault.oversized") == 1


# --- two for one epoch ----------------------------------------------------------------------------------------------


def test_two_different_statements_for_one_epoch_are_an_alarm_with_both_told_once(rig: Rig, link: LinkId) -> None:
    first, second = recovery(machine=A), recovery(machine=A, reason="flood")
    for said in (first, first, second, second, first):
        rig.receive(link, wire.EpochsFrame(statements=[signed(said)]))
    (alarm,) = rig.told("alarm")
    assert alarm["code"] == "two_epochs"
    assert [one["statement"] for one in alarm["statements"]] == [signed(first).hex(), signed(second).hex()]  # type: ignore[attr-defined]
    assert rig.core.commit.order.raft is None
    again = rig.restart().ready()
    assert again.core.commit.epochs.contested(Epoch(1))
    assert again.core.commit.order.raft is None


def test_a_third_statement_for_one_epoch_proves_nothing_more(rig: Rig, link: LinkId) -> None:
    for reason in ("one", "two", "three"):
        rig.receive(link, wire.EpochsFrame(statements=[signed(recovery(machine=A, reason=reason))]))
    assert len(rig.core.commit.epochs.of(Epoch(1))) == 2


def test_the_statement_of_a_later_epoch_ends_the_alarm(rig: Rig, link: LinkId) -> None:
    for reason in ("one", "two"):
        rig.receive(link, wire.EpochsFrame(statements=[signed(recovery(machine=A, reason=reason))]))
    rig.receive(link, wire.EpochsFrame(statements=[signed(recovery(machine=A, epoch=2))]))
    assert epoch(rig) == 2
    assert rig.core.commit.order.raft is not None
