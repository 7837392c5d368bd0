"""The ports of the core: what it needs from a store and from a network, and nothing about how.

The in-memory fakes (``memory_store``, ``memory_transport``) and the real adapters pass one conformance suite each
(``tests/conformance``). Everything here is synchronous: adapters move blocking calls to their own threads.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Sequence
from typing import NewType, Protocol, TypeAlias

from roosync_p2p.core.mail_rows import AmendmentRow
from roosync_p2p.core.rows import (
    CommitRow,
    DeliveryRow,
    EntryRow,
    IdempotencyRow,
    InviteRow,
    Loaded,
    LogItemRow,
    MessageRow,
    OrderKeyRow,
    ReceiptRow,
    Row,
)
from roosync_p2p.ids import Chain, CommitNumber, EntryId, LogIndex, MachineId, MessageId

__all__ = [
    "Aged",
    "AgedQuery",
    "Blobs",
    "DialFailed",
    "DialId",
    "DialOutcome",
    "EventSink",
    "Folder",
    "FolderItem",
    "FrameArrived",
    "HandshakeRefused",
    "InboxItem",
    "InboxPage",
    "InboxQuery",
    "Kept",
    "LinkClosed",
    "LinkId",
    "LinkOpened",
    "Reader",
    "SearchPage",
    "SearchQuery",
    "Store",
    "Transport",
    "TransportEvent",
]

LinkId = NewType("LinkId", int)
DialId = NewType("DialId", int)


# --- store --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InboxQuery:
    """Which messages of this machine's inboxes are wanted.

    ``workspaces``: the inboxes to look into ("" is the machine's own); ``None`` means all of them. ``status``: one
    of unread, read, archived, or None for all but archived; "all" for everything. ``before``: the ``next`` of the
    page before, opaque to the caller. ``limit`` is at most ``limits.INBOX_PAGE_MAX``. ``since_ms`` (included) and
    ``until_ms`` (not included): when it was sent, by its sender's clock.
    """

    workspaces: tuple[str, ...] | None = None
    status: str | None = "unread"
    limit: int = 50
    before: str | None = None
    sender: MachineId | None = None
    thread_id: str | None = None
    priority: str | None = None
    type: str | None = None
    tag: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """Messages to or from this machine that hold all words, in subject, body or tags.

    ``words``: as a person wrote them; accents and case do not matter, a ``*`` at the end of a word stands for any
    ending. ``mine``: this machine. ``before`` and ``limit`` as in :class:`InboxQuery`.
    """

    words: str
    mine: MachineId
    limit: int = 50
    before: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """The newest arrival first; ``next`` continues, None at the end."""

    messages: tuple[MessageRow, ...]
    next: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgedQuery:
    """What retention looks for (docs/protocol/messages.md §9). All times in wall clock, included.

    ``read_ms``: read then or before. ``unread_ms``: sent then or before, and arrived by ``shown_ms``. ``archived_ms``:
    archived then or before; ``elsewhere_ms``: of messages in no inbox here, received then or before. ``cited``: ids of
    messages that are exempt. ``mine``: this machine, whose answers end the exemption of tasks.
    """

    mine: MachineId
    read_ms: int
    unread_ms: int
    shown_ms: int
    archived_ms: int
    elsewhere_ms: int
    cited: tuple[str, ...]
    limit: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """What was found, ``limit`` of each at most: to archive, to expire with its author, to take the body from."""

    archive: tuple[DeliveryRow, ...]
    expire: tuple[tuple[MachineId, DeliveryRow], ...]
    drop: tuple[EntryId, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """One message in one inbox."""

    message: MessageRow
    delivery: DeliveryRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """URGENT and HIGH first, then the newest arrival first; ``next`` continues, None at the end."""

    items: tuple[InboxItem, ...]
    next: str | None
    unread: int


class Reader(Protocol):
    """Reads of a store. They see what is durable, from any thread."""

    def entries(
        self, author: MachineId, incarnation: int, chain: Chain, first: int, *, count_max: int, bytes_max: int
    ) -> list[EntryRow]:
        """Entries from sequence ``first`` on, without a gap; at least one if there is one, whatever its size."""

    def entry(self, entry: EntryId) -> EntryRow | None:
        """One entry of a chain by its id; what is kept beside the chains is none."""

    def messages(self, message_id: MessageId) -> list[MessageRow]:
        """All messages of that id: two machines may have drawn the same one."""

    def message(self, entry: EntryId) -> MessageRow | None:
        """One message by its entry."""

    def thread(self, thread_id: str) -> list[MessageRow]:
        """The messages of a thread, oldest first."""

    def deliveries(self, entry: EntryId) -> list[DeliveryRow]:
        """In which inboxes of this machine the message is."""

    def receipts(self, entry: EntryId) -> list[ReceiptRow]:
        """What recipients said about the message."""

    def inbox(self, query: InboxQuery) -> InboxPage:
        """One page of this machine's inboxes."""

    def search(self, query: SearchQuery) -> SearchPage:
        """One page of what holds the words."""

    def amendments(self, message: EntryId) -> list[AmendmentRow]:
        """The amendments of a message that count, in the order of its author's chain."""

    def kept(self, message: EntryId) -> bool:
        """Whether a user asked to keep it for good."""

    def mail_bytes(self) -> dict[MachineId, int]:
        """How many bytes are kept of each author's mail: headers, bodies, and the files that messages cite."""

    def sealed(self) -> list[EntryId]:
        """Sealed messages with a body, by entry."""

    def aged(self, query: AgedQuery) -> Aged:
        """Messages whose time is over, the oldest change or message first."""

    def idempotency(self, key: str) -> IdempotencyRow | None:
        """The remembered answer to a request key."""

    def invites(self) -> list[InviteRow]:
        """The invites of this issuer."""

    def ordered_entries(self, ids: Iterable[EntryId]) -> dict[EntryId, tuple[bytes, bytes]]:
        """Header and body of each, in a chain or beside the chains; what is missing or has no body is left out."""

    def commits(self, first: CommitNumber, count_max: int) -> list[CommitRow]:
        """What became of the numbers from ``first`` on, ascending."""

    def commit_of(self, entry: EntryId) -> CommitRow | None:
        """What became of an entry; of several numbers that name it, the lowest."""

    def leaves(self, first: CommitNumber, count_max: int) -> list[bytes]:
        """The leaf of number ``first + i`` at place ``i``; ends where a number is missing."""

    def order_key(self, key: str) -> OrderKeyRow | None:
        """The entry that an ordered request became."""

    def log_items(self, first: LogIndex, count_max: int, bytes_max: int) -> list[LogItemRow]:
        """Items of the log from ``first`` on, without a gap; at least one if there is one, whatever its size."""


class Store(Reader, Protocol):
    """A durable store with one writer."""

    def load(self) -> Loaded:
        """Everything a core starts from.

        Raises:
            StoreError: the store is corrupt (codes ``store_corrupt``) or newer than this program (``store_newer``).
        """

    def commit(self, rows: Sequence[Row]) -> None:
        """Makes the rows durable, all or none; returns when they survive a power cut.

        Raises:
            StoreError: nothing was written (``disk_full``, ``store_locked``, ``store_io``).
        """

    def close(self) -> None:
        """Releases the store; safe to call twice."""


# --- blobs --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of bytes that were to be kept: how many are there now; whole, or damaged, as in ChunkKept."""

    have: int
    whole: bool = False
    damaged: bool = False


class Blobs(Protocol):
    """Contents named by their SHA-256 (docs/protocol/blobs.md §4). Calls may take as long as reading one takes."""

    def whole(self) -> dict[bytes, int]:
        """Digest and size of those that are complete, verified and durable."""

    def partial(self) -> dict[bytes, int]:
        """Of the others, how many bytes there are."""

    def read(self, digest: bytes, offset: int, count: int) -> bytes | None:
        """A part of a whole one; None if it is not there, or the disk does not give it."""

    def keep(self, digest: bytes, size: int, offset: int, data: bytes) -> Kept:
        """Puts bytes behind those that are there; where others are there than the caller believes, it changes nothing.

        With the last byte the content is compared with its name, and then made durable, or removed.

        Raises:
            StoreError: the disk does not take them; what was there before is kept.
        """

    def drop(self, digest: bytes) -> None:
        """Removes it, whole or not; nothing happens where there is none."""


# --- network ------------------------------------------------------------------------------------------------------


class DialOutcome(enum.Enum):
    """How a dial ended that opened no link (docs/protocol/links.md §3)."""

    REFUSED = "refused"  # the host answered: nobody listens there
    SILENT = "silent"  # TCP was accepted, and no TLS came within limits.TLS_SILENT_S
    UNANSWERED = "unanswered"  # no TCP at all
    REJECTED = "rejected"  # TLS or websocket failed: a stranger, another fleet, an expired certificate


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkOpened:
    """TLS 1.3 with both certificates verified against the fleet's root, and the websocket, are up."""

    link: LinkId
    dial: DialId | None  # None: the other side dialled
    peer_leaf: bytes  # DER of the peer's machine certificate, as TLS verified it
    remote: str  # host:port of the other end of the connection


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrameArrived:
    """One binary frame, at most ``limits.FRAME_BYTES_MAX``."""

    link: LinkId
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkClosed:
    """The link is gone; nothing more comes from it. ``abrupt``: without a closing handshake."""

    link: LinkId
    reason: str
    abrupt: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DialFailed:
    """A dial ended without a link."""

    dial: DialId
    outcome: DialOutcome
    detail: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeRefused:
    """Somebody who dialled us did not get in; counted and shown."""

    remote: str
    reason: str


TransportEvent: TypeAlias = LinkOpened | FrameArrived | LinkClosed | DialFailed | HandshakeRefused


class Transport(Protocol):
    """Links to other nodes. Events go to the callback given at construction, in order for each link."""

    def dial(self, dial: DialId, address: str) -> None:
        """Tries ``host:port``; ends in LinkOpened with this dial, or DialFailed."""

    def send(self, link: LinkId, frame: bytes, *, droppable: bool) -> None:
        """Queues a frame. A full queue drops what is droppable (counted); else it closes the link. Unknown: ignored."""

    def close(self, link: LinkId, reason: str) -> None:
        """Closes a link with a reason the other side is told; LinkClosed follows."""


EventSink: TypeAlias = Callable[[TransportEvent], None]


# --- the shared folder ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderItem:
    """Something that lies in a directory: a file with its size in bytes, or a directory."""

    name: str
    size: int = 0
    folder: bool = False


class Folder(Protocol):
    """A synchronised directory (docs/protocol/folder.md §1). Every call may block for long: never in the core's task.

    Paths are relative, with ``/``, and only such as :mod:`~roosync_p2p.gossip.folder_paths` makes. Each call raises
    FolderError when the directory cannot be used: ``folder_unmounted``, ``folder_read_only``, ``folder_full``,
    ``folder_busy`` (held open by another program for longer than is waited), ``folder_failing``.
    """

    def items(self, path: str) -> list[FolderItem]:
        """What lies directly in a directory, by name; nothing where there is none."""

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """The first ``bytes_max`` bytes of a file as it is now, perhaps half written; None where there is none."""

    def write(self, path: str, data: bytes) -> None:
        """Puts a file there, at once and whole as far as this computer sees it; directories are made."""

    def read_at(self, path: str, offset: int, count: int) -> bytes | None:
        """A part of a file as it is now, less where it ends; None where there is none."""

    def write_pieces(self, path: str, pieces: Iterable[bytes]) -> None:
        """As :meth:`write`, of a file that is larger than should be in memory."""

    def delete(self, path: str) -> None:
        """Removes a file; nothing happens where there is none."""

    def check_writing(self, path: str) -> None:
        """Raises ``folder_read_only`` or ``folder_full`` where the system says so of a directory; writes nothing.

        That it returns is no promise: what the system does not say, writing shows.
        """
