"""The roles that a member can have (docs/protocol/trust.md §6). Who has which is said by the register alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from roosync_p2p.errors import MalformedError

__all__ = ["APPROVER", "FOUNDER_ROLES", "ISSUER", "MEMBER", "OBSERVER", "PLAIN_ROLES", "parse_roles"]

MEMBER: Final = "member"  # links, gossips, sends, proposes
OBSERVER: Final = "observer"  # reads and receives; neither votes nor cosigns
ISSUER: Final = "issuer"  # admits plain members, renews, revokes
APPROVER: Final = "approver"  # approves decisions

PLAIN_ROLES: Final = (MEMBER,)  # what an issuer may give without the root
FOUNDER_ROLES: Final = (APPROVER, ISSUER, MEMBER)
_ROLES: Final = frozenset({MEMBER, OBSERVER, ISSUER, APPROVER})


def parse_roles(words: Iterable[str]) -> tuple[str, ...]:
    """Roles in their one canonical order: sorted, each once.

    Raises:
        MalformedError: none, an unknown one, or observer beside another (``bad_role``).
    """
    roles = tuple(sorted({word.strip().lower() for word in words}))
    if not roles or not _ROLES.issuperset(roles):
        raise MalformedError(f"roles are one or more of {', '.join(sorted(_ROLES))}", code="bad_role")
    if OBSERVER in roles and len(roles) > 1:
        raise MalformedError("an observer has no other role", code="bad_role")
    return roles
