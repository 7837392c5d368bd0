"""How fast one may send: within any minute, whoever else sends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.mailbox.pace import SendingPace


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
def test_it_counts_as_somebody_would_who_keeps_a_list_of_everything(pauses: list[float], per_minute: int) -> None:
    pace, now_s = SendingPace(per_minute), 0.0
    sent: list[float] = []
    for pause in pauses:
        now_s += pause
        within = [at for at in sent if at > now_s - 60]
        wait_s = pace.take("a", now_s)
        if len(within) < per_minute:
            assert wait_s == 0
            sent.append(now_s)
        else:
            assert wait_s == within[0] + 60 - now_s


def test_one_who_sends_too_much_keeps_nobody_else_from_sending() -> None:
    pace = SendingPace(2)
    assert [pace.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 60.0]
    assert pace.take("b", 0.0) == 0.0


def test_what_was_not_sent_does_not_count() -> None:
    pace = SendingPace(1)
    assert pace.take("a", 0.0) == 0.0
    pace.give_back("a")
    assert pace.take("a", 1.0) == 0.0
    assert pace.take("a", 2.0) == 59.0


def test_senders_are_remembered_within_a_bound() -> None:
    pace = SendingPace(1, senders_max=2)
    for sender in ("a", "b", "c"):
        assert pace.take(sender, 0.0) == 0.0
    assert pace.take("c", 1.0) > 0
    assert pace.take("a", 1.0) == 0.0
