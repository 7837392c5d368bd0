"""JSON documents: one form, changes of them, differences (docs/protocol/ledger.md §10).

Canonical msgpack has no floats, so a document is carried as its own bytes, in one form: UTF-8, keys sorted by code
points, no white space, nothing escaped that need not be, numbers with the fewest digits that read back as the same.
That is close to RFC 8785, and where it differs (order of keys above U+FFFF, exact integers up to 64 bits, how exponents
are written) is said in the section. Documents that are equal have equal bytes.

Changes follow JSON Merge Patch (RFC 7396) and JSON Pointer (RFC 6901). An array is one value; a pointer may replace an
element that is there, and adds or removes none, because places in an array move and two changes could not be compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError

__all__ = [
    "Change",
    "Json",
    "Pointer",
    "canonical_json",
    "changed",
    "difference",
    "merge_leaves",
    "merge_patch",
    "parse_json",
    "parse_pointer",
    "pointer_text",
    "put_at",
    "removed_at",
    "same_json",
    "value_at",
]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Pointer: TypeAlias = tuple[str, ...]

_EXACT_MAX: Final = 2**53  # below, a float without a fraction is that integer (RFC 7493 §2.2)
_INTEGERS: Final = range(-(2**63), 2**64)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET: Final = re.compile(r"[\[\]{}]")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class Change(NamedTuple):
    """A value put at a pointer, or, where it is not ``present``, removed."""

    pointer: Pointer
    present: bool
    value: Json = None


# --- bytes --------------------------------------------------------------------------------------------------------


def canonical_json(value: Json) -> bytes:
    """The one form of a document.

    Raises:
        MalformedError: not a number or infinite, an integer beyond 64 bits, text that is no UTF-8, nested too deeply,
            or of a type that JSON has not.
    """
    try:
        text = json.dumps(
            _normal(value, limits.JSON_DEPTH_MAX),
            sort_keys=True,
            ensure_ascii=False,
            separators=(",", ":"),
            allow_nan=False,
        )
        return text.encode()
    except ValueError as error:  # UnicodeEncodeError is one
        raise MalformedError("a document cannot be written as JSON", code="bad_json") from error


def parse_json(data: bytes) -> Json:
    """The document in canonical bytes.

    Raises:
        MalformedError: not JSON (``bad_json``), or JSON in another form (``not_canonical``).
    """
    try:
        text = data.decode()
        _require_depth(text)
        value: Json = json.loads(text)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are
        raise MalformedError("not a JSON document", code="bad_json") from error
    if canonical_json(value) != data:
        raise MalformedError("the JSON document has another form than the canonical one", code="not_canonical")
    return value


def same_json(one: Json, other: Json) -> bool:
    """Whether two documents in normal form are equal. ``true`` is not 1, which Python thinks."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return one == other


def _normal(value: Json, depth: int) -> Json:
    if depth == 1 and isinstance(value, dict | list):
        raise MalformedError("a JSON document is nested too deeply", code="too_deep")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise MalformedError("a key of a JSON document is not text", code="bad_json")
        return {key: _normal(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_normal(item, depth - 1) for item in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT_MAX else value
    if isinstance(value, int) and value not in _INTEGERS:
        raise MalformedError("an integer in a JSON document has more than 64 bits", code="bad_json")
    if value is None or isinstance(value, bool | int | str):
        return value
    raise MalformedError(f"type {type(value).__name__} is not in JSON", code="bad_json")


def _require_depth(text: str) -> None:
    """Before parsing: the parser's own limit depends on who calls it, and every machine has to say the same."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth >= limits.JSON_DEPTH_MAX:
            raise MalformedError("a JSON document is nested too deeply", code="too_deep")


# --- pointers -----------------------------------------------------------------------------------------------------


def parse_pointer(text: str) -> Pointer:
    """A JSON Pointer as its segments.

    Raises:
        MalformedError: ``bad_pointer``.
    """
    if text and not text.startswith("/"):
        raise MalformedError("a JSON pointer is empty or begins with /", code="bad_pointer")
    segments = text.split("/")[1:]
    if len(segments) >= limits.JSON_DEPTH_MAX:
        raise MalformedError("a JSON pointer is deeper than a document may be", code="bad_pointer")
    if any(re.search(r"~(?![01])", segment) for segment in segments):
        raise MalformedError("in a JSON pointer ~ is followed by 0 or 1", code="bad_pointer")
    return tuple(segment.replace("~1", "/").replace("~0", "~") for segment in segments)


def pointer_text(pointer: Pointer) -> str:
    """The pointer as RFC 6901 writes it."""
    return "".join("/" + segment.replace("~", "~0").replace("/", "~1") for segment in pointer)


def value_at(document: Json, pointer: Pointer) -> Change:
    """What is at a pointer, as the change that would put it there."""
    value = document
    for segment in pointer:
        if isinstance(value, dict) and segment in value:
            value = value[segment]
        elif isinstance(value, list) and _has_index(value, segment):
            value = value[int(segment)]
        else:
            return Change(pointer, present=False)
    return Change(pointer, present=True, value=value)


def put_at(document: Json, pointer: Pointer, value: Json) -> Json:
    """The document with a value put at a pointer; objects that are missing on the way are made.

    Raises:
        MalformedError: something on the way is no object, or an array without that element (``bad_pointer``).
    """
    if not pointer:
        return value
    head, rest = pointer[0], pointer[1:]
    if isinstance(document, dict):
        return {**document, head: put_at(document.get(head, {}), rest, value)}
    if isinstance(document, list) and _has_index(document, head):
        at = int(head)
        return [*document[:at], put_at(document[at], rest, value), *document[at + 1 :]]
    raise _no_way(head)


def removed_at(document: Json, pointer: Pointer) -> Json:
    """The document without what is at a pointer; itself if nothing is there.

    Raises:
        MalformedError: the whole document, or an element of an array (``bad_pointer``).
    """
    if not pointer:
        raise MalformedError("a document is not removed, but set to {}", code="bad_pointer")
    head, rest = pointer[0], pointer[1:]
    if isinstance(document, list):
        if not rest or not _has_index(document, head):
            raise _no_way(head)
        at = int(head)
        return [*document[:at], removed_at(document[at], rest), *document[at + 1 :]]
    if not isinstance(document, dict) or head not in document:
        return document
    if rest:
        return {**document, head: removed_at(document[head], rest)}
    return {key: value for key, value in document.items() if key != head}


def _has_index(value: Sequence[object], segment: str) -> bool:
    return bool(_INDEX.fullmatch(segment)) and int(segment) < len(value)


def _no_way(segment: str) -> MalformedError:
    return MalformedError(f"a JSON pointer leads nowhere at {segment[:60]!r}", code="bad_pointer")


# --- changes ------------------------------------------------------------------------------------------------------


def merge_patch(document: Json, patch: Json) -> Json:
    """RFC 7396 §2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def merge_leaves(patch: Json, at: Pointer = ()) -> Iterator[tuple[Change, bool]]:
    """What a merge patch touches: its changes, and whether one only makes sure that there is an object."""
    if not isinstance(patch, dict):
        yield Change(at, present=True, value=patch), False
    elif not patch:
        yield Change(at, present=True, value={}), True
    else:
        for key, value in patch.items():
            if value is None:
                yield Change((*at, key), present=False), False
            else:
                yield from merge_leaves(value, (*at, key))


def difference(old: Json, new: Json, at: Pointer = ()) -> Iterator[Change]:
    """The changes that make ``new`` of ``old``, member by member, by key. Arrays are replaced whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in new:
                yield Change((*at, key), present=False)
            elif key not in old:
                yield Change((*at, key), present=True, value=new[key])
            else:
                yield from difference(old[key], new[key], (*at, key))
    elif not same_json(old, new):
        yield Change(at, present=True, value=new)


def changed(document: Json, changes: Sequence[Change]) -> Json:
    """The document after these changes.

    Raises:
        MalformedError: as :func:`put_at` and :func:`removed_at`.
    """
    for change in changes:
        if change.present:
            document = put_at(document, change.pointer, change.value)
        else:
            document = removed_at(document, change.pointer)
    return document
