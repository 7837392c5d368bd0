"""Nothing is on any disk that its author did not sign."""

from __future__ import annotations

from collections.abc import Iterable

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["SignatureChecker"]


class SignatureChecker:
    """Knows every entry and record that the fleet's own nodes made, and finds what they did not."""

    def __init__(self) -> None:
        self._genuine: set[str] = set()

    def made(self, what: str) -> None:
        """A node of this fleet signed this (an entry's id, a record's envelope, in hexadecimal)."""
        self._genuine.add(what)

    def finish(self, member: str, held: Iterable[tuple[str, str]], at_s: float) -> list[Violation]:
        """``held``: (description, identity) of everything signed on the member's disk."""
        return [
            Violation(checker="signatures", at_s=at_s, text=f"{member} accepted a forgery: {description}")
            for description, identity in held
            if identity not in self._genuine
        ]
