"""Overlapping faults of paths: each ends by itself, and what is left goes on."""

from __future__ import annotations

from roosync_p2p.core.memory_faults import PathFault
from roosync_p2p.simulation.dice import Dice
from roosync_p2p.simulation.fleet import Fleet

WAY = ("alpha", "beta")


def fleet() -> Fleet:
    made = Fleet(["alpha", "beta"], dice=Dice.of(1, "paths"))
    for member in made.members.values():
        member.start()
    return made


def test_faults_on_one_way_add_up_and_end_one_by_one() -> None:
    made = fleet()
    slow = made.paths.add([WAY], PathFault(delay_s=0.2, loss=0.1))
    lossy = made.paths.add([WAY], PathFault(delay_s=0.1, loss=0.2))
    cut = made.paths.add([WAY], PathFault(cut=True))
    assert made.network.path(*WAY) == PathFault(cut=True, delay_s=0.2 + 0.1, loss=0.2)
    made.paths.remove(cut)
    made.paths.remove(slow)
    made.paths.remove(slow)
    assert made.network.path(*WAY) == PathFault(delay_s=0.1, loss=0.2)
    made.paths.remove(lossy)
    assert made.network.path(*WAY) == PathFault()


def test_it_is_known_since_when_a_way_is_usable_and_since_when_it_is_clear() -> None:
    made = fleet()
    made.run(10)
    assert made.paths.usable_for(*WAY) == made.paths.clear_for(*WAY) == 10
    little = made.paths.add([WAY], PathFault(loss=0.1))
    made.run(5)
    assert (made.paths.usable_for(*WAY), made.paths.clear_for(*WAY)) == (15, 0)
    made.paths.add([("beta", "alpha")], PathFault(cut=True))
    assert made.paths.usable_for(*WAY) == 0  # both directions are needed
    made.paths.remove(little)
    made.paths.heal()
    made.run(2)
    assert made.paths.usable_for(*WAY) == made.paths.clear_for(*WAY) == 2
