"""The directory: first key wins, newer certificates replace older ones, nothing else changes it."""

from __future__ import annotations

import pytest

from roosync_p2p.errors import ConflictError
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.certificates import issuer_certificate, machine_certificate
from roosync_p2p.trust.directory import Directory, issuer_author
from tests.helpers.trust import NOW_S, ExampleFleet, key_from, refused_with

_FLEET = ExampleFleet()
_MACHINE = MachineId("myia-po-2023")


def test_a_new_fleet_knows_its_root_and_nobody_else() -> None:
    directory = Directory.found(_FLEET.root)
    assert directory.fleet == _FLEET.fleet
    assert directory.version == 1
    assert not directory.members
    assert not directory.issuers
    assert directory.key_of("root", _FLEET.root_key.key_id) == _FLEET.root_key.public


def test_a_chain_adds_the_machine_and_its_issuer() -> None:
    before = Directory.found(_FLEET.root)
    after = before.with_chain(_FLEET.leaf(_MACHINE), _FLEET.issuer)
    assert (before.version, after.version) == (1, 2)
    assert not before.members
    assert after.members[_MACHINE].public == _FLEET.key(_MACHINE).public
    assert after.members[_MACHINE].leaf == _FLEET.leaf(_MACHINE)
    assert after.key_of(_MACHINE, _FLEET.key(_MACHINE).key_id) == _FLEET.key(_MACHINE).public
    issuer = issuer_author(MachineId("myia-ai-01"))
    assert after.key_of(issuer, _FLEET.issuer_key.key_id) == _FLEET.issuer_key.public


def test_the_same_chain_again_changes_nothing() -> None:
    directory = _FLEET.directory(_MACHINE)
    assert directory.with_chain(_FLEET.leaf(_MACHINE), _FLEET.issuer) is directory
    assert directory.with_issuer(_FLEET.issuer) is directory


def test_a_renewed_certificate_replaces_the_older_and_an_older_one_does_not_come_back() -> None:
    directory = _FLEET.directory(_MACHINE)
    renewed = _FLEET.leaf(_MACHINE, now_s=NOW_S + 1000)
    later = directory.with_chain(renewed, _FLEET.issuer)
    assert later.version == directory.version + 1
    assert later.members[_MACHINE].leaf == renewed
    assert later.with_chain(_FLEET.leaf(_MACHINE), _FLEET.issuer) is later


def test_another_key_for_a_machine_id_is_a_conflict_that_names_both() -> None:
    directory = _FLEET.directory(_MACHINE)
    thief = key_from("thief")
    error = refused_with("key_conflict", lambda: directory.with_chain(_FLEET.leaf(_MACHINE, key=thief), _FLEET.issuer))
    assert isinstance(error, ConflictError)
    assert error.details == {
        "machine": _MACHINE,
        "pinned": _FLEET.key(_MACHINE).key_id.hex(),
        "shown": thief.key_id.hex(),
    }
    assert directory.members[_MACHINE].public == _FLEET.key(_MACHINE).public


def test_which_key_was_first_decides() -> None:
    thief = key_from("thief")
    directory = Directory.found(_FLEET.root).with_chain(_FLEET.leaf(_MACHINE, key=thief), _FLEET.issuer)
    refused_with("key_conflict", lambda: directory.with_chain(_FLEET.leaf(_MACHINE), _FLEET.issuer))


def test_a_machine_may_have_a_second_issuer_key_and_chains_under_either_hold() -> None:
    second = key_from("second issuer")
    issuer = issuer_certificate(
        _FLEET.root_key, _FLEET.root, second.public, machine=MachineId("myia-ai-01"), serial=5, now_s=NOW_S
    )
    leaf = machine_certificate(
        second,
        issuer,
        key_from("web").public,
        machine=MachineId("myia-web1"),
        fleet=_FLEET.fleet,
        serial=6,
        now_s=NOW_S,
    )
    directory = _FLEET.directory(_MACHINE).with_chain(leaf, issuer)
    assert len(directory.issuers) == 2
    for key in (second, _FLEET.issuer_key):
        assert directory.key_of("issuer:myia-ai-01", key.key_id) == key.public


def test_one_issuer_key_belongs_to_one_machine() -> None:
    moved = issuer_certificate(
        _FLEET.root_key, _FLEET.root, _FLEET.issuer_key.public, machine=_MACHINE, serial=5, now_s=NOW_S
    )
    refused_with("key_conflict", lambda: _FLEET.directory(_MACHINE).with_issuer(moved))


def test_a_renewed_issuer_certificate_replaces_the_older() -> None:
    renewed = issuer_certificate(
        _FLEET.root_key,
        _FLEET.root,
        _FLEET.issuer_key.public,
        machine=MachineId("myia-ai-01"),
        serial=5,
        now_s=NOW_S + 1000,
    )
    directory = _FLEET.directory(_MACHINE).with_issuer(renewed)
    assert directory.issuers[_FLEET.issuer_key.key_id].certificate.der == renewed
    assert directory.with_issuer(_FLEET.issuer) is directory


@pytest.mark.parametrize(
    ("author", "code"),
    [
        ("myia-web1", "unknown_author"),
        ("", "unknown_author"),
        ("MYIA-PO-2023", "unknown_author"),
        ("issuer:myia-web1", "unknown_author"),
        ("issuer:", "unknown_author"),
        ("myia-po-2023", "unknown_key"),
        ("issuer:myia-ai-01", "unknown_key"),
        ("root", "unknown_key"),
    ],
)
def test_who_is_not_known_is_told_from_a_wrong_key(author: str, code: str) -> None:
    directory, stranger = _FLEET.directory(_MACHINE), key_from("stranger")
    error = refused_with(code, lambda: directory.key_of(author, stranger.key_id))
    assert error.details == {"author": author, "key": stranger.key_id.hex()}


def test_a_key_known_under_one_name_opens_no_other() -> None:
    directory = _FLEET.directory(_MACHINE, "myia-ai-01")
    refused_with("unknown_key", lambda: directory.key_of("myia-ai-01", _FLEET.issuer_key.key_id))
    refused_with("unknown_key", lambda: directory.key_of("issuer:myia-ai-01", _FLEET.key("myia-ai-01").key_id))
    refused_with("unknown_key", lambda: directory.key_of("myia-ai-01", _FLEET.root_key.key_id))


def test_a_chain_of_another_fleet_changes_nothing() -> None:
    other, directory = ExampleFleet("elsewhere"), _FLEET.directory(_MACHINE)
    refused_with("wrong_fleet", lambda: directory.with_chain(other.leaf("myia-web1"), other.issuer))
    refused_with("wrong_fleet", lambda: directory.with_issuer(other.issuer))
    assert directory.version == 2


def test_a_directory_cannot_be_changed_in_place() -> None:
    directory = _FLEET.directory(_MACHINE)
    with pytest.raises(TypeError):
        directory.members[_MACHINE] = None  # type: ignore[index]  # what the type forbids, the value refuses too
    with pytest.raises(AttributeError):
        directory.version = 9  # type: ignore[misc]  # the same
