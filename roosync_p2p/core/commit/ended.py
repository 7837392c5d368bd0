"""A machine whose membership has ended by the order, and whose node runs all the same (docs/protocol/ledger.md §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from roosync_p2p.core.desk import Desk
from roosync_p2p.errors import InputFault
from roosync_p2p.ledger.register import register_of
from roosync_p2p.ledger.state import State

__all__ = ["ended_here", "require_member"]

_WORDS: Final[Mapping[str, str]] = {"left": "has left the fleet", "retired": "was retired", "removed": "was put out"}


def ended_here(desk: Desk, state: State) -> InputFault | None:
    """What to tell the users of this node if it is no member any more; None while it is, or is not one yet.

    One that comes back under its old name has another key, and meets its earlier end in the log before its admission.
    """
    member = register_of(state, desk.identity.root).members.get(desk.me)
    if member is None or not member.ended or member.key != desk.identity.key.public.key_id:
        return None
    why = f" ({member.reason})" if member.reason else ""
    return InputFault(
        f"{desk.me} {_WORDS[member.ended]} at commit {member.ended_number}{why}: nothing that it asks for is decided",
        code="not_a_member",
        remedy="to come back it takes a new home and a new invite",
    )


def require_member(desk: Desk, state: State) -> None:
    """Returns unless this machine is no member any more.

    Raises:
        InputFault: ``not_a_member``; nothing was written.
    """
    fault = ended_here(desk, state)
    if fault is not None:
        raise fault
