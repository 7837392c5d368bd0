"""What fits where: a chain without gaps, its twin written naively."""

from __future__ import annotations

import functools

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.entries.chains import ChainKey, Chains, Fit
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.ids import EntryId
from tests.helpers.cores import Actor, B


@functools.cache
def _branches() -> tuple[list[Entry], list[Entry]]:
    """Six entries, and another way that leaves them at the fourth."""
    actor = Actor(B)
    actor.mail(6)
    twin = actor.fork_at(4)
    twin.write("note", b"5")
    twin.write("note", b"6")
    return actor.chains[MAIL], twin.chains[MAIL]


def _held(count: int) -> Chains:
    chains = Chains()
    for entry in _branches()[0][:count]:
        chains.append(entry)
    return chains


def test_the_first_entry_is_next_in_an_empty_chain() -> None:
    assert Chains().fit(_branches()[0][0]) is Fit.NEXT


def test_the_entry_after_the_head_is_next() -> None:
    assert _held(3).fit(_branches()[0][3]) is Fit.NEXT


def test_an_entry_that_is_held_is_known() -> None:
    assert _held(3).fit(_branches()[0][1]) is Fit.KNOWN


def test_an_entry_behind_a_gap_is_ahead() -> None:
    assert _held(3).fit(_branches()[0][4]) is Fit.AHEAD


def test_another_entry_in_a_place_that_is_taken_is_a_fork() -> None:
    assert _held(5).fit(_branches()[1][3]) is Fit.FORK


def test_the_next_by_number_with_another_predecessor_is_broken() -> None:
    assert _held(4).fit(_branches()[1][4]) is Fit.BROKEN


def test_an_entry_under_the_floor_is_below() -> None:
    chains = Chains()
    chains.begin_at(_branches()[0][0].place, 4)
    assert chains.fit(_branches()[0][2]) is Fit.BELOW


def test_a_chain_that_begins_at_a_floor_goes_on_from_there() -> None:
    chains = Chains()
    chains.begin_at(_branches()[0][0].place, 4)
    for entry in _branches()[0][3:]:
        assert chains.fit(entry) is Fit.NEXT
        chains.append(entry)
    state = chains.state(_branches()[0][0].place)
    assert (state.floor, state.head, state.head_id) == (4, 6, _branches()[0][5].id)


def test_fitting_changes_nothing() -> None:
    chains = _held(3)
    for entry in (*_branches()[0], *_branches()[1]):
        chains.fit(entry)
    assert chains.state(_branches()[0][0].place).head == 3


def test_the_two_chains_of_an_author_do_not_know_each_other() -> None:
    actor = Actor(B)
    chains = Chains()
    chains.append(actor.begin(MAIL))
    assert chains.fit(actor.begin(LEDGER)) is Fit.NEXT


def test_what_is_loaded_is_held() -> None:
    chains = Chains()
    place = _branches()[0][0].place
    chains.load(place, 3, b"".join(entry.id for entry in _branches()[0][2:5]))
    state = chains.state(place)
    assert (state.floor, state.head, state.id_at(2), state.id_at(6)) == (3, 5, None, None)
    assert state.id_at(4) == _branches()[0][3].id


def test_an_empty_state_that_was_looked_at_is_not_kept() -> None:
    chains = Chains()
    chains.state(_branches()[0][0].place)
    assert list(chains) == []


def test_the_newest_incarnation_of_an_author_is_known() -> None:
    chains = Chains()
    assert chains.incarnation(B) == 0
    chains.append(Actor(B).begin())
    chains.append(Actor(B, incarnation=3).begin())
    assert chains.incarnation(B) == 3


class _Naive:
    """The same as a dictionary, in the words of the documentation."""

    def __init__(self, key: ChainKey, floor: int) -> None:
        self.key = key
        self.floor = floor
        self.held: dict[int, EntryId] = {}

    def fit(self, entry: Entry) -> Fit:
        sequence = entry.header.sequence
        if sequence in self.held:
            return Fit.KNOWN if self.held[sequence] == entry.id else Fit.FORK
        if sequence < self.floor:
            return Fit.BELOW
        if self.held and sequence != max(self.held) + 1:
            return Fit.AHEAD
        if not self.held:
            return Fit.NEXT if sequence == self.floor else Fit.AHEAD
        return Fit.NEXT if entry.header.previous == self.held[sequence - 1] else Fit.BROKEN


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=30),
)
def test_every_order_of_two_branches_fits_as_in_the_naive_twin(floor: int, moves: list[tuple[bool, int]]) -> None:
    key = _branches()[0][0].place
    chains, naive = Chains(), _Naive(key, floor)
    chains.begin_at(key, floor)
    for other, index in moves:
        entry = _branches()[other][index]
        fit = chains.fit(entry)
        assert fit is naive.fit(entry)
        if fit is Fit.NEXT:
            chains.append(entry)
            naive.held[entry.header.sequence] = entry.id
    state = chains.state(key)
    assert {n: state.id_at(n) for n in range(state.floor, state.head + 1)} == naive.held
