"""A commit log of one machine that decides at once: the API's ledger without a fleet, in memory and without a clock."""

from __future__ import annotations

import dataclasses
from typing import Any

from roosync_p2p.api import claim_schemas, ordered_schemas
from roosync_p2p.errors import InputFault, UndecidedError

__all__ = ["FakeClaims", "FakeLedger"]

TIME = "2026-01-15T09:15:30.000Z"
UNTIL = "2026-01-15T11:15:30.000Z"
NEVER = "never-decided"  # what is named so waits for ever


@dataclasses.dataclass
class FakeLedger:
    """Numbers what it is asked for."""

    machine: str
    entries: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    waiting: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    clock_accepted: bool = False

    def decide(self, kind: str, name: str = "") -> dict[str, Any]:
        """The next number; refused where the name says so.

        Raises:
            UndecidedError: the name is :data:`NEVER`.
        """
        if name == NEVER:
            entry = f"{len(self.waiting):064x}"
            self.waiting.append({"id": entry, "kind": kind, "state": "pending", "asked_at": TIME})
            raise UndecidedError(
                "not decided in time: no leader; it is signed and kept",
                remedy=f"roosync pending {entry[:16]}",
                details={"entry": entry},
            )
        number = len(self.entries) + 1
        outcome = {"accepted": True, "reason": ""}
        row = {"number": number, "time": TIME, "kind": kind, "author": self.machine, "id": f"{number:064x}"}
        self.entries.append({**row, "outcome": outcome})
        return {"commit_number": number, "time": TIME, "detail": {"name": name} if name else {}}

    async def log(self, request: ordered_schemas.LogRequest, /) -> dict[str, Any]:
        """A stretch of it; waits for nothing."""
        size = len(self.entries)
        first = request.first or max(1, size - request.limit + 1)
        return {"size": size, "entries": self.entries[first - 1 :][: request.limit]}

    async def pending(self) -> dict[str, Any]:
        """What is named so that it waits."""
        waits = "no leader" if self.waiting else None
        return {"pending": self.waiting, "waits_for": waits, "details": {}, **self._freshness()}

    async def request(self, entry: str, /) -> dict[str, Any]:
        """One of both."""
        for row in self.waiting:
            if row["id"].startswith(entry):
                return {**row, "waits_for": "no leader", "commit_number": None, "outcome": None}
        for row in self.entries:
            if row["id"].startswith(entry):
                decided = {"commit_number": row["number"], "outcome": {**row["outcome"], "detail": {}}}
                return {**row, "state": "decided", "asked_at": None, "waits_for": None, **decided}
        raise InputFault(f"no request {entry} is known here", code="no_such_request", remedy="roosync pending")

    async def cancel(self, entry: str, _request: ordered_schemas.PendingRequest, /) -> dict[str, Any]:
        """Forgets what waits."""
        self.waiting = [row for row in self.waiting if not row["id"].startswith(entry)]
        return self.decide("request.withdraw")

    async def voters(self) -> dict[str, Any]:
        """This machine alone."""
        return {
            "voters": [{"machine": self.machine, "store": "ab" * 16, "state": "online"}],
            "learners": [{"machine": "myia-web1", "state": "offline"}],
            "preferred": [],
            "leader": self.machine,
            "term": 2,
            "epoch": 0,
            "size": len(self.entries),
            "root": "cd" * 32,
            "store": "ab" * 16,
            **self._freshness(),
        }

    async def register(self) -> dict[str, Any]:
        """This machine alone."""
        return {"members": [], "persons": [], "approvers": [self.machine], **self._freshness()}

    async def accept_clock(self) -> dict[str, Any]:
        """Remembers it."""
        self.clock_accepted = True
        return {"accepted": True}

    async def carry(self, request: ordered_schemas.StatementRequest, /) -> dict[str, Any]:
        """Whatever it says."""
        return self.decide(request.kind)

    async def retire(self, request: ordered_schemas.RetireRequest, /) -> dict[str, Any]:
        """Whoever it is."""
        return self.decide("member.retire", request.machine)

    async def revoke(self, _request: ordered_schemas.RevokeRequest, /) -> dict[str, Any]:
        """Nobody is checked here."""
        return {"machine": "myia-web1"}

    async def key_lost(self, _request: ordered_schemas.RevokeRequest, /) -> dict[str, Any]:
        """Nobody is checked here."""
        return {"machine": "myia-web1", "ordered": False}

    async def settle(self, request: ordered_schemas.SettleRequest, /) -> dict[str, Any]:
        """Nobody forked."""
        raise InputFault(f"no fork of {request.machine} is known here", code="no_such_fork")

    async def leave(self, _request: ordered_schemas.LeaveRequest, /) -> dict[str, Any]:
        """Nobody is left to leave it to."""
        raise InputFault("the only machine", code="last_member")

    async def recover(self, _request: ordered_schemas.RecoverRequest, /) -> dict[str, Any]:
        """Not here."""
        raise InputFault("recovery is not possible yet", code="not_supported")

    async def see_lost(self, request: ordered_schemas.SeeLostRequest, /) -> dict[str, Any]:
        """Two were lost in epoch 1."""
        if request.epoch != 1:
            raise InputFault("no commit of this machine is missing there", code="nothing_lost")
        return {"seen": 2}

    def _freshness(self) -> dict[str, Any]:
        return {"as_of": len(self.entries), "stale": False}


@dataclasses.dataclass
class FakeClaims:
    """One holder a name, for ever; sessions are known by their secret's length."""

    ledger: FakeLedger
    held: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    secrets: list[str] = dataclasses.field(default_factory=list)

    async def open_session(self, _request: claim_schemas.OpenSessionRequest, /) -> dict[str, Any]:
        """The next secret."""
        secret = f"secret-{len(self.secrets)}"
        self.secrets.append(secret)
        return {"session": f"of {secret}", "secret": secret, "expires_at": UNTIL}

    async def renew_session(self, request: claim_schemas.RenewSessionRequest, /) -> dict[str, Any]:
        """It is open for longer."""
        return {"session": self._session(request.secret), "expires_at": UNTIL}

    async def close_session(self, request: claim_schemas.CloseSessionRequest, /) -> dict[str, Any]:
        """Forgets it, and releases."""
        session = self._session(request.secret)
        self.secrets.remove(request.secret)
        names = [name for name, claim in self.held.items() if claim["holder"]["session"] == session]
        for name in names:
            del self.held[name]
        return {"session": session, "released": names}

    async def claims(self) -> dict[str, Any]:
        """What is held."""
        return {"claims": list(self.held.values()), "as_of": len(self.ledger.entries), "stale": False}

    async def check(self, request: claim_schemas.ClaimCheckRequest, /) -> dict[str, Any]:
        """Whether the token is the holder's."""
        claim = self.held.get(request.name)
        is_held = claim is not None and claim["token"] == request.token
        facts = {"as_of": len(self.ledger.entries), "stale": False}
        return {"name": request.name, "token": request.token, "held": is_held, "claim": claim, **facts}

    async def claim(self, request: claim_schemas.ClaimRequest, /) -> dict[str, Any]:
        """The first who comes."""
        session = self._speaker(request)
        claim = self.held.get(request.name)
        if claim is not None and claim["holder"]["session"] != session:
            facts = {"since": claim["acquired_at"], "until": claim["expires_at"]}
            raise InputFault(f"{request.name} is held", code="claim_held", remedy="wait", details={**claim, **facts})
        token = self.ledger.decide("claim.acquire", request.name)["commit_number"]
        self.held[request.name] = {
            "name": request.name,
            "token": token,
            "holder": {"machine": self.ledger.machine, "workspace": request.workspace or "", "session": session},
            "acquired_at": TIME,
            "expires_at": UNTIL,
            "note": request.note,
            "queue": [],
        }
        return self.held[request.name]

    async def renew(self, request: claim_schemas.RenewRequest, /) -> dict[str, Any]:
        """By the holder."""
        return self._own(request.name, self._speaker(request))

    async def release(self, request: claim_schemas.ReleaseRequest, /) -> dict[str, Any]:
        """By the holder."""
        claim = self._own(request.name, self._speaker(request))
        del self.held[request.name]
        return {"name": request.name, "token": claim["token"]}

    async def steal(self, _request: claim_schemas.StealRequest, /) -> dict[str, Any]:
        """Nobody approves here."""
        raise InputFault("this machine may not do that: it takes approver", code="no_authority")

    def _own(self, name: str, session: str) -> dict[str, Any]:
        claim = self.held.get(name)
        if claim is None or claim["holder"]["session"] != session:
            raise InputFault(f"this session does not hold {name}", code="not_holder", remedy="roosync claims")
        return claim

    def _speaker(self, request: claim_schemas.SpokenRequest) -> str:
        if request.secret is not None:
            return self._session(request.secret)
        return f"{request.user}/{request.workspace or ''}/{request.process}"

    def _session(self, secret: str) -> str:
        if secret not in self.secrets:
            raise InputFault("no such session", code="unknown_session", remedy="roosync session open")
        return f"of {secret}"
