"""A verdict in words."""

from __future__ import annotations

import pytest

from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.verdicts import Evidence, Path, Reason, State, Verdict, describe

B, C = MachineId("node-b"), MachineId("node-c")


@pytest.mark.parametrize(
    ("state", "evidence", "reason", "words"),
    [
        (State.ONLINE, Evidence(path=Path.DIRECT, age_s=0.42), Reason.HEARD, "online, direct, 0.4 s"),
        (State.ONLINE, Evidence(path=Path.RELAYED, via=C, age_s=2.2), Reason.HEARD, "online, relayed by node-c, 2 s"),
        (State.ONLINE, Evidence(path=Path.DIRECT, age_s=0.0), Reason.SELF, "online, direct"),
        (
            State.SUSPECT,
            Evidence(path=Path.DIRECT, age_s=0.5),
            Reason.DISK_STALLED,
            "suspect, direct, 0.5 s, its disk does not write",
        ),
        (
            State.OFFLINE,
            Evidence(path=Path.NONE, age_s=7.0),
            Reason.SILENT,
            "offline, last heard 7 s ago, silent",
        ),
        (
            State.UNKNOWN,
            Evidence(path=Path.NONE),
            Reason.NEVER_HEARD,
            "unknown, not heard since this node started",
        ),
        (State.CONFLICT, Evidence(path=Path.NONE), "two_keys", "conflict, two keys"),
    ],
)
def test_a_verdict_is_described_with_its_evidence(state: State, evidence: Evidence, reason: str, words: str) -> None:
    assert describe(Verdict(machine=B, state=state, evidence=evidence, reason=reason)) == words


def test_every_reason_but_good_news_has_words() -> None:
    for reason in set(Reason) - {Reason.HEARD, Reason.SELF}:
        verdict = Verdict(machine=B, state=State.UNKNOWN, evidence=Evidence(path=Path.NONE), reason=reason)
        assert describe(verdict) != "unknown"
        assert "_" not in describe(verdict)
