"""What age asks for, of messages and of whole chains (docs/protocol/messages.md §9). Reads only; the core does it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.records import decode
from roosync_p2p.core.mail_commands import Outlived
from roosync_p2p.core.ports import AgedQuery, Reader
from roosync_p2p.core.rows import EntryRow
from roosync_p2p.entries.entry import CHAIN_START, MAIL, Header
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.decision_state import decision_of, live_decisions
from roosync_p2p.ledger.state import Reader as StateReader
from roosync_p2p.mailbox.amendments import KIND as AMENDMENT
from roosync_p2p.mailbox.message import KIND as MESSAGE
from roosync_p2p.mailbox.receipts import KIND as RECEIPT
from roosync_p2p.trust.envelopes import parse_envelope

__all__ = ["MAIL_LIFE_S", "ages", "cited_messages", "outlived"]

MAIL_LIFE_S: Final = limits.UNREAD_LIFE_S + limits.READ_LIFE_S + limits.ARCHIVED_LIFE_S
_MESSAGE_ID: Final = re.compile(r"msg-[0-9]{8}T[0-9]{6}-[a-z0-9]{1,32}")


def ages(me: MachineId, now_ms: int, *, drops: bool, cited: tuple[str, ...]) -> AgedQuery:
    """The ages of §9 as wall times. ``drops``: whether bodies go at all."""

    def ago_ms(seconds: float) -> int:
        return now_ms - round(seconds * 1000)

    # What is in no inbox here may lie unread, read and archived elsewhere for so long.
    return AgedQuery(
        mine=me,
        read_ms=ago_ms(limits.READ_LIFE_S),
        unread_ms=ago_ms(limits.UNREAD_LIFE_S),
        shown_ms=ago_ms(limits.UNREAD_SHOWN_S),
        archived_ms=ago_ms(limits.ARCHIVED_LIFE_S) if drops else -1,
        elsewhere_ms=ago_ms(MAIL_LIFE_S) if drops else -1,
        cited=cited,
        limit=limits.RETENTION_BATCH_MAX,
    )


def cited_messages(state: StateReader) -> tuple[str, ...]:
    """Ids of the messages that title or description of an open decision names."""
    found: set[str] = set()
    for name, live in live_decisions(state):
        decision = decision_of(state, name)
        if not live.effect and decision is not None:
            found.update(_MESSAGE_ID.findall(f"{decision.title} {decision.description}"))
    return tuple(sorted(found))


def outlived(reader: Reader, query: AgedQuery, runs: Iterable[tuple[int, int, int]]) -> tuple[Outlived, ...]:
    """For each own chain of mail, the first entry that is still wanted, where that is not the one it begins with.

    Nothing before it has to be kept by its age: messages and amendments have no body here any more, so retention found
    none of them exempt; receipts are as old as the mail that they speak of gets.

    Args:
        runs: what is held of own mail, as ``Exchange.own_mail`` says.
    """
    found = [_outlived(reader, query, incarnation, floor, head) for incarnation, floor, head in runs]
    return tuple(one for one in found if one is not None)


def _outlived(reader: Reader, query: AgedQuery, incarnation: int, floor: int, head: int) -> Outlived | None:
    first = floor
    looked_until = min(head, floor + limits.FLOOR_LOOKED_MAX)
    while first < looked_until:
        rows = reader.entries(
            query.mine,
            incarnation,
            MAIL,
            first,
            count_max=min(limits.ENTRIES_PER_FRAME_MAX, looked_until - first),
            bytes_max=limits.ENTRIES_FRAME_BYTES_TARGET,
        )
        gone = next((at for at, row in enumerate(rows) if not _is_over(row, query.elsewhere_ms)), len(rows))
        first += gone
        if gone < len(rows) or not rows:
            break
    return None if first == floor else Outlived(incarnation=incarnation, first=first)


def _is_over(row: EntryRow, before_ms: int) -> bool:
    """Whether nobody wants an entry for its content. What a newer program wrote is for a newer program to judge."""
    bare = row.kind in (MESSAGE, AMENDMENT) and row.body is None
    return (bare or row.kind in (CHAIN_START, RECEIPT)) and max(row.received_ms, _signed_ms(row)) <= before_ms


def _signed_ms(row: EntryRow) -> int:
    payload = parse_envelope(row.header, size_max=limits.ENTRY_HEADER_BYTES_MAX).payload
    return decode(payload, Header).time_ms
