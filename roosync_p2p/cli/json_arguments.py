"""JSON on a command line: as an argument, from a file, from standard input. Quick to import."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from roosync_p2p.api.terminal import read_text_argument
from roosync_p2p.core.text import decode_text
from roosync_p2p.errors import UsageError

__all__ = ["file_content", "parse_json_argument", "read_json_argument", "typed_actions"]


def parse_json_argument(text: str, *, what: str) -> Any:
    """The value that a JSON text says.

    Raises:
        UsageError: ``bad_json``: it is none.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise UsageError(
            f"{what} is no JSON: {text[:80]!r}",
            code="bad_json",
            remedy="a text stands in double quotes, and the whole in single ones: '\"3.13\"'",
        ) from error


def read_json_argument(value: str, *, what: str) -> Any:
    """The value in a JSON text, in the file ``@NAME``, or on standard input (``-``).

    Raises:
        UsageError: ``bad_json``, or ``cannot_read``.
    """
    if value.startswith("@"):
        return parse_json_argument(decode_text(_read(value[1:]), what=what), what=what)
    return parse_json_argument(read_text_argument(value, what=what), what=what)


def file_content(name: str) -> str:
    """A file's bytes in base64.

    Raises:
        UsageError: ``cannot_read``.
    """
    return base64.b64encode(_read(name)).decode()


def typed_actions(
    *,
    sets: Iterable[tuple[str, str]],
    merges: Iterable[tuple[str, str]],
    removes: Iterable[str],
    puts: Iterable[tuple[str, str]],
    runs: Iterable[tuple[str, str]],
    more: str | None,
) -> list[dict[str, Any]]:
    """The actions that options name, in this order, then those of a JSON array.

    Raises:
        UsageError: a value is no JSON, a file cannot be read, or there is no action at all (``nothing_to_do``).
    """
    actions: list[dict[str, Any]] = [
        *({"op": "set", "resource": place, "value": _value(text, place)} for place, text in sets),
        *({"op": "merge", "resource": place, "value": _value(text, place)} for place, text in merges),
        *({"op": "remove", "resource": place} for place in removes),
        *({"op": "file", "resource": place, "content": file_content(name)} for place, name in puts),
        *({"op": "run", "resource": place, "name": name} for place, name in runs),
    ]
    if more is not None:
        said = read_json_argument(more, what="--actions")
        if not isinstance(said, list) or not all(isinstance(action, dict) for action in said):
            raise UsageError("--actions is an array of objects", code="bad_json")
        actions += said
    if not actions:
        raise UsageError("a decision changes something", code="nothing_to_do", remedy="--set RESOURCE JSON, or another")
    return actions


def _value(text: str, place: str) -> Any:
    return parse_json_argument(text, what=f"the value for {place}")


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error}", code="cannot_read") from error


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
