"""How much of everything is measured: the whole, or enough to see that it works."""

from __future__ import annotations

import dataclasses
from typing import Final

__all__ = ["QUICK", "WHOLE", "Plan"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Counts and seconds of one run."""

    kills: int = 20
    stops: int = 5
    serf_kills: int = 10
    serf_stops: int = 3
    syncthing_kills: int = 5
    syncthing_stop_bound_s: float = 30.0
    messages: int = 200
    messages_in_flight: int = 64
    messages_at_once: int = 2_000
    serf_events: int = 50
    syncthing_files: int = 3
    syncthing_files_tuned: int = 10
    commits: int = 500
    commits_in_flight: int = 64
    commits_at_once: int = 10_000
    commits_kept: int = 100_000
    failovers: int = 10
    restarts: int = 5
    rest_machines: int = 6
    rest_syncthing: int = 3
    rest_settle_s: float = 20.0
    rest_s: float = 60.0
    commands: int = 10
    joins: int = 5
    joins_one_off: int = 3
    core_seconds: float = 60.0
    attachments: int = 10
    core_repeats: int = 2_000
    mailbox: int = 100_000
    mailbox_looks: int = 200


WHOLE: Final = Plan()
QUICK: Final = Plan(
    kills=3,
    stops=1,
    serf_kills=1,
    serf_stops=1,
    syncthing_kills=1,
    syncthing_stop_bound_s=3.0,
    messages=20,
    messages_at_once=128,
    serf_events=5,
    syncthing_files=1,
    syncthing_files_tuned=2,
    commits=100,
    commits_at_once=1_000,
    commits_kept=2_000,
    failovers=2,
    restarts=2,
    rest_settle_s=5.0,
    rest_s=5.0,
    commands=3,
    joins=2,
    joins_one_off=1,
    core_seconds=10.0,
    attachments=2,
    core_repeats=200,
    mailbox=1_500,
    mailbox_looks=20,
)
