"""What a person writes on the command line, as values. Quick to import.

Each parser raises :class:`~roosync_p2p.errors.UsageError` (exit code 2), and nothing has happened then.
"""

from __future__ import annotations

import re
from typing import Final

from roosync_p2p import limits
from roosync_p2p.clock import parse_rfc3339
from roosync_p2p.errors import MalformedError, UsageError
from roosync_p2p.ids import FleetId, MachineId, parse_fleet_id, parse_machine_id

__all__ = [
    "ANY",
    "parse_fleet_argument",
    "parse_fleet_name",
    "parse_invited",
    "parse_machine_argument",
    "parse_moment_s",
]

ANY: Final = "any"


def parse_invited(text: str) -> MachineId | None:
    """The machine an invite is for; None for ``any``.

    Raises:
        UsageError: ``bad_machine_id``.
    """
    return None if text.strip().lower() == ANY else _machine(text, remedy="name a machine, or say any")


def parse_machine_argument(text: str) -> MachineId:
    """A machine id.

    Raises:
        UsageError: ``bad_machine_id``.
    """
    return _machine(text, remedy="see `roosync-admin list`")


def parse_fleet_name(text: str) -> str:
    """What people call a fleet, as it stands in the root certificate.

    Raises:
        UsageError: ``bad_fleet_name``.
    """
    name = text.strip()
    if not 0 < len(name) <= limits.FLEET_NAME_CHARS_MAX or not name.isprintable():
        raise UsageError(
            f"a fleet name has 1 to {limits.FLEET_NAME_CHARS_MAX} characters, none of them control characters",
            code="bad_fleet_name",
        )
    return name


def parse_fleet_argument(text: str) -> FleetId:
    """A fleet id as a person copied it, perhaps in groups.

    Raises:
        UsageError: ``bad_fleet_id``.
    """
    try:
        return parse_fleet_id(re.sub(r"[\s:-]", "", text))
    except MalformedError as error:
        raise UsageError(error.message, code=error.code, remedy="copy it from `roosync-admin show`") from error


def parse_moment_s(text: str) -> int:
    """Unix seconds of an RFC 3339 time.

    Raises:
        UsageError: ``bad_time``.
    """
    try:
        return parse_rfc3339(text.strip()) // 1000
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text[:40]!r} is not a time such as 2026-01-01T00:00:00Z", code="bad_time") from error


def _machine(text: str, *, remedy: str) -> MachineId:
    try:
        return parse_machine_id(text)
    except MalformedError as error:
        raise UsageError(error.message, code=error.code, remedy=remedy) from error
