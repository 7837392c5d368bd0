"""What a message is: the body of a ``message`` entry (docs/protocol/messages.md §1).

Who sent it and when is in the signed header, never in here. Nothing is addressed by parsing text, and no body grants
authority.
"""

from __future__ import annotations

import re
from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode
from roosync_p2p.errors import MalformedError
from roosync_p2p.ids import Address, MachineId, MessageId, parse_address, parse_message_id
from roosync_p2p.mailbox.attachments import Attachment, check_attachments
from roosync_p2p.mailbox.sealed import SEALED_SUBJECT

__all__ = ["KIND", "PRIORITIES", "TYPES", "MessageBody", "check_message", "decode_message", "is_type", "reply_subject"]

KIND: Final = "message"
PRIORITIES: Final = ("LOW", "MEDIUM", "HIGH", "URGENT")
TYPES: Final = (
    "text",
    "task",
    "question",
    "answer",
    "status",
    "decision_status",
    "error_report",
    "sync_request",
    "handover",
)

_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RE = re.compile(r"^\s*(re\s*:\s*)+", re.IGNORECASE)


class MessageBody(Record, frozen=True, kw_only=True):
    """``to`` are addresses in canonical form; ``thread`` is empty for a message that begins its own thread.

    ``sealed``: what is for some machines only (:mod:`~roosync_p2p.mailbox.sealed`).
    ``expires_ms`` and ``ack_by_ms`` are of the sender's wall clock, 0 for never. ``escalate`` is an address that is
    told when nobody answered by then. ``session``: in which session of the sender's machine it was written.
    ``commit``: how far the sender had applied the log, which says who was a member; 0 if it did not say.
    """

    id: str
    to: list[str]
    subject: str
    body: str
    type: str = "text"
    priority: str = "MEDIUM"
    tags: tuple[str, ...] = ()
    workspace: str | None = None
    thread: str = ""
    in_reply_to: str | None = None
    expires_ms: int = 0
    ack_by_ms: int = 0
    escalate: str = ""
    session: str = ""
    commit: int = 0
    attachments: tuple[Attachment, ...] = ()
    sealed: bytes = b""

    @property
    def thread_id(self) -> str:
        """The thread it belongs to: of a first message its own id."""
        return self.thread or self.id

    @property
    def message_id(self) -> MessageId:
        """Its id, as users name it."""
        return MessageId(self.id)

    def addresses(self) -> tuple[Address, ...]:
        """To whom it goes."""
        return tuple(parse_address(text) for text in self.to)

    def boxes(self, machine: MachineId) -> tuple[str, ...]:
        """In which inboxes of a machine it belongs: workspace names, "" for the machine's own; none if not for it."""
        return tuple(sorted({a.workspace or "" for a in self.addresses() if a.reaches(machine)}))


def is_type(text: str) -> bool:
    """Whether a message may be of that type."""
    return _TYPE.fullmatch(text) is not None


def decode_message(body: bytes) -> MessageBody:
    """A message from elsewhere.

    Raises:
        MalformedError: it does not parse, or breaks a bound; the entry stays in its chain, and is not shown.
    """
    message = decode(body, MessageBody, size_max=limits.ENTRY_BODY_BYTES_MAX)
    check_message(message)
    return message


def check_message(message: MessageBody) -> None:
    """Bounds of a message, on the way out and on the way in.

    Raises:
        MalformedError: naming the field and its bound.
    """
    parse_message_id(message.id)
    if not 1 <= len(message.to) <= limits.RECIPIENTS_MAX:
        raise _bad("to", f"1 to {limits.RECIPIENTS_MAX} addresses")
    if any(str(parse_address(text)) != text for text in message.to):
        raise _bad("to", "addresses in lower case without spaces")
    if not 1 <= len(message.subject) <= limits.SUBJECT_CHARS_MAX or _CONTROL.search(message.subject):
        raise _bad("subject", f"1 to {limits.SUBJECT_CHARS_MAX} characters on one line")
    if message.priority not in PRIORITIES:
        raise _bad("priority", "one of " + ", ".join(PRIORITIES))
    if not is_type(message.type):
        raise _bad("type", "a word of lower-case letters, such as " + ", ".join(TYPES[:3]))
    if len(message.tags) > limits.TAGS_MAX or not all(
        1 <= len(tag) <= limits.TAG_CHARS_MAX and not _CONTROL.search(tag) for tag in message.tags
    ):
        raise _bad("tags", f"at most {limits.TAGS_MAX} of 1 to {limits.TAG_CHARS_MAX} characters")
    if len(message.thread) > limits.THREAD_ID_CHARS_MAX or _CONTROL.search(message.thread):
        raise _bad("thread", f"at most {limits.THREAD_ID_CHARS_MAX} characters on one line")
    if message.in_reply_to is not None:
        parse_message_id(message.in_reply_to)
    for field, time_ms in (("expires_ms", message.expires_ms), ("ack_by_ms", message.ack_by_ms)):
        if not 0 <= time_ms <= limits.WALL_MS_MAX:
            raise _bad(field, "milliseconds since 1970")
    if not 0 <= message.commit <= limits.NUMBER_MAX:
        raise _bad("commit", "a commit number")
    if message.escalate and str(parse_address(message.escalate)) != message.escalate:
        raise _bad("escalate", "an address in lower case without spaces")
    if len(message.session) > limits.SESSION_CHARS_MAX:
        raise _bad("session", f"at most {limits.SESSION_CHARS_MAX} characters")
    check_attachments(message.attachments, nameless=bool(message.sealed))
    if message.sealed and (message.subject, message.body, message.tags) != (SEALED_SUBJECT, "", ()):
        raise _bad("sealed", "nothing in the open beside it")


def reply_subject(subject: str) -> str:
    """The subject of an answer: exactly one ``Re: ``, however many there were."""
    return "Re: " + _RE.sub("", subject).lstrip()[: limits.SUBJECT_CHARS_MAX - 4]


def _bad(field: str, allowed: str) -> MalformedError:
    return MalformedError(f"{field}: {allowed}", code="bad_message", details={"field": field})
