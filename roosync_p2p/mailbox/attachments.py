"""Files that a message brings along: named in its body by their hashes (docs/protocol/messages.md §12).

The bytes are blobs, which travel by themselves (docs/protocol/blobs.md). A name is only for people: where it becomes
the name of a file, :func:`safe_name` decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError

__all__ = ["Attachment", "check_attachments", "free_name", "safe_name"]

_DIGEST_BYTES: Final = 32
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*]')
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_HIDING: Final = ("C", "Zl", "Zp")  # categories of Unicode: control, format, surrogate, private, unassigned; line ends
_NAMELESS: Final = "attachment"


class Attachment(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One file: its name as the sender has it, bytes, SHA-256. In a sealed message the name is empty out here."""

    name: str
    size: int
    sha256: bytes


def check_attachments(attachments: Sequence[Attachment], *, nameless: bool) -> None:
    """Bounds, on the way out and on the way in. ``nameless``: of a sealed message, which names nothing in the open.

    Raises:
        MalformedError: naming the field and its bound.
    """
    if len(attachments) > limits.ATTACHMENTS_MAX:
        raise _bad(f"at most {limits.ATTACHMENTS_MAX}")
    for attachment in attachments:
        length = len(attachment.name.encode())
        if nameless != (length == 0) or length > limits.ATTACHMENT_NAME_BYTES_MAX:
            raise _bad(f"names of 1 to {limits.ATTACHMENT_NAME_BYTES_MAX} bytes, and none in a sealed message")
        if not 0 <= attachment.size <= limits.BLOB_BYTES_MAX:
            raise _bad(f"at most {limits.BLOB_BYTES_MAX} bytes each")
        if len(attachment.sha256) != _DIGEST_BYTES:
            raise _bad("a SHA-256 each")


def safe_name(name: str) -> str:
    """A name under which a file can lie in any directory of any platform, as near to ``name`` as that goes.

    No part of a path, no device of Windows, no character that controls, hides or turns text around, no dot or blank at
    the end, no dot in front, at most ``ATTACHMENT_NAME_BYTES_MAX`` bytes.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(c for c in last if not unicodedata.category(c).startswith(_HIDING))
    plain = _FORBIDDEN.sub("_", shown).strip().lstrip(".").rstrip(". ")
    if _DEVICES.fullmatch(plain):
        plain = f"_{plain}"
    return _shortened(plain, limits.ATTACHMENT_NAME_BYTES_MAX) or _NAMELESS


def free_name(name: str, taken: Collection[str]) -> str:
    """The safe name, with a number before its suffix if something of that name, in whatever case, is there already."""
    lowered = {other.casefold() for other in taken}
    plain = safe_name(name)
    stem, dot, suffix = plain.rpartition(".")
    if not stem or len(suffix.encode()) > 16:
        stem, dot, suffix = plain, "", ""
    number, candidate = 1, plain
    while candidate.casefold() in lowered:
        number += 1
        mark = f" ({number})"
        room = limits.ATTACHMENT_NAME_BYTES_MAX - len((mark + dot + suffix).encode())
        candidate = f"{_shortened(stem, room)}{mark}{dot}{suffix}"
    return candidate


def _shortened(text: str, bytes_max: int) -> str:
    """As many whole characters as fit; no blank or dot is left at the end."""
    return text.encode()[:bytes_max].decode(errors="ignore").rstrip(". ")


def _bad(allowed: str) -> MalformedError:
    return MalformedError(f"attachments: {allowed}", code="bad_message", details={"field": "attachments"})
