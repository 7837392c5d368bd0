"""What a sender waits to hear of a message, and what it is told when that does not come (docs/protocol/messages.md §8).

A watch is one message with the recipients that are not done with it. It is judged by the sender's wall clock and by
what is known here: pure values, so that a test can say what the time is. A recipient is done when it acted or declined;
or, where no answer is wanted any more, when it has read the message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.records import Record
from roosync_p2p.ids import Address, MachineId, parse_address
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.mailbox.receipts import ANSWERS, EXPIRED, READ
from roosync_p2p.mailbox.states import BOUNCED

__all__ = ["OVERDUE", "UNREAD", "Judged", "Verdict", "Watch", "begin_watch", "due_ms", "hear", "judge", "machine_of"]

OVERDUE: Final = "overdue"
UNREAD: Final = "unread"
_LIFE_MS: Final = round(limits.UNREAD_LIFE_S * 1000)


class Watch(Record, frozen=True, kw_only=True):
    """One message that was sent from here.

    Attributes:
        waiting: by recipient the furthest that it has said: nothing yet (empty), ``read``, or ``expired``.
        expires_ms, ack_by_ms, unread_ms: wall time by which it is judged; 0 for never, or once it was.
    """

    id: str
    subject: str
    thread: str
    workspace: str
    sent_ms: int
    incarnation: int
    sequence: int
    waiting: dict[str, str]
    expires_ms: int = 0
    ack_by_ms: int = 0
    unread_ms: int = 0
    escalate: str = ""


class Verdict(NamedTuple):
    """Something that the sender is told: ``expired``, ``bounced``, ``overdue`` or ``unread``, of whom."""

    what: str
    recipients: tuple[str, ...]


class Judged(NamedTuple):
    """What the sender is told now, and the watch that goes on, None if nothing is waited for any more."""

    verdicts: tuple[Verdict, ...]
    watch: Watch | None


def begin_watch(
    message: MessageBody, recipients: Iterable[str], *, sent_ms: int, incarnation: int, sequence: int
) -> Watch | None:
    """The watch over a message that was just written; None if it has no recipients."""
    waiting = dict.fromkeys(recipients, "")
    if not waiting:
        return None
    return Watch(
        id=message.id,
        subject=message.subject,
        thread=message.thread_id,
        workspace=message.workspace or "",
        sent_ms=sent_ms,
        incarnation=incarnation,
        sequence=sequence,
        waiting=waiting,
        expires_ms=message.expires_ms,
        ack_by_ms=message.ack_by_ms,
        unread_ms=sent_ms + _LIFE_MS,
        escalate=message.escalate,
    )


def hear(watch: Watch, reader: MachineId, workspace: str, state: str) -> Watch | None:
    """A recipient said something; None if nothing is waited for any more."""
    name = str(Address(reader, workspace or None))
    if name not in watch.waiting:
        return watch
    waiting = dict(watch.waiting)
    done = state in ANSWERS or (state == READ and not watch.ack_by_ms)
    if done:
        del waiting[name]
    elif state == READ or (state == EXPIRED and not waiting[name]):
        waiting[name] = state
    return _with(watch, waiting)


def due_ms(watch: Watch) -> int:
    """When it has to be judged next, if nothing else happens."""
    if EXPIRED in watch.waiting.values():
        return 0
    times = (watch.expires_ms, watch.ack_by_ms, watch.unread_ms)
    return min((time_ms for time_ms in times if time_ms), default=limits.WALL_MS_MAX)


def judge(
    watch: Watch, *, now_ms: int, delivered: Callable[[MachineId], bool], gone: Callable[[MachineId], bool]
) -> Judged:
    """What the sender has to be told of it now."""
    waiting = dict(watch.waiting)
    verdicts: list[Verdict] = []

    def tell(what: str, names: Iterable[str], *, ends: bool = True) -> None:
        found = tuple(sorted(names))
        if found:
            verdicts.append(Verdict(what, found))
        for name in found if ends else ():
            del waiting[name]

    tell(BOUNCED, [name for name, said in waiting.items() if not said and gone(machine_of(name))])
    late = 0 < watch.expires_ms <= now_ms
    tell(
        EXPIRED,
        [
            name
            for name, said in waiting.items()
            if said == EXPIRED or (late and not said and not delivered(machine_of(name)))
        ],
    )
    overdue = 0 < watch.ack_by_ms <= now_ms
    if overdue:
        tell(OVERDUE, waiting, ends=False)
        waiting = {name: said for name, said in waiting.items() if not said}
    lived = 0 < watch.unread_ms <= now_ms
    if lived:
        tell(UNREAD, [name for name, said in waiting.items() if not said])
    changed = msgspec.structs.replace(
        watch,
        expires_ms=0 if late else watch.expires_ms,
        ack_by_ms=0 if overdue else watch.ack_by_ms,
        unread_ms=0 if lived else watch.unread_ms,
    )
    return Judged(tuple(verdicts), _with(changed, waiting))


def machine_of(recipient: str) -> MachineId:
    """The machine of a recipient."""
    return MachineId(parse_address(recipient).machine)


def _with(watch: Watch, waiting: dict[str, str]) -> Watch | None:
    return msgspec.structs.replace(watch, waiting=waiting) if waiting else None
