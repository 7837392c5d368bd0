"""A sealed message between real nodes: its readers read it, and nobody else finds a word of it anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from roosync_p2p.errors import InputFault
from tests.helpers.fleet import Fleet, Machine, until

WITHIN_S = 60.0
SUBJECT, BODY, TAG, NAME = "Mot-de-passe-zbrqx", "le-coffre-est-vkjwp", "etiquette-qpzmx", "plan-du-coffre-hwtrb.txt"
CONTENT = b"contenu-secret-ylfgd " * 500


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.found("alice", "berta", "carla") as fleet:
        fleet.start_all()
        fleet.until_linked()
        for machine in fleet.running():
            _until_announced(fleet, machine)
        yield fleet


def _until_announced(fleet: Fleet, machine: Machine) -> None:
    """Waits until every other machine knows for which key messages to this one are sealed."""

    def known() -> bool:
        rows = [
            row for other in fleet.running() for row in other.rows("SELECT author FROM records WHERE kind='sealing'")
        ]
        return rows.count((machine.name,)) == len(fleet.running()) - 1

    until(known, WITHIN_S, what=f"the key of {machine.name} is known", shown=fleet.report)


def _until_held(fleet: Fleet, machine: Machine, message: str) -> None:
    def held() -> bool:
        try:
            machine.client.message(message)
        except InputFault:
            return False
        return True

    until(held, WITHIN_S, what=f"{machine.name} holds {message}", shown=fleet.report)


def _traces(machine: Machine) -> list[str]:
    """Files of this home in which a word of the message stands."""
    words = [word.encode() for word in (SUBJECT, BODY, TAG, NAME.removesuffix(".txt"))] + [CONTENT[:20]]
    files = [path for path in machine.home.rglob("*") if path.is_file()] + [machine.output]
    return [str(path) for path in files for word in words if word in path.read_bytes()]


def test_only_sender_and_recipients_read_it_and_nothing_of_it_stands_on_any_disk(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    path = fleet.path / NAME
    path.write_bytes(CONTENT)
    sent = alice.json("send", "berta", SUBJECT, BODY, "--tag", TAG, "--attach", str(path), "--private")
    for machine in (berta, carla):
        _until_held(fleet, machine, sent["id"])
    until(
        lambda: [row["state"] for row in berta.client.message(sent["id"])["attachments"]] == ["here"],
        WITHIN_S,
        what="the file arrives",
        shown=fleet.report,
    )
    for machine in (alice, berta):
        shown = machine.client.message(sent["id"])
        assert (shown["subject"], shown["body"], shown["tags"]) == (SUBJECT, BODY, [TAG])
        (row,) = shown["attachments"]
        assert (row["name"], row["size"], row["sha256"]) == (NAME, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
        assert (shown["sealed"], shown["verified"], shown["signer"]) == (True, True, "alice")
    assert [(row["subject"], row["sealed"]) for row in berta.inbox()] == [(SUBJECT, True)]
    (place := fleet.path / "saved").mkdir()
    text = berta.run("read", sent["id"], "--save", str(place)).stdout
    assert BODY in text
    assert "sealed: only the machines of sender and recipients can read it" in text
    assert (place / NAME).read_bytes() == CONTENT
    # A third member holds the message, and finds nothing in it; nor does whoever takes a disk away.
    other = carla.client.message(sent["id"])
    assert (other["subject"], other["body"], other["tags"]) == ("(sealed)", None, [])
    assert other["seal_problem"] == "sealed_for_others"
    assert [row["name"] for row in other["attachments"]] == [""]
    assert "sealed for other machines" in carla.run("read", sent["id"]).stdout
    for machine in (alice, berta, carla):
        assert _traces(machine) == []
    assert berta.client.search("coffre")["messages"] == []


def test_a_reply_is_sealed_unless_asked_otherwise_and_nothing_sealed_is_amended(fleet: Fleet) -> None:
    alice, berta, carla = fleet.machines.values()
    sent = alice.json("send", "berta", SUBJECT, BODY, "--private")
    _until_held(fleet, berta, sent["id"])
    answer = berta.json("reply", sent["id"], "compris-dkwqz")
    _until_held(fleet, alice, answer["id"])
    shown = alice.client.message(answer["id"])
    assert (shown["sealed"], shown["subject"], shown["body"]) == (True, f"Re: {SUBJECT}", "compris-dkwqz")
    plain = berta.json("reply", sent["id"], "en clair", "--not-private")
    _until_held(fleet, alice, plain["id"])
    assert not alice.client.message(plain["id"])["sealed"]
    assert alice.refusal("amend", sent["id"], "autre")["code"] == "sealed_not_amended"
    _until_held(fleet, carla, sent["id"])
    assert carla.refusal("reply", sent["id"], "?")["code"] == "sealed_for_others"


def test_the_same_key_sends_a_sealed_message_once_and_another_text_is_refused(fleet: Fleet) -> None:
    alice = fleet.machines["alice"]
    first = alice.json("send", "berta", SUBJECT, BODY, "--private", "--idempotency-key", "k1")
    assert alice.json("send", "berta", SUBJECT, BODY, "--private", "--idempotency-key", "k1")["id"] == first["id"]
    for other in (["berta", SUBJECT, BODY], ["berta", SUBJECT, "autre", "--private"]):
        assert alice.refusal("send", *other, "--idempotency-key", "k1")["code"] == "key_reused"


def test_the_key_survives_a_restart_and_is_for_its_owner_alone(fleet: Fleet) -> None:
    alice, berta, _carla = fleet.machines.values()
    sent = alice.json("send", "berta", SUBJECT, BODY, "--private")
    _until_held(fleet, berta, sent["id"])
    (key,) = (berta.home / "identity").glob("sealing-*.key")
    assert key.stat().st_mode & 0o077 == 0
    berta.stop()
    berta.start("--peer", alice.listen)
    assert berta.client.message(sent["id"])["body"] == BODY
    assert list((berta.home / "identity").glob("sealing-*.key")) == [key]


def test_a_saved_file_is_named_as_its_sender_named_it(fleet: Fleet) -> None:
    alice = fleet.machines["alice"]
    path = fleet.path / "leer.txt"
    path.write_bytes(b"")
    sent = alice.json("send", "alice", "für mich", "--attach", str(path), "--private")
    (place := fleet.path / "leer").mkdir()
    done = alice.json("read", sent["id"], "--save", str(place))
    assert [Path(row["path"]).name for row in done["saved"]] == ["leer.txt"]
    assert (place / "leer.txt").read_bytes() == b""
