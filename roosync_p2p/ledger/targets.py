"""What each target does with a decision (docs/protocol/ledger.md §8)."""

from __future__ import annotations

from roosync_p2p.ledger.draft import Draft

__all__ = ["forget_target"]


def forget_target(draft: Draft, machine: str) -> None:
    """A machine is out: nobody waits for its reports any more."""
