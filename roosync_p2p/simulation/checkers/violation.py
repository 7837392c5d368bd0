"""What a checker found."""

from __future__ import annotations

import dataclasses

__all__ = ["Violation"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was broken: by which checker, at which virtual second, in words with all names."""

    checker: str
    at_s: float
    text: str

    def __str__(self) -> str:
        return f"{self.checker} at {self.at_s:.3f} s: {self.text}"
