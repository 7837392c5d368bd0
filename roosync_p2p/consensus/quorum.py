"""The arithmetic of majorities, apart from the protocol (docs/protocol/consensus.md §4.1).

Everything here takes plain values, one for each voter, so that the tests can compare it with a naive twin. What is
counted is always a voter of one configuration, never a message: a vote or a match that came twice counts once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

__all__ = ["Election", "majority", "reached", "tally"]

V = TypeVar("V", int, float)
K = TypeVar("K")


class Election(enum.Enum):
    """How a vote stands."""

    WON = "won"
    LOST = "lost"
    PENDING = "pending"


def majority(voters: int) -> int:
    """How many of so many voters are more than half."""
    return voters // 2 + 1


def reached(values: Sequence[V]) -> V:
    """The greatest value that a majority has reached, of one value a voter; there is at least one.

    Used for match indexes (what is committed), for moments (since when a majority answers) and for rounds of reads.
    """
    return sorted(values)[(len(values) - 1) // 2]


def tally(voters: Iterable[K], votes: Mapping[K, bool]) -> Election:
    """How the vote stands among the voters; votes of others do not count, and without voters nobody wins."""
    total = granted = refused = 0
    for voter in voters:
        total += 1
        vote = votes.get(voter)
        granted += vote is True
        refused += vote is False
    if total and granted >= majority(total):
        return Election.WON
    if refused > total - majority(total):
        return Election.LOST
    return Election.PENDING
