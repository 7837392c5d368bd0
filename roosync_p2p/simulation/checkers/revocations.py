"""Whoever was revoked has no effect any more on a node that has heard of it, by whatever way it tries."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from roosync_p2p.simulation.checkers.durability import Place
from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["Cut", "Holding", "RevocationChecker"]

ALIVE: Final = frozenset({"online", "suspect", "leaving"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Up to where the chains of a revoked machine count: (incarnation, sequence) of each."""

    ledger: tuple[int, int]
    mail: tuple[int, int]

    def of(self, chain: str) -> tuple[int, int]:
        """Of one chain."""
        return self.mail if chain == "mail" else self.ledger


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one member holds of a revoked machine at the end, when everybody has heard.

    Attributes:
        cut: as it knows it; None if it has not heard.
        heads: (incarnation, chain) and the newest sequence that it counts.
        commits: ids of entries that the ledger accepted of that machine behind the number of its removal.
        removed: whether its ledger has the machine removed.
    """

    member: str
    cut: Cut | None
    heads: Mapping[tuple[int, str], int]
    commits: Sequence[str]
    removed: bool


class RevocationChecker:
    """Fed with what nodes hear, take and show of machines that were revoked."""

    def __init__(self) -> None:
        self._planned: set[str] = set()
        self._heard: dict[tuple[str, str], Cut] = {}
        self.refused: collections.Counter[str] = collections.Counter()

    def planned(self, machine: str) -> None:
        """An issuer that may say so, or the root, revokes that machine."""
        self._planned.add(machine)

    def heard(self, member: str, machine: str, cut: Cut, at_s: float) -> list[Violation]:
        """A node says that it knows a revocation; further ones only lower the cut."""
        before = self._heard.get((member, machine), cut)
        self._heard[member, machine] = cut
        wrong = []
        if machine not in self._planned:
            wrong.append(f"{member} takes {machine} for revoked, and nobody who may said so")
        if any(cut.of(chain) > before.of(chain) for chain in ("ledger", "mail")):
            wrong.append(f"{member} raises the cut of {machine} from {before} to {cut}")
        return [_found(text, at_s) for text in wrong]

    def knows(self, member: str, machine: str) -> bool:
        """Whether a node has said so."""
        return (member, machine) in self._heard

    def forgets(self, member: str) -> None:
        """Its disk was replaced by an older one."""
        for known in [known for known in self._heard if known[0] == member]:
            del self._heard[known]

    def took(self, member: str, place: Place, at_s: float) -> list[Violation]:
        """A node writes an entry of somebody else to its disk."""
        author, incarnation, chain, sequence = place
        cut = self._heard.get((member, author))
        if cut is None or (incarnation, sequence) <= cut.of(chain):
            return []
        return [_found(f"{member} takes {place} of {author}, which was revoked up to {cut.of(chain)}", at_s)]

    def took_record(self, member: str, author: str, kind: str, at_s: float) -> list[Violation]:
        """A node writes a signed record of somebody else to its disk."""
        return self._nothing(member, author, f"takes a {kind} record of", at_s)

    def judged(self, member: str, machine: str, state: str, at_s: float) -> list[Violation]:
        """A node says something about whether a machine lives."""
        return self._nothing(member, machine, f"shows as {state}", at_s) if state in ALIVE else []

    def linked(self, member: str, machine: str, at_s: float) -> list[Violation]:
        """A node has a link, a second after it heard at the earliest."""
        return self._nothing(member, machine, "is linked with", at_s)

    def remembers(self, member: str, machine: str, at_s: float) -> list[Violation]:
        """A node keeps a heartbeat."""
        return self._nothing(member, machine, "remembers a heartbeat of", at_s)

    def finish(self, machine: str, holdings: Iterable[Holding], at_s: float) -> list[Violation]:
        """The verdict over what everybody holds of a revoked machine, after convergence."""
        held = list(holdings)
        wrong = [f"{one.member} has not heard that {machine} was revoked" for one in held if one.cut is None]
        cuts = {one.cut for one in held if one.cut is not None}
        if len(cuts) > 1:
            wrong.append(f"the cut of {machine} is not the same everywhere: {sorted(map(str, cuts))}")
        for one in held:
            for (incarnation, chain), head in sorted(one.heads.items()):
                if one.cut is not None and (incarnation, head) > one.cut.of(chain):
                    wrong.append(f"{one.member} counts {chain} {incarnation}.{head} of {machine}, behind {one.cut}")
            wrong += [f"{one.member} accepted {entry} of {machine} after its removal" for entry in one.commits]
            if not one.removed:
                wrong.append(f"{machine} is still a member in the ledger of {one.member}")
        return [_found(text, at_s) for text in wrong]

    def _nothing(self, member: str, machine: str, what: str, at_s: float) -> list[Violation]:
        if (member, machine) not in self._heard:
            return []
        return [_found(f"{member} {what} {machine}, and knows that it was revoked", at_s)]


def _found(text: str, at_s: float) -> Violation:
    return Violation(checker="revocations", at_s=at_s, text=text)
