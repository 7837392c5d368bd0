"""Decisions, baseline and policies as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from roosync_p2p.api.terminal import Invocation, safe_block, safe_line
from roosync_p2p.cli.tables import table
from roosync_p2p.cli.texts import Texts, load_texts

__all__ = ["print_decision", "render_decision", "render_decisions", "shown_json", "stale_line"]

_REVISION_SHOWN = 16


def print_decision(invocation: Invocation, decision: dict[str, Any]) -> None:
    """The decision after a change."""
    if invocation.as_json:
        invocation.print_json(decision)
    else:
        invocation.print(render_decision(decision, load_texts(invocation.home)))


def render_decisions(document: dict[str, Any], texts: Texts) -> str:
    """One line each."""
    rows = [
        [
            str(row["id"]),
            texts.word("decision", str(row["state"])),
            str(row["severity"]),
            str(row["title"]),
            str(row["author"]),
            _approvals(row),
            ", ".join(row["conflicts_with"]),
        ]
        for row in document["decisions"]
    ]
    if not rows:
        return texts.get("decisions.empty")
    names = ("id", "state", "severity", "title", "author", "approvals", "conflicts")
    return table([texts.get(f"column.{name}") for name in names], rows) + stale_line(document, texts)


def render_decision(decision: dict[str, Any], texts: Texts) -> str:
    """All that an approver has to see."""
    parts = ["\n".join(_head(decision, texts))]
    if decision.get("description"):
        parts.append(safe_block(str(decision["description"])))
    actions = decision.get("actions") or ()
    if actions:
        parts.append("\n".join(f"  {line}" for action in actions for line in _action(action)))
    if decision["targets"]:
        parts.append(table([texts.get(f"column.{n}") for n in ("machine", "state", "note")], _targets(decision, texts)))
    notes = [*_conflicts(decision, texts), *_warnings(decision, texts)]
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(parts)


def shown_json(value: object) -> str:
    """A JSON value for a terminal."""
    return safe_block(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))


def stale_line(document: dict[str, Any], texts: Texts) -> str:
    """A line of its own where an answer may not be current."""
    return "\n" + texts.get("stale", number=document["as_of"]) if document.get("stale") else ""


def _head(decision: dict[str, Any], texts: Texts) -> Iterator[str]:
    state = texts.word("decision", str(decision["state"]))
    yield safe_line(f"{decision['id']}  {state}  {decision['severity']}  {decision['title']}")
    facts = {
        "decision.author": decision["author"],
        "decision.time": decision["time"],
        "decision.approvals": _approvals(decision),
        "decision.approved_by": ", ".join(decision["approved_by"]),
        "decision.superseded_by": decision.get("superseded_by"),
        "decision.baseline_version": decision.get("baseline_version"),
        "decision.reason": decision.get("reason"),
        "decision.revision": str(decision["revision"])[:_REVISION_SHOWN],
    }
    width = max(len(texts.get(key)) for key, value in facts.items() if value)
    for key, value in facts.items():
        if value:
            yield f"{texts.get(key):<{width}}  {safe_line(str(value))}"
    if decision.get("self_approved"):
        yield texts.get("decision.self_approved")


def _approvals(decision: dict[str, Any]) -> str:
    return f"{len(decision['approved_by'])}/{decision['approvals_needed']}"


def _action(action: dict[str, Any]) -> Iterator[str]:
    resource = safe_line(str(action["resource"]))
    match action["op"]:
        case "set" | "merge":
            lines = shown_json(action["value"]).splitlines()
            yield f"{action['op']} {resource} = {lines[0]}"
            yield from lines[1:]
        case "file":
            size = action.get("size") or len(action.get("content", "")) * 3 // 4
            yield f"file {resource} ({size} bytes)"
        case "run":
            yield safe_line(f"run {resource} {action['name']} {' '.join(action['arguments'])}".rstrip())
        case op:
            yield f"{safe_line(str(op))} {resource}"


def _targets(decision: dict[str, Any], texts: Texts) -> list[list[str]]:
    rows: list[list[str]] = []
    for machine, target in decision["targets"].items():
        state = texts.word("target", str(target["state"]))
        if target.get("rollback"):
            state = texts.get(f"target.rollback_{target['rollback']}")
        rows.append([machine, state, str(target.get("note") or "")])
    return rows


def _conflicts(decision: dict[str, Any], texts: Texts) -> Iterator[str]:
    places = {str(row["decision"]): row["resources"] for row in decision.get("conflicts") or ()}
    for other in decision["conflicts_with"]:
        where = f" ({', '.join(map(safe_line, places[other]))})" if other in places else ""
        yield texts.get("decision.conflict", other=safe_line(other)) + where


def _warnings(decision: dict[str, Any], texts: Texts) -> Iterator[str]:
    for warning in decision.get("warnings") or ():
        yield texts.get("warning", message=safe_line(str(warning)))
