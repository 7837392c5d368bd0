"""What the local API answers to *why* (docs/protocol/api.md §4.5)."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from roosync_p2p import limits
from roosync_p2p.api.records import Answer, Request

__all__ = ["Why", "WhyRequest"]


class WhyRequest(Request, frozen=True, kw_only=True):
    """A name of a thing, or one behind its kind and a colon: ``claim:issue-482``."""

    of: Annotated[str, Meta(min_length=1, max_length=limits.WHY_CHARS_MAX)]


class Why(Answer, frozen=True, kw_only=True):
    """Why something is as it is. The object of the name that ``kind`` says is there, the others are not.

    Attributes:
        kind: ``machine``, ``claim``, ``decision``, ``message`` or ``request``.
        of: its name in canonical form.
        waits_for: what it waits for, the worst first: each a ``code`` with what belongs to it; empty if nothing.
        as_of: newest commit number applied here; ``stale``: somebody is further, or nobody leads.
        machine: ``state, reason, evidence``, every evidence in ``seen``, what peers said in ``said``, what was dialled
            in ``tried``, ``membership``, ``holds``.
        claim: ``held, holder, token, acquired_at, expires_at, queue``, the holder's ``machine``; ``asked`` and
            ``quorum`` where a request of this machine about it is not decided.
        decision: ``state``, who may approve in ``approvers`` or ``persons``, ``targets``, ``conflicts``; ``asked`` and
            ``quorum`` as of a claim.
        message: ``id, signer, here, holders, recipients {recipient, state, waits_for, from, machine, evidence, ways}``,
            ``attachments`` as a message shows them, and in ``attachment_holders`` its sender and who said that all are
            there.
        request: as ``/v1/pending/{id}``, with ``claim`` or ``decision``, and ``quorum`` while it waits.
    """

    kind: str
    of: str
    waits_for: list[dict[str, Any]]
    as_of: int
    stale: bool
    machine: dict[str, Any] | None = None
    claim: dict[str, Any] | None = None
    decision: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    request: dict[str, Any] | None = None
