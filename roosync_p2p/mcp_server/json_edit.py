"""One member of a JSON object inside a text, put in or taken out; every other character stays as it is.

An agent's configuration belongs to its user: the order of keys, their spelling, indentation, line ends and a byte order
mark are kept, because only the place of the one member is touched. What does not parse is refused. The result is parsed
again and compared with what was meant before anybody writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from roosync_p2p.errors import InputFault

__all__ = ["parse_object", "with_member", "without_member"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_INDENTED: Final = re.compile(r'\n([ \t]+)["}\]]')
_DECODER: Final = json.JSONDecoder()


class _Member(NamedTuple):
    """A member of an object in a text: where its key and its value stand."""

    key: str
    begin: int
    value: int
    end: int


def parse_object(text: str) -> dict[str, Any]:
    """The document.

    Raises:
        InputFault: ``bad_json``: it is none, no object, or a key in question stands twice.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputFault(f"it is not JSON: {error}", code="bad_json", remedy="correct it by hand first") from error
    if not isinstance(document, dict):
        raise InputFault("it holds no JSON object", code="bad_json", remedy="correct it by hand first")
    return document


def with_member(text: str, path: tuple[str, str], value: Mapping[str, Any]) -> str:
    """The text with ``value`` at ``path``, two keys deep; the first key's object is made if it is not there.

    Raises:
        InputFault: ``bad_json``.
    """
    document = parse_object(text)
    outer, inner = path
    held = document.get(outer, {})
    if not isinstance(held, dict):
        raise InputFault(f"its {outer} is no object", code="bad_json", remedy="correct it by hand first")
    root = _SPACE.match(text)
    assert root is not None
    place = _members(text, root.end())
    found = _only(place, outer)
    if found is None:
        edited = _inserted(text, root.end(), place, outer, {inner: dict(value)}, depth=1)
    else:
        inside = _members(text, found.value)
        old = _only(inside, inner)
        if old is None:
            edited = _inserted(text, found.value, inside, inner, dict(value), depth=2)
        else:
            edited = text[: old.value] + _dumped(text, dict(value), depth=2) + text[old.end :]
    expected = {**document, outer: {**held, inner: dict(value)}}
    assert json.loads(edited) == expected, "only that member is another"
    return edited


def without_member(text: str, path: tuple[str, str]) -> str:
    """The text without that member; the same text if it has none.

    Raises:
        InputFault: ``bad_json``.
    """
    document = parse_object(text)
    outer, inner = path
    held = document.get(outer)
    if not isinstance(held, dict) or inner not in held:
        return text
    root = _SPACE.match(text)
    assert root is not None
    found = _only(_members(text, root.end()), outer)
    assert found is not None
    inside = _members(text, found.value)
    at = next(at for at, member in enumerate(inside) if member.key == inner)
    _only(inside, inner)
    if len(inside) == 1:
        edited = text[: found.value] + "{}" + text[found.end :]
    elif at == 0:
        edited = text[: inside[0].begin] + text[inside[1].begin :]
    else:
        edited = text[: inside[at - 1].end] + text[inside[at].end :]
    expected = {**document, outer: {key: value for key, value in held.items() if key != inner}}
    assert json.loads(edited) == expected, "only that member is gone"
    return edited


def _members(text: str, at: int) -> list[_Member]:
    """Of the object that begins at ``at``. The text has been parsed before, so it is well formed."""
    found: list[_Member] = []
    at = _after_space(text, at + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _after_space(text, at + 1)
        begin = at
        key, at = _DECODER.raw_decode(text, begin)
        value = _after_space(text, _after_space(text, at) + 1)  # after the colon
        _, end = _DECODER.raw_decode(text, value)
        found.append(_Member(key, begin, value, end))
        at = _after_space(text, end)
    return found


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _only(members: list[_Member], key: str) -> _Member | None:
    """Raises InputFault: a key that stands twice means one thing to one reader and another to the next."""
    found = [member for member in members if member.key == key]
    if len(found) > 1:
        raise InputFault(f"{key} stands in it twice", code="bad_json", remedy="remove one of them by hand first")
    return found[0] if found else None


def _inserted(text: str, at: int, members: list[_Member], key: str, value: Mapping[str, Any], *, depth: int) -> str:
    """As the last member of the object at ``at``, in the manner of the text."""
    new = f"{json.dumps(key)}: {_dumped(text, value, depth=depth)}"
    unit, line_end = _indentation(text), _line_end(text)
    if members:
        last = members[-1]
        between = text[_before_space(text, last.begin) : last.begin] if unit is not None else " "
        return text[: last.end] + "," + (between or " ") + new + text[last.end :]
    end = text.index("}", at)
    if unit is None:
        return f"{text[: at + 1]}{new}{text[end:]}"
    return f"{text[: at + 1]}{line_end}{unit * depth}{new}{line_end}{unit * (depth - 1)}{text[end:]}"


def _before_space(text: str, at: int) -> int:
    while at and text[at - 1] in " \t\r\n":
        at -= 1
    return at


def _dumped(text: str, value: Mapping[str, Any], *, depth: int) -> str:
    unit = _indentation(text)
    if unit is None:
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, ensure_ascii=False, indent=unit).split("\n")
    return (_line_end(text) + unit * depth).join(lines)


def _indentation(text: str) -> str | None:
    """One step of it; None for a text in one line. An object without members says nothing: two spaces."""
    if not _SPACE.sub("", text).strip("{}"):
        return "  "
    match = _INDENTED.search(text)
    return None if match is None else match[1]


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
