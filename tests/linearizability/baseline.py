"""The baseline: one document of many places, with versions that count up by one (docs/protocol/ledger.md §9, §10).

A write names the version that its author had read. It counts unless its own place was changed since; what changed
elsewhere does not matter. Each write that counts makes the next version. A read shows the whole document. So the
document is one object, and what was true of two places at once is checked too.

Of each place every value is written at most once: a decision is not in the way of another that wants the same, and a
change that changes nothing makes no version; neither is modelled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from tests.linearizability.history import Operation

__all__ = ["Answer", "Baseline", "Document", "Overtaken", "Read", "Request", "Shown", "Write", "Written"]


class Write(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="write"):
    """One place gets a value, as somebody wants who read that version. Written or Overtaken."""

    place: str
    value: str
    based_on: int


class Read(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="read"):
    """Shown."""


class Written(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="written"):
    """It counts, and made this version."""

    version: int


class Overtaken(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="overtaken"):
    """It does not count: its place was changed after the version that it was based on."""


class Shown(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="shown"):
    """The whole document, as pairs of place and value in order."""

    version: int
    values: tuple[tuple[str, str], ...] = ()


Request: TypeAlias = Write | Read
Answer: TypeAlias = Written | Overtaken | Shown


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The state.

    Attributes:
        values: as pairs of place and value, in order.
        changed: for each of them the version that gave it its value.
    """

    version: int = 0
    values: tuple[tuple[str, str], ...] = ()
    changed: tuple[int, ...] = ()

    def changed_at(self, place: str) -> int:
        """The version that gave the place its value; 0 if it has none."""
        return next((at for (name, _), at in zip(self.values, self.changed, strict=True) if name == place), 0)

    def written(self, place: str, value: str) -> Document:
        """The next version."""
        rows = {name: (text, at) for (name, text), at in zip(self.values, self.changed, strict=True)}
        rows[place] = (value, self.version + 1)
        ordered = sorted(rows.items())
        return Document(
            version=self.version + 1,
            values=tuple((name, text) for name, (text, _) in ordered),
            changed=tuple(at for _, (_, at) in ordered),
        )


class Baseline:
    """The model."""

    requests: Any = Request
    answers: Any = Answer

    def initial(self) -> Document:
        """Version 0, which is empty."""
        return Document()

    def weighed(self, state: Document) -> tuple[Hashable, tuple[float, ...]]:
        """Nothing of it can be compared: each version was one document."""
        return state, ()

    def step(self, state: Document, operation: Operation) -> Iterator[Document]:
        """See :class:`~tests.linearizability.history.Model`."""
        match operation.request, operation.answer:
            case Write(place=place, value=value, based_on=based_on), None:
                if state.changed_at(place) <= based_on:
                    yield state.written(place, value)
            case Write(place=place, value=value, based_on=based_on), Written(version=version):
                if version == state.version + 1 and state.changed_at(place) <= based_on:
                    yield state.written(place, value)
            case Write(place=place, based_on=based_on), Overtaken() if state.changed_at(place) > based_on:
                yield state
            case Read(), Shown(version=version, values=values) if (version, values) == (state.version, state.values):
                yield state
            case _:
                pass  # an unanswered read; or nothing that a baseline says to this

    def is_past(self, state: Document, operation: Operation) -> bool:
        """Versions are never given again, and are read only while they are the newest."""
        match operation.answer:
            case Written(version=version):
                return version <= state.version
            case Shown(version=version):
                return version < state.version
            case _:
                return False

    def mattering(self, unanswered: Sequence[Operation], _answered: Sequence[Operation]) -> Sequence[Operation]:
        """The writes: each may have made a version that the numbers of the others leave room for."""
        return [operation for operation in unanswered if isinstance(operation.request, Write)]
