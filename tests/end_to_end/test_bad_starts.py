"""What keeps a node from starting: it says what, why and the remedy, changes nothing, and never starts silently."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roosync_p2p.codec.digests import sha256
from tests.helpers.fleet import Fleet, Machine

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="access is by lists on Windows, not by modes")


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """One founder with some messages in its store, not running."""
    with Fleet.found("alice") as fleet:
        fleet.let_send()
        alice = fleet.machines["alice"]
        alice.start()
        alice.until_ready()
        for number in range(50):
            alice.client.send("alice", f"Message {number}", "corps " * 100)
        alice.stop()
        yield fleet


@pytest.fixture
def alice(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A copy of the founder's home, for one test."""
    machine = fleet.copy(fleet.machines["alice"], f"copy{abs(hash(request.node.name))}")
    yield machine
    machine.close()
    shutil.rmtree(machine.home)


def _refused(machine: Machine) -> dict[str, Any]:
    """The error object with which ``up`` ends, which is all that it prints: no traceback, and nothing began."""
    error: dict[str, Any] = machine.refusal("up", "--no-mdns", "--listen", machine.listen)
    assert error["message"]
    return error


def _database(machine: Machine) -> Path:
    return machine.home / "node.db"


def test_a_second_node_on_the_home_is_refused_and_names_the_first(alice: Machine) -> None:
    alice.start()
    error = _refused(alice)
    assert error["code"] == "home_in_use"
    assert str(alice.pid) in error["message"]
    assert "roosync down" in error["remedy"]
    assert alice.states()["alice"] == "online"


def test_without_an_identity_the_two_commands_that_help_are_named(fleet: Fleet) -> None:
    nobody = fleet.add("nobody")
    error = _refused(nobody)
    assert error["code"] == "no_identity"
    assert "roosync-admin init" in error["remedy"]
    assert "roosync join CODE" in error["remedy"]
    assert not nobody.home.exists()


def test_a_taken_port_is_an_error_that_names_who_holds_it(alice: Machine) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        host, _, port = alice.listen.rpartition(":")
        holder.bind((host, int(port)))
        holder.listen()
        error = _refused(alice)
    assert error["code"] == "port_taken"
    assert port in error["message"]
    if sys.platform.startswith("linux"):
        assert str(os.getpid()) in error["message"]
    alice.start()


@pytest.mark.parametrize("where", ["header", "first page", "middle", "cut", "empty", "text"])
def test_a_damaged_database_is_refused_and_left_as_it_is(alice: Machine, where: str) -> None:
    path = _database(alice)
    data = bytearray(path.read_bytes())
    match where:
        case "header":
            data[:16] = os.urandom(16)
        case "first page":
            data[100:140] = b"\xff" * 40
        case "middle":
            begin = len(data) // 2 // 4096 * 4096
            data[begin : begin + 4096] = os.urandom(4096)
        case "cut":
            del data[len(data) // 3 :]
        case "empty":
            data.clear()
        case "text":
            data[:] = b"not a database at all, but somebody's notes\n" * 1000
    path.write_bytes(data)
    before = sha256(path.read_bytes())
    error = _refused(alice)
    assert error["code"] == "store_corrupt"
    assert str(path) in error["message"]
    assert error["remedy"]
    assert sha256(path.read_bytes()) == before


def test_a_database_that_is_gone_beside_its_log_is_refused(alice: Machine) -> None:
    shutil.copy(_database(alice), alice.home / "node.db-wal")
    _database(alice).unlink()
    assert _refused(alice)["code"] == "store_corrupt"
    assert not _database(alice).exists()


def test_a_newer_database_is_refused_untouched(alice: Machine) -> None:
    path = _database(alice)
    data = bytearray(path.read_bytes())
    data[60:64] = struct.pack(">I", 999)
    path.write_bytes(data)
    before = sha256(path.read_bytes())
    error = _refused(alice)
    assert error["code"] == "store_newer"
    assert "999" in error["message"]
    assert sha256(path.read_bytes()) == before


def test_a_database_of_another_program_is_refused_untouched(alice: Machine) -> None:
    path = _database(alice)
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes (text)")
    connection.commit()
    connection.close()
    before = sha256(path.read_bytes())
    assert _refused(alice)["code"] == "store_foreign"
    assert sha256(path.read_bytes()) == before


def test_a_database_that_another_program_holds_is_an_error_with_a_remedy(alice: Machine) -> None:
    connection = sqlite3.connect(_database(alice), isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        error = _refused(alice)
    finally:
        connection.close()
    assert error["code"] == "store_locked"
    assert error["remedy"]


@posix_only
@pytest.mark.parametrize("name", ["machine.key", "issuer.key"])
def test_a_key_that_others_can_read_is_refused_with_the_command_that_helps(alice: Machine, name: str) -> None:
    key = alice.home / "identity" / name
    key.chmod(0o644)
    error = _refused(alice)
    assert str(key) in error["message"]
    assert "chmod" in error["remedy"]
    key.chmod(0o600)
    alice.start()


def test_a_damaged_key_is_an_error_that_names_the_file(alice: Machine) -> None:
    key = alice.home / "identity" / "machine.key"
    key.write_text("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
    key.chmod(0o600)
    error = _refused(alice)
    assert str(key) in error["message"]
    assert error["remedy"]


def test_the_key_of_another_machine_is_refused(alice: Machine) -> None:
    shutil.copy(alice.home / "identity" / "issuer.key", alice.home / "identity" / "machine.key")
    error = _refused(alice)
    assert "machine" in error["message"]
    assert error["remedy"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[node]\nlisten = "127.0.0.1:0"\ncolour = "blue"\n', "node.colour"),
        ("[nodes]\n", "nodes"),
        ('[node]\nlisten = "nowhere"\n', "node.listen"),
        ("[node\n", "line 1"),
        ("[liveness]\ninterval_s = 0\n", "liveness.interval_s"),
    ],
)
def test_wrong_settings_are_an_error_that_names_the_key(alice: Machine, text: str, named: str) -> None:
    (alice.home / "settings.toml").write_text(text)
    error = _refused(alice)
    assert named in error["message"]
    assert error["remedy"]


def test_settings_of_another_machine_are_refused(alice: Machine) -> None:
    (alice.home / "settings.toml").write_text('[node]\nmachine = "berta"\n')
    error = _refused(alice)
    assert error["code"] == "wrong_machine"
    assert "berta" in error["message"]


def test_people_read_what_is_wrong_and_what_helps(alice: Machine) -> None:
    (alice.home / "settings.toml").write_text("[node]\ncolour = 1\n")
    done = alice.run("up", "--no-mdns", "--listen", alice.listen, code=1)
    assert done.stdout == ""
    assert done.stderr.startswith("error: node.colour is not a key of settings.toml")
    assert "remedy: " in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_finds_what_keeps_a_node_from_starting(alice: Machine) -> None:
    (alice.home / "settings.toml").write_text("[node]\ncolour = 1\n")
    done = alice.run("doctor", code=1)
    assert "node.colour" in done.stdout
    assert "remedy" in done.stdout
