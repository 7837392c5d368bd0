"""What needs the one order: ``roosync_claim``, ``roosync_decision`` and ``roosync_baseline``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from roosync_p2p import limits
from roosync_p2p.api.durations import parse_duration_s
from roosync_p2p.api.methods import JsonObject
from roosync_p2p.errors import UsageError
from roosync_p2p.mcp_server.answers import Answer
from roosync_p2p.mcp_server.caller import Caller
from roosync_p2p.mcp_server.fencing import quoted
from roosync_p2p.mcp_server.mail_tools import needed
from roosync_p2p.mcp_server.rendering import (
    claims_text,
    decision_text,
    decisions_text,
    document_text,
    fenced_decision,
    with_notice,
)
from roosync_p2p.mcp_server.schemas import BaselineAsked, ClaimAsked, DecisionAsked

__all__ = ["baseline", "claim", "decision"]


_EXPIRES_S_MAX: Final = int(limits.DECISION_EXPIRES_S_MAX)


# --- roosync_claim ------------------------------------------------------------------------------------------------


async def claim(caller: Caller, asked: ClaimAsked) -> Answer:
    """Holds, checks and gives back names, in the caller's session."""
    if asked.action == "list":
        held = await caller.api.claims()
        data = {"action": "list", "claims": held["claims"], "stale": held["stale"]}
        return Answer(text=claims_text(held["claims"]) + _stale(held), data=data)
    name = needed(asked.name, "name", asked.action)
    if asked.action == "check":
        return await _check(caller, asked, name)
    got = await caller.spoken(lambda secret: _claimed(caller, asked, name, secret))
    if asked.action == "release":
        text = f"{quoted(name)} is released."
        return Answer(text=text, data={"action": "release", "claims": [], "held": False})
    text = f"You hold {quoted(got['name'])} with token {got['token']} until {got['expires_at']}. Renew it before."
    return Answer(text=text, data={"action": asked.action, "claims": [got], "held": True})


async def _claimed(caller: Caller, asked: ClaimAsked, name: str, secret: str) -> JsonObject:
    api, speaker, ordering = caller.api, {"secret": secret}, {"timeout_s": asked.timeout_s}
    match asked.action:
        case "claim":
            return await api.claim(
                name,
                ttl_s=_ttl_s(asked),
                note=asked.note,
                wait_s=asked.wait_s,
                queue=asked.queue,
                workspace=caller.workspace,
                speaker=speaker,
                ordering=ordering,
            )
        case "renew":
            return await api.renew_claim(
                name,
                asked.token,
                ttl_s=_ttl_s(asked),
                workspace=caller.workspace,
                speaker=speaker,
                ordering=ordering,
            )
        case "release":
            return await api.release_claim(
                name, asked.token, workspace=caller.workspace, speaker=speaker, ordering=ordering
            )
        case _:
            return await api.steal_claim(
                name,
                ttl_s=_ttl_s(asked),
                note=asked.note,
                reason=asked.reason,
                workspace=caller.workspace,
                speaker=speaker,
                ordering=ordering,
            )


async def _check(caller: Caller, asked: ClaimAsked, name: str) -> Answer:
    if not asked.token:
        raise UsageError("check takes token", code="bad_field", remedy="take the token that the claim gave you")
    checked = await caller.api.check_claim(name, asked.token)
    word = "is held" if checked["held"] else "is NOT held"
    held = [checked["claim"]] if checked.get("claim") else []
    text = f"{quoted(name)} {word} with token {asked.token}." + (f"\n\n{claims_text(held)}" if held else "")
    data = {"action": "check", "claims": held, "held": checked["held"], "stale": checked["stale"]}
    return Answer(text=text, data=data)


def _ttl_s(asked: ClaimAsked) -> int:
    return parse_duration_s(asked.ttl, longest_s=limits.CLAIM_TTL_MS_MAX // 1000)


# --- roosync_decision ---------------------------------------------------------------------------------------------


async def decision(caller: Caller, asked: DecisionAsked) -> Answer:
    """The life of a decision. Nothing on this computer is changed by it."""
    if asked.action == "list":
        found = await caller.api.decisions(state=asked.state, limit=asked.limit)
        data = {"decisions": found["decisions"], "as_of": found["as_of"], "stale": found["stale"]}
        return Answer(text=decisions_text(found["decisions"]) + _stale(found), data=data)
    if asked.action == "show":
        found = await caller.api.decision(needed(asked.decision_id, "decision_id", "show"))
        shown = [fenced_decision(one) for one in found["decisions"]]
        data = {"decisions": shown, "as_of": found["as_of"], "stale": found["stale"]}
        return Answer(text="\n\n".join(map(decision_text, shown)) + _stale(found), data=data)
    changed = await (_proposed(caller, asked) if asked.action == "propose" else _decided(caller, asked))
    return _afterwards(changed)


async def _proposed(caller: Caller, asked: DecisionAsked) -> JsonObject:
    return await caller.api.propose(
        needed(asked.title, "title", "propose"),
        needed(asked.actions, "actions", "propose"),
        description=asked.description,
        severity=asked.severity,
        targets=asked.targets or [],
        strategy=asked.strategy,
        expires_s=(None if asked.expires is None else parse_duration_s(asked.expires, longest_s=_EXPIRES_S_MAX)),
        approve=asked.approve,
        workspace=caller.workspace,
        revises=asked.decision_id,
        revision=asked.revision,
        ordering={"timeout_s": asked.timeout_s},
    )


async def _decided(caller: Caller, asked: DecisionAsked) -> JsonObject:
    api, ordering = caller.api, {"timeout_s": asked.timeout_s}
    named = needed(asked.decision_id, "decision_id", asked.action)
    match asked.action:
        case "approve":
            return await api.approve(named, revision=asked.revision, note=asked.note, ordering=ordering)
        case "reject":
            return await api.reject(named, revision=asked.revision, note=asked.note, ordering=ordering)
        case "resolve":
            keep = needed(asked.keep, "keep", "resolve")
            return await api.resolve(named, keep, revision=asked.revision, note=asked.note, ordering=ordering)
        case "apply":
            return await api.apply_decision(
                named, asked.step, note=asked.note, final=asked.final, backup=asked.backup, ordering=ordering
            )
        case "rollback":
            return await api.roll_back(named, machines=asked.machines or [], reason=asked.note, ordering=ordering)
        case _:
            return await api.archive_decision(named, ordering=ordering)


def _afterwards(changed: JsonObject) -> Answer:
    shown = fenced_decision(changed)
    text = decision_text(shown)
    if changed.get("conflicts"):
        text += "\n\nIt would undo others' decisions: " + document_text(changed["conflicts"], what="conflicts")
    return Answer(text=text, data={"decisions": [shown]})


# --- roosync_baseline ---------------------------------------------------------------------------------------------


async def baseline(caller: Caller, asked: BaselineAsked) -> Answer:
    """The fleet's reference configuration; a change is a decision."""
    match asked.action:
        case "show":
            found = await caller.api.baseline(asked.version)
            text = f"Version {found['version']}, the newest is {found['newest']}."
            return Answer(text=_shown(text, found["document"], "baseline") + _stale(found), data=found)
        case "diff":
            found = await caller.api.baseline_diff(asked.old, asked.new)
            text = f"What version {found['new']} has otherwise than version {found['old']}:"
            return Answer(text=_shown(text, found["changes"], "changes") + _stale(found), data=found)
        case "history":
            found = await caller.api.baseline_history()
            return Answer(text=_shown("Newest first:", found["versions"], "versions") + _stale(found), data=found)
        case "restore":
            version = asked.version
            if version is None:
                raise UsageError("restore takes version", code="bad_field", remedy="see action history")
            changed = await caller.api.restore_baseline(
                version, reason=asked.reason, approve=asked.approve, ordering={"timeout_s": asked.timeout_s}
            )
            return _afterwards(changed)
        case "set":
            changed = await caller.api.set_baseline(
                _change(asked),
                version=asked.version,
                title=asked.title,
                description=asked.description,
                severity=asked.severity,
                strategy=asked.strategy,
                approve=asked.approve,
                ordering={"timeout_s": asked.timeout_s},
            )
            return _afterwards(changed)


def _change(asked: BaselineAsked) -> Mapping[str, Any]:
    said = {"patch": asked.patch, "document": asked.document, "actions": asked.actions}
    given = {name: value for name, value in said.items() if value is not None}
    if len(given) != 1:
        raise UsageError("set takes one of patch, document, actions", code="bad_field", remedy="give exactly one")
    return given


def _shown(head: str, document: Any, what: str) -> str:
    return with_notice(f"{head}\n\n{document_text(document, what=what)}")


def _stale(found: JsonObject) -> str:
    if not found.get("stale"):
        return ""
    return f"\n\nState of commit {found['as_of']}; no leader confirms that it is current."
