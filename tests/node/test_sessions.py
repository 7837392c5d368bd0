"""Sessions: secrets that nobody keeps, leases that run out."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from roosync_p2p import limits
from roosync_p2p.errors import InputFault
from roosync_p2p.node.sessions import Sessions
from tests.helpers.deciding_node import said

pytestmark = pytest.mark.anyio


class Kept:
    """The file that sessions are kept in, as a test sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    def damage(self, data: bytes) -> None:
        self.path.write_bytes(data)

    def is_private(self) -> bool:
        return os.name == "nt" or stat.S_IMODE(self.path.stat().st_mode) == 0o600


class Clock:
    """A wall clock that a test sets."""

    ms = 1_768_435_200_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "sessions.json")


async def test_the_secret_is_on_no_disk_and_its_hash_is_owner_only(kept: Kept, clock: Clock) -> None:
    opened = await Sessions(kept.path, now_ms=clock).open(workspace="w", client="claude", lease_s=60)
    assert opened.secret.encode() not in kept.data
    assert opened.id.encode() in kept.data
    assert opened.secret not in repr(opened)
    assert kept.is_private()


async def test_a_lease_is_prolonged_by_use_and_runs_out_without(kept: Kept, clock: Clock) -> None:
    sessions = Sessions(kept.path, now_ms=clock)
    opened = await sessions.open(workspace="w", client="", lease_s=60)
    for _ in range(3):
        clock.ms += 59_000
        assert await sessions.speaker(said(secret=opened.secret)) == opened.id
    again = Sessions(kept.path, now_ms=clock)
    clock.ms += 59_000
    assert await again.speaker(said(secret=opened.secret)) == opened.id
    clock.ms += 60_000
    with pytest.raises(InputFault) as over:
        await again.speaker(said(secret=opened.secret))
    assert over.value.code == "unknown_session"
    assert again.shown() == []


async def test_a_use_that_prolongs_little_is_not_written(kept: Kept, clock: Clock) -> None:
    sessions = Sessions(kept.path, now_ms=clock)
    opened = await sessions.open(workspace="w", client="", lease_s=1000)
    written = kept.data
    clock.ms += 50_000
    await sessions.speaker(said(secret=opened.secret))
    assert kept.data == written
    clock.ms += 60_000
    await sessions.speaker(said(secret=opened.secret))
    assert kept.data != written


async def test_a_process_is_a_session_that_no_secret_can_be(kept: Kept, clock: Clock) -> None:
    sessions = Sessions(kept.path, now_ms=clock)
    assert await sessions.speaker(said(user="jean", process=7, workspace="w")) == "jean/w/7"
    long = await sessions.speaker(said(user="j" * 64, process=7, workspace="w" * 128))
    assert len(long) <= limits.SESSION_CHARS_MAX
    assert long != await sessions.speaker(said(user="j" * 64, process=8, workspace="w" * 128))


async def test_sessions_are_bounded_and_shown_oldest_first(kept: Kept, clock: Clock) -> None:
    sessions = Sessions(kept.path, now_ms=clock)
    for number in range(limits.SESSIONS_MAX):
        clock.ms += 1
        await sessions.open(workspace="w", client=f"client {number}", lease_s=60)
    with pytest.raises(InputFault) as full:
        await sessions.open(workspace="w", client="", lease_s=60)
    assert full.value.code == "too_many_sessions"
    shown = sessions.shown()
    assert [row["client"] for row in shown[:2]] == ["client 0", "client 1"]
    assert set(shown[0]) == {"session", "workspace", "client", "last_active", "expires_at"}


@pytest.mark.parametrize("damaged", [b"", b"{}", b"[{}]", b"\x00"])
async def test_a_damaged_file_ends_the_sessions_and_nothing_else(kept: Kept, clock: Clock, damaged: bytes) -> None:
    kept.damage(damaged)
    sessions = Sessions(kept.path, now_ms=clock)
    assert sessions.shown() == []
    await sessions.open(workspace="w", client="", lease_s=60)
    assert len(json.loads(kept.data)) == 1
