"""Everything that can happen to a core (docs/protocol/core.md §1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeAlias

from roosync_p2p.core.commands import Command
from roosync_p2p.core.effects import FolderJobId, ReadId, RequestId, Ticket
from roosync_p2p.core.folder.reading import Looked
from roosync_p2p.core.intake import Prepared
from roosync_p2p.core.ports import DialFailed, HandshakeRefused, LinkClosed, LinkId, LinkOpened
from roosync_p2p.core.rows import CommitRow, EntryRow
from roosync_p2p.errors import EnvironmentFault, FolderError, PeerFault, StoreError
from roosync_p2p.gossip.sessions import OpenSession
from roosync_p2p.ids import EntryId, MachineId

__all__ = [
    "AddressesFound",
    "BadFrame",
    "BlobAdded",
    "BlobRead",
    "BlobsFound",
    "ChunkKept",
    "CommitsRead",
    "EntriesRead",
    "FilesPublished",
    "FolderBlobRead",
    "FolderLooked",
    "FolderOpened",
    "FrameReceived",
    "Health",
    "Input",
    "LocalAddresses",
    "OrderedRead",
    "PersistFailed",
    "Persisted",
    "Power",
    "Request",
    "SealingKey",
    "SessionsOpen",
    "Shutdown",
    "Tick",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrameReceived:
    """A frame that was parsed and verified by :func:`~roosync_p2p.core.intake.prepare`."""

    link: LinkId
    prepared: Prepared


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BadFrame:
    """A frame that :func:`~roosync_p2p.core.intake.prepare` refused."""

    link: LinkId
    fault: PeerFault


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Persisted:
    """Everything up to this ticket is durable."""

    ticket: Ticket


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PersistFailed:
    """The store refused a ticket and everything behind it. The performer tries again; this is for people."""

    fault: EnvironmentFault


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EntriesRead:
    """The answer to a ReadEntries effect, without a gap from its ``first``."""

    read: ReadId
    entries: tuple[EntryRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderedRead:
    """The answer to a ReadOrdered effect: header and body of those that are durable here; the others are left out."""

    read: ReadId
    entries: Mapping[EntryId, tuple[bytes, bytes]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitsRead:
    """The answer to a ReadCommits effect: those that are durable here, ascending from its ``first`` on.

    ``unread``: the store could not be read, so that no rows mean nothing.
    """

    read: ReadId
    rows: tuple[CommitRow, ...]
    unread: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlobsFound:
    """Which blobs are on this disk at the start: sizes of whole ones, and how much there is of others, by digest.

    Before this was told nothing is fetched.
    """

    whole: Mapping[bytes, int]
    partial: Mapping[bytes, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlobAdded:
    """A user of this machine handed over a blob; it is whole and durable."""

    digest: bytes
    size: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlobRead:
    """The answer to a ReadBlob effect; None: it is not there, or the disk does not give it."""

    read: ReadId
    data: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChunkKept:
    """The answer to a KeepChunk effect.

    Attributes:
        have: how many bytes are there now.
        whole: all are, their hash fits, and they are durable.
        damaged: all were, and their hash did not fit: they are gone.
        fault: why these were not kept.
    """

    digest: bytes
    have: int
    whole: bool = False
    damaged: bool = False
    fault: StoreError | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddressesFound:
    """Somewhere to try; proves nothing. ``machine`` None: whoever answers there."""

    machine: MachineId | None
    addresses: tuple[str, ...]
    source: str  # static, mdns, joined


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalAddresses:
    """Where this node can be reached, for its heartbeats."""

    addresses: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionsOpen:
    """The sessions of this machine that are open now, for the others to see."""

    sessions: tuple[OpenSession, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the shell measured about itself: delay of the event loop, age of the oldest write not yet durable."""

    loop_lag_s: float
    disk_lag_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What this computer runs on."""

    on_battery: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SealingKey:
    """For which X25519 public key messages to this machine are to be sealed; the private one is on its disk."""

    public: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderOpened:
    """This node has a shared folder: from now on it is looked into and written to. ``path`` is for people."""

    path: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilesPublished:
    """What became of PublishFiles; with a fault the rest of the files were not written."""

    job: FolderJobId
    written: tuple[str, ...]
    removed: tuple[str, ...]
    fault: FolderError | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderBlobRead:
    """What became of BlobFromFolder.

    Attributes:
        kept: of the blob.
        partial: the file is not there, or not whole yet.
        head: where it was damaged, the beginning of what lies there.
        fault: why it could not be read.
    """

    job: FolderJobId
    path: str
    kept: ChunkKept
    partial: bool = False
    head: bytes = b""
    fault: FolderError | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderLooked:
    """What LookIntoFolder found, verified; or why the folder cannot be used.

    ``writing``: why nothing could be written there now, if the system says so.
    """

    job: FolderJobId
    looked: Looked | None
    fault: FolderError | None
    writing: FolderError | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command of a user; exactly one Answer follows."""

    request: RequestId
    command: Command


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The deadline that :meth:`NodeCore.next_deadline` named has come; early ones are harmless."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Say farewell and stop."""

    reason: str


Input: TypeAlias = (
    LinkOpened
    | LinkClosed
    | DialFailed
    | HandshakeRefused
    | FrameReceived
    | BadFrame
    | Persisted
    | PersistFailed
    | EntriesRead
    | OrderedRead
    | CommitsRead
    | BlobsFound
    | BlobAdded
    | BlobRead
    | ChunkKept
    | AddressesFound
    | LocalAddresses
    | SessionsOpen
    | Health
    | Power
    | SealingKey
    | FolderOpened
    | FilesPublished
    | FolderLooked
    | FolderBlobRead
    | Request
    | Tick
    | Shutdown
)
