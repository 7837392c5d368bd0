"""What people are told of a machine's life: each evidence by its way, and what does not count said so."""

from __future__ import annotations

from roosync_p2p.ids import MachineId
from roosync_p2p.liveness.facts import Facts
from roosync_p2p.liveness.verdicts import RedialOutcome, State
from tests.liveness.driver import ME, Driver


def _facts(fleet: Driver, name: str = "node-b") -> Facts:
    facts = fleet.view.facts(MachineId(name), fleet.now)
    assert facts is not None
    return facts


def _standings(fleet: Driver) -> dict[str, str]:
    return {str(seen.via or seen.path): seen.standing for seen in _facts(fleet).seen}


def test_each_way_stands_for_itself_and_grows_old_by_its_own_limits() -> None:
    fleet = Driver("node-b", "node-c", "node-d")
    fleet.meet("node-b", "node-c", "node-d")
    fleet.unlink("node-b")
    fleet.advance(1)
    fleet.beat("node-b", via="node-c")
    assert _standings(fleet) == {"direct": "good", "node-c": "good"}
    fleet.keep_beating(["node-c", "node-d"], 8)
    assert _standings(fleet) == {"direct": "past", "node-c": "late"}
    assert [seen.age_s for seen in _facts(fleet).seen] == [7, 8]


def test_a_copy_of_what_came_directly_brings_nothing_newer() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-b", "node-c")
    newest = fleet.view.newest(MachineId("node-b"))
    assert newest is not None
    fleet.hear(newest, via="node-c")
    assert _standings(fleet) == {"direct": "good", "node-c": "known"}


def test_a_refused_dial_voids_what_was_made_before_it() -> None:
    fleet = Driver("node-b", "node-c")
    fleet.meet("node-c")
    fleet.beat("node-b", via="node-c")
    fleet.advance(0.5)
    fleet.redialled("node-b", RedialOutcome.REFUSED)
    assert _standings(fleet) == {"node-c": "past"}
    assert (_facts(fleet).refused_age_s, _facts(fleet).last_sign_age_s) == (0, 0.5)


def test_what_peers_answered_is_told_with_its_age_and_who_was_asked() -> None:
    fleet = Driver("node-b", "node-c", "node-d")
    fleet.meet("node-b", "node-c", "node-d")
    fleet.unlink("node-b")
    fleet.keep_beating(["node-c", "node-d"], 4)
    assert set(_facts(fleet).awaited) <= {"node-c", "node-d"}
    fleet.hears("node-b", by="node-c", age_s=None)
    fleet.hears("node-b", by="node-d", age_s=1.0)
    said = {str(one.machine): one.heard_age_s for one in _facts(fleet).said}
    assert said["node-c"] is None
    assert said["node-d"] is not None
    assert said["node-d"] >= 1.0


def test_without_anybody_nothing_proves_that_this_node_is_connected() -> None:
    fleet = Driver("node-b")
    fleet.meet("node-b")
    assert _facts(fleet).proved
    fleet.advance(60)
    assert not _facts(fleet).proved
    assert fleet.state("node-b") is State.UNKNOWN


def test_of_itself_and_of_strangers_there_are_no_facts() -> None:
    fleet = Driver("node-b")
    assert fleet.view.facts(ME, fleet.now) is None
    assert fleet.view.facts(MachineId("stranger"), fleet.now) is None
