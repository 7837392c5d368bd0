"""Beyond a full mesh any two have a link or a third with both, and nothing hangs on one machine."""

from __future__ import annotations

import itertools

import pytest

from roosync_p2p.gossip.mesh import contacts_of, first_in_order, group_of, groups_of, mates_of
from roosync_p2p.ids import MachineId

Graph = dict[MachineId, set[MachineId]]


def _names(count: int) -> list[MachineId]:
    return [MachineId(f"machine-{number:03d}") for number in range(count)]


def _graph(members: list[MachineId], off: frozenset[MachineId] = frozenset()) -> Graph:
    """What comes of it when everybody who is not off opens the links that it wishes, and those that are off fail."""
    links: Graph = {machine: set() for machine in members if machine not in off}
    for me in links:
        contacts = contacts_of(me, members, linked=lambda _: False, hopeless=off.__contains__)
        for other in (mates_of(me, members) | contacts) - off:
            links[me].add(other)
            links[other].add(me)
    return links


def _apart(links: Graph) -> list[tuple[MachineId, MachineId]]:
    """Pairs with neither a link nor a third that has both."""
    return [
        (one, other)
        for one, other in itertools.combinations(links, 2)
        if other not in links[one] and not links[one] & links[other]
    ]


@pytest.mark.parametrize("count", [25, 30, 60, 100, 300])
def test_any_two_have_a_link_or_a_third_with_both(count: int) -> None:
    links = _graph(_names(count))
    assert _apart(links) == []
    mean = sum(map(len, links.values())) / count
    assert mean < 3.2 * count**0.5
    assert max(map(len, links.values())) < 5 * count**0.5


@pytest.mark.parametrize("part", [2, 3, 10])
def test_so_do_those_who_are_awake_when_many_are_off(part: int) -> None:
    members = _names(100)
    off = frozenset(machine for number, machine in enumerate(members) if number % part == 0)
    assert _apart(_graph(members, off)) == []


def test_nothing_hangs_on_one_machine() -> None:
    links = _graph(_names(48))
    for gone in links:
        rest = {machine: peers - {gone} for machine, peers in links.items() if machine != gone}
        reached, todo = set(), [next(iter(rest))]
        while todo:
            reached.add(machine := todo.pop())
            todo += [peer for peer in rest[machine] if peer not in reached]
        assert reached == set(rest)


def test_a_newcomer_moves_few_links_of_others() -> None:
    before, after = _graph(_names(60)), _graph(_names(61))
    newcomer = _names(61)[-1]
    moved = sum(len(before[machine] ^ (after[machine] - {newcomer})) for machine in before)
    assert moved <= sum(map(len, before.values())) * 0.1


def test_a_contact_that_cannot_be_reached_is_tried_again_beside_the_next_one() -> None:
    members = _names(30)
    me, groups = members[0], groups_of(30)
    first = {group_of(m, groups): m for m in contacts_of(me, members, linked=lambda _: False, hopeless=lambda _: False)}
    gone = next(iter(first.values()))
    wished = contacts_of(me, members, linked=lambda _: False, hopeless=lambda m: m == gone)
    same = {machine for machine in wished if group_of(machine, groups) == group_of(gone, groups)}
    assert gone in same
    assert len(same) == 2
    # With a link it is good enough, whatever else is known of it.
    linked = contacts_of(me, members, linked=lambda m: m == gone, hopeless=lambda m: m == gone)
    assert linked == set(first.values())


def test_without_any_hope_the_whole_group_is_tried() -> None:
    members = _names(30)
    me = members[0]
    assert contacts_of(me, members, linked=lambda _: False, hopeless=lambda _: True) | mates_of(me, members) | {
        me
    } == set(members)


@pytest.mark.parametrize("count", [1, 2])
def test_as_many_pass_something_on_as_are_wanted(count: int) -> None:
    *relays, source, target = _names(9)
    chosen = [
        relay
        for relay in relays
        if first_in_order([r for r in relays if r != relay], relay, source=source, target=target, count=count)
    ]
    assert len(chosen) == count
