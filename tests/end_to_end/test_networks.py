"""Three computers on one Ethernet, as network namespaces: found by mDNS and by address; packets lost; cables cut."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from roosync_p2p.trust.invites import decode_join_code, encode_join_code
from tests.helpers.fleet import Fleet, Machine, until
from tests.helpers.netlab import Lab, netlab_missing

_MISSING = netlab_missing()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "available")]

Report = Callable[[str, object], None]

_NAMES: Final = ("alice", "berta", "carla")
_PORT: Final = 47600
LOSS_PERCENT: Final = 20
LOSS_S: Final = float(os.environ.get("ROOSYNC_TEST_LOSS_S", "30"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(3) as lab:
        yield lab


def _machine(fleet: Fleet, lab: Lab, number: int) -> Machine:
    return fleet.add(_NAMES[number], listen=f"0.0.0.0:{_PORT}", wrap=lambda argv: lab.argv(number, argv))


@pytest.fixture(scope="module")
def linked(lab: Lab) -> Iterator[Fleet]:
    """Three machines that know each other by address and never saw an mDNS packet."""
    wraps = [functools.partial(lab.argv, number) for number in range(3)]
    listens = [f"{lab.address(number)}:{_PORT}" for number in range(3)]
    with Fleet.found(*_NAMES, wraps=wraps, listens=listens) as fleet:
        fleet.start_all()
        fleet.until_linked()
        yield fleet


@pytest.fixture(autouse=True)
def healed(lab: Lab) -> Iterator[None]:
    yield
    for number in range(lab.count):
        lab.heal(number)


def test_machines_find_each_other_by_mdns_and_join_without_an_address(lab: Lab, record_property: Report) -> None:
    with Fleet() as fleet:
        alice = _machine(fleet, lab, 0)
        alice.admin("init", "--machine", "alice", "--no-passphrase")
        alice.start(mdns=True)
        for number in (1, 2):
            machine = _machine(fleet, lab, number)
            code = decode_join_code(alice.admin("invite", machine.name).strip())
            bare = encode_join_code(dataclasses.replace(code, contacts=()))
            began = time.monotonic()
            joined = machine.json("join", bare)
            _report(record_property, f"{machine.name} joins by mDNS", time.monotonic() - began)
            assert joined["address"] == f"{lab.address(0)}:{_PORT}"
            machine.start(mdns=True)
        _report(record_property, "all see each other, found by mDNS", fleet.until_linked())
        for machine in fleet.machines.values():
            rows = machine.json("machines")["machines"]
            assert [row["state"] for row in rows] == ["online"] * 3
            assert all(row["self"] or row["evidence"]["path"] == "direct" for row in rows)
        nobody = fleet.add("nobody", wrap=lambda argv: lab.argv(2, argv))
        error = nobody.refusal("up")
        assert "alice" in error["message"], "the fleets nearby are named"


def test_machines_join_by_the_address_in_the_code_and_link_by_static_peers(lab: Lab, record_property: Report) -> None:
    with Fleet() as fleet:
        alice = _machine(fleet, lab, 0)
        alice.admin("init", "--machine", "alice", "--no-passphrase")
        alice.start()
        for number in (1, 2):
            machine = _machine(fleet, lab, number)
            code = alice.admin("invite", machine.name).strip()
            assert f"{lab.address(0)}:{_PORT}" in decode_join_code(code).contacts
            began = time.monotonic()
            machine.json("join", code)
            _report(record_property, f"{machine.name} joins by address", time.monotonic() - began)
            machine.start("--peer", f"wss://{lab.address(0)}:{_PORT}")
        _report(record_property, "all see each other, by addresses", fleet.until_linked())


def test_with_a_fifth_of_all_packets_lost_nobody_is_called_offline(
    lab: Lab, linked: Fleet, record_property: Report
) -> None:
    machines = list(linked.machines.values())
    recorders = [machine.record() for machine in machines]
    for number in range(3):
        lab.loss(number, LOSS_PERCENT)
    began = time.monotonic()
    sent = 0
    while time.monotonic() - began < LOSS_S:
        machines[sent % 3].client.send("all", f"perdu {sent}", "corps")
        sent += 1
        time.sleep(1)  # the time under loss is what is tested
    dropped = [lab.dropped(number) for number in range(3)]
    _report(record_property, f"{LOSS_PERCENT} % loss: seconds", time.monotonic() - began)
    for name, count in zip(_NAMES, dropped, strict=True):
        _report(record_property, f"packets dropped at {name}", count)
        assert count > LOSS_S, "the loss was not active"
    states: dict[str, int] = {}
    for recorder in recorders:
        for seen in recorder.all("verdict"):
            state = str(seen.event.data["state"])
            states[state] = states.get(state, 0) + 1
    print(f"verdicts under loss: {states}")
    assert not {"offline", "unknown", "leaving", "conflict"} & states.keys(), linked.report()
    for number in range(3):
        lab.heal(number)
    for number, machine in enumerate(machines):
        own = len(range(number, sent, 3))
        _until_arrived(machine, sent - own)
        found = [row["id"] for row in machine.inbox()]
        assert len(found) == len(set(found))
    linked.until_linked()


def test_a_node_that_is_cut_off_says_unknown_and_the_others_say_offline(
    lab: Lab, linked: Fleet, record_property: Report
) -> None:
    alice, berta, carla = linked.machines.values()
    with alice.record() as at_alice, berta.record() as at_berta, carla.record() as at_carla:
        began = time.monotonic()
        lab.cut(2)
        for recorder in (at_alice, at_berta):
            seen = recorder.wait("verdict", within_s=50, since_s=began, machine="carla", state="offline")
            _report(record_property, f"cut off: offline at {recorder.name}", seen.at_s - began)
        for name in ("alice", "berta"):
            seen = at_carla.wait("verdict", within_s=50, since_s=began, machine=name, state="unknown")
            _report(record_property, f"cut off: {name} unknown at carla", seen.at_s - began)
        assert {alice.states()["berta"], berta.states()["alice"]} == {"online"}
        assert [_waits(carla, "alice"), _waits(carla, "carla"), _waits(alice, "carla")] == [
            ["own_connection"],
            ["anybody"],
            ["sign"],
        ]
        sent = carla.client.send("alice", "dans le noir", "corps")
        told = {state for name in ("alice", "berta") for _, state, _ in at_carla.verdicts(name)}
        assert "offline" not in told, at_carla.verdicts("alice")
        healed_s = time.monotonic()
        lab.heal(2)
        for recorder, name in ((at_alice, "carla"), (at_berta, "carla"), (at_carla, "alice"), (at_carla, "berta")):
            seen = recorder.wait("verdict", within_s=100, since_s=healed_s, machine=name, state="online")
            _report(record_property, f"healed: {name} online at {recorder.name}", seen.at_s - healed_s)
        told = {state for name in ("alice", "berta") for _, state, _ in at_carla.verdicts(name)}
        assert "offline" not in told, at_carla.verdicts("alice")
    until(lambda: any(row["id"] == sent["id"] for row in alice.inbox()), 50, what="what it sent in the dark arrives")
    linked.until_linked(within_s=100)


@pytest.mark.parametrize("both_ways", [False, True], ids=["one way", "both ways"])
def test_a_cut_between_two_is_bridged_by_the_third(
    lab: Lab, linked: Fleet, both_ways: bool, record_property: Report
) -> None:
    alice, berta, _carla = linked.machines.values()
    with alice.record() as at_alice, berta.record() as at_berta:
        began = time.monotonic()
        lab.cut(0, incoming=True, outgoing=both_ways, peer=1)
        until(lambda: _relayed(alice, "berta"), 50, what="alice hears berta through carla", shown=linked.report)
        _report(record_property, "cut between two: relayed after", time.monotonic() - began)
        assert alice.row("berta")["evidence"]["via"] == "carla"
        seen = alice.client.why("berta")["machine"]["seen"]
        assert [(one["path"], one["via"]) for one in seen if one["standing"] == "good"] == [("relayed", "carla")]
        until(lambda: alice.row("berta")["state"] == "online", 50, what="berta is online, relayed")
        until(lambda: berta.row("alice")["state"] == "online", 50, what="alice is online")
        sent = alice.client.send("berta", "par le tiers", "corps")
        until(lambda: any(row["id"] == sent["id"] for row in berta.inbox()), 50, what="a message goes round")
        until(lambda: alice.client.message(sent["id"])["states"] == {"berta": "delivered"}, 50, what="and its receipt")
        told = [state for _, state, _ in at_alice.verdicts("berta") + at_berta.verdicts("alice")]
        assert "offline" not in told
    lab.heal(0)
    linked.until_linked(within_s=100)


def test_a_node_that_only_dials_out_is_heard_directly_by_whom_it_dials_and_through_them_by_others(
    lab: Lab, linked: Fleet, record_property: Report
) -> None:
    """carla is somewhere else, behind a firewall that lets nobody in, and reaches alice alone."""
    alice, berta, carla = linked.machines.values()
    carla.stop()
    lab.lets_nobody_in(2)
    lab.cut(1, peer=2)
    with alice.record() as at_alice, berta.record() as at_berta:
        began = time.monotonic()
        carla.start()
        until(lambda: _direct(alice, "carla") and _direct(carla, "alice"), 50, what="alice and carla", shown=carla.log)
        until(lambda: _relayed(berta, "carla"), 50, what="berta hears carla through alice", shown=linked.report)
        until(lambda: _relayed(carla, "berta"), 50, what="carla hears berta through alice", shown=linked.report)
        _report(record_property, "only dials out: everybody sees everybody after", time.monotonic() - began)
        _exchange(berta, carla, "par alice")
        # The other side of its only link goes and comes back: it finds that by itself, nobody could dial it.
        alice.stop()
        alice.start()
        began = time.monotonic()
        until(lambda: _direct(alice, "carla"), 50, what="carla finds alice again", shown=carla.log)
        until(lambda: _relayed(berta, "carla"), 50, what="berta hears carla again", shown=linked.report)
        _report(record_property, "only dials out: found again after", time.monotonic() - began)
        _exchange(carla, alice, "après le redémarrage")
        assert all(link["dialled"] for link in carla.client.status()["connections"]), "somebody got in"
        # While alice was away nobody had a way to carla; from then on nobody may call it gone. (Who came and went is
        # told late on purpose.)
        told = (at_alice, at_berta)
        until(lambda: all(one.verdicts("carla")[-1][1] == "online" for one in told), 50, what="it is told")
    lab.heal(1)
    lab.heal(2)
    linked.until_linked(within_s=100)


def _exchange(one: Machine, other: Machine, subject: str) -> None:
    """A message each way, and the word that it is delivered."""
    for sender, reader in ((one, other), (other, one)):
        sent = sender.client.send(reader.name, subject, "corps")
        until(lambda sent=sent, reader=reader: any(row["id"] == sent["id"] for row in reader.inbox()), 50, what=subject)  # type: ignore[misc]  # late binding
        delivered = {reader.name: "delivered"}
        until(
            lambda sent=sent, sender=sender, delivered=delivered: (
                sender.client.message(sent["id"])["states"] == delivered
            ),  # type: ignore[misc]  # late binding
            50,
            what=f"the receipt of {subject}",
        )


def _direct(machine: Machine, other: str) -> bool:
    row = machine.row(other)
    return bool(row["evidence"]["path"] == "direct" and row["state"] == "online")


def _until_arrived(machine: Machine, count: int) -> None:
    until(lambda: len(machine.inbox()) >= count, 50, what=f"{count} messages are at {machine.name}", shown=machine.log)


def _waits(judge: Machine, machine: str) -> list[str]:
    """What a node says that a machine's state waits for."""
    return [wait["code"] for wait in judge.client.why(machine)["waits_for"]]


def _relayed(machine: Machine, other: str) -> bool:
    row = machine.row(other)
    return bool(row["evidence"]["path"] == "relayed" and row["state"] == "online")


def _report(record_property: Report, what: str, value: float) -> None:
    record_property(what, round(value, 3))
    print(f"{what}: {value:.3f}")
