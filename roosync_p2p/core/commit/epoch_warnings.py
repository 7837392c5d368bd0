"""What people have to know about epochs, as warnings (docs/protocol/ordering.md §7)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from roosync_p2p.core.commit.lost import describe

if TYPE_CHECKING:
    from roosync_p2p.core.commit.commit_log import CommitLog

__all__ = ["epoch_warnings"]

Warned = dict[str, object]


def epoch_warnings(commit: CommitLog) -> list[Warned]:
    """All of them, worst first."""
    return [*_contested(commit), *_stopped(commit), *_lost(commit)]


def _contested(commit: CommitLog) -> list[Warned]:
    found = []
    newest = commit.epochs.newest
    for epoch, statements in commit.epochs.alarms.items():
        ways = " and ".join(f"commit {one.said.size} with {one.said.machine}" for one in statements)
        stopped = epoch == newest and commit.epochs.contested(epoch)
        follows = ": nobody can tell which log is the fleet's, and this machine takes part in neither"
        found.append(
            _warning(
                "two_epochs",
                f"the root signed two statements for epoch {epoch}, {ways}{follows if stopped else ''}",
                f"find out how that came to be; then sign a statement for epoch {newest + 1}",
                {"epoch": epoch, "statements": [one.data() for one in statements]},
            )
        )
    return found


def _stopped(commit: CommitLog) -> list[Warned]:
    recovery, found = commit.recovery, []
    for epoch, fault in recovery.refused.items():
        message = f"this machine is to begin epoch {epoch} and cannot: {fault.message}"
        found.append(_warning(fault.code, message, fault.remedy, fault.details))
    if recovery.astray and commit.order.votes and recovery.base is not None:
        base = recovery.base
        message = f"this machine votes in epoch {base.epoch}, and has another log than it at commit {base.size}"
        remedy = "move its home aside and let it join again; what it committed alone is in the home"
        found.append(_warning("other_branch", message, remedy, {"epoch": base.epoch, "size": base.size}))
    return found


def _lost(commit: CommitLog) -> list[Warned]:
    base = commit.recovery.base
    if base is None:
        return []
    listed = commit.lost.unseen(commit.order.epoch, base.size, commit.applier.number)
    found = []
    for into, group in itertools.groupby(listed, key=lambda lost: lost.into):
        commits = list(group)
        found.append(
            _warning(
                "lost_branch",
                f"{len(commits)} commits that this machine had are not in epoch {into}: {describe(commits)}",
                f"look at each; whoever still wants it asks for it again; then `roosync recover --seen {into}`",
                {"epoch": into, "commits": [one.data() for one in commits]},
            )
        )
    return found


def _warning(code: str, message: str, remedy: str, details: dict[str, object]) -> Warned:
    return {"code": code, "message": message, "remedy": remedy, "details": details}
