"""Draws from a seed, in the words that a fault schedule needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from roosync_p2p.entropy import Entropy

__all__ = ["Dice"]

T = TypeVar("T")


class Dice:
    """Named draws; the same seed and label give the same draws, whatever else is drawn."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    @classmethod
    def of(cls, seed: int, label: str) -> Dice:
        """The dice of one seed for one purpose."""
        return cls(Entropy(f"simulation/{label}/{seed:020d}".encode()))

    def entropy(self, label: str) -> Entropy:
        """A generator of its own."""
        return self._entropy.child(label)

    def between(self, low: float, high: float) -> float:
        """A number, evenly distributed."""
        return low + (high - low) * self._entropy.fraction()

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._entropy.fraction() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Whether something happens."""
        return self._entropy.fraction() < probability

    def choose(self, items: Sequence[T]) -> T:
        """One of them."""
        return items[self.integer(0, len(items) - 1)]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """So many different ones, in drawn order."""
        left = list(items)
        return [left.pop(self.integer(0, len(left) - 1)) for _ in range(min(count, len(left)))]
