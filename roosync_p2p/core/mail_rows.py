"""Rows of the mailbox beside messages, deliveries and receipts (docs/protocol/store.md §3.5)."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from roosync_p2p.ids import EntryId, MachineId

__all__ = ["AmendmentRow", "BodyDropRow", "KeptRow", "MailRow", "WatchRow", "WordsRow"]


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
    """Removes a message's body, those of its amendments that count, and what search found in them; headers stay."""

    message: EntryId


MailRow: TypeAlias = KeptRow | AmendmentRow | WordsRow | WatchRow | BodyDropRow
