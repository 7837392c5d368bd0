"""The services of the ledger, put together over one core and one store."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Self

import anyio.abc

from roosync_p2p.core.ports import Reader
from roosync_p2p.node.baseline_service import BaselineService
from roosync_p2p.node.claim_service import ClaimService
from roosync_p2p.node.decision_service import DecisionService
from roosync_p2p.node.event_log import EventLog
from roosync_p2p.node.ledger_service import LedgerService
from roosync_p2p.node.orders import Orders
from roosync_p2p.node.performer import Performer
from roosync_p2p.node.session_keeper import SessionKeeper
from roosync_p2p.node.sessions import Sessions
from roosync_p2p.node.surroundings import Surroundings

__all__ = ["LedgerServices"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LedgerServices:
    """What users ask of the order."""

    ledger: LedgerService
    claims: ClaimService
    decisions: DecisionService
    baseline: BaselineService
    sessions: Sessions
    keeper: SessionKeeper

    @classmethod
    def over(
        cls,
        performer: Performer,
        reader: Reader,
        events: EventLog,
        around: Surroundings,
        *,
        tasks: anyio.abc.TaskGroup,
        sessions_file: Path,
    ) -> Self:
        """All of them.

        Args:
            tasks: lives as long as the node.
            sessions_file: where the open sessions are kept.
        """
        orders = Orders(performer, reader, tasks)
        sessions = Sessions(sessions_file, now_ms=lambda: around.now().wall_ms)
        ledger = LedgerService(performer, reader, events, orders, around, sessions)
        decisions = DecisionService(performer, ledger, orders, around)
        claims = ClaimService(performer, events, ledger, orders, sessions, around)
        return cls(
            ledger=ledger,
            claims=claims,
            keeper=SessionKeeper(performer, events, sessions, claims),
            decisions=decisions,
            baseline=BaselineService(performer, ledger, orders, decisions),
            sessions=sessions,
        )
