"""The state on the disk, in memory and at the others: kept, compared, and an alarm where they differ."""

from __future__ import annotations

import pytest

from roosync_p2p.core.rows import StateRow
from tests.helpers.ordered_fleet import OrderedFleet, acquire

HEARTBEATS_S = 3.0


def test_a_restart_begins_from_the_state_on_the_disk_and_applies_nothing_again() -> None:
    fleet = OrderedFleet("alpha", "beta")
    fleet.done("beta", "claim.acquire", acquire("issue-1"))
    before = fleet.agreement()
    fleet.member("beta").crash()
    fleet.member("beta").start()
    log = fleet.log("beta")
    assert {(log.applier.number, log.state.digest, log.applier.root)} == before
    assert not log.digests.alarms


@pytest.mark.parametrize("table", ["claim", "cursor", "member", "register", "outcomes"])
def test_a_flipped_byte_on_a_disk_is_an_alarm_that_names_both_digests_and_is_mended_from_the_log(table: str) -> None:
    fleet = OrderedFleet("alpha", "beta")
    fleet.done("beta", "claim.acquire", acquire("issue-1"))
    before = fleet.agreement()
    digest = fleet.log("beta").state.digest
    fleet.member("beta").crash()
    disk = fleet.member("beta").disk
    key, value = next((key, value) for key, value in disk.load().state if key.startswith(table))
    disk.reopen()
    disk.commit([StateRow(key=key, value=bytes([value[0] ^ 1]) + value[1:])])
    fleet.member("beta").start()
    code, message, details = fleet.log("beta").digests.alarms["disk"]
    assert code == "ledger_changed"
    assert details["applied"] == digest.hex()
    assert details["found"] != digest.hex()
    assert digest.hex()[:16] in message
    fleet.run(10.0)
    assert fleet.agreement() == before
    fleet.member("beta").crash()
    fleet.member("beta").start()
    assert not fleet.log("beta").digests.alarms


def test_a_state_that_was_altered_in_a_running_node_is_told_by_both_within_their_heartbeats() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    fleet.done("beta", "claim.acquire", acquire("issue-1"))
    applier = fleet.log("gamma").applier
    applier.state = applier.state.with_changes({"claim/issue-1": None})
    fleet.done("beta", "claim.acquire", acquire("issue-2"))
    fleet.run(HEARTBEATS_S)
    told = fleet.log("alpha").digests.alarms
    assert set(told) == {"gamma"}
    code, _, details = told["gamma"]
    assert code == "ledger_diverged"
    assert {details["mine"], details["theirs"]} == {
        fleet.log("alpha").state.digest.hex(),
        fleet.log("gamma").state.digest.hex(),
    }
    assert "alpha" in fleet.log("gamma").digests.alarms
