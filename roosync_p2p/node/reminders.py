"""What an issuer's user still has to do for the fleet to survive the loss of this disk: no fault, and no warning.

They concern who can do something about it, so only an issuer shows them; and only in a fleet of more than one machine:
who tries the program out on one is told once, by ``init``. ``[node] reminders = false`` turns them off.
"""

from __future__ import annotations

from roosync_p2p.core.node_core import NodeCore
from roosync_p2p.ledger.register import Register, register_of
from roosync_p2p.node.surroundings import Surroundings
from roosync_p2p.trust.roles import ISSUER

__all__ = ["reminders"]

Reminder = dict[str, object]


def reminders(core: NodeCore, around: Surroundings) -> list[Reminder]:
    """``no_backup`` and ``single_issuer``, with a remedy each, as long as they hold."""
    register = register_of(core.commit.state, core.desk.identity.root)
    issuer = core.desk.identity.issuer_key
    if not around.remind or issuer is None or issuer.key_id in core.directory.given_up or len(_present(register)) < 2:
        return []
    found: list[Reminder] = []
    if not around.backed_up([core.desk.identity.key.key_id, issuer.key_id]):
        found.append(
            {
                "code": "no_backup",
                "message": f"no backup of {core.me} was made: what only it can do is lost with its disk",
                "remedy": "roosync-admin backup FILE, and keep the file elsewhere",
            }
        )
    if [machine for machine in _present(register) if register.has_role(machine, ISSUER)] == [core.me]:
        found.append(
            {
                "code": "single_issuer",
                "message": f"{core.me} is the only issuer: without it nobody is admitted, renewed or revoked",
                "remedy": "make another machine one with roosync-admin issuer: request there, add here, install there",
            }
        )
    return found


def _present(register: Register) -> list[str]:
    return [machine for machine, member in register.members.items() if not member.ended]
