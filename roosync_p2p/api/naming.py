"""Ids and addresses as people give them, the same for all commands."""

from __future__ import annotations

import re
from collections.abc import Mapping

from roosync_p2p.errors import MalformedError, UsageError
from roosync_p2p.ids import MachineId, parse_machine_id

__all__ = ["parse_address_argument", "parse_type_argument", "propose_machine"]


def parse_address_argument(text: str) -> str:
    """``host:port`` as a person gives it, looked at before anything is asked of anybody.

    Raises:
        UsageError: ``bad_contact``.
    """
    from roosync_p2p.trust.invites import parse_contact  # noqa: PLC0415 - costs start-up time

    try:
        parse_contact(text.strip())
    except MalformedError as error:
        raise UsageError(
            error.message, code=error.code, remedy="name a host and a port, as in --at HOST:PORT"
        ) from error
    return text.strip()


def parse_type_argument(text: str) -> str:
    """The type of a message.

    Raises:
        UsageError: ``bad_type``.
    """
    from roosync_p2p.mailbox.message import is_type  # noqa: PLC0415 - costs start-up time

    if not is_type(text):
        raise UsageError(
            f"{text[:40]!r} is no type of a message: a word of lower-case letters and digits",
            code="bad_type",
            remedy="such as task, question, status",
        )
    return text


def propose_machine(said: str | None, known: str | None, environ: Mapping[str, str], host_name: str) -> MachineId:
    """This machine's id.

    Args:
        said: what the user says.
        known: what the join code or the settings name.
        environ: may hold ``ROOSYNC_MACHINE_ID``.
        host_name: the last resort; what does not fit an id becomes ``-``.

    Raises:
        UsageError: ``bad_machine_id``: what was said is none, or the host name cannot become one.
    """
    from_host = re.sub(r"[^a-z0-9_-]+", "-", host_name.partition(".")[0].lower()).strip("-_")
    try:
        return parse_machine_id(said or known or environ.get("ROOSYNC_MACHINE_ID") or from_host)
    except MalformedError as error:
        raise UsageError(
            f"this machine needs an id: {error.message}", code=error.code, remedy="name it with --machine ID"
        ) from error
