"""Who works where, by the shared folder: in the heartbeat file, and without a write of its own while links are fine."""

from __future__ import annotations

from typing import Any

from roosync_p2p import limits
from roosync_p2p.core import inputs, view
from roosync_p2p.gossip.sessions import OpenSession
from tests.helpers.folder_fleet import FolderFleet

ID = bytes(range(32))


def _open(fleet: FolderFleet, letter: str, *, lease_s: float = 3600.0) -> None:
    now_ms = fleet.member(letter).clock.now().wall_ms
    session = OpenSession(
        id=ID, workspace="web", client="claude", active_ms=now_ms, expires_ms=now_ms + round(lease_s * 1000)
    )
    fleet.member(letter).feed(inputs.SessionsOpen(sessions=(session,)))


def _agents(fleet: FolderFleet, watcher: str, letter: str) -> list[Any]:
    rows: list[Any] = view.machines(fleet.member(watcher).node())
    return [session["session"] for row in rows if row["machine"] == f"machine-{letter}" for session in row["sessions"]]


def test_an_agent_is_seen_through_the_folder_alone_and_is_gone_when_its_lease_is() -> None:
    fleet = FolderFleet("ab")
    fleet.until_s(lambda: len(fleet.member("b").node().members()) == 2, 60)
    fleet.run(60)
    _open(fleet, "a", lease_s=300)
    took_s = fleet.until_s(lambda: _agents(fleet, "b", "a") == [ID.hex()], 60)
    assert took_s <= limits.FOLDER_NEWS_S + limits.FOLDER_LOOK_FAST_S + 5
    gone_s = took_s + fleet.until_s(lambda: _agents(fleet, "b", "a") == [], 400)
    assert 290 <= gone_s <= 310
    fleet.member("a").feed(inputs.SessionsOpen(sessions=()))
    fleet.run(120)
    assert "session_zombie" not in fleet.warnings("b")


def test_while_links_are_fine_an_agent_costs_the_folder_nothing() -> None:
    fleet = FolderFleet("ab", cut=False)
    fleet.run(60)
    before = fleet.counted("a", "folder.writes")
    _open(fleet, "a")
    fleet.run(limits.FOLDER_CADENCE_REST_S / 2)
    assert _agents(fleet, "b", "a") == [ID.hex()]
    assert fleet.counted("a", "folder.writes") - before <= 1  # the heartbeat file that was due anyhow
