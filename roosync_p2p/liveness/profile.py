"""Cadence and limits of liveness (docs/protocol/liveness.md §2).

A profile holds the user's choice; what is in force for a fleet of that size and for a machine of that cadence is
derived from it. Limits only ever grow that way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from roosync_p2p import limits
from roosync_p2p.errors import InputFault

__all__ = ["ANALYSIS", "LAN", "NAMED", "Profile", "custom"]

_RELAYED_FACTOR: Final = 2.0  # a relayed heartbeat has two links to be late on


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """From when on silence means something, in seconds; make other ones with :func:`custom`.

    Attributes:
        interval_s: from one heartbeat to the next over a direct link.
        suspect_s: without direct evidence until ``suspect``; a silent link is redialled then.
        offline_s: without direct evidence until the limit.
        relayed_interval_s: how often one machine's heartbeats are relayed to one other.
        relayed_suspect_s: without relayed evidence until ``suspect``.
        relayed_offline_s: without relayed evidence until the limit.
    """

    interval_s: float
    suspect_s: float
    offline_s: float
    relayed_interval_s: float
    relayed_suspect_s: float
    relayed_offline_s: float

    def for_members(self, count: int) -> Profile:
        """The profile of a fleet of ``count`` members: above 24, what is relayed slows with n/24."""
        factor = count / limits.FULL_MESH_MEMBERS_MAX
        if factor <= 1:
            return self
        return dataclasses.replace(
            self,
            relayed_interval_s=self.relayed_interval_s * factor,
            relayed_suspect_s=self.relayed_suspect_s * factor,
            relayed_offline_s=self.relayed_offline_s * factor,
        )

    def for_interval(self, interval_s: float) -> Profile:
        """The profile for a machine that announces a slower cadence than this one: everything slows with it."""
        factor = interval_s / self.interval_s
        if factor <= 1:
            return self
        return Profile(
            interval_s=self.interval_s * factor,
            suspect_s=self.suspect_s * factor,
            offline_s=self.offline_s * factor,
            relayed_interval_s=self.relayed_interval_s * factor,
            relayed_suspect_s=self.relayed_suspect_s * factor,
            relayed_offline_s=self.relayed_offline_s * factor,
        )


def custom(*, interval_s: float, suspect_s: float, offline_s: float) -> Profile:
    """A profile of the user's own; relayed limits are twice the direct ones.

    Raises:
        InputFault: the interval is out of bounds, or not ``2 * interval_s <= suspect_s < offline_s``.
    """
    if not limits.HEARTBEAT_INTERVAL_S_MIN <= interval_s <= limits.HEARTBEAT_INTERVAL_S_MAX:
        raise InputFault(
            f"an interval of {interval_s:g} s is not "
            f"{limits.HEARTBEAT_INTERVAL_S_MIN:g} to {limits.HEARTBEAT_INTERVAL_S_MAX:g} s",
            code="bad_liveness_profile",
        )
    if not 2 * interval_s <= suspect_s < offline_s:
        raise InputFault(
            f"limits of {suspect_s:g} s and {offline_s:g} s do not fit an interval of {interval_s:g} s",
            code="bad_liveness_profile",
            remedy="choose suspect_s of at least twice interval_s, and offline_s above suspect_s",
        )
    return Profile(
        interval_s=interval_s,
        suspect_s=suspect_s,
        offline_s=offline_s,
        relayed_interval_s=interval_s,
        relayed_suspect_s=suspect_s * _RELAYED_FACTOR,
        relayed_offline_s=offline_s * _RELAYED_FACTOR,
    )


# A silent machine is to be known within 5 s of falling silent. Its last heartbeat may have left in that very moment:
# the rest is for the way of that heartbeat and for a busy judge (docs/decisions/offline-within-five.md).
LAN: Final = dataclasses.replace(custom(interval_s=1.0, suspect_s=3.0, offline_s=4.8), relayed_offline_s=10.0)
ANALYSIS: Final = custom(interval_s=30.0, suspect_s=90.0, offline_s=120.0)
NAMED: Final[Mapping[str, Profile]] = {"lan": LAN, "analysis": ANALYSIS}  # as `[liveness] profile` says them
