"""Types of fields, with their bounds: what does not fit is refused before any rule looks at it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from roosync_p2p import limits

__all__ = [
    "ClaimName",
    "Count",
    "Digest",
    "Line",
    "Machine",
    "Note",
    "Person",
    "Positive",
    "Session",
    "TimeMs",
    "Ttl",
    "Workspace",
]

_LINE = r"\A[^\x00-\x1f\x7f]*\Z"
_TEXT = r"\A[^\x00-\x08\x0b-\x1f\x7f]*\Z"  # lines and tabs are text

# A machine id in canonical form. Whether there is such a machine is the register's business.
Machine: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9_-]{2,49}\Z")]
Person: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9._-]{1,49}\Z")]
Digest: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=limits.NUMBER_MAX)]
Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=limits.NUMBER_MAX)]
TimeMs: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)]
Ttl: TypeAlias = Annotated[int, msgspec.Meta(ge=limits.CLAIM_TTL_MS_MIN, le=limits.CLAIM_TTL_MS_MAX)]
Line: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.NOTE_CHARS_MAX, pattern=_LINE)]
Note: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.NOTE_CHARS_MAX, pattern=_TEXT)]
ClaimName: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.CLAIM_NAME_CHARS_MAX, pattern=_LINE)]
Session: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.SESSION_CHARS_MAX, pattern=_LINE)]
Workspace: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.WORKSPACE_CHARS_MAX, pattern=_LINE)]
