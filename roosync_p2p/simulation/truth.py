"""What is really the case in a simulated world, for judging what its nodes believe."""

from __future__ import annotations

import itertools

from roosync_p2p.core import effects
from roosync_p2p.ids import MachineId
from roosync_p2p.simulation import inspection
from roosync_p2p.simulation.checkers.liveness import Circumstances
from roosync_p2p.simulation.fleet import Fleet
from roosync_p2p.simulation.member import Member

__all__ = ["Truth"]

FAREWELL_LATE_S = 30.0  # a cut, a pause, a lossy way hold a farewell up
FAREWELL_IN_FOLDER_S = 60.0  # twice the longest lag of a folder, where old files come back, and two looks
HELD_BACK_S = 6.0  # a limit and a second
UNDISTURBED_S = 15.0  # more heartbeats than the samples a clock offset is estimated from


class Truth:
    """Who runs, beats and is linked, since when. Fed by the world as things happen."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._checked: dict[str, float] = {}  # end of the start-up check of this life
        self._awake: dict[str, float] = {}  # since the last pause or sleep
        self._stopped: dict[str, str] = {}
        self._left: set[str] = set()
        self._said_goodbye: dict[str, float] = {}
        self._beats: dict[str, float] = {}
        self._unlinked: dict[tuple[str, str], float | None] = {}  # None while linked
        self._linked_since: dict[tuple[str, str], float] = {}
        self._met: dict[tuple[str, str], float] = {}  # since when they know each other's addresses
        self._firewalled: set[str] = set()
        self._jumped: dict[str, float] = {}  # when a node found its clocks apart
        self._renewed: dict[str, float] = {}
        self._opened: dict[str, float] = {}  # when the firewall went
        self.ever_firewalled: set[str] = set()  # whose refusals were found to mean nothing

    # --- what happens ---------------------------------------------------------------------------------------------

    def started(self, name: str) -> None:
        """A node starts: it has said nothing yet."""
        self._checked.pop(name, None)
        self._left.discard(name)
        self._stopped.pop(name, None)
        self._firewalled.discard(name)

    def gone(self, name: str) -> None:
        """Its node is gone, and with it all its links."""
        self._checked.pop(name, None)
        self._stopped.pop(name, None)
        for link, since in self._unlinked.items():
            if link[0] == name and since is None:
                self._unlinked[link] = self._fleet.now_s

    def stopped(self, name: str, why: str) -> None:
        """Its node stands still."""
        self._stopped[name] = why

    def resumed(self, name: str) -> None:
        """It goes on."""
        self._stopped.pop(name, None)
        self._awake[name] = self._fleet.now_s

    def leaves(self, name: str) -> None:
        """It says goodbye."""
        self._left.add(name)
        self._said_goodbye[name] = self._fleet.now_s

    def beat(self, name: str) -> None:
        """It sent a heartbeat."""
        self._beats[name] = self._fleet.now_s

    def renewed(self, name: str) -> None:
        """Its certificate had run out: until now no link could be opened, but some may have stood all the time."""
        self._renewed[name] = self._fleet.now_s

    def firewalled(self, name: str) -> None:
        """It refuses dials."""
        self._firewalled.add(name)
        self.ever_firewalled.add(name)

    def opened(self, name: str) -> None:
        """It accepts them again."""
        if name in self._firewalled:
            self._firewalled.discard(name)
            self._opened[name] = self._fleet.now_s

    def notified(self, member: Member, notice: effects.Notify) -> None:
        """Learns from the event stream when checks ended and links came and went."""
        if notice.event == "resumed":
            self._jumped[member.name] = self._fleet.now_s
        elif notice.event == "identity":
            self._checked.setdefault(member.name, self._fleet.now_s)
        elif notice.event == "link":
            up = bool(notice.data["up"])
            machine = str(notice.data["machine"])
            self._unlinked[member.name, machine] = None if up else self._fleet.now_s
            self._linked_since[member.name, machine] = self._fleet.now_s
            self._met.setdefault((member.name, machine), self._fleet.now_s)

    # --- what is asked --------------------------------------------------------------------------------------------

    def left(self, judge: Member, machine: str) -> bool:
        """Whether some node of that machine took its leave so lately that its farewell may just have arrived.

        Or an old one lies where the judge reads: a file that came back stays until its owner writes the next one.
        """
        late_s = FAREWELL_LATE_S if self._fleet.share is None else FAREWELL_IN_FOLDER_S
        said = [self._said_goodbye.get(member.name) for member in self._fleet.of(machine)]
        if any(at_s is not None and self._fleet.now_s - at_s < late_s for at_s in said):
            return True
        return any(at_s is not None for at_s in said) and inspection.reads_farewell(judge, MachineId(machine))

    def unlinked_for_s(self, name: str, machine: str) -> float | None:
        """Since when a member has had no link to a machine; 0 while it has one, None if it never had."""
        if (name, machine) not in self._unlinked:
            return None
        since = self._unlinked[name, machine]
        return 0.0 if since is None else self._fleet.now_s - since

    def linked_for_s(self, name: str, other: str) -> float:
        """For how long a member has had a link to another; 0 while it has none."""
        if not self._linked(name, other):
            return 0.0
        return self._fleet.now_s - self._linked_since[name, self._fleet.members[other].identity.machine]

    def beat_age_s(self, machine: str) -> float | None:
        """Since any node of that machine sent a heartbeat."""
        beats = [self._beats[member.name] for member in self._fleet.of(machine) if member.name in self._beats]
        return self._fleet.now_s - max(beats) if beats else None

    def up_for_s(self, name: str) -> float:
        """For how long its node has been running, awake and done with its start-up check; 0 if it is not."""
        member = self._fleet.members[name]
        checked = self._checked.get(name)
        if not member.running or member.paused or checked is None or member.settled_at_s is None:
            return 0.0
        if name in self._left or name in self._fleet.outside:
            return 0.0
        return self._fleet.now_s - max(checked, member.settled_at_s, self._awake.get(name, 0.0))

    def circumstances(self, judge: str, machine: str) -> Circumstances:
        """Of a verdict by a member about a machine of which there is one home."""
        homes = self._fleet.of(machine)
        if not homes:
            return Circumstances(beating_for_s=0, ways_for_s={}, gone="not started yet", offline_s=0)
        member = homes[0]
        gone = ""
        if not member.running:
            gone = "left" if member.name in self._left else "crashed"
        elif member.name in self._left:
            gone = "left"
        elif member.paused:
            gone = self._stopped.get(member.name, "paused")
        ways = {"directly": self._way_s(judge, member.name)}
        for third in self._fleet.members:
            # Of a machine that runs twice everybody has a link to one, and cannot know which.
            if third not in (judge, member.name) and not self._has_twin(third):
                halves = (self._way_s(judge, third), self._way_s(third, member.name), self.up_for_s(third))
                ways[f"through {third}"] = min(halves)
        return Circumstances(
            beating_for_s=self.up_for_s(member.name),
            ways_for_s=ways,
            gone=gone,
            offline_s=self._fleet.profile.offline_s,
        )

    def reoriented(self, name: str) -> bool:
        """Whether that node's own clocks have not jumped for a while.

        After a jump it does not know whether it slept or was set, so what had been waiting in its sockets counts as
        made now, until the limit for that has passed.
        """
        jumped_s = self._jumped.get(name)
        return jumped_s is None or self._fleet.now_s - jumped_s > HELD_BACK_S

    def undisturbed(self, judge: str, machine: str, via: str | None) -> bool:
        """Whether all on the way of evidence was well for so long that clocks were compared over it since."""
        ends = [machine] if via is None else [via, machine]
        stations = [judge, *(member.name for end in ends for member in self._fleet.of(end)[:1])]
        legs = itertools.pairwise(stations)
        clear = all(self._fleet.paths.clear_for(*leg) > UNDISTURBED_S for leg in legs)
        # Whoever stood still gets everything at once afterwards, and has only late heartbeats to compare with.
        awake = all(self._fleet.now_s - self._awake.get(name, 0.0) > UNDISTURBED_S for name in stations)
        return clear and awake

    def quiet_for_s(self) -> float:
        """For how long no way between running members has had any fault."""
        names = [member.name for member in self._fleet.members.values() if member.running]
        pairs = [(one, other) for one in names for other in names if one < other]
        return min((self._fleet.paths.clear_for(*pair) for pair in pairs), default=self._fleet.now_s)

    def _way_s(self, one: str, other: str) -> float:
        met_s = self._met.get((one, self._fleet.members[other].identity.machine))
        if met_s is None:
            return 0.0  # a newcomer of whom nobody here has an address yet
        usable_s = min(self._fleet.paths.usable_for(one, other), self._fleet.now_s - met_s)
        renewed_s = self._fleet.now_s - max(self._renewed.get(one, 0.0), self._renewed.get(other, 0.0))
        usable_s = min(usable_s, max(renewed_s, self.linked_for_s(one, other)))
        if self._linked(one, other):
            return usable_s
        if {one, other} & self._firewalled or self._fleet.expired(one) or self._fleet.expired(other):
            return 0.0  # no link can be opened
        return min([usable_s, *(self._fleet.now_s - self._opened.get(end, 0.0) for end in (one, other))])

    def _has_twin(self, name: str) -> bool:
        return len(self._fleet.of(self._fleet.members[name].identity.machine)) > 1

    def _linked(self, one: str, other: str) -> bool:
        machine = self._fleet.members[other].identity.machine
        return self._unlinked.get((one, machine), 0.0) is None
