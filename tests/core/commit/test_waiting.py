"""What is held and has no number yet."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.core.commit.waiting import Place, Waiting
from roosync_p2p.entries.chains import Chains
from roosync_p2p.entries.entry import LEDGER, Entry
from tests.helpers.actors import Actor, B


def _chain(count: int) -> tuple[Chains, list[Entry]]:
    actor = Actor(B)
    actor.begin(LEDGER)
    for number in range(count - 1):
        actor.write("note", bytes([number]), chain=LEDGER)
    chains = Chains()
    for entry in actor.chains[LEDGER]:
        chains.append(entry)
    return chains, actor.chains[LEDGER]


def test_after_a_start_everything_behind_the_cursor_waits() -> None:
    chains, entries = _chain(4)
    waiting = Waiting(chains, lambda _author: (1, 2))
    assert [entry.id in waiting for entry in entries] == [False, False, True, True]
    assert waiting.of(B) == [(Place(B, 1, 3), entries[2].id), (Place(B, 1, 4), entries[3].id)]


def test_nothing_of_an_earlier_life_waits_once_a_later_one_has_begun() -> None:
    chains, entries = _chain(4)
    waiting = Waiting(chains, lambda _author: (2, 1))
    assert not any(entry.id in waiting for entry in entries)
    assert list(waiting.authors()) == []


def test_what_follows_a_place_comes_in_sequence() -> None:
    chains, entries = _chain(4)
    waiting = Waiting(chains, lambda _author: (1, 0))
    assert [entry for _, entry in waiting.following(B, 1, 2)] == [entries[2].id, entries[3].id]
    assert list(waiting.following(B, 1, 4)) == []


def test_what_was_applied_waits_no_more_and_its_author_is_forgotten_with_the_last() -> None:
    chains, entries = _chain(2)
    waiting = Waiting(chains, lambda _author: (1, 0))
    waiting.applied([entries[0].id])
    assert list(waiting.authors()) == [B]
    waiting.applied([entries[1].id])
    assert list(waiting.authors()) == []
    assert len(waiting) == 0


def test_bodies_in_memory_are_bounded_and_the_oldest_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    chains, entries = _chain(4)
    waiting = Waiting(chains, lambda _author: (1, 4))
    monkeypatch.setattr(limits, "WAITING_BYTES_MAX", 2)
    for entry in entries[1:]:
        waiting.arrived(entry)
    assert waiting.entry(entries[1].id) is None
    assert waiting.entry(entries[3].id) is not None
    assert entries[1].id in waiting
