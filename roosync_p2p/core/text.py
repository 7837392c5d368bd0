"""Text that people and their editors write: UTF-8 with or without a byte order mark, or UTF-16.

PowerShell 5 redirects in UTF-16, Notepad saves with a mark. Everything read from a person goes through here once.
"""

from __future__ import annotations

import codecs

from roosync_p2p.errors import UsageError

__all__ = ["decode_text"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode_text(data: bytes, *, what: str = "the text") -> str:
    """The text in ``data``, without its byte order mark.

    Without a mark it is UTF-8, or UTF-16 when its first character is ASCII in UTF-16 (one zero byte of two).

    Raises:
        UsageError: the bytes are neither; ``what`` names them in the message.
    """
    try:
        return data.decode(_encoding_of(data))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{what} is neither UTF-8 nor UTF-16 (byte {error.start})",
            code="bad_text",
            remedy="save it as UTF-8 and try again",
        ) from error


def _encoding_of(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    if len(data) >= 2 and data[0] and not data[1]:
        return "utf-16-le"
    if len(data) >= 2 and data[1] and not data[0]:
        return "utf-16-be"
    return "utf-8"
