"""A value with versions: ``set`` gives it a higher version, ``get`` reads both."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from tests.linearizability.history import Operation

__all__ = ["Accepted", "Answer", "Conflict", "Get", "Register", "Request", "Set", "Value", "Written"]


class Set(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="set"):
    """Write a value; with ``based_on`` only if that is the version now."""

    value: str
    based_on: int | None = None


class Get(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="get"):
    """Read."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="accepted"):
    """It was written, and has this version."""

    version: int


class Conflict(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="conflict"):
    """It was not written: the version is this one."""

    version: int


class Value(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="value"):
    """What was read."""

    version: int
    value: str


Request: TypeAlias = Set | Get
Answer: TypeAlias = Accepted | Conflict | Value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The state.

    Attributes:
        version: None: of a write that was never answered, so nobody has said it yet; it is above ``last``.
        last: the highest version that is known to have been given.
    """

    value: str
    version: int | None
    last: int

    def said(self, version: int) -> Iterator[Written]:
        """Somebody was told that this is the version."""
        if self.version is None and version > self.last:
            yield Written(value=self.value, version=version, last=version)
        elif self.version == version:
            yield self


class Register:
    """The model.

    Args:
        value: before any write, with version 0.
    """

    requests: Any = Request
    answers: Any = Answer

    def __init__(self, value: str = "") -> None:
        self._first = Written(value=value, version=0, last=0)

    def initial(self) -> Written:
        """Version 0."""
        return self._first

    def weighed(self, state: Written) -> tuple[Hashable, tuple[float, ...]]:
        """The more versions are known, the fewer can still be given."""
        return (state.value, state.version), (state.last,)

    def step(self, state: Written, operation: Operation) -> Iterator[Written]:
        """See :class:`~tests.linearizability.history.Model`."""
        match operation.request, operation.answer:
            case Set(value=value, based_on=based_on), None:
                yield from (Written(value=value, version=None, last=one.last) for one in _based(state, based_on))
            case Set(value=value, based_on=based_on), Accepted(version=version):
                for one in _based(state, based_on):
                    if version > one.last:
                        yield Written(value=value, version=version, last=version)
            case Set(based_on=int(based_on)), Conflict(version=version) if based_on != version:
                yield from state.said(version)
            case Get(), Value(version=version, value=value) if value == state.value:
                yield from state.said(version)
            case _:
                pass  # an unanswered read; or nothing that a register says to this

    def is_past(self, state: Written, operation: Operation) -> bool:
        """Versions are never given again, and are read only while they are the newest."""
        match operation.answer:
            case Accepted(version=version):
                return version <= state.last
            case Conflict(version=version) | Value(version=version):
                return version < state.last or (version == state.last and state.version != version)
            case _:
                return False

    def mattering(self, unanswered: Sequence[Operation], _answered: Sequence[Operation]) -> Sequence[Operation]:
        """The writes."""
        return [operation for operation in unanswered if isinstance(operation.request, Set)]


def _based(state: Written, based_on: int | None) -> Iterator[Written]:
    if based_on is None:
        yield state
    else:
        yield from state.said(based_on)
