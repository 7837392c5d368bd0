"""What the doctor finds while no node runs: everything for which a start would be refused."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roosync_p2p.adapters.keystore import found_fleet
from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.ids import MachineId
from roosync_p2p.node.stopped import check_stopped


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A founded home with a store, that listens at any port."""
    path = tmp_path / "home"
    found_fleet(path, fleet_name="fleet", machine=MachineId("alice"), passphrase=None, wall_s=int(time.time()))
    SqliteStore.open(path / "node.db").close()
    (path / "settings.toml").write_text('[node]\nlisten = "127.0.0.1:0"\n')
    return path


def _checks(home: Path) -> dict[str, Any]:
    return {str(check["id"]): check for check in check_stopped(home)}


def _found(home: Path) -> dict[str, Any]:
    return {name: check for name, check in _checks(home).items() if not check["ok"]}


def test_a_home_that_can_start_has_no_findings_and_is_left_as_it_was(home: Path) -> None:
    before = sorted(path.name for path in home.iterdir())
    assert set(_checks(home)) == {"certificate", "disk", "store", "listening"}
    assert not _found(home)
    assert sorted(path.name for path in home.iterdir() if path.suffix not in (".db-wal", ".db-shm")) == before


def _wrong_machine(home: Path) -> None:
    (home / "settings.toml").write_text('[node]\nmachine = "berta"\n')


def _damaged_key(home: Path) -> None:
    (home / "identity" / "machine.key").write_text("nothing")


def _cut_store(home: Path) -> None:
    path = home / "node.db"
    path.write_bytes(path.read_bytes()[:10_000])


def _newer_store(home: Path) -> None:
    path = home / "node.db"
    data = bytearray(path.read_bytes())
    data[60:64] = (999).to_bytes(4, "big")  # user_version
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (_wrong_machine, "certificate"),
        (_damaged_key, "certificate"),
        (_cut_store, "store"),
        (_newer_store, "store"),
    ],
)
def test_what_would_stop_a_start_is_an_error_with_its_remedy(
    home: Path, spoil: Callable[[Path], None], check: str
) -> None:
    spoil(home)
    found = _found(home)[check]
    assert found["severity"] == "error"
    assert found["remedy"]


def test_a_taken_port_is_found(home: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        (home / "settings.toml").write_text(f'[node]\nlisten = "127.0.0.1:{holder.getsockname()[1]}"\n')
        assert str(holder.getsockname()[1]) in _found(home)["listening"]["message"]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no new files, from nobody")
def test_a_home_that_cannot_be_written_is_found() -> None:
    found = _found(Path("/proc"))["disk"]
    assert "/proc" in found["message"]


def test_what_settings_say_wrong_is_not_said_twice(home: Path) -> None:
    (home / "settings.toml").write_text("colour = 1")
    assert set(_checks(home)) == {"certificate", "disk", "store"}
    assert not _found(home)
