"""The folder checker finds nodes that go back, remove too early, refuse too early, or do not deliver by the folder."""

from __future__ import annotations

from roosync_p2p.simulation.checkers.folder import FolderChecker


def test_a_node_that_goes_back_to_an_older_file_is_found_within_one_life() -> None:
    checker = FolderChecker()
    assert checker.looked("alpha", 1, {"beta": (1, 4)}, 9.0) == []
    assert checker.looked("alpha", 1, {"beta": (1, 4)}, 9.0) == []
    assert len(checker.looked("alpha", 1, {"beta": (1, 3)}, 9.0)) == 1
    assert checker.looked("alpha", 1, {"beta": (2, 1)}, 9.0) == []
    assert checker.looked("alpha", 2, {"beta": (1, 1)}, 9.0) == []
    assert checker.looked("gamma", 1, {"beta": (1, 1)}, 9.0) == []


def test_a_file_that_somebody_lacks_is_not_removed() -> None:
    checker = FolderChecker()
    assert checker.removed("alpha", "a.seg", [], 9.0) == []
    assert len(checker.removed("alpha", "a.seg", ["beta"], 9.0)) == 1
    assert checker.removals == 2


def test_a_file_that_is_on_its_way_is_not_refused_for_good() -> None:
    checker = FolderChecker()
    assert checker.quarantined("alpha", "a.seg", "wrong_source", 9.0) == []
    assert len(checker.quarantined("alpha", "a.seg", "malformed", 9.0)) == 1


def test_what_does_not_come_by_the_folder_alone_is_found() -> None:
    checker = FolderChecker()
    assert checker.by_folder_alone(2, [], 45.0, 9.0) == []
    assert len(checker.by_folder_alone(1, ["m of alpha is not in the inbox of beta"], 45.0, 9.0)) == 1
    assert checker.alone == 3
