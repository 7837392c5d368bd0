"""``init``: a fleet whole, once, or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.home_lock import HomeLock
from roosync_p2p.adapters.keystore import load_identity, load_root_key, root_key_path
from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.admin.office import read_store
from roosync_p2p.core.rows import MetaRow
from roosync_p2p.core.settings import parse_toml
from roosync_p2p.trust.statements import FLEET_FOUND, verify_fleet_found
from tests.admin.conftest import FOUNDER, Admin

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX modes")


def _files(home: Path) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


def test_a_fleet_is_founded_with_its_first_entry_waiting_for_the_node(founder: Path) -> None:
    identity = load_identity(founder)
    assert (identity.machine, identity.fleet_name, identity.is_issuer) == (FOUNDER, "Écurie", True)
    loaded = read_store(Home(founder))
    (pending,) = loaded.pending
    assert (pending.number, pending.kind) == (1, FLEET_FOUND)
    assert pending.body is not None
    assert verify_fleet_found(pending.body, identity.directory()).machine == FOUNDER
    (member,) = loaded.members
    assert (member.machine, member.key_id, member.leaf) == (FOUNDER, identity.key.key_id, identity.leaf)
    settings = parse_toml((founder / "settings.toml").read_bytes())
    assert (settings.node.machine, settings.node.listen) == (FOUNDER, "127.0.0.1:47611")


@POSIX
def test_everything_in_the_home_is_owner_only(founder: Path) -> None:
    assert {oct(path.stat().st_mode & 0o077) for path in [founder, *founder.rglob("*")]} == {"0o0"}


def test_init_says_the_fleet_the_root_key_and_what_is_missing(admin: Admin, tmp_path: Path) -> None:
    document = admin(tmp_path / "home", "init", "--machine", "My-Machine", "--no-passphrase", "--json").document()
    assert document["fleet"] == load_identity(tmp_path / "home").fleet.hex()
    assert (document["fleet_name"], document["machine"]) == ("my-machine", "my-machine")
    assert document["root_key"]["path"] == str(root_key_path(tmp_path / "home"))
    assert [warning["code"] for warning in document["warnings"]] == ["no_backup", "single_issuer", "root_key_open"]
    assert all(warning["remedy"] for warning in document["warnings"])


def test_people_read_the_next_commands(admin: Admin, tmp_path: Path) -> None:
    done = admin(tmp_path / "home", "init", "--machine", FOUNDER, "--no-passphrase")
    assert (done.code, done.err) == (0, "")
    assert "fleet id: " in done.out
    assert str(root_key_path(tmp_path / "home")) in done.out
    assert done.out.endswith("next:\n  roosync up\n  roosync-admin invite MACHINE\n")


def test_the_machine_is_named_by_the_environment(admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOSYNC_MACHINE_ID", "MYIA-PO-2023")
    assert admin(tmp_path, "init", "--no-passphrase", "--json").document()["machine"] == "myia-po-2023"


def test_a_second_init_is_refused_and_changes_nothing(admin: Admin, founder: Path) -> None:
    before = {name: (founder / name).read_bytes() for name in _files(founder)}
    admin(founder, "init", "--no-passphrase", "--json").refused(1, "identity_exists")
    assert {name: (founder / name).read_bytes() for name in _files(founder)} == before


def test_a_second_init_beside_a_running_node_names_the_identity(admin: Admin, founder: Path) -> None:
    with HomeLock.acquire(Home(founder).lock_file, program="roosync up", started="2026-01-15T09:15:30Z"):
        admin(founder, "init", "--no-passphrase", "--json").refused(1, "identity_exists")


def test_an_init_on_a_home_that_joined_is_refused(admin: Admin, founder: Path, tmp_path: Path) -> None:
    joined = tmp_path / "joined"
    request = admin(joined, "request", "--machine", "myia-po-2023", "--out", str(tmp_path / "r.pem"))
    assert request.code == 0
    admin(joined, "init", "--machine", FOUNDER, "--no-passphrase", "--json").refused(1, "join_pending")
    fleet = admin(founder, "issue", str(tmp_path / "r.pem"), "--out", str(tmp_path / "a.pem"), "--json").document()
    admin(joined, "install", str(tmp_path / "a.pem"), "--fleet", fleet["fleet"], "--json").document()
    admin(joined, "init", "--no-passphrase", "--json").refused(1, "identity_exists")


def test_a_store_of_another_life_is_not_buried_under_a_new_fleet(admin: Admin, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    store = SqliteStore.open(home / "node.db")
    store.commit([MetaRow(key="start", value=b"\x07")])
    store.close()
    admin(home, "init", "--machine", FOUNDER, "--no-passphrase", "--json").refused(1, "store_exists")
    assert not (home / "identity").exists()


def test_a_home_in_a_synchronised_folder_is_refused(admin: Admin, tmp_path: Path) -> None:
    home = tmp_path / "Dropbox" / "home"
    admin(home, "init", "--machine", FOUNDER, "--no-passphrase", "--json").refused(1, "home_synchronised")
    assert not home.exists()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--machine", "all"], "bad_machine_id"),
        (["--machine", "con"], "bad_machine_id"),
        (["--machine", FOUNDER, "--fleet", " "], "bad_fleet_name"),
        (["--machine", FOUNDER, "--fleet", "x" * 65], "bad_fleet_name"),
        (["--machine", FOUNDER, "--fleet", "a\x1b[2J"], "bad_fleet_name"),
        (["--machine", FOUNDER, "--listen", "nowhere"], "bad_listen"),
    ],
)
def test_a_malformed_name_or_address_is_wrong_usage(admin: Admin, tmp_path: Path, args: list[str], code: str) -> None:
    admin(tmp_path / "home", "init", *args, "--no-passphrase", "--json").refused(2, code)
    assert not (tmp_path / "home" / "identity").exists()


def test_settings_that_are_there_are_kept_and_heard(admin: Admin, tmp_path: Path) -> None:
    written = b'[node]\nmachine = "myia-po-2023"\nlisten = "127.0.0.1:4000"\n'
    (tmp_path / "settings.toml").write_bytes(written)
    machine = "--machine", FOUNDER
    error = admin(tmp_path, "init", *machine, "--no-passphrase", "--json").refused(1, "settings_disagree")
    assert error["details"]["key"] == "node.machine"
    listen = "--listen", "127.0.0.1:4001"
    admin(tmp_path, "init", *listen, "--no-passphrase", "--json").refused(1, "settings_disagree")
    assert admin(tmp_path, "init", "--no-passphrase", "--json").document()["machine"] == "myia-po-2023"
    assert (tmp_path / "settings.toml").read_bytes() == written


# --- the passphrase -----------------------------------------------------------------------------------------------


def test_the_passphrase_comes_from_the_named_file_without_its_line_end(
    admin: Admin, tmp_path: Path, passphrase_file: Path
) -> None:
    done = admin(tmp_path / "home", "init", "--machine", FOUNDER, "--json")
    assert done.document()["root_key"]["encrypted"] is True
    assert "secr" not in done.out + done.err
    assert load_root_key(tmp_path / "home", "phrase secrète".encode()).key_id


def test_a_passphrase_is_the_same_however_its_accents_are_composed(
    admin: Admin, tmp_path: Path, passphrase_file: Path
) -> None:
    passphrase_file.write_bytes("phrase secre\u0300te".encode("utf-16"))
    admin(tmp_path / "home", "init", "--machine", FOUNDER, "--json").document()
    assert load_root_key(tmp_path / "home", "phrase secrète".encode()).key_id


def test_an_empty_passphrase_needs_an_option(admin: Admin, tmp_path: Path, passphrase_file: Path) -> None:
    passphrase_file.write_bytes(b"\n")
    admin(tmp_path / "home", "init", "--machine", FOUNDER, "--json").refused(1, "passphrase_empty")
    assert not {"identity", "root", "node.db"} & {path.name for path in (tmp_path / "home").iterdir()}
    admin(tmp_path / "home", "init", "--machine", FOUNDER, "--no-passphrase", "--json").document()


def test_an_option_that_contradicts_the_file_is_wrong_usage(
    admin: Admin, tmp_path: Path, passphrase_file: Path
) -> None:
    admin(tmp_path / "home", "init", "--machine", FOUNDER, "--no-passphrase", "--json").refused(2, "usage")


@pytest.mark.parametrize("content", [b"two\nlines\n", b"x" * 5000])
def test_a_passphrase_file_that_is_something_else_is_refused(
    admin: Admin, tmp_path: Path, passphrase_file: Path, content: bytes
) -> None:
    passphrase_file.write_bytes(content)
    admin(tmp_path / "home", "init", "--machine", FOUNDER, "--json").refused(1, "bad_passphrase_file")


def test_a_passphrase_file_that_is_missing_is_named(admin: Admin, tmp_path: Path, passphrase_file: Path) -> None:
    passphrase_file.unlink()
    error = admin(tmp_path / "home", "init", "--machine", FOUNDER, "--json").refused(1, "cannot_read")
    assert error["details"]["path"] == str(passphrase_file)


@POSIX
def test_a_passphrase_file_that_others_can_read_is_warned_of(
    admin: Admin, tmp_path: Path, passphrase_file: Path
) -> None:
    passphrase_file.chmod(0o644)
    document = admin(tmp_path / "home", "init", "--machine", FOUNDER, "--json").document()
    assert "passphrase_file_open" in [warning["code"] for warning in document["warnings"]]


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "roosync_p2p.admin.main", "--home", str(tmp_path), "init", "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error", "ROOSYNC_MACHINE_ID": FOUNDER},
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert json.loads(done.stderr)["error"]["code"] == "passphrase_needed"
