"""A process that is killed leaves a fleet or none, and the next ``init`` makes it whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import load_identity, load_root_key
from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.admin.office import read_store
from roosync_p2p.ids import FleetId
from tests.admin.conftest import FOUNDER, Admin

_REPOSITORY = Path(__file__).parents[2]
_STEPS_MIN = 8  # files of an identity alone


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_an_init_killed_anywhere_is_finished_by_the_next(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.admin.interrupted_child", str(tmp_path / "homes")],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps >= _STEPS_MIN
    for home in [tmp_path / "homes" / str(number) for number in range(1, steps + 1)]:
        identity = load_identity(home)
        assert FleetId(load_root_key(home, None).key_id) == identity.fleet
        loaded = read_store(Home(home))
        assert [row.body for row in loaded.pending] == [identity.fleet_found]
        assert [row.leaf for row in loaded.members] == [identity.leaf]
        assert (home / "settings.toml").exists()
        kept = {path.name for path in home.iterdir()} - {"logs"}
        assert kept == {"identity", "root", "node.db", "node.lock", "settings.toml"}


def _forget(home: Path) -> None:
    """The store as it is before the last step of ``init``."""
    (home / "node.db").unlink()
    SqliteStore.open(home / "node.db").close()


def test_what_was_left_is_finished_without_a_passphrase(admin: Admin, founder: Path) -> None:
    _forget(founder)
    document = admin(founder, "init", "--json").document()
    assert (document["resumed"], document["machine"]) == (True, FOUNDER)
    assert len(read_store(Home(founder)).pending) == 1
    admin(founder, "init", "--json").refused(1, "identity_exists")


def test_what_was_left_is_not_finished_as_another_machine(admin: Admin, founder: Path) -> None:
    _forget(founder)
    admin(founder, "init", "--machine", "other", "--json").refused(1, "identity_exists")


def test_a_store_that_is_gone_is_no_unfinished_founding(admin: Admin, founder: Path) -> None:
    (founder / "node.db").unlink()
    admin(founder, "init", "--json").refused(1, "identity_exists")
    assert not (founder / "node.db").exists()
