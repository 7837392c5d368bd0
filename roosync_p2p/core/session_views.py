"""Who works on which machine, and which sessions only seem to be there (docs/protocol/liveness.md §7).

A list of sessions counts while its machine is believed to live, in the start that signed it, and each session until its
lease is over by that machine's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from roosync_p2p import limits
from roosync_p2p.clock import rfc3339
from roosync_p2p.gossip.sessions import OpenSession
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["Zombies", "session_row", "sessions_of", "zombie_sessions", "zombie_warnings"]

_THERE: Final = frozenset({State.ONLINE, State.SUSPECT, State.UNKNOWN, State.CONFLICT})
_STEAL: Final = (
    "they come back with it, or are over; what they claimed is held until its time is over: `roosync claims`, and an "
    "approver can `roosync claim steal NAME`"
)
_ZOMBIE_MS: Final = round(limits.SESSION_ZOMBIE_S * 1000)


class Zombies(NamedTuple):
    """Sessions of a machine that are told of and are not there. ``offline``: because the machine is not."""

    machine: MachineId
    sessions: list[OpenSession]
    offline: bool


def sessions_of(core: NodeCore, machine: MachineId) -> list[OpenSession]:
    """The open sessions of another machine, the last used first."""
    told = _of_this_start(core, machine)
    if core.presence.liveness.verdict(machine, core.desk.now).state not in _THERE:
        return []
    now_ms = core.presence.clock_of(machine)
    return [session for session in told if session.expires_ms > now_ms]


def zombie_sessions(core: NodeCore) -> Iterator[Zombies]:
    """Of each other machine the sessions that its newest word still calls open, and that cannot be."""
    for machine in core.delivery.sessions.machines():
        if machine not in core.desk.directory.members or core.commit.seats.known.register.ended(machine):
            continue
        state = core.presence.liveness.verdict(machine, core.desk.now).state
        told, now_ms = _of_this_start(core, machine), core.presence.clock_of(machine)
        if state is State.OFFLINE:
            held = [session for session in told if session.expires_ms > now_ms]
        elif state in _THERE:
            held = [session for session in told if session.expires_ms + _ZOMBIE_MS <= now_ms]
        else:
            held = []
        if held:
            yield Zombies(machine, held, state is State.OFFLINE)


def zombie_warnings(core: NodeCore) -> Iterator[tuple[str, str]]:
    """Message and remedy of each."""
    for found in zombie_sessions(core):
        names = ", ".join(_name(session) for session in found.sessions)
        if found.offline:
            yield (
                f"{found.machine} is offline and never said that these agents ended: {names}",
                _STEAL,
            )
        else:
            yield (
                f"{found.machine} still tells of agents whose lease is over: {names}",
                "its node does not clean up: restart roosync there",
            )


def session_row(session: OpenSession) -> dict[str, object]:
    """A session as ``machines`` shows it."""
    return {
        "session": session.id.hex(),
        "workspace": session.workspace,
        "client": session.client,
        "last_active": rfc3339(session.active_ms),
        "expires_at": rfc3339(session.expires_ms),
    }


def _of_this_start(core: NodeCore, machine: MachineId) -> list[OpenSession]:
    """What a machine said in the start that is heard of it; a later start tells anew."""
    told, beat = core.delivery.sessions.of(machine), core.presence.latest(machine)
    if told is None or beat is None or told.start != beat.heartbeat.start:
        return []
    return told.sessions


def _name(session: OpenSession) -> str:
    client = session.client or session.id.hex()[:8]
    return f"{client} in {session.workspace}" if session.workspace else client
