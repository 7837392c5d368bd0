"""Records the frozen examples of the ledger: ``python -m tests.vectors.record_ledger``.

Every kind of body, a short history with the outcome and the digest after each commit, and the state at its end. A
difference to what is on disk is a change of the rules, which takes a new rules version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from roosync_p2p.codec import records
from roosync_p2p.ids import CommitNumber, Epoch, StoreId
from roosync_p2p.ledger import bodies, decision_bodies
from roosync_p2p.ledger.apply import apply, apply_voters
from roosync_p2p.ledger.decision_bodies import Action
from roosync_p2p.ledger.outcomes import Applied
from roosync_p2p.ledger.state import State
from roosync_p2p.trust.statements import PersonKey, TimeReset, seal_statement, verdict_bytes
from tests.helpers.trust import key_from
from tests.ledger.deciding import approve, decided, propose, put, report, signed, start
from tests.ledger.history import FLEET, START_MS, A, B, C, History, serial
from tests.ledger.stories import acquire, conflicted

__all__ = ["FOLDER", "VECTORS", "load", "replayed"]

FOLDER: Final = Path(__file__).parent
_ANNE: Final = key_from("anne")


def load(name: str) -> dict[str, Any]:
    """A vector file as it is on disk."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def _carried() -> bytes:
    statement = TimeReset(time_ms=START_MS, serial=serial(7), reason="a clock was ahead")
    return seal_statement(FLEET.root_key, statement, fleet=FLEET.fleet)


def _bodies() -> dict[str, list[bodies.OrderedBody]]:
    """One of each, and where it matters one with everything in it."""
    revision = bytes(range(32))
    fence = bodies.Fence(name="issue-42", token=9)
    verdict = decision_bodies.PersonVerdict(person="anne", signature=bytes(64), not_after_ms=START_MS)
    actions = (
        put("file:settings.json#/model", "large"),
        Action(op="merge", resource="baseline:fleet", value=b'{"a":{"b":1.5}}'),
        Action(op="remove", resource="env:PATH"),
        Action(op="file", resource="file:/etc/x", sha256=revision, size=7),
        Action(op="run", resource="action:update", name="update", arguments=("--all",)),
    )
    return {
        "claim.acquire": [
            bodies.ClaimAcquire(name="issue-42", ttl_ms=60_000, session="s1"),
            bodies.ClaimAcquire(
                name="issue-42",
                ttl_ms=60_000,
                session="s1",
                workspace="écurie",
                note="the parser",
                queue=True,
                wait_until_ms=START_MS,
                epoch=2,
                not_after_ms=START_MS,
                fence=fence,
                key="k",
            ),
        ],
        "claim.renew": [bodies.ClaimRenew(name="issue-42", token=9, session="s1", ttl_ms=60_000)],
        "claim.release": [bodies.ClaimRelease(name="issue-42", session="s1", token=9, entry=revision)],
        "claim.steal": [bodies.ClaimSteal(name="issue-42", ttl_ms=60_000, session="s1", reason="urgent")],
        "request.withdraw": [bodies.RequestWithdraw(entry=revision, name="issue-42")],
        "time.reset": [bodies.Carrier(statement=_carried())],
        "member.rotate": [bodies.MemberRotate(machine=B, key_id=revision, leaf=FLEET.leaf(B), issuer=FLEET.issuer)],
        "member.leave": [bodies.MemberLeave(reason="sold")],
        "member.retire": [bodies.MemberRetire(machine=C, reason="broken")],
        "member.settle": [bodies.MemberSettle(machine=B, incarnation=1, chain="ledger", sequence=3, keep=revision)],
        "rules.support": [bodies.RulesSupport(version=1)],
        "rules.activate": [bodies.RulesActivate(version=2, approve=True)],
        "voters.prefer": [bodies.VotersPrefer(machines=(C, B))],
        "policy.set": [bodies.PolicySet(name="approvals.decisions", value=b"2", reason="two pairs of eyes")],
        "config.publish": [bodies.ConfigPublish(target="roo", sha256=revision, size=7, note="after the update")],
        "decision.propose": [
            decision_bodies.DecisionPropose(
                title="a larger model",
                description="« Prêt »\n",
                severity="WARNING",
                targets=("all",),
                actions=actions,
                based_on=7,
                baseline=1,
                strategy="manual",
                expires_ms=START_MS,
                workspace="web",
            )
        ],
        "decision.revise": [
            decision_bodies.DecisionRevise(
                decision="D9", revision=revision, title="x", targets=(B,), actions=actions[:1], based_on=9
            )
        ],
        "decision.approve": [
            decision_bodies.DecisionApprove(decision="D9", revision=revision, note="yes"),
            decision_bodies.DecisionApprove(decision="D9", revision=revision, person=verdict),
        ],
        "decision.reject": [decision_bodies.DecisionReject(decision="D9", revision=revision, reason="no")],
        "decision.resolve": [decision_bodies.DecisionResolve(decision="D9", revision=revision, keep="D7")],
        "decision.start": [decision_bodies.DecisionStart(decision="D9", revision=revision, attempt=1)],
        "decision.report": [
            decision_bodies.DecisionReport(decision="D9", attempt=1, result="failed", note="no space", final=True)
        ],
        "decision.rollback": [decision_bodies.DecisionRollback(decision="D9", machines=(B,), reason="wrong")],
        "decision.archive": [decision_bodies.DecisionArchive(decision="D9")],
        "baseline.set": [decision_bodies.BaselineSet(version=1, patch=b'{"model":"large"}', title="x")],
        "baseline.restore": [decision_bodies.BaselineRestore(restore=1, version=3, reason="it was better")],
    }


def _history() -> History:
    """Members, claims with a line, the story of two decisions, a person, the baseline, refusals."""
    history = History(B, C)
    acquire(history, B)
    acquire(history, C)
    acquire(history, C, queue=True)
    conflicted(history)
    history.wait(60)
    history.say(A, "baseline.set", decision_bodies.BaselineSet(version=0, patch=b'{"model":"large"}', approve=True))
    history.say(B, "baseline.set", decision_bodies.BaselineSet(version=0, patch=b'{"other":[1,2.5]}', approve=True))
    history.carry(B, "person.add", PersonKey(person="anne", key=_ANNE.public.raw, serial=serial(1), label="Anne"))
    decision = propose(history, B, put("file:x", 1), targets=(C,))
    approve(history, C, decision, person=signed(history, _ANNE, "anne", decision, not_after_ms=START_MS + 10**6))
    start(history, C, decision)
    report(history, C, decision, "applied", backup=True)
    history.say(C, "no.such.kind", b"anything")
    history.say(C, "claim.acquire", b"\xc1")
    return history


def replayed(steps: list[dict[str, Any]], history: History) -> list[tuple[Applied, State]]:
    """Every step of a recorded history done again, from nothing, with the entries of the given one."""
    entries = {number: entry for number, _, entry in history.log}
    state, done = State(), list[tuple[Applied, State]]()
    for step in steps:
        number, time_ms, epoch = CommitNumber(step["number"]), step["time_ms"], Epoch(step["epoch"])
        if "voters" in step:
            voters = [(machine, StoreId(bytes.fromhex(store))) for machine, store in step["voters"]]
            applied = apply_voters(state, number=number, time_ms=time_ms, epoch=epoch, voters=voters)
        else:
            entry = entries[number]
            applied = apply(state, number=number, time_ms=time_ms, epoch=epoch, entry=entry, root=FLEET.root)
        state = state.with_changes(applied.changes)
        done.append((applied, state))
    return done


def ledger() -> dict[str, Any]:
    """All of it."""
    history = _history()
    steps: list[dict[str, Any]] = [{"number": 1, "time_ms": START_MS, "epoch": 0, "voters": [[A, bytes(16).hex()]]}]
    for number, time_ms, entry in history.log:
        assert entry.body is not None
        step = {"number": number, "time_ms": time_ms, "epoch": 0, "envelope": entry.raw.hex(), "body": entry.body.hex()}
        steps.append({**step, "kind": entry.header.kind, "author": entry.header.author})
    done = replayed(steps, history)
    for step, (applied, state) in zip(steps, done, strict=True):
        outcome = applied.outcome
        step |= {"accepted": outcome.accepted, "reason": outcome.reason, "digest": state.digest.hex()}
    decision = next(f"D{step['number']}" for step in reversed(steps) if step.get("kind") == "decision.propose")
    verdict = verdict_bytes(
        fleet=FLEET.fleet,
        person="anne",
        decision=decision,
        revision=decided(history, decision).hash,
        verdict="approve",
        not_after_ms=START_MS + 10**6,
    )
    return {
        "root": FLEET.root.hex(),
        "machines": {machine: [FLEET.leaf(machine).hex(), FLEET.issuer.hex()] for machine in (A, B, C)},
        "bodies": {kind: [records.encode(body).hex() for body in row] for kind, row in _bodies().items()},
        "history": steps,
        "state": {key: value.hex() for key, value in done[-1][1].items()},
        "verdict": {"decision": decision, "signed": verdict.hex(), "public_key": _ANNE.public.raw.hex()},
    }


VECTORS: Final = {"ledger": ledger}

if __name__ == "__main__":
    for vector, build in VECTORS.items():
        text = json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{vector}.json").write_text(text, encoding="utf-8", newline="\n")
