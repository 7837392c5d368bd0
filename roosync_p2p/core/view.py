"""What a core shows of itself: the answers to ``status`` and ``machines``, from facts (docs/protocol/api.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from roosync_p2p.clock import rfc3339
from roosync_p2p.core.authorship import CONFLICT_REMEDY, OUT_REMEDY, Phase
from roosync_p2p.core.commit.ended import ended_here
from roosync_p2p.core.commit.epoch_warnings import epoch_warnings
from roosync_p2p.core.folder.health import folder_status, folder_warnings
from roosync_p2p.core.presence import verdict_data
from roosync_p2p.core.session_views import session_row, sessions_of, zombie_warnings
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.decision_state import live_decisions
from roosync_p2p.ledger.fleet import voters_of
from roosync_p2p.ledger.register import register_of
from roosync_p2p.liveness.judgement import illness
from roosync_p2p.liveness.verdicts import Reason, State, describe
from roosync_p2p.version import __version__

if TYPE_CHECKING:
    from roosync_p2p.core.node_core import NodeCore

__all__ = ["commit", "has_gone", "heard_further", "leader", "machines", "status", "warnings"]


STALLED_REMEDIES: Final[Mapping[str, str]] = {
    Reason.DISK_STALLED: "on that machine: make room, look at the disk and at what holds it (an antivirus, a backup); "
    "if it does not recover, roosync down there, or switch it off: others take over its vote",
    Reason.LOOP_LAGGING: "on that machine: see what takes the processor or the memory; restart roosync there if it "
    "stays so",
}
_ALARM_REMEDIES: Final[Mapping[str, str]] = {
    "commits_changed": "check the disk, and restart the node: `roosync down`, `roosync up`",
    "ledger_changed": "the disk or a program changed the database: check the disk, and `roosync doctor`",
    "ledger_diverged": "compare versions with `roosync machines`; report it with both nodes' logs",
}


def machines(core: NodeCore) -> list[dict[str, object]]:
    """One row for each member, this machine first by its own word, the others with their evidence.

    Who has left or was retired is expected back by nobody; its name and key are kept for what it signed.
    """
    return [_row(core, machine) for machine in sorted(core.members()) if not has_gone(core, machine)]


def has_gone(core: NodeCore, machine: MachineId) -> bool:
    """Whether the membership of another machine has ended, as ordered."""
    return machine != core.me and register_of(core.commit.state, core.desk.identity.root).ended(machine)


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
            "decisions_pending": sum(not live.effect for _, live in live_decisions(core.commit.state)),
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
        "commit": commit(core),
        "folder": folder_status(core),
        "counters": dict(sorted(core.desk.counters.items())),
        "warnings": found,
        "machines": rows,
    }


def leader(core: NodeCore) -> MachineId | None:
    """Who leads, as far as this node can tell: one that it does not hear does not lead for it.

    A machine that does not vote has no other way to notice that its leader is gone.
    """
    seat = core.commit.leader
    if seat is None or seat.machine == core.me:
        return None if seat is None else seat.machine
    verdict = core.presence.liveness.verdict(seat.machine, core.desk.now)
    return seat.machine if verdict.state in (State.ONLINE, State.SUSPECT) else None


def commit(core: NodeCore) -> dict[str, object]:
    """How far this node is in the commit log, and who decides what comes next."""
    log = core.commit
    order = log.order
    return {
        "size": log.applier.number,
        "leader": leader(core),
        "term": order.hard.term,
        "voters": [machine for machine, _ in voters_of(log.state)],
        "digest": log.state.digest.hex(),
        "epoch": order.epoch,
    }


def heard_further(core: NodeCore) -> bool:
    """Whether a machine was heard to have applied more. In another epoch a number is another commit."""
    beats = [beat.heartbeat for machine in core.members() if (beat := core.presence.latest(machine)) is not None]
    epoch, number = core.commit.order.epoch, core.commit.applier.number
    return any(beat.epoch == epoch and (beat.commit_size or 0) > number for beat in beats)


def warnings(core: NodeCore) -> list[dict[str, object]]:
    """What a person should know and do, worst first."""
    found: list[dict[str, object]] = []
    phase = core.authorship.phase
    if phase is Phase.CONFLICT:
        found.append(
            _warning(
                "identity_conflict",
                f"this machine's identity is used twice: {core.authorship.reason}; it writes nothing"
                + _branch_here(core),
                OUT_REMEDY if core.authorship.out else CONFLICT_REMEDY,
            )
        )
    elif phase is Phase.REVOKED:
        found.append(
            _warning(
                "revoked",
                core.authorship.reason,
                "to come back this machine takes a new key: a new home, and a new invite from an issuer",
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
    ended = ended_here(core.desk, core.commit.state)
    if ended is not None and phase is not Phase.REVOKED:
        found.append(_warning(ended.code, ended.message, ended.remedy))
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
    found += _skipped(core)
    found += _lost_keys(core)
    found += _stalled(core)
    found += [_warning("session_zombie", message, remedy) for message, remedy in zombie_warnings(core)]
    found += _commit_warnings(core)
    found += folder_warnings(core)
    if core.store_fault is not None:
        fault = core.store_fault
        found.append(_warning(fault.code, f"nothing is being stored: {fault.message}", fault.remedy))
    return found


def _skipped(core: NodeCore) -> Iterator[dict[str, object]]:
    for one in core.exchange.floors.skipped():
        what = "entry of its mail was" if one.entries == 1 else "entries of its mail were"
        yield _warning(
            "mail_missed",
            f"of {one.machine} {one.entries} {what} too old to be kept by anybody when this machine came back",
            f"ask {one.machine}, or whoever was there, whether any of it was for you",
        )


def _lost_keys(core: NodeCore) -> Iterator[dict[str, object]]:
    """Who holds the root's key can give a machine's name to another; so everybody is told, for seven days."""
    for one in core.rotations.lost():
        said = one.said
        why, where = (f" ({said.reason})" if said.reason else ""), (f", on {said.by}" if said.by else "")
        yield _warning(
            "key_lost",
            f"{said.machine} lost its key{why}, and has another by the root's word of {rfc3339(said.time_ms)}{where}",
            f"if none of you did that, somebody else has the root key: roosync-admin revoke {said.machine}, and found a"
            " new fleet",
        )


def _branch_here(core: NodeCore) -> str:
    """Which of the entries that a fork can be settled at this home holds: what its user has to know."""
    held = [
        f"entry {row.sequence} of the {row.chain} chain {keep.hex()}"
        for keep, row in core.forks.branches(core.me).items()
        if core.exchange.held((row.author, row.incarnation, row.chain), row.sequence) == keep
    ]
    return "; this home holds, where it forked, " + " and ".join(held) if held else ""


def _stalled(core: NodeCore) -> Iterator[dict[str, object]]:
    """Machines whose heartbeats go on while their disk or event loop does not; this one is told by its own words."""
    for machine in core.members():
        verdict = core.presence.liveness.verdict(machine, core.desk.now)
        remedy = STALLED_REMEDIES.get(verdict.reason)
        if remedy is not None:
            yield _warning("machine_stalled", f"{machine}: {describe(verdict)}", remedy)
    sick = illness(core.presence.health)
    if sick is not None and core.store_fault is None:
        what = "disk has not written" if sick[0] is Reason.DISK_STALLED else "event loop stood still"
        yield _warning("stalled_here", f"this machine's {what} for {sick[1]:.0f} s", STALLED_REMEDIES[sick[0]])


def _commit_warnings(core: NodeCore) -> Iterator[dict[str, object]]:
    log = core.commit
    for code, message, _ in log.digests.alarms.values():
        yield _warning(code, message, _ALARM_REMEDIES.get(code, ""))
    if log.applier.needs_rules is not None:
        yield _warning(
            "rules_too_new",
            f"the fleet decides by rules of version {log.applier.needs_rules}, and this program knows "
            f"{core.desk.rules.newest}: it stores and passes on, and applies nothing",
            "update roosync on this machine",
        )
    for warned in log.clock.warnings():
        yield _warning(warned.code, warned.message, warned.remedy)
    if log.order.me is not None and leader(core) is None and voters_of(log.state):
        text, _ = log.waits_for()
        yield _warning(
            "no_leader",
            f"nothing can be decided now: {text}; what is asked for is signed and waits",
            "start the machines that vote: `roosync voters`; see `roosync pending`",
        )


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
        "sessions": [session_row(session) for session in sessions_of(core, machine)],
        "version": core.version if mine else (beat.heartbeat.version if beat else None),
        "commit_size": core.commit.applier.number if mine else (beat.heartbeat.commit_size if beat else None),
        "addresses": list(core.presence.addresses if mine else (beat.heartbeat.addresses if beat else ())),
        "roles": _roles(core, machine),
    }


def _roles(core: NodeCore, machine: MachineId) -> list[str]:
    """What the register says; of a machine that it does not know yet, what the certificates say."""
    member = register_of(core.commit.state, core.desk.identity.root).present(machine)
    if member is not None:
        return list(member.roles)
    issuers = {issuer.machine for issuer in core.directory.issuers.values()}
    return ["member", "issuer"] if machine in issuers else ["member"]


def _state(core: NodeCore, rows: list[dict[str, object]]) -> str:
    conflicts = any(row["state"] == State.CONFLICT for row in rows)
    if core.authorship.phase in (Phase.CONFLICT, Phase.WAITING, Phase.REVOKED) or conflicts:
        return "conflict"
    if core.commit.digests.alarms:
        return "diverged"
    if not core.links.peers():
        return "alone"
    if core.exchange.behind() or core.commit.applier.behind or _others_are_further(core):
        return "behind"
    return "synced"


def _others_are_further(core: NodeCore) -> bool:
    """Whether a machine that is there has applied more of the same log, or has not said yet how far it is."""
    epoch, number = core.commit.order.epoch, core.commit.applier.number
    if any(core.presence.latest(peer) is None for peer in core.links.peers()):
        return True
    beats = [
        beat.heartbeat
        for machine in core.members()
        if machine != core.me
        and (beat := core.presence.latest(machine)) is not None
        and core.presence.liveness.verdict(machine, core.desk.now).state is State.ONLINE
    ]
    return any(beat.epoch == epoch and (beat.commit_size or 0) > number for beat in beats)


def _warning(code: str, message: str, remedy: str) -> dict[str, object]:
    return {"code": code, "message": message, "remedy": remedy}
