"""Messages, machines, claims and decisions as Markdown, and with their fences as data."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from roosync_p2p.mcp_server.fencing import NOTICE, fence, fence_message, quoted

__all__ = [
    "claims_text",
    "decision_text",
    "decisions_text",
    "document_text",
    "fenced_decision",
    "fenced_message",
    "machines_text",
    "message_text",
    "messages_text",
    "with_notice",
]

_SHOWN: Final = (
    "id",
    "from",
    "to",
    "subject",
    "type",
    "priority",
    "tags",
    "thread_id",
    "in_reply_to",
    "status",
    "time",
)
_SEALED: Final = ("sealed", "seal_problem")  # of messages for their readers' machines alone
_SHOWN_OF: Final = (
    *_SHOWN,
    "verified",
    "signer",
    "expires",
    "ack_by",
    "workspace",
    "depth",
    "read_by",
    "states",
    *_SEALED,
)


def with_notice(text: str) -> str:
    """A text in which something of others stands, below what that means."""
    return f"{NOTICE}\n\n{text}"


# --- messages -----------------------------------------------------------------------------------------------------


def fenced_message(message: dict[str, Any]) -> dict[str, Any]:
    """A message of the API as structured output: bodies in fences, its notes in quotes."""
    shown: dict[str, Any] = {key: message[key] for key in _SHOWN_OF if key in message}
    if message.get("body") is not None:
        shown["body"] = _body(message, message["body"])
    if message.get("amended"):
        shown["amended"] = True
        shown["history"] = [
            {
                **{key: value for key, value in version.items() if key != "reason"},
                "reason": quoted(str(version.get("reason") or "")),
                "body": None if version["body"] is None else _body(message, version["body"]),
            }
            for version in message.get("history", ())
        ]
    receipts = [receipt for receipt in message.get("receipts", ()) if receipt.get("note")]
    if receipts:
        shown["answers"] = [{**receipt, "note": quoted(receipt["note"])} for receipt in receipts]
    for key in ("attachments", "commits"):
        if message.get(key):
            shown[key] = message[key]
    return shown


def messages_text(messages: list[dict[str, Any]], *, nothing: str, following: str | None = None) -> str:
    """A list: two lines for each message."""
    if not messages:
        return nothing
    lines = [f"{_head(message)}\n  subject: {quoted(message['subject'])}" for message in messages]
    if following:
        lines.append(f"\nMore: call again with before={following!r}.")
    return with_notice("\n".join(lines))


def message_text(message: dict[str, Any], *, body: str | None) -> str:
    """One message whole. ``body``: as :func:`fenced_message` gave it."""
    indent = "  " * int(message.get("depth") or 0)
    lines = [
        f"{indent}{_head(message)}",
        f"  subject: {quoted(message['subject'])}",
        f"  to: {', '.join(message['to'])} · thread: {quoted(message['thread_id'])}",
    ]
    if message.get("tags"):
        lines.append(f"  tags: {', '.join(map(quoted, message['tags']))}")
    if message.get("in_reply_to"):
        lines.append(f"  answers: {message['in_reply_to']}")
    for key, word in (("expires", "expires"), ("ack_by", "an answer is wanted before")):
        if message.get(key):
            lines.append(f"  {word}: {message[key]}")
    states = message.get("states") or {}
    if states:
        lines.append("  states: " + ", ".join(f"{who} {state}" for who, state in states.items()))
    lines += [
        f"  {receipt['machine']} {receipt['state']}: {quoted(receipt['note'])}"
        for receipt in message.get("receipts", ())
        if receipt.get("note")
    ]
    if message.get("amended"):
        lines.append(f"  amended: {len(message.get('history', ())) - 1} earlier bodies, in the structured content")
    lines += [
        f"  attachment: {quoted(str(file.get('name')))}, {file.get('size')} bytes {file.get('state') or ''}".rstrip()
        for file in message.get("attachments") or ()
    ]
    for commit in message.get("commits", ()):
        outcome = commit["outcome"]
        word = "accepted" if outcome["accepted"] else f"refused ({outcome['reason']})"
        lines.append(f"  cites #{commit['number']}: {commit['kind']} of {commit['author']}, {word}")
    lines += ["", body if body is not None else "(the body is not kept any more)"]
    return "\n".join(lines)


def _head(message: dict[str, Any]) -> str:
    return (
        f"- `{message['id']}` · {message['priority']} · {message['type']} · {message['status']} · {message['time']} · "
        f"from {quoted(message['from'])} · {_mark(message)}"
    )


def _mark(message: dict[str, Any]) -> str:
    if message.get("verified") and message.get("signer"):
        problem = f" and not to be opened here ({message['seal_problem']})" if message.get("seal_problem") else ""
        sealed = f", sealed{problem}" if message.get("sealed") else ""
        return f"signed by {message['signer']}, verified{sealed}"
    return "NOT VERIFIED: nobody's signature vouches for it"


def _body(message: dict[str, Any], body: str) -> str:
    return fence_message(body, signer=message.get("signer"), verified=bool(message.get("verified")))


# --- machines -----------------------------------------------------------------------------------------------------


def machines_text(machines: Iterable[dict[str, Any]]) -> str:
    """Each machine with state, evidence and sessions."""
    lines: list[str] = []
    for row in machines:
        lines.append(
            f"- **{row['machine']}**{' (this machine)' if row.get('self') else ''}: {row['state']}{_seen(row)}"
        )
        lines += [
            f"  - session of {quoted(str(one.get('client') or 'a program'))}"
            f"{' in ' + quoted(one['workspace']) if one.get('workspace') else ''}, last active {one.get('last_active')}"
            for one in row.get("sessions") or ()
        ]
    return "\n".join(lines) or "no machine"


def _seen(row: dict[str, Any]) -> str:
    evidence = row.get("evidence") or {}
    if row.get("self") or not evidence:
        return ""
    via = f" via {evidence['via']}" if evidence.get("via") else ""
    age = f", {evidence['age_s']:.0f} s ago" if isinstance(evidence.get("age_s"), int | float) else ""
    return f" (evidence: {evidence.get('path')}{via}{age})"


# --- the order ----------------------------------------------------------------------------------------------------


def claims_text(claims: list[dict[str, Any]]) -> str:
    """Who holds what."""
    if not claims:
        return "nothing is claimed"
    lines = []
    for claim in claims:
        holder = claim.get("holder") or {}
        who = ":".join(filter(None, (str(holder.get("machine", "")), str(holder.get("workspace") or ""))))
        note = f" · note: {quoted(claim['note'])}" if claim.get("note") else ""
        line = f" · {len(claim['queue'])} in line" if claim.get("queue") else ""
        lines.append(
            f"- {quoted(claim['name'])}: held by {quoted(who)}, token {claim['token']}, until {claim['expires_at']}"
            f"{note}{line}"
        )
    return with_notice("\n".join(lines))


def fenced_decision(decision: dict[str, Any]) -> dict[str, Any]:
    """A decision as structured output: what its author wrote freely stands in a fence."""
    shown = dict(decision)
    if shown.get("description"):
        shown["description"] = fence_message(
            str(shown["description"]), signer=shown.get("author"), verified=True, what="description"
        )
    return shown


def decisions_text(decisions: list[dict[str, Any]]) -> str:
    """A line for each."""
    if not decisions:
        return "no decision"
    lines = [
        f"- `{row['id']}` · {row['state']} · {row['severity']} · by {row['author']} · title: {quoted(row['title'])}"
        for row in decisions
    ]
    return with_notice("\n".join(lines))


def decision_text(decision: dict[str, Any]) -> str:
    """One whole. The decision is as :func:`fenced_decision` gave it."""
    lines = [
        f"- `{decision['id']}` · **{decision['state']}** · {decision['severity']} · {decision.get('kind', 'decision')}",
        f"  title: {quoted(decision['title'])}",
        f"  author: {decision['author']} (signed, in the fleet's log as commit {decision.get('commit_number')})",
        f"  approved by: {', '.join(decision.get('approved_by') or ()) or 'nobody'}",
        f"  approvals needed: {decision.get('approvals_needed')}",
        f"  revision: {decision.get('revision')}",
    ]
    targets = decision.get("targets") or {}
    if targets:
        states = (
            f"{name} {target.get('state')}" + (f" (rollback {target['rollback']})" if target.get("rollback") else "")
            for name, target in targets.items()
        )
        lines.append(f"  targets: {', '.join(states)}")
    if decision.get("conflicts_with"):
        lines.append(f"  in conflict with: {', '.join(decision['conflicts_with'])}")
    if decision.get("reason"):
        lines.append(f"  reason: {quoted(str(decision['reason']))}")
    if decision.get("description"):
        lines += ["", str(decision["description"])]
    if decision.get("actions"):
        lines += ["", "Actions:", document_text(decision["actions"], what="actions")]
    return with_notice("\n".join(lines))


def document_text(document: Any, *, what: str) -> str:
    """A JSON document in a fence."""
    return fence(json.dumps(document, indent=1, ensure_ascii=False), what=f'what="{what}"')
