"""What the settings of a node turn into before it starts."""

from __future__ import annotations

import dataclasses
import errno

import pytest

from roosync_p2p.core.settings import parse_settings
from roosync_p2p.errors import NetworkError
from roosync_p2p.liveness.profile import ANALYSIS, LAN, Profile, custom
from roosync_p2p.node.run import _only_fault, _profile


@pytest.mark.parametrize(
    ("liveness", "profile"),
    [
        ({}, LAN),
        ({"profile": "lan"}, LAN),
        ({"profile": "analysis"}, ANALYSIS),
        ({"interval_s": 2}, custom(interval_s=2, suspect_s=6, offline_s=10)),
    ],
)
def test_a_node_runs_with_the_whole_profile_that_its_settings_name(
    liveness: dict[str, object], profile: Profile
) -> None:
    assert _profile(parse_settings({"liveness": liveness})) == profile


def test_the_settings_show_the_numbers_of_the_profile_in_force() -> None:
    shown = dataclasses.asdict(parse_settings({}).liveness)
    assert shown == {"profile": "lan", "interval_s": 1, "suspect_s": 3, "offline_s": 4.8}


def test_what_ends_the_tasks_is_told_as_one_fault_with_its_remedy() -> None:
    taken = NetworkError("the port is taken")
    assert _only_fault(ExceptionGroup("inner", [ExceptionGroup("outer", [taken])])) is taken
    assert _only_fault(ExceptionGroup("two", [taken, ValueError()])) is None
    assert _only_fault(ExceptionGroup("a mistake of ours", [ValueError()])) is None
    for number, code in ((errno.ENOSPC, "disk_full"), (errno.EIO, "system_refused")):
        fault = _only_fault(ExceptionGroup("disk", [OSError(number, "the disk says no")]))
        assert fault is not None
        assert fault.code == code
        assert "the disk says no" in fault.message
        assert fault.remedy
