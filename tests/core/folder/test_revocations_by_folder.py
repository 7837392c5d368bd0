"""Who is out is known also where no link leads: each machine keeps the statements that it knows in the folder."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import encode
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.commands import Revoke
from roosync_p2p.core.folder.reading import RevocationsRead, prepare_file
from roosync_p2p.core.folder.records import RevocationList
from roosync_p2p.errors import MalformedError
from roosync_p2p.gossip.folder_file import wrap
from roosync_p2p.gossip.folder_paths import RevocationsFile, parse_path, revocations_path
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.directory import issuer_author
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import Revocation, seal_statement
from tests.helpers.folder_fleet import FolderFleet

A, B, C, D = (MachineId(f"machine-{letter}") for letter in "abcd")


def _met(letters: str) -> FolderFleet:
    fleet = FolderFleet(letters)
    fleet.until_s(lambda: all(len(fleet.member(letter).node().members()) == len(letters) for letter in letters), 60)
    return fleet


def _statement(fleet: FolderFleet, machine: MachineId, serial: int = 1) -> bytes:
    return fleet.fleet.keys.revocation(machine, ledger=None, mail=None, serial=serial)


def test_a_revocation_that_one_machine_was_given_reaches_all_through_the_folder_and_the_one_it_names() -> None:
    fleet = _met("abcd")
    # It is no entry of anybody's chain: a person brought it to a machine that is no issuer.
    answer = fleet.ask("b", Revoke(statement=_statement(fleet, C)))
    fleet.until_s(lambda: all(fleet.member(letter).node().revocations.out(C) for letter in "abd"), 60)
    fleet.until_s(lambda: fleet.member("c").node().authorship.phase is Phase.REVOKED, 60)
    assert answer
    assert isinstance(answer[0], dict), answer


def test_the_list_is_written_once_and_replaced_when_there_is_more() -> None:
    fleet = _met("abcd")
    fleet.ask("b", Revoke(statement=_statement(fleet, C)))
    fleet.until_s(lambda: len(fleet.files("b", "machine-b/revocations")) == 1, 60)
    (first,) = fleet.files("b", "machine-b/revocations")
    fleet.run(120)
    assert fleet.files("b", "machine-b/revocations") == [first]
    fleet.ask("b", Revoke(statement=_statement(fleet, D)))
    fleet.until_s(lambda: fleet.files("b", "machine-b/revocations") not in ([], [first]), 60)
    assert len(fleet.files("b", "machine-b/revocations")) == 1
    fleet.until_s(lambda: fleet.member("a").node().revocations.out(D) is not None, 60)


def test_a_statement_of_an_unknown_signer_keeps_no_other_one_back() -> None:
    fleet = _met("ab")
    good, keys = _statement(fleet, B), fleet.fleet.keys
    said = Revocation(machine=B, keys=(keys.identities[B].key.key_id,), reason="", serial=bytes(16))
    other = seal_statement(SigningKey(bytes(32)), said, fleet=keys.fleet, author=issuer_author(MachineId("machine-z")))
    body = encode(RevocationList(statements=[other, good]))
    name = parse_path(revocations_path(A, sha256(body)))
    assert isinstance(name, RevocationsFile)
    read = prepare_file(name, wrap(body), fleet.member("a").node().directory)
    assert isinstance(read, RevocationsRead)
    assert ([one.raw for one in read.statements], read.whole) == ([good], False)


def test_a_list_that_is_too_long_is_refused() -> None:
    fleet = _met("ab")
    many = [_statement(fleet, B, serial) for serial in range(limits.FOLDER_REVOCATIONS_MAX + 1)]
    body = encode(RevocationList(statements=many))
    name = parse_path(revocations_path(A, sha256(body)))
    assert isinstance(name, RevocationsFile)
    with pytest.raises(MalformedError) as caught:
        prepare_file(name, wrap(body), fleet.member("a").node().directory)
    assert caught.value.code == "oversized"


def test_a_look_that_began_before_the_revocation_brings_nothing_back() -> None:
    fleet = _met("abcd")
    fleet.send("c", "b", "before")
    fleet.run(40)
    assert fleet.member("a").node().presence.latest(C) is not None

    def records() -> list[bytes]:
        held = fleet.member("a").disk.load().records
        return [record.envelope for record in held if (record.author, record.kind) == (C, "frontier")]

    before = records()
    fleet.folder("a").blocked = True  # what it asks the folder for now is verified with the keys of now
    fleet.run(2 * limits.FOLDER_CADENCE_FAST_S)
    fleet.ask("a", Revoke(statement=_statement(fleet, C)))
    fleet.run(1)
    assert fleet.member("a").node().presence.latest(C) is None
    fleet.folder("a").blocked = False
    fleet.until_s(lambda: fleet.counted("a", "fault.key_revoked") > 0, 10)
    assert fleet.member("a").node().presence.latest(C) is None
    assert records() == before
    fleet.run(60)
    assert fleet.member("a").node().presence.latest(C) is None
