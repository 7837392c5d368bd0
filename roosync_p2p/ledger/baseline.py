"""The baseline: the fleet's reference configuration, and all its versions (docs/protocol/ledger.md §10).

The newest version is kept whole. Each version keeps the changes that lead back to the one before it, so any version
can be shown, compared and restored, and a hundred versions cost little more than what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.digests import sha256
from roosync_p2p.codec.records import Record
from roosync_p2p.errors import MalformedError
from roosync_p2p.ledger.decision_bodies import Action
from roosync_p2p.ledger.documents import (
    Change,
    Json,
    Pointer,
    canonical_json,
    changed,
    difference,
    merge_patch,
    parse_json,
    put_at,
    removed_at,
    value_at,
)
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.resources import contains, parse_resource
from roosync_p2p.ledger.state import Reader
from roosync_p2p.ledger.stored import read

__all__ = [
    "BASELINE",
    "BaselineState",
    "VersionState",
    "acted",
    "baseline_at",
    "baseline_bytes",
    "baseline_of",
    "require_version",
    "undo_version",
    "version_of",
    "write_version",
]

BASELINE: Final = "baseline"


class BaselineState(Record, frozen=True, kw_only=True):
    """The newest version, as canonical JSON."""

    version: int = 0
    document: bytes = b"{}"
    number: int = 0


class _Back(msgspec.Struct, frozen=True, array_like=True):
    """One change that leads back: the value that was there, canonical JSON; empty where there was none."""

    pointer: tuple[str, ...]
    value: bytes = b""


class VersionState(Record, frozen=True, kw_only=True):
    """One version: by which decision, and how to go back from it."""

    version: int
    number: int
    time_ms: int
    decision: str
    author: str
    title: str
    sha256: bytes
    undoes: int = 0
    back: tuple[_Back, ...]


def baseline_of(reader: Reader) -> BaselineState:
    """The newest version; version 0 is ``{}``."""
    data = reader.get(BASELINE)
    return BaselineState() if data is None else read(data, BaselineState)


def version_of(reader: Reader, version: int) -> VersionState | None:
    """What is known of a version; of version 0 nothing."""
    data = reader.get(_version_key(version))
    return None if data is None else read(data, VersionState)


def require_version(reader: Reader, version: int) -> int:
    """The commit number that made a version; 0 for version 0.

    Raises:
        Refused: ``unknown_version``.
    """
    if version == 0:
        return 0
    known = version_of(reader, version)
    if known is None:
        raise Refused("unknown_version", version=version)
    return known.number


def baseline_at(reader: Reader, version: int) -> Json:
    """The document of any version.

    Raises:
        Refused: ``unknown_version``.
    """
    require_version(reader, version)
    newest = baseline_of(reader)
    document = parse_json(newest.document)
    for later in range(newest.version, version, -1):
        document = changed(document, [_change(back) for back in _back_from(reader, later)])
    return document


def acted(document: Json, actions: Iterable[Action]) -> Json:
    """The document after ``set``, ``merge`` and ``remove`` on it.

    Raises:
        MalformedError: a pointer leads nowhere (``bad_pointer``), or a value is no canonical JSON.
    """
    for action in actions:
        pointer = parse_resource(action.resource).pointer
        match action.op:
            case "set":
                document = put_at(document, pointer, parse_json(action.value))
            case "merge":
                there = value_at(document, pointer).value
                document = put_at(document, pointer, merge_patch(there, parse_json(action.value)))
            case "remove":
                document = removed_at(document, pointer)
    return document


def baseline_bytes(document: Json) -> bytes:
    """What a version of the baseline is kept as.

    Raises:
        MalformedError: no object (``bad_action``), or nested too deeply.
        Refused: ``baseline_too_large``.
    """
    data = canonical_json(document)
    if not isinstance(document, dict):
        raise MalformedError("the baseline is an object", code="bad_action")
    if len(data) > limits.BASELINE_BYTES_MAX:
        raise Refused("baseline_too_large", bytes=len(data), most=limits.BASELINE_BYTES_MAX)
    return data


def write_version(draft: Draft, document: Json, *, decision: str, author: str, title: str, undoes: int = 0) -> int:
    """Makes a document the newest version, unless it is already; the newest version's number.

    Raises:
        As :func:`baseline_bytes`.
    """
    before = baseline_of(draft)
    data = baseline_bytes(document)
    if data == before.document:
        return before.version
    version = before.version + 1
    back = tuple(_back(change) for change in difference(document, parse_json(before.document)))
    draft.put(BASELINE, BaselineState(version=version, document=data, number=draft.number))
    draft.put(
        _version_key(version),
        VersionState(
            version=version,
            number=draft.number,
            time_ms=draft.time_ms,
            decision=decision,
            author=author,
            title=title,
            sha256=sha256(data),
            undoes=undoes,
            back=back,
        ),
    )
    draft.tell("baseline.changed", version=version, decision=decision, author=author)
    return version


def undo_version(draft: Draft, version: int, *, decision: str, author: str) -> int:
    """Takes back what a version changed, but for places that were changed since; the newest version's number."""
    newest = baseline_of(draft)
    since = [back.pointer for later in range(version + 1, newest.version + 1) for back in _back_from(draft, later)]
    document = parse_json(newest.document)
    for back in _back_from(draft, version):
        if not any(contains(back.pointer, other) or contains(other, back.pointer) for other in since):
            document = changed(document, [_change(back)])
    title = f"undoes version {version}"
    return write_version(draft, document, decision=decision, author=author, title=title, undoes=version)


def _version_key(version: int) -> str:
    return f"version/{version}"


def _back_from(reader: Reader, version: int) -> Iterator[_Back]:
    known = version_of(reader, version)
    assert known is not None, "versions are never forgotten"
    return iter(known.back)


def _back(change: Change) -> _Back:
    return _Back(change.pointer, canonical_json(change.value) if change.present else b"")


def _change(back: _Back) -> Change:
    pointer: Pointer = back.pointer
    if not back.value:
        return Change(pointer, present=False)
    return Change(pointer, present=True, value=parse_json(back.value))
