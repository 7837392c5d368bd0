"""What a decision is about: ``type:path#/json/pointer`` (docs/protocol/ledger.md §9).

Two resources overlap when one is a prefix of the other at a segment boundary: a directory and what is in it, a file
and a place in it. ``file:a/b`` and ``file:a/bc`` do not.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError
from roosync_p2p.ledger.documents import Pointer, parse_pointer, pointer_text

__all__ = [
    "FLEET_PATH",
    "FLEET_TYPES",
    "Resource",
    "Segments",
    "contains",
    "fleet_resource",
    "normalise_resource",
    "parse_resource",
    "shown_segments",
]

FLEET_PATH: Final = "fleet"
FLEET_TYPES: Final = ("baseline", "policy", "rules", "voters")  # what the ledger itself holds: the same for everybody

_FORM: Final = re.compile(
    r"(?P<type>[a-z][a-z0-9_-]{0,31}):(?P<path>[^#\x00-\x1f\x7f]+)(#(?P<pointer>[^\x00-\x1f\x7f]*))?"
)
_POINTER_MARK: Final = "#"  # in no path segment

Segments: TypeAlias = tuple[str, ...]


class Resource(NamedTuple):
    """A resource in normal form. The first path segment is empty where the path is absolute."""

    type: str
    path: tuple[str, ...]
    pointer: Pointer = ()

    @property
    def segments(self) -> Segments:
        """Type, path and pointer as one row, of which an overlapping one has a prefix."""
        return (self.type, *self.path, _POINTER_MARK, *self.pointer) if self.pointer else (self.type, *self.path)

    @property
    def is_fleets(self) -> bool:
        """Whether it is one of the fleet's own documents, which have no targets."""
        return self.type in FLEET_TYPES

    def __str__(self) -> str:
        return shown_segments(self.segments)


def contains(whole: Segments, part: Segments) -> bool:
    """Whether one row of segments begins the other."""
    return part[: len(whole)] == whole


def shown_segments(segments: Segments) -> str:
    """A resource as text."""
    kind, rest = segments[0], segments[1:]
    if _POINTER_MARK not in rest:
        return f"{kind}:{'/'.join(rest)}"
    at = rest.index(_POINTER_MARK)
    return f"{kind}:{'/'.join(rest[:at])}#{pointer_text(rest[at + 1 :])}"


def fleet_resource(kind: str, pointer: Pointer = ()) -> Resource:
    """One of the fleet's own documents, or a place in it."""
    assert kind in FLEET_TYPES
    return Resource(kind, (FLEET_PATH,), pointer)


def parse_resource(text: str) -> Resource:
    """A resource in normal form.

    Raises:
        MalformedError: not a resource, or not in normal form (``bad_resource``).
    """
    resource = normalise_resource(text)
    if str(resource) != text:
        raise MalformedError(f"a resource in another form than the normal {str(resource)!r}", code="bad_resource")
    return resource


def normalise_resource(text: str) -> Resource:
    """A resource as people write it: with backslashes, doubled slashes, dots.

    Raises:
        MalformedError: not a resource, or one that leaves its own folder (``bad_resource``).
    """
    match = _FORM.fullmatch(text)
    if match is None or len(text) > limits.RESOURCE_CHARS_MAX:
        raise MalformedError(
            "a resource is type:path#/json/pointer, such as config:ci.json#/python", code="bad_resource"
        )
    raw = match["path"].replace("\\", "/")
    segments = [segment for segment in raw.split("/") if segment not in ("", ".")]
    if not segments or ".." in segments:
        raise MalformedError("the path of a resource names something, without ..", code="bad_resource")
    path = ("", *segments) if raw.startswith("/") else tuple(segments)
    resource = Resource(match["type"], path, parse_pointer(match["pointer"] or ""))
    if resource.is_fleets and resource.path != (FLEET_PATH,):
        raise MalformedError(f"there is one {resource.type}: {resource.type}:{FLEET_PATH}", code="bad_resource")
    return resource
