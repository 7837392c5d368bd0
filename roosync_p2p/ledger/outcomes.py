"""What applying one entry gives: an outcome, what changed, and what is to be told (docs/protocol/ledger.md §2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

__all__ = ["Applied", "Event", "Outcome", "Refused"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Whether an entry had its effect.

    Attributes:
        accepted: False leaves everything as it was but for the author's cursor.
        reason: of a refusal: a stable word in snake case; else empty.
        detail: JSON-ready facts for the author: who holds the claim, the number of the decision. The same on every
            machine, so it holds no text of a library.
    """

    accepted: bool
    reason: str = ""
    detail: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that machines are told when it was applied.

    Attributes:
        name: what happened, such as ``claim.granted``.
        to: whom it concerns most; empty is everybody.
        detail: JSON-ready facts.
    """

    name: str
    to: tuple[str, ...] = ()
    detail: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """All that comes of one commit number.

    ``changes`` go into :meth:`State.with_changes` and, in the same transaction, onto the disk; None removes a key.
    """

    outcome: Outcome
    changes: Mapping[str, bytes | None]
    events: tuple[Event, ...] = ()


class Refused(Exception):
    """A rule says no: an answer and no error. Raised by rules, turned into an :class:`Outcome` by ``apply``.

    Args:
        reason: as in :class:`Outcome`.
        detail: as in :class:`Outcome`.
    """

    def __init__(self, reason: str, /, **detail: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
