"""Disks that lost something, and chains that fork, while there is an order to keep."""

from __future__ import annotations

import pytest

from roosync_p2p.core.authorship import Phase
from roosync_p2p.core.commands import OfferCountersignature
from roosync_p2p.core.memory_store import MemoryStore
from roosync_p2p.entries.entry import LEDGER, stored_entry
from roosync_p2p.ids import EntryId, MachineId
from tests.helpers.ordered_fleet import OrderedFleet, acquire


def test_a_voter_whose_disk_was_rolled_back_behind_its_vote_begins_a_new_life_without_a_vote() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    monday = fleet.member("gamma").disk.snapshot()
    fleet.fleet.power_off("alpha")
    fleet.run(6.0)
    term = fleet.log(fleet.leader()).order.hard.term
    assert fleet.log("gamma").order.hard.term == term
    assert fleet.log("gamma").order.hard.vote is not None
    fleet.fleet.power_off("gamma")
    fleet.member("gamma").disk.restore(monday)
    fleet.member("gamma").start()
    fleet.run(6.0)
    assert fleet.member("gamma").node().authorship.phase is Phase.WAITING
    assert fleet.log("gamma").order.me is None


def test_a_founder_whose_disk_was_wiped_follows_the_fleets_log_and_begins_none_of_its_own() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    fleet.fleet.power_off("alpha")
    fleet.run(10.0)
    alpha = fleet.member("alpha")
    alpha.disk.restore(MemoryStore().snapshot())
    alpha.start()
    fleet.run(6.0)
    renewal = alpha.node().authorship.renewal
    assert renewal is not None, "its chains are with the others"
    cut = fleet.fleet.isolate("alpha")
    alpha.request(OfferCountersignature(envelope=fleet.fleet.keys.root_countersignature(renewal)), lambda _: None)
    fleet.run(1.0)
    assert alpha.node().authorship.incarnation == 2
    # What it wrote in its earlier life comes back before anything of the log does: also that it founded the fleet.
    old = fleet.member("beta").disk.entries(MachineId("alpha"), 1, LEDGER, 1, count_max=9, bytes_max=1 << 20)
    for row in old:
        assert row.body is not None
        alpha.node().commit.entry_held(stored_entry(row.header, row.body))
    fleet.run(1.0)
    assert not fleet.log("alpha").order.leads
    fleet.fleet.paths.remove(cut)
    fleet.run(15.0)
    assert len(fleet.agreement()) == 1
    assert fleet.commits("alpha") == fleet.commits("beta")
    assert fleet.done("alpha", "claim.acquire", acquire("issue-2"))["outcome"]["accepted"]


def test_an_old_disk_with_a_vote_that_was_handed_over_waits_for_whoever_starts_at_the_same_time() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    assert fleet.voters("alpha") == ["alpha"]
    monday = fleet.member("alpha").disk.snapshot()
    fleet.member("alpha").leave()
    fleet.run(6.0)
    (heir,) = fleet.voters("beta")
    assert heir in ("beta", "gamma")
    fleet.done("beta", "claim.acquire", acquire("issue-1"))
    for name in ("beta", "gamma"):
        fleet.fleet.power_off(name)
    fleet.member("alpha").disk.restore(monday)
    (other,) = {"beta", "gamma"} - {heir}
    for name in ("alpha", other):
        fleet.member(name).start()
    fleet.run(3.0)
    assert fleet.log("alpha").order.me is None, "whom the vote went to may still come"
    fleet.member(heir).start()
    fleet.run(10.0)
    renewal = fleet.member("alpha").node().authorship.renewal
    assert renewal is not None
    assert fleet.done("beta", "claim.acquire", acquire("issue-2"))["outcome"]["accepted"]
    offer = OfferCountersignature(envelope=fleet.fleet.keys.root_countersignature(renewal))
    fleet.member("alpha").request(offer, lambda _: None)
    fleet.run(10.0)
    assert len(fleet.agreement()) == 1
    assert fleet.voters("alpha") == [heir]


def test_a_voter_that_only_crashed_takes_part_again_under_its_seat() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma", voters=["beta", "gamma"])
    seat = fleet.log("gamma").order.me
    fleet.fleet.power_off("gamma")
    fleet.run(3.0)
    fleet.member("gamma").start()
    fleet.run(8.0)
    assert fleet.log("gamma").order.me == seat
    fleet.fleet.power_off("beta")
    assert fleet.done("gamma", "claim.acquire", acquire("issue-1"))["outcome"]["accepted"]


def test_a_committed_entry_whose_place_is_taken_by_a_fork_is_kept_beside_the_chain_and_applied() -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    monday = fleet.member("beta").disk.snapshot()
    cut = fleet.fleet.isolate("gamma")
    fleet.fleet.power_off("alpha")
    fleet.ask("beta", "claim.acquire", acquire("issue-1"))
    fleet.run(1.0)
    written = fleet.member("beta").disk.snapshot()
    # The copy of the home runs where gamma can hear it, and writes something else in the same place.
    fleet.fleet.power_off("beta")
    fleet.member("beta").disk.restore(monday)
    fleet.fleet.paths.remove(cut)
    fleet.member("beta").start()
    fleet.run(8.0)
    fleet.ask("beta", "claim.acquire", acquire("issue-2"))
    fleet.run(1.0)
    fleet.fleet.power_off("beta")
    fleet.fleet.power_off("gamma")
    # The original goes on with the leader, which orders what it wrote.
    fleet.member("beta").disk.restore(written)
    fleet.member("alpha").start()
    fleet.member("beta").start()
    fleet.run(10.0)
    (ordered,) = [row.entry for row in fleet.commits("alpha") if row.kind == "claim.acquire"]
    assert ordered is not None
    fleet.member("gamma").start()
    fleet.run(15.0)
    assert len({(log.applier.number, log.state.digest) for log in (fleet.log("alpha"), fleet.log("gamma"))}) == 1
    disk = fleet.member("gamma").disk
    assert disk.entry(ordered) is None, "its place in the chain is taken"
    assert ordered in disk.ordered_entries([ordered])


def test_an_entry_that_is_asked_for_by_its_id_is_given_from_memory_or_disk() -> None:
    fleet = OrderedFleet("alpha", "beta")
    answer = fleet.done("beta", "claim.acquire", acquire("issue-1"))
    entry = EntryId(bytes.fromhex(answer["entry"]))
    assert list(fleet.member("alpha").disk.ordered_entries([entry])) == [entry]


@pytest.mark.parametrize("wrote", [False, True], ids=["silent", "wrote"])
def test_an_old_disk_with_the_only_vote_that_started_alone_stops_deciding_when_the_others_come(wrote: bool) -> None:
    fleet = OrderedFleet("alpha", "beta", "gamma")
    monday = fleet.member("alpha").disk.snapshot()
    for number in range(3):
        fleet.done("alpha", "claim.acquire", acquire(f"issue-{number}"))
    decided = fleet.commits("beta")
    for name in ("alpha", "beta", "gamma"):
        fleet.fleet.power_off(name)
    fleet.member("alpha").disk.restore(monday)
    fleet.member("alpha").start()
    fleet.run(10.0)
    assert fleet.log("alpha").order.leads, "alone it cannot know that its disk is old"
    if wrote:
        fleet.done("alpha", "claim.acquire", acquire("issue-9"))
    for name in ("beta", "gamma"):
        fleet.member(name).start()
    fleet.run(10.0)
    assert not fleet.log("alpha").order.leads
    expected = Phase.CONFLICT if wrote else Phase.WAITING
    assert fleet.member("alpha").node().authorship.phase is expected
    assert fleet.commits("beta") == decided
