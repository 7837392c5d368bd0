"""Exactly once, in each author's order; new lives of a store; branches of a fork."""

from __future__ import annotations

from typing import Any

import pytest

from roosync_p2p.codec import records
from roosync_p2p.entries.entry import CHAIN_START, Entry
from roosync_p2p.entries.incarnations import ChainStart, Known, Renewal, countersign
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import RulesSupport
from roosync_p2p.ledger.cursors import Take, cursor_of, moved, takes
from roosync_p2p.trust.directory import ROOT_AUTHOR
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import MemberRoles
from tests.ledger.history import FLEET, A, Author, B, C, History, serial

SUPPORT = records.encode(RulesSupport(version=1))


@pytest.fixture
def history() -> History:
    return History(B, C)


def take(history: History, entry: Entry) -> Take:
    return takes(history.state, entry, root=FLEET.root)


def test_the_next_is_taken_once_and_nothing_before_its_turn(history: History) -> None:
    first, second = (history.author(B).write("rules.support", SUPPORT) for _ in range(2))
    assert take(history, second) is Take.GAP
    history.commit(first)
    assert take(history, first) is Take.DUPLICATE
    history.commit(second)
    assert take(history, second) is Take.DUPLICATE


def test_a_refused_entry_had_its_turn(history: History) -> None:
    entry = history.author(B).write("no.such.kind", b"")
    applied = history.commit(entry)
    assert (applied.outcome.accepted, applied.outcome.reason) == (False, "unknown_kind")
    assert applied.changes == moved(entry)
    assert take(history, entry) is Take.DUPLICATE


def test_one_looks_ahead_over_entries_that_are_not_applied_yet(history: History) -> None:
    first, second = (history.author(B).write("rules.support", SUPPORT) for _ in range(2))
    ahead = history.state.with_changes(moved(first))
    assert takes(ahead, second, root=FLEET.root) is Take.NEXT
    assert take(history, second) is Take.GAP


def test_of_a_forked_chain_only_the_branch_that_was_ordered_goes_on(history: History) -> None:
    author = history.author(B)
    twin = Author(author.machine, author.key, author.incarnation, author.sequence, author.previous)
    history.commit(author.write("rules.support", SUPPORT))
    twin.write("rules.support", b"another way")
    assert take(history, twin.write("rules.support", SUPPORT)) is Take.OTHER_BRANCH
    assert take(history, author.write("rules.support", SUPPORT)) is Take.NEXT


def test_an_entry_under_a_key_that_the_register_has_not_is_not_taken(history: History) -> None:
    author = history.author(B)
    author.key = FLEET.key(C)
    assert take(history, author.write("rules.support", SUPPORT)) is Take.UNKNOWN_AUTHOR


# --- lives --------------------------------------------------------------------------------------------------------


def new_life(history: History, machine: MachineId = B, *, incarnation: int = 2, **lie: Any) -> Entry:
    """The first entry of the ledger chain of a later incarnation, countersigned by A's issuer key."""
    author = history.author(machine)
    assert author.previous is not None
    known = Known(incarnation=1, sequence=author.sequence, id=author.previous)
    renewal = Renewal(
        machine=machine, incarnation=incarnation, store=bytes([incarnation]) * 16, ledger=known, mail=None
    )
    key: SigningKey = lie.get("key", FLEET.issuer_key)
    envelope = countersign(key, author=lie.get("author", f"issuer:{A}"), fleet=FLEET.fleet, renewal=renewal)
    body = ChainStart(
        leaf=FLEET.leaf(machine),
        issuer=FLEET.issuer,
        store=lie.get("store", renewal.store),
        previous=known,
        countersignature=lie.get("countersignature", envelope),
    )
    history.authors[machine] = Author(machine, author.key, incarnation)
    return history.authors[machine].write(CHAIN_START, records.encode(body))


@pytest.mark.parametrize("incarnation", [2, 3, 9])
def test_a_countersigned_new_life_goes_on_wherever_the_old_one_was(history: History, incarnation: int) -> None:
    lost = history.author(B).write("rules.support", SUPPORT)
    begun = new_life(history, incarnation=incarnation)
    assert history.commit(begun).outcome.accepted
    assert cursor_of(history.state, B).place == (incarnation, 1)
    assert take(history, lost) is Take.DUPLICATE
    assert history.say(B, "rules.support", SUPPORT).outcome.accepted


def test_the_root_may_countersign(history: History) -> None:
    assert take(history, new_life(history, key=FLEET.root_key, author=ROOT_AUTHOR)) is Take.NEXT


@pytest.mark.parametrize(
    "lie",
    [
        {"countersignature": None},
        {"store": bytes(16)},
        {"key": FLEET.key(C), "author": C},
        {"key": FLEET.key(C)},
        {"author": f"issuer:{C}"},
    ],
    ids=str,
)
def test_a_new_life_that_nobody_in_the_register_vouches_for_waits(history: History, lie: dict[str, Any]) -> None:
    assert take(history, new_life(history, **lie)) is Take.NOT_COUNTERSIGNED


def test_an_issuers_own_countersignature_for_itself_does_not_count(history: History) -> None:
    assert take(history, new_life(history, A)) is Take.NOT_COUNTERSIGNED


def test_an_issuer_that_is_none_any_more_vouches_for_nobody(history: History) -> None:
    begun = new_life(history)
    assert take(history, begun) is Take.NEXT
    roles = MemberRoles(machine=A, roles=("approver", "member"), serial=serial(1))
    assert history.carry(C, "member.roles", roles).outcome.accepted
    assert take(history, begun) is Take.NOT_COUNTERSIGNED


def test_nothing_but_its_first_entry_begins_a_life(history: History) -> None:
    new_life(history)
    assert take(history, history.author(B).write("rules.support", SUPPORT)) is Take.GAP


def test_a_machine_may_be_in_a_later_life_before_it_is_ordered_at_all(history: History) -> None:
    machine = MachineId("late-one")
    history.author(machine).write(CHAIN_START, b"lost with the disk")
    begun = new_life(history, machine)
    assert take(history, begun) is Take.UNKNOWN_AUTHOR
    assert history.admit(machine).outcome.accepted
    assert take(history, begun) is Take.NEXT
