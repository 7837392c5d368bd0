"""The two messages after a certificate was given: can others connect to the machine that joined (trust.md §4).

    issuer                                               joiner
    dials that port, where this came from   ◀──────────  dial_back: port
    what it met there                       ──────────▶

Both are about comfort, not about trust: whoever does not know them hangs up instead, and nothing was checked.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec import records

__all__ = ["CONNECTED", "DialBack", "DialledBack", "decode_dial_back", "decode_dialled_back"]

CONNECTED: Final = "connected"


class DialBack(records.Record, frozen=True, kw_only=True, tag_field="kind", tag="join.dial_back"):
    """Asks to be dialled. There is no field for a host: it is the address that the question comes from.

    Attributes:
        port: where the joiner listens meanwhile.
    """

    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class DialledBack(records.Record, frozen=True, kw_only=True, tag_field="kind", tag="join.dialled_back"):
    """What the issuer met.

    Attributes:
        outcome: ``connected``: TLS with the certificate that was just given. Else how the dial ended (links.md §3).
        host: the address that was dialled, without the port. If it is not the joiner's own, something between the two
            translates addresses.
    """

    outcome: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.DIAL_BACK_OUTCOME_CHARS_MAX)]
    host: Annotated[str, msgspec.Meta(max_length=limits.HOST_CHARS_MAX)]


def decode_dial_back(data: bytes) -> DialBack:
    """The question.

    Raises:
        MalformedError: it is none.
    """
    return records.decode(data, DialBack, size_max=limits.JOIN_MESSAGE_BYTES_MAX)


def decode_dialled_back(data: bytes) -> DialledBack:
    """The report.

    Raises:
        MalformedError: it is none.
    """
    return records.decode(data, DialledBack, size_max=limits.JOIN_MESSAGE_BYTES_MAX)
