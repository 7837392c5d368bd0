"""Patience: a crossing moves later with this node's own lateness, and never earlier."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roosync_p2p.liveness.patience import Patience

_SECONDS = st.integers(0, 400).map(lambda eighths: eighths / 8)


def test_without_lateness_a_limit_is_crossed_when_it_says() -> None:
    assert Patience().crossing(10.0, 3.0) == 13.0


def test_a_lag_widens_a_limit_until_it_is_forgiven() -> None:
    patience = Patience()
    patience.lagged(1.0, at_s=10.0, for_s=5.0)
    assert patience.crossing(9.0, 3.0) == 13.0
    assert patience.crossing(11.5, 3.0) == 15.0  # the grant ends at 15, and with it the wait
    assert patience.crossing(12.5, 3.0) == 15.5


@given(since_s=_SECONDS, limit_s=_SECONDS, lags=st.lists(st.tuples(_SECONDS, _SECONDS, st.booleans()), max_size=8))
def test_a_crossing_that_is_not_yet_reached_never_moves_earlier(
    since_s: float, limit_s: float, lags: list[tuple[float, float, bool]]
) -> None:
    patience, at_s = Patience(), since_s
    crossing_s = patience.crossing(since_s, limit_s)
    for later_s, lag_s, restart in lags:
        at_s += later_s
        if restart:
            patience.restart(at_s)
        else:
            patience.lagged(lag_s, at_s=at_s, for_s=5.0)
        if at_s >= crossing_s:
            break
        moved_s = patience.crossing(since_s, limit_s)
        assert moved_s >= crossing_s
        crossing_s = moved_s
