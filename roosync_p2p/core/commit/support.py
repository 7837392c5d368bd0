"""A node says in the order which rules its program knows, so that the fleet can go over to newer ones.

It says so when that is another version than the order has of it; until then it counts for the first. A program that
went back says so too.
"""

from __future__ import annotations

from typing import Final

from roosync_p2p.codec.records import encode
from roosync_p2p.core.authorship import Authorship
from roosync_p2p.core.commit.commit_log import CommitLog
from roosync_p2p.core.desk import Desk
from roosync_p2p.entries.entry import LEDGER
from roosync_p2p.ledger.bodies import RulesSupport
from roosync_p2p.ledger.fleet import supported_by
from roosync_p2p.ledger.register import register_of
from roosync_p2p.trust.roles import OBSERVER

__all__ = ["say_rules"]

KIND: Final = "rules.support"


def say_rules(desk: Desk, authorship: Authorship, commit: CommitLog) -> None:
    """This machine may write now."""
    said = supported_by(commit.state, desk.me)
    waits = any(entry.kind == KIND for entry in commit.unordered())
    observes = register_of(commit.state, desk.identity.root).has_role(desk.me, OBSERVER)
    if desk.rules.newest != said and not waits and not observes:
        body = RulesSupport(version=desk.rules.newest, epoch=commit.order.epoch)
        authorship.append(LEDGER, KIND, encode(body))
