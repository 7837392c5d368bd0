"""The root's statement that begins a new epoch of the commit log (docs/protocol/ledger.md §6)."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

from roosync_p2p import limits
from roosync_p2p.adapters.home import Home
from roosync_p2p.adapters.keystore import load_identity
from roosync_p2p.adapters.system import read_now
from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.errors import InputFault
from roosync_p2p.ids import FleetId, MachineId
from roosync_p2p.trust.keys import SigningKey
from roosync_p2p.trust.statements import Recovery, seal_statement

__all__ = ["PlannedRecovery", "make_recovery", "recovery_lines"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRecovery:
    """A statement before it is signed.

    Attributes:
        lost: voters that are neither given up nor this machine; their word still counts for nothing.
    """

    statement: Recovery
    fleet: FleetId
    lost: tuple[str, ...]

    def sealed(self, root: SigningKey) -> str:
        """Signed, in base64."""
        return base64.b64encode(seal_statement(root, self.statement, fleet=self.fleet)).decode()


def make_recovery(home: Home, dead: tuple[MachineId, ...], reason: str) -> PlannedRecovery:
    """What the statement would say, from what the running node knows.

    Raises:
        NotRunningError: no node runs here.
        InputFault: ``not_ready``: the node takes no part yet; ``others_are_further``: what they have would be lost.
    """
    identity = load_identity(home.path)
    client = SyncClient(home.path)
    voters = client.voters()
    if voters["store"] is None:
        raise InputFault(
            "this machine's node takes no part in the order yet; nothing was signed",
            code="not_ready",
            remedy="wait until `roosync status` shows no warning about it",
        )
    _require_furthest(client.machines()["machines"], int(voters["size"]), dead)
    others = tuple(MachineId(row["machine"]) for row in voters["voters"] if row["machine"] != identity.machine)
    given_up = dead or others
    statement = Recovery(
        epoch=int(voters["epoch"]) + 1,
        machine=identity.machine,
        store=bytes.fromhex(voters["store"]),
        size=int(voters["size"]),
        root_hash=bytes.fromhex(voters["root"]),
        serial=os.urandom(16),
        not_after_ms=read_now().wall_ms + limits.STATEMENT_LIFE_S * 1000,
        dead=given_up,
        reason=reason,
    )
    return PlannedRecovery(
        statement=statement, fleet=identity.fleet, lost=tuple(m for m in others if m not in given_up)
    )


def _require_furthest(machines: Iterable[Mapping[str, Any]], size: int, dead: tuple[MachineId, ...]) -> None:
    further = {
        str(row["machine"]): int(row["commit_size"])
        for row in machines
        if row["state"] == "online" and row["machine"] not in dead and (row["commit_size"] or 0) > size
    }
    if further:
        named = ", ".join(f"{machine} ({count} commits)" for machine, count in sorted(further.items()))
        raise InputFault(
            f"{named} has more than this machine ({size} commits), which would be lost; nothing was signed",
            code="others_are_further",
            remedy="wait until this machine has caught up, or do it there; --dead MACHINE gives a machine up",
            details={"size": size, "further": further},
        )


def recovery_lines(recovery: PlannedRecovery) -> list[str]:
    """What a person has to see before they sign."""
    said = recovery.statement
    lines = [
        f"the one voter:   {said.machine}, store {said.store.hex()}",
        f"new epoch:       {said.epoch}",
        f"built upon:      {said.size} commits, root {said.root_hash.hex()}",
        f"given up:        {', '.join(said.dead) or 'nobody'}",
    ]
    if recovery.lost:
        lines.append(f"votes no more:   {', '.join(recovery.lost)}")
    return lines
