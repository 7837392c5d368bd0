"""Messages for machines that are off wait, signed, and arrive once when they return, also while their sender is off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from roosync_p2p.errors import InputFault
from tests.helpers.fleet import Fleet, Machine, until

Report = Callable[[str, object], None]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "carla") as fleet:
        fleet.start_all()
        fleet.until_linked()
        yield fleet


def _until_arrived(fleet: Fleet, machine: Machine, message: str) -> float:
    return until(
        lambda: any(row["id"] == message for row in machine.inbox()),
        50,
        what=f"{message} arrives at {machine.name}",
        shown=fleet.report,
    )


def test_a_message_to_a_machine_that_is_off_waits_and_arrives_once_when_it_returns(
    fleet: Fleet, record_property: Report
) -> None:
    alice, _berta, carla = fleet.machines.values()
    carla.stop()
    alice.until_state("carla", "leaving", "offline")
    sent = alice.client.send("carla", "Quand tu reviens", "dors bien")
    assert sent["states"] == {"carla": "sent"}
    carla.start()
    took_s = _until_arrived(fleet, carla, sent["id"])
    record_property("arrives after the return", round(took_s, 3))
    print(f"arrives after the return: {took_s:.3f} s")
    until(lambda: alice.client.message(sent["id"])["states"] == {"carla": "delivered"}, 50, what="it is delivered")
    _restart(carla)
    assert sum(row["id"] == sent["id"] for row in carla.inbox()) == 1
    row = next(row for row in carla.inbox() if row["id"] == sent["id"])
    assert (row["verified"], row["signer"]) == (True, "alice")


def test_it_arrives_through_a_third_machine_while_its_sender_is_off(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    fleet.until_linked()
    carla.stop()
    sent = alice.client.send("carla", "Par un tiers", "corps")
    until(lambda: _holds(berta, sent["id"]), 50, what="the third machine holds it")
    alice.kill()
    berta.until_state("alice", "offline")
    carla.start()
    _until_arrived(fleet, carla, sent["id"])
    assert carla.client.read(sent["id"])["body"] == "corps"
    assert carla.states()["alice"] != "online"
    alice.start()
    until(lambda: alice.client.message(sent["id"])["states"] == {"carla": "read"}, 50, what="the sender hears of it")
    assert sum(row["id"] == sent["id"] for row in carla.inbox()) == 1


def test_a_message_sent_while_alone_and_killed_at_once_is_kept(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    fleet.until_linked()
    berta.stop()
    carla.stop()
    sent = alice.client.send("all", "Toute seule", "corps")
    alice.kill()
    berta.start()
    carla.start()
    alice.start()
    for machine in (berta, carla):
        _until_arrived(fleet, machine, sent["id"])
        assert sum(row["id"] == sent["id"] for row in machine.inbox()) == 1


def _restart(machine: Machine) -> None:
    machine.stop()
    machine.start()
    machine.until_ready()


def _holds(holder: Machine, message: str) -> bool:
    """Whether a machine that is no recipient keeps the message for the one that is."""
    try:
        return bool(holder.client.message(message)["id"] == message)
    except InputFault:
        return False
