"""That a backup was made is known after a restart, and not of one that holds other keys."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from roosync_p2p.adapters.backup_mark import is_backed_up, mark_backup
from roosync_p2p.adapters.keystore import found_fleet, generate_key
from roosync_p2p.ids import MachineId


def test_a_backup_counts_for_the_keys_that_it_holds(tmp_path: Path) -> None:
    home = tmp_path / "home"
    own = found_fleet(home, fleet_name="Écurie", machine=MachineId("alice"), passphrase=None, wall_s=1_700_000_000)
    assert own.issuer_key is not None
    keys = [own.key.key_id, own.issuer_key.key_id]
    assert not is_backed_up(home, keys)
    mark_backup(home, dataclasses.replace(own, issuer_key=None), wall_ms=1_700_000_000_000)
    assert is_backed_up(home, keys[:1])
    assert not is_backed_up(home, keys), "it became an issuer since"
    mark_backup(home, own, wall_ms=1_700_000_000_000)
    assert is_backed_up(home, keys)
    assert not is_backed_up(home, [generate_key().key_id, keys[1]]), "its key was replaced since"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"keys": 3}', b'{"keys": null}', b"\xff"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "backup.made").write_bytes(damage)
    assert not is_backed_up(tmp_path, [generate_key().key_id])
