"""What becomes of entries that arrive: who may have written them, what each means (docs/protocol/entries.md §2)."""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p.core.admission import Admission
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.commit.commit_log import CommitLog
from roosync_p2p.core.departures import Departures
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.exchange import Exchange
from roosync_p2p.core.identity_watch import IdentityWatch
from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.links import Links
from roosync_p2p.core.lives import Lives
from roosync_p2p.core.messaging import Messaging
from roosync_p2p.core.revocations import Revocations
from roosync_p2p.core.rotations import Rotations
from roosync_p2p.entries.entry import LEDGER, MAIL, Entry
from roosync_p2p.errors import PeerFault
from roosync_p2p.ids import MachineId

__all__ = ["Acceptance"]


class Acceptance:
    """Takes entries from peers. ``learned``: the directory may have grown. ``settled``: a ledger entry came."""

    def __init__(
        self,
        desk: Desk,
        links: Links,
        exchange: Exchange,
        authorship: Authorship,
        lives: Lives,
        messaging: Messaging,
        admission: Admission,
        watch: IdentityWatch,
        commit: CommitLog,
        revocations: Revocations,
        departures: Departures,
        rotations: Rotations,
        *,
        learned: Callable[[], None],
        settled: Callable[[Entry], None],
    ) -> None:
        self._desk = desk
        self._links = links
        self._exchange = exchange
        self._authorship = authorship
        self._lives = lives
        self._messaging = messaging
        self._admission = admission
        self._watch = watch
        self._commit = commit
        self._revocations = revocations
        self._departures = departures
        self._rotations = rotations
        self._learned = learned
        self._settled = settled
        self.last_ms: int | None = None

    def received(self, peer: MachineId | None, prepared: Prepared) -> None:
        """A frame of entries, each verified or an error in its place. ``peer`` is None for a file of the folder.

        Raises:
            PeerFault: the certificates that the frame introduces contradict what is pinned; nothing of it is taken.
        """
        for leaf, issuer in prepared.certificates:
            self._desk.learn(leaf, issuer, introduced=True)
        self._learned()
        entries: list[Entry] = []
        for part in prepared.parts:
            if isinstance(part, PeerFault):
                self._watch.key_conflict(part)
                if peer is not None:
                    self._links.bad_part(peer, part)
            elif isinstance(part, Entry) and self._may_author(part):
                entries.append(part)
        for entry in self._exchange.received(peer, entries):
            self._accepted(entry)
        self._watch.follow_forks()

    def _may_author(self, entry: Entry) -> bool:
        if not self._revocations.allows(entry):
            self._desk.count("entries.revoked")
            return False
        if not self._rotations.allows(entry):
            self._desk.count("entries.replaced_key")
            return False
        if entry.author == self._desk.me:
            return self._authorship.surfaced(entry)
        directory = self._desk.directory
        return entry.author in directory.members or any(author == entry.author for author, _ in directory.former)

    def _accepted(self, entry: Entry) -> None:
        self.last_ms = self._desk.now.wall_ms
        self._lives.accepted(entry)
        if entry.chain == LEDGER:
            self._commit.entry_held(entry)
        if self._lives.stranded(entry):
            self._desk.count("entries.stranded")
        elif entry.chain == MAIL:
            self._messaging.accepted(entry)
        elif entry.chain == LEDGER:
            self._departures.carried(entry)
            self._heard_lost(entry)
            self._settled(entry)
            conflicting = self._admission.accepted(entry)
            if conflicting is not None:
                self._watch.in_conflict(conflicting, "key_conflict")
            self._learned()

    def _heard_lost(self, entry: Entry) -> None:
        try:
            self._rotations.carried(entry)
        except PeerFault as fault:
            self._desk.fault(fault)
            self._watch.key_conflict(fault)
