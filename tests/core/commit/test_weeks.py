"""One machine that is always on and laptops awake twenty minutes of every 210, as whole cores: a short part of it.

Thirty days by hand: ``python -m tests.core.commit.weeks --days 30``. The rules alone do thirty days in
``tests/consensus/test_autopilot_fleets.py``.
"""

from __future__ import annotations

from tests.core.commit.weeks import EVERY_S, SERVER, Weeks

DAY_S = 24 * 3600.0


def test_a_laptop_that_founded_the_fleet_takes_the_quorum_into_its_sleep_once() -> None:
    weeks = Weeks(laptops=1, founder="laptop-1")
    weeks.run((EVERY_S + 15 * 60) / DAY_S)
    assert weeks.voters == [SERVER], "when it woke for the second time it handed its vote over"
    once_s = weeks.without_quorum_s
    assert 0 < once_s <= EVERY_S
    assert weeks.unanswered == 0, "what waited is decided"
    weeks.run(3600.0 / DAY_S)
    assert weeks.without_quorum_s == once_s
    assert weeks.voters == [SERVER]
    assert weeks.unanswered == 0
    assert weeks.agree()
