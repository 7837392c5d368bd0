"""What can happen to a simulated machine: it is what a computer would do."""

from __future__ import annotations

import pytest

from roosync_p2p.core.commands import SendMessage
from roosync_p2p.core.ports import InboxQuery
from roosync_p2p.errors import RoosyncError, StoreError
from roosync_p2p.ids import MachineId, parse_address
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import CrashPoint, Member

ALPHA, BETA = MachineId("alpha"), MachineId("beta")


def running_fleet() -> Fleet:
    fleet = Fleet(["alpha", "beta"], dice=Dice.of(1, "member"))
    for member in fleet.members.values():
        member.start()
    fleet.run(6)
    return fleet


def send(member: Member, key: str = "k") -> list[dict[str, object] | RoosyncError]:
    answers: list[dict[str, object] | RoosyncError] = []
    command = SendMessage(
        to=(parse_address("beta"),),
        subject="subject",
        body="body",
        type="text",
        priority="MEDIUM",
        tags=(),
        workspace=None,
        thread_id=None,
        in_reply_to=None,
        idempotency_key=key,
        remembered=member.disk.idempotency(key),
    )
    member.request(command, answers.append)
    return answers


def state(fleet: Fleet, judge: str, machine: MachineId) -> State:
    member = fleet.members[judge]
    return member.node().presence.liveness.verdict(machine, member.clock.now()).state


def test_a_paused_program_answers_nothing_and_goes_on_where_it_was() -> None:
    fleet = running_fleet()
    alpha, beta = fleet.members["alpha"], fleet.members["beta"]
    answers = send(alpha)
    alpha.pause()
    fleet.run(4)
    assert answers == []
    assert alpha.disk.unsynced == 1
    assert state(fleet, "beta", ALPHA) is State.SUSPECT
    alpha.unpause()
    fleet.run(2)
    assert len(answers) == 1
    assert len(beta.disk.inbox(InboxQuery()).items) == 1
    assert state(fleet, "beta", ALPHA) is State.ONLINE


def test_a_machine_that_slept_knows_it_from_its_clocks() -> None:
    fleet = running_fleet()
    fleet.sleep("beta")
    before = fleet.clock_of("beta")
    fleet.run(60)
    fleet.wake("beta")
    after = fleet.clock_of("beta")
    assert after.monotonic_s == before.monotonic_s
    assert after.wall_ms - before.wall_ms == 60_000
    fleet.run(10)
    assert state(fleet, "alpha", BETA) is State.ONLINE
    assert state(fleet, "beta", ALPHA) is State.ONLINE


@pytest.mark.parametrize(
    ("point", "keep", "kept"),
    [
        (CrashPoint.WRITTEN, 0, False),
        (CrashPoint.WRITTEN, 1, True),
        (CrashPoint.SYNCED, 0, True),
        (CrashPoint.RELEASING, 0, True),
    ],
)
def test_a_crash_between_two_steps_keeps_what_was_synced(point: CrashPoint, keep: int, kept: bool) -> None:
    fleet = running_fleet()
    alpha = fleet.members["alpha"]
    alpha.crash_point, alpha.crash_keep = point, keep
    answers = send(alpha)
    fleet.run(1)
    assert not alpha.running
    assert alpha.died_at is point
    assert (alpha.disk.idempotency("k") is not None) == kept
    assert len(answers) <= (point is CrashPoint.RELEASING)


def test_power_loss_forgets_what_was_not_synced() -> None:
    fleet = running_fleet()
    alpha = fleet.members["alpha"]
    alpha.disk_stalled = True
    send(alpha)
    fleet.run(0.5)
    fleet.power_off("alpha")
    assert alpha.disk.idempotency("k") is None


def test_a_full_disk_is_tried_again_until_it_has_room() -> None:
    fleet = running_fleet()
    alpha = fleet.members["alpha"]
    alpha.disk.fault = StoreError("full", code="disk_full")
    answers = send(alpha)
    fleet.run(3)
    assert answers == []
    alpha.disk.fault = None
    fleet.run(1)
    assert len(answers) == 1
    assert alpha.idle


def test_an_orderly_stop_says_goodbye_and_ends() -> None:
    fleet = running_fleet()
    fleet.members["alpha"].leave()
    fleet.run(1)
    assert not fleet.members["alpha"].running
    assert state(fleet, "beta", ALPHA) is State.LEAVING


def test_a_copied_home_has_its_own_address_and_the_same_identity() -> None:
    fleet = running_fleet()
    alpha = fleet.members["alpha"]
    copy = fleet.copy("alpha", "alpha-copy", alpha.disk.snapshot())
    assert copy.identity is alpha.identity
    assert copy.address != alpha.address
    assert copy.disk.load() == alpha.disk.load()
    assert fleet.of("alpha") == [alpha, copy]
