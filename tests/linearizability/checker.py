"""The search for an order (Wing and Gong 1993; Lowe 2017, "Testing for linearizability", §3).

A configuration is the set of operations put in order so far and the state they led to. From it, any operation may come
next that no other one left over precedes. These keep the search small:

- a configuration that was seen before leads nowhere new; neither does one that differs only in having used up more of
  the operations without an answer, or in a state that allows less (``Model.weighed``);
- an answered operation that leaves the state as it is comes next at once, and nothing else is tried: in any order that
  has it later it can be moved forward;
- operations without an answer are tried last and the fewest first, so they are used where an answer needs them; of
  those that ask the same, in order of their calls: whatever an order uses a later one for, the earlier one can do too,
  because nothing bounds either from behind;
- operations without an answer that no answer can need are left out before (``Model.mattering``), and a configuration
  from which one left over can never be explained is given up at once (``Model.is_past``).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, Final

from tests.linearizability.history import Model, Operation, by_key

__all__ = ["STEPS_MAX", "Verdict", "check"]

STEPS_MAX: Final = 2_000_000  # of one object; some twenty seconds
_SHOWN_MAX: Final = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the search found.

    Attributes:
        linearizable: None: the search was given up at its bound, and nothing is known.
        steps: how often the model was asked, over all objects.
        key: the object that cannot be explained.
        explained: the longest order that was found for it.
        left: what was left over then, in order of their calls.
        state: the state that order led to.
    """

    linearizable: bool | None
    steps: int
    key: str = ""
    explained: Sequence[Operation] = ()
    left: Sequence[Operation] = ()
    state: object = None

    def describe(self) -> str:
        """For a person who has to find out what went wrong; the first word tells a violation from not knowing."""
        if self.linearizable:
            return f"linearizable, {self.steps} steps"
        violated = "violation: no order explains"
        what = violated if self.linearizable is False else "undecided: the search was given up for"
        lines = [
            f"{what} {self.key!r}, after {self.steps} steps. The end of the longest order found:",
            *(f"  {operation}" for operation in self.explained[-_SHOWN_MAX:]),
            f"which leads to {self.state}, where none of these can come next:",
            *(f"  {operation}" for operation in self.left[:_SHOWN_MAX]),
        ]
        return "\n".join(lines)


def check(history: Iterable[Operation], model: Model, *, steps_max: int = STEPS_MAX) -> Verdict:
    """Whether the history of every object is linearizable; of several that are not, the first by name is shown.

    Args:
        steps_max: of the search for one object.
    """
    steps = 0
    given_up = None
    for key, operations in sorted(by_key(history).items()):
        verdict = _Search(key, operations, model, steps_max).run()
        steps += verdict.steps
        if verdict.linearizable is False:
            return dataclasses.replace(verdict, steps=steps)
        if verdict.linearizable is None and given_up is None:
            given_up = verdict
    return Verdict(linearizable=True, steps=steps) if given_up is None else dataclasses.replace(given_up, steps=steps)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Configuration:
    """``done`` and ``used`` are sets of answered and of unanswered operations, as bits of their numbers.

    Attributes:
        low: the first answered operation that is not done.
        by: the operations that led here from the one before; the unanswered are numbered behind the answered.
        before: None: the first.
    """

    done: int = 0
    used: int = 0
    state: Any
    low: int = 0
    by: tuple[int, ...] = ()
    before: _Configuration | None = None


class _Search:
    """One object."""

    def __init__(self, key: str, operations: Sequence[Operation], model: Model, steps_max: int) -> None:
        by_call = sorted(operations, key=lambda operation: operation.call_s)
        self._key = key
        self._answered = [operation for operation in by_call if operation.answer is not None]
        unanswered = [operation for operation in by_call if operation.answer is None]
        self._unanswered = model.mattering(unanswered, self._answered)
        self._twin_before = _twins_before(self._unanswered)
        self._model = model
        self._steps_max = steps_max
        self._steps = 0
        self._seen: dict[tuple[int, Hashable], list[tuple[int, tuple[float, ...]]]] = {}

    def run(self) -> Verdict:
        """Depth first, without recursion: a history may be long."""
        first = _Configuration(state=self._model.initial())
        longest = first
        stack = [(first, self._nexts(first))]
        while stack:
            here, nexts = stack[-1]
            if here.low == len(self._answered):
                return Verdict(linearizable=True, steps=self._steps)
            if self._steps > self._steps_max:
                return self._stuck(None, longest)
            after = next(nexts, None)
            if after is None:
                stack.pop()
                continue
            stack.append((after, self._nexts(after)))
            if after.done.bit_count() > longest.done.bit_count():
                longest = after
        return self._stuck(False, longest)

    def _nexts(self, here: _Configuration) -> Iterator[_Configuration]:
        """With one answered operation more, at first by using up no unanswered one, then one, and so on."""
        free, first_return_s = self._free(here)
        layer = [dataclasses.replace(here, by=(), before=here)]
        while layer:
            following = []
            for one in layer:
                if any(self._model.is_past(one.state, self._answered[number]) for number in free):
                    continue
                steps = [(number, list(self._step(one.state, self._answered[number]))) for number in free]
                forward = next((number for number, states in steps if one.state in states), None)
                if forward is not None:
                    yield from self._with(one, forward, [one.state])
                    continue
                for number, states in steps:
                    yield from self._with(one, number, states)
                following.append(one)
            layer = [after for one in following for after in self._using_up(one, first_return_s)]

    def _free(self, here: _Configuration) -> tuple[list[int], float]:
        """The answered operations that may come next, by their call, and when the first of all left over returned."""
        first_return_s = math.inf
        free = []
        for number in range(here.low, len(self._answered)):
            if here.done >> number & 1:
                continue
            operation = self._answered[number]
            if operation.call_s > first_return_s:
                break  # one left over precedes it, and all behind it
            first_return_s = min(first_return_s, operation.return_s)
            free.append(number)
        return free, first_return_s

    def _with(self, here: _Configuration, number: int, states: Iterable[Any]) -> Iterator[_Configuration]:
        done, low = here.done | 1 << number, here.low
        while done >> low & 1:
            low += 1
        for state in states:
            if self._is_new(done, here.used, state):
                yield dataclasses.replace(here, done=done, state=state, low=low, by=(*here.by, number))

    def _using_up(self, here: _Configuration, first_return_s: float) -> Iterator[_Configuration]:
        for number, operation in enumerate(self._unanswered):
            if operation.call_s > first_return_s:
                return
            used, twin = here.used | 1 << number, self._twin_before[number]
            if used == here.used or (twin is not None and not here.used >> twin & 1):
                continue
            for state in self._step(here.state, operation):
                if self._is_new(here.done, used, state):
                    by = (*here.by, len(self._answered) + number)
                    yield dataclasses.replace(here, used=used, state=state, by=by)

    def _step(self, state: Any, operation: Operation) -> Iterable[Any]:
        self._steps += 1
        return self._model.step(state, operation)

    def _is_new(self, done: int, used: int, state: Any) -> bool:
        core, weights = self._model.weighed(state)
        seen = self._seen.setdefault((done, core), [])
        if any(_allows_more(one, (used, weights)) for one in seen):
            return False
        seen.append((used, weights))
        return True

    def _stuck(self, linearizable: bool | None, last: _Configuration) -> Verdict:
        path = [last]
        while path[-1].before is not None:
            path.append(path[-1].before)
        numbers = [number for one in reversed(path) for number in one.by]
        every = [*self._answered, *self._unanswered]
        left = sorted(set(range(len(every))) - set(numbers), key=lambda number: every[number].call_s)
        return Verdict(
            linearizable=linearizable,
            steps=self._steps,
            key=self._key,
            explained=[every[number] for number in numbers],
            left=[every[number] for number in left],
            state=last.state,
        )


def _allows_more(one: tuple[int, tuple[float, ...]], other: tuple[int, tuple[float, ...]]) -> bool:
    """Whether whatever can follow the other can follow this one too."""
    (used, weights), (other_used, other_weights) = one, other
    return used & other_used == used and all(a <= b for a, b in zip(weights, other_weights, strict=True))


def _twins_before(operations: Sequence[Operation]) -> list[int | None]:
    """For each operation the number of the last one before it that asks the same."""
    newest: dict[Any, int] = {}
    before = []
    for number, operation in enumerate(operations):
        before.append(newest.get(operation.request))
        newest[operation.request] = number
    return before
