"""Why a machine is judged as it is: evidence, what peers say, what was tried, its membership, what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from roosync_p2p.clock import rfc3339
from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.presence import verdict_data
from roosync_p2p.core.view import has_gone
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.fleet import voters_of
from roosync_p2p.ledger.register import register_of
from roosync_p2p.liveness.verdicts import Reason, State, describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roosync_p2p.core.node_core import NodeCore

__all__ = ["known_machines", "machine_facts", "machine_waits", "way_facts"]

Fact = dict[str, Any]

# What each reason of a verdict waits for (docs/protocol/liveness.md §3 and §5).
_WAITS: Final[Mapping[str, str]] = {
    Reason.LATE: "heartbeat",
    Reason.NO_HEARTBEATS: "heartbeat",
    Reason.DISK_STALLED: "its_disk",
    Reason.LOOP_LAGGING: "its_program",
    Reason.PEER_HEARS: "own_way",
    Reason.ASKING_PEERS: "peers",
    Reason.AWAITING_PROOF: "proof",
    Reason.NO_PROOF: "own_connection",
    Reason.FOLDER_STALLED: "folder",
    Reason.PROVING: "proving",
    Reason.NEVER_HEARD: "first_sign",
    Reason.FAREWELL: "its_start",
    Reason.TWO_BOOTS: "one_program",
    Reason.OLD_START_ADVANCES: "one_program",
    Reason.NOT_A_MEMBER: "admission",
}
_PHASES: Final[Mapping[Phase, str]] = {
    Phase.CONFLICT: "person",
    Phase.REVOKED: "new_key",
    Phase.WAITING: "countersignature",
}


def known_machines(core: NodeCore) -> list[MachineId]:
    """Every machine of which something can be said: members, those that were, and those that were revoked."""
    register = register_of(core.commit.state, core.desk.identity.root)
    return sorted({*core.members(), *map(MachineId, register.members), *core.revocations.revoked})


def machine_facts(core: NodeCore, machine: MachineId) -> Fact:
    """All that this node knows of a machine; of itself only what does not come from outside."""
    verdict = core.presence.liveness.verdict(machine, core.desk.now)
    mine = machine == core.me
    return {
        **verdict_data(verdict),
        "self": mine,
        "detail": "this machine" if mine else describe(verdict),
        "forked": core.forks.describe(machine) if machine in core.forks.authors() else None,
        **({} if mine else way_facts(core, machine)),
        "membership": _membership(core, machine),
        "holds": None if mine else _holds(core, machine),
    }


def way_facts(core: NodeCore, machine: MachineId) -> Fact:
    """Which ways lead to another machine, how old their evidence is, what peers say, and what was tried."""
    facts = core.presence.liveness.facts(machine, core.desk.now)
    reach = core.dialling.reach(machine)
    tried = [
        {
            "address": one.address,
            "from": one.source,
            "met": one.met,
            "outcome": one.outcome or None,
            "detail": one.detail,
            "age_s": _rounded(one.age_s),
        }
        for one in reach.tried
    ]
    seen = () if facts is None else facts.seen
    said = () if facts is None else facts.said
    return {
        "linked": core.links.primary(machine) is not None,
        "seen": [
            {"path": str(one.path), "via": one.via, "age_s": _rounded(one.age_s), "standing": one.standing}
            for one in seen
        ],
        "last_sign_age_s": None if facts is None else _rounded(facts.last_sign_age_s),
        "heard_by": [peer for peer in core.links.peers() if _says_it_hears(core, peer, machine)],
        "said": [
            {
                "machine": one.machine,
                "heard_age_s": _rounded(one.heard_age_s),
                "said_age_s": _rounded(one.said_age_s),
            }
            for one in said
        ],
        "asked_age_s": None if facts is None else _rounded(facts.asked_age_s),
        "awaited": [] if facts is None else list(facts.awaited),
        "link_age_s": None if facts is None else _rounded(facts.link_age_s),
        "link_lost_age_s": None if facts is None else _rounded(facts.link_lost_age_s),
        "refused_age_s": None if facts is None else _rounded(facts.refused_age_s),
        "connected_here": facts is not None and facts.proved,
        "tried": tried,
        "dialling": reach.dialling,
        "wished": reach.wished,
        "next_dial_s": _rounded(reach.next_s),
    }


def machine_waits(core: NodeCore, machine: MachineId) -> list[Fact]:
    """What its state waits for, the worst first; empty if nothing."""
    verdict = core.presence.liveness.verdict(machine, core.desk.now)
    out = core.revocations.out(machine)
    if out is not None:
        return [{"code": "new_key"}]
    if register_of(core.commit.state, core.desk.identity.root).ended(machine):
        return [{"code": "admission"}]
    if machine == core.me:
        return _own_waits(core)
    waits: list[Fact] = []
    if machine in core.forks.authors():
        waits.append({"code": "person", "what": core.forks.describe(machine)})
    elif verdict.state is State.CONFLICT:
        waits.append({"code": _WAITS.get(verdict.reason, "person"), "what": describe(verdict)})
    elif verdict.state is State.OFFLINE:
        waits.append({"code": "sign"})
    elif verdict.state is not State.ONLINE:
        code = _WAITS.get(verdict.reason, "sign")
        facts = core.presence.liveness.facts(machine, core.desk.now)
        asked = {"machines": list(facts.awaited)} if code == "peers" and facts is not None else {}
        waits.append({"code": code, **asked})
    lacks = _holds(core, machine)["lacks"]
    if lacks and _heard(core, machine):
        waits.append({"code": "catching_up", "entries": lacks})
    return waits


def _own_waits(core: NodeCore) -> list[Fact]:
    phase = core.authorship.phase
    if phase in _PHASES:
        return [{"code": _PHASES[phase], "what": core.authorship.reason}]
    waits: list[Fact] = [] if phase is Phase.READY else [{"code": "check"}]
    # Not whether links stand: those of a cable that was pulled stand for a while.
    others = [machine for machine in core.members() if machine != core.me and not has_gone(core, machine)]
    if others and not any(_heard(core, machine) for machine in others):
        waits.append({"code": "anybody"})
    return waits


def _heard(core: NodeCore, machine: MachineId) -> bool:
    return core.presence.liveness.verdict(machine, core.desk.now).state in (State.ONLINE, State.SUSPECT)


def _membership(core: NodeCore, machine: MachineId) -> Fact:
    """What the register says; ``unordered`` while only certificates say it is a member."""
    member = register_of(core.commit.state, core.desk.identity.root).members.get(machine)
    out = core.revocations.out(machine)
    state = "revoked" if out is not None else "unordered" if member is None else member.ended or "present"
    lost = [one.said for one in core.rotations.lost() if one.said.machine == machine]
    return {
        "state": state,
        "roles": [] if member is None else list(member.roles),
        "votes": machine in {voter for voter, _ in voters_of(core.commit.state)},
        "commit_number": None if member is None else member.number,
        "since": None if member is None else rfc3339(member.since_ms),
        "admitted_by": None if member is None else member.by,
        "ended_number": (member.ended_number or None) if member is not None else None,
        "reason": out.reason if out is not None else "" if member is None else member.reason,
        "key_lost": [{"time": rfc3339(said.time_ms), "by": said.by, "reason": said.reason} for said in lost],
    }


def _holds(core: NodeCore, machine: MachineId) -> Fact:
    """What it has signed that it holds beside what is on this disk, and how far it says that it has read the log."""
    theirs = core.delivery.heads_of(machine)
    spans = core.exchange.spans()
    lacks = sum(max(0, span.head - max(theirs.get(span.key, 0), span.floor - 1)) for span in spans)
    more = sum(max(0, head - core.exchange.durable_head(key)) for key, head in theirs.items())
    beat = core.presence.latest(machine)
    same = beat is not None and beat.heartbeat.epoch == core.commit.order.epoch
    size = beat.heartbeat.commit_size if beat is not None and same else None
    return {
        "signed": bool(theirs),
        "lacks": lacks if theirs else None,
        "more": more,
        "commit_size": size,
        "commits_behind": None if size is None else core.commit.applier.number - size,
    }


def _says_it_hears(core: NodeCore, peer: MachineId, machine: MachineId) -> bool:
    """What a peer said last counts while the peer itself is there: one that stands still takes nothing back."""
    there = core.presence.liveness.verdict(peer, core.desk.now).state is State.ONLINE
    return there and peer != machine and machine in core.presence.hears(peer)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
