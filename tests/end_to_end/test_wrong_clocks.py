"""A real leader whose clock is a hundred days or a year ahead, or ten minutes behind: a claim ends when it should."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from roosync_p2p.clock import parse_rfc3339
from tests.helpers.by_hand import by_hand
from tests.helpers.fleet import ADMIN, Fleet, Machine, until

_FAKETIME: Final = str(next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), ""))
_AHEAD_S: Final = 100 * 24 * 3600
_YEAR_AHEAD_S: Final = 366 * 24 * 3600
_NEAR_S: Final = 10.0
TTL_S: Final = 15

pytestmark = pytest.mark.skipif(not _FAKETIME, reason="libfaketime is not installed")


@by_hand  # the same in virtual time: tests/core/commit/test_wrong_leaders.py
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


def test_a_leader_and_issuer_whose_clock_is_a_year_ahead_stamps_nothing_and_comes_back_by_itself() -> None:
    """A year ahead is past the certificates: it is alone, and neither decides nor issues by a clock nobody confirms."""
    with Fleet.found("alice", "berta", "clara") as fleet:
        fleet.start_all()
        fleet.until_linked()
        alice, berta, clara = fleet.machines.values()
        until(lambda: clara.client.status()["commit"]["size"] >= 7, 50, what="all are members", shown=fleet.report)
        held = berta.json("claim", "held", "--ttl", "1h")
        peers = [option for machine in (berta, clara) for option in ("--peer", machine.listen)]
        certificate = (alice.home / "identity" / "machine.pem").read_bytes()
        alice.kill()
        alice.start(*peers, environ=_clock(_YEAR_AHEAD_S))
        until(lambda: "clock_unconfirmed" in alice.warnings(), 50, what="it says that nobody confirms its clock")
        for machine in (alice, berta):
            refused = machine.refusal("claim", f"by-{machine.name}", "--timeout", "2", code=4)
            assert refused["code"] == "pending"
        refused = alice.refusal("renew", tool=ADMIN)
        assert "no other clock confirms" in refused["message"]
        assert (alice.home / "identity" / "machine.pem").read_bytes() == certificate
        alice.kill()
        alice.start(*peers)
        fleet.until_linked()
        assert abs(_stamped_s(clara, "right-again") - time.time()) < _NEAR_S
        assert clara.refusal("claim", "held")["details"]["holder"]["machine"] == "berta"
        berta.run("claim", "check", "held", str(held["token"]))


def _stamped_s(machine: Machine, name: str) -> float:
    """Commit time of a claim that is made now."""
    return parse_rfc3339(machine.json("claim", name)["acquired_at"]) / 1000


def _clock(offset_s: int) -> dict[str, str]:
    return {"LD_PRELOAD": _FAKETIME, "FAKETIME": f"{offset_s:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
