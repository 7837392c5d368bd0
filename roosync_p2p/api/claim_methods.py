"""What a client can ask about sessions and claims (docs/protocol/api.md §4.3)."""

from __future__ import annotations

from typing import TypeVar

from roosync_p2p import limits
from roosync_p2p.api.calls import Calls, Ordering
from roosync_p2p.api.exchange import Call
from roosync_p2p.api.speaker import Speaker, this_program

__all__ = ["ClaimMethods"]

A = TypeVar("A")


class ClaimMethods(Calls[A]):
    """``speaker`` is who asks: ``{"secret"}`` of a session, or ``{"user", "process"}``; by default this program."""

    def open_session(self, *, workspace: str | None = None, client: str = "", lease_s: float | None = None) -> A:
        """Opens a session: ``{"session", "secret", "expires_at"}``. The secret is shown this once."""
        body: dict[str, object] = {"workspace": workspace, "client": client}
        if lease_s is not None:
            body["lease_s"] = lease_s
        return self._do(Call(method="POST", path="/v1/sessions", body=body))

    def renew_session(self, secret: str) -> A:
        """Prolongs a session's lease, as every use of it does: ``{"session", "expires_at"}``."""
        return self._do(Call(method="POST", path="/v1/sessions/renew", body={"secret": secret}))

    def close_session(self, secret: str, *, ordering: Ordering | None = None) -> A:
        """Ends a session and releases what it holds: ``{"session", "released"}``."""
        return self._order("/v1/sessions/close", {"secret": secret}, ordering)

    def claims(self) -> A:
        """``{"claims", "as_of", "stale"}``."""
        return self._do(Call(method="GET", path="/v1/claims"))

    def check_claim(self, name: str, token: int) -> A:
        """Whether a claim is held with this token, now: ``{"held", "claim", …}``."""
        query = (("name", name), ("token", str(token)))
        return self._do(Call(method="GET", path="/v1/claims/check", query=query))

    def claim(
        self,
        name: str,
        *,
        ttl_s: float = limits.CLAIM_TTL_S,
        note: str = "",
        wait_s: float = 0.0,
        queue: bool = False,
        workspace: str | None = None,
        speaker: Speaker | None = None,
        ordering: Ordering | None = None,
    ) -> A:
        """Holds a name that nobody else holds: ``{"name", "token", "holder", "acquired_at", "expires_at"}``.

        Args:
            wait_s: stand in line so long.
            queue: stay in line whether anybody waits or not.
        """
        body = {
            "name": name,
            "ttl_s": ttl_s,
            "note": note,
            "wait_s": wait_s,
            "queue": queue,
            **_spoken(speaker, workspace),
        }
        return self._order("/v1/claims", body, ordering, wait_s=wait_s)

    def renew_claim(
        self,
        name: str,
        token: int = 0,
        *,
        ttl_s: float = limits.CLAIM_TTL_S,
        workspace: str | None = None,
        speaker: Speaker | None = None,
        ordering: Ordering | None = None,
    ) -> A:
        """Holds it so long from now on. ``token`` 0: the one that this session has."""
        body = {"name": name, "token": token, "ttl_s": ttl_s, **_spoken(speaker, workspace)}
        return self._order("/v1/claims/renew", body, ordering)

    def release_claim(
        self,
        name: str,
        token: int = 0,
        *,
        workspace: str | None = None,
        speaker: Speaker | None = None,
        ordering: Ordering | None = None,
    ) -> A:
        """Holds it no more, or leaves the line."""
        body = {"name": name, "token": token, **_spoken(speaker, workspace)}
        return self._order("/v1/claims/release", body, ordering)

    def steal_claim(
        self,
        name: str,
        *,
        ttl_s: float = limits.CLAIM_TTL_S,
        note: str = "",
        reason: str = "",
        workspace: str | None = None,
        speaker: Speaker | None = None,
        ordering: Ordering | None = None,
    ) -> A:
        """Takes it from whoever holds it, as an approver."""
        body = {"name": name, "ttl_s": ttl_s, "note": note, "reason": reason, **_spoken(speaker, workspace)}
        return self._order("/v1/claims/steal", body, ordering)


def _spoken(speaker: Speaker | None, workspace: str | None) -> dict[str, object]:
    return {**(this_program() if speaker is None else speaker), "workspace": workspace}
