"""Bytes that come as base64 in JSON."""

from __future__ import annotations

import base64

from roosync_p2p.errors import InputFault

__all__ = ["decoded"]


def decoded(text: str, *, what: str, code: str) -> bytes:
    """The bytes.

    Raises:
        InputFault: with that code: the text is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error is one, and so is what is not ASCII
        raise InputFault(f"{what} is not base64; nothing was done", code=code) from error
