"""The naive twin: every selection of unanswered operations, in every order. For histories of a few operations."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from tests.linearizability.history import Model, Operation

__all__ = ["is_linearizable"]


def is_linearizable(history: Sequence[Operation], model: Model) -> bool:
    """Whether some order explains the history of one object."""
    answered = [operation for operation in history if operation.answer is not None]
    unanswered = [operation for operation in history if operation.answer is None]
    return any(
        _keeps_time(order) and _explained(order, model)
        for taken in _subsets(unanswered)
        for order in itertools.permutations([*answered, *taken])
    )


def _subsets(operations: Sequence[Operation]) -> Iterator[tuple[Operation, ...]]:
    for count in range(len(operations) + 1):
        yield from itertools.combinations(operations, count)


def _keeps_time(order: Iterable[Operation]) -> bool:
    return not any(later.precedes(earlier) for earlier, later in itertools.combinations(order, 2))


def _explained(order: Iterable[Operation], model: Model) -> bool:
    states = {model.initial()}
    for operation in order:
        states = {after for state in states for after in model.step(state, operation)}
    return bool(states)
