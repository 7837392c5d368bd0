"""What the API server needs from a node's ledger, structurally (see ``backend``).

Whatever has to be ordered may raise :class:`~roosync_p2p.errors.UndecidedError` (``pending``) after the caller's
timeout, and :class:`~roosync_p2p.errors.InputFault` with the ledger's reason as its code.
"""

from __future__ import annotations

from typing import Any, Protocol

from roosync_p2p.api import claim_schemas, decision_schemas, ordered_schemas

__all__ = ["BaselineBackend", "ClaimsBackend", "DecisionsBackend", "LedgerBackend"]

_Answer = dict[str, Any]


class LedgerBackend(Protocol):
    """The log itself, and who belongs to the fleet."""

    async def log(self, request: ordered_schemas.LogRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.ordered_schemas.Log`; an empty stretch waits up to ``wait_s``."""

    async def pending(self) -> _Answer:
        """:class:`~roosync_p2p.api.ordered_schemas.PendingRequests`."""

    async def request(self, entry: str, /) -> _Answer:
        """:class:`~roosync_p2p.api.ordered_schemas.Pending`. Raises InputFault ``no_such_request``."""

    async def cancel(self, entry: str, request: ordered_schemas.PendingRequest, /) -> _Answer:
        """Takes a request back. Raises InputFault ``too_late``, ``no_such_request``."""

    async def voters(self) -> _Answer:
        """:class:`~roosync_p2p.api.ordered_schemas.Voters`."""

    async def register(self) -> _Answer:
        """:class:`~roosync_p2p.api.ordered_schemas.Register`."""

    async def accept_clock(self) -> _Answer:
        """A person vouches for this computer's clock."""

    async def carry(self, request: ordered_schemas.StatementRequest, /) -> _Answer:
        """Writes an entry that carries a statement of the root."""

    async def retire(self, request: ordered_schemas.RetireRequest, /) -> _Answer:
        """An issuer lets a machine go."""

    async def revoke(self, request: ordered_schemas.RevokeRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.ordered_schemas.RevocationHeard`. Raises InputFault ``needs_root``."""

    async def key_lost(self, request: ordered_schemas.RevokeRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.ordered_schemas.KeyLostHeard`. Raises InputFault ``key_conflict``, ``not_root``."""

    async def settle(self, request: ordered_schemas.SettleRequest, /) -> _Answer:
        """An issuer says which branch of a fork counts. Raises InputFault ``no_such_fork``."""

    async def leave(self, request: ordered_schemas.LeaveRequest, /) -> _Answer:
        """This machine leaves, and its node begins its orderly end. Raises InputFault ``last_member``."""

    async def recover(self, request: ordered_schemas.RecoverRequest, /) -> _Answer:
        """Begins a new epoch."""

    async def see_lost(self, request: ordered_schemas.SeeLostRequest, /) -> _Answer:
        """Somebody looked at what is lost. Raises InputFault ``nothing_lost``."""


class ClaimsBackend(Protocol):
    """Sessions, and the claims that they hold."""

    async def open_session(self, request: claim_schemas.OpenSessionRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.Session`. Raises InputFault ``too_many_sessions``."""

    async def renew_session(self, request: claim_schemas.RenewSessionRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.RenewedSession`. Raises InputFault ``unknown_session``."""

    async def close_session(self, request: claim_schemas.CloseSessionRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.ClosedSession`. Raises InputFault ``unknown_session``."""

    async def claims(self) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.Claims`."""

    async def check(self, request: claim_schemas.ClaimCheckRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.ClaimCheck`. Raises UndecidedError ``not_confirmed``."""

    async def claim(self, request: claim_schemas.ClaimRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.Claim`.

        Raises:
            InputFault: ``claim_held``, ``claim_ended``, ``unknown_session``.
            UndecidedError: ``pending``, ``claim_queued``.
        """

    async def renew(self, request: claim_schemas.RenewRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.Claim`. Raises InputFault ``not_holder``, ``expired``."""

    async def release(self, request: claim_schemas.ReleaseRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.Released`. Raises InputFault ``not_holder``."""

    async def steal(self, request: claim_schemas.StealRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.claim_schemas.Claim`. Raises InputFault ``no_authority``."""


class DecisionsBackend(Protocol):
    """Decisions. Every verb answers :class:`~roosync_p2p.api.decision_schemas.Decision` as it is afterwards."""

    async def decisions(self, request: decision_schemas.DecisionsRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.decision_schemas.Decisions`, newest first."""

    async def decision(self, decision: str, /) -> _Answer:
        """The same with one, whole. Raises InputFault ``unknown_decision``."""

    async def propose(self, request: decision_schemas.ProposeRequest, /) -> _Answer:
        """A new decision, or another text of one. Raises InputFault ``bad_resource``, ``unknown_target``, …"""

    async def approve(self, decision: str, request: decision_schemas.VerdictRequest, /) -> _Answer:
        """Yes. Raises InputFault ``stale_revision``, ``own_decision``, ``needs_person``, ``no_authority``."""

    async def reject(self, decision: str, request: decision_schemas.VerdictRequest, /) -> _Answer:
        """No."""

    async def resolve(self, decision: str, request: decision_schemas.ResolveRequest, /) -> _Answer:
        """Which of two counts."""

    async def apply(self, decision: str, request: decision_schemas.ApplyRequest, /) -> _Answer:
        """What this machine does about it."""

    async def roll_back(self, decision: str, request: decision_schemas.RollbackRequest, /) -> _Answer:
        """It is to be undone."""

    async def archive(self, decision: str, request: decision_schemas.ArchiveRequest, /) -> _Answer:
        """It is put away."""


class BaselineBackend(Protocol):
    """The fleet's own documents. A change is a decision, and answered as one."""

    async def baseline(self, request: decision_schemas.BaselineRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.decision_schemas.Baseline`. Raises InputFault ``unknown_version``."""

    async def history(self) -> _Answer:
        """:class:`~roosync_p2p.api.decision_schemas.BaselineHistory`."""

    async def diff(self, request: decision_schemas.BaselineDiffRequest, /) -> _Answer:
        """:class:`~roosync_p2p.api.decision_schemas.BaselineDiff`."""

    async def policies(self) -> _Answer:
        """:class:`~roosync_p2p.api.decision_schemas.Policies`."""

    async def set_baseline(self, request: decision_schemas.SetBaselineRequest, /) -> _Answer:
        """Proposes a change of the baseline."""

    async def restore_baseline(self, request: decision_schemas.RestoreBaselineRequest, /) -> _Answer:
        """Proposes an earlier version."""

    async def set_policy(self, request: decision_schemas.SetPolicyRequest, /) -> _Answer:
        """Proposes another value of a policy. Raises InputFault ``unknown_policy``, ``bad_policy_value``."""

    async def prefer_voters(self, request: ordered_schemas.PreferRequest, /) -> _Answer:
        """Proposes who should rather vote."""
