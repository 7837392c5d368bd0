"""What lies in the part of a machine that is out is read by nobody: others write theirs, as if it were not there."""

from __future__ import annotations

from roosync_p2p.core.commands import OrderEntry, Revoke
from roosync_p2p.ids import MachineId
from roosync_p2p.ledger.bodies import ClaimAcquire
from tests.helpers.folder_fleet import FolderFleet


def _with_runs_of_c() -> FolderFleet:
    """Machines with the folder alone, one of which is off; what it lacks of the log lies in the part of machine-c."""
    fleet = FolderFleet("abcd")
    fleet.until_s(lambda: all(len(m.node().members()) == 4 for m in fleet.fleet.members.values()), 90)
    fleet.run(20)
    fleet.member("d").crash(power=True)
    body = ClaimAcquire(name="bug-1", ttl_ms=3_600_000, session="s1", queue=False)
    command = OrderEntry(
        kind="claim.acquire", body=body, timeout_s=5.0, not_after_s=None, withdraw=False, idempotency_key=None
    )
    fleet.ask("a", command)
    fleet.run(40)
    for letter in "abcd":
        files = fleet.folder(letter).files
        assert fleet.files(letter, "machine-a/log")
        for path in fleet.files(letter, "machine-a/log"):
            files[path.replace("machine-a", "machine-c")] = files.pop(path)
    fleet.run(60)
    assert not fleet.files("a", "machine-a/log"), "what a member has written counts"
    return fleet


def test_after_a_revocation_others_write_what_only_the_revoked_machine_had_written() -> None:
    fleet = _with_runs_of_c()
    statement = fleet.fleet.keys.revocation(MachineId("machine-c"), ledger=None, mail=None, serial=1)
    fleet.ask("a", Revoke(statement=statement))
    fleet.until_s(lambda: bool(fleet.files("a", "machine-a/log")), 60)
    fleet.member("d").start()
    wanted = fleet.member("a").node().commit.applier.number
    fleet.until_s(lambda: fleet.member("d").node().commit.applier.number >= wanted, 60)
