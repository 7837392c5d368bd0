"""Who links with whom in a fleet that is too large for a link between every pair (docs/protocol/links.md §10).

Affinity groups, as in Kelips (Gupta et al., IPTPS 2003): a hash puts each machine into one of about √(n/2) groups. A
machine links with all of its own group, and with one contact in each other group. So any two machines have a link, or
a third one that has both: the contact of the one in the other's group. There are two such thirds, one from each end,
and a contact that is gone is replaced by the next, so nothing hangs on a single machine.

Everything is a function of names and of what the caller sees, so two nodes that see the same wish the same; nobody has
to agree on anything. A newcomer moves only the links of its own group and of those whose contact it becomes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection
from typing import Final

from roosync_p2p.codec.digests import sha256
from roosync_p2p.ids import MachineId

__all__ = ["contacts_of", "first_in_order", "group_of", "groups_of", "mates_of"]

_REMEMBERED: Final = 1 << 17  # places of the pairs and triples that a fleet of 300 asks for again and again


def groups_of(members: int) -> int:
    """How many groups a fleet of so many members has: a power of two, so that few machines move when it changes."""
    return int(2 ** math.floor(math.log2(max(1.0, math.sqrt(members / 2))) + 0.5))


def group_of(machine: MachineId, groups: int) -> int:
    """The group of a machine."""
    return _place(f"group/{machine}") % groups


def mates_of(me: MachineId, members: Collection[MachineId]) -> frozenset[MachineId]:
    """The others of this machine's own group."""
    groups = groups_of(len(members))
    mine = group_of(me, groups)
    return frozenset(machine for machine in members if machine != me and group_of(machine, groups) == mine)


def contacts_of(
    me: MachineId,
    members: Collection[MachineId],
    *,
    linked: Callable[[MachineId], bool],
    hopeless: Callable[[MachineId], bool],
) -> frozenset[MachineId]:
    """The contacts of this machine in all other groups.

    In each group the machines are tried in an order of this machine's own: whoever cannot be reached stays on the list,
    so that it is tried again now and then, and the next one is added, up to the first that is linked.

    Args:
        linked: whether there is a link.
        hopeless: whether a link is not to be expected: no address is known, the last dials failed, or it is gone.
    """
    groups = groups_of(len(members))
    mine = group_of(me, groups)
    others: dict[int, list[MachineId]] = {}
    for machine in members:
        if (group := group_of(machine, groups)) != mine:
            others.setdefault(group, []).append(machine)
    chosen: set[MachineId] = set()
    for strangers in others.values():
        for machine in sorted(strangers, key=lambda other: _place(f"contact/{me}/{other}")):
            chosen.add(machine)
            if linked(machine) or not hopeless(machine):
                break
    return frozenset(chosen)


def first_in_order(
    relays: Collection[MachineId], me: MachineId, *, source: MachineId, target: MachineId, count: int = 1
) -> bool:
    """Whether this machine is among the first that pass something of ``source`` on to ``target``.

    ``relays``: the others that could. All that know the same of each other come to the same answer.
    """
    mine = _place(f"{me}/{source}/{target}")
    ahead = sum(1 for relay in relays if relay != me and _place(f"{relay}/{source}/{target}") < mine)
    return ahead < count


@functools.lru_cache(_REMEMBERED)
def _place(what: str) -> int:
    return int.from_bytes(sha256(what.encode())[:8], "big")
