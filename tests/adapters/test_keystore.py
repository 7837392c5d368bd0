"""The identity on disk: made whole or not at all, and checked whole before it is used."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from roosync_p2p.adapters import keystore
from roosync_p2p.adapters.keystore import (
    Identity,
    create_request,
    found_fleet,
    install_enrolment,
    issue_machine_certificate,
    load_identity,
    load_root_key,
    root_key_path,
)
from roosync_p2p.errors import EnvironmentFault, InputFault, PeerFault, RoosyncError
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.certificates import parse_machine_certificate
from roosync_p2p.trust.enrolment import Enrolment, certificates_to_pem, enrolment_from_pem, enrolment_to_pem
from roosync_p2p.trust.roles import FOUNDER_ROLES
from roosync_p2p.trust.statements import verify_fleet_found
from tests.helpers.dying import KilledError, dies_at
from tests.helpers.trust import NOW_S, key_from, refused_with

_FOUNDER = MachineId("myia-ai-01")
_JOINER = MachineId("myia-po-2023")
_PASSPHRASE = "phrase secrète".encode()


def _found(home: Path, name: str = "Écurie", passphrase: bytes | None = None) -> Identity:
    return found_fleet(home, fleet_name=name, machine=_FOUNDER, passphrase=passphrase, wall_s=NOW_S)


def _enrolled(founder: Identity, home: Path, machine: MachineId = _JOINER) -> Enrolment:
    return issue_machine_certificate(founder, create_request(home, machine).request, wall_s=NOW_S)


def _refused(code: str, action: Callable[[], object]) -> RoosyncError:
    with pytest.raises(RoosyncError) as caught:
        action()
    assert caught.value.code == code, caught.value
    assert not isinstance(caught.value, PeerFault)
    return caught.value


def _files(home: Path) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


_FOUNDERS_FILES = {
    "identity/machine.key",
    "identity/machine.pem",
    "identity/chain.pem",
    "identity/root.pem",
    "identity/issuer.key",
    "identity/issuer.pem",
    "identity/fleet.found",
    "root/root.key",
}


# --- founding -----------------------------------------------------------------------------------------------------


def test_founding_makes_root_issuer_and_first_machine(tmp_path: Path) -> None:
    identity = _found(tmp_path / "deep" / "home")
    assert _files(tmp_path / "deep" / "home") == _FOUNDERS_FILES
    assert identity == dataclasses.replace(
        load_identity(identity.home), key=identity.key, issuer_key=identity.issuer_key
    )
    assert (identity.machine, identity.fleet_name, identity.is_issuer) == (_FOUNDER, "Écurie", True)
    directory = identity.directory()
    assert directory.key_of(_FOUNDER, identity.key.key_id) == identity.key.public
    assert identity.issuer_key is not None
    assert directory.key_of("issuer:myia-ai-01", identity.issuer_key.key_id) == identity.issuer_key.public


def test_founding_leaves_the_roots_statement_for_the_ledger(tmp_path: Path) -> None:
    identity = _found(tmp_path / "home")
    assert identity.fleet_found is not None
    found = verify_fleet_found(identity.fleet_found, identity.directory())
    assert (found.machine, found.roles, found.time_ms) == (_FOUNDER, FOUNDER_ROLES, NOW_S * 1000)
    assert (found.root, found.issuer, found.leaf) == (identity.root, identity.own_issuer, identity.leaf)


def test_two_fleets_have_nothing_in_common(tmp_path: Path) -> None:
    one, two = _found(tmp_path / "one"), _found(tmp_path / "two")
    assert one.fleet != two.fleet
    assert one.key.key_id != two.key.key_id
    assert one.leaf != two.leaf


def test_the_root_key_is_encrypted_and_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    identity = _found(home, passphrase=_PASSPHRASE)
    assert root_key_path(home).read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert FleetId(load_root_key(home, _PASSPHRASE).key_id) == identity.fleet
    assert isinstance(_refused("passphrase_needed", lambda: load_root_key(home, None)), InputFault)
    assert isinstance(_refused("wrong_passphrase", lambda: load_root_key(home, b"wrong")), InputFault)


def test_a_root_key_that_was_moved_away_is_missed_by_name(tmp_path: Path) -> None:
    _found(tmp_path / "home")
    shutil.move(tmp_path / "home" / "root", tmp_path / "safe")
    assert load_identity(tmp_path / "home").is_issuer
    _refused("root_key_elsewhere", lambda: load_root_key(tmp_path / "home", None))


def test_the_root_key_of_another_fleet_is_refused(tmp_path: Path) -> None:
    _found(tmp_path / "one")
    _found(tmp_path / "two")
    shutil.copy2(root_key_path(tmp_path / "one"), root_key_path(tmp_path / "two"))
    _refused("identity_mismatch", lambda: load_root_key(tmp_path / "two", None))


def test_an_identity_is_never_overwritten(tmp_path: Path) -> None:
    home = tmp_path / "home"
    _found(home)
    before = {name: (home / name).read_bytes() for name in _files(home)}
    _refused("identity_exists", lambda: _found(home))
    _refused("identity_exists", lambda: create_request(home, _JOINER))
    assert {name: (home / name).read_bytes() for name in _files(home)} == before


def test_a_root_key_is_never_overwritten(tmp_path: Path) -> None:
    home = tmp_path / "home"
    _found(home)
    shutil.rmtree(home / "identity")
    before = root_key_path(home).read_bytes()
    _refused("root_exists", lambda: _found(home))
    assert root_key_path(home).read_bytes() == before


def test_a_fleet_without_a_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    refused_with("bad_fleet_name", lambda: _found(tmp_path / "home", name=""))
    assert _files(tmp_path / "home") == set()


def test_a_founding_that_is_killed_at_any_step_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished = 0
    for step in itertools.count():
        home = tmp_path / f"home-{step}"
        with monkeypatch.context() as killed, contextlib.suppress(KilledError):
            dies_at(killed, step, [keystore])
            _found(home)
            finished += 1
        if not (home / "identity").exists():
            _refused("no_identity", functools.partial(load_identity, home))
            assert _found(home).is_issuer
        assert load_identity(home).is_issuer
        assert _files(home) == _FOUNDERS_FILES
        if finished:
            break
    assert step > 10


def test_a_founding_on_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        _refused("disk_full", lambda: _found(home))
    assert list(home.iterdir()) == []
    assert _found(home).is_issuer


# --- joining ------------------------------------------------------------------------------------------------------


def test_a_request_and_its_certificate_become_an_identity(tmp_path: Path) -> None:
    founder = _found(tmp_path / "a")
    enrolment = _enrolled(founder, tmp_path / "b")
    identity = install_enrolment(tmp_path / "b", enrolment, fleet=founder.fleet)
    assert (identity.machine, identity.fleet, identity.is_issuer) == (_JOINER, founder.fleet, False)
    assert _files(tmp_path / "b") == {
        f"identity/{name}" for name in ("machine.key", "machine.pem", "chain.pem", "root.pem")
    }
    assert identity.chain_path.read_bytes() == certificates_to_pem(enrolment.leaf, enrolment.issuer)
    assert identity.directory().members[_JOINER].public == identity.key.public
    assert parse_machine_certificate(identity.leaf).not_after_s > NOW_S


def test_an_enrolment_can_be_carried_in_a_file(tmp_path: Path) -> None:
    founder = _found(tmp_path / "a")
    enrolment = _enrolled(founder, tmp_path / "b")
    assert enrolment_from_pem(enrolment_to_pem(enrolment)) == enrolment
    refused_with("bad_certificate", lambda: enrolment_from_pem(certificates_to_pem(enrolment.leaf)))
    refused_with("bad_certificate", lambda: enrolment_from_pem(b"nothing of that kind"))
    refused_with("oversized", lambda: enrolment_from_pem(bytes(100_000)))


def test_asking_again_uses_the_same_key(tmp_path: Path) -> None:
    """So that a retry after a lost answer is the very same request."""
    first = create_request(tmp_path / "home", _JOINER)
    again = create_request(tmp_path / "home", _JOINER)
    assert first.request == again.request
    other = create_request(tmp_path / "home", MachineId("myia-web1"))
    assert other.request.public != first.request.public


def test_an_unfinished_join_is_told_from_no_identity(tmp_path: Path) -> None:
    home = tmp_path / "home"
    _refused("no_identity", lambda: load_identity(home))
    create_request(home, _JOINER)
    _refused("not_enrolled", lambda: load_identity(home))
    _refused("join_pending", lambda: _found(home))


def test_a_certificate_that_nobody_here_asked_for_is_refused(tmp_path: Path) -> None:
    founder = _found(tmp_path / "a")
    enrolment = _enrolled(founder, tmp_path / "b")
    _refused("nothing_pending", lambda: install_enrolment(tmp_path / "c", enrolment, fleet=founder.fleet))
    create_request(tmp_path / "c", _JOINER)
    refused_with("wrong_key", lambda: install_enrolment(tmp_path / "c", enrolment, fleet=founder.fleet))
    refused_with("wrong_fleet", lambda: install_enrolment(tmp_path / "b", enrolment, fleet=FleetId(bytes(32))))
    _refused("not_enrolled", lambda: load_identity(tmp_path / "b"))


def test_a_plain_member_issues_nothing(tmp_path: Path) -> None:
    founder = _found(tmp_path / "a")
    member = install_enrolment(tmp_path / "b", _enrolled(founder, tmp_path / "b"), fleet=founder.fleet)
    _refused("not_an_issuer", lambda: _enrolled(member, tmp_path / "c"))


def test_an_enrolment_that_is_killed_at_any_step_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    founder = _found(tmp_path / "founder")
    for step in itertools.count():
        home = tmp_path / f"home-{step}"
        enrolment = _enrolled(founder, home)
        with monkeypatch.context() as killed, contextlib.suppress(KilledError):
            dies_at(killed, step, [keystore])
            install_enrolment(home, enrolment, fleet=founder.fleet)
            break
        assert install_enrolment(home, enrolment, fleet=founder.fleet).machine == _JOINER
    assert step == 4


def test_a_request_that_is_killed_at_any_step_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in itertools.count():
        home = tmp_path / f"home-{step}"
        with monkeypatch.context() as killed, contextlib.suppress(KilledError):
            dies_at(killed, step, [keystore])
            create_request(home, _JOINER)
            break
        assert create_request(home, _JOINER).machine == _JOINER
        assert _files(home) == {"identity.pending/machine.key", "identity.pending/request.pem"}
    assert step > 4


# --- loading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["machine.key", "machine.pem", "chain.pem", "root.pem", "issuer.pem"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    _found(tmp_path)
    (tmp_path / "identity" / name).unlink()
    error = _refused("identity_incomplete", lambda: load_identity(tmp_path))
    assert name in error.message
    assert error.remedy


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
@pytest.mark.parametrize("name", ["machine.key", "machine.pem", "chain.pem", "root.pem", "issuer.key", "issuer.pem"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    _found(tmp_path)
    (tmp_path / "identity" / name).write_bytes(content)
    error = _refused("identity_corrupt", lambda: load_identity(tmp_path))
    assert name in error.message
    assert error.remedy


@pytest.mark.parametrize("name", ["machine.key", "machine.pem", "chain.pem", "root.pem", "issuer.key", "issuer.pem"])
def test_a_file_of_another_fleet_is_found_out(tmp_path: Path, name: str) -> None:
    _found(tmp_path / "one")
    _found(tmp_path / "two")
    shutil.copy2(tmp_path / "two" / "identity" / name, tmp_path / "one" / "identity" / name)
    error = _refused("identity_mismatch", lambda: load_identity(tmp_path / "one"))
    assert isinstance(error, EnvironmentFault)
    assert ".pem" in error.message


def test_the_chain_of_another_machine_is_found_out(tmp_path: Path) -> None:
    founder = _found(tmp_path / "a")
    other = _enrolled(founder, tmp_path / "b")
    (tmp_path / "a" / "identity" / "chain.pem").write_bytes(certificates_to_pem(other.leaf, other.issuer))
    _refused("identity_mismatch", lambda: load_identity(tmp_path / "a"))


def test_a_key_that_does_not_fit_the_certificate_is_found_out(tmp_path: Path) -> None:
    _found(tmp_path)
    (tmp_path / "identity" / "machine.key").write_bytes(key_from("other").to_pem(None))
    _refused("identity_mismatch", lambda: load_identity(tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="mode bits are POSIX's")
@pytest.mark.parametrize("name", ["identity/machine.key", "identity/issuer.key", "root/root.key"])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, name: str) -> None:
    _found(tmp_path)
    (tmp_path / name).chmod(0o644)
    error = _refused("permissions_too_open", lambda: (load_identity(tmp_path), load_root_key(tmp_path, None)))
    assert name.rpartition("/")[2] in error.remedy


def test_what_is_printed_of_an_identity_holds_no_secret(tmp_path: Path) -> None:
    shown = repr(_found(tmp_path))
    assert "PRIVATE" not in shown
    assert len(shown) < 600
