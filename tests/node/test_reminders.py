"""An issuer's user is reminded of a backup and of a second issuer, where that concerns anybody."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.core.commands import OrderEntry
from roosync_p2p.entropy import Entropy
from roosync_p2p.ids import KeyId
from roosync_p2p.ledger.bodies import Carrier
from roosync_p2p.node.reminders import reminders
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.trust.statements import MEMBER_ROLES
from tests.helpers.cores import A, B, Rig, keys


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Surroundings]:
    with contextlib.closing(SqliteStore.open(tmp_path / "node.db")) as store:
        yield Surroundings(store=store)


def _codes(rig: Rig, around: Surroundings) -> list[object]:
    found = reminders(rig.core, around)
    assert all(one["message"] and "roosync-admin" in str(one["remedy"]) for one in found)
    return [one["code"] for one in found]


def _founder() -> Rig:
    rig = Rig(A, knows=(), founded=True).ready()
    rig.advance(5)
    return rig


def test_a_single_machine_is_not_nagged_and_two_are_until_both_is_done(around: Surroundings) -> None:
    rig = _founder()
    assert _codes(rig, around) == []
    rig.ask(keys().admission(B))
    rig.advance(5)
    assert _codes(rig, around) == ["no_backup", "single_issuer"]
    held: list[object] = []

    def backed_up(wanted: Iterable[KeyId]) -> bool:
        held.extend(wanted)
        return True

    around.backed_up = backed_up
    assert _codes(rig, around) == ["single_issuer"]
    issuer = rig.core.desk.identity.issuer_key
    assert issuer is not None
    assert held == [rig.core.desk.identity.key.key_id, issuer.key_id], "both keys have to be in it"
    _, certificate = keys().further_issuer(B, Entropy(b"a second issuer key"))
    statement = keys().roles(B, ("issuer", "member"), issuer=certificate, serial=1)
    rig.ask(OrderEntry(kind=MEMBER_ROLES, body=Carrier(statement=statement), timeout_s=5))
    rig.advance(5)
    assert _codes(rig, around) == []


def test_who_wants_no_reminder_and_who_is_no_issuer_gets_none(around: Surroundings) -> None:
    rig = _founder()
    rig.ask(keys().admission(B))
    rig.advance(5)
    around.remind = False
    assert _codes(rig, around) == []
    around.remind = True
    assert _codes(Rig(B).ready(), around) == []
    rig.core.desk.give_up([key.key_id for key in [rig.core.desk.identity.issuer_key] if key is not None])
    assert _codes(rig, around) == []
