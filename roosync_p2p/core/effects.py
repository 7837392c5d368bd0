"""What the core wants done, in order. The performer does it; the simulation does the same in virtual time.

Persist, then send: an effect that reports a fact carries the ticket of the :class:`Persist` that makes the fact
durable in ``after``, and must not be performed before that ticket is durable (0: nothing to wait for).
:class:`~roosync_p2p.core.outbox.Outbox` keeps that rule, for the node and for the simulation alike.
"""

from __future__ import annotations

import dataclasses
from typing import Final, NewType, TypeAlias

from roosync_p2p.core.folder.reading import Wanted
from roosync_p2p.core.ports import DialId, LinkId
from roosync_p2p.core.rows import Row
from roosync_p2p.core.wire import WireEntry
from roosync_p2p.errors import RoosyncError
from roosync_p2p.ids import Chain, CommitNumber, EntryId, FleetId, MachineId

__all__ = [
    "REPORTS",
    "Answer",
    "BlobFromFolder",
    "BlobToFolder",
    "CloseLink",
    "Dial",
    "DropBlob",
    "Effect",
    "FolderJobId",
    "InstallCertificate",
    "KeepChunk",
    "LookIntoFolder",
    "Notify",
    "Persist",
    "PublishFiles",
    "Push",
    "ReadBlob",
    "ReadCommits",
    "ReadEntries",
    "ReadId",
    "ReadOrdered",
    "RequestId",
    "Send",
    "Stop",
    "Ticket",
]

Ticket = NewType("Ticket", int)
RequestId = NewType("RequestId", int)
ReadId = NewType("ReadId", int)
FolderJobId = NewType("FolderJobId", int)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Persist:
    """Make these rows durable together. Tickets count up; a later ticket is never durable before an earlier one.

    ``lingers``: nobody waits for it, so it may wait ``PERSIST_LINGER_S`` for others to be written with.
    """

    ticket: Ticket
    rows: tuple[Row, ...]
    lingers: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Put a frame on a link once ``after`` is durable. Droppable: gossip can repair its loss."""

    link: LinkId
    frame: bytes
    after: Ticket
    droppable: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Put an entry on a link once ``after`` is durable. What becomes durable together goes in as few frames as may be.

    The outbox turns it into a droppable :class:`Send`: performers never see it.
    """

    link: LinkId
    entry: WireEntry
    after: Ticket


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CloseLink:
    """Close a link and tell the other side why."""

    link: LinkId
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Try an address; the outcome comes back as a transport event."""

    dial: DialId
    address: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadEntries:
    """Read a run of entries from the store; comes back as the input EntriesRead."""

    read: ReadId
    author: MachineId
    incarnation: int
    chain: Chain
    first: int
    count_max: int
    bytes_max: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadOrdered:
    """Read entries by their ids, in the chains and beside them; comes back as the input OrderedRead."""

    read: ReadId
    ids: tuple[EntryId, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadCommits:
    """Read what became of the commit numbers from ``first`` on; comes back as the input CommitsRead."""

    read: ReadId
    first: CommitNumber
    count_max: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadBlob:
    """Read a part of a whole blob; comes back as the input BlobRead."""

    read: ReadId
    digest: bytes
    offset: int
    count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeepChunk:
    """Put bytes behind those of a blob that are there; with the last of ``size`` it is verified and made durable.

    Comes back as the input ChunkKept. Chunks of one blob are kept in the order of these effects.
    """

    digest: bytes
    size: int
    offset: int
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DropBlob:
    """Remove a blob, whole or not, once ``after`` is durable. It may not be there."""

    digest: bytes
    after: Ticket


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer a request once ``after`` is durable. ``result`` is a JSON-compatible object, or the error."""

    request: RequestId
    result: dict[str, object] | RoosyncError
    after: Ticket


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Something for the event stream, once ``after`` is durable. ``data`` is JSON-compatible."""

    event: str
    data: dict[str, object]
    after: Ticket


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishFiles:
    """Put files into the shared folder once ``after`` is durable, then remove others; answered by FilesPublished.

    One folder job is out at a time: the next one is only asked for when this one was answered.
    """

    job: FolderJobId
    fleet: FleetId
    files: tuple[tuple[str, bytes], ...]
    removed: tuple[str, ...]
    after: Ticket


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LookIntoFolder:
    """List the shared folder and read what is wanted; answered by FolderLooked."""

    job: FolderJobId
    wanted: Wanted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlobToFolder:
    """Copy a whole blob into the shared folder once ``after`` is durable; a folder job, answered by FilesPublished."""

    job: FolderJobId
    fleet: FleetId
    path: str
    digest: bytes
    size: int
    after: Ticket


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlobFromFolder:
    """Copy a slice of a file of the shared folder behind the bytes of a blob; a folder job.

    Answered by FolderBlobRead.
    """

    job: FolderJobId
    fleet: FleetId
    path: str
    digest: bytes
    size: int
    offset: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstallCertificate:
    """This machine has another certificate: keep it once ``after`` is durable, and show it on later links. DER.

    ``rotates``: it is for the next key, which waits on the disk and is this machine's from now on.
    """

    leaf: bytes
    issuer: bytes
    rotates: bool = False
    after: Ticket = Ticket(0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The node has said farewell; the process may end."""

    reason: str


Effect: TypeAlias = (
    Persist
    | Send
    | Push
    | CloseLink
    | Dial
    | ReadEntries
    | ReadOrdered
    | ReadCommits
    | ReadBlob
    | KeepChunk
    | DropBlob
    | Answer
    | Notify
    | PublishFiles
    | LookIntoFolder
    | BlobToFolder
    | BlobFromFolder
    | InstallCertificate
    | Stop
)

# Each has a ticket in ``after``.
REPORTS: Final = Send | Push | Answer | Notify | PublishFiles | BlobToFolder | InstallCertificate | DropBlob
