"""The book of wakes, in virtual time: once for several, again when nobody came, three times, then its sender."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.records import decode, encode
from roosync_p2p.mailbox.wakes import Arrived, Waiting, WakeBook, WakeRule, Woken

GATHER_MS, LEASE_MS, EVERY_MS = 2_000, 600_000, 60_000
T0 = 1_768_435_200_000


def _rule(**fields: Any) -> WakeRule:
    none: frozenset[str] = frozenset()
    known = WakeRule(none, none, none, none, gather_ms=GATHER_MS, lease_ms=LEASE_MS, every_ms=EVERY_MS)
    return known._replace(**fields)


def _mail(number: int = 1, **fields: str) -> Arrived:
    known = Arrived(message=f"msg-{number}", workspace="web", sender="machine-a", type="task", priority="HIGH")
    return known._replace(**fields)


@dataclasses.dataclass
class _Agent:
    """A book, the time, and whether a command goes on."""

    book: WakeBook
    now_ms: int = T0
    busy: bool = False

    def wakes(self, later_ms: int = 0) -> list[Woken]:
        self.now_ms += later_ms
        return self.book.wake(self.now_ms, lambda _name, _workspace: self.busy)

    def next_ms(self) -> int | None:
        return self.book.next_ms(self.now_ms, lambda _name, _workspace: self.busy)

    def arrives(self, number: int = 1, **fields: str) -> None:
        self.book.arrived(_mail(number, **fields), self.now_ms)


@pytest.fixture
def agent() -> _Agent:
    return _Agent(WakeBook({"claude": _rule()}))


def test_messages_that_come_together_wake_once(agent: _Agent) -> None:
    agent.arrives(1)
    assert agent.wakes(1_000) == []
    agent.arrives(2)
    agent.arrives(3, sender="machine-b")
    (woken,) = agent.wakes(1_000)
    assert woken == Woken("claude", "web", ("msg-1", "msg-2", "msg-3"), ("machine-a", "machine-b"), 1)
    assert agent.wakes(GATHER_MS) == []
    assert agent.next_ms() == T0 + 2_000 + LEASE_MS


def test_each_workspace_is_woken_for_itself(agent: _Agent) -> None:
    agent.arrives(1)
    agent.arrives(2, workspace="api")
    assert [(woken.workspace, woken.messages) for woken in agent.wakes(GATHER_MS)] == [
        ("api", ("msg-2",)),
        ("web", ("msg-1",)),
    ]


def test_one_adapter_wakes_no_more_often_than_it_may(agent: _Agent) -> None:
    agent.arrives(1)
    assert len(agent.wakes(GATHER_MS)) == 1
    agent.arrives(2)
    assert agent.wakes(GATHER_MS) == []
    assert agent.next_ms() == T0 + GATHER_MS + EVERY_MS
    (woken,) = agent.wakes(EVERY_MS - GATHER_MS)
    assert woken.messages == ("msg-2",)


def test_what_nobody_took_is_woken_for_three_times_and_then_its_sender_hears_once(agent: _Agent) -> None:
    agent.arrives(1)
    attempts = [woken.attempt for later in (GATHER_MS, LEASE_MS, LEASE_MS) for woken in agent.wakes(later)]
    assert attempts == [1, 2, 3]
    assert agent.book.lapsed(agent.now_ms) == []
    assert agent.wakes(LEASE_MS) == []
    (lapsed,) = agent.book.lapsed(agent.now_ms)
    agent.book.told(lapsed)
    assert agent.book.lapsed(agent.now_ms + 10 * LEASE_MS) == []
    assert agent.wakes(10 * LEASE_MS) == []
    assert agent.next_ms() is None
    agent.arrives(1)
    assert agent.wakes(10 * LEASE_MS) == []


def test_what_was_read_is_woken_for_no_more(agent: _Agent) -> None:
    agent.arrives(1)
    agent.arrives(2)
    agent.wakes(GATHER_MS)
    agent.book.gone("msg-1", "web", "machine-a")
    (woken,) = agent.wakes(LEASE_MS)
    assert woken.messages == ("msg-2",)


def test_what_was_taken_is_due_again_when_its_taker_did_not_read_it(agent: _Agent) -> None:
    agent.arrives(1)
    agent.wakes(GATHER_MS)
    agent.book.put_off("msg-1", "web", agent.now_ms + 2 * LEASE_MS)
    assert agent.wakes(LEASE_MS) == []
    (woken,) = agent.wakes(LEASE_MS)
    assert woken.attempt == 2


def test_nobody_is_woken_for_what_is_new_while_the_agent_still_works(agent: _Agent) -> None:
    agent.arrives(1)
    agent.wakes(GATHER_MS)
    agent.busy = True
    agent.arrives(2)
    assert agent.wakes(2 * EVERY_MS) == []
    assert agent.next_ms() == T0 + GATHER_MS + LEASE_MS  # of the first: the second one waits for the end
    agent.busy = False
    (woken,) = agent.wakes()
    assert woken.messages == ("msg-2",)


def test_an_agent_that_hangs_beyond_the_lease_is_not_waited_for(agent: _Agent) -> None:
    agent.arrives(1)
    agent.wakes(GATHER_MS)
    agent.busy = True
    assert [woken.attempt for woken in agent.wakes(LEASE_MS)] == [2]


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        ({"workspaces": {"web"}}, {"workspace": ""}),
        ({"types": {"task"}}, {"type": "text"}),
        ({"priorities": {"HIGH", "URGENT"}}, {"priority": "LOW"}),
        ({"senders": {"machine-a"}}, {"sender": "machine-b"}),
    ],
)
def test_a_filter_lets_through_what_it_names_and_nothing_else(wanted: dict[str, Any], other: dict[str, str]) -> None:
    filters = {name: frozenset(values) for name, values in wanted.items()}
    agent = _Agent(WakeBook({"claude": _rule(**filters)}))
    agent.arrives(1)
    agent.arrives(2, **other)
    assert [woken.messages for woken in agent.wakes(GATHER_MS)] == [("msg-1",)]


def test_the_book_goes_on_where_an_earlier_run_was(agent: _Agent) -> None:
    agent.arrives(1)
    agent.wakes(GATHER_MS)
    agent.wakes(LEASE_MS)
    kept = [decode(encode(one), Waiting) for one in agent.book.waiting]
    again = _Agent(WakeBook({"claude": _rule()}, kept), now_ms=agent.now_ms)
    again.arrives(1)  # found in the inbox after the start
    assert [woken.attempt for woken in again.wakes(LEASE_MS)] == [3]
    assert WakeBook({"other": _rule()}, kept).waiting == []


def test_a_clock_that_was_set_back_puts_nothing_off_for_hours(agent: _Agent) -> None:
    agent.arrives(1)
    agent.wakes(GATHER_MS)
    agent.now_ms -= 365 * 24 * 3600 * 1000
    agent.wakes()
    due_ms = agent.next_ms()
    assert due_ms is not None
    assert due_ms - agent.now_ms <= limits.TAKE_LEASE_S_MAX * 1000


def test_one_wake_names_a_bounded_number_and_the_rest_comes_next(agent: _Agent) -> None:
    count = limits.WAKE_MESSAGES_MAX + 5
    for number in range(count):
        agent.arrives(number)
    (woken,) = agent.wakes(GATHER_MS)
    assert len(woken.messages) == limits.WAKE_MESSAGES_MAX
    (rest,) = agent.wakes(EVERY_MS)
    assert len(rest.messages) == 5


def test_more_than_the_book_holds_lets_the_oldest_go(agent: _Agent) -> None:
    for number in range(limits.WAKES_WAITING_MAX + 1):
        agent.arrives(number)
    assert len(agent.book.waiting) == limits.WAKES_WAITING_MAX
    assert agent.book.waiting[0].message == "msg-1"
