"""What a core shows of itself: the answers to ``status`` and ``machines``, from facts (docs/protocol/api.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roosync_p2p.clock import rfc3339
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.commit.epoch_warnings import epoch_warnings
from roosync_p2p.core.presence import verdict_data
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import State, describe
from roosync_p2p.version import __version__

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["machines", "status", "warnings"]


def machines(core: NodeCore) -> list[dict[str, object]]:
    """One row for each member, this machine first by its own word, the others with their evidence."""
    return [_row(core, machine) for machine in sorted(core.members())]


def status(core: NodeCore) -> dict[str, object]:
    """The whole status; ``machines`` included."""
    rows = machines(core)
    found = warnings(core)
    return {
        "machine": core.me,
        "state": _state(core, rows),
        "last_sync": None if core.last_sync_ms is None else rfc3339(core.last_sync_ms),
        "summary": {
            "machines": len(rows),
            "online": sum(1 for row in rows if row["state"] == State.ONLINE),
            "differences": None,
            "decisions_pending": None,
        },
        "fleet": core.desk.identity.fleet.hex(),
        "boot_id": core.boot.hex(),
        "start": core.authorship.start,
        "version": __version__,
        "phase": core.authorship.phase.value,
        "incarnation": core.authorship.incarnation,
        "links": len(core.links.peers()),
        "connections": [
            {"machine": link.machine, "address": link.remote, "dialled": link.dialled}
            for peer in core.links.peers()
            if (link := core.links.primary(peer)) is not None
        ],
        "commit": None,
        "folder": None,
        "counters": dict(sorted(core.desk.counters.items())),
        "warnings": found,
        "machines": rows,
    }


def warnings(core: NodeCore) -> list[dict[str, object]]:
    """What a person should know and do, worst first."""
    found: list[dict[str, object]] = []
    phase = core.authorship.phase
    if phase is Phase.CONFLICT:
        found.append(
            _warning(
                "identity_conflict",
                f"this machine's identity is used twice: {core.authorship.reason}; it writes nothing",
                "stop the other copy of this home; then roosync-admin settle",
            )
        )
    elif phase is Phase.WAITING:
        issuers = core.renewals.waiting_for()
        whom = "one of " + ", ".join(issuers) if issuers else "the root key (roosync-admin countersign)"
        refusal = f"; refused: {core.renewals.refusal}" if core.renewals.refusal else ""
        found.append(
            _warning(
                "waiting_for_countersignature",
                f"{core.authorship.reason}; it waits for {whom}{refusal}",
                "start a node that is an issuer, or run roosync-admin countersign with the root key",
            )
        )
    found += epoch_warnings(core.commit)
    found += [
        _warning("forked", f"{author}: {core.forks.describe(author)}", f"roosync-admin settle {author} --keep HASH")
        for author in core.forks.authors()
        if author != core.me
    ]
    for renewed in core.renewed():
        more = f"; {renewed.stranded} older entries surfaced later and are kept aside" if renewed.stranded else ""
        found.append(
            _warning(
                "store_renewed",
                f"{renewed.machine} began incarnation {renewed.incarnation}: its store was restored or lost{more}",
                "if nobody restored it, its disk was copied: find out",
            )
        )
    if core.store_fault is not None:
        fault = core.store_fault
        found.append(_warning(fault.code, f"nothing is being stored: {fault.message}", fault.remedy))
    return found


def _row(core: NodeCore, machine: MachineId) -> dict[str, object]:
    verdict = core.presence.liveness.verdict(machine, core.desk.now)
    beat = core.presence.latest(machine)
    mine = machine == core.me
    shown = verdict_data(verdict)
    del shown["machine"]
    return {
        "machine": machine,
        **shown,
        "self": mine,
        "detail": describe(verdict) if not mine else "this machine",
        "sessions": [],
        "version": core.version if mine else (beat.heartbeat.version if beat else None),
        "commit_size": None,
        "addresses": list(core.presence.addresses if mine else (beat.heartbeat.addresses if beat else ())),
        "roles": _roles(core, machine),
    }


def _roles(core: NodeCore, machine: MachineId) -> list[str]:
    """What the certificates say; the register in the commit log will say more."""
    issuers = {issuer.machine for issuer in core.directory.issuers.values()}
    return ["member", "issuer"] if machine in issuers else ["member"]


def _state(core: NodeCore, rows: list[dict[str, object]]) -> str:
    conflicts = any(row["state"] == State.CONFLICT for row in rows)
    if core.authorship.phase in (Phase.CONFLICT, Phase.WAITING) or conflicts:
        return "conflict"
    if not core.links.peers():
        return "alone"
    return "behind" if core.exchange.behind() else "synced"


def _warning(code: str, message: str, remedy: str) -> dict[str, object]:
    return {"code": code, "message": message, "remedy": remedy}
