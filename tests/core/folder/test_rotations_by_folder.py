"""A key that is replaced is known also where no link leads, and who comes later reads what the old one signed."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import encode
from roosync_p2p.core.commands import Rotate
from roosync_p2p.core.folder.records import Papers
from roosync_p2p.gossip.folder_file import wrap
from roosync_p2p.gossip.folder_paths import certificates_path
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.simulation.fleet_keys import BORN_S
from roosync_p2p.trust.certificates import machine_certificate
from roosync_p2p.trust.keys import SigningKey
from tests.helpers.folder_fleet import FolderFleet

A, B, C = (MachineId(f"machine-{letter}") for letter in "abc")
_NEXT = SigningKey(b"n" * 32)


def _key(fleet: FolderFleet, letter: str) -> object:
    member = fleet.member(letter).node().directory.members.get(A)
    return None if member is None else member.public


def test_the_leader_replaces_its_key_and_everybody_goes_on_through_the_folder_alone() -> None:
    fleet = FolderFleet("abc", start=False)
    fleet.member("a").start()
    fleet.member("b").start()
    fleet.until_s(lambda: B in fleet.member("a").node().commit.seats.known.register.members, 120)
    fleet.until_s(lambda: fleet.files("a", "machine-a/log") != [], 300)
    answer = fleet.ask("a", Rotate(key=_NEXT))
    fleet.until_s(lambda: _key(fleet, "b") == _NEXT.public, 300)
    assert answer == [{"asked": [A]}]
    fleet.send("a", "b", "with the new key")
    fleet.until_s(lambda: fleet.subjects("b") == ["with the new key"], 300)
    # Somebody who was off from the beginning: the runs of the log that lie there are signed with the key of now.
    fleet.member("c").start()
    fleet.until_s(lambda: _key(fleet, "c") == _NEXT.public, 300)
    wanted = fleet.member("a").node().commit.applier.number
    fleet.until_s(lambda: fleet.member("c").node().commit.applier.number >= wanted, 300)
    register = fleet.member("c").node().commit.seats.known.register
    assert register.members[A].key == _NEXT.key_id
    for letter in "bc":
        assert fleet.counted(letter, "fault.key_conflict") == 0
        assert fleet.verdict(letter, "a").state is not State.CONFLICT


def test_a_certificate_for_another_key_that_no_rotation_explains_is_a_conflict_after_a_while() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: A in fleet.member("b").node().members(), 60)
    keys = fleet.fleet.keys
    issuer = keys.identities[A]
    assert issuer.issuer_key is not None
    leaf = machine_certificate(
        issuer.issuer_key, issuer.issuer, _NEXT.public, machine=A, fleet=keys.fleet, serial=9, now_s=BORN_S
    )
    body = encode(Papers(leaf=leaf, issuer=issuer.issuer))
    fleet.folder("a").write(certificates_path(A, sha256(body)), wrap(body))
    fleet.run(limits.FOLDER_DAMAGED_S / 2)
    assert fleet.verdict("b", "a").state is not State.CONFLICT
    fleet.until_s(lambda: fleet.verdict("b", "a").state is State.CONFLICT, 2 * limits.FOLDER_DAMAGED_S, step_s=5)
