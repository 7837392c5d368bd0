"""What a node writes to its own users, and to whom a message escalates, about a message (docs/protocol/messages.md §8).

Notices are messages like others: signed, in the thread of the message that they are about, of type ``status``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.ids import Address, MachineId
from roosync_p2p.mailbox.message import MessageBody
from roosync_p2p.mailbox.receipts import EXPIRED
from roosync_p2p.mailbox.states import BOUNCED
from roosync_p2p.mailbox.watches import OVERDUE, UNREAD, Verdict, Watch

__all__ = ["TAG", "UNATTENDED", "escalation", "is_notice", "notice", "unattended"]

TAG: Final = "delivery"  # of every notice; the verdict is its second one
UNATTENDED: Final = "unattended"  # the verdict of a recipient's machine on its own agents (waking.md §2)
_SUBJECTS: Final[Mapping[str, str]] = {
    EXPIRED: "Not delivered in time",
    BOUNCED: "Cannot be delivered",
    OVERDUE: "No answer in time",
    UNREAD: "Unread for too long",
}
_MEANINGS: Final[Mapping[str, str]] = {
    EXPIRED: "Its time was over before they had it, as far as this machine knows, or before anybody was shown it.",
    BOUNCED: "They left the fleet, were retired or were revoked, and had not read it.",
    OVERDUE: "They have neither acted on it nor declined it.",
    UNREAD: f"Nobody there has read it within {limits.UNREAD_LIFE_S / 86_400:.0f} days.",
}


def notice(watch: Watch, verdict: Verdict, *, me: MachineId, id: str, escalated: str) -> MessageBody:  # noqa: A002
    """Tells the sender. ``escalated``: what became of telling somebody else, a sentence or empty."""
    lines = [_about(watch, verdict), _MEANINGS[verdict.what], *([escalated] if escalated else [])]
    return _message(watch, verdict, id=id, to=str(Address(me, watch.workspace or None)), lines=lines)


def escalation(watch: Watch, verdict: Verdict, *, me: MachineId, id: str) -> MessageBody:  # noqa: A002
    """Tells the address that the message names for this."""
    lines = [_about(watch, verdict), _MEANINGS[verdict.what], f"{me} sent it, and asked to tell you."]
    return _message(watch, verdict, id=id, to=watch.escalate, lines=lines)


def unattended(subject: str, *, id: str, sent_ms: int, at: str) -> tuple[str, str]:  # noqa: A002
    """Subject and body with which a recipient's machine tells a sender that nobody took its message.

    Args:
        at: the recipient, as ``machine`` or ``machine:workspace``.
    """
    lines = [
        f"{id} of {rfc3339(sent_ms)}, to {at}: {subject}",
        f"An agent there was woken {limits.WAKES_MAX} times, and nobody took it. It stays in that inbox.",
    ]
    return f"Nobody took it: {subject}"[: limits.SUBJECT_CHARS_MAX], "\n".join(lines)


def is_notice(kind: str, tags: Collection[str]) -> bool:
    """Whether a message is one of these, about which nobody is told anything in turn."""
    return kind == "status" and TAG in tags


def _about(watch: Watch, verdict: Verdict) -> str:
    return f"{watch.id} of {rfc3339(watch.sent_ms)}, to {', '.join(verdict.recipients)}: {watch.subject}"


def _message(watch: Watch, verdict: Verdict, *, id: str, to: str, lines: list[str]) -> MessageBody:  # noqa: A002
    subject = f"{_SUBJECTS[verdict.what]}: {watch.subject}"[: limits.SUBJECT_CHARS_MAX]
    return MessageBody(
        id=id,
        to=[to],
        subject=subject,
        body="\n".join(lines),
        type="status",
        priority="HIGH" if verdict.what == OVERDUE else "MEDIUM",
        tags=(TAG, verdict.what),
        workspace=watch.workspace or None,
        thread=watch.thread,
        in_reply_to=watch.id,
    )
