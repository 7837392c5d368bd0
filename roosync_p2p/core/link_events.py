"""Links that open, greet, close, and are another's: which part of a core hears of it (docs/protocol/links.md §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p.core import wire
from roosync_p2p.core.links import Link
from roosync_p2p.core.ports import DialFailed, LinkClosed, LinkOpened
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["dial_failed", "greeting", "link_closed", "link_opened", "replaced"]


def dial_failed(core: NodeCore, event: DialFailed) -> None:
    """Nobody, or nobody of the fleet, answered at an address."""
    redialled = core.dialling.failed(event)
    if redialled is not None:
        core.presence.redialled(redialled)


def link_opened(core: NodeCore, event: LinkOpened) -> None:
    """TLS is up."""
    replaces = core.dialling.replacing(event.dial)
    hello = core.hello(replaces=replaces)
    try:
        core.links.opened(event, hello, after=core.authorship.started, replaces=replaces)
    except PeerFault as fault:
        core.desk.fault(fault)
        core.dialling.useless(event.dial)
        core.watch.key_conflict(fault)
        return
    link = core.links.get(event.link)
    assert link is not None
    if link.machine == core.me:
        core.dialling.useless(event.dial)
    else:
        core.dialling.opened(event.dial, link.machine)
        if event.dial is not None and link.unproven is None:
            core.presence.answered(link.machine)
    if link.machine != core.me and core.dialling.held_off(link.machine) and event.dial is None:
        core.links.close(link, "too many bad frames a moment ago; try again later")


def link_closed(core: NodeCore, event: LinkClosed) -> None:
    """A connection is gone."""
    link = core.links.get(event.link)
    core.follow_links(core.links.closed(event))
    unused = link is not None and link.hello is None
    if link is not None and unused and link.machine != core.me and core.links.primary(link.machine) is None:
        core.dialling.unlinked(link.machine, abused=False, lived_s=0.0)


def greeting(core: NodeCore, link: Link, hello: wire.Hello) -> None:
    """The other end of a link greets."""
    try:
        facts = core.links.greeted(link, hello)
    except PeerFault as fault:
        core.desk.fault(fault)
        core.watch.key_conflict(fault)
        if fault.code == "own_identity":
            core.watch.own_identity_elsewhere(f"another node runs under this machine's identity at {link.remote}")
        return
    core.follow_directory()  # a machine that is new here is watched before its link counts
    core.follow_links(facts)
    core.watch.older_start(link)


def replaced(core: NodeCore, machine: MachineId) -> None:
    """The store of a machine was lost with its key: what it said of itself means nothing more, and it is watched anew.

    Where it was reached it is dialled all the same: who answers there shows by which key it is.
    """
    for part in (core.delivery, core.presence, core.relaying):
        part.forget(machine)
    core.presence.liveness.set_members([m for m in core.members() if m != machine], core.desk.now)
    core.presence.liveness.set_members(core.members(), core.desk.now)
    core.commit.verdict(machine, State.OFFLINE)  # its seat goes when another store is heard of it
