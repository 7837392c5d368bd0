"""What the tests of the mail services ask for, and of whom."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.core.rows import MemberRow
from roosync_p2p.node.quotas import Quotas
from roosync_p2p.node.requests import SendAsked
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.waking import Waking
from tests.helpers.actors import A, B, identity
from tests.helpers.running_node import Node, running

__all__ = ["Ack", "Amend", "Archive", "MailNode", "Search", "Spoken", "asked", "mail_node"]


@dataclasses.dataclass(frozen=True)
class Ack:
    """An answer."""

    decline: bool = False
    note: str = ""
    workspace: str | None = None
    secret: str | None = None
    user: str | None = None
    process: int | None = None


@dataclasses.dataclass(frozen=True)
class Archive:
    """Messages to put aside."""

    ids: tuple[str, ...]
    workspace: str | None = None
    secret: str | None = None
    user: str | None = None
    process: int | None = None


@dataclasses.dataclass(frozen=True)
class Spoken:
    """Who reads or takes a message."""

    workspace: str | None = None
    secret: str | None = None
    user: str | None = None
    process: int | None = None
    lease_s: float = 60.0


@dataclasses.dataclass(frozen=True)
class Amend:
    """Another body."""

    body: str
    reason: str = ""
    secret: str | None = None
    user: str | None = None
    process: int | None = None
    workspace: str | None = None


@dataclasses.dataclass(frozen=True)
class Search:
    """What to look for."""

    words: str
    limit: int = 50
    before: str | None = None


def asked(to: str = "machine-a", **changes: object) -> SendAsked:
    """A question to send."""
    question = SendAsked(
        to=(to,),
        subject="Réunion",
        body="Prêt ? 🎉",
        type="question",
        priority="HIGH",
        tags=("équipe",),
        thread_id=None,
        workspace=None,
        idempotency_key=None,
    )
    return dataclasses.replace(question, **changes)  # type: ignore[arg-type]  # fields of the test's choice


@dataclasses.dataclass(frozen=True)
class MailNode:
    """A running node over a real database, with machine B known and sessions of its own."""

    node: Node
    store: SqliteStore
    sessions: Sessions
    quotas: Quotas
    waking: Waking


@contextlib.asynccontextmanager
async def mail_node(tmp_path: Path) -> AsyncIterator[MailNode]:
    """Machine A, until the block ends."""
    store = SqliteStore.open(tmp_path / "node.db")
    try:
        other = identity(B)
        store.commit([MemberRow(machine=B, key_id=other.key.key_id, leaf=other.leaf, issuer=other.issuer)])
        async with running(identity(A), store) as node:
            sessions = Sessions(tmp_path / "sessions.json", now_ms=lambda: 0)
            waking = Waking(
                node.performer, store, node.events, sessions, (), {}, path=tmp_path / "wakes.json", now_ms=lambda: 0
            )
            yield MailNode(node, store, sessions, Quotas(node.performer, store), waking)
    finally:
        store.close()
