"""Whom to ask for what: one holder at a time, another one when it stays silent, and nothing without bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.entries.chains import ChainKey
from roosync_p2p.gossip.pulls import Pull, Pulls
from roosync_p2p.ids import Chain, MachineId

_MAIL: ChainKey = (MachineId("machine-b"), 1, Chain("mail"))
_LEDGER: ChainKey = (MachineId("machine-b"), 1, Chain("ledger"))


def _offered(*offers: tuple[str, int], mine: int = 0) -> Pulls[str]:
    pulls: Pulls[str] = Pulls()
    for peer, head in offers:
        pulls.offered(peer, _MAIL, head, mine=mine, at=0.0, now_s=0.0)
    return pulls


def test_what_is_missing_is_asked_of_one_holder() -> None:
    pulls = _offered(("x", 5), ("y", 5), mine=2)
    assert pulls.due(0.0, {_MAIL: 2}) == [Pull(peer="x", key=_MAIL, first=3)]


def test_while_one_is_asked_nobody_else_is() -> None:
    pulls = _offered(("x", 5))
    pulls.due(0.0, {})
    pulls.offered("y", _MAIL, 9, mine=0, at=0.0, now_s=0.0)
    assert pulls.due(1.0, {}) == []


def test_who_holds_most_is_asked() -> None:
    assert _offered(("x", 5), ("y", 9)).due(0.0, {})[0].peer == "y"


def test_what_is_held_already_is_not_asked_for() -> None:
    assert _offered(("x", 5), mine=5).due(0.0, {_MAIL: 5}) == []


def test_nothing_is_asked_before_its_time() -> None:
    pulls: Pulls[str] = Pulls()
    pulls.offered("x", _MAIL, 5, mine=0, at=0.1, now_s=0.0)
    assert pulls.next_deadline() == 0.1
    assert pulls.due(0.05, {}) == []
    assert len(pulls.due(0.1, {})) == 1


def test_an_offer_with_less_delay_is_due_sooner() -> None:
    pulls: Pulls[str] = Pulls()
    pulls.offered("x", _MAIL, 5, mine=0, at=0.1, now_s=0.0)
    pulls.offered("y", _MAIL, 5, mine=0, at=0.0, now_s=0.0)
    assert pulls.next_deadline() == 0.0


def test_what_came_by_itself_meanwhile_is_not_asked_for() -> None:
    pulls: Pulls[str] = Pulls()
    pulls.offered("x", _MAIL, 5, mine=0, at=0.1, now_s=0.0)
    pulls.progressed(_MAIL, 5, 0.05)
    assert pulls.due(1.0, {_MAIL: 5}) == []


def test_a_silent_holder_is_passed_over_for_another() -> None:
    pulls = _offered(("x", 5), ("y", 5))
    pulls.due(0.0, {})
    assert pulls.next_deadline() == limits.WANT_RETRY_S
    assert pulls.due(limits.WANT_RETRY_S, {}) == [Pull(peer="y", key=_MAIL, first=1)]


def test_a_silent_holder_is_asked_again_once_it_offers_again() -> None:
    pulls = _offered(("x", 5))
    pulls.due(0.0, {})
    assert pulls.due(limits.WANT_RETRY_S, {}) == []
    pulls.offered("x", _MAIL, 5, mine=0, at=3.0, now_s=3.0)
    assert pulls.due(3.0, {}) == [Pull(peer="x", key=_MAIL, first=1)]


def test_after_progress_the_rest_is_asked_for_at_once() -> None:
    pulls = _offered(("x", 500))
    pulls.due(0.0, {})
    pulls.progressed(_MAIL, 256, 0.5)
    assert pulls.due(0.5, {_MAIL: 256}) == [Pull(peer="x", key=_MAIL, first=257)]


def test_what_was_asked_of_a_peer_that_is_gone_is_asked_elsewhere() -> None:
    pulls = _offered(("x", 5), ("y", 5))
    pulls.due(0.0, {})
    pulls.forget_peer("x", 1.0)
    assert pulls.due(1.0, {}) == [Pull(peer="y", key=_MAIL, first=1)]


def test_a_peer_that_is_gone_holds_nothing() -> None:
    pulls = _offered(("x", 5))
    pulls.forget_peer("x", 0.0)
    assert pulls.held_by("x", _MAIL) == 0
    assert pulls.due(0.0, {}) == []


def test_nothing_is_waited_for_once_everything_is_here() -> None:
    pulls = _offered(("x", 5))
    pulls.due(0.0, {})
    assert pulls.waiting() == {_MAIL}
    pulls.progressed(_MAIL, 5, 0.1)
    assert pulls.waiting() == frozenset()
    assert pulls.next_deadline() is None


def test_the_ledger_is_asked_for_before_the_mail() -> None:
    pulls = _offered(("x", 5))
    pulls.offered("x", _LEDGER, 5, mine=0, at=0.0, now_s=0.0)
    assert [pull.key for pull in pulls.due(0.0, {})] == [_LEDGER, _MAIL]


def test_what_a_peer_was_sent_it_holds() -> None:
    pulls = _offered(("x", 5))
    pulls.sent("x", _MAIL, 7)
    pulls.sent("x", _MAIL, 6)
    assert pulls.held_by("x", _MAIL) == 7


def test_a_peer_that_names_chains_without_end_costs_bounded_memory() -> None:
    pulls: Pulls[str] = Pulls()
    for number in range(limits.FRONTIER_CHAINS_MAX + 100):
        key = (MachineId(f"machine-{number}"), 1, Chain("mail"))
        pulls.offered("x", key, 1, mine=0, at=0.0, now_s=0.0)
    assert len(pulls.waiting()) == limits.FRONTIER_CHAINS_MAX
    pulls.offered("y", _MAIL, 1, mine=0, at=0.0, now_s=0.0)
    assert _MAIL in pulls.waiting()


def test_a_peer_that_was_forgotten_may_name_chains_again() -> None:
    pulls: Pulls[str] = Pulls()
    for again in range(3):
        for number in range(limits.FRONTIER_CHAINS_MAX):
            key = (MachineId(f"machine-{again}-{number}"), 1, Chain("mail"))
            pulls.offered("x", key, 1, mine=0, at=0.0, now_s=0.0)
        assert pulls.held_by("x", key) == 1
        pulls.forget_peer("x", 0.0)


_moves = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.sampled_from("xyz"), st.integers(1, 6)),
        st.tuples(st.just("gone"), st.sampled_from("xyz"), st.just(0)),
        st.tuples(st.just("got"), st.just(""), st.integers(1, 3)),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 3)),
    ),
    max_size=40,
)


@given(_moves)
def test_whatever_happens_a_chain_is_asked_of_one_peer_and_never_what_is_held(
    moves: list[tuple[str, str, int]],
) -> None:
    pulls: Pulls[str] = Pulls()
    now_s, mine = 0.0, 0
    asked: tuple[str, float] | None = None
    for what, peer, number in moves:
        if what == "offer":
            pulls.offered(peer, _MAIL, number, mine=mine, at=now_s, now_s=now_s)
        elif what == "gone":
            pulls.forget_peer(peer, now_s)
            asked = None if asked is not None and asked[0] == peer else asked
        elif what == "got":
            mine += number
            pulls.progressed(_MAIL, mine, now_s)
            asked = None
        else:
            now_s += number
        for pull in pulls.due(now_s, {_MAIL: mine}):
            assert asked is None or now_s >= asked[1] + limits.WANT_RETRY_S
            assert pull.first == mine + 1
            assert pulls.held_by(pull.peer, _MAIL) > mine
            asked = (pull.peer, now_s)


@given(_moves)
def test_whatever_happens_what_somebody_else_holds_is_asked_for_in_the_end(moves: list[tuple[str, str, int]]) -> None:
    pulls: Pulls[str] = Pulls()
    for what, peer, number in moves:
        if what == "offer":
            pulls.offered(peer, _MAIL, number, mine=0, at=0.0, now_s=0.0)
        elif what == "gone":
            pulls.forget_peer(peer, 0.0)
        else:
            pulls.due(0.0, {})
    pulls.offered("honest", _MAIL, 9, mine=0, at=0.0, now_s=0.0)
    asked = [pull.peer for again in range(10) for pull in pulls.due(again * limits.WANT_RETRY_S, {})]
    assert "honest" in asked


@pytest.mark.parametrize("count", [1, 5])
def test_every_chain_has_its_own_pull(count: int) -> None:
    pulls: Pulls[str] = Pulls()
    for number in range(count):
        pulls.offered("x", (MachineId("machine-b"), number + 1, Chain("mail")), 1, mine=0, at=0.0, now_s=0.0)
    assert len(pulls.due(0.0, {})) == count
