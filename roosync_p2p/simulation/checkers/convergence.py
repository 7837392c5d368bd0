"""When everything is healed, all nodes hold the same, say so, and come to rest."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from roosync_p2p.simulation.checkers.violation import Violation

__all__ = ["ConvergenceChecker", "OrderView", "View"]

QUIET_DIALS_MAX = 6  # by one node within the quiet seconds at the end: a stale address or two in backoff


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """What a member holds of the one order.

    Attributes:
        number: how far it is applied, with the digest of the state and the root of the tree.
        leader: whom it takes for the leader; empty for nobody.
        leads: whether it leads itself.
        undecided: items at the end of its log that it does not know to be committed.
    """

    number: int
    digest: str
    root: str
    leader: str
    leads: bool
    undecided: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One running member after healing.

    Attributes:
        heads: (head, id) by chain, of chains of machines that are in conflict nowhere.
        records: digest of the latest records of those machines.
        state: what ``status`` says.
        links: machines that it has a link to.
        wanted: machines that it should have one to.
        busy: what has not come to rest, in words.
        split: whether two stores took part under one seat. Then two things may have been committed under one number,
            and whoever heard of both says so until a person looks into it.
        order: None where too few voters are left to decide anything, and while a member takes no part.
    """

    member: str
    heads: Mapping[tuple[str, int, str], tuple[int, str]]
    records: str
    state: str
    links: frozenset[str]
    wanted: frozenset[str]
    conflicts: bool
    busy: tuple[str, ...]
    order: OrderView | None = None
    split: bool = False


class ConvergenceChecker:
    """Compares views."""

    def differences(self, views: Sequence[View]) -> list[str]:
        """What keeps the members from being converged; empty when they are."""
        found = []
        for view in views:
            if view.wanted - view.links:
                found.append(f"{view.member} has no link to {', '.join(sorted(view.wanted - view.links))}")
            allowed = ["conflict" if view.conflicts else "synced"]
            if view.split:
                allowed.append("diverged")
            if view.wanted and view.state not in allowed:
                found.append(f"{view.member} says {view.state}, not {allowed[0]}")
            found += [f"{view.member}: {what}" for what in view.busy]
        for one, other in itertools.pairwise(views):
            for chain in sorted(one.heads.keys() | other.heads.keys()):
                mine, theirs = one.heads.get(chain), other.heads.get(chain)
                if mine != theirs:
                    found.append(
                        f"{chain}: {one.member} holds {mine and mine[0]}, {other.member} {theirs and theirs[0]}"
                    )
            if one.records != other.records:
                found.append(f"{one.member} and {other.member} hold different records")
        return found + _order_differences(views)

    def finish(self, views: Sequence[View], at_s: float) -> list[Violation]:
        """The bound has passed: every difference is a violation."""
        return [Violation(checker="convergence", at_s=at_s, text=text) for text in self.differences(views)]

    def rest(self, dials: Mapping[str, int], seconds: float, at_s: float) -> list[Violation]:
        """How often each node dialled in the quiet seconds at the end."""
        return [
            Violation(
                checker="convergence", at_s=at_s, text=f"{member} dialled {count} times in {seconds:.0f} s of quiet"
            )
            for member, count in sorted(dials.items())
            if count > QUIET_DIALS_MAX
        ]


def _order_differences(views: Sequence[View]) -> list[str]:
    """One leader, whom everybody knows; the same number, state and tree everywhere.

    The leader may be somebody who is not looked at: a machine in conflict.
    """
    orders = [(view.member, view.order) for view in views if view.order is not None]
    found = []
    leading = [member for member, order in orders if order.leads]
    elsewhere = {order.leader for _, order in orders if order.leader} - {
        view.member for view in views if view.order is not None
    }
    if orders and len(leading) != 1 and not (elsewhere and not leading):
        found.append(f"{', '.join(leading) or 'nobody'} leads")
    found += [f"{member} has {order.undecided} undecided items" for member, order in orders if order.undecided]
    for (one, mine), (other, theirs) in itertools.pairwise(orders):
        if mine.leader != theirs.leader:
            found.append(f"{one} follows {mine.leader or 'nobody'}, {other} follows {theirs.leader or 'nobody'}")
        if mine.number != theirs.number:
            found.append(f"{one} has applied {mine.number}, {other} {theirs.number}")
        elif mine.digest != theirs.digest:
            found.append(f"{one} and {other} have different states after {mine.number}")
        elif mine.root != theirs.root:
            found.append(f"{one} and {other} have different trees after {mine.number}")
    return found
