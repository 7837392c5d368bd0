"""Rows of the mailbox beside messages, deliveries and receipts (docs/protocol/store.md §3.5 and §3.6)."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from roosync_p2p.ids import EntryId, MachineId

__all__ = [
    "AmendmentRow",
    "AttachmentRow",
    "BodyDropRow",
    "Cited",
    "FetchedRow",
    "KeptRow",
    "MailRow",
    "WatchRow",
    "WordsRow",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptRow:
    """Whether a user asked this machine to keep a message for good. Written again it replaces."""

    entry: EntryId
    kept: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AmendmentRow:
    """An entry that gives a message another body. It counts if author and session are those of the message."""

    entry: EntryId
    message: EntryId
    author: MachineId
    session: str
    incarnation: int
    sequence: int
    time_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WordsRow:
    """What search finds a message by, beside subject and tags: the body, as its author wrote or amended it.

    Without effect unless author and session are those of the message, or if a later place of the author's chain has
    said it otherwise.
    """

    message: EntryId
    author: MachineId
    session: str
    incarnation: int
    sequence: int
    body: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WatchRow:
    """What this machine waits to hear of a message that it sent, encoded by ``mailbox.watches``. None: nothing more."""

    entry: EntryId
    data: bytes | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BodyDropRow:
    """Removes a message's body, those of its amendments that count, and what search found in them; headers stay.

    What it cites, and who had fetched that, goes with it.
    """

    message: EntryId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentRow:
    """A message cites a blob, as the one of that number among those it cites. The first writing stays."""

    message: EntryId
    number: int
    digest: bytes
    size: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchedRow:
    """A machine has said that everything a message cites is on its disk. The message may come later."""

    message: EntryId
    machine: MachineId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A message with a body that cites blobs, as a core starts from it; ``blobs`` are (digest, size) in its order."""

    message: EntryId
    author: MachineId
    to: tuple[str, ...]
    time_ms: int
    expires_ms: int
    blobs: tuple[tuple[bytes, int], ...]


MailRow: TypeAlias = KeptRow | AmendmentRow | WordsRow | WatchRow | BodyDropRow | AttachmentRow | FetchedRow
