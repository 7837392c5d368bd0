"""With whom this node keeps links in a fleet beyond a full mesh (docs/protocol/links.md §10).

Up to ``FULL_MESH_MEMBERS_MAX`` members it wishes all. Above, the rules of :mod:`roosync_p2p.gossip.mesh` choose, and
what they cannot know is added here: voters link with each other, whoever needs an issuer links with all of them, and a
machine that no linked peer hears is tried directly. Which links there are is nobody's to dictate: an end that needs a
link opens it, and one that neither end needs is closed after a moment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from roosync_p2p import limits
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.dialling import Dialling
from roosync_p2p.core.links import Links
from roosync_p2p.core.presence import Presence
from roosync_p2p.core.wire import Spare
from roosync_p2p.gossip.mesh import contacts_of, mates_of
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["PARTED", "Meshing", "meshing_of"]

PARTED: Final = "neither end needs this link"
_GONE: Final = (State.OFFLINE, State.LEAVING)


@dataclasses.dataclass(slots=True)
class _Peer:
    """What both ends of a link said of it."""

    told: bool = False  # that it is spare here
    spare_there: bool = False
    spare_since_s: float | None = None  # to both


class Meshing:
    """The wishes of one node, and the links that nobody needs.

    Args:
        voters: the machines that vote, as far as this node knows.
        issuers: the issuers, while this node waits for something of theirs.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        dialling: Dialling,
        presence: Presence,
        *,
        voters: Callable[[], frozenset[MachineId]],
        issuers: Callable[[], frozenset[MachineId]],
    ) -> None:
        self._desk = desk
        self._links = links
        self._dialling = dialling
        self._presence = presence
        self._voters = voters
        self._issuers = issuers
        self._look_at: float | None = None
        self._learned = 0
        self._unheard: dict[MachineId, float] = {}
        self._peers: dict[MachineId, _Peer] = {}

    # --- what happened --------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Members, links or verdicts are not what they were: look in this very input."""
        self._look_at = None if self._desk.scale == 1.0 else self._desk.now.monotonic_s
        if self._look_at is None:
            self._dialling.wish(None)

    def closed(self, machine: MachineId) -> None:
        """The last link to a machine is gone."""
        self._peers.pop(machine, None)
        self.changed()

    def received(self, machine: MachineId, frame: Spare) -> None:
        """A linked peer says whether it needs the link."""
        self._peers.setdefault(machine, _Peer()).spare_there = frame.spare
        self.changed()

    # --- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to look again (monotonic seconds)."""
        return self._look_at

    def tick(self) -> None:
        """Looks, if it is time."""
        now_s = self._desk.now.monotonic_s
        # Whoever has an address now may be hoped for, and others need not be tried for want of a better one.
        learned, self._learned = self._learned, self._dialling.addresses_learned
        if self._look_at is None or (now_s < self._look_at and learned == self._learned):
            return
        self._look_at = now_s + limits.MESH_LOOK_S
        wished = self._wishes(now_s)
        self._dialling.wish(wished)
        for machine in self._links.peers():
            self._care(machine, now_s, spare=machine not in wished)

    def _care(self, machine: MachineId, now_s: float, *, spare: bool) -> None:
        peer = self._peers.setdefault(machine, _Peer())
        if peer.told != spare:
            peer.told = spare
            self._links.send(machine, Spare(spare=spare))
        if not (spare and peer.spare_there):
            peer.spare_since_s = None
        elif peer.spare_since_s is None:
            peer.spare_since_s = now_s
        elif now_s >= peer.spare_since_s + limits.MESH_SPARE_S and self._desk.me < machine:
            link = self._links.primary(machine)
            assert link is not None
            self._links.close(link, PARTED)

    # --- wishes ---------------------------------------------------------------------------------------------------

    def _wishes(self, now_s: float) -> frozenset[MachineId]:
        me, members = self._desk.me, self._desk.directory.members
        linked = frozenset(self._links.peers())
        wished = mates_of(me, members.keys())
        wished |= contacts_of(me, members.keys(), linked=linked.__contains__, hopeless=self._hopeless)
        voters = self._voters()
        if me in voters:
            wished |= voters
        return (wished | self._issuers() | self._nowhere(now_s, linked)) - {me}

    def _hopeless(self, machine: MachineId) -> bool:
        gone = self._presence.liveness.verdict(machine, self._desk.now).state in _GONE
        return gone or self._dialling.hopeless(machine)

    def _nowhere(self, now_s: float, linked: frozenset[MachineId]) -> frozenset[MachineId]:
        """Machines that should be heard through somebody by now, and are not: some of them are tried directly."""
        heard = linked.union(*(self._presence.hears(peer) for peer in linked))
        missing = self._desk.directory.members.keys() - heard - {self._desk.me}
        self._unheard = {machine: self._unheard.get(machine, now_s) for machine in missing}
        long_s = now_s - limits.MESH_UNHEARD_S
        overdue = sorted((since_s, m) for m, since_s in self._unheard.items() if since_s <= long_s)
        hoped = [machine for _, machine in overdue if not self._hopeless(machine) or machine in linked]
        return frozenset(hoped[: limits.MESH_UNHEARD_MAX])


def meshing_of(core: NodeCore) -> Meshing:
    """The wishes of that core, with what its other parts know of voters and issuers."""

    def issuers() -> frozenset[MachineId]:
        waits = core.authorship.renewal is not None or core.certificates.due()
        return frozenset(core.renewals.waiting_for()) if waits else frozenset()

    return Meshing(
        core.desk,
        core.links,
        core.dialling,
        core.presence,
        voters=lambda: core.commit.seats.known.voting,
        issuers=issuers,
    )
