"""What this node knows about one other machine, and the candidates for its best evidence.

Times are monotonic seconds. Nothing here decides: :mod:`~roosync_p2p.liveness.judgement` does.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection

from roosync_p2p import limits
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.damping import Damper
from roosync_p2p.liveness.folder import FolderSense
from roosync_p2p.liveness.heartbeat import Heartbeat, Version
from roosync_p2p.liveness.patience import Patience
from roosync_p2p.liveness.profile import Profile
from roosync_p2p.liveness.sent_time import SentTimes
from roosync_p2p.liveness.starts import Starts
from roosync_p2p.liveness.verdicts import Path, State

__all__ = ["Basis", "Conflict", "Report", "Sighting", "Track"]


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """The newest heartbeat that came one way, and when it was made."""

    version: Version
    sent_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a peer last said about its own direct evidence: from when it is (None: it has none), and when it said so."""

    start: int
    sent_s: float | None
    at_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Conflict:
    """Two things under one machine id. Those of starts end with a start above ``ends_above``, others when settled."""

    reason: str
    ends_above: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Basis:
    """One piece of evidence and its limits."""

    path: Path
    via: MachineId | None
    sent_s: float
    suspect_at: float
    offline_at: float


@dataclasses.dataclass(slots=True)
class Track:
    """The facts about one machine."""

    machine: MachineId
    profile: Profile
    known_since_s: float
    sense: FolderSense = dataclasses.field(default_factory=FolderSense)  # of its node, the same for all machines
    starts: Starts = dataclasses.field(default_factory=Starts)
    sent_times: SentTimes = dataclasses.field(default_factory=SentTimes)
    damper: Damper = dataclasses.field(default_factory=Damper)
    newest: Heartbeat | None = None
    # evidence
    direct: Sighting | None = None
    direct_version: Version = (0, -1)  # newest that ever came directly: relayed copies up to it prove nothing more
    relayed: dict[MachineId, Sighting] = dataclasses.field(default_factory=dict)
    in_folder: Sighting | None = None
    linked_sent_s: float = -math.inf  # newest sign of life that came over links, with the time it is good for
    reports: dict[MachineId, Report] = dataclasses.field(default_factory=dict)
    last_sent_s: float | None = None  # newest sign of life, also after its evidence was voided
    # the link
    link_up_s: float | None = None
    link_down_s: float | None = None
    life_s: float = 0.0  # the last frame on the link, or its opening
    redial_asked_s: float | None = None
    refused_s: float | None = None
    refused_boot: bytes = b""
    refuses_alive: bytes = b""  # boot id of a program that refused dials and lived on
    # the course of suspicion
    state: State = State.UNKNOWN
    leaving: bool = False
    conflict: Conflict | None = None
    offline: bool = False  # called offline with proof; stands until contradicted
    lost_told: bool = True  # the present direct evidence was reported lost, or there is none
    lost_by_peer: bool = False
    asked_first_s: float | None = None
    asked_last_s: float | None = None
    awaited: set[MachineId] = dataclasses.field(default_factory=set)  # live peers that did not answer yet
    proved_since_s: float | None = None  # for a machine that is unknown: since when this node is connected again
    due_s: float | None = None  # its timer

    @property
    def linked(self) -> bool:
        """Whether anything of it came over links since this node started."""
        return self.linked_sent_s > -math.inf

    def may_answer(self, at_s: float) -> bool:
        """Whether it can be asked: its link speaks, or was closed so lately that it is about to be opened again."""
        if self.link_up_s is not None:
            return at_s < self.life_s + self.profile.suspect_s
        closed_now = self.link_down_s is not None and at_s < self.link_down_s + limits.REFUSED_ANSWER_S
        return closed_now and self.refused_s is None and not self.leaving

    def relayed_basis(self, patience: Patience) -> Basis | None:
        """The freshest relayed evidence that says more than what came directly and than a refused redial."""
        best: tuple[float, MachineId] | None = None
        for via, sighting in self.relayed.items():
            if sighting.version <= self.direct_version:
                continue
            if self.refused_s is not None and sighting.sent_s <= self.refused_s:
                continue
            if best is None or sighting.sent_s > best[0]:
                best = (sighting.sent_s, via)
        if best is None:
            return None
        limits_s = self.profile.relayed_suspect_s, self.profile.relayed_offline_s
        return self._basis(Path.RELAYED, best[1], best[0], limits_s, patience)

    def direct_basis(self, patience: Patience) -> Basis | None:
        """The direct evidence, however old."""
        if self.direct is None:
            return None
        limits_s = self.profile.suspect_s, self.profile.offline_s
        return self._basis(Path.DIRECT, None, self.direct.sent_s, limits_s, patience)

    def folder_basis(self, patience: Patience) -> Basis | None:
        """The evidence of the shared folder, if it says more than what came over links.

        It must have been made after link evidence had become suspect: who dies has usually just written its file.
        """
        sighting = self.in_folder
        if sighting is None or sighting.version <= self.direct_version or sighting.sent_s <= self.linked_sent_s:
            return None
        if self.refused_s is not None and sighting.sent_s <= self.refused_s:
            return None
        limits_s = self.sense.suspect_s(self.machine), self.sense.offline_s(self.machine)
        return self._basis(Path.FOLDER, None, sighting.sent_s, limits_s, patience)

    def best_basis(self, patience: Patience, at_s: float) -> Basis | None:
        """The evidence that counts now: direct while it is good, else whatever lasts longest; None past all limits."""
        bases = (self.direct_basis(patience), self.relayed_basis(patience), self.folder_basis(patience))
        for basis in bases:
            if basis is not None and at_s < basis.suspect_at:
                return basis
        late = [basis for basis in bases if basis is not None and at_s < basis.offline_at]
        return max(late, key=lambda basis: basis.offline_at, default=None)

    def best_report(self) -> tuple[MachineId, float] | None:
        """The peer that heard the machine directly last, and when that was."""
        heard = [
            (report.sent_s, reporter)
            for reporter, report in self.reports.items()
            if report.sent_s is not None and report.start >= self.starts.start
        ]
        if not heard:
            return None
        sent_s, reporter = max(heard)
        return reporter, sent_s

    def saw_direct(self, sighting: Sighting) -> None:
        """Direct evidence, unless it was on its way when a dial was refused."""
        self.direct_version = sighting.version
        self.linked_sent_s = max(self.linked_sent_s, sighting.sent_s + self.profile.suspect_s)
        self.contradict_refusal(sighting.sent_s)
        if self.refused_s is None:
            self.direct = sighting
            self.lost_told = False
        self._saw(sighting.sent_s)

    def saw_relayed(self, via: MachineId, sighting: Sighting) -> None:
        """Evidence through a member; of too many members the longest silent is forgotten."""
        self.contradict_refusal(sighting.sent_s)
        self.linked_sent_s = max(self.linked_sent_s, sighting.sent_s + self.profile.relayed_suspect_s)
        self.relayed[via] = sighting
        if len(self.relayed) > limits.RELAY_SOURCES_MAX:
            del self.relayed[min(self.relayed, key=lambda member: (self.relayed[member].sent_s, member))]
        self._saw(sighting.sent_s)

    def voided_by(self, reporter: MachineId, linked: Collection[MachineId]) -> list[MachineId]:
        """The relays whose evidence means nothing more now that a peer says that it has none.

        Its own; and beyond a full mesh, where links come and go without a fault, that of relays which are not linked
        any more: they could not say if they lost the machine too.
        """
        meshed = self.profile.relayed_interval_s <= self.profile.interval_s
        return [via for via in self.relayed if via == reporter or not (meshed or via in linked)]

    def saw_in_folder(self, sighting: Sighting) -> None:
        """Evidence through the shared folder."""
        self.contradict_refusal(sighting.sent_s)
        self.in_folder = sighting
        self._saw(sighting.sent_s)

    def older_by(self, seconds: float) -> None:
        """This node's monotonic clock stood still for so long: whatever was seen was seen earlier."""
        if self.direct is not None:
            self.direct = dataclasses.replace(self.direct, sent_s=self.direct.sent_s - seconds)
        if self.in_folder is not None:
            self.in_folder = dataclasses.replace(self.in_folder, sent_s=self.in_folder.sent_s - seconds)
        self.linked_sent_s -= seconds
        for via, sighting in self.relayed.items():
            self.relayed[via] = dataclasses.replace(sighting, sent_s=sighting.sent_s - seconds)
        for reporter, report in self.reports.items():
            if report.sent_s is not None:
                self.reports[reporter] = dataclasses.replace(report, sent_s=report.sent_s - seconds)
        if self.last_sent_s is not None:
            self.last_sent_s -= seconds

    def contradict_refusal(self, sent_s: float) -> None:
        """A program that was called dead by a refused dial and lived on is not believed dead by a refusal again."""
        if self.refused_s is None or sent_s <= self.refused_s:
            return
        if self.refused_boot == self.starts.boot:
            self.refuses_alive = self.refused_boot
        self.refused_s = None

    def _basis(
        self, path: Path, via: MachineId | None, sent_s: float, limits_s: tuple[float, float], patience: Patience
    ) -> Basis:
        """Patience delays a worse verdict. It never lends a better one to what was already past its limit."""
        suspect_at, offline_at = sent_s + limits_s[0], sent_s + limits_s[1]
        if self.state is State.ONLINE:
            suspect_at = patience.crossing(sent_s, limits_s[0])
        if self.state in (State.ONLINE, State.SUSPECT):
            offline_at = patience.crossing(sent_s, limits_s[1])
        return Basis(path=path, via=via, sent_s=sent_s, suspect_at=suspect_at, offline_at=offline_at)

    def _saw(self, sent_s: float) -> None:
        self.last_sent_s = sent_s if self.last_sent_s is None else max(self.last_sent_s, sent_s)
