"""Persist, then send: nothing is released before its ticket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p import limits
from roosync_p2p.core.effects import Answer, CloseLink, Effect, Notify, Persist, Push, RequestId, Send, Ticket
from roosync_p2p.core.outbox import Outbox
from roosync_p2p.core.ports import LinkId
from roosync_p2p.core.wire import EntriesFrame, WireEntry, decode_frame


def _send(after: int, frame: bytes = b"") -> Send:
    return Send(link=LinkId(1), frame=frame, after=Ticket(after), droppable=False)


def _persist(ticket: int) -> Persist:
    return Persist(ticket=Ticket(ticket), rows=())


def _push(after: int, header: bytes, link: int = 1) -> Push:
    return Push(link=LinkId(link), entry=WireEntry(header=header, body=b""), after=Ticket(after))


def _entries(effect: Effect) -> list[bytes]:
    assert isinstance(effect, Send)
    frame = decode_frame(effect.frame)
    assert isinstance(frame, EntriesFrame)
    return [entry.header for entry in frame.entries]


def test_entries_that_become_durable_together_go_in_one_frame_before_what_follows_the_first() -> None:
    outbox = Outbox()
    outbox.feed([_push(1, b"a"), _push(1, b"a", link=2), _send(1, b"raft"), _push(2, b"b"), _push(3, b"c")])
    first, other, raft = outbox.persisted(Ticket(2))
    assert (_entries(first), _entries(other), raft) == ([b"a", b"b"], [b"a"], _send(1, b"raft"))
    assert [effect.link for effect in (first, other) if isinstance(effect, Send)] == [1, 2]
    (late,) = outbox.persisted(Ticket(3))
    assert _entries(late) == [b"c"]


def test_an_entry_that_is_durable_already_goes_at_once() -> None:
    outbox = Outbox()
    outbox.persisted(Ticket(1))
    persist, (sent,) = outbox.feed([_push(1, b"a")])
    assert (persist, _entries(sent)) == ([], [b"a"])


def test_frames_of_entries_keep_their_bounds() -> None:
    outbox = Outbox()
    outbox.feed([_push(1, number.to_bytes(2)) for number in range(limits.ENTRIES_PER_FRAME_MAX + 1)])
    assert [len(_entries(frame)) for frame in outbox.persisted(Ticket(1))] == [limits.ENTRIES_PER_FRAME_MAX, 1]
    body = b"x" * (limits.ENTRIES_FRAME_BYTES_TARGET // 2)
    entry = WireEntry(header=b"", body=body)
    outbox.feed([Push(link=LinkId(1), entry=entry, after=Ticket(2)) for _ in range(3)])
    assert [len(_entries(frame)) for frame in outbox.persisted(Ticket(2))] == [2, 1]


def test_what_waits_for_nothing_goes_at_once() -> None:
    close = CloseLink(link=LinkId(1), reason="")
    assert Outbox().feed([_send(0), close]) == ([], [_send(0), close])


def test_what_must_be_persisted_is_kept_apart() -> None:
    assert Outbox().feed([_persist(1), _send(0)]) == ([_persist(1)], [_send(0)])


def test_what_waits_for_a_ticket_is_held_back_until_it_is_durable() -> None:
    outbox = Outbox()
    assert outbox.feed([_persist(1), _send(1)]) == ([_persist(1)], [])
    assert outbox.waiting == 1
    assert outbox.persisted(Ticket(1)) == [_send(1)]
    assert outbox.waiting == 0


def test_an_earlier_ticket_releases_nothing_of_a_later_one() -> None:
    outbox = Outbox()
    outbox.feed([_send(2)])
    assert outbox.persisted(Ticket(1)) == []


def test_a_later_ticket_releases_everything_before_it_in_order() -> None:
    outbox = Outbox()
    outbox.feed([_send(2, b"b"), _send(1, b"a"), _send(2, b"c")])
    assert outbox.persisted(Ticket(2)) == [_send(1, b"a"), _send(2, b"b"), _send(2, b"c")]


def test_what_waits_for_a_ticket_that_is_durable_already_goes_at_once() -> None:
    outbox = Outbox()
    outbox.persisted(Ticket(3))
    assert outbox.feed([_send(3)]) == ([], [_send(3)])


def test_answers_and_events_wait_too() -> None:
    outbox = Outbox()
    answer = Answer(request=RequestId(1), result={}, after=Ticket(1))
    notify = Notify(event="message", data={}, after=Ticket(1))
    assert outbox.feed([answer, notify]) == ([], [])
    assert outbox.persisted(Ticket(1)) == [answer, notify]


def test_what_will_never_be_durable_can_be_taken_out() -> None:
    outbox = Outbox()
    outbox.feed([_send(2, b"b"), _send(1, b"a")])
    assert outbox.abandon() == [_send(1, b"a"), _send(2, b"b")]
    assert outbox.persisted(Ticket(9)) == []


_steps = st.lists(
    st.one_of(st.tuples(st.just("send"), st.integers(0, 6)), st.tuples(st.just("disk"), st.integers(0, 6)))
)


@given(_steps)
def test_nothing_is_ever_released_before_its_ticket_and_everything_is_after_it(steps: list[tuple[str, int]]) -> None:
    outbox, durable, number = Outbox(), 0, 0
    fed: list[Send] = []
    done: list[Effect] = []
    for what, ticket in steps:
        if what == "send":
            number += 1
            fed.append(_send(ticket, str(number).encode()))
            released = outbox.feed([fed[-1]])[1]
        else:
            durable = max(durable, ticket)
            released = outbox.persisted(Ticket(ticket))
        assert all(isinstance(effect, Send) and effect.after <= durable for effect in released)
        done += released
    assert sorted(done, key=repr) == sorted((send for send in fed if send.after <= durable), key=repr)
    for ticket in range(7):
        same = [send for send in fed if send.after == ticket and send in done]
        assert [effect for effect in done if effect in same] == same
    assert outbox.waiting == len(fed) - len(done)
