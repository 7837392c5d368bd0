"""Rows for tests of stores: plain ones by hand, random ones from few names so that they meet."""

from __future__ import annotations

import dataclasses
import hashlib

from hypothesis import strategies as st

from roosync_p2p.core.mail_rows import AmendmentRow, BodyDropRow, KeptRow, WatchRow, WordsRow
from roosync_p2p.core.rows import (
    AddressRow,
    ChainFloorRow,
    DeliveryRow,
    EntryRow,
    ForkRow,
    IdempotencyRow,
    InviteRow,
    MemberRow,
    MessageRow,
    MetaRow,
    PendingRow,
    ReceiptRow,
    RecordRow,
    Row,
)
from roosync_p2p.ids import Chain, EntryId, KeyId, MachineId, MessageId

__all__ = [
    "AUTHORS",
    "CHAINS",
    "MESSAGE_IDS",
    "THREADS",
    "WORKSPACES",
    "delivery",
    "entry",
    "entry_id",
    "mail",
    "message",
    "row_groups",
]

AUTHORS = (MachineId("myia-ai-01"), MachineId("myia-po-2024"))
CHAINS = (Chain("mail"), Chain("ledger"))
WORKSPACES = ("", "roo-extensions", "Épargne – été")
THREADS = ("t-1", "t-2")
MESSAGE_IDS = (MessageId("msg-20260115T091530-a1b2c3"), MessageId("msg-20260115T091531-d4e5f6"))
PRIORITIES = ("LOW", "MEDIUM", "HIGH", "URGENT")
STATUSES = ("unread", "read", "archived")
TYPES = ("text", "task")


def entry_id(*parts: object) -> EntryId:
    """An id that is the same for the same parts."""
    return EntryId(hashlib.sha256(repr(parts).encode()).digest())


def entry(sequence: int, author: MachineId = AUTHORS[0], chain: Chain = CHAINS[0], body: bytes = b"body") -> EntryRow:
    """The entry at one place."""
    return EntryRow(
        author=author,
        incarnation=1,
        chain=chain,
        sequence=sequence,
        id=entry_id(author, chain, sequence),
        kind="mail.message",
        header=b"header %d" % sequence,
        body=body,
        received_ms=1_700_000_000_000 + sequence,
    )


def message(number: int, priority: str = "MEDIUM", author: MachineId = AUTHORS[0], thread: str = "t-1") -> MessageRow:
    """The message of ``entry(number)``."""
    return MessageRow(
        entry=entry_id(author, CHAINS[0], number),
        message_id=MessageId(f"msg-20260115T091530-{number:06d}"),
        author=author,
        workspace=None,
        time_ms=1_700_000_000_000 + number,
        to=("myia-po-2024", "all:roo-extensions"),
        subject=f"Objet n° {number}",
        type="text",
        priority=priority,
        tags=("a", "é"),
        thread_id=thread,
        in_reply_to=None,
    )


def delivery(
    number: int, workspace: str = "", status: str = "unread", at_ms: int = 0, author: MachineId = AUTHORS[0]
) -> DeliveryRow:
    """``message(number)`` in one inbox."""
    return DeliveryRow(
        entry=entry_id(author, CHAINS[0], number),
        workspace=workspace,
        status=status,
        arrived_ms=at_ms,
        changed_ms=at_ms,
    )


def mail(number: int, priority: str = "MEDIUM", workspace: str = "") -> list[Row]:
    """What the core writes when a message arrives."""
    return [entry(number), message(number, priority), delivery(number, workspace, at_ms=number)]


# --- random rows ----------------------------------------------------------------------------------------------------

_small = st.integers(0, 3)
_blob = st.binary(max_size=3)
_author = st.sampled_from(AUTHORS)
_workspace = st.sampled_from(WORKSPACES)
_message = st.tuples(_small, _author)


def _message_row(
    key: tuple[int, MachineId], message_id: MessageId, priority: str, thread: str, tags: tuple[str, ...], session: str
) -> MessageRow:
    number, author = key
    return MessageRow(
        entry=entry_id(author, CHAINS[0], number),
        message_id=message_id,
        author=author,
        workspace=None if number % 2 else "roo-extensions",
        time_ms=number // 2,
        to=("all",) * number,
        subject="Sujet d'été",
        type=TYPES[number % 2],
        priority=priority,
        tags=tags,
        thread_id=thread,
        in_reply_to=message_id if number % 2 else None,
        expires_ms=number,
        session=session,
    )


_session = st.sampled_from(("", "s"))
_faces = st.builds(
    _message_row,
    _message,
    st.sampled_from(MESSAGE_IDS),
    st.sampled_from(PRIORITIES),
    st.sampled_from(THREADS),
    st.sampled_from(((), ("a",), ("a", "épargne", "a"), ("deux mots",))),
    _session,
)


@st.composite
def _deliveries(draw: st.DrawFn) -> list[Row]:
    face = draw(_faces)
    row = DeliveryRow(
        entry=face.entry,
        workspace=draw(_workspace),
        status=draw(st.sampled_from(STATUSES)),
        arrived_ms=draw(_small),
        changed_ms=draw(_small),
    )
    return draw(st.permutations([face, row]))


@st.composite
def _addresses(draw: st.DrawFn) -> list[Row]:
    machine = draw(_author)
    ports = draw(st.lists(st.integers(1, 40), min_size=1, max_size=20))
    seen = draw(st.integers(0, 50))
    return [AddressRow(machine=machine, address=f"10.0.0.1:{port}", seen_ms=seen + port % 7) for port in ports]


_singles = st.one_of(
    st.builds(MetaRow, key=st.sampled_from(("start", "store", "clé")), value=st.none() | _blob),
    st.builds(MemberRow, machine=_author, key_id=_blob.map(KeyId), leaf=_blob, issuer=_blob),
    st.builds(
        RecordRow,
        kind=st.sampled_from(("frontier", "presence")),
        author=_author,
        subject=st.sampled_from(("", "s")),
        start=_small,
        counter=_small,
        envelope=_blob,
    ),
    st.builds(
        ForkRow,
        author=_author,
        incarnation=st.just(1),
        chain=st.sampled_from(CHAINS),
        sequence=_small,
        first=_blob,
        second=_blob,
    ),
    st.builds(
        ReceiptRow,
        message=_message.map(lambda key: entry_id(key[1], CHAINS[0], key[0])),
        reader=_author,
        workspace=_workspace,
        state=st.sampled_from(("expired", "read", "acted", "declined")),
        time_ms=_small,
        note=st.sampled_from(("", "déjà fait")),
    ),
    st.builds(
        IdempotencyRow,
        key=st.sampled_from(("k1", "k2")),
        request=_blob,
        entry=_small.map(entry_id),
        message_id=st.sampled_from(MESSAGE_IDS),
    ),
    st.builds(InviteRow, invite_id=st.sampled_from((b"i1", b"i2")), data=st.none() | _blob),
    st.builds(PendingRow, number=_small, kind=st.sampled_from(("a", "b")), body=st.none() | _blob),
)


@st.composite
def _runs(draw: st.DrawFn) -> list[Row]:
    """The beginning of a chain: written again and again it stays one chain without gaps."""
    author, chain = draw(_author), draw(st.sampled_from(CHAINS))
    return [
        dataclasses.replace(entry(sequence, author, chain), body=draw(st.none() | _blob))
        for sequence in range(1, draw(st.integers(1, 6)) + 1)
    ]


_mail_entry = _message.map(lambda key: entry_id(key[1], CHAINS[0], key[0]))
_mail_rows: st.SearchStrategy[Row] = st.one_of(
    st.builds(KeptRow, entry=_mail_entry, kept=st.booleans()),
    st.builds(WatchRow, entry=_mail_entry, data=st.none() | _blob),
    st.builds(
        AmendmentRow,
        entry=_small.map(lambda number: entry_id("amendment", number)) | _mail_entry,
        message=_mail_entry,
        author=_author,
        session=_session,
        incarnation=st.just(1),
        sequence=_small,
        time_ms=_small,
    ),
    st.builds(
        WordsRow,
        message=_mail_entry,
        author=_author,
        session=_session,
        incarnation=st.just(1),
        sequence=_small,
        body=st.text("aéèœÉ ß-_\"'*9²\n\0", max_size=8) | st.sampled_from(("la réunion", "Réunion de l'écurie")),
    ),
    st.builds(BodyDropRow, message=_mail_entry),
)

_floors = st.builds(
    ChainFloorRow,
    author=st.sampled_from(AUTHORS),
    incarnation=st.just(1),
    chain=st.just(CHAINS[0]),
    first=st.integers(1, 5),
)

row_groups: st.SearchStrategy[list[Row]] = st.one_of(
    _singles.map(lambda row: [row]),
    _runs(),
    _faces.map(lambda row: [row]),
    _deliveries(),
    _addresses(),
    _mail_rows.map(lambda row: [row]),
    _floors.map(lambda row: [row]),
)
"""A few rows that belong together, in their order."""
