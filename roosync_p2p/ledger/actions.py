"""Typed actions: what each may hold, and what it touches (docs/protocol/ledger.md §9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from roosync_p2p import limits
from roosync_p2p.codec.canonical import pack
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import MalformedError
from roosync_p2p.ledger.decision_bodies import Action
from roosync_p2p.ledger.documents import Change, canonical_json, merge_leaves, parse_json
from roosync_p2p.ledger.outcomes import Refused
from roosync_p2p.ledger.resources import Resource, Segments, parse_resource

__all__ = ["Touch", "is_fleets", "touches"]

_VALUE_OPS: Final = ("set", "merge")


class Touch(msgspec.Struct, frozen=True, array_like=True):
    """One place that a decision changes, and to what.

    Attributes:
        segments: of the resource (docs/protocol/ledger.md §9).
        content: SHA-256 of what it becomes; equal contents do not conflict.
        opens: it only makes sure that there is an object, and agrees with anything inside.
    """

    segments: Segments
    content: bytes
    opens: bool = False


def is_fleets(action: Action) -> bool:
    """Whether the ledger itself applies it."""
    return parse_resource(action.resource).is_fleets


def touches(actions: Iterable[Action]) -> tuple[Touch, ...]:
    """Everything that valid actions touch, sorted.

    Raises:
        MalformedError: an action is not valid: its resource, its value, or what its operation needs (``bad_action``).
        Refused: ``too_many_resources``.
    """
    found = sorted(
        {touch for action in actions for touch in _touches(action)},
        key=lambda touch: (touch.segments, touch.content, touch.opens),
    )
    if len(found) > limits.DECISION_TOUCHES_MAX:
        raise Refused("too_many_resources", most=limits.DECISION_TOUCHES_MAX)
    return tuple(found)


def _touches(action: Action) -> Iterator[Touch]:
    resource = parse_resource(action.resource)
    _require_fields(action)
    match action.op:
        case "set":
            yield _put(resource, action.value)
        case "remove":
            yield _touch(resource, "remove", b"")
        case "merge":
            yield from _merged(resource, action.value)
        case "file":
            yield _touch(resource, "file", action.sha256 or sha256(action.value))
        case "run":
            yield _touch(resource, "run", pack([action.name, *action.arguments]))


def _put(resource: Resource, value: bytes) -> Touch:
    parse_json(value)
    return _touch(resource, "set", sha256(value))


def _merged(resource: Resource, patch: bytes) -> Iterator[Touch]:
    for change, opens in merge_leaves(parse_json(patch)):
        place = resource._replace(pointer=resource.pointer + change.pointer)
        yield _change(place, change, opens=opens)


def _change(place: Resource, change: Change, *, opens: bool) -> Touch:
    if not change.present:
        return _touch(place, "remove", b"")
    return _touch(place, "set", sha256(canonical_json(change.value)), opens=opens)


def _touch(resource: Resource, what: str, content: bytes, *, opens: bool = False) -> Touch:
    return Touch(resource.segments, sha256(pack([what, content])), opens)


def _require_fields(action: Action) -> None:
    """Each operation has what it needs and nothing else, so that nobody approves what has no effect."""
    op = action.op
    given = {
        "value": bool(action.value),
        "sha256": bool(action.sha256),
        "size": bool(action.size),
        "name": bool(action.name),
        "arguments": bool(action.arguments),
    }
    allowed = {
        "set": {"value"},
        "merge": {"value"},
        "remove": set(),
        "file": {"value"} if given["value"] else {"sha256", "size"},
        "run": {"name", "arguments"},
    }[op]
    surplus = {field for field, is_given in given.items() if is_given} - allowed
    lacking = (op in _VALUE_OPS and not given["value"]) or (op == "run" and not given["name"])
    if surplus or lacking or (op == "file" and not given["value"] and len(action.sha256) != 32):
        raise MalformedError(f"an action {op} with other fields than it has", code="bad_action")
