"""Decisions that one machine takes at once: the API's decisions and baseline without a fleet, in memory."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import msgspec

from roosync_p2p.api import decision_schemas, ordered_schemas
from roosync_p2p.errors import InputFault
from tests.helpers.fake_ledger import TIME, UNTIL, FakeLedger

__all__ = ["FakeBaseline", "FakeDecisions"]


@dataclasses.dataclass
class FakeDecisions:
    """Whoever approves is enough, and whatever is done succeeds."""

    ledger: FakeLedger
    known: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    verdicts: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def add(
        self, kind: str, title: str, *, actions: list[dict[str, Any]], approve: bool, **more: Any
    ) -> dict[str, Any]:
        """A new decision."""
        number = self.ledger.decide(kind, title)["commit_number"]
        self.known[f"D{number}"] = {
            "id": f"D{number}",
            "state": "pending",
            "kind": kind.partition(".")[0],
            "title": title,
            "severity": "INFO",
            "author": self.ledger.machine,
            "time": TIME,
            "targets": {},
            "based_on": number - 1,
            "conflicts_with": [],
            "superseded_by": None,
            "commit_number": number,
            "revision": f"{number:064x}",
            "approved_by": [self.ledger.machine] if approve else [],
            "approvals_needed": 1,
            "self_approved": False,
            "expires_at": UNTIL,
            "baseline_version": None,
            "reason": "",
            "description": "",
            "actions": actions,
            "approvals": [],
            "stands_for": [],
            "entry": f"{number:064x}",
            "workspace": "",
            "conflicts": [],
            "warnings": [],
            **more,
        }
        return self.known[f"D{number}"]

    async def decisions(self, request: decision_schemas.DecisionsRequest, /) -> dict[str, Any]:
        """Newest first."""
        found = [row for row in reversed(self.known.values()) if request.state in (None, row["state"])]
        return {"decisions": found[: request.limit], "as_of": len(self.ledger.entries), "stale": False}

    async def decision(self, decision: str, /) -> dict[str, Any]:
        """One."""
        return {"decisions": [self._find(decision)], "as_of": len(self.ledger.entries), "stale": False}

    async def propose(self, request: decision_schemas.ProposeRequest, /) -> dict[str, Any]:
        """Whatever it is."""
        return self.add(
            "decision.propose",
            request.title,
            actions=[_action(action) for action in request.actions],
            approve=request.approve,
            description=request.description,
            severity=request.severity,
            targets={target: {"state": "waiting", "note": "", "rollback": None} for target in request.targets},
        )

    async def approve(self, decision: str, request: decision_schemas.VerdictRequest, /) -> dict[str, Any]:
        """By this machine, or by the person who signed."""
        return self._decided(decision, request, "approved")

    async def reject(self, decision: str, request: decision_schemas.VerdictRequest, /) -> dict[str, Any]:
        """The same."""
        return self._decided(decision, request, "rejected")

    async def resolve(self, decision: str, request: decision_schemas.ResolveRequest, /) -> dict[str, Any]:
        """The other one counts, or this one."""
        return self._decided(decision, request, "approved" if request.keep == decision else "superseded")

    async def apply(self, decision: str, request: decision_schemas.ApplyRequest, /) -> dict[str, Any]:
        """As it is said."""
        found = self._find(decision)
        state = {"start": "in_progress"}.get(request.step, request.step)
        found["targets"][self.ledger.machine] = {"state": state, "note": request.note, "rollback": None}
        return found

    async def roll_back(self, decision: str, request: decision_schemas.RollbackRequest, /) -> dict[str, Any]:
        """Wanted."""
        found = self._find(decision)
        for machine in request.machines or found["targets"]:
            found["targets"][machine]["rollback"] = "wanted"
        return found

    async def archive(self, decision: str, _request: decision_schemas.ArchiveRequest, /) -> dict[str, Any]:
        """Away."""
        found = self._find(decision)
        found["state"] = "archived"
        return found

    def _decided(self, decision: str, request: decision_schemas.VerdictRequest, state: str) -> dict[str, Any]:
        found = self._find(decision)
        if request.revision not in (None, found["revision"]):
            raise InputFault(f"{decision} was edited", code="stale_revision", remedy="read it again")
        person = None if request.person is None else msgspec.to_builtins(request.person)
        self.verdicts.append({"decision": decision, "state": state, "note": request.note, "person": person})
        found["state"] = state
        found["approved_by"] = [self.ledger.machine if person is None else person["person"]]
        return found

    def _find(self, decision: str) -> dict[str, Any]:
        if decision not in self.known:
            raise InputFault(f"there is no decision {decision}", code="unknown_decision", remedy="decision list")
        return self.known[decision]


@dataclasses.dataclass
class FakeBaseline:
    """A document with versions that changes at once, and two policies."""

    decisions: FakeDecisions
    versions: list[Any] = dataclasses.field(default_factory=lambda: [{}])
    policy: dict[str, Any] = dataclasses.field(default_factory=lambda: {"approvals.decisions": 1})
    preferred: list[str] = dataclasses.field(default_factory=list)

    async def baseline(self, request: decision_schemas.BaselineRequest, /) -> dict[str, Any]:
        """Any version."""
        newest = len(self.versions) - 1
        version = newest if request.version is None else request.version
        if version > newest:
            raise InputFault(f"no version {version}", code="unknown_version", remedy="baseline history")
        return {"version": version, "newest": newest, "document": self.versions[version], **self._freshness()}

    async def history(self) -> dict[str, Any]:
        """All but the first, which is empty."""
        rows = [
            {"version": version, "time": TIME, "decision": "D1", "author": "a", "title": "t"}
            for version in range(len(self.versions) - 1, 0, -1)
        ]
        return {"versions": rows, **self._freshness()}

    async def diff(self, request: decision_schemas.BaselineDiffRequest, /) -> dict[str, Any]:
        """The whole document, if it differs."""
        new = len(self.versions) - 1 if request.new is None else request.new
        old = max(0, new - 1) if request.old is None else request.old
        same = self.versions[old] == self.versions[new]
        change = {"pointer": "", "old": self.versions[old], "new": self.versions[new]}
        return {"old": old, "new": new, "changes": [] if same else [change], **self._freshness()}

    async def set_baseline(self, request: decision_schemas.SetBaselineRequest, /) -> dict[str, Any]:
        """At once."""
        document = copy.deepcopy(self.versions[-1])
        actions = [_action(action) for action in request.actions]
        for action in actions:
            document[action["resource"].partition("#/")[2]] = action.get("value")
        if request.patch is not msgspec.UNSET:
            document.update(request.patch)
        if request.document is not msgspec.UNSET:
            document = request.document
        self.versions.append(document)
        version = len(self.versions) - 1
        return self.decisions.add(
            "baseline.set", request.title or "baseline", actions=actions, approve=True, baseline_version=version
        )

    async def restore_baseline(self, request: decision_schemas.RestoreBaselineRequest, /) -> dict[str, Any]:
        """At once."""
        self.versions.append(self.versions[request.restore])
        return self.decisions.add("baseline.restore", "restored", actions=[], approve=True)

    async def policies(self) -> dict[str, Any]:
        """All."""
        rows = [
            {"name": name, "value": value, "default": 1, "meaning": "approvals", "decision": None}
            for name, value in self.policy.items()
        ]
        return {"policies": rows, **self._freshness()}

    async def set_policy(self, request: decision_schemas.SetPolicyRequest, /) -> dict[str, Any]:
        """At once."""
        self.policy[request.name] = 1 if request.value is msgspec.UNSET else request.value
        return self.decisions.add("policy.set", f"policy {request.name}", actions=[], approve=request.approve)

    async def prefer_voters(self, request: ordered_schemas.PreferRequest, /) -> dict[str, Any]:
        """At once."""
        self.preferred = list(request.machines)
        return self.decisions.add("voters.prefer", "preferred voters", actions=[], approve=request.approve)

    def _freshness(self) -> dict[str, Any]:
        return {"as_of": len(self.decisions.ledger.entries), "stale": False}


def _action(action: decision_schemas.ActionSaid) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(action)
    return {key: value for key, value in said.items() if value not in (None, "", 0, [], ())} | {
        "arguments": list(action.arguments)
    }
