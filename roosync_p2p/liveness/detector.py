"""Who is alive, and why this node believes so (docs/protocol/liveness.md).

Feed facts as they come, ``tick`` at ``next_deadline``, then drain ``questions`` and ``changes``; ask for a ``verdict``
at any time. Nothing here reads a clock: ``now`` never goes back between calls. Heartbeats come validated, their
signatures checked; who may speak for whom was checked before. Each other machine costs one :class:`Track`, and a tick
looks only at those whose timers have come.

Only heartbeats are evidence that a machine lives. Other frames on its link show that this node is connected.
"""

from __future__ import annotations

from collections.abc import Collection

from roosync_p2p.clock import Now
from roosync_p2p.ids import BootId, MachineId
from roosync_p2p.liveness import judgement
from roosync_p2p.liveness.agenda import Agenda
from roosync_p2p.liveness.facts import Facts, facts_of
from roosync_p2p.liveness.folder import FolderSense
from roosync_p2p.liveness.folder_way import FolderWay
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.liveness.judgement import Surroundings
from roosync_p2p.liveness.own import OwnIdentity
from roosync_p2p.liveness.patience import Patience
from roosync_p2p.liveness.profile import Profile
from roosync_p2p.liveness.proof import Proof
from roosync_p2p.liveness.reception import receive
from roosync_p2p.liveness.sent_time import median_offset_s
from roosync_p2p.liveness.track import Conflict, Report, Track
from roosync_p2p.liveness.verdicts import (
    AskHears,
    Change,
    Evidence,
    Heard,
    Path,
    Question,
    Reason,
    Redial,
    RedialOutcome,
    State,
    TellLost,
    Verdict,
)

__all__ = ["Liveness"]


class Liveness:
    """The view of one node on all machines of its fleet.

    Args:
        me: this machine; it is never judged from outside, only found in conflict.
        profile: cadence and limits as the user chose them; they are adapted to the size of the fleet.
        now: when the node started.
    """

    def __init__(self, *, me: MachineId, profile: Profile, now: Now) -> None:
        self._me = me
        self._chosen_profile = profile
        self._profile = profile
        self._tracks: dict[MachineId, Track] = {}
        self._links: set[MachineId] = set()
        self._unproved: set[MachineId] = set()  # would be offline if this node were proved to be connected
        self._agenda = Agenda()
        self._patience = Patience()
        self._proof = Proof()
        self._sense = FolderSense()
        self.folder = FolderWay(self._sense, self._tracks, look=self._look, own_offset_s=self._own_offset_s)
        self._own = OwnIdentity(me)
        self._questions: dict[Question, None] = {}  # in the order of asking, each once
        self._changes: list[Change] = []
        self._offset_s = 0.0
        self._offset_until_s = now.monotonic_s

    # --- facts ----------------------------------------------------------------------------------------------------

    def started(self, *, start: int, boot: BootId, now: Now) -> None:
        """This node's own start number and boot id, so that another program under its id is found."""
        self._own.started(start=start, boot=boot, now=now)

    def set_members(self, machines: Collection[MachineId], now: Now) -> None:
        """The machines to watch from now on; of new ones nothing is known, gone ones are forgotten."""
        wanted = set(machines) - {self._me}
        for machine in sorted(self._tracks.keys() - wanted):
            self._forget(machine)
        self._profile = self._chosen_profile.for_members(len(wanted) + 1)
        for machine in sorted(wanted - self._tracks.keys()):
            track = Track(machine=machine, profile=self._profile, known_since_s=now.monotonic_s, sense=self._sense)
            self._tracks[machine] = track
        for track in self._tracks.values():
            self._adapt(track)
            self._look(track, now.monotonic_s)

    def heard(
        self, heartbeat: Heartbeat, *, path: Path, via: MachineId | None = None, age_s: float = 0.0, now: Now
    ) -> Heard:
        """A heartbeat came.

        Args:
            heartbeat: validated, its signature checked.
            path: ``DIRECT`` over an authenticated link to its own machine, else ``RELAYED``.
            via: the member that relayed it.
            age_s: how old it was when it was passed on, as the relay says; 0 for a direct one.
            now: the time of receipt.
        """
        assert (path, via is None) in ((Path.DIRECT, True), (Path.RELAYED, False)), (path, via)
        if heartbeat.machine == self._me:
            heard, change = self._own.heard(heartbeat, direct=path is Path.DIRECT, now=now)
            self._changes += [change] if change is not None else []
            return heard
        track = self._tracks.get(MachineId(heartbeat.machine))
        if track is None or (via is not None and via not in self._tracks):
            return Heard.FOREIGN
        own_offset_s = 0.0 if via is None else self._own_offset_s(now)
        if via is not None and not track.sent_times.measured(heartbeat.boot):
            age_s += self._on_its_way_s(via, now)  # its signed time tells nothing yet
        elif via is None and track.link_up_s is not None and not track.sent_times.measured(heartbeat.boot):
            age_s = min(self._patience.waited_s(now.monotonic_s), now.monotonic_s - track.link_up_s)
        heard = receive(track, heartbeat, via=via, age_s=age_s, own_offset_s=own_offset_s, now=now)
        self._adapt(track)
        if via is None and track.direct is not None and heard in (Heard.NEW, Heard.DUPLICATE):
            self._connected(track.direct.sent_s, now.monotonic_s)
        self._look(track, now.monotonic_s)
        return heard

    def link_up(self, machine: MachineId, now: Now, *, opened_s: float | None = None) -> None:
        """A link to the machine is usable, both ends greeted, and none stood before.

        ``opened_s``: when its connection opened (monotonic seconds), if that was earlier: what comes over it may be as
        old as that.
        """
        track = self._tracks.get(machine)
        if track is None:
            return
        self._links.add(machine)
        track.life_s = now.monotonic_s
        track.link_up_s = now.monotonic_s if opened_s is None else opened_s
        track.redial_asked_s = None
        track.contradict_refusal(track.link_up_s)
        self._connected(now.monotonic_s, now.monotonic_s)
        self._look(track, now.monotonic_s)

    def link_down(self, machine: MachineId, now: Now) -> None:
        """The last link to the machine closed."""
        track = self._tracks.get(machine)
        if track is None or track.link_up_s is None:
            return
        self._links.discard(machine)
        track.link_up_s = None
        track.link_down_s = now.monotonic_s
        track.redial_asked_s = None
        if not track.leaving:
            self._questions[Redial(machine=machine)] = None
        self._look(track, now.monotonic_s)

    def traffic(self, machine: MachineId, now: Now) -> None:
        """Any authenticated frame of a direct link: shows that the link is not silent and this node is connected."""
        track = self._tracks.get(machine)
        if track is None or track.link_up_s is None:
            return
        track.life_s = now.monotonic_s
        self._connected(now.monotonic_s, now.monotonic_s)

    def redialled(self, machine: MachineId, outcome: RedialOutcome, now: Now) -> None:
        """A dial of the machine ended, asked for or not. The caller sums its addresses up to one outcome.

        ``REFUSED`` only for an address that the machine announces or was met at; at a stale one somebody else refuses.
        """
        track = self._tracks.get(machine)
        if track is None:
            return
        at_s = now.monotonic_s
        stood = self._proof.stands(self._profile, at_s)
        self._proof.redialled(machine, outcome, at_s)
        if outcome is RedialOutcome.OPENED:
            track.life_s = at_s  # it shook hands: it must not be called offline by this very proof
        if outcome is RedialOutcome.REFUSED:
            self._refused(track, at_s)
        if outcome is RedialOutcome.UNANSWERED:
            self._check_cut_off(at_s)
            for doubted in [track for track in self._tracks.values() if track.proved_since_s is not None]:
                self._look(doubted, at_s)
        if not stood or outcome is RedialOutcome.REFUSED:
            self._look_at_unproved(at_s)
        self._look(track, at_s)

    def lost(self, *, reporter: MachineId, machine: MachineId, start: int, now: Now) -> None:
        """A peer's direct evidence of that start is gone, so what it relayed is void."""
        self._report(reporter, machine, Report(start=start, sent_s=None, at_s=now.monotonic_s), now)

    def hears(self, *, reporter: MachineId, machine: MachineId, start: int, age_s: float | None, now: Now) -> None:
        """A peer's direct evidence is of that age; None: asked, it has none (``start`` is then of no meaning)."""
        track = self._tracks.get(machine)
        if age_s is None and track is not None:
            start = track.starts.start
        sent_s = None if age_s is None else now.monotonic_s - max(age_s, 0.0) - self._on_its_way_s(reporter, now)
        self._report(reporter, machine, Report(start=start, sent_s=sent_s, at_s=now.monotonic_s), now)

    def loop_lag(self, lag_s: float, now: Now) -> None:
        """This node was late by that much. Call it before the input that came late, and before ``tick``."""
        self._patience.stood_still(lag_s, at_s=now.monotonic_s)
        if lag_s >= self._profile.suspect_s:
            self._restart(now.monotonic_s)
        else:
            self._patience.lagged(lag_s, at_s=now.monotonic_s, for_s=self._profile.offline_s)

    def unheard(self, now: Now) -> None:
        """This node could not greet anybody yet, so nobody sends it anything: no limit passes meanwhile."""
        self._patience.restart(now.monotonic_s)

    def resumed(self, now: Now, *, slept_s: float = 0.0) -> None:
        """The clocks jumped against each other: this computer slept. Call it before any other input.

        ``slept_s``: by how much the wall clock went on while the monotonic one stood still. All evidence is older by
        that; if the clock was only set, the next heartbeat corrects it.
        """
        self._proof.forget()
        self._sense.older_by(slept_s)
        self._offset_until_s = now.monotonic_s
        for track in self._tracks.values():
            track.older_by(slept_s)
            track.sent_times.forget(slept_s=slept_s)
        for machine in sorted(self._links):
            self._tracks[machine].redial_asked_s = now.monotonic_s
            self._questions[Redial(machine=machine)] = None
        self._restart(now.monotonic_s)

    def identity_conflict(self, machine: MachineId, reason: str, now: Now) -> None:
        """Two things use one machine id (a fork, two keys). Shown until :meth:`settled`."""
        conflict = Conflict(reason=reason, ends_above=None)
        if machine == self._me:
            change = self._own.contradicted(conflict)
            self._changes += [change] if change is not None else []
        elif (track := self._tracks.get(machine)) is not None:
            track.conflict = conflict
            self._look(track, now.monotonic_s)

    def settled(self, machine: MachineId, now: Now) -> None:
        """A person settled the conflict of that machine."""
        if machine == self._me:
            change = self._own.settled()
            self._changes += [change] if change is not None else []
        elif (track := self._tracks.get(machine)) is not None:
            track.conflict = None
            self._look(track, now.monotonic_s)

    # --- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When ``tick`` is wanted at the latest, in monotonic seconds; None while nothing can change by itself."""
        return self._agenda.next_due()

    def tick(self, now: Now) -> None:
        """Time passed. Early and late calls are harmless."""
        for track in self._agenda.due(now.monotonic_s):
            self._look(track, now.monotonic_s)

    # --- results --------------------------------------------------------------------------------------------------

    def questions(self) -> list[Question]:
        """What the core is to do now; each is given out once."""
        questions, self._questions = list(self._questions), {}
        return questions

    def changes(self) -> list[Change]:
        """The changes of state since the last call, each told once, flapping held back."""
        changes, self._changes = self._changes, []
        return changes

    def verdict(self, machine: MachineId, now: Now) -> Verdict:
        """What this node concludes about a machine now."""
        if machine == self._me:
            return self._own.verdict()
        track = self._tracks.get(machine)
        if track is None:
            return Verdict(
                machine=machine, state=State.UNKNOWN, evidence=Evidence(path=Path.NONE), reason=Reason.NOT_A_MEMBER
            )
        return judgement.judge(track, self._around, now.monotonic_s)

    def facts(self, machine: MachineId, now: Now) -> Facts | None:
        """All that is known of a machine's life, for people who ask why; None of this one and of strangers."""
        return None if (track := self._tracks.get(machine)) is None else facts_of(track, self._around, now.monotonic_s)

    def newest(self, machine: MachineId) -> Heartbeat | None:
        """The newest heartbeat of a machine by (start, counter), whatever it proves."""
        track = self._tracks.get(machine)
        return None if track is None else track.newest

    def direct_evidence(self, machine: MachineId, now: Now) -> tuple[int, float] | None:
        """(start number, age in seconds) of this node's own evidence within its limit: the answer to a peer's question.

        The age is also what this node adds when it relays the machine's newest heartbeat.
        """
        track = self._tracks.get(machine)
        basis = None if track is None else track.direct_basis(self._patience)
        if track is None or basis is None or now.monotonic_s >= basis.sent_s + track.profile.offline_s:
            return None
        return track.direct_version[0], max(now.monotonic_s - basis.sent_s, 0.0)

    def clock_offset_ms(self, now: Now) -> int | None:
        """How far this node's wall clock is ahead of the fleet's; None while no peer's was measured."""
        offsets_s = self._measured_offsets_s()
        return round(median_offset_s(offsets_s, now) * 1000) if offsets_s else None

    @property
    def profile(self) -> Profile:
        """Cadence and limits in force for a fleet of this size."""
        return self._profile

    @property
    def machines(self) -> list[MachineId]:
        """All watched machines, sorted; without this one."""
        return sorted(self._tracks)

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def _around(self) -> Surroundings:
        return Surroundings(patience=self._patience, proof=self._proof, profile=self._profile, folder=self._sense)

    def _restart(self, at_s: float) -> None:
        """All ages count from now, and whom only peers heard is asked for anew."""
        self._patience.restart(at_s)
        for track in self._tracks.values():
            track.asked_first_s = None
            self._look(track, at_s)

    def _adapt(self, track: Track) -> None:
        announced_s = 0.0 if track.newest is None else track.newest.interval_ms / 1000
        track.profile = self._profile.for_interval(announced_s)

    def _forget(self, machine: MachineId) -> None:
        self._agenda.drop(self._tracks.pop(machine))
        self._links.discard(machine)
        self._unproved.discard(machine)
        self._proof.forget_machine(machine)
        self._sense.forget(machine)
        for track in self._tracks.values():
            track.relayed.pop(machine, None)
            track.reports.pop(machine, None)
            track.awaited.discard(machine)

    def _measured_offsets_s(self) -> list[float]:
        offsets_s = (self._tracks[machine].sent_times.offset_s for machine in self._links)
        return [offset_s for offset_s in offsets_s if offset_s is not None]

    def _own_offset_s(self, now: Now) -> float:
        if now.monotonic_s >= self._offset_until_s:  # a median over all links for each relayed heartbeat is too much
            self._offset_s = median_offset_s(self._measured_offsets_s(), now)
            self._offset_until_s = now.monotonic_s + self._profile.interval_s
        return self._offset_s

    def _refused(self, track: Track, at_s: float) -> None:
        direct = track.direct_basis(self._patience)
        if track.link_up_s is not None:
            # Either proves that it lives and refuses: a firewall, not a death.
            heard = direct is not None and at_s < direct.suspect_at
            greeted = at_s - track.link_up_s < self._profile.suspect_s
            if heard or greeted:
                track.refuses_alive = track.starts.boot
        if track.refuses_alive == track.starts.boot and track.starts.start:
            return
        if track.refused_s is None:
            track.asked_first_s = None
        track.refused_s = at_s
        track.refused_boot = track.starts.boot
        track.direct = None
        for other in self._tracks.values():
            other.awaited.discard(track.machine)

    def _on_its_way_s(self, peer: MachineId, now: Now) -> float:
        """How old a frame may be that a peer sent without a time in it: after its newest heartbeat, and on its link.

        A link that stalled delivers what was said minutes ago as if it were said now.
        """
        track = self._tracks.get(peer)
        if track is None or track.link_up_s is None:
            return 0.0
        since_s = track.link_up_s if track.direct is None else max(track.direct.sent_s, track.link_up_s)
        return max(now.monotonic_s - since_s, 0.0)

    def _report(self, reporter: MachineId, machine: MachineId, report: Report, now: Now) -> None:
        track = self._tracks.get(machine)
        if track is None or reporter not in self._tracks or reporter == machine:
            return
        if report.start < track.starts.start:
            return
        track.reports[reporter] = report
        track.awaited.discard(reporter)
        voided = track.voided_by(reporter, self._links) if report.sent_s is None else ()
        if voided:
            had_basis = track.best_basis(self._patience, now.monotonic_s) is not None
            for via in voided:
                del track.relayed[via]
            if had_basis and track.best_basis(self._patience, now.monotonic_s) is None:
                track.lost_by_peer = True
                track.asked_first_s = None
        if report.sent_s is None or track.state is not State.ONLINE:  # else it says what is known, a hundred times
            self._look(track, now.monotonic_s)

    def _connected(self, live_s: float, at_s: float) -> None:
        stood = self._proof.stands(self._profile, at_s)
        self._proof.live(live_s)
        if not stood:
            self._look_at_unproved(at_s)

    def _look_at_unproved(self, at_s: float) -> None:
        if not self._unproved or not self._proof.stands(self._profile, at_s):
            return
        for machine in sorted(self._unproved):
            self._look(self._tracks[machine], at_s)

    def _check_cut_off(self, at_s: float) -> None:
        """Cut off from everybody, this node knows nothing: what it once proved says nothing about now."""
        if at_s < self._proof.cut_off_at(self._profile):
            return
        doubted = [track for track in self._tracks.values() if track.offline or track.proved_since_s is not None]
        for track in doubted:
            track.offline = False
            track.proved_since_s = None
            track.refused_s = None
        for track in doubted:
            self._look(track, at_s)

    def _look(self, track: Track, at_s: float) -> None:
        """Brings one machine up to date: questions, verdict, notification, timer."""
        self._raise_questions(track, at_s)
        verdict = judgement.judge(track, self._around, at_s)
        lapsed = judgement.expired(track, self._around, at_s)
        if lapsed and verdict.state is State.UNKNOWN:
            self._follow_unknown(track, at_s)
            verdict = judgement.judge(track, self._around, at_s)
        before, track.state = track.state, verdict.state
        track.offline = verdict.state is State.OFFLINE
        if verdict.state is not State.UNKNOWN:
            track.proved_since_s = None
        waits = lapsed and verdict.state in (State.SUSPECT, State.UNKNOWN) and track.proved_since_s is None
        (self._unproved.add if waits else self._unproved.discard)(track.machine)
        self._ask_again(track, at_s)
        self._tell(track, before, verdict, at_s)
        self._agenda.set(track, judgement.next_limit(track, self._around, at_s))
        if verdict.state is State.UNKNOWN and before is not State.UNKNOWN:
            self._check_cut_off(at_s)

    def _raise_questions(self, track: Track, at_s: float) -> None:
        machine = track.machine
        redial_at = judgement.redial_at(track, self._patience)
        if redial_at is not None and at_s >= redial_at:
            track.redial_asked_s = at_s
            self._questions[Redial(machine=machine)] = None
        lost_at = judgement.lost_at(track, self._patience)
        if lost_at is not None and at_s >= lost_at:
            track.lost_told = True
            self._questions[TellLost(machine=machine, start=track.direct_version[0])] = None
        if track.leaving or track.conflict is not None:
            return
        if at_s < judgement.ask_first_at(track, self._patience):
            if track.last_sent_s is not None:  # good evidence ends the questions
                track.asked_first_s = track.asked_last_s = None
                track.reports.clear()
        elif track.asked_first_s is None:
            self._ask_peers(track, at_s)

    def _ask_peers(self, track: Track, at_s: float) -> None:
        """Asks all, and waits for those that are there and did not say already that they lost it."""
        gone = {reporter for reporter, report in track.reports.items() if report.sent_s is None}
        there = {machine for machine, other in self._tracks.items() if other.may_answer(at_s)}
        track.awaited = there - gone - {track.machine}
        track.asked_first_s = track.asked_last_s = at_s
        self._questions[AskHears(machine=track.machine)] = None

    def _ask_again(self, track: Track, at_s: float) -> None:
        again_at = judgement.ask_again_at(track)
        if track.state is State.SUSPECT and again_at is not None and at_s >= again_at:
            track.asked_last_s = at_s
            self._questions[AskHears(machine=track.machine)] = None

    def _follow_unknown(self, track: Track, at_s: float) -> None:
        """An unknown machine gets one whole limit to show itself once this node is connected."""
        if track.proved_since_s is not None:
            if at_s >= self._proof.cut_off_at(self._profile):
                track.proved_since_s = None
            return
        if not self._proof.stands(self._profile, at_s):
            return
        track.proved_since_s = at_s
        if at_s >= judgement.ask_first_at(track, self._patience):  # whoever was asked before may not have been reached
            self._ask_peers(track, at_s)
            self._questions[Redial(machine=track.machine)] = None

    def _tell(self, track: Track, before: State, verdict: Verdict, at_s: float) -> None:
        told = track.damper.told
        if before is not verdict.state:
            tell = track.damper.changed(verdict.state, at_s)
        else:
            tell = track.damper.released(verdict.state, at_s)
        if tell:
            self._changes.append(Change(before=told, after=verdict, comebacks=track.damper.comebacks(at_s)))
