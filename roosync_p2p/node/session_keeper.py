"""Ends sessions whose lease is over, and lets the other machines see the others (docs/protocol/api.md §9).

A session that nobody uses any more is closed as its owner would have closed it: what it claimed is given back. Of the
sessions of a machine that went without a word it only tells; what those claimed is not this machine's to give back.
"""

from __future__ import annotations

import logging
from typing import Final

import anyio

from roosync_p2p import limits
from roosync_p2p.core import inputs
from roosync_p2p.core.session_views import session_row, zombie_sessions
from roosync_p2p.errors import RoosyncError, UndecidedError
from roosync_p2p.liveness.verdicts import State
from roosync_p2p.node.claim_service import ClaimService
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.orders import Circumstances
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.sessions import KeptSession, Sessions

__all__ = ["SessionKeeper"]

_LOG: Final = logging.getLogger(__name__)


class SessionKeeper:
    """Looks after the sessions of one node."""

    def __init__(self, performer: Performer, events: EventLog, sessions: Sessions, claims: ClaimService) -> None:
        self._performer = performer
        self._events = events
        self._sessions = sessions
        self._claims = claims
        self._changed = anyio.Event()

    async def run(self) -> None:
        """Until it is cancelled."""
        self._sessions.changed = self._tell
        self._tell()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_expired)
            tasks.start_soon(self._watch_machines)

    def _tell(self) -> None:
        self._changed.set()
        self._performer.feed(inputs.SessionsOpen(sessions=self._sessions.told()))

    async def _end_expired(self) -> None:
        while True:
            self._changed = anyio.Event()
            again_s = self._sessions.next_end_s()
            if again_s == 0.0:
                again_s = limits.SESSION_ZOMBIE_S if not await self._end_all() else 0.0
            with anyio.move_on_after(again_s):
                await self._changed.wait()

    async def _end_all(self) -> bool:
        """Whether everything that is over was ended; what failed is tried again."""
        ended = [await self._end(session) for session in self._sessions.expired()]
        return all(ended)

    async def _end(self, session: KeptSession) -> bool:
        released: list[str] = []
        try:
            released = await self._claims.release_all(session.id, Circumstances())
        except UndecidedError as error:
            _LOG.info("what the session %s held is given back later: %s", session.id[:8], error.message)
        except RoosyncError as error:
            _LOG.warning("what the session %s held is not given back yet: %s", session.id[:8], error.message)
            return False
        await self._sessions.forget(session)
        data = {"machine": self._performer.core.me, "session": session.id, "state": "expired", "released": released}
        self._events.add("session", {**data, "workspace": session.workspace, "client": session.client})
        return True

    async def _watch_machines(self) -> None:
        """Names the sessions of a machine that went without a word."""
        async for event in self._events.stream(None):
            if event.type != "verdict" or event.data["state"] != State.OFFLINE:
                continue
            for found in zombie_sessions(self._performer.core):
                if found.machine == event.data["machine"] and found.offline:
                    for session in found.sessions:
                        row = {"machine": found.machine, **session_row(session), "state": "lost"}
                        self._events.add("session", row)
