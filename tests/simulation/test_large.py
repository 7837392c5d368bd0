"""A fleet beyond a full mesh, whole: real cores, every checker, small bounds on what it costs."""

from __future__ import annotations

import pytest

from roosync_p2p import limits
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
