"""What the settings of a node turn into before it starts."""

from __future__ import annotations

import dataclasses

import pytest

from roosync_p2p.core.settings import parse_settings
from roosync_p2p.liveness.profile import ANALYSIS, LAN, Profile, custom
from roosync_p2p.node.run import _profile


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
