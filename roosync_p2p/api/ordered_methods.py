"""What a client can ask about the commit log itself (docs/protocol/api.md §4.2)."""

from __future__ import annotations

import base64
from typing import TypeVar

from roosync_p2p import limits
from roosync_p2p.api.calls import Calls, Ordering, path_of
from roosync_p2p.api.exchange import Call

__all__ = ["OrderedMethods"]

A = TypeVar("A")
LEAVING_S = 10.0  # a vote is handed over within five seconds, and then the machine's leaving is ordered


class OrderedMethods(Calls[A]):
    """The log, what waits for a place in it, who decides, who is a member."""

    def log(self, first: int | None = None, *, limit: int = 50, wait_s: float = 0.0) -> A:
        """``{"size", "entries"}``: the newest, or those from number ``first`` on; ``wait_s``: wait for one."""
        query = [("limit", str(limit)), ("wait_s", str(wait_s))]
        query += [] if first is None else [("from", str(first))]
        return self._do(Call(method="GET", path="/v1/log", query=tuple(query), wait_s=wait_s))

    def pending(self) -> A:
        """What this machine wrote and is not ordered yet: ``{"pending", "waits_for", …}``."""
        return self._do(Call(method="GET", path="/v1/pending"))

    def pending_request(self, entry: str) -> A:
        """What became of one request; its id may be shortened to 8 digits."""
        return self._do(Call(method="GET", path=path_of("pending", entry)))

    def cancel_request(self, entry: str, *, secret: str | None = None, ordering: Ordering | None = None) -> A:
        """Takes a request back. ``secret``: of the session that made it, if it was made in one."""
        return self._order(path_of("pending", entry, "/cancel"), {"secret": secret}, ordering)

    def voters(self) -> A:
        """Who votes and leads, and how far the log is."""
        return self._do(Call(method="GET", path="/v1/voters"))

    def register(self) -> A:
        """``{"members", "persons", "approvers", …}`` as the ledger has them."""
        return self._do(Call(method="GET", path="/v1/register"))

    def accept_clock(self) -> A:
        """Vouches for this computer's clock."""
        return self._do(Call(method="POST", path="/v1/clock/accept", body={}))

    def carry_statement(self, kind: str, statement: bytes, *, ordering: Ordering | None = None) -> A:
        """Writes an entry of a kind that carries the envelope of a statement of the root."""
        body = {"kind": kind, "statement": base64.b64encode(statement).decode()}
        return self._order("/v1/statements", body, ordering)

    def retire(self, machine: str, *, reason: str = "", ordering: Ordering | None = None) -> A:
        """Lets a machine go that nobody expects back, on an issuer."""
        return self._order("/v1/members/retire", {"machine": machine, "reason": reason}, ordering)

    def revoke(self, statement: bytes) -> A:
        """Brings a signed revocation: the node takes nothing new from its machine, and tells everybody."""
        body = {"statement": base64.b64encode(statement).decode()}
        return self._do(Call(method="POST", path="/v1/members/revoke", body=body))

    def key_lost(self, statement: bytes) -> A:
        """Brings the root's word that a machine lost its key: its new one is taken, and everybody told."""
        body = {"statement": base64.b64encode(statement).decode()}
        return self._do(Call(method="POST", path="/v1/members/lost", body=body))

    def settle(self, machine: str, keep: str, *, ordering: Ordering | None = None) -> A:
        """Says which entry (id in hex) of a chain that forked counts, on an issuer."""
        return self._order("/v1/members/settle", {"machine": machine, "keep": keep}, ordering)

    def leave(self, *, reason: str = "", force: bool = False, ordering: Ordering | None = None) -> A:
        """This machine leaves the fleet, and its node ends. ``force``: also as the only issuer or approver."""
        return self._order("/v1/leave", {"reason": reason, "force": force}, ordering, wait_s=LEAVING_S)

    def recover(self, statement: bytes, *, timeout_s: float = limits.ORDER_TIMEOUT_S) -> A:
        """Begins a new epoch by the root's statement."""
        body = {"statement": base64.b64encode(statement).decode(), "timeout_s": timeout_s}
        return self._do(Call(method="POST", path="/v1/recover", body=body, wait_s=timeout_s))

    def see_lost(self, epoch: int) -> A:
        """Somebody has looked at what that epoch does not have of this machine's commits; the warning ends."""
        return self._do(Call(method="POST", path="/v1/recover/seen", body={"epoch": epoch}))
