"""A key that was replaced: everybody knows the new one at the end, and no entry of the old one stands behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["KnownKeys", "Signed", "replaced_keys"]


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Signed:
    """An entry of the machine, and which key signed it."""

    incarnation: int
    chain: str
    sequence: int
    key: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownKeys:
    """What one member knows of a machine that replaced its key.

    Attributes:
        pinned: the key that it believes; None if it knows none.
        ordered: the key that its register has; None if it does not take part in an order that goes on.
        signed: the entries of that machine that it holds.
    """

    member: str
    pinned: bytes | None
    ordered: bytes | None
    signed: Sequence[Signed]


def replaced_keys(machine: str, new: bytes, known: Iterable[KnownKeys], at_s: float) -> list[Violation]:
    """What is wrong at the end, when everybody has heard of the new key."""
    wrong: list[str] = []
    for one in known:
        if one.pinned != new:
            wrong.append(f"{one.member} does not believe the new key of {machine}")
        if one.ordered is not None and one.ordered != new:
            wrong.append(f"{machine} has its old key in the ledger of {one.member}")
        last: dict[str, Signed] = {}
        for entry in sorted(one.signed):
            before = last.get(entry.chain)
            if before is not None and before.key == new and entry.key != new:
                wrong.append(f"{one.member} holds {entry} of {machine}, signed with the old key behind {before}")
            last[entry.chain] = entry
    return [Violation(checker="rotations", at_s=at_s, text=text) for text in wrong]
