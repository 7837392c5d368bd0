"""``roosync why``: why a machine, claim, decision, message or own request is as it is, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from roosync_p2p.api.sync_client import SyncClient
from roosync_p2p.api.terminal import Invocation, common_options, safe_line
from roosync_p2p.cli.attachments import attachment_text
from roosync_p2p.cli.texts import Texts, load_texts

__all__ = ["render_why", "why"]

_ID_SHOWN = 16  # digits of a request's id, as `roosync pending` shows them
_TRIED_SHOWN = 3  # addresses on the line for people; --json has all

Fact = dict[str, Any]


@click.command()
@click.argument("of", metavar="WHAT")
@common_options
def why(invocation: Invocation, of: str) -> None:
    """Tell why something is as it is, and what it waits for.

    WHAT is a machine, a claim, a decision, a message, or a request as `roosync pending` shows it. Where a name means
    several things, say which: machine:NAME, claim:NAME, decision:ID, message:ID, request:ID.

    \b
    Examples:
      roosync why myia-po-2023
      roosync why claim:issue-482
      roosync why D12
      roosync why msg-20260115T091530-a1b2c3
    """
    found = SyncClient(invocation.home).why(of)
    if invocation.as_json:
        invocation.print_json(found)
    else:
        invocation.print(render_why(found, load_texts(invocation.home)))


def render_why(found: Fact, texts: Texts) -> str:
    """What it is, what it waits for, then the facts, a line each."""
    told = _TOLD.get(str(found["kind"]))
    facts = found.get(str(found["kind"])) or {}
    head, *rest = [found["of"]] if told is None else told(facts, texts)
    waits = [texts.get("why.waits", what=_wait(wait, texts)) for wait in found["waits_for"]]
    return "\n".join(map(safe_line, [head, *(waits or [texts.get("why.nothing")]), *rest]))


def _wait(wait: Fact, texts: Texts) -> str:
    """One thing that is waited for; a code of a newer node is shown as it is."""
    values = {name: _listed(value, texts) for name, value in wait.items() if name != "code"}
    if wait["code"] == "undecided":
        return texts.word("undecided", str(wait["state"])).format(**values)
    return texts.word("wait", str(wait["code"])).format(**values)


# --- machines -----------------------------------------------------------------------------------------------------


def _machine(facts: Fact, texts: Texts) -> Iterator[str]:
    yield texts.get("why.machine", machine=facts["machine"], **_verdict(facts, texts))
    if not facts["self"]:
        yield from way_lines(facts, texts)
    yield from _membership(facts["membership"], texts)
    holds = facts["holds"]
    if holds is not None and holds["signed"]:
        behind = "?" if holds["commits_behind"] is None else holds["commits_behind"]
        yield texts.get("why.holds", lacks=holds["lacks"], more=holds["more"], commits=behind)
    elif holds is not None:
        yield texts.get("why.holds_unsaid")


def way_lines(facts: Fact, texts: Texts) -> Iterator[str]:
    """Evidence with its age, what peers say, what was dialled."""
    seen = [_seen(one, texts) for one in facts["seen"]]
    if seen:
        yield texts.get("why.evidence", what="; ".join(seen))
    else:
        yield texts.get("why.no_evidence", age=_ago(facts["last_sign_age_s"], texts))
    said = [_said(one, texts) for one in facts["said"]]
    hears = [texts.get("peer.hears", machine=name) for name in facts["heard_by"]]
    if said or hears:
        yield texts.get("why.peers", what="; ".join(said or hears))
    tried = [_tried(one, texts) for one in facts["tried"][:_TRIED_SHOWN]]
    if not tried or not (facts["wished"] or facts["linked"]):
        yield texts.get("why.untried" if facts["wished"] else "why.unwished")
        return
    if facts["next_dial_s"] is not None:
        tried.append(texts.get("why.next_dial", seconds=_seconds(facts["next_dial_s"])))
    yield texts.get("why.tried", what="; ".join(tried))


def _seen(one: Fact, texts: Texts) -> str:
    known = texts.get(f"seen.{one['path']}", via=one["via"], age=_ago(one["age_s"], texts))
    return known if one["standing"] == "good" else f"{known}, {texts.word('standing', one['standing'])}"


def _said(one: Fact, texts: Texts) -> str:
    if one["heard_age_s"] is None:
        return texts.get("peer.not", machine=one["machine"])
    return texts.get("peer.heard", machine=one["machine"], age=_ago(one["heard_age_s"], texts))


def _tried(one: Fact, texts: Texts) -> str:
    source = texts.word("source", "met" if one["met"] else one["from"])
    if one["outcome"] is None:
        return texts.get("tried.never", address=one["address"], source=source)
    age = "" if one["age_s"] is None else _ago(one["age_s"], texts)
    outcome = texts.word("outcome", one["outcome"])
    return texts.get("tried.one", address=one["address"], source=source, outcome=outcome, age=age).rstrip()


def _membership(member: Fact, texts: Texts) -> Iterator[str]:
    for lost in member["key_lost"]:
        yield texts.get("why.key_lost", time=lost["time"], reason=lost["reason"] or "-")
    state = texts.word("membership", member["state"])
    if member["state"] == "present":
        roles = [*member["roles"], *([texts.get("why.votes")] if member["votes"] else [])]
        yield texts.get("why.member", number=member["commit_number"], roles=", ".join(roles))
    elif member["state"] == "unordered":
        yield state
    else:
        yield texts.get("why.ended", state=state, number=member["ended_number"] or "?", reason=member["reason"] or "-")


# --- what needs the order -----------------------------------------------------------------------------------------


def _claim(facts: Fact, texts: Texts) -> Iterator[str]:
    if facts["held"]:
        yield texts.get(
            "why.claim_held",
            name=facts["name"],
            machine=facts["holder"]["machine"],
            session=facts["holder"]["session"],
            token=facts["token"],
            until=facts["expires_at"],
        )
    elif facts["expired_at"] is not None:
        yield texts.get("why.claim_expired", name=facts["name"], time=facts["expired_at"])
    else:
        yield texts.get("why.claim_free", name=facts["name"])
    yield from _undecided(facts, texts)
    if facts["held"]:
        holder = facts["machine"]
        yield texts.get("why.holder_machine", machine=holder["machine"], **_verdict(holder, texts))
    if facts["queue"]:
        line = [f"{row['machine']} ({row['session']}, {row['since']})" for row in facts["queue"]]
        yield texts.get("why.queue", what="; ".join(line))


def _decision(facts: Fact, texts: Texts) -> Iterator[str]:
    yield texts.get("why.decision", id=facts["id"], title=facts["title"], state=texts.word("decision", facts["state"]))
    yield from _undecided(facts, texts)
    if facts["conflicts"]:
        named = [f"{row['id']} {row['title']} ({row['state']})" for row in facts["conflicts"]]
        yield texts.get("why.conflicts", what="; ".join(named))
    names = ", ".join(facts["approved_by"]) or texts.get("why.nobody")
    yield texts.get("why.approved", names=names, needed=facts["approvals_needed"])
    if facts["approvers"] and facts["state"] == "pending":
        yield from (
            texts.get("why.holder_machine", machine=row["machine"], **_verdict(row, texts))
            for row in facts["approvers"]
        )
    targets = []
    for row in sorted(facts["targets"], key=lambda row: row["phase"] == "applied"):
        state = texts.word("machine", row["state"])
        note = f": {row['note']}" if row["note"] else ""
        targets.append(f"{row['machine']} {texts.word('target', row['phase'])} ({state}){note}")
    if targets:
        yield texts.get("why.targets", what="; ".join(targets))


def _request(facts: Fact, texts: Texts) -> Iterator[str]:
    state = texts.word("request", facts["state"])
    about = facts["claim"] or facts["decision"]
    kind = f"{facts['kind']} {about}" if about else facts["kind"]
    yield texts.get("why.request", id=facts["id"][:_ID_SHOWN], kind=kind, state=state)
    if facts["outcome"] is not None:
        outcome = texts.get("why.accepted") if facts["outcome"]["accepted"] else facts["outcome"]["reason"]
        yield texts.get("why.outcome", number=facts["commit_number"], outcome=outcome)
    if facts["quorum"] is not None:
        yield _voters(facts["quorum"], texts)


def _undecided(facts: Fact, texts: Texts) -> Iterator[str]:
    if facts["asked"]:
        named = [f"{row['kind']} {row['id'][:_ID_SHOWN]}" for row in facts["asked"]]
        yield texts.get("why.asked", what="; ".join(named))
        yield _voters(facts["quorum"], texts)


def _voters(quorum: Fact, texts: Texts) -> str:
    """Who votes, those first who are not there, with the evidence for it."""
    rows = []
    for voter in sorted(quorum["voters"], key=lambda row: row["there"]):
        age_s = voter["evidence"]["age_s"]
        age = "" if age_s is None else f", {_ago(age_s, texts)}"
        rows.append(f"{voter['machine']} {texts.word('machine', voter['state'])}{age}")
    leader = quorum["leader"]
    rows.append(texts.get("why.no_leader") if leader is None else texts.get("why.leads", leader=leader))
    return texts.get("why.voters", what="; ".join(rows))


# --- messages -----------------------------------------------------------------------------------------------------


def _message(facts: Fact, texts: Texts) -> Iterator[str]:
    """Who holds it, a line for each recipient, and what was tried to reach those who have not got it."""
    yield texts.get("why.head", id=facts["id"], signer=facts["signer"], holders=", ".join(facts["holders"]))
    order = ("return", "link", "answer", "reading", "nothing")
    rows = sorted(
        facts["recipients"], key=lambda row: order.index(row["waits_for"]) if row["waits_for"] in order else 0
    )
    shown: set[str] = set()
    for row in rows:
        evidence = row["evidence"] or {"path": "none", "age_s": None}
        age = "" if evidence["age_s"] is None else f", {evidence['age_s']:.0f} s"
        seen = f"{texts.word('machine', row['machine'] or 'unknown')} ({evidence['path']}{age})"
        waits = texts.word("recipient", row["waits_for"])
        yield texts.get("why.line", recipient=row["recipient"], state=row["state"], waits=waits, seen=seen)
        machine = row["recipient"].partition(":")[0]
        if row.get("ways") is not None and machine not in shown:  # several workspaces of one machine
            shown.add(machine)
            yield from (f"  {line}" for line in way_lines(row["ways"], texts))
    if facts.get("attachments"):
        yield texts.get("why.attachment", holders=", ".join(facts["attachment_holders"]))
        yield from (attachment_text(row, texts) for row in facts["attachments"])


_TOLD = {"machine": _machine, "claim": _claim, "decision": _decision, "request": _request, "message": _message}


# --- words --------------------------------------------------------------------------------------------------------


def _verdict(row: Fact, texts: Texts) -> dict[str, str]:
    state, reason = str(row["state"]), str(row["reason"])
    return {"state": texts.word("machine", state), "reason": texts.word("reason", reason)}


def _ago(age_s: float | None, texts: Texts) -> str:
    if age_s is None:
        return texts.get("why.never")
    for span_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if age_s >= 2 * span_s:
            return texts.get("why.age", age=f"{age_s / span_s:.0f} {unit}")
    return texts.get("why.age", age=f"{_seconds(age_s)} s")


def _seconds(span_s: float) -> str:
    return f"{span_s:.1f}" if span_s < 10 else f"{span_s:.0f}"


def _listed(value: object, texts: Texts) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or texts.get("why.nobody")
    return texts.get("why.nobody") if value is None else str(value)
