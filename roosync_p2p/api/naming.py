"""How a machine gets its id when nobody insists: shared by ``join``, ``init`` and ``request``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from roosync_p2p.errors import MalformedError, UsageError
from roosync_p2p.ids import MachineId, parse_machine_id

__all__ = ["propose_machine"]


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
