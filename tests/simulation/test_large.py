"""A fleet beyond a full mesh, whole: real cores, every checker, small bounds on what it costs."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
from roosync_p2p.core.presence import Presence
from roosync_p2p.simulation import large
from roosync_p2p.simulation.large import LargeFleet, Pastime

MEMBERS = 16
BYTES_MAX = 30_000  # a second and node, one way, with the overhead of TCP, TLS and websockets


def test_beyond_a_full_mesh_nobody_is_forgotten_and_links_and_bytes_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the bound of a full mesh lowered, so that a fleet beyond it is small enough for every test run."""
    monkeypatch.setattr(limits, "FULL_MESH_MEMBERS_MAX", 6)
    pastime = Pastime(starts_s=0.5, settles_s=6.0, rests_s=3.0, sleeps_s=0.0, senders=2, requests=2, voters=3)
    fleet = LargeFleet(MEMBERS, 1, pastime=pastime)
    report = fleet.run()
    # Among these: who is not seen, a message that is missing or doubled, a kill that somebody does not notice in time.
    assert report.violations == ()
    assert len(report.killed_s) == MEMBERS - 1
    assert max(report.killed_s) <= 5.0
    assert max(report.links) < MEMBERS - 1
    assert sum(report.links) < 0.75 * MEMBERS * (MEMBERS - 1)
    assert max(report.sent_bytes) < BYTES_MAX
    assert max(report.received_bytes) < BYTES_MAX
    assert report.kinds["relayed Beat"] > 0
    members = fleet.fleet.running()
    voters = {machine for member in members for machine in member.node().commit.seats.known.voting}
    for member in members:
        if member.identity.machine in voters:
            assert voters - {member.identity.machine} <= set(member.node().links.peers())


@pytest.mark.parametrize("relaying", [True, False])
def test_a_run_is_content_with_nodes_that_relay_and_finds_those_that_do_not(
    monkeypatch: pytest.MonkeyPatch, *, relaying: bool
) -> None:
    """The run can fail: who passes no heartbeat on leaves somebody unseen, and nothing else was changed."""
    monkeypatch.setattr(limits, "FULL_MESH_MEMBERS_MAX", 4)
    monkeypatch.setattr(large, "TOGETHER_S", 12.0)
    monkeypatch.setattr(large, "SPREAD_S", 2.0)
    if not relaying:
        monkeypatch.setattr(Presence, "_relay", lambda *_: None)
    pastime = Pastime(starts_s=0.5, settles_s=1.0, rests_s=1.0, sleeps_s=0.0, senders=1, requests=1, voters=3)
    report = LargeFleet(10, 1, pastime=pastime).run()
    found = [violation.text for violation in report.violations]
    assert ("everybody to see everybody took more than 12 s" in found) is not relaying
    assert (found == []) is relaying
