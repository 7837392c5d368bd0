"""What a client can ask about decisions, the baseline and policies (docs/protocol/api.md §4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from roosync_p2p.api.calls import Calls, Ordering, path_of
from roosync_p2p.api.exchange import Call

__all__ = ["DecisionMethods"]

A = TypeVar("A")
Action = Mapping[str, Any]


class DecisionMethods(Calls[A]):
    """Every verb answers with the decision as it is afterwards.

    An action is ``{"op", "resource", …}`` as docs/protocol/api.md says. ``person`` is a person's signature,
    ``{"person", "signature", "not_after_ms"}``. ``revision`` is what was read; None takes the one that stands.
    """

    def decisions(self, *, state: str | None = None, limit: int = 100) -> A:
        """``{"decisions", "as_of", "stale"}``, newest first."""
        query = (("limit", str(limit)), *([] if state is None else [("state", state)]))
        return self._do(Call(method="GET", path="/v1/decisions", query=tuple(query)))

    def decision(self, decision: str) -> A:
        """The same with one decision, whole."""
        return self._do(Call(method="GET", path=_decision(decision)))

    def propose(
        self,
        title: str,
        actions: Sequence[Action],
        *,
        description: str = "",
        severity: str = "INFO",
        targets: Sequence[str] = (),
        based_on: int | None = None,
        baseline: int = 0,
        strategy: str = "",
        expires_s: float | None = None,
        approve: bool = False,
        workspace: str | None = None,
        revises: str | None = None,
        revision: str | None = None,
        ordering: Ordering | None = None,
    ) -> A:
        """Proposes a decision, or with ``revises`` another text of one."""
        body = {
            "title": title,
            "actions": [dict(action) for action in actions],
            "description": description,
            "severity": severity,
            "targets": list(targets),
            "based_on": based_on,
            "baseline": baseline,
            "strategy": strategy,
            "expires_s": expires_s,
            "approve": approve,
            "workspace": workspace,
            "revises": revises,
            "revision": revision,
        }
        return self._order("/v1/decisions", body, ordering)

    def approve(
        self,
        decision: str,
        *,
        revision: str | None = None,
        note: str = "",
        person: Mapping[str, object] | None = None,
        ordering: Ordering | None = None,
    ) -> A:
        """Says yes."""
        return self._order(_decision(decision, "/approve"), _verdict(revision, note, person), ordering)

    def reject(
        self,
        decision: str,
        *,
        revision: str | None = None,
        note: str = "",
        person: Mapping[str, object] | None = None,
        ordering: Ordering | None = None,
    ) -> A:
        """Says no."""
        return self._order(_decision(decision, "/reject"), _verdict(revision, note, person), ordering)

    def resolve(
        self,
        decision: str,
        keep: str,
        *,
        revision: str | None = None,
        note: str = "",
        person: Mapping[str, object] | None = None,
        ordering: Ordering | None = None,
    ) -> A:
        """Says which decision counts instead of one in conflict."""
        body = {**_verdict(revision, note, person), "keep": keep}
        return self._order(_decision(decision, "/resolve"), body, ordering)

    def apply_decision(
        self,
        decision: str,
        step: str = "start",
        *,
        note: str = "",
        final: bool = False,
        backup: bool = False,
        ordering: Ordering | None = None,
    ) -> A:
        """Says that this machine begins with it (``start``), or that it ``applied``, ``failed``, ``rolled_back``."""
        body = {"step": step, "note": note, "final": final, "backup": backup}
        return self._order(_decision(decision, "/apply"), body, ordering)

    def roll_back(
        self, decision: str, *, machines: Sequence[str] = (), reason: str = "", ordering: Ordering | None = None
    ) -> A:
        """Wants it undone on these machines, or on all."""
        body = {"machines": list(machines), "reason": reason}
        return self._order(_decision(decision, "/rollback"), body, ordering)

    def archive_decision(self, decision: str, *, ordering: Ordering | None = None) -> A:
        """Puts it away."""
        return self._order(_decision(decision, "/archive"), {}, ordering)

    # --- the fleet's own documents --------------------------------------------------------------------------------

    def baseline(self, version: int | None = None) -> A:
        """``{"version", "newest", "document", …}``."""
        query = () if version is None else (("version", str(version)),)
        return self._do(Call(method="GET", path="/v1/baseline", query=query))

    def baseline_history(self) -> A:
        """``{"versions"}``, newest first."""
        return self._do(Call(method="GET", path="/v1/baseline/history"))

    def baseline_diff(self, old: int | None = None, new: int | None = None) -> A:
        """``{"old", "new", "changes"}``; by default what the newest version changed."""
        versions = (("old", old), ("new", new))
        query = tuple((name, str(version)) for name, version in versions if version is not None)
        return self._do(Call(method="GET", path="/v1/baseline/diff", query=query))

    def set_baseline(
        self,
        change: Mapping[str, Any],
        *,
        version: int | None = None,
        title: str = "",
        description: str = "",
        severity: str = "INFO",
        strategy: str = "",
        approve: bool = False,
        ordering: Ordering | None = None,
    ) -> A:
        """Proposes a change of the baseline, as a decision.

        Args:
            change: one of ``{"patch": …}`` (RFC 7396), ``{"actions": […]}``, ``{"document": …}``.
            version: the one that was edited; None: the newest.
        """
        body = {
            **change,
            "version": version,
            "title": title,
            "description": description,
            "severity": severity,
            "strategy": strategy,
            "approve": approve,
        }
        return self._order("/v1/baseline", body, ordering)

    def restore_baseline(
        self,
        restore: int,
        *,
        version: int | None = None,
        reason: str = "",
        approve: bool = False,
        ordering: Ordering | None = None,
    ) -> A:
        """Proposes an earlier version."""
        body = {"restore": restore, "version": version, "reason": reason, "approve": approve}
        return self._order("/v1/baseline/restore", body, ordering)

    def policies(self) -> A:
        """``{"policies"}``."""
        return self._do(Call(method="GET", path="/v1/policies"))

    def set_policy(
        self,
        name: str,
        *value: Any,
        reason: str = "",
        approve: bool = False,
        ordering: Ordering | None = None,
    ) -> A:
        """Proposes another value of a policy; without one its default."""
        body = {"name": name, "reason": reason, "approve": approve}
        if value:
            (body["value"],) = value
        return self._order("/v1/policies", body, ordering)

    def prefer_voters(self, machines: Sequence[str], *, approve: bool = False, ordering: Ordering | None = None) -> A:
        """Proposes who should rather vote."""
        return self._order("/v1/voters/prefer", {"machines": list(machines), "approve": approve}, ordering)


def _decision(decision: str, rest: str = "") -> str:
    return path_of("decisions", decision, rest)


def _verdict(revision: str | None, note: str, person: Mapping[str, object] | None) -> dict[str, object]:
    return {"revision": revision, "note": note, "person": None if person is None else dict(person)}
