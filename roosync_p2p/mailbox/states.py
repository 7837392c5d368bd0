"""How far a message got, for each recipient, from facts (docs/protocol/messages.md §2).

    sent ──▶ delivered ──▶ read

*Delivered* follows from the recipient's signed frontier, *read* from its signed receipt. Nothing here is remembered:
the same facts give the same states on every node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from roosync_p2p.ids import Address, MachineId

__all__ = ["DELIVERED", "ORDER", "READ", "SENT", "states"]

SENT: Final = "sent"
DELIVERED: Final = "delivered"
READ: Final = "read"
ORDER: Final = (SENT, DELIVERED, READ)


def states(
    addresses: Iterable[Address],
    *,
    author: MachineId,
    members: Iterable[MachineId],
    delivered: Callable[[MachineId], bool],
    read: Callable[[MachineId, str], bool],
) -> dict[str, str]:
    """State by recipient: one for each machine of a broadcast, one for each workspace of an address with one.

    ``members`` are those that a broadcast is for; its author is not among its own recipients.
    """
    result: dict[str, str] = {}
    machines = sorted(set(members))
    for address in addresses:
        if address.machine == "all":
            recipients = [MachineId(machine) for machine in machines if machine != author]
        else:
            recipients = [MachineId(address.machine)]
        for machine in recipients:
            name = machine if address.workspace is None else f"{machine}:{address.workspace}"
            result[name] = _state(machine, address.workspace or "", delivered, read)
    return result


def _state(
    machine: MachineId,
    workspace: str,
    delivered: Callable[[MachineId], bool],
    read: Callable[[MachineId, str], bool],
) -> str:
    if read(machine, workspace):
        return READ
    return DELIVERED if delivered(machine) else SENT
