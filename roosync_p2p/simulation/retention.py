"""Months in a minute: what the age of messages asks for, played on simulated machines (docs/protocol/messages.md §9).

Wall clocks are set ahead day by day, with a second of virtual time in between, and every machine that runs does its
round of the day: with the queries of the real node, on its own disk.
"""

from __future__ import annotations

from typing import Final

from roosync_p2p.core.mail_commands import RaiseFloors, Retain
from roosync_p2p.core.retaining import ages, cited_messages, outlived
from roosync_p2p.ids import MachineId
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member

__all__ = ["age", "floor_of", "retain"]

_DAY_MS: Final = 24 * 3600 * 1000
_AWAKE_S: Final = 1.2  # of each day: for a heartbeat to be heard, and records to spread


def age(fleet: Fleet, days: int) -> None:
    """Lets so many days pass on all wall clocks, also of machines that are off."""
    for _ in range(days):
        for member in fleet.members.values():
            member.clock.offset_ms += _DAY_MS
        fleet.run(_AWAKE_S)
        for member in fleet.running():
            if not member.paused:
                retain(member)
    fleet.run(_AWAKE_S)


def retain(member: Member) -> None:
    """One round on one machine, as the node does it."""
    core = member.node()
    query = ages(core.me, member.clock.now().wall_ms, drops=True, cited=cited_messages(core.commit.state))
    aged = member.disk.aged(query)
    member.request(Retain(aged=aged), lambda _result: None)
    past = outlived(member.disk, query, core.exchange.own_mail())
    member.request(RaiseFloors(outlived=past), lambda _result: None)


def floor_of(member: Member, author: MachineId) -> int:
    """With which entry the mail of an author begins on that machine's disk; 0 where nothing of it is there."""
    runs = [run for run in member.disk.load().chains if run.author == author and run.chain == "mail"]
    return runs[-1].floor if runs else 0
