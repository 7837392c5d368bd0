"""Sessions: who of several agents on one computer is speaking (docs/protocol/api.md §9).

A session is opened with a secret that is shown once. The node keeps its SHA-256, which is the session's id, and for
how long nobody has used it. Without a secret a user's process in a workspace is a session, which keeps honest agents
apart and no others: whoever can speak to this node could name any process.

They are kept in one small file, because a node that restarts must know them again. Whoever shows them to others is told
when they change; who ends those whose lease is over is ``session_keeper``.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import anyio
import anyio.to_thread
import msgspec

from roosync_p2p import limits
from roosync_p2p.adapters.permissions import write_private
from roosync_p2p.clock import rfc3339
from roosync_p2p.codec.digests import sha256
from roosync_p2p.errors import InputFault
from roosync_p2p.gossip.sessions import OpenSession

__all__ = ["KeptSession", "OpenedSession", "Sessions", "SpeakerAsked"]

_LOG: Final = logging.getLogger(__name__)
_SECRET_BYTES: Final = 32
_PREFIX: Final = "rs-"
_WORKSPACE_DIGITS: Final = 32  # of a workspace with a long name
_WRITTEN_AGAIN: Final = 0.1  # a use is written down when it prolongs the lease by this part of it


class SpeakerAsked(Protocol):
    """Who asks: a secret, or a user's process."""

    @property
    def secret(self) -> str | None: ...
    @property
    def user(self) -> str | None: ...
    @property
    def process(self) -> int | None: ...
    @property
    def workspace(self) -> str | None: ...


class KeptSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session on the disk. Times are this computer's wall clock: a lease is this node's own affair."""

    id: str
    workspace: str
    client: str
    opened_ms: int
    used_ms: int
    lease_ms: int

    @property
    def expires_ms(self) -> int:
        return self.used_ms + self.lease_ms


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """A new session. ``secret`` is not kept here."""

    id: str
    secret: str = dataclasses.field(repr=False)
    expires_ms: int


class Sessions:
    """The open sessions of this node.

    Args:
        path: where they are kept.
        now_ms: the wall clock.
    """

    def __init__(self, path: Path, *, now_ms: Callable[[], int]) -> None:
        self._path = path
        self._now_ms = now_ms
        self._sessions: dict[str, KeptSession] = {kept.id: kept for kept in _load(path)}
        self.changed: Callable[[], None] = _nobody  # called when others should see something else
        self._shown_ms: dict[str, int] = {}  # when a session was used, as the others see it
        self._writing = anyio.Lock()  # a slower thread must not put an older list over a newer one
        self._written: dict[str, int] = {kept.id: kept.used_ms for kept in self._sessions.values()}

    async def open(self, *, workspace: str, client: str, lease_s: float) -> OpenedSession:
        """A new session; it is on the disk when this returns.

        Raises:
            InputFault: ``too_many_sessions``.
            EnvironmentFault: the disk.
        """
        if len(self._live()) >= limits.SESSIONS_MAX:
            raise InputFault(
                f"{limits.SESSIONS_MAX} sessions are open on this machine; none was opened",
                code="too_many_sessions",
                remedy="close some with `roosync session close`; others end when nobody uses them",
            )
        secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        now_ms = self._now_ms()
        kept = KeptSession(
            id=_id_of(secret),
            workspace=workspace,
            client=client,
            opened_ms=now_ms,
            used_ms=now_ms,
            lease_ms=round(lease_s * 1000),
        )
        self._sessions[kept.id] = kept
        self.changed()
        await self._write()
        return OpenedSession(id=kept.id, secret=secret, expires_ms=kept.expires_ms)

    async def close(self, secret: str) -> str:
        """The session is no more; its id.

        Raises:
            InputFault: ``unknown_session``.
        """
        session = self._known(secret)
        await self.forget(session)
        return session.id

    async def forget(self, session: KeptSession) -> None:
        """The session is no more."""
        self._sessions.pop(session.id, None)
        self._shown_ms.pop(session.id, None)
        self.changed()
        await self._write()

    async def renew(self, secret: str) -> KeptSession:
        """Prolongs a lease, by a use that does nothing else.

        Raises:
            InputFault: ``unknown_session``.
        """
        return self._sessions[await self.known(secret)]

    async def speaker(self, asked: SpeakerAsked) -> str:
        """The id of the session that asks; a use of it, which prolongs its lease.

        Raises:
            InputFault: ``unknown_session``.
        """
        if asked.secret is None:
            return _id_of_process(str(asked.user), asked.workspace or "", asked.process)
        return await self.known(asked.secret)

    async def sender(self, asked: SpeakerAsked) -> str:
        """The id of whoever writes a message; empty for a program that says nothing of itself.

        Raises:
            InputFault: ``unknown_session``.
        """
        return "" if asked.secret is None and asked.user is None else await self.speaker(asked)

    async def known(self, secret: str) -> str:
        """The id of the session with that secret; a use of it, which prolongs its lease.

        Raises:
            InputFault: ``unknown_session``.
        """
        session = msgspec.structs.replace(self._known(secret), used_ms=self._now_ms())
        self._sessions[session.id] = session
        seldom_ms = min(limits.SESSION_ACTIVE_TOLD_S * 1000, _WRITTEN_AGAIN * session.lease_ms)
        if session.used_ms - self._shown_ms.get(session.id, 0) >= seldom_ms:
            self.changed()
        if session.used_ms - self._written.get(session.id, 0) > _WRITTEN_AGAIN * session.lease_ms:
            await self._write()
        return session.id

    def may_be_there(self, session: str) -> bool:
        """Whether a session is open; a process is not known to have ended."""
        return "/" in session or self.is_open(session)

    def is_open(self, session: str) -> bool:
        """Whether that is the id of an open session with a secret."""
        return any(kept.id == session for kept in self._live())

    def workspace_of(self, session: str, asked: str | None) -> str | None:
        """The workspace that an open session speaks for.

        Raises:
            InputFault: ``another_workspace``: it asks for one that is not its own.
        """
        own = self._sessions[session].workspace
        if asked is not None and own and asked != own:
            raise InputFault(
                f"this session was opened for the workspace {own}, not for {asked}; nothing was changed",
                code="another_workspace",
                remedy="leave it to a session of that workspace, or open one: roosync session open --workspace",
                details={"workspace": own},
            )
        return own or asked

    def shown(self) -> list[dict[str, object]]:
        """The open sessions, as ``machines`` shows them."""
        return [
            {
                "session": session.id,
                "workspace": session.workspace,
                "client": session.client,
                "last_active": rfc3339(session.used_ms),
                "expires_at": rfc3339(session.expires_ms),
            }
            for session in self._live()
        ]

    def told(self) -> tuple[OpenSession, ...]:
        """The open sessions, as the other machines are told of them."""
        live = self._live()
        self._shown_ms = {session.id: session.used_ms for session in live}
        return tuple(
            OpenSession(
                id=bytes.fromhex(session.id),
                workspace=session.workspace,
                client=session.client,
                active_ms=session.used_ms,
                expires_ms=min(session.expires_ms, limits.WALL_MS_MAX),
            )
            for session in live
        )

    def expired(self) -> list[KeptSession]:
        """Those whose lease is over, until they are forgotten."""
        now_ms = self._now_ms()
        return [session for session in self._sessions.values() if session.expires_ms <= now_ms]

    def next_end_s(self) -> float:
        """How long until the next lease is over; infinite without a session."""
        ends = [session.expires_ms for session in self._sessions.values()]
        return max(0.0, (min(ends) - self._now_ms()) / 1000) if ends else math.inf

    def _live(self) -> list[KeptSession]:
        """Those that are open, the first opened first."""
        now_ms = self._now_ms()
        live = [session for session in self._sessions.values() if session.expires_ms > now_ms]
        return sorted(live, key=lambda session: session.opened_ms)

    def _known(self, secret: str) -> KeptSession:
        session = self._sessions.get(_id_of(secret))
        if session is None or session.expires_ms <= self._now_ms():
            raise InputFault(
                "no such session is open on this machine; nothing was done",
                code="unknown_session",
                remedy="open one with `roosync session open`, or unset ROOSYNC_SESSION",
            )
        return session

    async def _write(self) -> None:
        async with self._writing:
            kept = list(self._sessions.values())
            await anyio.to_thread.run_sync(write_private, self._path, msgspec.json.encode(kept))
            self._written = {session.id: session.used_ms for session in kept}


def _nobody() -> None:
    """Nobody shows them to others."""


def _load(path: Path) -> list[KeptSession]:
    """What the last node wrote; nothing of a file that does not parse, since a session can be opened again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[KeptSession])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        _LOG.warning("the sessions in %s cannot be read, and are over: %s", path, error)
        return []


def _id_of_process(user: str, workspace: str, process: int | None) -> str:
    """With its slashes it is no hash, so no secret's session."""
    plain = f"{user}/{workspace}/{process}"
    if len(plain) <= limits.SESSION_CHARS_MAX:
        return plain
    return f"{user}/{sha256(workspace.encode()).hex()[:_WORKSPACE_DIGITS]}/{process}"


def _id_of(secret: str) -> str:
    return sha256(secret.encode()).hex()
