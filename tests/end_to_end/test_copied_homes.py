"""A home that was copied, in every way in which it happens: each is flagged, and nothing wrong is accepted.

``alice`` founded the fleet and is its issuer, ``berta`` is the witness, and it is mostly ``carla`` who is copied.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterator

import pytest

from roosync_p2p.errors import InputFault
from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import ADMIN, Fleet, Machine, until


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "carla") as fleet:
        fleet.start_all()
        fleet.until_linked()
        yield fleet


def _send(machine: Machine, subject: str, count: int = 1, to: str = "all") -> list[str]:
    return [str(machine.client.send(to, f"{subject} {number}", "corps")["id"]) for number in range(count)]


def _until_arrived(machines: list[Machine], messages: list[str]) -> None:
    for machine in machines:
        _until_all_there(machine, set(messages))


def _until_all_there(machine: Machine, messages: set[str]) -> None:
    until(
        lambda: messages <= set(_messages(machine)),
        50,
        what=f"{messages} are at {machine.name}",
        shown=lambda: f"{machine.client.status()}\n{machine.log()}",
    )


def _messages(machine: Machine) -> list[str]:
    return [str(row["id"]) for row in machine.inbox()]


def _until_warned(machine: Machine, code: str, *words: str) -> None:
    until(
        lambda: code in machine.warnings() and all(word in machine.warnings()[code] for word in words),
        50,
        what=f"{machine.name} warns of {code} {words}",
        shown=lambda: f"{machine.client.status()}\n{machine.log()}",
    )


def _until_conflict_on_top(machine: Machine) -> None:
    until(
        lambda: machine.client.status()["state"] == "conflict",
        50,
        what=f"{machine.name} says conflict on top",
        shown=machine.log,
    )


def _nothing_wrong_was_accepted(*machines: Machine) -> None:
    """One entry a place on all of these, and no message twice in an inbox."""
    for one, other in itertools.combinations(machines, 2):
        mine, theirs = one.places(), other.places()
        differing = {place for place in mine.keys() & theirs.keys() if mine[place] != theirs[place]}
        assert not differing, f"{one.name} and {other.name} hold different entries at {differing}"
    for machine in machines:
        found = _messages(machine)
        assert len(found) == len(set(found))


def test_two_copies_that_run_at_once_are_a_conflict_for_everybody(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    before = _send(carla, "avant", 3)
    _until_arrived([alice, berta], before)
    carla.stop()
    copy = fleet.copy(carla, "copy-of-carla")
    carla.start()
    fleet.until_linked()
    copy.start("--peer", alice.listen, "--peer", berta.listen)
    for machine in (alice, berta):
        machine.until_state("carla", "conflict")
        assert machine.client.status()["state"] == "conflict"
    # whichever of the two notices first stops writing; what the others hold stays of one piece
    until(
        lambda: "conflict" in (carla.client.status()["state"], copy.client.status()["state"]),
        50,
        what="one of the two knows that it is not alone",
        shown=fleet.report,
    )
    for machine in (carla, copy):
        with contextlib.suppress(InputFault):  # which of the two may still write is not what is tested here
            _send(machine, f"de {machine.home.name}", 2)
    marker = _send(berta, "marque")
    _until_arrived([alice], marker)
    _nothing_wrong_was_accepted(alice, berta)
    assert set(before) <= set(_messages(alice)) & set(_messages(berta))


def test_a_home_that_was_rolled_back_begins_a_new_life_that_is_flagged(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    before = _send(carla, "avant", 3)
    _until_arrived([alice, berta], before)
    carla.stop()
    backup = fleet.path / "backup"
    shutil.copytree(carla.home, backup)
    carla.start()
    carla.until_ready()
    lost = _send(carla, "perdu", 10)
    _until_arrived([alice, berta], lost)
    places = alice.places()
    carla.stop()
    shutil.rmtree(carla.home)
    backup.rename(carla.home)
    carla.start()
    carla.until_ready()
    for machine in (alice, berta, carla):
        _until_warned(machine, "store_renewed", "carla", "incarnation 2")
    after = _send(carla, "après", 2)
    _until_arrived([alice, berta], [*lost, *after])
    assert alice.places().items() >= places.items(), "what was accepted before stays"
    _until_same(alice, berta, carla)
    _nothing_wrong_was_accepted(alice, berta, carla)
    sent = {row["subject"] for row in alice.inbox()}
    assert {f"perdu {number}" for number in range(10)} <= sent


@by_hand
def test_what_a_copy_wrote_while_the_original_was_off_makes_the_original_begin_anew(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    _until_arrived([alice, berta], _send(carla, "avant", 3))
    carla.stop()
    copy = fleet.copy(carla, "copy-of-carla")
    copy.start("--peer", alice.listen)
    copy.until_ready()
    written = _send(copy, "de la copie", 3)
    _until_arrived([alice, berta], written)
    copy.stop()
    carla.start()
    carla.until_ready()
    for machine in (alice, berta, carla):
        _until_warned(machine, "store_renewed", "carla", "incarnation 2")
    _until_arrived([alice, berta], _send(carla, "de l'original", 2))
    _until_same(alice, berta, carla)
    _nothing_wrong_was_accepted(alice, berta, carla)

    # and the copy, when it comes back in its turn, writes nothing under the old life either
    carla.stop()
    copy.start("--peer", alice.listen)
    until(lambda: copy.client.status()["phase"] != "checking", 50, what="its check ends")
    if copy.client.status()["phase"] == "ready":
        assert copy.client.status()["incarnation"] >= 3
    _nothing_wrong_was_accepted(alice, berta)


@by_hand  # how it comes about is also the first half of the story in which it is settled
def test_two_branches_written_apart_are_a_fork_that_is_shown_and_kept_out(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    _until_arrived([alice, berta], _send(carla, "avant", 3))
    carla.stop()
    copy = fleet.copy(carla, "copy-of-carla")
    copy.start("--peer", alice.listen)
    copy.until_ready()
    _until_arrived([alice, berta], _send(copy, "branche A", 3))
    copy.stop()
    alice.stop()
    berta.stop()
    carla.start()  # nobody is there who could show it what was written in its name
    carla.until_ready()
    _send(carla, "branche B", 5)
    alice.start()
    berta.start()
    for machine in (alice, berta, carla):
        machine.until_state("carla", "conflict")
        _until_conflict_on_top(machine)
    for machine in (alice, berta):
        _until_warned(machine, "forked", "carla", "two different entries")
    _until_warned(carla, "identity_conflict")
    error = carla.refusal("send", "alice", "encore", "")
    assert error["code"] == "not_writing_conflict"
    assert "settle" in error["remedy"]
    marker = _send(berta, "marque")
    _until_arrived([alice], marker)
    _nothing_wrong_was_accepted(alice, berta)
    for machine in (alice, berta):
        assert not any(row["subject"].startswith("branche B") for row in machine.inbox())
    alice.stop()
    alice.start()
    alice.until_state("carla", "conflict")
    _until_warned(alice, "forked", "carla")


def test_the_founders_own_home_rolled_back_waits_for_the_root(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    alice.stop()
    backup = fleet.path / "backup"
    shutil.copytree(alice.home, backup)
    alice.start()
    alice.until_ready()
    lost = _send(alice, "perdu", 10)
    _until_arrived([berta, carla], lost)
    alice.stop()
    shutil.rmtree(alice.home)
    backup.rename(alice.home)
    alice.start()
    _until_warned(alice, "waiting_for_countersignature", "root key")
    assert alice.client.status()["state"] == "conflict"
    error = alice.refusal("send", "berta", "trop tôt", "")
    assert error["code"] == "not_writing_waiting"
    assert "countersign" in error["remedy"]
    fresh = _send(berta, "pour alice", to="alice")
    _until_arrived([alice], fresh)  # it receives meanwhile
    done = alice.admin("countersign", "--yes")
    assert "incarnation 2" in done
    alice.until_ready()
    for machine in (alice, berta, carla):
        _until_warned(machine, "store_renewed", "alice", "incarnation 2")
    _until_arrived([berta, carla], [*lost, *_send(alice, "après", 2)])
    _until_same(alice, berta, carla)
    _nothing_wrong_was_accepted(alice, berta, carla)
    assert alice.run("countersign", "--yes", tool=ADMIN, code=1).stderr.startswith("error: ")


def _until_no_conflict(machine: Machine) -> None:
    until(
        lambda: "conflict" not in (machine.states()["carla"], machine.client.status()["state"]),
        50,
        what=f"{machine.name} is out of the conflict",
        shown=machine.log,
    )


def _branches(issuer: Machine, machine: str) -> list[str]:
    """The two entries that can be kept, once it is known where the branches part: a wrong one is refused with them."""
    found: list[str] = []

    def named() -> bool:
        error = issuer.refusal("settle", machine, "--keep", "0" * 64, "--yes", tool=ADMIN)
        assert error["code"] == "no_such_fork"
        found[:] = error["details"].get("branches", [])
        return len(found) == 2

    until(named, 50, what=f"{issuer.name} names the branches of {machine}", shown=issuer.log)
    return found


def _until_same(*machines: Machine) -> None:
    until(
        lambda: all(machine.places() == machines[0].places() for machine in machines),
        50,
        what="all hold the same",
        shown=lambda: [machine.places().keys() for machine in machines],
    )


def test_a_fork_is_settled_and_everybody_leaves_the_conflict(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    _until_arrived([alice, berta], _send(carla, "avant", 3))
    carla.stop()
    copy = fleet.copy(carla, "copy-of-carla")
    copy.start("--peer", alice.listen)
    copy.until_ready()
    dropped = _send(copy, "de la copie", 3)
    _until_arrived([alice, berta], dropped)
    copy.stop()
    alice.stop()
    berta.stop()
    carla.start()
    carla.until_ready()
    kept = _send(carla, "de l'original", 5)
    alice.start()
    berta.start()
    for machine in (alice, berta, carla):
        machine.until_state("carla", "conflict")
    branches = _branches(alice, "carla")
    _until_warned(carla, "identity_conflict", "where it forked")
    (keep,) = [branch for branch in branches if branch in carla.warnings()["identity_conflict"]]
    assert "commit" in alice.admin("settle", "carla", "--keep", keep, "--yes")
    for machine in (alice, berta, carla):
        _until_no_conflict(machine)
        assert "forked" not in machine.warnings()
    carla.until_ready()
    _until_arrived([alice, berta], [*kept, *_send(carla, "après", 2)])
    _until_same(alice, berta, carla)
    assert set(dropped) <= set(_messages(alice)), "what was delivered stays where it is"

    # a restart finds it settled; and the copy, when it comes back, writes nothing and says why
    alice.stop()
    alice.start()
    alice.until_ready()
    _until_arrived([alice], _send(carla, "encore", 1))
    carla.stop()
    copy.start("--peer", alice.listen)
    _until_warned(copy, "identity_conflict", "this home is the copy")
    assert copy.refusal("send", "alice", "non", "")["code"] == "not_writing_conflict"
    copy.stop()
    carla.start()
    carla.until_ready()
    _until_arrived([alice, berta], _send(carla, "enfin", 1))
    assert alice.states()["carla"] == "online"
