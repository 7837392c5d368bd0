"""Who lives, by the shared folder alone: late, but never wrong about the living (docs/protocol/liveness.md §9)."""

from __future__ import annotations

from roosync_p2p import limits
from roosync_p2p.core.memory_folder import ShareFaults
from roosync_p2p.liveness.verdicts import Path, Reason, State
from tests.helpers.folder_fleet import FolderFleet


def _linked(letters: str, *, lag_s: tuple[float, float] = (1.0, 5.0), seed: int = 1) -> FolderFleet:
    """Nodes whose links stand and whose folder has been measured, cut off from each other just now."""
    fleet = FolderFleet(letters, cut=False, seed=seed)
    fleet.share.faults = ShareFaults(lag_s=lag_s)
    fleet.run(60)
    return fleet


def _states(fleet: FolderFleet, letters: str) -> set[State]:
    return {fleet.verdict(judge, other).state for judge in letters for other in letters if judge != other}


def test_after_losing_links_all_are_unknown_until_a_fast_round_of_the_folder_and_then_online_by_it() -> None:
    fleet = _linked("abc")
    fleet.cut()
    fleet.run(12)
    assert _states(fleet, "abc") == {State.UNKNOWN}
    took_s = 12 + fleet.until_s(lambda: _states(fleet, "abc") == {State.ONLINE}, 120)
    assert took_s <= limits.FOLDER_CADENCE_FAST_S + 5 + 2 * limits.FOLDER_LOOK_FAST_S + 15
    shown = fleet.verdict("a", "b")
    assert (shown.evidence.path, shown.reason) == (Path.FOLDER, Reason.HEARD)
    assert shown.evidence.age_s is not None
    assert 0 < shown.evidence.age_s < 60
    fleet.run(300)
    assert _states(fleet, "abc") == {State.ONLINE}


def test_who_dies_while_links_are_cut_is_offline_after_its_limit_and_the_others_stay_online() -> None:
    fleet = _linked("abc")
    fleet.cut()
    fleet.until_s(lambda: _states(fleet, "abc") == {State.ONLINE}, 120)
    fleet.member("c").crash(power=True)
    took_s = fleet.until_s(lambda: fleet.verdict("a", "c").state is State.OFFLINE, 900, step_s=2)
    assert limits.FOLDER_OFFLINE_S - 40 <= took_s <= limits.FOLDER_OFFLINE_S + 120
    assert fleet.verdict("a", "b").state is State.ONLINE
    fleet.until_s(lambda: fleet.verdict("b", "c").state is State.OFFLINE, 120)


def test_who_dies_on_the_network_is_offline_in_five_seconds_and_its_last_file_does_not_bring_it_back() -> None:
    fleet = _linked("abc", lag_s=(20.0, 20.0))
    before = dict(fleet.share.writes)
    fleet.until_s(lambda: fleet.share.writes["machine-c"] > before["machine-c"], 400)  # it has just written
    fleet.member("c").crash(power=True)
    took_s = fleet.until_s(lambda: fleet.verdict("a", "c").state is State.OFFLINE, 20)
    assert took_s <= 6
    for _ in range(60):
        fleet.run(1)
        assert fleet.verdict("a", "c").state is State.OFFLINE


def test_half_an_hour_of_lag_with_every_link_cut_makes_nobody_offline() -> None:
    fleet = _linked("abc")
    fleet.cut()
    fleet.until_s(lambda: _states(fleet, "abc") == {State.ONLINE}, 120)
    fleet.share.faults = ShareFaults(lag_s=(1_500.0, 1_800.0))
    seen: set[tuple[State, str]] = set()
    for _ in range(60):
        fleet.run(60)
        seen |= {
            (verdict.state, verdict.reason)
            for verdict in (fleet.verdict(judge, other) for judge in "abc" for other in "abc" if judge != other)
        }
    assert State.OFFLINE not in {state for state, _ in seen}
    assert (State.UNKNOWN, Reason.FOLDER_STALLED) in seen
    assert _states(fleet, "abc") == {State.ONLINE}
    shown = fleet.verdict("a", "b")
    assert shown.evidence.path is Path.FOLDER
    assert shown.evidence.age_s is not None
    assert shown.evidence.age_s > 1_400
    lag_s = fleet.folder_status("a")["lag_s"]
    assert isinstance(lag_s, float)
    assert 1_400 < lag_s < 2_000


def test_a_folder_that_stands_still_makes_everybody_unknown_and_says_why() -> None:
    fleet = _linked("ab")
    fleet.cut()
    fleet.until_s(lambda: _states(fleet, "ab") == {State.ONLINE}, 120)
    fleet.share.stopped = True
    fleet.run(700)
    shown = fleet.verdict("a", "b")
    assert (shown.state, shown.reason) == (State.UNKNOWN, Reason.FOLDER_STALLED)
    assert fleet.folder_status("a")["state"] == "stale"
    assert fleet.warnings("a") == {"folder_stale"}
    fleet.share.stopped = False
    fleet.until_s(lambda: fleet.verdict("a", "b").state is State.ONLINE, 120)
    assert fleet.warnings("a") == set()


def test_a_folder_that_is_only_local_is_told_while_links_show_that_the_others_write() -> None:
    fleet = _linked("abc")
    fleet.run(300)  # everybody has measured the folder, and says so
    fleet.folder("c").local = True
    took_s = fleet.until_s(lambda: fleet.warnings("c") == {"folder_not_shared"}, 900, step_s=5)
    assert took_s <= limits.FOLDER_PROBES_MISSED * limits.FOLDER_CADENCE_REST_S + 60
    assert _states(fleet, "abc") == {State.ONLINE}


def test_a_farewell_in_the_folder_is_leaving_at_once() -> None:
    fleet = _linked("ab")
    fleet.cut()
    fleet.until_s(lambda: _states(fleet, "ab") == {State.ONLINE}, 120)
    fleet.member("b").leave()
    took_s = fleet.until_s(lambda: fleet.verdict("a", "b").state is State.LEAVING, 60)
    assert took_s <= 30
