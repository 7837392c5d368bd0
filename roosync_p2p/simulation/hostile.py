"""A machine whose key was stolen goes on when it was revoked: it does not hear of that, and uses all that it has.

It is the honest node with one thing left out: a revocation of itself. So it keeps dialling, greeting, relaying, voting
and writing its heartbeats, entries and log into the shared folder; and it puts copies of these where others relay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from roosync_p2p.core.commands import OrderEntry, SendMessage
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.gossip.folder_paths import ROOT
from roosync_p2p.ids import ALL, Address, MachineId
from roosync_p2p.ledger.bodies import ClaimAcquire
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.member import Member
from roosync_p2p.trust.envelopes import Verified

if TYPE_CHECKING:
    from roosync_p2p.simulation.world import World

__all__ = ["Hostile"]

ACT_S: Final = 2.5  # it says something this often
REVIVED_S: Final = 3.0  # whoever has it starts it again after this


class Hostile:
    """Plays one revoked member for the rest of a run."""

    def __init__(self, world: World, member: Member, dice: Dice) -> None:
        self._world = world
        self._member = member
        self._dice = dice
        self._core: NodeCore | None = None
        self._said = 0

    def begin(self) -> None:
        """From now on; at once deaf to what is said of it."""
        self._deafen()
        self._act()

    def _deafen(self) -> None:
        """Each life of its node anew, before that hears anything."""
        core = self._member.core
        if core is None or core is self._core:
            return
        self._core = core
        departures, me, hear = core.departures, core.me, core.departures.heard

        def heard(verified: Verified, *, source: MachineId | None) -> Ticket:
            about = core.revocations.machine_of(verified)
            return core.desk.newest_ticket if about == me else hear(verified, source=source)

        departures.heard = heard  # type: ignore[method-assign]  # this one node is hostile

    def _act(self) -> None:
        world, member = self._world, self._member
        world.later(self._dice.between(0.5, 1.5) * ACT_S, self._act)
        if member.paused:
            return
        if not member.running:
            world.later(REVIVED_S, self._revive)
            return
        self._say(member)
        self._plant(member)
        world.watch.active["acts of the revoked"] += 1

    def _revive(self) -> None:
        if not self._member.running:
            self._world.start(self._member)
            self._deafen()

    def _say(self, member: Member) -> None:
        self._said += 1
        name = f"hostile {self._said}"
        message = SendMessage(
            to=(Address(ALL),),
            subject=name,
            body=name,
            type="text",
            priority="URGENT",
            tags=(),
            workspace=None,
            thread_id=None,
            in_reply_to=None,
            idempotency_key=name,
            remembered=None,
        )
        member.request(message, lambda _result: None)
        claim = ClaimAcquire(name=f"hostile-{self._said}", ttl_ms=60_000, session="s1")
        member.request(OrderEntry(kind="claim.acquire", body=claim, timeout_s=5.0), lambda _result: None)

    def _plant(self, member: Member) -> None:
        """Its own segments, in the name of another who would relay them: anybody can write anywhere in a folder."""
        share, me = self._world.fleet.share, str(member.identity.machine)
        if share is None or member.folder is None:
            return
        others = [str(other.identity.machine) for other in self._world.fleet.insiders()]
        own = f"{ROOT}/{me}/entries/"
        for path, data in sorted(member.folder.files.items()):
            if path.startswith(own) and path.endswith(".seg"):
                planted = f"{ROOT}/{self._dice.choose(others)}/relay/{me}/{path.removeprefix(own)}"
                if planted not in member.folder.files:
                    member.folder.files[planted] = data
                    share.changed(member.name, planted, data, None)
                    self._world.watch.active["files of the revoked in others' parts"] += 1
