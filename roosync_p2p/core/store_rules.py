"""What every store decides the same way, so that the fake and the real one cannot drift apart.

Rules: the order of an inbox and its cursor, which statuses a query means, which receipt goes further than another,
what the words of a search are, and how many addresses of one machine are kept (docs/protocol/store.md §3). Pure values,
no storage.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from roosync_p2p import limits
from roosync_p2p.core.ports import InboxQuery, SearchQuery
from roosync_p2p.errors import UsageError
from roosync_p2p.mailbox.amendments import KIND as AMENDMENT
from roosync_p2p.mailbox.message import KIND as MESSAGE

__all__ = [
    "IMPORTANT_BASE",
    "RANK_END",
    "SHOWN_KINDS",
    "STATUSES",
    "PromiseBroken",
    "Term",
    "format_cursor",
    "parse_cursor",
    "queried_limit",
    "queried_statuses",
    "rank_base",
    "receipt_step",
    "searched_terms",
    "tokens",
]


class PromiseBroken(AssertionError):
    """Rows that the core promised never to write, such as two entries for one place; nothing was written."""


SHOWN_KINDS: Final = (MESSAGE, AMENDMENT)  # a user may look such an entry up: it stays when its chain begins above it
STATUSES: Final = ("unread", "read", "archived")

# A delivery's rank is its arrival number, with one high bit for URGENT and HIGH: one integer orders an inbox, and a
# page continues below the last rank shown, however many messages arrived meanwhile. Arrival is counted, not timed:
# a clock that is set back does not bury a new message.
IMPORTANT_BASE: Final = 1 << 62
RANK_END: Final = (1 << 63) - 1  # above every rank, and the largest integer that SQLite stores

_IMPORTANT: Final = frozenset({"URGENT", "HIGH"})
_RECEIPT_STEPS: Final = {"expired": 0, "read": 1, "declined": 2, "acted": 2}
_CURSOR: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


def rank_base(priority: str) -> int:
    """What is added to the arrival number of a message of this priority."""
    return IMPORTANT_BASE if priority in _IMPORTANT else 0


def format_cursor(rank: int) -> str:
    """The ``next`` of a page whose last item has this rank."""
    return str(rank)


def parse_cursor(before: str | None) -> int:
    """The rank below which a page begins; above every rank for the first page.

    Raises:
        UsageError: the text is no ``next`` of ours (``bad_cursor``).
    """
    if before is None:
        return RANK_END
    if not _CURSOR.fullmatch(before) or int(before) > RANK_END:
        raise UsageError(
            f"{before[:40]!r} does not continue an inbox page",
            code="bad_cursor",
            remedy="pass the `next` of the page before, unchanged",
        )
    return int(before)


def queried_statuses(query: InboxQuery) -> tuple[str, ...]:
    """The statuses that the query wants to see.

    Raises:
        UsageError: no such status (``bad_status``).
    """
    if query.status is None:
        return ("unread", "read")
    if query.status == "all":
        return STATUSES
    if query.status not in STATUSES:
        raise UsageError(
            f"{query.status[:40]!r} is not a status; there are unread, read, archived and all", code="bad_status"
        )
    return (query.status,)


def queried_limit(query: InboxQuery | SearchQuery) -> int:
    """How many items the page holds at most.

    Raises:
        UsageError: less than one, or more than ``limits.INBOX_PAGE_MAX`` (``bad_limit``).
    """
    if not 1 <= query.limit <= limits.INBOX_PAGE_MAX:
        raise UsageError(f"a page holds 1 to {limits.INBOX_PAGE_MAX} messages, not {query.limit}", code="bad_limit")
    return query.limit


def receipt_step(state: str) -> int:
    """How far a recipient got; of two receipts the larger step stays, of equal ones the first.

    Raises:
        PromiseBroken: no such state; the core parses receipts before it writes them.
    """
    if state not in _RECEIPT_STEPS:
        raise PromiseBroken(f"{state!r} is not the state of a receipt")
    return _RECEIPT_STEPS[state]


class Term(NamedTuple):
    """One word of a search: its tokens stand together in a text. ``prefix``: the last one may go on."""

    tokens: tuple[str, ...]
    prefix: bool


def tokens(text: str) -> list[str]:
    """Runs of letters and digits without case and accents, as SQLite's ``unicode61 remove_diacritics 2`` has them."""
    plain = (character for character in unicodedata.normalize("NFD", text) if unicodedata.category(character) != "Mn")
    kept = (c.lower() if unicodedata.category(c)[0] in "LN" or unicodedata.category(c) == "Co" else " " for c in plain)
    return "".join(kept).split()


def searched_terms(words: str) -> list[Term]:
    """What a search looks for.

    Raises:
        UsageError: there is no letter or digit in it, or it has too many words (``bad_search``).
    """
    terms = [Term(tuple(tokens(word)), word.endswith("*")) for word in words.split()]
    found = [term for term in terms if term.tokens]
    if not 1 <= len(found) <= limits.SEARCH_WORDS_MAX:
        raise UsageError(
            f"a search is 1 to {limits.SEARCH_WORDS_MAX} words with letters or digits",
            code="bad_search",
            remedy='such as: roosync search réunion "config-sync" écur*',
        )
    return found
