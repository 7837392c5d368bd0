"""The delivery checker finds each way of breaking its promise, and is content with a good history."""

from __future__ import annotations

import dataclasses

from roosync_p2p.simulation.checkers.delivery import Acknowledged, Delivered, DeliveryChecker

FIRST = Acknowledged(
    at_s=1.0,
    member="alpha",
    machine="alpha",
    entry="e1",
    message_id="msg-1",
    key="k1",
    body="one",
    boxes=(("beta", ""),),
)
SECOND = dataclasses.replace(FIRST, at_s=2.0, entry="e2", message_id="msg-2", key="k2", body="two")
ONE = Delivered(entry="e1", place=("alpha", 1, 2), workspace="", body="one")
TWO = Delivered(entry="e2", place=("alpha", 1, 3), workspace="", body="two")


def found(*inbox: Delivered, acknowledged: tuple[Acknowledged, ...] = (FIRST, SECOND)) -> list[str]:
    checker = DeliveryChecker()
    for message in acknowledged:
        checker.acknowledged(message)
    return [violation.text for violation in checker.finish({("beta", "beta"): list(inbox)}, 9.0)]


def test_everything_delivered_once_and_in_order_is_well() -> None:
    assert found(ONE, TWO) == []


def test_an_acknowledged_message_that_is_missing_is_found() -> None:
    assert found(TWO) == ["msg-1 of alpha is not in the inbox of beta"]


def test_a_message_that_is_twice_in_an_inbox_is_found() -> None:
    assert any("2 times" in text for text in found(ONE, ONE, TWO))


def test_another_body_is_found() -> None:
    assert found(dataclasses.replace(ONE, body="uno"), TWO) == ["msg-1 of alpha has another body at beta"]


def test_messages_of_one_author_in_the_wrong_order_are_found() -> None:
    assert any("before" in text for text in found(TWO, ONE))


def test_urgent_messages_have_an_order_of_their_own() -> None:
    assert found(dataclasses.replace(TWO, lane=1), ONE) == []


def test_one_wish_that_became_two_messages_is_found() -> None:
    assert any("as 2 messages" in text for text in found(ONE, dataclasses.replace(TWO, body="one")))


def test_a_key_that_was_answered_with_two_messages_is_found() -> None:
    again = dataclasses.replace(SECOND, key="k1")
    assert any("answered key k1" in text for text in found(ONE, TWO, acknowledged=(FIRST, again)))


def test_what_was_lost_with_a_restored_disk_is_excused() -> None:
    checker = DeliveryChecker()
    checker.acknowledged(FIRST)
    checker.excused(checker.entries_since("alpha", 0.5))
    assert checker.finish({("beta", "beta"): []}, 9.0) == []
    assert checker.entries_since("alpha", 1.5) == set()
