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

from roosync_p2p import limits
from roosync_p2p.clock import Now, rfc3339
from roosync_p2p.core import inputs, wire
from roosync_p2p.core.admission import Admission
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.commands import AddInvite, AdmitMachine, Command, MarkRead, OfferCountersignature, SendMessage
from roosync_p2p.core.delivery import Delivery
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.dialling import Dialling
from roosync_p2p.core.effects import Answer, Effect, Stop, Ticket
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.forks import Forks
from roosync_p2p.core.identity import NodeIdentity
from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.links import MINOR, Link, LinkDown, LinkFact, Links, LinkUp
from roosync_p2p.core.lives import Lives, Renewed
from roosync_p2p.core.messaging import Messaging
from roosync_p2p.core.ports import DialFailed, HandshakeRefused, LinkClosed, LinkOpened
from roosync_p2p.core.presence import Presence, read_heartbeat
from roosync_p2p.core.relaying import Relaying
from roosync_p2p.core.renewals import Renewals
from roosync_p2p.core.rows import Loaded
from roosync_p2p.entries.chains import Chains
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.entropy import Entropy
from roosync_p2p.errors import ConflictError, EnvironmentFault, MalformedError, PeerFault, RoosyncError
from roosync_p2p.ids import BootId, Chain, MachineId
from roosync_p2p.liveness.detector import Liveness
from roosync_p2p.liveness.profile import Profile
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.trust.directory import Directory
from roosync_p2p.trust.envelopes import Verified
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
    ) -> None:
        self.me = identity.machine
        self.version = __version__
        self.boot = BootId(entropy.bytes(16))
        self.store_fault: EnvironmentFault | None = None
        self.last_sync_ms: int | None = None
        self._last = now
        self._stopping: str | None = None
        self._requests: list[inputs.Request] = []  # those that wait for the start-up check

        directory = Directory.found(identity.root)
        for member in loaded.members:
            directory = directory.with_chain(member.leaf, member.issuer)
        self.desk = Desk(identity, directory, entropy)
        self.desk.now = now
        self.desk.learn(identity.leaf, identity.issuer)

        self._chains = Chains()
        for heads in loaded.chains:
            self._chains.load((heads.author, heads.incarnation, heads.chain), heads.floor, heads.ids)
        self.authorship = Authorship(self.desk, self._chains, loaded.meta, check=startup_check)
        self.links = Links(self.desk, boot=self.boot, silent_after_s=profile.suspect_s)
        self.dialling = Dialling(self.desk, loaded.addresses)
        liveness = Liveness(me=self.me, profile=profile, now=now)
        self.presence = Presence(self.desk, self.links, self.dialling, liveness, boot=self.boot)
        self.forks = Forks(self.desk, self.links, loaded.forks)
        self.exchange = Exchange(self.desk, self.links, self._chains, self.forks, hears=self.presence.hears)
        self.delivery = Delivery(self.desk, self.links, self.exchange, loaded.records)
        self.messaging = Messaging(self.desk, self.authorship, loaded.meta.get("receipts"))
        self.admission = Admission(self.desk, self.authorship, loaded.pending)
        self.renewals = Renewals(
            self.desk,
            self.links,
            self._chains,
            self.forks,
            self.authorship,
            loaded.meta,
            alive_elsewhere=self._alive_elsewhere,
        )
        self._relaying = Relaying(
            self.desk,
            self.links,
            start=lambda: self.authorship.start,
            hears=self.presence.hears,
            source_time_ms=self.presence.clock_of,
        )
        self._lives = Lives(self.desk, loaded.meta)
        self._members_known = 0
        self._follow_directory()
        for author in self.forks.authors():
            self._in_conflict(author, "forked")
        self.authorship.begin()

    # --- the three verbs ------------------------------------------------------------------------------------------

    def handle(self, happened: inputs.Input, now: Now) -> None:
        """Takes in one thing that happened. Drain :meth:`effects` afterwards."""
        self._notice_jump(now)
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
            case inputs.Request():
                self._request(happened)
            case LinkOpened():
                self._link_opened(happened)
            case LinkClosed():
                self._link_closed(happened)
            case DialFailed():
                redialled = self.dialling.failed(happened)
                if redialled is not None:
                    self.presence.redialled(redialled)
            case HandshakeRefused(remote=remote, reason=reason):
                self.desk.count("handshake.refused")
                self.desk.notify("handshake_refused", {"remote": remote, "reason": reason})
            case inputs.AddressesFound(machine=machine, addresses=addresses, source=source):
                self.dialling.learned(machine, addresses, alive=source == "mdns")
            case inputs.LocalAddresses(addresses=addresses):
                self.presence.set_addresses(addresses)
            case inputs.Health(loop_lag_s=loop_lag_s, disk_lag_s=disk_lag_s):
                self.presence.set_health(loop_lag_s, disk_lag_s)
            case inputs.PersistFailed(fault=fault):
                self._store_failed(fault)
            case inputs.Shutdown(reason=reason):
                self._stop(reason)
            case inputs.Tick():
                pass
        self._tick()

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
                self.dialling,
                self.exchange,
                self.delivery,
                self.messaging,
                self.renewals,
                self.authorship,
            )
        ]
        if self.authorship.phase is Phase.CHECKING:
            times.append(self.desk.now.monotonic_s + HOUSEKEEPING_S)
        return min((at for at in times if at is not None), default=None)

    @property
    def directory(self) -> Directory:
        """Whose keys are known, immutable."""
        return self.desk.directory

    # --- what is known, for answers -----------------------------------------------------------------------------------

    def members(self) -> tuple[MachineId, ...]:
        """All machines of the fleet that are known here."""
        return tuple(self.desk.directory.members)

    def roles(self, machine: MachineId) -> tuple[str, ...]:
        """What the certificates say; the register in the commit log will say more."""
        issuers = {issuer.machine for issuer in self.desk.directory.issuers.values()}
        return ("member", "issuer") if machine in issuers else ("member",)

    def renewed(self) -> list[Renewed]:
        """Machines whose store began a new life lately."""
        return self._lives.renewed(self._chains)

    # --- links ----------------------------------------------------------------------------------------------------

    def _hello(self, *, replaces: bool) -> wire.Hello:
        return wire.Hello(
            minor=MINOR,
            machine=self.me,
            start=self.authorship.start,
            boot=self.boot,
            leaf=self.desk.identity.leaf,
            issuer=self.desk.identity.issuer,
            version=self.version,
            replaces=replaces,
        )

    def _link_opened(self, event: LinkOpened) -> None:
        replaces = self.dialling.replacing(event.dial)
        hello = self._hello(replaces=replaces)
        try:
            self.links.opened(event, hello, after=self.authorship.started, replaces=replaces)
        except PeerFault as fault:
            self.desk.fault(fault)
            self.dialling.useless(event.dial)
            self._key_conflict(fault)
            return
        link = self.links.get(event.link)
        assert link is not None
        if link.machine == self.me:
            self.dialling.useless(event.dial)
        else:
            self.dialling.opened(event.dial, link.machine)
            if event.dial is not None:
                self.presence.answered(link.machine)
        if link.machine != self.me and self.dialling.held_off(link.machine) and event.dial is None:
            self.links.close(link, "too many bad frames a moment ago; try again later")

    def _link_closed(self, event: LinkClosed) -> None:
        link = self.links.get(event.link)
        self._facts(self.links.closed(event))
        unused = link is not None and link.hello is None
        if link is not None and unused and link.machine != self.me and self.links.primary(link.machine) is None:
            self.dialling.unlinked(link.machine, abused=False, lived_s=0.0)

    def _facts(self, facts: Iterable[LinkFact]) -> None:
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
        self.forks.opened(machine)
        self.exchange.opened(machine)
        self.delivery.opened(machine)

    def _link_down(self, down: LinkDown) -> None:
        machine = down.machine
        self.desk.notify("link", {"machine": machine, "up": False, "reason": down.reason})
        self.dialling.unlinked(machine, abused=down.abused, lived_s=down.lived_s)
        self.exchange.closed(machine)
        self.presence.closed(machine)
        self.presence.act()

    # --- frames ---------------------------------------------------------------------------------------------------

    def _frame(self, received: inputs.FrameReceived) -> None:
        link = self.links.get(received.link)
        if link is None or link.closing:
            return
        self.links.heard(link)
        if isinstance(received.prepared.frame, wire.Hello):
            self._greeting(link, received.prepared.frame)
            return
        try:
            self._dispatch(link, received.prepared)
        except PeerFault as fault:
            self._key_conflict(fault)
            self.links.bad_frame(link.id, fault)

    def _greeting(self, link: Link, hello: wire.Hello) -> None:
        try:
            self._facts(self.links.greeted(link, hello))
        except PeerFault as fault:
            self.desk.fault(fault)
            self._key_conflict(fault)
            if fault.code == "own_identity":
                self._own_identity_elsewhere(f"another node runs under this machine's identity at {link.remote}")
            return
        self._follow_directory()
        self._older_start(link)

    def _dispatch(self, link: Link, prepared: Prepared) -> None:
        frame = prepared.frame
        if link.hello is None:
            raise MalformedError("a frame came before the greeting", code="no_greeting")
        if self._is_primary(link):
            self.presence.liveness.traffic(link.machine, self.desk.now)
        if isinstance(frame, wire.Relay):
            assert prepared.relay is not None
            if self._relaying.received(link, frame, prepared.relay):
                self._relayed(link, MachineId(prepared.relay.source), prepared)
            return
        if isinstance(frame, wire.Beat):
            self._beat(link, frame, prepared)
            return
        self._dispatch_from(link.machine, prepared)

    def _relayed(self, link: Link, source: MachineId, prepared: Prepared) -> None:
        """What is wrong inside a relayed frame is its source's fault, not that of the peer that passed it on."""
        try:
            if prepared.inner is None:
                fault = prepared.parts[1]
                assert isinstance(fault, PeerFault)
                raise fault
            self._dispatch_from(source, prepared.inner)
        except PeerFault as fault:
            if link.machine == source:
                raise
            self._key_conflict(fault)
            self.desk.fault(fault)

    def _dispatch_from(self, peer: MachineId, prepared: Prepared) -> None:
        match prepared.frame:
            case wire.EntriesFrame():
                self._entries(peer, prepared)
            case wire.Have(spans=spans):
                self.exchange.offered(peer, spans)
            case wire.Want() as want:
                self.exchange.wanted(peer, want)
            case wire.Digest(frontier=frontier, records=records):
                self.exchange.digest_received(peer, frontier)
                self.delivery.digest_received(peer, records)
            case wire.FrontierFrame() as frame:
                self.exchange.frontier_received(peer, frame)
            case wire.RecordFrame() as frame:
                self.delivery.received(peer, frame, _first(prepared))
            case wire.Versions() as frame:
                self.delivery.versions_received(peer, frame)
            case wire.Hears() as frame:
                self.presence.hears_received(peer, frame)
            case wire.AskHears() as frame:
                self.presence.asked(peer, frame)
            case wire.Lost() as frame:
                self.presence.lost_received(peer, frame)
            case wire.Fork():
                self._fork_evidence(prepared)
            case wire.OwnQuery():
                self._own_query(peer)
            case wire.OwnAnswer():
                self._own_answer(peer, prepared)
            case wire.RenewalRequest() as frame:
                self.renewals.requested(peer, frame)
            case wire.Countersigned() as frame:
                if self.renewals.answered(frame):
                    self._became_ready()
            case _:
                self.desk.count("frames.unknown")
        self.presence.act()

    def _is_primary(self, link: Link) -> bool:
        return self.links.primary(link.machine) is link

    def _older_start(self, link: Link) -> None:
        """A link of an older start than the one in use is shown the newer start's heartbeat: it proves the newer."""
        if link.hello is None or link.shadow_until is None:
            return
        beat = self.presence.latest(link.machine)
        if beat is not None and beat.heartbeat.start > link.start:
            frame = wire.Beat(envelope=beat.envelope, relayed=True)
            self.links.send_on(link.id, wire.encode_frame(frame), after=Ticket(0), droppable=False)

    def _beat(self, link: Link, frame: wire.Beat, prepared: Prepared) -> None:
        heartbeat = self.presence.beat_received(link, frame, _first(prepared))
        if heartbeat.machine == self.me and self.presence.beating:
            if self.presence.liveness.verdict(self.me, self.desk.now).state is State.CONFLICT:
                self._own_identity_elsewhere("another node runs under this machine's identity")
        elif heartbeat.machine == self.me and heartbeat.boot != self.boot:
            self.authorship.start_shown(heartbeat.start)
        elif not frame.relayed:
            self._tell_twins(link, frame)
        self.presence.act()

    def _tell_twins(self, link: Link, frame: wire.Beat) -> None:
        """Two runs of one machine are linked here: each is shown the other's heartbeat, which proves it to them."""
        for other in self.links.others_of(link):
            shown = wire.Beat(envelope=frame.envelope, relayed=True)
            self.links.send_on(other.id, wire.encode_frame(shown), after=Ticket(0), droppable=True)

    def _entries(self, peer: MachineId, prepared: Prepared) -> None:
        for leaf, issuer in prepared.certificates:
            self.desk.learn(leaf, issuer)
        self._follow_directory()
        entries: list[Entry] = []
        for part in prepared.parts:
            if isinstance(part, PeerFault):
                self._bad_part(peer, part)
            elif isinstance(part, Entry) and self._may_author(part):
                entries.append(part)
        for entry in self.exchange.received(peer, entries):
            self._accepted(entry)
        self._follow_forks()

    def _bad_part(self, peer: MachineId, fault: PeerFault) -> None:
        self._key_conflict(fault)
        link = self.links.primary(peer)
        if link is not None:
            self.links.bad_frame(link.id, fault)
        else:
            self.desk.fault(fault)

    def _may_author(self, entry: Entry) -> bool:
        if entry.author == self.me:
            return self.authorship.surfaced(entry)
        return entry.author in self.desk.directory.members

    def _accepted(self, entry: Entry) -> None:
        self.last_sync_ms = self.desk.now.wall_ms
        self._lives.accepted(entry)
        if self._lives.stranded(entry):
            self.desk.count("entries.stranded")
        elif entry.chain == MAIL:
            self.messaging.accepted(entry)
        elif entry.chain == LEDGER:
            conflicting = self.admission.accepted(entry)
            if conflicting is not None:
                self._in_conflict(conflicting, "key_conflict")
            self._follow_directory()

    # --- identity: conflicts, start-up check ------------------------------------------------------------------------

    def _fork_evidence(self, prepared: Prepared) -> None:
        if not self.forks.received(prepared.parts):
            raise MalformedError("what was sent as evidence of a fork proves none", code="no_fork")
        self._follow_forks()

    def _follow_forks(self) -> None:
        for author in self.forks.fresh():
            self._in_conflict(author, "forked")

    def _in_conflict(self, machine: MachineId, reason: str) -> None:
        self.presence.liveness.identity_conflict(machine, reason, self.desk.now)
        if machine == self.me:
            self.authorship.conflict(f"it is in conflict ({reason})")
        self.presence.act()

    def _own_identity_elsewhere(self, reason: str) -> None:
        self.authorship.conflict(reason)
        self.presence.liveness.identity_conflict(self.me, "own_identity", self.desk.now)

    def _key_conflict(self, fault: PeerFault) -> None:
        machine = fault.details.get("machine")
        if isinstance(fault, ConflictError) and fault.code == "key_conflict" and isinstance(machine, str):
            self._in_conflict(MachineId(machine), "key_conflict")

    def _own_query(self, peer: MachineId) -> None:
        """A node that starts asks what is held of it: the newest header of each chain, and its newest heartbeat."""
        incarnation = self._chains.incarnation(peer)
        beat = self.presence.latest(peer)
        heartbeat = beat.envelope if beat is not None else None
        headers: list[bytes] = []
        keys = [(peer, incarnation, Chain(chain)) for chain in (LEDGER, MAIL)]
        pending = [key for key in keys if self.exchange.durable_head(key) > 0]
        if not pending:
            self.links.send(peer, wire.OwnAnswer(headers=[], heartbeat=heartbeat))
            return
        left = len(pending)

        def answer(header: bytes | None) -> None:
            nonlocal left
            if header is None:
                return  # it could not be read: no answer is better than one that shows too little
            left -= 1
            headers.append(header)
            if left == 0:
                self.links.send(peer, wire.OwnAnswer(headers=headers, heartbeat=heartbeat))

        for key in pending:
            head = self.exchange.durable_head(key)
            self.exchange.read(key, head, 1, lambda rows: answer(rows[0].header if rows else None))

    def _own_answer(self, peer: MachineId, prepared: Prepared) -> None:
        entries = [part for part in prepared.parts if isinstance(part, Entry)]
        start: int | None = None
        for part in prepared.parts:
            if isinstance(part, Verified) and part.author == self.me:
                heartbeat = read_heartbeat(part)
                start = heartbeat.start if heartbeat.boot != self.boot else None
        self.authorship.shown(peer, entries, start)

    def _alive_elsewhere(self, machine: MachineId) -> bool:
        """Whether another run of that machine than the one linked here lives, or did a moment ago."""
        link = self.links.primary(machine)
        beat = self.presence.latest(machine)
        if link is None or link.hello is None or self.links.others_of(link):
            return True
        if beat is None or beat.heartbeat.boot == link.hello.boot or beat.heartbeat.state == "leaving":
            return False
        return self.desk.now.monotonic_s - beat.at_s < self.presence.liveness.profile.offline_s

    def _became_ready(self) -> None:
        self.admission.ready()
        self._answer_waiting()

    def _answer_waiting(self) -> None:
        waiting, self._requests = self._requests, []
        for request in waiting:
            self._request(request)

    # --- requests -------------------------------------------------------------------------------------------------

    def _request(self, request: inputs.Request) -> None:
        writes = not isinstance(request.command, MarkRead | AddInvite)
        room = len(self._requests) < limits.REQUEST_QUEUE_MAX
        if self.authorship.phase is Phase.CHECKING and writes and room:
            self._requests.append(request)
            return
        try:
            if self.store_fault is not None:
                raise EnvironmentFault(
                    f"{self.store_fault.message}; nothing was done",
                    code=self.store_fault.code,
                    remedy=self.store_fault.remedy,
                )
            result, after = self._command(request.command)
        except RoosyncError as error:
            self.desk.emit(Answer(request=request.request, result=error, after=Ticket(0)))
            return
        self.desk.emit(Answer(request=request.request, result=result, after=after))

    def _command(self, command: Command) -> tuple[dict[str, object], Ticket]:
        match command:
            case SendMessage():
                row, ticket = self.messaging.send(command)
                return {"id": row.message_id, "entry": row.entry.hex()}, ticket
            case MarkRead():
                return {}, self.messaging.mark_read(command)
            case AddInvite():
                return {}, self.admission.add_invite(command)
            case AdmitMachine():
                ticket = self.admission.admit(command)
                self._follow_directory()
                return {}, ticket
            case OfferCountersignature(envelope=envelope):
                self.renewals.offered(envelope)
                self._became_ready()
                return {"incarnation": self.authorship.incarnation}, self.desk.newest_ticket

    # --- time, disk, end --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Everything that is due. Cheap when nothing is."""
        if self.authorship.phase is Phase.CHECKING:
            others = [machine for machine in self.desk.directory.members if machine != self.me]
            if self.authorship.tick(others=others, reachable=self.dialling.reachable()):
                self._check_ended()
        if self._requests and self.authorship.phase is not Phase.CHECKING:
            self._answer_waiting()  # the check ended in another phase than READY: each is refused with the reason
        self.links.tick()
        self.dialling.tick()
        self.presence.tick(self._heads())
        self.exchange.tick(self.delivery.digest)
        self.delivery.tick()
        self.messaging.tick()
        self.renewals.tick()
        for entry, ticket in self.authorship.written():
            self._lives.accepted(entry)
            self.exchange.wrote(entry, ticket)

    def _check_ended(self) -> None:
        self.presence.begin(self.authorship.start, after=self.authorship.started)
        self.delivery.begin(self.authorship.start, after=self.authorship.started)
        self.links.broadcast(self._hello(replaces=False), after=self.authorship.started)
        if self.authorship.phase is Phase.READY:
            self._became_ready()

    def _heads(self) -> list[tuple[str, int, int]]:
        incarnation = self.authorship.incarnation
        keys = [(self.me, incarnation, chain) for chain in (LEDGER, MAIL)]
        return [(key[2], incarnation, head) for key in keys if (head := self.exchange.durable_head(key)) > 0]

    def _persisted(self, ticket: Ticket) -> None:
        if self.store_fault is not None:
            self.store_fault = None
            self.desk.notify("store", {"ok": True})
        if self.exchange.persisted(ticket):
            self.delivery.frontier_moved()

    def _store_failed(self, fault: EnvironmentFault) -> None:
        if self.store_fault is None or self.store_fault.code != fault.code:
            self.desk.notify("store", {"ok": False, "code": fault.code, "message": fault.message})
        self.store_fault = fault

    def _stop(self, reason: str) -> None:
        if self._stopping is None:
            self._stopping = reason
            self.presence.farewell()
            self.desk.emit(Stop(reason=reason))

    def _notice_jump(self, now: Now) -> None:
        """Wall against monotonic: a difference means that this computer slept, or that its clock was set."""
        passed_s = now.monotonic_s - self._last.monotonic_s
        jump_s = (now.wall_ms - self._last.wall_ms) / 1000 - passed_s
        self._last = now
        if abs(jump_s) > limits.CLOCK_JUMP_S:
            self.desk.now = now
            self.desk.notify("resumed", {"jump_s": round(jump_s, 1), "time": rfc3339(now.wall_ms)})
            self.presence.resumed()

    def _follow_directory(self) -> None:
        if len(self.desk.directory.members) != self._members_known:
            self._members_known = len(self.desk.directory.members)
            self.presence.liveness.set_members(self.members(), self.desk.now)


def _first(prepared: Prepared) -> Verified:
    """The one signed part of a frame.

    Raises:
        PeerFault: it did not verify.
    """
    part = prepared.parts[0]
    if isinstance(part, PeerFault):
        raise part
    assert isinstance(part, Verified)
    return part
