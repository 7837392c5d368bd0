"""Whether this node is connected itself (docs/protocol/liveness.md §5).

*Not heard by me* is *offline* only with proof that I would have heard: somebody's frame just now, or a dial that
another computer answered with a refusal or with silence after accepting it.
"""

from __future__ import annotations

import math

from roosync_p2p import limits
from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.profile import Profile
from roosync_p2p.liveness.verdicts import RedialOutcome

__all__ = ["Proof"]


class Proof:
    """The last signs that this node reaches others. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._live_s = -math.inf
        self._answered: dict[MachineId, float] = {}  # machines whose last redial was answered, but not by a node

    def live(self, at_s: float) -> None:
        """An authenticated frame came over a direct link, made at that time."""
        self._live_s = max(self._live_s, at_s)

    def redialled(self, machine: MachineId, outcome: RedialOutcome, at_s: float) -> None:
        """A redial ended; its outcome stands until the next one of the same machine."""
        if outcome in (RedialOutcome.REFUSED, RedialOutcome.SILENT):
            self._answered[machine] = at_s
            return
        self._answered.pop(machine, None)
        if outcome is RedialOutcome.OPENED:
            self.live(at_s)

    def forget(self) -> None:
        """This node slept: nothing from before proves anything now."""
        self._live_s = -math.inf
        self._answered.clear()

    def forget_machine(self, machine: MachineId) -> None:
        """It is no member any more."""
        self._answered.pop(machine, None)

    def stands(self, profile: Profile, at_s: float) -> bool:
        """Whether it is certain enough to call somebody offline now."""
        live_until_s = self._live_s + limits.PROOF_INTERVALS * profile.interval_s
        return at_s < live_until_s or self._answered_within(profile.offline_s, at_s)

    def expected_until(self, profile: Profile) -> float:
        """Until when a link that was just alive may be expected to speak again."""
        return self._live_s + profile.suspect_s

    def cut_off_at(self, profile: Profile) -> float:
        """From when on nothing at all speaks for being connected any more."""
        answered_s = max(self._answered.values(), default=-math.inf)
        return max(self._live_s + profile.offline_s, answered_s + limits.PROOF_KEPT_S)

    def _answered_within(self, span_s: float, at_s: float) -> bool:
        return any(at_s < answered_s + span_s for answered_s in self._answered.values())
