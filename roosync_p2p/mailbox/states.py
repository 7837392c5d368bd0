"""How far a message got, for each recipient, from facts (docs/protocol/messages.md §2).

    sent ──▶ delivered ──▶ read ──▶ acted
      │          │          └─────▶ declined
      │          └──▶ expired     (nobody was shown it in time), bounced (its machine went, with it unread)
      └──▶ expired, bounced       (it did not arrive in time, or cannot)

*Delivered* follows from the recipient's signed frontier, what comes after it from its signed receipts, *bounced* from
the register. Nothing here is remembered: the same facts give the same states on every node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from roosync_p2p.ids import Address, MachineId

__all__ = ["BOUNCED", "DELIVERED", "SENT", "recipients", "states"]

SENT: Final = "sent"
DELIVERED: Final = "delivered"
BOUNCED: Final = "bounced"
EXPIRED: Final = "expired"


def recipients(
    addresses: Iterable[Address], *, author: MachineId, members: Iterable[MachineId]
) -> dict[str, tuple[MachineId, str]]:
    """Machine and inbox ("" the machine's own) by the name of each recipient.

    ``members`` are those that a broadcast is for; its author is not among its own recipients.
    """
    result: dict[str, tuple[MachineId, str]] = {}
    machines = sorted(set(members))
    for address in addresses:
        if address.machine == "all":
            found = [MachineId(machine) for machine in machines if machine != author]
        else:
            found = [MachineId(address.machine)]
        for machine in found:
            name = machine if address.workspace is None else f"{machine}:{address.workspace}"
            result[name] = (machine, address.workspace or "")
    return result


def states(
    addresses: Iterable[Address],
    *,
    author: MachineId,
    members: Iterable[MachineId],
    delivered: Callable[[MachineId], bool],
    said: Callable[[MachineId, str], str | None],
    gone: Callable[[MachineId], bool] = lambda _machine: False,
    overdue: bool = False,
) -> dict[str, str]:
    """State by recipient: one for each machine of a broadcast, one for each workspace of an address with one.

    Args:
        members: whom a broadcast is for.
        delivered: whether that machine has signed that it holds the message.
        said: the furthest that it has said about it, in that inbox.
        gone: whether that machine was in the fleet, and is no more.
        overdue: whether the message's own time is over.
    """
    found: dict[str, str] = {}
    for name, (machine, workspace) in recipients(addresses, author=author, members=members).items():
        state = said(machine, workspace)
        if state is None:
            state = _unheard(delivered(machine), gone(machine), overdue)
        found[name] = state
    return found


def _unheard(delivered: bool, gone: bool, overdue: bool) -> str:
    """Of a recipient that has said nothing. What lay unread on a machine that is gone is read by nobody."""
    if gone:
        return BOUNCED
    if delivered:
        return DELIVERED
    return EXPIRED if overdue else SENT
