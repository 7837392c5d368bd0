"""Records without a history: the newest by (start, counter) counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.gossip.latest import Latest, LatestRecord
from roosync_p2p.ids import MachineId


def _record(start: int, counter: int, *, author: str = "machine-b", kind: str = "frontier") -> LatestRecord:
    return LatestRecord(
        kind=kind,
        author=MachineId(author),
        subject="",
        start=start,
        counter=counter,
        envelope=f"{author} {start} {counter}".encode(),
    )


def test_a_newer_counter_is_news() -> None:
    latest = Latest()
    assert latest.offer(_record(1, 1))
    assert latest.offer(_record(1, 2))


def test_the_same_again_is_no_news() -> None:
    latest = Latest()
    latest.offer(_record(1, 1))
    assert not latest.offer(_record(1, 1))


def test_an_older_start_is_no_news_however_high_its_counter() -> None:
    latest = Latest()
    latest.offer(_record(2, 1))
    assert not latest.offer(_record(1, 99))
    assert latest.get("frontier", MachineId("machine-b")) == _record(2, 1)


def test_records_of_other_machines_and_kinds_stand_beside_each_other() -> None:
    latest = Latest()
    given = [_record(1, 1), _record(1, 1, author="machine-c"), _record(1, 1, kind="floor")]
    assert all(latest.offer(record) for record in given)
    assert len(latest.versions()) == 3


def test_who_has_everything_lacks_nothing() -> None:
    latest = Latest()
    latest.offer(_record(1, 1))
    assert latest.newer_than(latest.versions()) == []


def test_who_has_an_older_version_lacks_the_newer() -> None:
    mine, theirs = Latest(), Latest()
    mine.offer(_record(2, 1))
    theirs.offer(_record(1, 7))
    assert mine.newer_than(theirs.versions()) == [_record(2, 1)]
    assert theirs.newer_than(mine.versions()) == []


_records = st.lists(
    st.builds(
        _record,
        st.integers(0, 3),
        st.integers(0, 3),
        author=st.sampled_from(["machine-b", "machine-c"]),
        kind=st.sampled_from(["frontier", "floor"]),
    ),
    max_size=12,
)


@given(_records)
def test_every_order_leaves_the_maximum_of_each_key(records: list[LatestRecord]) -> None:
    latest = Latest()
    for record in records:
        latest.offer(record)
    for key in {record.key for record in records}:
        best = max((record.start, record.counter) for record in records if record.key == key)
        held = latest.get(*key)
        assert held is not None
        assert (held.start, held.counter) == best


@given(_records, _records)
def test_after_sending_what_each_lacks_both_hold_the_same(one: list[LatestRecord], other: list[LatestRecord]) -> None:
    left, right = Latest(), Latest()
    for record in one:
        left.offer(record)
    for record in other:
        right.offer(record)
    to_right, to_left = left.newer_than(right.versions()), right.newer_than(left.versions())
    assert all(right.offer(record) for record in to_right)
    assert all(left.offer(record) for record in to_left)
    assert left.digest() == right.digest()
    assert left.versions() == right.versions()


def test_the_digest_follows_what_is_held() -> None:
    latest, other = Latest(), Latest()
    empty = latest.digest()
    latest.offer(_record(1, 1))
    assert latest.digest() != empty
    other.offer(_record(1, 1))
    assert latest.digest() == other.digest()
    other.offer(_record(1, 2))
    assert latest.digest() != other.digest()
    latest.drop("frontier", MachineId("machine-b"))
    assert latest.digest() == empty
