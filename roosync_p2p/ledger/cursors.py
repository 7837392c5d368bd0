"""Exactly once: which entry of an author is next (docs/protocol/ledger.md §3).

The ledger holds a cursor for each author: the last of its entries that got a number. Only the entry right behind it
gets the next one. It must also name the cursor's entry as its predecessor, so of a forked chain only the branch that
was ordered goes on. A countersigned first entry of a later incarnation is next wherever the cursor stands.

An entry that is not next gets no number, and so no outcome. Some such entries wait: they are next as soon as
something else is ordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec

from roosync_p2p.entries.entry import CHAIN_START, LEDGER, Entry
from roosync_p2p.entries.incarnations import read_chain_start
from roosync_p2p.errors import PeerFault
from roosync_p2p.ledger.register import MemberState, Register, register_of
from roosync_p2p.ledger.state import Reader, State
from roosync_p2p.ledger.stored import read, stored

__all__ = ["Cursor", "Take", "cursor_key", "cursor_of", "moved", "takes"]


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last entry of an author that got a number; (1, 0) before the first."""

    incarnation: int = 1
    sequence: int = 0
    id: bytes = b""

    @property
    def place(self) -> tuple[int, int]:
        """(incarnation, sequence)."""
        return self.incarnation, self.sequence


_BEFORE_THE_FIRST: Final = Cursor()


class Take(Enum):
    """Whether an entry gets the next commit number."""

    NEXT = "next"
    DUPLICATE = "duplicate"  # at or below the cursor: it had its number, or lost it to another entry
    GAP = "gap"  # something before it has no number yet; it waits
    UNKNOWN_AUTHOR = "unknown_author"  # not admitted yet, under this key: it waits; or out, and beyond what counts
    OTHER_BRANCH = "other_branch"  # behind the cursor, and its predecessor is another than the cursor's entry
    NOT_COUNTERSIGNED = "not_countersigned"  # begins an incarnation, and nobody in the register vouches for that


def cursor_key(author: str) -> str:
    """State key of an author's cursor."""
    return f"cursor/{author}"


def cursor_of(reader: Reader, author: str) -> Cursor:
    """The cursor of an author."""
    data = reader.get(cursor_key(author))
    return _BEFORE_THE_FIRST if data is None else read(data, Cursor)


def moved(entry: Entry) -> Mapping[str, bytes]:
    """The change that moves an author's cursor onto an entry. All that ordering itself does."""
    header = entry.header
    cursor = Cursor(header.incarnation, header.sequence, entry.id)
    return {cursor_key(header.author): stored(cursor)}


def takes(state: State, entry: Entry, *, root: bytes) -> Take:
    """Whether an entry is the next of its author.

    The caller has verified signature and body. To look ahead over entries that are not applied yet, use this on
    ``state.with_changes(moved(entry))``.

    Args:
        entry: of a ledger chain; the body is read only where it begins a later incarnation.
        root: the fleet's root certificate, DER.
    """
    assert entry.chain == LEDGER
    author, place = entry.header.author, (entry.header.incarnation, entry.header.sequence)
    register = register_of(state, root)
    cursor = cursor_of(state, author)
    if place <= cursor.place:
        return Take.DUPLICATE
    if not _may_count(register, entry, place):
        return Take.UNKNOWN_AUTHOR
    settled = state.get(settled_key(author, *place))
    if settled is not None and settled != stored(entry.id):
        return Take.OTHER_BRANCH
    if place == (cursor.incarnation, cursor.sequence + 1):
        return Take.NEXT if entry.header.previous == cursor.id else Take.OTHER_BRANCH
    if place[0] == cursor.incarnation or entry.header.kind != CHAIN_START:
        return Take.GAP
    return Take.NEXT if _countersigned(register, entry) else Take.NOT_COUNTERSIGNED


def settled_key(author: str, incarnation: int, sequence: int) -> str:
    """State key of the id that is kept in one place of a ledger chain that was forked."""
    return f"settled/{author}/{incarnation}/{sequence}"


def _may_count(register: Register, entry: Entry, place: tuple[int, int]) -> bool:
    if register.fleet is None:
        return True  # the founder founds with its second entry
    member: MemberState | None = register.members.get(entry.header.author)
    if member is None or (member.ended and place > member.cut):
        return False
    return register.signs(entry.header.author, entry.raw, place)


def _countersigned(register: Register, entry: Entry) -> bool:
    if entry.body is None:
        return False
    try:
        read_chain_start(entry, register.root_directory)
    except PeerFault:
        return False
    return True
