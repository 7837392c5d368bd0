"""What a client asked, what it was told, and between which two moments."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Model", "Operation", "by_key"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request.

    Attributes:
        process: who asked, for people.
        key: the object it is about.
        answer: None: nobody knows whether it took effect.
        call_s: a moment before it was sent.
        return_s: a moment after the answer came; infinite without an answer.
    """

    process: str
    key: str
    request: Any
    answer: Any
    call_s: float
    return_s: float = math.inf

    def __post_init__(self) -> None:
        assert self.call_s <= self.return_s, "an answer from before the question"
        assert (self.answer is None) == math.isinf(self.return_s), "an answer has its moment, and no answer has none"

    def precedes(self, other: Operation) -> bool:
        """Whether it had returned when the other was called. At equal moments neither precedes."""
        return self.return_s < other.call_s

    def __str__(self) -> str:
        ended = "…" if self.answer is None else f"{self.return_s:.6f}"
        return f"[{self.call_s:.6f}, {ended}] {self.process}: {self.request} -> {self.answer or 'unknown'}"


class Model(Protocol):
    """One copy of one object, used by one client at a time. States are values that can be hashed."""

    @property
    def requests(self) -> Any:
        """The type of all requests, for reading a history from its file."""

    @property
    def answers(self) -> Any:
        """The type of all answers."""

    def initial(self) -> Any:
        """The state before anything was asked."""

    def weighed(self, state: Any) -> tuple[Hashable, tuple[float, ...]]:
        """The state as what it is and what it restrains: whatever can follow it can follow a state with the same first
        part and no larger number in the second."""

    def step(self, state: Any, operation: Operation) -> Iterable[Any]:
        """The states that the object may be in after it did this, and none if it would not have answered so.

        Of an operation without an answer: the states in which its taking effect can make a difference to anybody.
        Nothing for a read, since not taking effect is always possible. Of an answered operation the same state again,
        if it tells nothing that this state does not say.

        Of who asked nothing counts, and of when an unanswered one was called only this: earlier allows no less.
        """

    def is_past(self, state: Any, operation: Operation) -> bool:
        """Whether the object, after this state, can certainly not answer so any more, whatever else is asked.

        Only a hint that ends a search sooner: False is never wrong.
        """

    def mattering(self, unanswered: Sequence[Operation], answered: Sequence[Operation]) -> Sequence[Operation]:
        """The operations without an answer that can be needed to explain these answers, in their order.

        One is left out only if every order that has it, explained, is one without it, explained too. Whatever is left
        in is never wrong.
        """


def by_key(history: Iterable[Operation]) -> Mapping[str, Sequence[Operation]]:
    """The history of each object."""
    parts: dict[str, list[Operation]] = collections.defaultdict(list)
    for operation in history:
        parts[operation.key].append(operation)
    return parts
