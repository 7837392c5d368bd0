"""One machine, one running store: what speaks for it, and what against (docs/protocol/entries.md §3 and §4).

A fork, two keys, two runs under one start number, an older start that goes on, more than the disk holds: each is proven
by signatures, shown to everybody, and shown to the machine itself, which then stops writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roosync_p2p import limits
from roosync_p2p.core import wire
from roosync_p2p.core.authorship import Authorship, Phase
from roosync_p2p.core.commit.votes import read_vote
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import Ticket
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.forks import Forks
from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.links import Link, Links
from roosync_p2p.core.presence import Presence, read_heartbeat
from roosync_p2p.entries.chains import Chains
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.errors import ConflictError, MalformedError, PeerFault
from roosync_p2p.gossip.latest import LatestRecord
from roosync_p2p.ids import BootId, Chain, MachineId
from roosync_p2p.liveness.heartbeat import Heartbeat
from roosync_p2p.trust import contexts
from roosync_p2p.trust.envelopes import Verified

__all__ = ["IdentityWatch"]


class IdentityWatch:
    """Watches that each machine id stands for one running store, this machine's own included."""

    def __init__(
        self,
        desk: Desk,
        links: Links,
        chains: Chains,
        exchange: Exchange,
        presence: Presence,
        forks: Forks,
        authorship: Authorship,
        *,
        boot: BootId,
        vote_of: Callable[[MachineId], bytes | None],
        allows: Callable[[Entry], bool],
    ) -> None:
        self._desk = desk
        self._links = links
        self._chains = chains
        self._exchange = exchange
        self._presence = presence
        self._forks = forks
        self._authorship = authorship
        self._boot = boot
        self._vote_of = vote_of
        self._allows = allows
        self._keys_shown: dict[MachineId, set[str]] = {}  # by which machines are in conflict

    def older_start(self, link: Link) -> None:
        """A link of an older start than the one in use is shown the newer start's heartbeat: it proves the newer."""
        if link.hello is None or link.shadow_until is None:
            return
        beat = self._presence.latest(link.machine)
        if beat is not None and beat.heartbeat.start > link.start:
            frame = wire.Beat(envelope=beat.envelope, relayed=True)
            self._links.send_on(link.id, wire.encode_frame(frame), after=Ticket(0), droppable=False)

    def tell_twins(self, link: Link, frame: wire.Beat) -> None:
        """Two runs of one machine are linked here: each is shown the other's heartbeat, which proves it to them."""
        for other in self._links.others_of(link):
            shown = wire.Beat(envelope=frame.envelope, relayed=True)
            self._links.send_on(other.id, wire.encode_frame(shown), after=Ticket(0), droppable=True)

    def fork_evidence(self, prepared: Prepared) -> None:
        """A peer sends evidence of a fork.

        Raises:
            PeerFault: a half of it does not verify; one of a machine that is not known here yet will be told again.
            MalformedError: it proves none.
        """
        for part in prepared.parts:
            if isinstance(part, PeerFault):
                raise part
        # With a key that it gave up anybody could make evidence against a machine.
        if not self._forks.received(tuple(self._allowed(prepared.parts))):
            raise MalformedError("what was sent as evidence of a fork proves none", code="no_fork")
        self.follow_forks()

    def _allowed(self, parts: Iterable[object]) -> list[Entry]:
        return [part for part in parts if isinstance(part, Entry) and self._allows(part)]

    def follow_forks(self) -> None:
        """Machines that were just found forked are in conflict."""
        for author in self._forks.fresh():
            self.in_conflict(author, "forked")

    def settled(self, machine: MachineId) -> None:
        """A person settled the forks of that machine: the conflict is over."""
        self._presence.liveness.settled(machine, self._desk.now)
        self._presence.act()

    def in_conflict(self, machine: MachineId, reason: str) -> None:
        """Two things use that machine's id; if it is this machine's, it stops writing."""
        self._presence.liveness.identity_conflict(machine, reason, self._desk.now)
        if machine == self._desk.me:
            self._authorship.conflict(f"it is in conflict ({reason})")
        self._presence.act()

    def own_identity_elsewhere(self, reason: str) -> None:
        """Another node runs under this machine's identity."""
        self._authorship.conflict(reason)
        self._presence.liveness.identity_conflict(self._desk.me, "own_identity", self._desk.now)

    def own_record(self, record: LatestRecord | None) -> None:
        """A record under this machine's own name, of another run: it proves what a heartbeat's start number would.

        An earlier start is this machine's past. An equal or later one was used by another store: a copy, or a life that
        was lost.
        """
        if record is None or record.start < self._authorship.start:
            return
        if self._authorship.phase is Phase.CHECKING:
            self._authorship.start_shown(record.start)
        else:
            self.own_identity_elsewhere(f"another node signed records as this machine, in start {record.start}")

    def key_conflict(self, fault: PeerFault) -> None:
        """Shows the machine in conflict, if that is what the fault is about."""
        machine = fault.details.get("machine")
        if isinstance(fault, ConflictError) and fault.code == "key_conflict" and isinstance(machine, str):
            shown = self._keys_shown.setdefault(MachineId(machine), set())
            shown |= {key for key in (fault.details.get("shown"), fault.details.get("pinned")) if isinstance(key, str)}
            self.in_conflict(MachineId(machine), "key_conflict")

    def follow_keys(self) -> None:
        """What looked like two keys of one machine was one after the other, if the word of the older one came since."""
        directory = self._desk.directory
        for machine, shown in list(self._keys_shown.items()):
            pinned = directory.members.get(machine)
            known = {key.hex() for author, key in directory.former if author == machine}
            if pinned is None or machine == self._desk.me or not shown <= known | {pinned.key_id.hex()}:
                continue
            del self._keys_shown[machine]
            if not self._forks.frozen(machine):
                self.settled(machine)

    def own_query(self, peer: MachineId) -> None:
        """A node that starts asks what is held of it: the newest header of each chain, and its newest heartbeat."""
        incarnation = self._chains.incarnation(peer)
        beat = self._presence.latest(peer)
        heartbeat = beat.envelope if beat is not None else None
        vote = self._vote_of(peer)
        former = [(m.leaf, m.issuer) for m in self._desk.directory.former.values() if m.machine == peer]
        former = former[-limits.FORMER_KEYS_SHOWN_MAX :]
        headers: list[bytes] = []
        keys = [(peer, incarnation, Chain(chain)) for chain in (LEDGER, MAIL)]
        pending = [key for key in keys if self._exchange.durable_head(key) > 0]
        if not pending:
            self._links.send(peer, wire.OwnAnswer(headers=[], heartbeat=heartbeat, vote=vote, former=former))
            return
        left = len(pending)

        def answer(header: bytes | None) -> None:
            nonlocal left
            if header is None:
                return  # it could not be read: no answer is better than one that shows too little
            left -= 1
            headers.append(header)
            if left == 0:
                self._links.send(peer, wire.OwnAnswer(headers=headers, heartbeat=heartbeat, vote=vote, former=former))

        for key in pending:
            head = self._exchange.durable_head(key)
            self._exchange.read(key, head, 1, lambda rows: answer(rows[0].header if rows else None))

    def own_answer(self, peer: MachineId, prepared: Prepared) -> None:
        """A peer shows what it holds of this machine.

        Raises:
            PeerFault: it shows a former key with certificates that do not lead to the root, or the key of now.
        """
        assert isinstance(prepared.frame, wire.OwnAnswer)
        for leaf, issuer in prepared.frame.former[: limits.FORMER_KEYS_SHOWN_MAX]:
            self._desk.learn_former(leaf, issuer)
        entries = self._allowed(prepared.parts)
        for part in prepared.parts:  # also what does not count has taken its place
            if isinstance(part, Entry) and part.author == self._desk.me:
                self._authorship.incarnation_shown(part.header.incarnation)
        start: int | None = None
        beaten: Heartbeat | None = None
        for part in prepared.parts:
            if isinstance(part, PeerFault):
                self._links.bad_part(peer, part)
            elif not isinstance(part, Verified) or part.author != self._desk.me:
                continue
            elif part.context == contexts.VOTE:
                self._authorship.vote_shown(read_vote(part))
            else:
                heartbeat = read_heartbeat(part)
                start = heartbeat.start if heartbeat.boot != self._boot else None
                beaten = heartbeat if heartbeat.store == self._authorship.store else None
        if beaten is not None and beaten.commit_size is not None:
            self._authorship.commits_shown(beaten.epoch, beaten.commit_size)
        self._authorship.shown(peer, entries, start)

    def alive_elsewhere(self, machine: MachineId) -> bool:
        """Whether another run of that machine than the one linked here lives, or did a moment ago."""
        link = self._links.primary(machine)
        beat = self._presence.latest(machine)
        if link is None or link.hello is None or self._links.others_of(link):
            return True
        if beat is None or beat.heartbeat.boot == link.hello.boot or beat.heartbeat.state == "leaving":
            return False
        return self._desk.now.monotonic_s - beat.at_s < self._presence.liveness.profile.offline_s
