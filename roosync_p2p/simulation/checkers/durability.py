"""Nothing that a machine told anybody is missing from its disk after a crash; no chain forks by itself."""

from __future__ import annotations

from collections.abc import Callable

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["DurabilityChecker", "Place"]

Place = tuple[str, int, str, int]  # author, incarnation, chain, sequence


class DurabilityChecker:
    """Remembers what each member told, and compares with the disk that a crash leaves behind."""

    def __init__(self) -> None:
        self._heads: dict[str, dict[tuple[str, int, str], int]] = {}
        self._entries: dict[str, set[tuple[Place, str]]] = {}
        self._starts: dict[str, int] = {}
        self._answered: dict[str, set[str]] = {}
        self._authored: dict[Place, tuple[str, str]] = {}
        self._forked: list[tuple[str, Violation]] = []
        self._forgiven: set[str] = set()

    def told_head(self, member: str, chain: tuple[str, int, str], head: int) -> None:
        """An offer, a frontier, a heartbeat: the member holds that chain up to there."""
        heads = self._heads.setdefault(member, {})
        heads[chain] = max(head, heads.get(chain, 0))

    def told_entry(self, member: str, place: Place, entry: str) -> None:
        """The member sent an entry to somebody."""
        self._entries.setdefault(member, set()).add((place, entry))

    def told_start(self, member: str, start: int) -> None:
        """The member used a start number."""
        self._starts[member] = max(start, self._starts.get(member, 0))

    def told_answer(self, member: str, entry: str) -> None:
        """The member told a user that an entry is stored."""
        self._answered.setdefault(member, set()).add(entry)

    def wrote(self, member: str, place: Place, entry: str, at_s: float) -> None:
        """A member signed an own entry and released it to its disk. Lost before anybody saw it, it may be another."""
        first = self._authored.get(place)
        if first is not None and first[1] != entry and self._was_seen(place, first[1]):
            text = f"{member} signed a second entry for {place}, which {first[0]} had told others"
            self._forked.append((place[0], Violation(checker="durability", at_s=at_s, text=text)))
        self._authored[place] = (member, entry)

    def forget(self, member: str) -> None:
        """Its disk was replaced by an older one: what it told may be missing from there."""
        for told in (self._heads, self._entries, self._starts, self._answered):
            told.pop(member, None)

    def forgive(self, author: str) -> None:
        """The author's disk was copied or restored: its chain may fork, which the identity checker looks at."""
        self._forgiven.add(author)

    def crashed(
        self,
        member: str,
        at_s: float,
        *,
        start: int,
        head: Callable[[tuple[str, int, str]], int],
        held: Callable[[str], bool],
    ) -> list[Violation]:
        """Compares with the disk: its start number, its heads, and whether it holds an entry."""
        missing = [
            f"it had told {chain} up to {told}, its disk holds {head(chain)}"
            for chain, told in sorted(self._heads.get(member, {}).items())
            if head(chain) < told
        ]
        missing += [
            f"it had sent {place}, its disk does not hold it"
            for place, entry in sorted(self._entries.get(member, ()))
            if not held(entry)
        ]
        missing += [
            f"it had answered a user for {entry}, its disk does not hold it"
            for entry in sorted(self._answered.get(member, ()))
            if not held(entry)
        ]
        if self._starts.get(member, 0) > start:
            missing.append(f"it had used start number {self._starts[member]}, its disk says {start}")
        return [Violation(checker="durability", at_s=at_s, text=f"{member}: {text}") for text in missing]

    def finish(self) -> list[Violation]:
        """Forks that no copied or restored disk explains."""
        return [found for author, found in self._forked if author not in self._forgiven]

    def _was_seen(self, place: Place, entry: str) -> bool:
        return any((place, entry) in entries for entries in self._entries.values())
