"""Another body for a message: the body of an ``amendment`` entry (docs/protocol/messages.md §6).

It counts if the author of the message signed it and, where the message was written in a session, in that session. What
was read stays readable: an amendment hides nothing.
"""

from __future__ import annotations

from typing import Final

from roosync_p2p import limits
from roosync_p2p.codec.records import Record, decode
from roosync_p2p.errors import MalformedError

__all__ = ["KIND", "Amendment", "check_amendment", "decode_amendment"]

KIND: Final = "amendment"


class Amendment(Record, frozen=True, kw_only=True):
    """``message`` is the entry id of the message."""

    message: bytes
    body: str
    reason: str = ""
    session: str = ""


def decode_amendment(body: bytes) -> Amendment:
    """An amendment from elsewhere.

    Raises:
        MalformedError: it does not parse, or breaks a bound.
    """
    amendment = decode(body, Amendment, size_max=limits.ENTRY_BODY_BYTES_MAX)
    check_amendment(amendment)
    return amendment


def check_amendment(amendment: Amendment) -> None:
    """Bounds of an amendment, on the way out and on the way in.

    Raises:
        MalformedError: it breaks one.
    """
    if (
        len(amendment.message) != 32
        or len(amendment.reason) > limits.NOTE_CHARS_MAX
        or len(amendment.session) > limits.SESSION_CHARS_MAX
    ):
        raise MalformedError("an amendment breaks its bounds", code="bad_amendment")
