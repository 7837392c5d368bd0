"""One running node that founded its fleet, decides alone, and serves users: real core, real database, no sockets."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio

from roosync_p2p.adapters.sqlite.store import SqliteStore
from roosync_p2p.core.rows import PendingRow
from roosync_p2p.node.claim_service import ClaimService
from roosync_p2p.node.decision_service import DecisionService
from roosync_p2p.node.ledger_service import LedgerService
from roosync_p2p.node.ledger_services import LedgerServices
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.trust.statements import FLEET_FOUND
from tests.helpers.cores import A, identity, keys
from tests.helpers.running_node import Node, running, until

__all__ = ["Deciding", "deciding", "said"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deciding:
    """The node and what users ask of it; ``tasks`` is what lives as long as it."""

    node: Node
    store: SqliteStore
    services: LedgerServices
    tasks: Any

    @property
    def ledger(self) -> LedgerService:
        return self.services.ledger

    @property
    def claims(self) -> ClaimService:
        return self.services.claims

    @property
    def decisions(self) -> DecisionService:
        return self.services.decisions

    @property
    def number(self) -> int:
        """The newest commit number."""
        return self.node.performer.core.commit.applier.number

    async def kinds(self) -> list[str]:
        """What was ordered, in order."""
        rows = (await self.ledger.log(said(first=1, limit=1000, wait_s=0.0)))["entries"]
        return [row["kind"] for row in rows]


@contextlib.asynccontextmanager
async def deciding(tmp_path: Path, *, founded: bool = True) -> AsyncIterator[Deciding]:
    """Runs until the block ends. Not ``founded``: a node that nothing is ordered for."""
    database = tmp_path / "node.db"
    fresh = not database.exists()
    store = SqliteStore.open(database)
    try:
        if founded and fresh:
            store.commit([PendingRow(number=1, kind=FLEET_FOUND, body=keys().founding())])
        async with running(identity(A), store) as node, anyio.create_task_group() as tasks:
            around = Surroundings(store=store)
            services = LedgerServices.over(
                node.performer, store, node.events, around, tasks=tasks, sessions_file=tmp_path / "sessions.json"
            )
            if founded:
                await until(lambda: node.performer.core.commit.applier.number >= 3)
            yield Deciding(node=node, store=store, services=services, tasks=tasks)
            tasks.cancel_scope.cancel()
    finally:
        store.close()


_ASKED: dict[str, Any] = {
    "timeout_s": 10.0,
    "idempotency_key": None,
    "fence": None,
    "secret": None,
    "user": "tester",
    "process": 1,
    "workspace": "roosync",
    "ttl_s": 3600.0,
    "note": "",
    "reason": "",
    "force": False,
    "wait_s": 0.0,
    "queue": False,
    "token": 0,
    "client": "",
    "lease_s": 3600.0,
    "revision": None,
    "person": None,
}


def said(**fields: Any) -> Any:
    """A request with these fields, and for all others what the API puts there."""

    class Asked:
        def __init__(self) -> None:
            self.__dict__.update({**_ASKED, **fields})

    return Asked()
