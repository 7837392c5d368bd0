"""What a tool gives: text for people and agents, and the same facts as data; and an error that says what to do next."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from roosync_p2p.errors import RoosyncError
from roosync_p2p.mcp_server.fencing import quoted

__all__ = ["Answer", "Failure", "failure_of"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``text`` is Markdown; ``data`` fits the tool's output schema."""

    text: str
    data: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The same of a call that was refused or failed; ``data`` is ``{"error": {code, message, remedy, details}}``."""

    text: str
    data: dict[str, Any]


# What helps an agent that has these tools and perhaps no shell, where the remedy names a command.
_REMEDIES: Final[Mapping[str, str]] = {
    "not_running": "ask your user to run `roosync up` on this computer (or to set `[mcp] start_node = true` in "
    "settings.toml), then call the tool again",
    "no_identity": "ask your user to found a fleet with `roosync-admin init` or to join one with `roosync join CODE`",
    "no_such_message": "look for its id with roosync_read, mode inbox or search",
    "no_such_thread": "look for it with roosync_read, mode inbox or search",
    "not_a_recipient": "it is not in your inbox: nothing needs to be done with it",
    "unknown_recipient": "see the machines with roosync_status; an address is machine, machine:workspace or all",
    "claim_held": "work on something else, or call roosync_claim with wait_s to stand in line",
    "claim_queued": "the place in line is kept: call roosync_claim with the same name again, with wait_s to wait",
    "not_holder": "see who holds it with roosync_claim, action list",
    "another_session": "it was sent in a session that is over: send another message instead",
    "not_the_author": "answer it with roosync_send, action reply",
    "pending": "the request is signed and kept, and may be decided later: do not repeat it, look again with "
    "roosync_status",
    "too_many_sessions": "close agents that are not needed; their sessions end with them",
}
_OTHERWISE: Final = "nothing was changed; correct the arguments and call the tool again"


def failure_of(error: RoosyncError) -> Failure:
    """The error as an agent is told it."""
    remedy = _REMEDIES.get(error.code) or error.remedy or _OTHERWISE
    said = {**error.diagnostics(), "remedy": remedy}
    return Failure(
        text=f"**Error `{error.code}`**: {quoted(error.message)}\n\nWhat to do next: {remedy}", data={"error": said}
    )
