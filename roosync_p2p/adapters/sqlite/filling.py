"""What a migration makes of the rows that are there, where SQL alone cannot: bodies are canonical msgpack."""

from __future__ import annotations

import sqlite3

from roosync_p2p.errors import MalformedError
from roosync_p2p.mailbox.message import decode_message

__all__ = ["fill_attachments", "fill_words"]


def fill_words(connection: sqlite3.Connection) -> None:
    """Indexes the words of every message with a body; what the disk changed so that it does not parse is left out."""
    found = connection.execute(
        "SELECT messages.no, messages.subject, chains.incarnation, entries.sequence, entries.body"
        " FROM messages JOIN entries ON entries.id = messages.entry JOIN chains ON chains.no = entries.chain_no"
        " WHERE entries.body IS NOT NULL"
    )
    for number, subject, incarnation, sequence, body in found:
        try:
            message = decode_message(body)
        except MalformedError:
            continue
        connection.execute(
            "INSERT INTO words (rowid, subject, body, tags, incarnation, sequence) VALUES (?, ?, ?, ?, ?, ?)",
            (number, subject, message.body, "\n".join(message.tags) or None, incarnation, sequence),
        )


def fill_attachments(connection: sqlite3.Connection) -> None:
    """Notes what messages with a body cite, and which are sealed: a program before this one let that be."""
    found = connection.execute(
        "SELECT messages.entry, entries.body FROM messages JOIN entries ON entries.id = messages.entry"
        " WHERE entries.body IS NOT NULL"
    )
    for entry, body in found:
        try:
            message = decode_message(body)
        except MalformedError:
            continue
        connection.executemany(
            "INSERT INTO attachments (message, number, digest, size) VALUES (?, ?, ?, ?)",
            [(entry, number, one.sha256, one.size) for number, one in enumerate(message.attachments)],
        )
        if message.sealed:
            connection.execute("UPDATE messages SET sealed = 1 WHERE entry = ?", (entry,))
