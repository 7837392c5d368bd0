"""An epoch begins with a configuration; its statement may come behind entries of older epochs."""

from __future__ import annotations

import pytest

from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.ids import Epoch
from roosync_p2p.ledger.bodies import in_epoch
from roosync_p2p.ledger.fleet import epoch_of, voters_of
from roosync_p2p.trust.statements import Recovery
from tests.ledger.history import A, B, C, History, serial


def begun(size_off: int = 0) -> tuple[History, Recovery]:
    """B began epoch 1 as its one voter, and an entry of C that waited came first."""
    history = History(B, C)
    said = Recovery(
        epoch=1, machine=B, store=bytes(16), size=history.number + size_off, root_hash=bytes(32), serial=serial(1)
    )
    old = history.author(C).write("claim.acquire", pack({"name": "x", "session": "s", "ttl_ms": 60_000}))
    history.epoch = Epoch(1)
    history.voters(B)
    assert history.commit(old).outcome.reason == "old_epoch"
    return history, said


def test_the_base_is_what_stands_before_the_first_configuration_of_the_epoch() -> None:
    history, said = begun()
    assert history.carry(B, "fleet.recover", said, epoch=1).outcome.accepted
    state = epoch_of(history.state)
    assert state is not None
    assert (state.size, state.epoch) == (said.size, 1)


@pytest.mark.parametrize("off", [-1, 1, 2])
def test_a_statement_about_another_base_is_refused(off: int) -> None:
    history, said = begun(off)
    assert history.carry(B, "fleet.recover", said, epoch=1).outcome.reason == "wrong_base"


def test_voters_that_came_before_the_statement_was_ordered_stay() -> None:
    history, said = begun()
    history.voters(A, B)
    assert history.carry(B, "fleet.recover", said, epoch=1).outcome.accepted
    assert [machine for machine, _ in voters_of(history.state)] == [A, B]


def test_the_next_epoch_has_its_own_base() -> None:
    history, said = begun()
    history.carry(B, "fleet.recover", said, epoch=1)
    history.epoch, size = Epoch(2), history.number
    history.voters(C)
    second = Recovery(epoch=2, machine=C, store=bytes(16), size=size, root_hash=bytes(32), serial=serial(2))
    assert history.carry(B, "fleet.recover", second, epoch=2).outcome.accepted


def test_a_body_is_written_for_another_epoch_with_fields_of_newer_versions() -> None:
    body = pack({"epoch": 1, "name": "x", "unheard": [1]})
    assert unpack(in_epoch(body, Epoch(2))) == {"epoch": 2, "name": "x", "unheard": [1]}
    assert in_epoch(b"anything", Epoch(0)) == b"anything"
