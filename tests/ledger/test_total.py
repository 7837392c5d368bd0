"""Apply is total and deterministic: any entry, whatever it holds, gives an outcome, the same on every machine."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from roosync_p2p.codec import records
from roosync_p2p.codec.canonical import pack, unpack
from roosync_p2p.entries.entry import CHAIN_START
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger import bodies, decision_bodies
from roosync_p2p.ledger.bodies import Fence, OrderedBody
from roosync_p2p.ledger.decision_views import (
    baseline_history_view,
    baseline_view,
    configs_view,
    decision_view,
    decisions_view,
    policies_view,
)
from roosync_p2p.ledger.documents import canonical_json
from roosync_p2p.ledger.kinds import KINDS
from roosync_p2p.ledger.outcomes import Applied
from roosync_p2p.ledger.register import register_of
from roosync_p2p.ledger.views import claims_view, fleet_view, register_view
from roosync_p2p.trust.statements import MemberRoles, PersonKey, Recovery, Revocation, TimeReset, seal_statement
from tests.helpers.trust import key_from
from tests.ledger.deciding import decided, merge, put, removal
from tests.ledger.documents import documents
from tests.ledger.history import FLEET, START_MS, A, B, C, D, History, serial
from tests.ledger.stories import acquire, conflicted

_AUTHORS = (A, A, A, B, C, D)  # A may do most; D is an observer
_WORD = re.compile(r"[a-z][a-z_]*")


def _history() -> History:
    """With members of every role, a claim with a line, decisions in several phases, a baseline."""
    history = History(B, C)
    history.join(D, "observer")
    acquire(history, B)
    acquire(history, C, queue=True)
    conflicted(history)
    history.say(A, "baseline.set", decision_bodies.BaselineSet(version=0, patch=b'{"a":{"b":1}}', approve=True))
    return history


def _present(history: History) -> list[MachineId]:
    """Who gets numbers."""
    register = register_of(history.state, FLEET.root)
    present = [machine for machine in _AUTHORS if register.present(machine)]
    assume(present)
    return present


def _check(applied: Applied) -> None:
    """What holds after any entry."""
    outcome = applied.outcome
    assert outcome.accepted == (outcome.reason == "")
    assert outcome.accepted or _WORD.fullmatch(outcome.reason)
    json.dumps([outcome.detail, [[event.name, event.to, event.detail] for event in applied.events]], allow_nan=False)
    for value in applied.changes.values():
        assert value is None or pack(unpack(value)) == value


def _look(history: History) -> None:
    """Every view shows any state."""
    views = [
        claims_view(history.state, time_ms=history.time_ms),
        register_view(history.state, FLEET.root),
        fleet_view(history.state, FLEET.root),
        decisions_view(history.state, FLEET.root),
        baseline_view(history.state),
        baseline_history_view(history.state),
        policies_view(history.state),
        configs_view(history.state),
    ]
    decisions = views[3]["decisions"]  # type: ignore[index]
    assert isinstance(decisions, list)
    views += [decision_view(history.state, view["id"], FLEET.root) for view in decisions]
    json.dumps(views, allow_nan=False)


# --- bodies -------------------------------------------------------------------------------------------------------

_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, 60_000, START_MS, 2**63 - 1, 2**64 - 1, -1]),
    st.sampled_from(["", "x", "s1", "issue-42", "manual", A, B, "all", "D9", "D10", "D11", "baseline:fleet#/a", "set"]),
    st.sampled_from([b"", bytes(32), bytes(64), b"{}", b"[1]", b"x"]),
    st.lists(st.sampled_from([A, B, "all", 1, {}]), max_size=2),
    st.dictionaries(st.sampled_from(["name", "token", "op", "resource"]), st.sampled_from(["x", 1]), max_size=2),
)
_FIELDS = sorted(
    {
        name
        for module in (bodies, decision_bodies)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, OrderedBody)
        for name in kind.__struct_fields__
    }
)
_ANY_BODY = st.one_of(
    st.binary(max_size=64),
    st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=8).map(pack),
)
_ACTIONS = st.one_of(
    st.builds(put, st.sampled_from(["baseline:fleet#/a", "baseline:fleet#/a/b/c", "file:x#/y", "file:x"]), documents()),
    st.builds(merge, st.sampled_from(["baseline:fleet", "baseline:fleet#/a", "file:x"]), documents()),
    st.builds(removal, st.sampled_from(["baseline:fleet#/a/b", "file:x", "file:x#/y"])),
)


@st.composite
def _sensible(draw: st.DrawFn, history: History) -> tuple[str, bytes]:
    """A kind with a body that could have an effect, or one field away from it."""
    number = history.number
    decision = f"D{draw(st.integers(max(1, number - 6), number))}"
    revision = decided(history, decision).hash if history.state.get(f"decision/{decision}") else bytes(32)
    name, session = draw(st.sampled_from(["issue-42", "y"])), draw(st.sampled_from(["s1", "s2"]))
    machines = tuple(draw(st.lists(st.sampled_from([A, B, C]), max_size=2, unique=True)))
    flag = draw(st.booleans())
    attempt = draw(st.integers(1, 3))
    statement: Any = draw(
        st.sampled_from(
            [
                MemberRoles(machine=B, roles=("approver", "member"), serial=serial(number)),
                MemberRoles(machine=C, roles=("observer",), serial=serial(number)),
                PersonKey(person="anne", key=key_from("anne").public.raw, serial=serial(number)),
                Revocation(machine=C, keys=(), serial=serial(number)),
                TimeReset(time_ms=START_MS, serial=serial(number)),
                Recovery(epoch=1, machine=B, store=bytes(16), size=number, root_hash=bytes(32), serial=serial(number)),
            ]
        )
    )
    carrier = bodies.Carrier(statement=seal_statement(FLEET.root_key, statement, fleet=FLEET.fleet))
    kind, body = draw(
        st.sampled_from(
            [
                ("claim.acquire", bodies.ClaimAcquire(name=name, ttl_ms=60_000, session=session, queue=flag)),
                ("claim.renew", bodies.ClaimRenew(name=name, token=attempt, session=session, ttl_ms=1_000)),
                ("claim.release", bodies.ClaimRelease(name=name, session=session)),
                ("claim.steal", bodies.ClaimSteal(name=name, ttl_ms=1_000, session=session)),
                ("decision.approve", decision_bodies.DecisionApprove(decision=decision, revision=revision)),
                ("decision.reject", decision_bodies.DecisionReject(decision=decision, revision=revision)),
                (
                    "decision.resolve",
                    decision_bodies.DecisionResolve(decision=decision, revision=revision, keep=decision),
                ),
                (
                    "decision.start",
                    decision_bodies.DecisionStart(decision=decision, revision=revision, attempt=attempt),
                ),
                (
                    "decision.report",
                    decision_bodies.DecisionReport(decision=decision, attempt=attempt, result="applied"),
                ),
                (
                    "decision.report",
                    decision_bodies.DecisionReport(decision=decision, attempt=attempt, result="failed"),
                ),
                ("decision.rollback", decision_bodies.DecisionRollback(decision=decision, machines=machines)),
                ("decision.archive", decision_bodies.DecisionArchive(decision=decision)),
                ("baseline.restore", decision_bodies.BaselineRestore(restore=attempt - 1, version=1, approve=flag)),
                ("policy.set", bodies.PolicySet(name="conflict.strategy", value=b'{"*":"auto-local"}', approve=flag)),
                ("policy.set", bodies.PolicySet(name="approvals.decisions", value=b"2", approve=flag)),
                ("voters.prefer", bodies.VotersPrefer(machines=machines, approve=flag)),
                ("rules.support", bodies.RulesSupport(version=1, fence=Fence(name=name, token=9))),
                ("config.publish", bodies.ConfigPublish(target="roo", sha256=bytes(32), size=1)),
                ("member.leave", bodies.MemberLeave()),
                ("member.retire", bodies.MemberRetire(machine=C)),
                ("member.roles", carrier),
                ("member.remove", carrier),
                ("person.add", carrier),
                ("time.reset", carrier),
                ("fleet.recover", carrier),
            ]
        )
    )
    if draw(st.booleans()):
        kind, body = (
            "decision.propose",
            decision_bodies.DecisionPropose(
                title="x",
                targets=machines or ("all",),
                actions=tuple(draw(st.lists(_ACTIONS, min_size=1, max_size=3))),
                based_on=draw(st.sampled_from([0, number])),
                strategy=draw(st.sampled_from(["", "manual", "other"])),
                approve=flag,
            ),
        )
    value = unpack(records.encode(body))
    assert isinstance(value, dict)
    if draw(st.integers(0, 9)) == 0:
        value[draw(st.sampled_from(_FIELDS))] = draw(_VALUES)
    return kind, pack(value)


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_body_of_any_kind_gives_an_outcome(data: st.DataObject) -> None:
    """Invariant: an outcome with a stable word, JSON in it, canonical values; twice the same (see ``History``)."""
    history = _BASE._copy()
    kinds = st.sampled_from([*(kind for kind in KINDS if kind != CHAIN_START), "no.such.kind"])
    for _ in range(5):
        author = data.draw(st.sampled_from(_present(history)))
        _check(history.say(author, data.draw(kinds), data.draw(_ANY_BODY)))
    _look(history)


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_row_of_sensible_entries_gives_outcomes(data: st.DataObject) -> None:
    """Invariant: as above, deep in the rules; and whatever happened, every view shows it."""
    history = _BASE._copy()
    for _ in range(data.draw(st.integers(1, 12))):
        history.wait(data.draw(st.sampled_from([0, 0, 1, 60, 30 * 24 * 3600])))
        author = data.draw(st.sampled_from(_present(history)))
        kind, body = data.draw(_sensible(history))
        _check(history.say(author, kind, body))
    _look(history)


@given(documents())
def test_any_document_is_carried_through_a_decision(document: Any) -> None:
    history = _BASE._copy()
    body = decision_bodies.BaselineSet(version=1, patch=canonical_json({"it": document}), approve=True)
    _check(history.say(A, "baseline.set", body))
    _look(history)


_BASE = _history()
