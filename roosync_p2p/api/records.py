"""The base of every record of the API, and the gate that requests pass (docs/protocol/api.md §3).

Requests are parsed against their records, bounds included, and an unknown field is an error that names it. Answers are
plain JSON objects of documented shapes; fields may be added, never renamed, so nothing checks them on the way out, and
clients ignore what they do not know. The OpenAPI document is derived from both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from roosync_p2p import limits
from roosync_p2p.errors import MalformedError, UsageError
from roosync_p2p.ids import parse_workspace

__all__ = [
    "Answer",
    "Process",
    "Request",
    "Secret",
    "User",
    "VoicedRequest",
    "check_name",
    "check_workspace",
    "parse_json",
    "parse_values",
]

R = TypeVar("R", bound="Request")

# Who asks (docs/protocol/api.md §9): the secret of a session; or a user's process.
Secret = Annotated[str, Meta(min_length=1, max_length=limits.SESSION_SECRET_CHARS_MAX)]
User = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Process = Annotated[int, Meta(ge=0, le=2**32)]

_BOUNDS: Final = (  # of texts, as msgspec says them, and as people do
    (re.compile(r"Expected `str` of length >= 1"), "is empty"),
    (re.compile(r"Expected `str` of length <= (\d+)"), r"has more than \1 characters"),
    (re.compile(r"Expected `str` matching regex .*"), "has characters that are not allowed in it"),
)


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request: what it does not know, it refuses."""


class VoicedRequest(Request, frozen=True, kw_only=True):
    """A request that may say in whose name it is: by a session's ``secret``, or as a ``user``'s ``process``.

    ``workspace``: the one that is spoken for, None for the machine itself.
    """

    workspace: str | None = None
    secret: Secret | None = None
    user: User | None = None
    process: Process | None = None

    def __post_init__(self) -> None:
        check_workspace(self.workspace)
        if (self.user is None) != (self.process is None):
            raise ValueError("a process is a user's: give `user` and `process`, or neither")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: what is added later does not disturb an older reader."""


def parse_json(data: bytes, kind: type[R]) -> R:
    """A request from a JSON body; an empty body is an empty object.

    Raises:
        UsageError: codes ``bad_json`` or ``bad_field``, the message naming the field.
    """
    try:
        return msgspec.json.decode(data or b"{}", type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise _misfit(error) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"the request is not JSON: {error}", code="bad_json") from error


def parse_values(values: dict[str, Any], kind: type[R]) -> R:
    """A request from query parameters: texts are converted to the numbers that the fields want.

    Raises:
        UsageError: code ``bad_field``, the message naming the field.
    """
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _misfit(error) from error


def check_name(parser: Callable[[str], object], text: str) -> None:
    """Lets a parser of names speak in msgspec's way, which adds the path of the field."""
    try:
        parser(text)
    except MalformedError as error:
        raise ValueError(error.message) from error


def check_workspace(workspace: str | None) -> None:
    """The same for a workspace, where there is one."""
    if workspace is not None:
        check_name(parse_workspace, workspace)


def _misfit(error: msgspec.ValidationError) -> UsageError:
    """Says bounds of texts, which people meet, as they would say them; the rest as msgspec does."""
    what, _, field = str(error).partition(" - at `$.")
    for pattern, words in _BOUNDS:
        found = pattern.fullmatch(what)
        if found is not None and field:
            return UsageError(f"{field.rstrip('`')} {found.expand(words)}", code="bad_field")
    return UsageError(f"the request does not fit: {error}", code="bad_field")
