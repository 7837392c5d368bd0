"""A real leader whose clock is a hundred days ahead, then ten minutes behind: a claim ends when it should.

A whole year ahead is past the certificates: such a node is alone, and alone it stamps nothing (``test_bad_days.py`` and
``tests/core/commit/test_clock.py``).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from roosync_p2p.clock import parse_rfc3339
from tests.helpers.fleet import Fleet, Machine, until

_FAKETIME: Final = str(next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), ""))
_AHEAD_S: Final = 100 * 24 * 3600
_NEAR_S: Final = 10.0
TTL_S: Final = 15

pytestmark = pytest.mark.skipif(not _FAKETIME, reason="libfaketime is not installed")


def test_a_claim_lasts_as_long_as_it_was_granted_for_whatever_the_leaders_clock_shows() -> None:
    with Fleet.found("alice", "berta", "clara", "doris") as fleet:
        fleet.start_all()
        fleet.until_linked()
        alice, berta, clara, doris = fleet.machines.values()
        until(lambda: doris.client.status()["commit"]["size"] >= 9, 50, what="all are members", shown=fleet.report)
        lost = berta.json("claim", "held", "--ttl", f"{TTL_S}s")
        peers = [option for machine in (berta, clara, doris) for option in ("--peer", machine.listen)]
        for offset_s in (_AHEAD_S, -600):
            alice.kill()  # a hand-over would make another one lead
            alice.start(*peers, environ=_clock(offset_s))
            fleet.until_linked()
            until(lambda: "clock_off" in alice.warnings(), 50, what="it says that its clock is wrong", shown=alice.log)
            assert alice.json("voters")["leader"] == "alice"
            if time.time() < parse_rfc3339(lost["expires_at"]) / 1000 - _NEAR_S:
                assert clara.refusal("claim", "held")["code"] == "claim_held"
                clara.run("claim", "check", "held", str(lost["token"]))
            assert abs(_stamped_s(clara, f"with {offset_s}") - time.time()) < _NEAR_S
        won = clara.json("claim", "held", "--wait", "100")
        late_s = (parse_rfc3339(won["acquired_at"]) - parse_rfc3339(lost["expires_at"])) / 1000
        print(f"passed on {late_s:.3f} s after its end")
        assert 0 <= late_s < 10
        assert time.time() > parse_rfc3339(lost["expires_at"]) / 1000 - 5, "nobody got it before its time"
        alice.kill()
        alice.start(*peers)
        fleet.until_linked()
        assert abs(_stamped_s(alice, "right again") - time.time()) < _NEAR_S
        assert "clock_off" not in alice.warnings()


def _stamped_s(machine: Machine, name: str) -> float:
    """Commit time of a claim that is made now."""
    return parse_rfc3339(machine.json("claim", name)["acquired_at"]) / 1000


def _clock(offset_s: int) -> dict[str, str]:
    return {"LD_PRELOAD": _FAKETIME, "FAKETIME": f"{offset_s:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
