"""One whole node without a socket, a file, a clock or a die (docs/protocol/core.md).

    handle(input, now)      something happened; ``now`` never goes back
    effects()               what is to be done about it, in order; drain it after every input
    next_deadline()         when a Tick is wanted at the latest (monotonic seconds)
    directory               whose keys are known: a snapshot for :func:`~roosync_p2p.core.intake.prepare`

One task owns it. The parts know the desk (identity, effects, rows) and each what it needs; who hears of what is decided
here, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from roosync_p2p.clock import Now
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.acceptance import Acceptance
from roosync_p2p.core.admission import Admission
from roosync_p2p.core.attachments import attachments_of
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.certificates import Certificates
from roosync_p2p.core.commit.commit_log import CommitLog
from roosync_p2p.core.commit.support import say_rules
from roosync_p2p.core.delivery import Delivery
from roosync_p2p.core.departures import Departures
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.dialling import Dialling
from roosync_p2p.core.dispatch import about_blobs, about_here, frame_of_link
from roosync_p2p.core.effects import Effect, Stop, Ticket
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.folder.health import FolderAlarm
from roosync_p2p.core.folder.shared_folder import folder_of
from roosync_p2p.core.forks import Forks
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.identity_watch import IdentityWatch
from roosync_p2p.core.link_events import dial_failed, greeting, link_closed, link_opened, replaced
from roosync_p2p.core.links import MINOR, LinkDown, LinkFact, Links, LinkUp
from roosync_p2p.core.lives import Lives, Renewed
from roosync_p2p.core.meshing import PARTED, meshing_of
from roosync_p2p.core.messaging import messaging_of
from roosync_p2p.core.moments import Moments, notice_jump
from roosync_p2p.core.ports import DialFailed, HandshakeRefused, LinkClosed, LinkOpened
from roosync_p2p.core.presence import Presence
from roosync_p2p.core.relaying import Relaying
from roosync_p2p.core.renewals import Renewals
from roosync_p2p.core.requests import Requests
from roosync_p2p.core.revocations import Revocations, known_keys
from roosync_p2p.core.rotations import Rotations
from roosync_p2p.core.rows import Loaded
from roosync_p2p.core.settling import Settling
from roosync_p2p.entries.chains import ChainKey, Chains
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import EnvironmentFault, PeerFault
from roosync_p2p.ids import BootId, MachineId
from roosync_p2p.ledger.rules import RULES, Rules
from roosync_p2p.liveness.detector import Liveness
from roosync_p2p.liveness.profile import Profile
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.trust.directory import Directory
from roosync_p2p.version import __version__

__all__ = ["NodeCore"]

HOUSEKEEPING_S: Final = 0.25  # the parts without a timer of their own are looked at this often while something waits


class NodeCore:
    """One node.

    Args:
        identity: keys and certificates.
        loaded: what the store holds.
        profile: cadence and limits of liveness.
        entropy: freshly seeded.
        now: the moment of the start.
        startup_check: off only to show what happens without it.
        rules: those of the ledger that this program knows.
    """

    def __init__(
        self,
        *,
        identity: NodeIdentity,
        loaded: Loaded,
        profile: Profile,
        entropy: Entropy,
        now: Now,
        startup_check: bool = True,
        rules: Rules = RULES,
    ) -> None:
        self.me = identity.machine
        self.version = __version__
        self.boot = BootId(entropy.bytes(16))
        self._moments = Moments(now)
        self._stopping: str | None = None
        self._ended = False

        self.desk = Desk(identity, known_keys(identity.root, loaded), entropy, rules)
        self.desk.now = now
        self.desk.know_oneself()
        self.revocations = Revocations(self.desk, loaded.records)

        self._chains = Chains()
        for heads in loaded.chains:
            self._chains.load((heads.author, heads.incarnation, heads.chain), heads.floor, heads.ids)
        self.authorship = Authorship(
            self.desk,
            self._chains,
            loaded.meta,
            voted=lambda: self.commit.order.hard,
            applied=lambda: self.commit.reached,
            has_vote=lambda store: self.commit.has_vote(store),  # noqa: PLW0108 - it is made below
            check=startup_check,
        )
        self.links = Links(self.desk, boot=self.boot, silent_after_s=profile.suspect_s)
        self.dialling = Dialling(self.desk, loaded.addresses)
        liveness = Liveness(me=self.me, profile=profile, now=now)
        self.presence = Presence(self.desk, self.links, self.dialling, liveness, boot=self.boot)
        self.forks = Forks(self.desk, self.links, self._chains, loaded.forks, loaded.meta)
        self.exchange = Exchange(
            self.desk, self.links, self._chains, self.forks, hears=self.presence.hears, cut=self.cut, meta=loaded.meta
        )
        self.delivery = Delivery(self.desk, self.links, self.exchange, loaded.records)
        self.attachments = attachments_of(self, loaded)
        self.messaging = messaging_of(self, loaded)
        self.admission = Admission(self.desk, self.authorship, loaded.pending, epoch=lambda: self.commit.order.epoch)
        self._lives = Lives(self.desk, loaded.meta, cut=self.cut)
        self.commit = CommitLog(
            self.desk, self.links, self._chains, self._lives, self.authorship, self.presence, self.exchange, loaded
        )
        self.watch = IdentityWatch(
            self.desk,
            self.links,
            self._chains,
            self.exchange,
            self.presence,
            self.forks,
            self.authorship,
            boot=self.boot,
            vote_of=self.commit.votes.of,
            allows=lambda entry: self.rotations.allows(entry),  # noqa: PLW0108 - it is made below
        )
        self.renewals = Renewals(
            self.desk,
            self.links,
            self._chains,
            self.forks,
            self.authorship,
            loaded.meta,
            alive_elsewhere=self.watch.alive_elsewhere,
            cut=self.cut,
        )
        self.relaying = Relaying(
            self.desk,
            self.links,
            start=lambda: self.authorship.start,
            hears=self.presence.hears,
            source_time_ms=self.presence.clock_of,
        )
        self.meshing = meshing_of(self)
        self.departures = Departures(
            self.desk,
            self.links,
            self.delivery,
            self.authorship,
            self.revocations,
            register=lambda: self.commit.seats.known.register,
            applied=self.presence.applied,
            forget=[part.forget for part in (self.delivery, self.presence, self.dialling, self.relaying)],
            gone=self._gone,
        )
        self.certificates = Certificates(
            self.desk,
            self.links,
            register=lambda: self.commit.seats.known.register,
            doubtful=self.commit.clock.doubtful,
            renewed=lambda: self.links.broadcast(self.hello(replaces=False), after=self.authorship.started),
        )
        self.rotations = Rotations(
            self.desk,
            self.links,
            self.delivery,
            self.authorship,
            self.certificates,
            loaded.records,
            loaded.meta,
            register=lambda: self.commit.seats.known.register,
            epoch=lambda: self.commit.order.epoch,
            changed=self.follow_directory,
            replaced=lambda machine: replaced(self, machine),
        )
        self.links.proofs = lambda of: [*self.revocations.proofs(of), *self.rotations.proofs(of)]
        self.links.own_proofs_after = lambda: self.rotations.told_after
        self.requests = Requests(
            self.desk,
            self.authorship,
            self.messaging,
            self.admission,
            self.renewals,
            self.commit,
            self.departures,
            self.certificates,
            self.rotations,
            admitted=self.follow_directory,
            renewed=self.became_ready,
        )
        self.settling = Settling(self)
        self.acceptance = Acceptance(
            self.desk,
            self.links,
            self.exchange,
            self.authorship,
            self._lives,
            self.messaging,
            self.admission,
            self.watch,
            self.commit,
            self.revocations,
            self.departures,
            self.rotations,
            learned=self.follow_directory,
            settled=self.settling.heard,
        )
        self.folder = folder_of(self, loaded.meta, learned=self.follow_directory)
        self._folder_alarm = FolderAlarm(self)
        self._members_known: tuple[MachineId, ...] = ()
        self.follow_directory()
        for part in (self.authorship, self.departures, self.rotations, self.settling):
            part.begin()

    # --- the three verbs ------------------------------------------------------------------------------------------

    def handle(self, happened: inputs.Input, now: Now) -> None:
        """Takes in one thing that happened. Drain :meth:`effects` afterwards."""
        notice_jump(self, *self._moments.passed(now), now)
        self.desk.now = now
        match happened:
            case inputs.FrameReceived():
                self._frame(happened)
            case inputs.BadFrame(link=link, fault=fault):
                self.links.bad_frame(link, fault)
            case inputs.Persisted(ticket=ticket):
                self._persisted(ticket)
            case inputs.EntriesRead(read=read, entries=entries):
                self.exchange.entries_read(read, entries)
                self.watch.follow_forks()
            case inputs.OrderedRead() | inputs.CommitsRead():
                self.commit.store_read(happened)
            case inputs.BlobsFound() | inputs.BlobAdded() | inputs.BlobRead() | inputs.ChunkKept():
                about_blobs(self, happened)
            case inputs.Request():
                self.requests.take(happened)
            case LinkOpened():
                link_opened(self, happened)
            case LinkClosed():
                link_closed(self, happened)
            case DialFailed():
                dial_failed(self, happened)
            case HandshakeRefused(remote=remote, reason=reason):
                self.desk.count("handshake.refused")
                self.desk.notify("handshake_refused", {"remote": remote, "reason": reason})
            case inputs.AddressesFound(machine=machine, addresses=addresses, source=source):
                self.dialling.learned(machine, addresses, source=source, alive=source == "mdns")
            case inputs.LocalAddresses() | inputs.Health() | inputs.Power() | inputs.FolderOpened():
                about_here(self, happened)
            case inputs.FilesPublished() | inputs.FolderLooked() | inputs.FolderBlobRead():
                about_here(self, happened)
            case inputs.SessionsOpen() | inputs.SealingKey():
                about_here(self, happened)
            case inputs.PersistFailed(fault=fault):
                self.requests.store_failed(fault)
            case inputs.Shutdown(reason=reason):
                self._stop(reason)
        self._tick()  # an inputs.Tick is nothing else

    def effects(self) -> list[Effect]:
        """What is to be done since the last call, in order."""
        return self.desk.drain()

    def next_deadline(self) -> float | None:
        """When a Tick is wanted at the latest, in monotonic seconds."""
        times = [
            part.next_deadline()
            for part in (
                self.presence,
                self.links,
                self.meshing,
                self.dialling,
                self.exchange,
                self.delivery,
                self.messaging,
                self.attachments,
                self.renewals,
                self.certificates,
                self.authorship,
                self.commit,
                self.folder,
            )
        ]
        if self.authorship.phase is Phase.CHECKING:
            times.append(self.desk.now.monotonic_s + HOUSEKEEPING_S)
        self._moments.due_s = min((at for at in times if at is not None), default=None)
        return self._moments.due_s

    @property
    def directory(self) -> Directory:
        """Whose keys are known, immutable."""
        return self.desk.directory

    @property
    def store_fault(self) -> EnvironmentFault | None:
        """Why nothing is being stored; None while all is well."""
        return self.requests.store_fault

    @property
    def last_sync_ms(self) -> int | None:
        """Wall time at which the last entry of somebody else was taken in; None since the start."""
        return self.acceptance.last_ms

    # --- what is known, for answers -----------------------------------------------------------------------------------

    def members(self) -> tuple[MachineId, ...]:
        """All machines of the fleet that are known here."""
        return tuple(self.desk.directory.members)

    def renewed(self) -> list[Renewed]:
        """Machines whose store began a new life lately."""
        return self._lives.renewed(self._chains)

    # --- links ----------------------------------------------------------------------------------------------------

    def hello(self, *, replaces: bool) -> wire.Hello:
        """This node's greeting."""
        return wire.Hello(
            minor=MINOR,
            machine=self.me,
            start=self.authorship.start,
            boot=self.boot,
            leaf=self.desk.identity.leaf,
            issuer=self.desk.identity.issuer,
            version=self.version,
            replaces=replaces,
            store=self.authorship.store if self.authorship.phase is Phase.READY else b"",
        )

    def follow_links(self, facts: Iterable[LinkFact]) -> None:
        """What follows from links that came and went."""
        for fact in facts:
            match fact:
                case LinkUp(machine=machine, again=again):
                    self._link_up(machine, again=again)
                case LinkDown():
                    self._link_down(fact)

    def _link_up(self, machine: MachineId, *, again: bool) -> None:
        self.dialling.linked(machine)
        if again:
            self.exchange.closed(machine)
        else:
            self.desk.notify("link", {"machine": machine, "up": True})
        if self.authorship.to_ask(machine):
            self.links.send(machine, wire.OwnQuery())
        self.presence.opened(machine)
        self.meshing.changed()
        self.forks.opened(machine)
        self.exchange.opened(machine)
        self.delivery.opened(machine)
        self.attachments.opened(machine)
        self.commit.opened()

    def _link_down(self, down: LinkDown) -> None:
        machine = down.machine
        self.desk.notify("link", {"machine": machine, "up": False, "reason": down.reason})
        self.dialling.unlinked(machine, abused=down.abused, lived_s=down.lived_s, parted=PARTED in down.reason)
        self.meshing.closed(machine)
        self.exchange.closed(machine)
        self.delivery.closed(machine)
        self.attachments.closed(machine)
        self.presence.closed(machine)
        self.commit.closed(machine)
        self.presence.act()

    # --- frames ---------------------------------------------------------------------------------------------------

    def _frame(self, received: inputs.FrameReceived) -> None:
        link = self.links.get(received.link)
        if link is None or link.closing:
            return
        self.links.heard(link)
        if isinstance(received.prepared.frame, wire.Hello):
            greeting(self, link, received.prepared.frame)
            return
        try:
            frame_of_link(self, link, received.prepared)
        except PeerFault as fault:
            self.watch.key_conflict(fault)
            self.links.bad_frame(link.id, fault)

    def became_ready(self) -> None:
        """This machine may write from now on."""
        self.commit.begin()
        self.admission.ready()
        say_rules(self.desk, self.authorship, self.commit)
        self.requests.tick()

    # --- time, disk, end --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Everything that is due. Cheap when nothing is."""
        if self.desk.durable < self.authorship.started:
            self.presence.liveness.unheard(self.desk.now)
        if self.authorship.phase is Phase.CHECKING:
            others = [m for m in self.desk.directory.members if m != self.me and self.dialling.wished(m)]
            if self.authorship.tick(others=others, reachable=self.dialling.reachable() | self.folder.to_be_seen):
                self._check_ended()
        self.requests.tick()
        self.links.tick()
        self.meshing.tick()
        self.dialling.tick()
        self.presence.tick(self.exchange.own_heads(self.authorship.incarnation), self.commit.beat_facts())
        self.exchange.tick(self.delivery.digest)
        self.delivery.tick()
        self.attachments.tick()
        self.messaging.tick()
        self.renewals.tick()
        self.certificates.tick()
        self._take_written()
        self.commit.tick()
        self.departures.tick()
        # What that wrote has to be known before its ticket comes back, or others would not hear of it.
        self._take_written()
        self.settling.follow()
        self.folder.tick()
        self._folder_alarm.tick()
        if self._stopping is not None:
            self._end()

    def _take_written(self) -> None:
        for entry, ticket in self.authorship.written():
            self._lives.accepted(entry)
            self.exchange.wrote(entry, ticket)
            self.commit.entry_written(entry, ticket)

    def _check_ended(self) -> None:
        self.presence.begin(self.authorship.start, after=self.authorship.started)
        self.delivery.begin(self.authorship.start, after=self.authorship.started)
        self.links.broadcast(self.hello(replaces=False), after=self.authorship.started)
        if self.authorship.phase is Phase.READY:
            self.became_ready()

    def _persisted(self, ticket: Ticket) -> None:
        self.desk.durable = ticket
        self.requests.stored()
        if self.exchange.persisted(ticket):
            self.delivery.frontier_moved()
            self.folder.grown()
        self.commit.persisted(ticket)

    def _stop(self, reason: str) -> None:
        if self._stopping is None:
            self._stopping = reason
            self.commit.hand_over()

    def _end(self) -> None:
        """Says farewell, once the vote and the lead are with somebody else, or that took too long."""
        if self._ended or self.commit.handing_over:
            return
        self._ended = True
        self.presence.farewell()
        self.folder.farewell()
        self.desk.emit(Stop(reason=self._stopping or ""))

    def follow_directory(self) -> None:
        """Whoever is known is watched."""
        self.watch.follow_keys()
        if self.members() != self._members_known:
            self._members_known = self.members()
            self.presence.liveness.set_members(self._members_known, self.desk.now)
            self.meshing.changed()

    def cut(self, key: ChainKey) -> int | None:
        """From which entry of a chain on nothing counts, by what was said of a key that was revoked or lost."""
        stops = (self.revocations.stop(key), self.rotations.stop(key))
        return min((at for at in stops if at is not None), default=None)

    def _gone(self, machine: MachineId) -> None:
        self.follow_directory()
        self.commit.verdict(machine, State.OFFLINE)  # its vote is taken from it when that is ordered
