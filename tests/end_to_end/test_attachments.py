"""Files that messages bring along, between real nodes: they arrive as they were, or the reason is told."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fleet import Fleet, Machine, until

WITHIN_S = 60.0
MIB = 2**20


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "carla") as fleet:
        fleet.start_all()
        fleet.until_linked()
        yield fleet


def _file(fleet: Fleet, name: str, size: int) -> Path:
    path = fleet.path / name
    path.write_bytes(random.Random(name).randbytes(size))
    return path


def _attachments(machine: Machine, message: str) -> list[dict[str, Any]]:
    if all(row["id"] != message for row in machine.inbox()):
        return []
    found: list[dict[str, Any]] = machine.client.message(message)["attachments"]
    return found


def _until_here(fleet: Fleet, machine: Machine, message: str) -> list[dict[str, Any]]:
    until(
        lambda: [row["state"] for row in _attachments(machine, message)] not in ([], ["coming"], ["unavailable"]),
        WITHIN_S,
        what=f"the attachments of {message} arrive at {machine.name}",
        shown=lambda: f"{_attachments(machine, message)}\n{fleet.report()}",
    )
    return _attachments(machine, message)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # not begun, or whole by now
        return 0


def _blobs(machine: Machine) -> set[str]:
    return {path.name for path in (machine.home / "blobs").iterdir()}


def test_a_file_arrives_as_it_was_and_only_where_it_is_for(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    path = _file(fleet, "Écran du lundi.log", 3 * MIB + 17)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sent = alice.json("send", "berta", "Le journal", "voir la fin", "--attach", str(path))
    (row,) = _until_here(fleet, berta, sent["id"])
    assert (row["name"], row["size"], row["sha256"]) == (path.name, 3 * MIB + 17, digest)
    place = fleet.path / "saved"
    place.mkdir()
    (place / path.name).write_text("not to be replaced")
    done = berta.json("read", sent["id"], "--save", str(place))
    assert [Path(saved["path"]).name for saved in done["saved"]] == ["Écran du lundi (2).log"]
    assert (place / "Écran du lundi (2).log").read_bytes() == path.read_bytes()
    assert (place / path.name).read_text() == "not to be replaced"
    assert "here" in berta.run("read", sent["id"]).stdout
    assert _blobs(berta) == _blobs(alice) == {digest}
    until(
        lambda: alice.client.why(sent["id"])["message"]["attachment_holders"] == ["alice", "berta"],
        WITHIN_S,
        what="alice hears that berta has it",
    )
    # Everybody holds the message, and nobody but these two what it brings along.
    until(
        lambda: "carla" in alice.client.why(sent["id"])["message"]["holders"], WITHIN_S, what="carla holds the message"
    )
    refused = carla.run("read", sent["id"], "--save", str(place), code=1)
    assert "for its sender and the recipients only" in refused.stdout
    assert _blobs(carla) == set()


def test_a_fetch_goes_on_where_it_was_when_the_node_died(fleet: Fleet) -> None:
    alice, berta, _carla = fleet.machines.values()
    path = _file(fleet, "build.tar", 40 * MIB)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    before = alice.counters().get("blobs.sent", 0)
    part = berta.home / "blobs" / f"{digest}.part"
    sent = alice.json("send", "berta", "Build", "--attach", str(path))
    until(lambda: _size(part) > 4 * MIB, WITHIN_S, what="some of it is there")
    berta.kill()
    assert 4 * MIB < _size(part) < 40 * MIB, "it had all come before the node was killed"
    berta.start(*("--peer", alice.listen))
    (row,) = _until_here(fleet, berta, sent["id"])
    assert row["sha256"] == digest
    assert berta.counters().get("blobs.damaged", 0) == 0
    # What was on its way when it died came in vain, and nothing else twice.
    assert alice.counters()["blobs.sent"] - before <= 40 * MIB + MIB
    (place := fleet.path / "again").mkdir()
    berta.run("read", sent["id"], "--save", str(place))
    assert hashlib.sha256((place / "build.tar").read_bytes()).hexdigest() == digest


def test_what_is_too_large_or_not_there_is_refused_and_nothing_is_sent(fleet: Fleet) -> None:
    alice = fleet.machines["alice"]
    large = fleet.path / "large.bin"
    with large.open("wb") as file:
        file.truncate(64 * MIB + 1)
    assert alice.refusal("send", "berta", "too large", "--attach", str(large), code=2)["code"] == "too_large"
    absent = alice.refusal("send", "berta", "absent", "--attach", str(fleet.path / "absent"), code=2)
    assert absent["code"] == "no_such_file"
    forged = {"name": "x", "sha256": "00" * 32, "size": 3}
    with pytest.raises(Exception, match="was not handed to this node; nothing was sent"):
        alice.client.send("berta", "forged", attachments=[forged])
