"""The tables of the in-memory store for the mailbox beside messages, deliveries and receipts.

Part of :mod:`~roosync_p2p.core.memory_tables`. Search looks at every message: the naive twin of an index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from roosync_p2p.core.mail_rows import (
    AmendmentRow,
    AttachmentRow,
    BodyDropRow,
    Cited,
    FetchedRow,
    KeptRow,
    MailRow,
    WatchRow,
    WordsRow,
)
from roosync_p2p.core.ports import InboxItem, InboxQuery, SearchPage, SearchQuery
from roosync_p2p.core.rows import MessageRow
from roosync_p2p.core.store_rules import Term, format_cursor, parse_cursor, queried_limit, searched_terms, tokens
from roosync_p2p.ids import EntryId, MachineId

__all__ = ["MailTables", "wanted"]

_BETWEEN: Final = " "  # tokens have no blanks in them


class MailTables:
    """The rows of the mailbox by their keys. ``messages`` are those of the tables that this is a part of."""

    def __init__(self) -> None:
        self.kept: set[EntryId] = set()
        self.amendments: dict[EntryId, AmendmentRow] = {}
        self.words: dict[EntryId, WordsRow] = {}  # by message
        self.watches: dict[EntryId, WatchRow] = {}
        self.dropped: set[EntryId] = set()
        self.attachments: dict[EntryId, dict[int, AttachmentRow]] = {}  # by message and number
        self.fetched: set[tuple[EntryId, MachineId]] = set()

    def copy(self) -> MailTables:
        """Independent tables with the same rows."""
        twin = MailTables()
        twin.kept = set(self.kept)
        twin.amendments = dict(self.amendments)
        twin.words = dict(self.words)
        twin.watches = dict(self.watches)
        twin.dropped = set(self.dropped)
        twin.attachments = {message: dict(rows) for message, rows in self.attachments.items()}
        twin.fetched = set(self.fetched)
        return twin

    def apply(self, row: MailRow, messages: Mapping[EntryId, MessageRow], drop_body: Callable[[EntryId], None]) -> None:
        """Keeps one row. ``drop_body`` removes the body of an entry."""
        match row:
            case KeptRow(entry=entry, kept=True):
                self.kept.add(entry)
            case KeptRow(entry=entry):
                self.kept.discard(entry)
            case AmendmentRow():
                self.amendments.setdefault(row.entry, row)
            case WordsRow():
                self._put_words(row, messages)
            case WatchRow(entry=entry, data=None):
                self.watches.pop(entry, None)
            case WatchRow():
                self.watches[row.entry] = row
            case AttachmentRow():
                self.attachments.setdefault(row.message, {}).setdefault(row.number, row)
            case FetchedRow():
                self.fetched.add((row.message, row.machine))
            case BodyDropRow(message=message):
                self.attachments.pop(message, None)
                self.fetched = {pair for pair in self.fetched if pair[0] != message}
                if message in messages:
                    self.dropped.add(message)
                for entry in (message, *(amendment.entry for amendment in self.counting(message, messages))):
                    drop_body(entry)
                if message in self.words:
                    self.words[message] = _silenced(self.words[message])

    def _put_words(self, row: WordsRow, messages: Mapping[EntryId, MessageRow]) -> None:
        message = messages.get(row.message)
        if message is None or (message.author, message.session) != (row.author, row.session):
            return
        known = self.words.get(row.message)
        if known is None or (known.incarnation, known.sequence) < (row.incarnation, row.sequence):
            self.words[row.message] = row

    def counting(self, message: EntryId, messages: Mapping[EntryId, MessageRow]) -> list[AmendmentRow]:
        """The amendments of a message that count, in the order of its author's chain."""
        of = messages.get(message)
        found = [
            row
            for row in self.amendments.values()
            if row.message == message and of is not None and (row.author, row.session) == (of.author, of.session)
        ]
        return sorted(found, key=lambda row: (row.incarnation, row.sequence, row.entry))

    def watch_rows(self) -> tuple[WatchRow, ...]:
        """By entry."""
        return tuple(self.watches[entry] for entry in sorted(self.watches))

    def cited(self, messages: Mapping[EntryId, MessageRow]) -> tuple[Cited, ...]:
        """The messages that cite blobs, by entry."""
        return tuple(
            Cited(
                message=entry,
                author=messages[entry].author,
                to=messages[entry].to,
                time_ms=messages[entry].time_ms,
                expires_ms=messages[entry].expires_ms,
                blobs=tuple((rows[number].digest, rows[number].size) for number in sorted(rows)),
            )
            for entry, rows in sorted(self.attachments.items())
        )

    def fetched_rows(self) -> tuple[FetchedRow, ...]:
        """By entry, then machine."""
        return tuple(FetchedRow(message=message, machine=machine) for message, machine in sorted(self.fetched))

    def search(
        self, query: SearchQuery, messages: Mapping[EntryId, MessageRow], delivered: Callable[[EntryId], bool]
    ) -> SearchPage:
        """One page; ``messages`` in the order in which they came."""
        limit, below, terms = queried_limit(query), parse_cursor(query.before), searched_terms(query.words)
        found = [
            (number, row)
            for number, row in enumerate(messages.values(), 1)
            if number < below
            and row.entry in self.words
            and (row.author == query.mine or delivered(row.entry))
            and all(_holds(row, self.words[row.entry].body, term) for term in terms)
        ][::-1]
        return SearchPage(
            messages=tuple(row for _, row in found[:limit]),
            next=format_cursor(found[limit - 1][0]) if len(found) > limit else None,
        )


def wanted(item: InboxItem, query: InboxQuery) -> bool:
    """Whether a message passes the filters of a query beside inbox, status and page."""
    message = item.message
    return (
        query.sender in (None, message.author)
        and query.thread_id in (None, message.thread_id)
        and query.priority in (None, message.priority)
        and query.type in (None, message.type)
        and (query.tag is None or query.tag in message.tags)
        and (query.since_ms is None or message.time_ms >= query.since_ms)
        and (query.until_ms is None or message.time_ms < query.until_ms)
    )


def _holds(row: MessageRow, body: str, term: Term) -> bool:
    """Whether the tokens of a term stand together in one of the texts."""
    sought = _BETWEEN + _BETWEEN.join(term.tokens) + ("" if term.prefix else _BETWEEN)
    texts = (row.subject, body, "\n".join(row.tags))
    return any(sought in _BETWEEN + _BETWEEN.join(tokens(text)) + _BETWEEN for text in texts)


def _silenced(row: WordsRow) -> WordsRow:
    return WordsRow(
        message=row.message,
        author=row.author,
        session=row.session,
        incarnation=row.incarnation,
        sequence=row.sequence,
        body="",
    )
