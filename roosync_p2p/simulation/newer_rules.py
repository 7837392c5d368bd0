"""A program that knows rules which no real program knows yet: a fleet's machines are not updated all at once.

Version 2 differs from version 1 in what it says of a claim, and in what it remembers of it. A machine is updated by
giving it other parts and starting it anew.
"""

from __future__ import annotations

import dataclasses
import functools
from types import MappingProxyType
from typing import Final

from roosync_p2p.ledger import claims
from roosync_p2p.ledger.bodies import ClaimAcquire
from roosync_p2p.ledger.claims import Detail
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.kinds import KINDS
from roosync_p2p.ledger.rules import Rules
from roosync_p2p.simulation.parts import Parts

__all__ = ["NEWER", "NEWER_VERSION", "updated"]

NEWER_VERSION: Final = 2


def _acquire(draft: Draft, body: ClaimAcquire) -> Detail:
    """As before; and it is remembered who asked last."""
    draft.put(f"asked/{body.name}", str(draft.author))
    return {**claims.acquire(draft, body), "rules": NEWER_VERSION}


_KINDS_2: Final = {**KINDS, "claim.acquire": KINDS["claim.acquire"]._replace(rule=_acquire)}
NEWER: Final = Rules(MappingProxyType({1: KINDS, NEWER_VERSION: _KINDS_2}))


def updated(parts: Parts) -> Parts:
    """The same machine with the newer program."""
    return dataclasses.replace(parts, core=functools.partial(parts.core, rules=NEWER))
