"""The blobs that messages cite: who needs which, who may have them, when they go (docs/protocol/blobs.md).

    cited ─▶ wanted by addressees at once, by two helpers later ─▶ fetched ─▶ told (a receipt) ─▶ helpers drop it
      └─▶ the body goes by its age ─▶ dropped everywhere

A blob is named by its hash, so whoever has it can give it. Whether it may be given to who asks is decided here, from
the signed messages that cite it.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from roosync_p2p import limits
from roosync_p2p.core.blob_fetching import NO_SOURCE, Fetching
from roosync_p2p.core.desk import Desk
from roosync_p2p.core.effects import DropBlob, ReadBlob, ReadId, Ticket
from roosync_p2p.core.inputs import BlobAdded, BlobRead, BlobsFound, ChunkKept
from roosync_p2p.core.links import Links
from roosync_p2p.core.mail_rows import Cited
from roosync_p2p.core.rows import Loaded
from roosync_p2p.core.wire import BlobFrame, WantBlob
from roosync_p2p.errors import InputFault, MalformedError
from roosync_p2p.gossip.blobs import helpers_of, in_order
from roosync_p2p.ids import EntryId, MachineId, parse_address
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.mailbox.attachments import Attachment
from roosync_p2p.mailbox.states import recipients

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["Attachments", "Lacking", "attachments_of"]

NOT_HERE: Final = "not_here"
NOT_ADDRESSED: Final = "not_addressed"
_AWAKE: Final = frozenset({State.ONLINE, State.SUSPECT})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A blob that is whole here, and machines that it is for and that have not said that it is there."""

    digest: bytes
    size: int
    author: MachineId
    machines: frozenset[MachineId]


class Attachments:
    """What this machine holds of blobs, lacks, serves and keeps for others.

    Args:
        members: all machines of the fleet that have not left it.
        awake: whether a machine is there now, as far as this one sees.
        reached: whether a frame to a machine finds a way, over a link or by a detour.

    Attributes:
        tell: makes it known that everything a message brings along is here; set by whoever writes receipts.
    """

    def __init__(
        self,
        desk: Desk,
        links: Links,
        loaded: Loaded,
        *,
        members: Callable[[], Iterable[MachineId]],
        awake: Callable[[MachineId], bool],
        reached: Callable[[MachineId], bool],
    ) -> None:
        self._desk = desk
        self._links = links
        self._members = members
        self._awake = awake
        self._reached = reached
        self.tell: Callable[[EntryId], Ticket] = lambda _entry: Ticket(0)
        self._cited: dict[EntryId, Cited] = {}
        self._since_s: dict[EntryId, float] = {}
        self._citing: dict[bytes, set[EntryId]] = {}
        self._fetched: dict[EntryId, set[MachineId]] = collections.defaultdict(set)
        self._open: set[EntryId] = set()  # somebody may still lack what they cite
        self._seen: tuple[MachineId, ...] = ()
        self._whole: dict[bytes, int] | None = None  # before the disk was looked at: None
        self._partial: dict[bytes, int] = {}
        self._loose: dict[bytes, float] = {}  # on the disk, and nothing for this machine itself: until when in any case
        self._helping: dict[bytes, float] = {}  # since when it falls to this machine to help
        self._reads: dict[ReadId, tuple[MachineId, WantBlob]] = {}
        self._waiting: collections.Counter[MachineId] = collections.Counter()
        self._next_read = 1
        self._look_at_s = 0.0
        self.fetching = Fetching(desk, sources=self._sources, send=self._send)
        for row in loaded.fetched:
            self._fetched[row.message].add(row.machine)
        for cited in loaded.cited:
            self.cite(cited)

    # --- what messages cite -----------------------------------------------------------------------------------------

    def cite(self, cited: Cited) -> None:
        """A message that cites blobs is here, from this machine or from elsewhere."""
        self._cited[cited.message] = cited
        self._since_s[cited.message] = self._desk.now.monotonic_s
        for digest, _ in cited.blobs:
            self._citing.setdefault(digest, set()).add(cited.message)
            if digest in self._loose and self._concerns_me(cited):
                del self._loose[digest]
        self._open.add(cited.message)
        self._look_soon()

    def fetched_by(self, message: EntryId, machine: MachineId) -> None:
        """A machine has said that everything a message cites is on its disk."""
        self._fetched[message].add(machine)
        self._look_soon()

    def dropped(self, messages: Iterable[EntryId]) -> None:
        """The bodies of these messages go, durably with the newest ticket: and what only they cite, after that."""
        for message in messages:
            self._fetched.pop(message, None)
            self._since_s.pop(message, None)
            self._open.discard(message)
            cited = self._cited.pop(message, None)
            for digest, _ in () if cited is None else cited.blobs:
                self._citing[digest].discard(message)
                if not self._citing[digest]:
                    del self._citing[digest]
                self._let_go(digest)

    def check(self, attachments: Iterable[Attachment]) -> None:
        """Returns if all of these are whole on this disk, so that a message may cite them.

        Raises:
            InputFault: ``no_such_upload``; nothing was sent.
        """
        for attachment in attachments:
            if (self._whole or {}).get(attachment.sha256) != attachment.size:
                raise InputFault(
                    f"{attachment.name or 'an attachment'} was not handed to this node; nothing was sent",
                    code="no_such_upload",
                    remedy="hand the file over again: an upload that no message cites is kept for an hour",
                    details={"sha256": attachment.sha256.hex()},
                )

    def _concerns_me(self, cited: Cited) -> bool:
        return self._desk.me == cited.author or self._desk.me in self._addressees(cited)

    def _addressees(self, cited: Cited) -> set[MachineId]:
        """The machines that a message is for, without its author and those that are gone."""
        members = set(self._members())
        addresses = [parse_address(text) for text in cited.to]
        named = recipients(addresses, author=cited.author, members=members)
        return {machine for machine, _ in named.values() if machine in members} - {cited.author}

    def _complete(self, cited: Cited) -> bool:
        """Whether everybody whom it is for has said that it is there."""
        return self._addressees(cited) <= self._fetched.get(cited.message, set())

    def _over(self, cited: Cited) -> bool:
        """Whether its sender wants nobody to read it any more."""
        return 0 < cited.expires_ms <= self._desk.now.wall_ms

    def _lapsed(self, cited: Cited) -> bool:
        """Whether nobody has to be helped any more."""
        return self._over(cited) or cited.time_ms + round(limits.UNREAD_LIFE_S * 1000) <= self._desk.now.wall_ms

    def _all_citing(self, digest: bytes) -> list[Cited]:
        return [self._cited[message] for message in sorted(self._citing.get(digest, ()))]

    # --- helping ----------------------------------------------------------------------------------------------------

    def _may_help(self, machine: MachineId, digest: bytes) -> bool:
        """Whether it falls to that machine to keep a blob that is not for it."""
        citing = self._all_citing(digest)
        if all(self._complete(cited) or self._lapsed(cited) for cited in citing):
            return False
        involved = {cited.author for cited in citing}.union(*(self._addressees(cited) for cited in citing))
        awake = [other for other in self._members() if other in (machine, self._desk.me) or self._awake(other)]
        return machine in helpers_of(digest, awake, involved)

    def _helps(self, digest: bytes) -> bool:
        """Whether this machine has been one of the helpers for long enough to fetch it."""
        if not self._may_help(self._desk.me, digest):
            self._helping.pop(digest, None)
            return False
        now_s = self._desk.now.monotonic_s
        if digest in self._loose:
            self._loose[digest] = max(self._loose[digest], now_s + limits.BLOB_HELP_LEFT_S)
        return now_s >= self._helping.setdefault(digest, now_s) + limits.BLOB_HELP_AFTER_S

    # --- the disk ---------------------------------------------------------------------------------------------------

    def found(self, found: BlobsFound) -> None:
        """What the disk holds at the start."""
        self._whole, self._partial = dict(found.whole), dict(found.partial)
        for digest in sorted({*self._whole, *self._partial}):
            self._arrived(digest, limits.BLOB_HELP_LEFT_S if digest in self._citing else limits.BLOB_UNSENT_S)
        for message in list(self._cited):
            self._tell(message)
        self._look_soon()

    def added(self, added: BlobAdded) -> None:
        """A user handed over a blob."""
        if self._whole is None:
            self._whole = {}
        self._whole[added.digest] = added.size
        self._partial.pop(added.digest, None)
        self._arrived(added.digest, limits.BLOB_UNSENT_S)

    def _arrived(self, digest: bytes, keep_s: float) -> None:
        if not any(self._concerns_me(cited) for cited in self._all_citing(digest)):
            until_s = self._desk.now.monotonic_s + keep_s
            self._loose[digest] = max(self._loose.get(digest, 0.0), until_s)

    def _let_go(self, digest: bytes) -> None:
        """Removes a blob that nothing here needs any more."""
        citing = self._all_citing(digest)
        if any(self._concerns_me(cited) for cited in citing):
            return
        done = bool(citing) and all(self._complete(cited) or self._lapsed(cited) for cited in citing)
        if not done and (self._helps(digest) or self._desk.now.monotonic_s < self._loose.get(digest, 0.0)):
            return
        self._loose.pop(digest, None)
        self._helping.pop(digest, None)
        was_here = (self._whole or {}).pop(digest, None) is not None
        if self._partial.pop(digest, None) is not None or was_here or digest in self.fetching.fetches:
            self.fetching.fetches.pop(digest, None)
            self._desk.count("blobs.dropped")
            self._desk.emit(DropBlob(digest=digest, after=self._desk.newest_ticket))

    def kept(self, answer: ChunkKept) -> None:
        """What became of a chunk on the disk."""
        if answer.digest not in self._partial:
            self._arrived(answer.digest, limits.BLOB_HELP_LEFT_S)
        self._partial[answer.digest] = answer.have
        if answer.whole:
            self._came(answer.digest)
        else:
            self.fetching.kept(answer)
        self._look_soon(answer.whole or answer.damaged or answer.fault is not None)

    def _came(self, digest: bytes) -> None:
        """A blob is whole, verified and durable."""
        assert self._whole is not None
        self.fetching.fetches.pop(digest, None)
        self._whole[digest] = self._partial.pop(digest)
        self._desk.count("blobs.fetched")
        for message in sorted(self._citing.get(digest, ())):
            self._tell(message)
            self._desk.notify("attachment", {"entry": message.hex(), "sha256": digest.hex(), "state": "here"})

    def _tell(self, message: EntryId) -> None:
        """Says that everything a message for this machine brings along is here, once."""
        cited = self._cited[message]
        here = self._whole or {}
        mine = self._desk.me in self._addressees(cited)
        told = self._desk.me in self._fetched.get(message, set())
        if mine and not told and all(digest in here for digest, _ in cited.blobs):
            self._fetched[message].add(self._desk.me)
            self.tell(message)

    # --- time -------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to look who needs what, or to ask somebody else (monotonic seconds)."""
        if self._whole is None:
            return None
        busy = self._open or self._loose or self.fetching.fetches
        times = (self._look_at_s if busy else None, self.fetching.next_deadline())
        return min((at for at in times if at is not None), default=None)

    def _look_soon(self, soon: bool = True) -> None:
        if soon:
            self._look_at_s = min(self._look_at_s, self._desk.now.monotonic_s)

    def tick(self) -> None:
        """Looks what is wanted and what may go, and goes on fetching."""
        at = self.next_deadline()
        now_s = self._desk.now.monotonic_s
        if at is None or at > now_s:
            return
        if self._look_at_s <= now_s:
            self._look_at_s = now_s + limits.BLOB_LOOK_S * max(1.0, len(self._open) / limits.BLOB_LOOKS_MAX)
            self._look()
        self.fetching.tick()

    def _look(self) -> None:
        assert self._whole is not None
        members = tuple(self._members())
        if members != self._seen:
            self._seen = members
            self._open = set(self._cited)
        wanted: dict[bytes, int] = {}
        for message in sorted(self._open):
            cited = self._cited[message]
            lacking = {digest: size for digest, size in cited.blobs if digest not in self._whole}
            mine = self._desk.me in self._addressees(cited)
            if mine and not self._over(cited):
                wanted.update(lacking)
                self._tell(message)
            elif not mine and self._desk.me != cited.author:
                wanted.update((digest, size) for digest, size in lacking.items() if self._helps(digest))
            if self._complete(cited) and (not mine or not lacking):
                self._open.discard(message)
        self.fetching.follow(wanted, self._partial)
        for digest in sorted(self._loose):
            self._let_go(digest)

    # --- asking and serving -----------------------------------------------------------------------------------------

    def opened(self, peer: MachineId) -> None:
        """A link is up."""
        self.fetching.opened(peer)
        self._look_soon()

    def closed(self, peer: MachineId) -> None:
        """The last link to a peer is gone."""
        self.fetching.closed(peer)
        self._look_soon()

    def _sources(self, digest: bytes) -> list[MachineId]:
        """Who may have a blob: its senders and who said so before others, and all that are linked before those."""
        citing = self._all_citing(digest)
        sure = {cited.author for cited in citing}.union(*(self._fetched.get(c.message, set()) for c in citing))
        others = [m for m in self._members() if m != self._desk.me and m not in sure and self._awake(m)]
        listed = [*in_order(digest, [m for m in sure if m != self._desk.me]), *in_order(digest, others)]
        linked = [machine for machine in listed if self._links.primary(machine) is not None]
        return linked + [machine for machine in listed if machine not in linked and self._reached(machine)]

    def _send(self, peer: MachineId, frame: WantBlob) -> bool:
        return self._links.send(peer, frame, droppable=True)

    def received(self, peer: MachineId, frame: WantBlob | BlobFrame) -> None:
        """A peer asks for a chunk, which comes from the disk, or gives one.

        Raises:
            MalformedError: impossible numbers, or another length than was asked for.
        """
        if isinstance(frame, BlobFrame):
            self.fetching.received(peer, frame)
        else:
            self._wanted(peer, frame)

    def _wanted(self, peer: MachineId, want: WantBlob) -> None:
        if len(want.digest) != 32 or want.offset < 0 or not 1 <= want.count <= limits.BLOB_CHUNK_BYTES_MAX:
            raise MalformedError("a want names an impossible part of a blob", code="bad_field")
        refusal = self._refusal(peer, want.digest)
        if refusal:
            self._desk.count(f"blobs.{refusal}")
            self._refuse(peer, want, refusal)
            return
        if self._waiting[peer] >= limits.BLOB_READS_WAITING_MAX:
            self._desk.count("wants.dropped")
            return
        read = ReadId(self._next_read)
        self._next_read += 1
        self._reads[read] = (peer, want)
        self._waiting[peer] += 1
        self._desk.emit(ReadBlob(read=read, digest=want.digest, offset=want.offset, count=want.count))

    def _refusal(self, peer: MachineId, digest: bytes) -> str:
        """Why that machine does not get a blob from here; empty if it does."""
        citing = self._all_citing(digest)
        if not citing:
            return NOT_HERE
        concerned = any(peer == cited.author or peer in self._addressees(cited) for cited in citing)
        if not concerned and not self._may_help(peer, digest):
            return NOT_ADDRESSED
        return "" if digest in (self._whole or {}) else NOT_HERE

    def _refuse(self, peer: MachineId, want: WantBlob, refusal: str) -> None:
        self._links.send(peer, BlobFrame(digest=want.digest, offset=want.offset, refusal=refusal), droppable=True)

    def was_read(self, answer: BlobRead) -> None:
        """What the disk gave for a peer."""
        peer, want = self._reads.pop(answer.read)
        self._waiting[peer] -= 1
        if answer.data is None:  # it was there: the disk lost it
            self._desk.count("blobs.unreadable")
            if (self._whole or {}).pop(want.digest, None) is not None:
                self._open.update(self._citing.get(want.digest, ()))
                self._look_soon()
            self._refuse(peer, want, NOT_HERE)
            return
        self._desk.counters["blobs.sent"] += len(answer.data)
        self._links.send(peer, BlobFrame(digest=want.digest, offset=want.offset, data=answer.data), droppable=True)

    def lacking(self) -> list[Lacking]:
        """What others may still need from here, by message."""
        found = []
        for message in sorted(self._open):
            cited = self._cited[message]
            machines = frozenset(self._addressees(cited) - self._fetched.get(message, set()) - {self._desk.me})
            if not machines or self._lapsed(cited):
                continue
            for digest, size in cited.blobs:
                if digest in (self._whole or {}):
                    found.append(Lacking(digest=digest, size=size, author=cited.author, machines=machines))
        return found

    # --- for people -------------------------------------------------------------------------------------------------

    def state(self, message: EntryId, digest: bytes) -> dict[str, object]:
        """Where an attachment is: ``state`` (here, coming, unavailable), ``bytes`` so far, ``reason``, ``from``."""
        if digest in (self._whole or {}):
            return {"state": "here", "bytes": (self._whole or {})[digest], "reason": "", "from": None}
        have = self._partial.get(digest, 0)
        fetch = self.fetching.fetches.get(digest)
        if fetch is not None and (fetch.peer is not None or fetch.writing):
            return {"state": "coming", "bytes": fetch.have, "reason": "", "from": fetch.peer}
        return {"state": "unavailable", "bytes": have, "reason": self._why(message, digest), "from": None}

    def _why(self, message: EntryId, digest: bytes) -> str:
        cited = self._cited.get(message)
        if cited is None:
            return "dropped"
        if not self._concerns_me(cited):
            return NOT_ADDRESSED
        if cited.author == self._desk.me:
            return "lost"  # this machine had it when it sent the message
        if self._over(cited):
            return "expired"
        fetch = self.fetching.fetches.get(digest)
        return NO_SOURCE if fetch is None else fetch.reason

    def holders(self, message: EntryId) -> list[MachineId]:
        """Who is known to hold all that a message brings along: its author, and who has said so."""
        cited = self._cited.get(message)
        return [] if cited is None else sorted({cited.author, *self._fetched.get(message, set())})


def attachments_of(core: NodeCore, loaded: Loaded) -> Attachments:
    """The blobs of that core, with what its other parts know of members and ways."""

    def members() -> list[MachineId]:
        register = core.commit.seats.known.register
        return [
            machine
            for machine in core.desk.directory.members
            if machine == core.me or not (register.ended(machine) or core.revocations.out(machine) is not None)
        ]

    def awake(machine: MachineId) -> bool:
        return core.presence.liveness.verdict(machine, core.desk.now).state in _AWAKE

    return Attachments(
        core.desk,
        core.links,
        loaded,
        members=members,
        awake=awake,
        reached=lambda machine: core.relaying.via(machine) is not None,
    )
