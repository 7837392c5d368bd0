"""Profiles: the table of limits, and how it grows."""

from __future__ import annotations

import pytest

from roosync_p2p.errors import InputFault
from roosync_p2p.liveness.profile import ANALYSIS, LAN, custom


def test_the_lan_profile_is_the_table_of_the_protocol() -> None:
    assert (LAN.interval_s, LAN.suspect_s, LAN.offline_s) == (1, 3, 4.8)
    assert (LAN.relayed_suspect_s, LAN.relayed_offline_s) == (6, 10)


def test_the_analysis_profile_beats_every_thirty_seconds_and_gives_up_after_two_minutes() -> None:
    assert (ANALYSIS.interval_s, ANALYSIS.suspect_s, ANALYSIS.offline_s) == (30, 90, 120)


def test_up_to_24_members_nothing_grows_and_above_only_what_is_relayed() -> None:
    assert LAN.for_members(24) == LAN
    large = LAN.for_members(48)
    assert (large.relayed_interval_s, large.relayed_suspect_s, large.relayed_offline_s) == (2, 12, 20)
    assert (large.interval_s, large.suspect_s, large.offline_s) == (1, 3, 4.8)


def test_a_slower_announced_cadence_slows_every_limit_and_a_faster_one_none() -> None:
    assert LAN.for_interval(0.5) == LAN
    assert LAN.for_interval(30).offline_s == 144


@pytest.mark.parametrize(
    ("interval_s", "suspect_s", "offline_s"),
    [(0.05, 3, 5), (301, 700, 800), (1, 1.9, 5), (1, 5, 5), (float("nan"), 3, 5), (1, float("nan"), 5)],
)
def test_numbers_that_do_not_fit_together_are_refused(interval_s: float, suspect_s: float, offline_s: float) -> None:
    with pytest.raises(InputFault) as caught:
        custom(interval_s=interval_s, suspect_s=suspect_s, offline_s=offline_s)
    assert caught.value.code == "bad_liveness_profile"
