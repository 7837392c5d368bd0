"""Two decisions in each other's way (docs/protocol/ledger.md §9).

They conflict when they touch overlapping resources on a common target with different content, and neither was based
on the other. At proposal a conflict is only noted. It counts when the later one has its approvals, and only against
what is in effect then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from roosync_p2p.ledger.actions import Touch
from roosync_p2p.ledger.decision_state import DecisionState, Live, live_decisions
from roosync_p2p.ledger.draft import Draft
from roosync_p2p.ledger.policies import MANUAL, STRATEGIES, Strategies
from roosync_p2p.ledger.resources import FLEET_TYPES, Segments, contains, shown_segments

__all__ = ["Conflict", "conflicts_of", "live_of", "strategy_of"]

_BASELINE = "baseline"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Another decision in the way.

    Attributes:
        places: where, as pairs of this one's and the other's touch, in order.
    """

    decision: str
    other: Live
    places: tuple[tuple[Touch, Touch], ...]

    @property
    def shown(self) -> dict[str, object]:
        """As JSON: with what, and where; of one in effect that is what this one would undo."""
        return {
            "decision": self.decision,
            "in_effect": bool(self.other.effect),
            "resources": sorted({shown_segments(theirs.segments) for _, theirs in self.places}),
        }


def live_of(draft: Draft, decision: str) -> Live:
    """The place in the index of a decision that is open or in effect."""
    found = draft.load(f"live/{decision}", Live)
    assert found is not None
    return found


def conflicts_of(draft: Draft, decision: str, *, in_effect: bool) -> tuple[Conflict, ...]:
    """What conflicts with a decision, by number.

    Args:
        in_effect: only with what is in effect; else also with what is only proposed.
    """
    mine = live_of(draft, decision)
    index = _Places(mine.touches)
    found = (
        Conflict(decision=other, other=live, places=places)
        for other, live in live_decisions(draft)
        if other != decision and (live.effect or not in_effect) and (places := tuple(_pairs(mine, index, live)))
    )
    return tuple(sorted(found, key=lambda conflict: int(conflict.decision[1:])))


def strategy_of(draft: Draft, decision: DecisionState, conflicts: tuple[Conflict, ...]) -> tuple[str, list[str]]:
    """What is to be done about conflicts, and words in the policy that are no strategy: they are read as ``manual``.

    Of several strategies the most careful counts. A proposal may ask for ``manual``, which is the most careful.
    """
    if decision.manual or any(conflict.other.manual for conflict in conflicts):
        return MANUAL, []
    strategies = Strategies(draft)
    names = {strategies.name_for(mine.segments) for conflict in conflicts for mine, _ in conflict.places}
    unknown = sorted(names.difference(STRATEGIES))
    return MANUAL if unknown else min(names, key=STRATEGIES.index), unknown


class _Places:
    """Touches by their segments, and by every beginning of these: finds what overlaps without comparing all."""

    def __init__(self, touches: tuple[Touch, ...]) -> None:
        self._at: dict[Segments, list[Touch]] = {}
        self._below: dict[Segments, list[Touch]] = {}
        for touch in touches:
            self._at.setdefault(touch.segments, []).append(touch)
            for length in range(1, len(touch.segments)):
                self._below.setdefault(touch.segments[:length], []).append(touch)

    def overlapping(self, touch: Touch) -> Iterator[Touch]:
        """What overlaps with a touch of another decision."""
        for length in range(1, len(touch.segments) + 1):
            yield from self._at.get(touch.segments[:length], ())
        yield from self._below.get(touch.segments, ())


def _pairs(mine: Live, places: _Places, theirs: Live) -> Iterator[tuple[Touch, Touch]]:
    common = bool(set(mine.targets) & set(theirs.targets))
    kinds = {kind for kind in {touch.segments[0] for touch in theirs.touches} if common or kind in FLEET_TYPES}
    apart = {kind for kind in kinds if not _one_knew(mine, theirs, kind)}
    if not apart:
        return
    for their_touch in theirs.touches:
        if their_touch.segments[0] in apart:
            for my_touch in places.overlapping(their_touch):
                if _differ(my_touch, their_touch):
                    yield my_touch, their_touch


def _differ(mine: Touch, theirs: Touch) -> bool:
    """Whether two touches that overlap want different things."""
    if mine.segments == theirs.segments:
        return mine.content != theirs.content
    outer = mine if contains(mine.segments, theirs.segments) else theirs
    return not outer.opens


def _one_knew(mine: Live, theirs: Live, kind: str) -> bool:
    return _knew(mine, theirs, kind) or _knew(theirs, mine, kind)


def _knew(later: Live, earlier: Live, kind: str) -> bool:
    """Whether one was based on the other.

    By commit number: its author had applied the other's newest revision. Where it said which version of the baseline
    it edited, that counts instead: a proposal that it had seen was not yet in the document.
    """
    if kind == _BASELINE and later.baseline:
        return bool(earlier.effect) and earlier.version <= later.baseline
    return earlier.revised <= later.based_on
