"""What the parts of a core share: one transaction an input, and when it may linger."""

from __future__ import annotations

import pytest

from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Effect, Notify, Persist, Send
from roosync_p2p.core.ports import LinkId
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.entropy import Entropy
from roosync_p2p.trust.directory import Directory
from tests.helpers.cores import A, identity

ROW = MetaRow(key="a", value=b"1")


@pytest.fixture
def desk() -> Desk:
    own = identity(A)
    return Desk(own, Directory.found(own.root), Entropy(bytes(32)))


def _persisted(drained: list[Effect]) -> Persist:
    (persist,) = [effect for effect in drained if isinstance(effect, Persist)]
    return persist


def test_a_transaction_lingers_if_all_of_it_may(desk: Desk) -> None:
    desk.persist(ROW, lingers=True)
    desk.persist(ROW, lingers=True)
    assert _persisted(desk.drain()).lingers
    desk.persist(ROW, lingers=True)
    desk.persist(ROW)
    assert not _persisted(desk.drain()).lingers


def test_no_rows_hurry_nothing(desk: Desk) -> None:
    desk.persist(ROW, lingers=True)
    desk.persist()
    assert _persisted(desk.drain()).lingers


def test_what_somebody_waits_for_does_not_linger(desk: Desk) -> None:
    ticket = desk.persist(ROW, lingers=True)
    desk.emit(Send(link=LinkId(1), frame=b"", after=ticket, droppable=True))
    assert not _persisted(desk.drain()).lingers
    ticket = desk.persist(ROW, lingers=True)
    desk.emit(Notify(event="e", data={}, after=ticket))
    assert _persisted(desk.drain()).lingers
