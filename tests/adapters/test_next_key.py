"""The next key on the disk: killed at any step, the old identity works or the new one; the next start finishes it."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest

from roosync_p2p.adapters import identity_files, keystore, next_key
from roosync_p2p.adapters.keystore import found_fleet, issue_machine_certificate, load_identity
from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.core.rotations import ROTATION
from roosync_p2p.core.rows import Loaded, RecordRow
from roosync_p2p.ids import MachineId
from roosync_p2p.trust.certificates import certificate_request, parse_request
from roosync_p2p.trust.enrolment import Enrolment
from roosync_p2p.trust.rotations import Rotation, seal_rotation
from roosync_p2p.trust.statements import Cut
from tests.helpers.dying import KilledError, dies_at

_WALL_S = 1_790_000_000
_MACHINE = MachineId("myia-ai-01")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found_fleet(tmp_path / "home", fleet_name="Écurie", machine=_MACHINE, passphrase=None, wall_s=_WALL_S)
    return tmp_path / "home"


def _certified(home: Path) -> tuple[Enrolment, bytes]:
    """The next key's certificate, and the rotation that the old key signed."""
    own, key = load_identity(home), next_key.next_key(home)
    request = parse_request(certificate_request(key, own.machine))
    given = issue_machine_certificate(own, request, wall_s=_WALL_S)
    said = Rotation(
        machine=own.machine,
        old=own.key.key_id,
        new=key.key_id,
        former_leaf=own.leaf,
        former_issuer=own.issuer,
        leaf=given.leaf,
        issuer=given.issuer,
        ledger=Cut(incarnation=1, sequence=3),
        mail=Cut(incarnation=1, sequence=1),
    )
    return given, seal_rotation(own.key, said, fleet=own.fleet)


def _loaded(home: Path, *rotations: bytes) -> Loaded:
    with contextlib.closing(SqliteStore.open(home / "node.db")) as store:
        store.commit(
            [
                RecordRow(kind=ROTATION, author=_MACHINE, subject=str(at), start=0, counter=0, envelope=envelope)
                for at, envelope in enumerate(rotations)
            ]
        )
        return store.load()


def test_the_next_key_is_made_once_and_for_the_owner_alone(home: Path) -> None:
    before = load_identity(home)
    key = next_key.next_key(home)
    assert next_key.next_key(home).public == key.public
    assert key.public != before.key.public
    path = home / "identity" / keystore.NEXT_KEY
    assert path.stat().st_mode & 0o077 == 0
    assert load_identity(home).key.public == before.key.public, "made is not used"


def test_the_next_key_takes_the_old_ones_place(home: Path) -> None:
    before = load_identity(home)
    given, _ = _certified(home)
    key = next_key.next_key(home)
    after = next_key.install_next(home, leaf=given.leaf, issuer=given.issuer)
    assert (after.key.public, after.leaf, after.key_path.name) == (key.public, given.leaf, "machine.key")
    assert after.own_issuer == before.own_issuer
    assert not (home / "identity" / keystore.NEXT_KEY).exists()
    assert before.key.to_pem(None) not in [path.read_bytes() for path in (home / "identity").iterdir()]


def test_killed_at_any_step_one_of_the_two_works_and_the_next_start_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in itertools.count():
        home = tmp_path / str(step)
        found_fleet(home, fleet_name="Écurie", machine=_MACHINE, passphrase=None, wall_s=_WALL_S)
        old = load_identity(home)
        given, envelope = _certified(home)
        new = next_key.next_key(home)
        finished = False
        with monkeypatch.context() as killed, contextlib.suppress(KilledError):
            dies_at(killed, step, (keystore, next_key))
            next_key.install_next(home, leaf=given.leaf, issuer=given.issuer)
            finished = True
        now = load_identity(home)
        assert now.key.public in (old.key.public, new.public)
        assert identity_files.load_key(now.key_path).public == now.key.public, "TLS reads the same"
        done = next_key.finish_rotation(home, now, _loaded(home, envelope))
        assert (done.key.public, done.key_path.name) == (new.public, "machine.key")
        assert load_identity(home).key.public == new.public
        if finished:
            break
    assert step >= 5


def test_a_key_that_waits_is_not_used_unless_the_store_says_that_the_old_one_was_given_up(home: Path) -> None:
    before = load_identity(home)
    _certified(home)
    assert next_key.finish_rotation(home, before, _loaded(home)) is before
    _, of_another = _certified(home)
    (home / "identity" / keystore.NEXT_KEY).unlink()
    next_key.next_key(home)
    assert next_key.finish_rotation(home, before, _loaded(home, of_another)) is before
