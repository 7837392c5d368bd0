"""The convergence checker names every difference that is left, and a node that does not come to rest."""

from __future__ import annotations

import dataclasses

from roosync_p2p.simulation.checkers.convergence import QUIET_DIALS_MAX, ConvergenceChecker, OrderView, View

ALPHA = View(
    member="alpha",
    heads={("alpha", 1, "mail"): (3, "e3")},
    records="r",
    state="synced",
    links=frozenset({"beta"}),
    wanted=frozenset({"beta"}),
    conflicts=False,
    busy=(),
)
BETA = dataclasses.replace(ALPHA, member="beta", links=frozenset({"alpha"}), wanted=frozenset({"alpha"}))


def test_equal_views_are_converged() -> None:
    assert ConvergenceChecker().differences([ALPHA, BETA]) == []


def test_each_difference_is_found() -> None:
    spoilt = [
        dataclasses.replace(BETA, heads={("alpha", 1, "mail"): (2, "e2")}),
        dataclasses.replace(BETA, heads={("alpha", 1, "mail"): (3, "other")}),
        dataclasses.replace(BETA, heads={}),
        dataclasses.replace(BETA, records="other"),
        dataclasses.replace(BETA, state="behind"),
        dataclasses.replace(BETA, links=frozenset()),
        dataclasses.replace(BETA, conflicts=True),
        dataclasses.replace(BETA, busy=("rows wait for the disk",)),
    ]
    for view in spoilt:
        assert len(ConvergenceChecker().finish([ALPHA, view], 9.0)) == 1, view


def test_states_that_differ_are_told_of_where_one_seat_had_two_stores() -> None:
    diverged = dataclasses.replace(BETA, state="diverged")
    assert len(ConvergenceChecker().differences([ALPHA, diverged])) == 1
    assert ConvergenceChecker().differences([ALPHA, dataclasses.replace(diverged, split=True)]) == []


LEADS = OrderView(number=7, digest="d", root="r", leader="alpha", leads=True)
FOLLOWS = dataclasses.replace(LEADS, leads=False)


def ordered(*orders: OrderView) -> list[str]:
    views = [dataclasses.replace(view, order=order) for view, order in zip((ALPHA, BETA), orders, strict=True)]
    return ConvergenceChecker().differences(views)


def test_one_order_everywhere_is_converged() -> None:
    assert ordered(LEADS, FOLLOWS) == []
    assert ConvergenceChecker().differences([dataclasses.replace(ALPHA, order=LEADS), BETA]) == []  # takes no part


def test_each_difference_of_the_order_is_found() -> None:
    assert ordered(FOLLOWS, FOLLOWS) == ["nobody leads"]
    assert ordered(LEADS, LEADS) == ["alpha, beta leads"]
    spoilt = [
        dataclasses.replace(FOLLOWS, number=6),
        dataclasses.replace(FOLLOWS, digest="x"),
        dataclasses.replace(FOLLOWS, root="x"),
        dataclasses.replace(FOLLOWS, leader=""),
        dataclasses.replace(FOLLOWS, undecided=1),
    ]
    for order in spoilt:
        assert len(ordered(LEADS, order)) == 1, order


def test_a_node_alone_is_converged() -> None:
    alone = dataclasses.replace(ALPHA, links=frozenset(), wanted=frozenset(), state="alone")
    assert ConvergenceChecker().differences([alone]) == []


def test_a_node_that_dials_on_and_on_is_found() -> None:
    assert ConvergenceChecker().rest({"alpha": QUIET_DIALS_MAX}, 5.0, 9.0) == []
    assert len(ConvergenceChecker().rest({"alpha": QUIET_DIALS_MAX + 1}, 5.0, 9.0)) == 1
