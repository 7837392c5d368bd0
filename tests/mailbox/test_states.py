"""How far a message got, for each recipient, from facts alone."""

from __future__ import annotations

from roosync_p2p.ids import MachineId, parse_address
from roosync_p2p.mailbox.receipts import ACTED, DECLINED, EXPIRED, READ
from roosync_p2p.mailbox.states import BOUNCED, DELIVERED, SENT, states

_A, _B, _C = (MachineId(f"machine-{letter}") for letter in "abc")


def _states(
    *to: str,
    delivered: tuple[MachineId, ...] = (),
    read: tuple[tuple[MachineId, str], ...] = (),
    said: dict[tuple[MachineId, str], str] | None = None,
    gone: tuple[MachineId, ...] = (),
    overdue: bool = False,
) -> dict[str, str]:
    known = {**dict.fromkeys(read, READ), **(said or {})}
    return states(
        [parse_address(text) for text in to],
        author=_A,
        members=[_C, _B, _A],
        delivered=lambda machine: machine in delivered,
        said=lambda machine, workspace: known.get((machine, workspace)),
        gone=lambda machine: machine in gone,
        overdue=overdue,
    )


def test_a_message_of_which_nothing_is_known_was_sent() -> None:
    assert _states("machine-b") == {"machine-b": SENT}


def test_a_covered_message_is_delivered() -> None:
    assert _states("machine-b", delivered=(_B,)) == {"machine-b": DELIVERED}


def test_a_receipt_alone_proves_that_it_was_read() -> None:
    assert _states("machine-b", read=((_B, ""),)) == {"machine-b": READ}


def test_a_broadcast_has_one_state_for_each_machine_but_its_author() -> None:
    assert _states("all", delivered=(_B,)) == {"machine-b": DELIVERED, "machine-c": SENT}


def test_a_broadcast_to_a_workspace_has_one_for_each_machines_workspace() -> None:
    assert _states("all:web", read=((_C, "web"),)) == {"machine-b:web": SENT, "machine-c:web": READ}


def test_two_workspaces_of_one_machine_are_read_apart() -> None:
    found = _states("machine-b:web", "machine-b:api", delivered=(_B,), read=((_B, "api"),))
    assert found == {"machine-b:web": DELIVERED, "machine-b:api": READ}


def test_reading_in_a_workspace_is_not_reading_the_machines_own_box() -> None:
    assert _states("machine-b", delivered=(_B,), read=((_B, "web"),)) == {"machine-b": DELIVERED}


def test_a_machine_that_is_addressed_twice_has_one_state() -> None:
    assert _states("all", "machine-b", delivered=(_B,)) == {"machine-b": DELIVERED, "machine-c": SENT}


def test_a_message_to_oneself_has_a_state() -> None:
    assert _states("machine-a", delivered=(_A,)) == {"machine-a": DELIVERED}


def test_a_recipient_that_is_no_member_any_more_still_has_a_state() -> None:
    assert _states("machine-z") == {"machine-z": SENT}


def test_each_recipient_has_the_state_that_it_said() -> None:
    found = _states("all", "machine-b:web", delivered=(_B, _C), said={(_B, "web"): DECLINED, (_C, ""): ACTED})
    assert found == {"machine-b": DELIVERED, "machine-b:web": DECLINED, "machine-c": ACTED}


def test_what_did_not_arrive_in_time_is_expired_and_what_arrived_is_not() -> None:
    assert _states("all", delivered=(_B,), overdue=True) == {"machine-b": DELIVERED, "machine-c": EXPIRED}


def test_what_a_recipient_says_counts_more_than_that_its_time_is_over() -> None:
    found = _states("all", said={(_B, ""): READ, (_C, ""): EXPIRED}, delivered=(_B, _C), overdue=True)
    assert found == {"machine-b": READ, "machine-c": EXPIRED}


def test_what_a_machine_that_is_gone_never_read_bounced() -> None:
    assert _states("machine-b", gone=(_B,)) == {"machine-b": BOUNCED}
    assert _states("machine-b", gone=(_B,), delivered=(_B,), overdue=True) == {"machine-b": BOUNCED}
    assert _states("machine-b", gone=(_B,), read=((_B, ""),)) == {"machine-b": READ}
